"""The local engine on CUDA: the numbers of a CPU, bfloat16 within rounding, a whole run. Needs a GPU: -m gpu."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.gpu]
torch = pytest.importorskip("torch")

import shrunk  # noqa: E402
from etalon.engines.local.reinforcement import policy_loss  # noqa: E402
from etalon.engines.local.trainer import Batch, Trainer, cross_entropy  # noqa: E402
from etalon.model import loader, packed  # noqa: E402
from etalon.model.loader import LanguageModel  # noqa: E402
from etalon.model.packed import TokenRow, pack, token_logprobs  # noqa: E402
from etalon.recipe import OptimSpec  # noqa: E402
from etalon.rl.credit import CreditSpec  # noqa: E402
from etalon.sampling import local as sampling  # noqa: E402
from etalon.sampling.local import LocalSampler  # noqa: E402
from etalon.types import Credit, Rollout, SamplingParams, ask  # noqa: E402
from tiny_models import FAMILIES, random_rows, tiny_language_model  # noqa: E402

SIZES = [(5, 9), (1, 1), (12, 3), (2, 20), (7, 7), (40, 50)]
PARAMS = SamplingParams(max_tokens=60)


@pytest.fixture(autouse=True)
def whole_float32() -> None:
    """Every test starts with float32 products as they are; bfloat16 models then set TF32 for their own."""
    torch.backends.cuda.matmul.fp32_precision = "ieee"


def on_gpu(family: str, autocast: str = "off", **overrides: Any) -> LanguageModel:
    """The tiny model with heads of 16, which the variable-length kernel takes, on the device."""
    language_model = tiny_language_model(family, num_attention_heads=4, hidden_size=64, **overrides)
    model = language_model.model.to(loader.prepare_device("cuda", autocast))
    return dataclasses.replace(language_model, model=model, autocast=autocast)


def rollouts_of(language_model: LanguageModel, *, n: int = 16) -> list[Rollout]:
    conversations = [ask("1+1=?"), ask("((3+4)*2-5)*6=?"), ask("7")]
    groups = dict(LocalSampler(language_model).sample(conversations, n=n, params=PARAMS, seed=3))
    return [rollout for index in sorted(groups) for rollout in groups[index]]


def row_of(rollout: Rollout) -> TokenRow:
    return TokenRow(prompt=rollout.prompt_tokens or (), response=rollout.tokens or ())


def sampled_of(rollouts: list[Rollout]) -> Any:
    return torch.tensor([x for rollout in rollouts for x in rollout.logprobs or ()], device="cuda")


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_float32_logprobs_are_those_of_the_cpu(family: str) -> None:
    language_model = on_gpu(family)
    rollouts = rollouts_of(language_model)
    rows = [row_of(rollout) for rollout in rollouts]
    trained = token_logprobs(language_model.model, pack(rows, "cuda"))
    torch.testing.assert_close(sampled_of(rollouts), trained, atol=1e-3, rtol=0)
    on_cpu = token_logprobs(language_model.model.cpu(), pack(rows))
    torch.testing.assert_close(trained.cpu(), on_cpu, atol=1e-3, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_logprobs_of_sampler_and_trainer_agree_within_rounding(family: str) -> None:
    language_model = on_gpu(family, "bf16")
    rollouts = rollouts_of(language_model)
    batch = pack([row_of(rollout) for rollout in rollouts], "cuda")
    exact = token_logprobs(language_model.model, batch)
    with torch.autocast("cuda", torch.bfloat16):
        rounded = token_logprobs(language_model.model, batch)
    gap = (sampled_of(rollouts) - rounded).abs()
    assert 0 < gap.mean() < 0.05  # nats; random weights exaggerate it
    assert gap.mean() < 1.5 * (exact - rounded).abs().mean()
    assert float((rounded - sampled_of(rollouts)).exp().mean()) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_variable_length_kernel_gives_the_padded_logprobs_and_gradients(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    language_model = on_gpu(family, "bf16")
    model = language_model.model
    batch = pack(random_rows(SIZES), "cuda")
    kernel = packed._varlen
    calls = []

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return kernel(*arguments)

    monkeypatch.setattr(packed, "_varlen", counted)
    results = []
    for dtype_of in (packed._kernel_dtype, lambda query: None):
        monkeypatch.setattr(packed, "_kernel_dtype", dtype_of)
        model.zero_grad()
        with torch.autocast("cuda", torch.bfloat16):
            logprobs = token_logprobs(model, batch)
        (logprobs * torch.linspace(-1, 1, len(logprobs), device="cuda")).sum().backward()
        results.append((logprobs.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])))
    assert len(calls) == model.config.num_hidden_layers  # of the first pass only
    (one, one_gradient), (other, other_gradient) = results
    assert (one - other).abs().mean() < 0.05
    assert torch.cosine_similarity(one_gradient, other_gradient, dim=0) > 0.99


@torch.no_grad()
def test_sequences_in_the_kernel_do_not_see_each_other() -> None:
    language_model = on_gpu("qwen3", "bf16")
    rows = random_rows(SIZES)
    others = random_rows(SIZES, seed=1)
    with torch.autocast("cuda", torch.bfloat16):
        before = token_logprobs(language_model.model, pack(rows, "cuda"))
        batch = pack([*rows[:2], others[2], *rows[3:]], "cuda")
        after = token_logprobs(language_model.model, batch)
    same = batch.sequence_N != 2
    torch.testing.assert_close(after[same], before[same], atol=0.05, rtol=0)
    assert (after[~same] - before[~same]).abs().max() > 0.1


@pytest.mark.parametrize("autocast", ["off", "bf16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_one_sft_and_one_rl_step_learn(family: str, autocast: str) -> None:
    language_model = on_gpu(family, autocast)
    spec = OptimSpec(lr=1e-3, final_lr=1e-3, warmup=0.0)
    trainer = Trainer(language_model, spec, total_steps=2, micro_tokens=100, autocast=autocast)
    rows = random_rows(SIZES)
    batch = Batch(rows=rows, objective=cross_entropy(rows))
    assert trainer.step(0, batch)["loss"] > trainer.backward(batch)
    language_model.model.zero_grad()
    rollouts = rollouts_of(language_model)
    rows = [row_of(rollout) for rollout in rollouts]
    credits = [Credit(advantage=1.0 if i % 2 else -1.0, weight=1.0, reward=0.0) for i in range(len(rows))]
    objective = policy_loss(credits, rows, spec=CreditSpec(), sampled=[r.logprobs or () for r in rollouts])
    batch = Batch(rows=rows, objective=objective)
    loss = trainer.step(1, batch)["loss"]
    assert abs(loss) < 0.02
    assert trainer.backward(batch) < loss
    assert all(p.dtype == torch.float32 for p in language_model.model.parameters())


def test_a_saved_state_continues_on_the_device(tmp_path: Path) -> None:
    rows = random_rows(SIZES)
    batch = Batch(rows=rows, objective=cross_entropy(rows))
    spec = OptimSpec(name="muon", lr=1e-3, final_lr=1e-3)
    whole, killed, resumed = (
        Trainer(on_gpu("qwen2", "bf16"), spec, total_steps=4, micro_tokens=100, autocast="bf16") for _ in range(3)
    )
    expected = [whole.step(step, batch)["loss"] for step in range(4)]
    for step in range(2):
        killed.step(step, batch)
    killed.save_state(tmp_path, 2)
    assert resumed.load_state(tmp_path) == 2
    assert [resumed.step(step, batch)["loss"] for step in (2, 3)] == pytest.approx(expected[2:], abs=1e-2)


def test_looking_seldom_at_which_rows_live_changes_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    language_model = on_gpu("qwen2")
    seldom = rollouts_of(language_model)
    monkeypatch.setattr(sampling, "CUDA_LOOK", 1)
    often = rollouts_of(language_model)
    # kernels of another batch size round otherwise, which may turn a draw
    assert sum(a.tokens == b.tokens for a, b in zip(seldom, often, strict=True)) >= 0.9 * len(often)


def test_the_rows_of_a_batch_fit_into_memory() -> None:
    sampler = LocalSampler(on_gpu("qwen2", "bf16"))
    short, long = (sampler._rows(SamplingParams(max_tokens=n), 32) for n in (4, 10**9))
    assert 1 <= long <= short <= sampling.CUDA_ROWS
    cache = long * sampler.decoder.bytes_per_row(32, sampler.language_model.window)
    assert cache <= torch.cuda.get_device_properties(0).total_memory


def test_the_whole_recipe_runs_in_bfloat16(tmp_path: Path) -> None:
    recipe = shrunk.write_recipe(tmp_path)
    visible = {k: v for k, v in shrunk.ENVIRONMENT.items() if k != "CUDA_VISIBLE_DEVICES"}
    visible |= {k: v for k, v in os.environ.items() if k == "CUDA_VISIBLE_DEVICES"}
    command = shrunk.command(
        "run", recipe, "--run", tmp_path / "run", "--set", "device=cuda", "--set", "autocast=bf16"
    )  # fmt: skip
    printed = subprocess.run(command, capture_output=True, text=True, env=visible, timeout=600, check=False)
    assert printed.returncode == 0, printed.stderr
    assert shrunk.summary(tmp_path / "run")["stages"]
