"""fuse: the weighted mean of checkpoints, tensor by tensor, and a clear no to what cannot be merged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from etalon.errors import ConfigError, InputError, UnsupportedModelError  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.sft.fuse import fuse  # noqa: E402
from tiny_models import tiny_language_model  # noqa: E402

Tensors = dict[str, Any]


def checkpoint(path: Path, tensors: Tensors) -> Path:
    path.mkdir()
    (path / "config.json").write_text("{}")
    save_file(tensors, path / "model.safetensors")
    return path


def sharded(path: Path, shards: list[Tensors]) -> Path:
    """A checkpoint in several files, as large models are saved."""
    path.mkdir()
    (path / "config.json").write_text("{}")
    weight_map = {}
    for number, tensors in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(tensors, path / name)
        weight_map |= dict.fromkeys(tensors, name)
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return path


def merged(out: Path) -> Tensors:
    return load_file(out / "model.safetensors")


def test_the_weighted_mean_is_exact(tmp_path: Path) -> None:
    a = checkpoint(tmp_path / "a", {"w": torch.tensor([[1.0, 2.0], [3.0, -4.0]]), "b": torch.tensor([8.0])})
    b = checkpoint(tmp_path / "b", {"w": torch.tensor([[5.0, 2.0], [-1.0, 0.0]]), "b": torch.tensor([0.0])})
    # quarters are exact in floats: 3/4 a + 1/4 b
    out = merged(fuse([(a, 0.75), (b, 0.25)], tmp_path / "out"))
    assert out["w"].tolist() == [[2.0, 2.0], [2.0, -3.0]]
    assert out["b"].tolist() == [6.0]


def test_weights_are_normalised_and_written_down(tmp_path: Path) -> None:
    a = checkpoint(tmp_path / "a", {"w": torch.tensor([4.0])})
    b = checkpoint(tmp_path / "b", {"w": torch.tensor([0.0])})
    out = fuse([(a, 3.0), (b, 1.0)], tmp_path / "out")
    assert merged(out)["w"].tolist() == [3.0]
    assert json.loads((out / "fused.json").read_text()) == {
        "members": [
            {"path": f"{tmp_path.name}/a", "weight": 0.75},
            {"path": f"{tmp_path.name}/b", "weight": 0.25},
        ]
    }


def test_a_checkpoint_merged_with_itself_is_itself(tmp_path: Path) -> None:
    one = loader.save(tiny_language_model("qwen2"), tmp_path / "one")
    out = fuse([(one, 1.0), (one, 1.0)], tmp_path / "out")
    before, after = load_file(one / "model.safetensors"), merged(out)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("tied", [False, True])
def test_merging_many_models_equals_a_float64_loop_and_loads_as_a_model(tmp_path: Path, tied: bool) -> None:
    weights = [0.5, 0.3, 0.0, 0.2]
    members = [tiny_language_model("qwen2", seed=seed, tie_word_embeddings=tied) for seed in range(4)]
    paths = [loader.save(member, tmp_path / f"step-{i}") for i, member in enumerate(members)]
    out = fuse(list(zip(paths, weights, strict=True)), tmp_path / "out")
    loaded = dict(AutoModelForCausalLM.from_pretrained(out).named_parameters())
    for name, parameter in loaded.items():
        expected = torch.zeros_like(parameter, dtype=torch.float64)
        for member, weight in zip(members, weights, strict=True):
            expected += weight * dict(member.model.named_parameters())[name].double()
        torch.testing.assert_close(parameter.double(), expected, atol=1e-6, rtol=0)
    assert AutoTokenizer.from_pretrained(out).encode("7+5") == members[0].encode("7+5")


def test_sharded_checkpoints_merge_with_whole_ones(tmp_path: Path) -> None:
    a = sharded(tmp_path / "a", [{"x": torch.tensor([2.0])}, {"y": torch.tensor([6.0])}])
    b = checkpoint(tmp_path / "b", {"x": torch.tensor([4.0]), "y": torch.tensor([0.0])})
    out = fuse([(a, 1.0), (b, 1.0)], tmp_path / "out")
    assert {name: t.tolist() for name, t in merged(out).items()} == {"x": [3.0], "y": [3.0]}
    assert sorted(f.name for f in out.iterdir()) == ["config.json", "fused.json", "model.safetensors"]


def test_low_precision_weights_are_added_in_float32_and_keep_their_type(tmp_path: Path) -> None:
    values = [torch.tensor([1.0, 256.0]), torch.tensor([1.0, 258.0]), torch.tensor([1.0, 256.0])]
    paths = [checkpoint(tmp_path / str(i), {"w": v.bfloat16()}) for i, v in enumerate(values)]
    out = merged(fuse([(p, 1.0) for p in paths], tmp_path / "out"))
    assert out["w"].dtype == torch.bfloat16
    assert out["w"].tolist() == [1.0, 256.0]  # 256.67 rounds to 256; a third in bfloat16, added thrice, is not 1


def test_a_lora_directory_is_refused(tmp_path: Path) -> None:
    whole = checkpoint(tmp_path / "whole", {"w": torch.zeros(1)})
    adapter = checkpoint(tmp_path / "adapter", {"w": torch.zeros(1)})
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(UnsupportedModelError, match=r"adapter: is a LoRA adapter.*merge it into its base"):
        fuse([(whole, 1.0), (adapter, 1.0)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_shape_that_differs_is_named(tmp_path: Path) -> None:
    a = checkpoint(tmp_path / "a", {"same": torch.zeros(2), "head.weight": torch.zeros(3, 2)})
    b = checkpoint(tmp_path / "b", {"same": torch.zeros(2), "head.weight": torch.zeros(4, 2)})
    with pytest.raises(
        InputError, match=r"/b: cannot be merged with .*/a: tensor head.weight is \(4, 2\) here and \(3"
    ):
        fuse([(a, 1.0), (b, 1.0)], tmp_path / "out")


@pytest.mark.parametrize("more_in_first", [True, False])
def test_a_missing_tensor_is_named(tmp_path: Path, more_in_first: bool) -> None:
    few, many = {"w": torch.zeros(2)}, {"w": torch.zeros(2), "extra": torch.zeros(1)}
    a = checkpoint(tmp_path / "a", many if more_in_first else few)
    b = checkpoint(tmp_path / "b", few if more_in_first else many)
    with pytest.raises(InputError, match=r"tensor extra is .*missing"):
        fuse([(a, 1.0), (b, 1.0)], tmp_path / "out")


def test_missing_and_damaged_weights_are_named(tmp_path: Path) -> None:
    a = checkpoint(tmp_path / "a", {"w": torch.zeros(2)})
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"empty/model.safetensors: no such file"):
        fuse([(a, 1.0), (empty, 1.0)], tmp_path / "out")
    (empty / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(InputError, match=r"empty/model.safetensors: damaged weights"):
        fuse([(a, 1.0), (empty, 1.0)], tmp_path / "out")


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -0.5], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_weights_that_cannot_be_normalised_are_refused(tmp_path: Path, weights: list[float]) -> None:
    a = checkpoint(tmp_path / "a", {"w": torch.zeros(2)})
    with pytest.raises(ConfigError, match="fuse: weights must be"):
        fuse([(a, w) for w in weights], tmp_path / "out")
    with pytest.raises(ConfigError, match="fuse: weights must be"):
        fuse([], tmp_path / "out")


def test_an_older_result_is_replaced_whole(tmp_path: Path) -> None:
    a = checkpoint(tmp_path / "a", {"w": torch.tensor([1.0])})
    b = checkpoint(tmp_path / "b", {"w": torch.tensor([3.0])})
    out = fuse([(a, 1.0)], tmp_path / "out")
    (out / "stale.txt").write_text("old")
    (tmp_path / ".out.partial").mkdir()  # what a killed merge leaves
    shutil.copy(a / "model.safetensors", tmp_path / ".out.partial" / "torn.safetensors")
    fuse([(b, 1.0)], out)
    assert merged(out)["w"].tolist() == [3.0]
    assert sorted(f.name for f in out.iterdir()) == ["config.json", "fused.json", "model.safetensors"]
    assert not (tmp_path / ".out.partial").exists()
