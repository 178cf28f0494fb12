"""The training loop: exact accumulation, optimisers, schedule, resuming, checkpoints."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from etalon.cost.work import fine_tuning  # noqa: E402
from etalon.engines.jobs import SupervisedJob  # noqa: E402
from etalon.engines.local import optim, trainer  # noqa: E402
from etalon.engines.local.reinforcement import policy_loss  # noqa: E402
from etalon.engines.local.supervised import supervise  # noqa: E402
from etalon.engines.local.trainer import Batch, Objective, Trainer, cross_entropy  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.model.activations import bytes_per_token, is_recomputed  # noqa: E402
from etalon.model.crew import Crew  # noqa: E402
from etalon.model.loader import LanguageModel  # noqa: E402
from etalon.model.packed import TokenRow  # noqa: E402
from etalon.recipe import OptimSpec, Recompute  # noqa: E402
from etalon.rl.credit import CreditSpec  # noqa: E402
from etalon.sft.rows import order_of  # noqa: E402
from etalon.types import Credit, ask  # noqa: E402
from tiny_models import eager_twin, plain_logprobs, random_rows, tiny_language_model  # noqa: E402

SIZES = [(3, 7), (5, 2), (4, 1), (2, 12), (6, 5), (1, 1)]
ADAMW = OptimSpec(lr=1e-2, final_lr=1e-3, warmup=0.25)
MUON = OptimSpec(name="muon", lr=1e-2, final_lr=1e-3, warmup=0.25, muon_lr=0.02)


def new_trainer(
    spec: OptimSpec = ADAMW, *, steps: int = 8, micro_tokens: int = 1000, autocast: str = "off",
    recompute: Recompute = "off",
) -> Trainer:  # fmt: skip
    return Trainer(
        tiny_language_model("qwen2"), spec, total_steps=steps, micro_tokens=micro_tokens, autocast=autocast,
        recompute=recompute,
    )  # fmt: skip


def weights(language_model: LanguageModel) -> dict[str, Any]:
    return {name: p.detach().clone() for name, p in language_model.model.named_parameters()}


# --- accumulation ---------------------------------------------------------------------------------------------


def accumulated(rows: Sequence[TokenRow], objective: Objective, micro_tokens: int) -> tuple[float, dict[str, Any]]:
    one = new_trainer(micro_tokens=micro_tokens)
    loss = one.backward(Batch(rows=rows, objective=objective))
    return loss, {name: p.grad for name, p in one.language_model.model.named_parameters()}


@pytest.mark.parametrize("micro_tokens", [1, 12, 20])
@pytest.mark.parametrize("kind", ["cross-entropy", "policy"])
def test_micro_batches_add_up_to_the_big_batch(kind: str, micro_tokens: int) -> None:
    rows = random_rows(SIZES)
    credits = [Credit(advantage=a, weight=1.0, reward=0.0) for a in (1.5, -0.5, 0.25, -1.0, 0.5, -0.75)]
    objective = cross_entropy(rows) if kind == "cross-entropy" else policy_loss(credits, rows, spec=CreditSpec())
    loss, gradients = accumulated(rows, objective, 1000)
    split_loss, split = accumulated(rows, objective, micro_tokens)
    assert split_loss == pytest.approx(loss, rel=1e-6, abs=1e-6)
    for name, gradient in gradients.items():
        scale = max(1.0, float(gradient.abs().max()))
        torch.testing.assert_close(split[name] / scale, gradient / scale, atol=1e-6, rtol=0)


def test_activations_that_are_computed_again_give_the_same_gradient_in_every_bit_and_hold_less() -> None:
    rows = random_rows(SIZES)
    kept, again = (new_trainer(recompute=mode) for mode in ("off", "on"))
    losses = [one.backward(Batch(rows=rows, objective=cross_entropy(rows))) for one in (kept, again)]
    assert losses[0] == losses[1]
    models = [one.language_model.model for one in (kept, again)]
    for name, parameter in models[0].named_parameters():
        assert torch.equal(dict(models[1].named_parameters())[name].grad, parameter.grad), name
    held = [bytes_per_token(model, rows[3]) for model in models]
    assert held[1] < held[0] / 3


@pytest.mark.parametrize(("spare", "mode"), [(1 << 40, "off"), (1 << 18, "on")])
def test_auto_keeps_activations_where_the_free_memory_allows(
    spare: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "free_bytes", lambda device: spare)
    one = new_trainer(recompute="auto")
    rows = random_rows(SIZES)
    one.backward(Batch(rows=rows, objective=cross_entropy(rows)))
    assert one.recomputes == is_recomputed(one.language_model.model) == (mode == "on")


def test_auto_looks_again_when_a_larger_batch_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = new_trainer(recompute="auto")
    rows = random_rows(SIZES)
    per_token = bytes_per_token(one.language_model.model, rows[3])
    parameters = sum(p.numel() for p in one.language_model.model.parameters())
    spare = trainer.UPDATE_BYTES * parameters + 40 * per_token / trainer.SHARE
    monkeypatch.setattr(trainer, "free_bytes", lambda device: spare)
    for chosen, recomputes in ((rows[:2], False), (rows[1:3], False), (rows, True), (rows[:1], True)):
        one.backward(Batch(rows=chosen, objective=cross_entropy(chosen)))
        assert one.recomputes == recomputes, len(chosen)


def test_what_is_kept_once_is_not_counted_for_every_token() -> None:
    """Autocast keeps a copy of every weight it casts, whatever the length."""
    model = tiny_language_model("qwen2", hidden_size=128, intermediate_size=384).model
    rows = random_rows([(8, 8), (40, 40)])
    plain = bytes_per_token(model, rows[1])
    with torch.autocast("cpu", torch.bfloat16):
        cast = [bytes_per_token(model, row) for row in rows]
    assert max(cast) < plain
    assert cast[0] == pytest.approx(cast[1], rel=0.2)


def test_measuring_activations_holds_nothing_afterwards() -> None:
    model = tiny_language_model("qwen2").model
    [row] = random_rows([(5, 9)])
    bytes_per_token(model, row)
    before = alive()
    for _ in range(3):
        bytes_per_token(model, row)
    assert alive() == before


def alive() -> int:
    """Tensors that somebody holds."""
    gc.collect()
    return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())


def test_cross_entropy_is_the_mean_over_all_tokens_of_the_batch_not_over_rows() -> None:
    rows = random_rows(SIZES)
    loss, _ = accumulated(rows, cross_entropy(rows), 12)
    with torch.no_grad():
        twin = eager_twin(new_trainer().language_model.model)
        logprobs = [float(x) for row in rows for x in plain_logprobs(twin, row)]
    assert loss == pytest.approx(-sum(logprobs) / len(logprobs), abs=1e-5)


def test_bf16_autocast_trains_float32_weights() -> None:
    rows = random_rows(SIZES)
    full, half = new_trainer(), new_trainer(autocast="bf16")
    exact = full.step(3, Batch(rows=rows, objective=cross_entropy(rows)))
    rounded = half.step(3, Batch(rows=rows, objective=cross_entropy(rows)))
    assert rounded["loss"] == pytest.approx(exact["loss"], rel=0.02)
    assert rounded["loss"] != exact["loss"]
    after = weights(half.language_model)
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in after.values())


# --- optimisers -----------------------------------------------------------------------------------------------


def slow_muon(start: Any, gradients: Sequence[Any], *, lr: float) -> Any:
    """The published algorithm for one matrix in float64, singular values moved by the quintic one by one."""
    weight, momentum = start.double(), torch.zeros_like(start, dtype=torch.float64)
    for gradient in gradients:
        momentum = 0.95 * momentum + 0.05 * gradient.double()
        nesterov = 0.05 * gradient.double() + 0.95 * momentum
        left, values, right = torch.linalg.svd(nesterov, full_matrices=False)
        values = values / math.sqrt(float((values**2).sum()))
        for _ in range(5):
            values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
        update = left @ torch.diag(values) @ right
        weight = weight - lr * math.sqrt(max(1.0, weight.shape[0] / weight.shape[1])) * update
    return weight


SHAPES = [(6, 10), (10, 6), (8, 8), (6, 10)]


def muon_case() -> tuple[list[Any], list[list[Any]]]:
    generator = torch.Generator().manual_seed(0)
    starts = [torch.randn(shape, generator=generator) for shape in SHAPES]
    gradients = [[torch.randn(shape, generator=generator) for shape in SHAPES] for _ in range(5)]
    return starts, gradients


def run_optimiser(optimiser: Any, parameters: Sequence[Any], gradients: Sequence[Sequence[Any]]) -> list[Any]:
    for of_step in gradients:
        for parameter, gradient in zip(parameters, of_step, strict=True):
            parameter.grad = gradient.clone()
        optimiser.step()
    return [p.detach() for p in parameters]


def test_muon_equals_the_published_algorithm_on_singular_values() -> None:
    starts, gradients = muon_case()
    parameters = [torch.nn.Parameter(s.clone()) for s in starts]
    found = run_optimiser(optim.Muon(parameters, lr=0.02), parameters, gradients)
    for i, weight in enumerate(found):
        expected = slow_muon(starts[i], [of_step[i] for of_step in gradients], lr=0.02)
        torch.testing.assert_close(weight.double(), expected, atol=2e-5, rtol=0)


def test_muon_equals_that_of_torch_up_to_its_bfloat16() -> None:
    starts, gradients = muon_case()
    ours = [torch.nn.Parameter(s.clone()) for s in starts]
    theirs = [torch.nn.Parameter(s.clone()) for s in starts]
    found = run_optimiser(optim.Muon(ours, lr=0.02), ours, gradients)
    reference = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.0, momentum=0.95)
    expected = run_optimiser(reference, theirs, gradients)
    for start, one, other in zip(starts, found, expected, strict=True):
        assert float((one - other).norm() / (other - start).norm()) < 0.02


@pytest.mark.parametrize("spec", [ADAMW, MUON])
@pytest.mark.parametrize("tied", [False, True])
def test_every_parameter_is_held_once_and_only_matrices_decay(spec: OptimSpec, tied: bool) -> None:
    spec = spec.model_copy(update={"weight_decay": 0.1})
    model = tiny_language_model("qwen2", tie_word_embeddings=tied).model
    groups = [group for optimiser in optim.build(model, spec) for group in optimiser.param_groups]
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    for group in groups:
        for parameter in group["params"]:
            assert group.get("weight_decay", 0.0) == 0.0 or parameter.ndim == 2


def test_muon_takes_the_hidden_matrices_and_neither_embedding_nor_head() -> None:
    model = tiny_language_model("qwen2").model
    _, muon = optim.build(model, MUON)
    names = {id(p): name for name, p in model.named_parameters()}
    taken = {names[id(p)] for p in muon.param_groups[0]["params"]}
    assert taken == {n for n in names.values() if ".layers." in n and n.endswith("proj.weight")}
    assert len(taken) == 14


# --- schedule and clipping ------------------------------------------------------------------------------------


def test_the_papers_schedule_by_hand() -> None:
    # 100 steps, 5% warmup: 1/5, 2/5, ... of 5e-5 over five steps; then cosine over the 94 that are left to 8e-8
    share = [optim.schedule(s, 100, warmup=0.05, floor=8e-8 / 5e-5) for s in range(100)]
    rates = [5e-5 * x for x in share]
    assert rates[:6] == pytest.approx([1e-5, 2e-5, 3e-5, 4e-5, 5e-5, 5e-5])
    assert rates[52] == pytest.approx((5e-5 + 8e-8) / 2)  # 47 of 94: cos(pi / 2) = 0
    assert rates[99] == pytest.approx(8e-8)
    assert rates[5:] == sorted(rates[5:], reverse=True)


@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_runs_have_a_schedule(total: int) -> None:
    for warmup in (0.0, 0.05, 1.0):
        shares = [optim.schedule(s, total, warmup=warmup, floor=0.1) for s in range(total)]
        assert all(0 < share <= 1 for share in shares)


def test_the_schedule_reaches_every_optimiser() -> None:
    one = new_trainer(MUON, steps=8)
    rows = random_rows(SIZES)
    batch = Batch(rows=rows, objective=cross_entropy(rows))
    logged = [one.step(s, batch)["lr"] for s in range(8)]
    assert logged[:3] == pytest.approx([5e-3, 1e-2, 1e-2])
    assert logged[7] == pytest.approx(1e-3)
    assert [g["lr"] for o in one.optimisers for g in o.param_groups] == pytest.approx([1e-3, 1e-3, 2e-3])


@pytest.mark.parametrize("clip", [0.1, 1e6])
def test_the_update_is_clipped_and_the_logged_norm_is_not(clip: float) -> None:
    rows = random_rows(SIZES)
    one = new_trainer(OptimSpec(clip=clip, warmup=0.0))
    parameters = list(one.language_model.model.parameters())
    plain = torch.optim.SGD(parameters, lr=1.0)  # so that the step is the clipped gradient itself
    plain.param_groups[0]["peak_lr"] = 1.0
    one.optimisers = [plain]
    before = weights(one.language_model)
    norm = one.step(0, Batch(rows=rows, objective=cross_entropy(rows)))["grad_norm"]
    moved = math.sqrt(sum(float(((p - before[n]) ** 2).sum()) for n, p in weights(one.language_model).items()))
    assert norm > 1
    assert moved == pytest.approx(min(norm, clip), rel=1e-3)


def test_a_batch_without_rows_takes_no_step_and_is_logged(tmp_path: Path) -> None:
    one = new_trainer(steps=3)
    rows = random_rows(SIZES)
    full = Batch(rows=rows, objective=cross_entropy(rows))
    empty = Batch(rows=[], objective=full.objective, metrics={"accuracy": 1.0})
    before = weights(one.language_model)
    trainer.run(one, lambda step: empty, directory=tmp_path, save_every=1, on_step=lambda done, row: None)
    assert all(torch.equal(p, before[n]) for n, p in weights(one.language_model).items())
    assert not one.optimisers[0].state
    logged = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(row["step"], row["loss"], row["tokens"], row["accuracy"]) for row in logged] == [
        (1, 0.0, 0, 1.0), (2, 0.0, 0, 1.0), (3, 0.0, 0, 1.0)
    ]  # fmt: skip


# --- resuming -------------------------------------------------------------------------------------------------


class KilledError(Exception):
    """Stands for SIGKILL: nothing in the code catches it."""


def train(directory: Path, spec: OptimSpec, *, killed_at: int | None = None, where: str = "make_batch") -> Trainer:
    """Eight steps, state saved every third; each step has rows of its own."""
    one = new_trainer(spec)

    def make_batch(step: int) -> Batch:
        if where == "make_batch" and step == killed_at:
            raise KilledError
        rows = random_rows([(3, 4), (2, 6)], seed=step)
        return Batch(rows=rows, objective=cross_entropy(rows))

    def after_step(done: int) -> None:
        if where == "after_step" and done == killed_at:
            raise KilledError

    trainer.run(
        one, make_batch, directory=directory, save_every=3, on_step=lambda done, row: None, after_step=after_step
    )
    return one


def logged(directory: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("seconds", "tokens_per_second")} for row in rows]


@pytest.mark.parametrize("spec", [ADAMW, MUON], ids=["adamw", "muon"])
@pytest.mark.parametrize("killed_at", [2, 3, 7])
def test_a_killed_run_ends_like_one_that_was_never_killed(tmp_path: Path, spec: OptimSpec, killed_at: int) -> None:
    whole = train(tmp_path / "whole", spec)
    with pytest.raises(KilledError):
        train(tmp_path / "torn", spec, killed_at=killed_at)
    with pytest.raises(KilledError):  # killed again, in the window between the log and the state
        train(tmp_path / "torn", spec, killed_at=8, where="after_step")
    resumed = train(tmp_path / "torn", spec)
    expected = weights(whole.language_model)
    assert all(torch.equal(p, expected[n]) for n, p in weights(resumed.language_model).items())
    assert logged(tmp_path / "torn") == logged(tmp_path / "whole")
    assert len(logged(tmp_path / "whole")) == 8


def test_steps_that_take_long_are_saved_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(tmp_path / "whole", MUON)
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(trainer, "SAVE_SHARE", 1e9)
    with pytest.raises(KilledError):
        train(tmp_path / "torn", MUON, killed_at=5)
    assert [path.name for path in (tmp_path / "torn" / "state").glob("step-*")] == ["step-000005"]
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 300.0)
    resumed = train(tmp_path / "torn", MUON)
    expected = weights(whole.language_model)
    assert all(torch.equal(p, expected[n]) for n, p in weights(resumed.language_model).items())
    assert logged(tmp_path / "torn") == logged(tmp_path / "whole")


def test_a_half_written_state_is_not_taken_for_whole(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", ADAMW)
    with pytest.raises(KilledError):
        train(tmp_path / "torn", ADAMW, killed_at=5)
    half = tmp_path / "torn" / "state" / "step-000006"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"torn")
    with (tmp_path / "torn" / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 6, "lo')
    resumed = train(tmp_path / "torn", ADAMW)
    expected = weights(whole.language_model)
    assert all(torch.equal(p, expected[n]) for n, p in weights(resumed.language_model).items())
    assert logged(tmp_path / "torn") == logged(tmp_path / "whole")


# --- checkpoints ----------------------------------------------------------------------------------------------


def supervised_job(
    rows: list[TokenRow], steps: list[list[int]], optim: OptimSpec, directory: Path, num_checkpoints: int = 1
) -> SupervisedJob:
    return SupervisedJob(
        source=Path("in memory"), rows=rows, steps=steps, optim=optim, micro_tokens=20, directory=directory,
        num_checkpoints=num_checkpoints,
    )  # fmt: skip


def test_checkpoints_are_ordinary_hugging_face_directories(tmp_path: Path) -> None:
    language_model = tiny_language_model("qwen2")
    rows = random_rows(SIZES)
    job = supervised_job(rows, [[0, 1], [2, 3], [4, 5], [0, 5]], ADAMW, tmp_path, num_checkpoints=2)
    checkpoints = supervise(Crew(language_model), job, autocast="off", on_step=lambda done, row: None)
    assert [c.name for c in checkpoints] == ["step-000002", "step-000004"]
    ids = torch.tensor([[9, 8, 7, 6]])
    with torch.no_grad():
        trained = language_model.model(ids).logits
        loaded = [AutoModelForCausalLM.from_pretrained(c)(ids).logits for c in checkpoints]
    torch.testing.assert_close(loaded[1], trained, atol=1e-5, rtol=0)
    assert not torch.allclose(loaded[0], trained, atol=1e-3)
    tokenizer = AutoTokenizer.from_pretrained(checkpoints[1])
    text = "<think>7+5=12</think>\\boxed{12}<end>"
    assert tokenizer.encode(text) == language_model.encode(text)
    again = loader.load(checkpoints[1], device="cpu")
    assert again.render(ask("7+5=?")) == language_model.render(ask("7+5=?"))
    assert again.end_token == language_model.end_token
    assert again.model.dtype is torch.float32


@pytest.mark.parametrize(("num_rows", "batch"), [(10, 128), (10, 4), (8, 4), (1, 1)])
def test_no_step_holds_a_row_twice_and_every_epoch_holds_each_once(num_rows: int, batch: int) -> None:
    steps = order_of(num_rows, epochs=5, batch=batch, max_steps=0, seed=0)
    assert all(len(set(step)) == len(step) <= batch for step in steps)
    per_epoch = -(-num_rows // batch)
    assert len(steps) == 5 * per_epoch
    for epoch in range(5):
        rows = [row for step in steps[epoch * per_epoch : (epoch + 1) * per_epoch] for row in step]
        assert sorted(rows) == list(range(num_rows))
    assert order_of(num_rows, epochs=5, batch=batch, max_steps=3, seed=0) == steps[:3]
    assert fine_tuning(num_rows, 5, 20.0, batch=batch).steps == len(steps)


def test_supervised_training_lowers_the_loss(tmp_path: Path) -> None:
    rows = random_rows(SIZES)
    losses: list[float] = []
    job = supervised_job(rows, [list(range(6))] * 12, MUON, tmp_path)
    supervise(
        Crew(tiny_language_model("llama")), job, autocast="off", on_step=lambda done, row: losses.append(row["loss"])
    )  # fmt: skip
    assert len(losses) == 12
    assert losses[-1] < 0.5 * losses[0]
