"""`rl.tokens`: a phase ends after the step that reaches its budget, also where a killed run is continued."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from etalon.engines.jobs import RlJob, engine_of  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.recipe import Recipe, RlSpec  # noqa: E402
from etalon.rl.credit import CreditSpec  # noqa: E402
from etalon.store import read_jsonl  # noqa: E402
from etalon.types import Domain, Problem, Rule  # noqa: E402
from tiny_models import ending, tiny_language_model  # noqa: E402

STEPS, PROMPTS = 6, 3
ENGINE = engine_of(Recipe(device="cpu"))


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loader.save(ending(tiny_language_model("qwen2")), tmp_path_factory.mktemp("source") / "model")


def job(source: Path, directory: Path, **keys: Any) -> RlJob:
    """Right is what holds the letter once: a random model is now and then."""
    problems = [
        Problem(
            id=f"p{i}", domain=Domain.INSTRUCT, prompt=f"{i}=?",
            rules=(Rule(id="keywords:letter_frequency",
                        kwargs={"letter": letter, "let_frequency": 1, "let_relation": "at least"}),),
        )
        for i, letter in enumerate("abcd")
    ]  # fmt: skip
    values = {"group_size": 4, "prompts_per_step": PROMPTS, "max_tokens": 12, "steps": STEPS, "lr": 1e-3}
    spec = RlSpec.model_validate(values | {"save_every": 2} | keys)
    return RlJob(
        source=source, prompts=problems, spec=spec, credit=CreditSpec.of(spec), seed=7, directory=directory, workers=1
    )


def trained(one: RlJob, killed_at: int = 0) -> tuple[list[int], dict[str, Any]]:
    """The steps that this call took, and the weights it ends with; no weights when it is killed."""
    steps: list[int] = []

    def on_step(done: int, row: Any) -> None:
        steps.append(done)
        if done == killed_at:
            raise KilledError

    try:
        checkpoint = ENGINE.reinforce(one, on_step)
    except KilledError:
        return steps, {}
    return steps, load_file(checkpoint / "model.safetensors")


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(bool((one[name] == other[name]).all()) for name in one)


def test_the_step_that_reaches_the_budget_is_the_last_whether_it_is_killed_or_not(source: Path, tmp_path: Path) -> None:
    whole = job(source, tmp_path / "whole")
    trained(whole)
    groups = read_jsonl(whole.directory / "rollouts.jsonl")
    by_step = [sum(r["tokens"] for g in groups[i : i + PROMPTS] for r in g["rollouts"])
               for i in range(0, len(groups), PROMPTS)]  # fmt: skip
    spent = list(accumulate(by_step))
    assert len(spent) == STEPS
    steps, four = trained(job(source, tmp_path / "four", steps=4))
    assert steps == [1, 2, 3, 4]
    for number, (budget, killed_at) in enumerate([(spent[3], 0), (spent[2] + 1, 0), (spent[3], 3), (spent[3], 4)]):
        one = job(source, tmp_path / f"budget-{number}", tokens=budget)
        steps, weights = trained(one, killed_at)
        if killed_at:
            steps, weights = trained(one)
            assert steps == list(range(killed_at // 2 * 2 + 1, 5)), "from the state of an even step on"
        assert [row["step"] for row in read_jsonl(one.directory / "metrics.jsonl")] == [1, 2, 3, 4]
        assert len(read_jsonl(one.directory / "rollouts.jsonl")) == 4 * PROMPTS
        assert same(weights, four)
    steps, _ = trained(job(source, tmp_path / "rich", tokens=spent[-1] + 1))
    assert steps == list(range(1, STEPS + 1)), "steps stay the cap"
