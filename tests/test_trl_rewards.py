"""The trl engine asks with a system message, and judges by a stage's own reward or a judge, as `local` does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.trl,
    pytest.mark.filterwarnings("ignore:`(is_)?gradient_checkpointing` is deprecated:FutureWarning"),
]
pytest.importorskip("torch")
pytest.importorskip("trl")

from etalon.config.plugins import search_in  # noqa: E402
from etalon.engines.jobs import RlJob, engine_of  # noqa: E402
from etalon.errors import RunError  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.store import read_jsonl  # noqa: E402
from etalon.types import Criterion, Domain, Problem, ask  # noqa: E402
from test_trl_engine import numbers, recipe, rl_job, rows_seen  # noqa: E402
from tiny_models import ending, tiny_language_model  # noqa: E402
from upstream import Asked, Reply, Upstream  # noqa: E402

Rows = list[dict[str, Any]]
REWARD = '''
def share(problem, response):
    """A share for every e of the first four."""
    return min(4, response.count("e")) / 4


def broken(problem, response):
    return 1 / 0
'''
SYSTEM = "7+5=12"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loader.save(ending(tiny_language_model("qwen2")), tmp_path_factory.mktemp("source") / "model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the user's own code is."""
    path = tmp_path_factory.mktemp("own")
    (path / "rewards_of_mine.py").write_text(REWARD)
    return path


def reinforced(job: RlJob, engine: str, **trl: Any) -> tuple[Rows, Rows]:
    """(metrics, groups) of a phase."""
    rows, on_step = rows_seen()
    engine_of(recipe(engine, **trl)).reinforce(job, on_step)
    return rows, read_jsonl(job.directory / "rollouts.jsonl")


def assert_same_steps(found: tuple[Rows, Rows], expected: tuple[Rows, Rows]) -> None:
    assert found[1] == expected[1]
    assert numbers(found[0], "grad_norm") == pytest.approx(numbers(expected[0], "grad_norm"), rel=1e-3, abs=1e-6)
    assert [set(row) for row in found[0]] == [set(row) for row in expected[0]]
    assert any(row["grad_norm"] > 0.01 for row in expected[0]), "the prompts carry a signal"


# --- a reward of the user's -----------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2])
def test_a_reward_of_a_file_decides_as_it_does_locally(
    processes: int, source: Path, folder: Path, tmp_path: Path
) -> None:
    reward = f"{folder / 'rewards_of_mine.py'}:share"
    expected = reinforced(rl_job(source, tmp_path / "local", reward=reward), "local")
    found = reinforced(rl_job(source, tmp_path / "trl", reward=reward), "trl", processes=processes)
    assert_same_steps(found, expected)
    kept = [one for group in found[1] for one in group["rollouts"]]
    assert {one["score"] for one in kept} >= {0.0, 0.25}
    whole = [one for one in kept if one["stop"] == "eos"]
    assert all(one["score"] == min(4, one["text"].count("e")) / 4 for one in whole)
    assert all(one["score"] == 0 for one in kept if one not in whole)


def test_a_reward_of_a_module_beside_the_recipe_is_found_by_the_workers(
    source: Path, folder: Path, tmp_path: Path
) -> None:
    search_in(folder)
    rows, groups = reinforced(rl_job(source, tmp_path / "trl", reward="rewards_of_mine:share", steps=1), "trl")
    assert len(rows) == 1
    assert {one["reason"] for group in groups for one in group["rollouts"] if one["stop"] == "eos"} == {"reward"}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_reward_that_raises_ends_the_run_with_its_reason(
    processes: int, source: Path, folder: Path, tmp_path: Path
) -> None:
    job = rl_job(source, tmp_path / "rl", reward=f"{folder / 'rewards_of_mine.py'}:broken")
    message = r"^rl-letters\.reward: 36 of 36 responses have no verdict, .*: reward_raised: ZeroDivisionError: [^\n]*$"
    with pytest.raises(RunError, match=message):
        engine_of(recipe("trl", processes=processes)).reinforce(job, lambda done, row: None)


# --- a judge behind HTTP --------------------------------------------------------------------------------------


def with_rubrics(job: RlJob) -> RlJob:
    """The job over prompts that no rule decides."""
    prompts = [
        Problem(
            id=f"open{letter}", domain=Domain.INSTRUCT, prompt=f"{i}+{i}=?",
            rubric=(Criterion(text=f"has {letter}", weight=2.0), Criterion(text="has z", weight=1.0)),
        )
        for i, letter in enumerate("abcde")
    ]  # fmt: skip
    return replace(job, prompts=prompts)


def has_letter(asked: Asked) -> Reply:
    """Yes where the response that is shown holds the letter that the criterion ends in."""
    shown = {name: re.search(rf"<{name}-(\w+)>\n(.*)\n</{name}-\1>", asked.text, re.S) for name in TAGS}
    response, criterion = (found[2] if found else "" for found in shown.values())
    return Reply(content="Yes" if criterion[-1] in response else "No")


TAGS = ("response", "criterion")


@pytest.mark.parametrize("processes", [1, 2])
def test_a_judge_behind_http_decides_rubrics_as_it_does_locally(processes: int, source: Path, tmp_path: Path) -> None:
    with Upstream(has_letter) as upstream:
        judge = f"toy@{upstream.url}"
        expected = reinforced(with_rubrics(rl_job(source, tmp_path / "local", judge=judge)), "local")
        locally = len(upstream.requests)
        job = with_rubrics(rl_job(source, tmp_path / "trl", judge=judge))
        found = reinforced(job, "trl", processes=processes)
        calls = len(upstream.requests) - locally
    assert_same_steps(found, expected)
    scores = {round(one["score"], 3) for group in found[1] for one in group["rollouts"]}
    assert scores >= {0.0, 0.667}
    told, same = found[0][-1]["judge"], expected[0][-1]["judge"]
    assert (told["calls"], same["calls"]) == (calls, locally), "what all processes asked"
    assert told["undecided"] == 0
    assert told["questions"] >= same["questions"] > 0, "processes do not share what they remember"
    assert told["tokens"] == calls
    assert [row["judge"]["calls"] for row in found[0]] == sorted(row["judge"]["calls"] for row in found[0])


def test_a_judge_that_is_never_there_ends_the_run(source: Path, tmp_path: Path) -> None:
    refused = Reply(status=401, body=b'{"error": {"message": "who are you?"}}')
    with Upstream(lambda asked: refused) as upstream:
        job = with_rubrics(rl_job(source, tmp_path / "rl", judge=f"toy@{upstream.url}"))
        with pytest.raises(RunError, match=r"^rl-letters\.judge: \d+ of 36 responses have no verdict, more than 50%"):
            engine_of(recipe("trl")).reinforce(job, lambda done, row: None)


# --- a system message -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("trl", [{}, {"lora_rank": 4}], ids=["whole", "adapter"])
def test_a_system_message_is_before_every_prompt(trl: dict[str, Any], source: Path, tmp_path: Path) -> None:
    language_model = tiny_language_model("qwen2")
    job = rl_job(source, tmp_path / "trl", system=SYSTEM, steps=2)
    rows, groups = reinforced(job, "trl", **trl)
    lengths = {p.id: len(language_model.render(ask(p.prompt, system=SYSTEM))) for p in job.prompts}
    for row in rows:
        own = [group for group in groups if group["step"] == row["step"]]
        assert row["tokens"] == sum(lengths[g["problem_id"]] + r["tokens"] for g in own for r in g["rollouts"])
    if not trl:
        local = rl_job(source, tmp_path / "local", system=SYSTEM, steps=2)
        assert_same_steps((rows, groups), reinforced(local, "local"))
        silent = rl_job(source, tmp_path / "silent", steps=2)
        assert reinforced(silent, "local")[1] != groups
