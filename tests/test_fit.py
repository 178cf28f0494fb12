"""A model that cannot be trained here is refused before anything is."""

import json
import struct

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from etalon.engines import fit  # noqa: E402
from etalon.engines.jobs import engine_of  # noqa: E402
from etalon.errors import ConfigError  # noqa: E402
from etalon.recipe import ModelSpec, Recipe, StageSpec  # noqa: E402


def weights(path, *shape):
    """A safetensors file that holds one float32 tensor of this shape, without the bytes."""
    size = 4
    for length in shape:
        size *= length
    header = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        stream.truncate(8 + len(header) + size)


def test_parameters_are_counted_over_all_files(tmp_path):
    weights(tmp_path / "model-00001-of-00002.safetensors", 3, 5)
    weights(tmp_path / "model-00002-of-00002.safetensors", 7)
    assert fit.count_parameters(tmp_path) == 22


def test_a_model_that_does_not_fit_is_one_line(tmp_path):
    weights(tmp_path / "model.safetensors", 1 << 20, 1 << 20)
    recipe = Recipe(device="cpu", model=ModelSpec(base=str(tmp_path)))
    with pytest.raises(
        ConfigError, match=r"model.base: 1099.5B parameters take 16384 GiB to train, the device has \d+; "
    ):
        engine_of(recipe).check()
    engine_of(Recipe()).check()


def listing(*rows, **values):
    stages = tuple(StageSpec.model_validate(row) for row in rows)
    return Recipe.model_validate({"device": "cpu", "stages": stages} | values)


def test_every_base_that_a_stage_trains_must_fit(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    weights(tmp_path / "small" / "model.safetensors", 8, 8)
    weights(tmp_path / "large" / "model.safetensors", 1 << 20, 1 << 20)
    small = {"name": "base", "kind": "base", "model": str(tmp_path / "small")}
    large = {"name": "other", "kind": "base", "model": str(tmp_path / "large")}
    phase = {"name": "rl", "kind": "rl", "from": "base"}
    engine_of(listing(small, phase)).check()
    engine_of(listing(small, large, phase)).check()  # the other one is evaluated alone
    engine_of(listing(small, large, phase, {"name": "rl-other", "kind": "rl", "from": "other", "steps": 0})).check()
    for kind in ("sft", "rl", "distill"):
        behind = {"name": "behind", "kind": kind, "from": "other"}
        merged = {"name": "merged", "kind": "fuse", "from": "behind"}
        with pytest.raises(ConfigError, match=r"^other\.model: 1099.5B parameters take 16384 GiB to train"):
            engine_of(listing(small, large, phase, behind, merged)).check()
    in_table = listing({"name": "base", "kind": "base"}, phase, base={"model": str(tmp_path / "large")})
    with pytest.raises(ConfigError, match=r"^base\.model: 1099.5B parameters"):
        engine_of(in_table).check()


def test_processes_share_the_memory_of_the_machine(tmp_path, monkeypatch):
    weights(tmp_path / "model.safetensors", 1000)
    recipe = Recipe(device="cpu", model=ModelSpec(base=str(tmp_path)))
    assert fit.trained_bases(recipe) == {"model.base": str(tmp_path)}
    monkeypatch.setattr(fit, "device_bytes", lambda device: (20_000, True))
    fit.check_fits(recipe, remedy="no")
    with pytest.raises(ConfigError):
        fit.check_fits(recipe, processes=2, remedy="use fewer")
    monkeypatch.setattr(fit, "device_bytes", lambda device: (20_000, False))  # GPUs have memory of their own
    fit.check_fits(recipe, processes=2, remedy="no")
