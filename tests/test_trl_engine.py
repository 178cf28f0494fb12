"""`engine = "trl"`: the runs of the local engine on one and on two processes, killed or not, with LoRA; what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.trl]
torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from etalon import models  # noqa: E402
from etalon.engines.jobs import RlJob, SupervisedJob, engine_of  # noqa: E402
from etalon.engines.trl import wire  # noqa: E402
from etalon.errors import ConfigError, InputError  # noqa: E402
from etalon.models import LanguageModel  # noqa: E402
from etalon.packed import pack, token_logprobs  # noqa: E402
from etalon.recipe import OptimSpec, Recipe, RlSpec  # noqa: E402
from etalon.rl.credit import CreditSpec  # noqa: E402
from etalon.sft.rows import checkpoint_steps, order_of  # noqa: E402
from etalon.store import read_json, read_jsonl  # noqa: E402
from etalon.types import Domain, Problem, Rule  # noqa: E402
from shrunk import ENVIRONMENT, children  # noqa: E402
from tiny_models import random_rows, tiny_language_model  # noqa: E402

SIZES = [(3, 7), (5, 2), (4, 1), (2, 12), (6, 5), (1, 9), (4, 4), (3, 3), (2, 6)]
SPEC = {"group_size": 4, "prompts_per_step": 3, "max_tokens": 24, "micro_tokens": 60, "save_every": 2}


def recipe(engine: str, **trl: Any) -> Recipe:
    return Recipe.model_validate({"engine": engine, "device": "cpu", "trl": trl, "rl": SPEC})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint that every run starts from."""
    path = tmp_path_factory.mktemp("source") / "model"
    return models.save(tiny_language_model("qwen2"), path)


def supervised_job(source: Path, directory: Path) -> SupervisedJob:
    rows = random_rows(SIZES)
    return SupervisedJob(
        source=source, rows=rows, steps=order_of(len(rows), epochs=2, batch=4, max_steps=0, seed=3),
        optim=OptimSpec(name="muon", lr=3e-3, final_lr=3e-4, warmup=0.3, muon_lr=0.01), micro_tokens=24,
        num_checkpoints=3, directory=directory,
    )  # fmt: skip


def rl_job(source: Path, directory: Path, *, steps: int = 5, **values: Any) -> RlJob:
    """Prompts whose answer is right when it holds the letter: a random model is right now and then."""
    problems = [
        Problem(
            id=f"p{i}", domain=Domain.INSTRUCT, prompt=f"{i}+{i}=?",
            rules=(Rule(id="keywords:letter_frequency", kwargs={"letter": letter, "let_frequency": 1, "let_relation": "at least"}),),
        )
        for i, letter in enumerate("abcde")
    ]  # fmt: skip
    spec = RlSpec.model_validate(SPEC)
    return RlJob(
        source=source, prompts=problems, spec=spec, credit=CreditSpec.of(spec, brevity=0.2), steps=steps, lr=1e-3,
        seed=7, directory=directory, workers=1, **values,
    )  # fmt: skip


def rows_seen() -> tuple[list[dict[str, Any]], Any]:
    rows: list[dict[str, Any]] = []
    return rows, lambda done, row: rows.append(row)


def behaviour(path: Path) -> Any:
    """Log-probs of fixed rows: weights that no output depends on (biases of keys) may differ."""
    language_model: LanguageModel = models.load(path, device="cpu")
    with torch.no_grad():
        return token_logprobs(language_model.model, pack(random_rows(SIZES, seed=9)))


def numbers(rows: Sequence[dict[str, Any]], *names: str) -> list[float]:
    return [float(row[name]) for row in rows for name in names]


@pytest.fixture(scope="module")
def locally(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Both jobs as the local engine does them."""
    folder = tmp_path_factory.mktemp("local")
    engine = engine_of(recipe("local"))
    sft, on_sft = rows_seen()
    rl, on_rl = rows_seen()
    checkpoints = engine.supervise(supervised_job(source, folder / "sft"), on_sft)
    checkpoint = engine.reinforce(rl_job(source, folder / "rl"), on_rl)
    assert any(row["grad_norm"] > 0.01 for row in rl), "the prompts carry a signal"
    return {"sft": sft, "rl": rl, "checkpoints": checkpoints, "checkpoint": checkpoint, "folder": folder}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_supervised_run_takes_the_same_steps_as_the_local_one(
    processes: int, source: Path, locally: dict[str, Any], tmp_path: Path
) -> None:
    rows, on_step = rows_seen()
    job = supervised_job(source, tmp_path / "sft")
    checkpoints = engine_of(recipe("trl", processes=processes)).supervise(job, on_step)
    assert [c.name for c in checkpoints] == [f"step-{m:06d}" for m in checkpoint_steps(len(job.steps), 3)]
    for name, tolerance in {"loss": 1e-5, "grad_norm": 1e-4, "lr": 1e-9, "tokens": 0}.items():
        assert numbers(rows, name) == pytest.approx(numbers(locally["sft"], name), rel=tolerance), name
    assert [set(row) for row in rows] == [set(row) for row in locally["sft"]]
    for found, expected in zip(checkpoints, locally["checkpoints"], strict=True):
        torch.testing.assert_close(behaviour(found), behaviour(expected), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_rl_phase_takes_the_same_steps_as_the_local_one(
    processes: int, source: Path, locally: dict[str, Any], tmp_path: Path
) -> None:
    rows, on_step = rows_seen()
    job = rl_job(source, tmp_path / "rl")
    checkpoint = engine_of(recipe("trl", processes=processes)).reinforce(job, on_step)
    assert read_jsonl(job.directory / "rollouts.jsonl") == read_jsonl(locally["folder"] / "rl" / "rollouts.jsonl")
    assert numbers(rows, "accuracy", "mean_tokens", "mean_weight") == numbers(
        locally["rl"], "accuracy", "mean_tokens", "mean_weight"
    )
    assert numbers(rows, "grad_norm") == pytest.approx(numbers(locally["rl"], "grad_norm"), rel=1e-3)
    assert [set(row) for row in rows] == [set(row) for row in locally["rl"]]
    torch.testing.assert_close(behaviour(checkpoint), behaviour(locally["checkpoint"]), atol=2e-3, rtol=1e-3)
