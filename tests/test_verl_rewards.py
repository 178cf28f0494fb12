"""The function that verl's reward workers call, for a stage with a reward or a judge of its own; without verl."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from etalon.engines.verl.export import problem_row
from etalon.engines.verl.settings import UNDECIDED, phase_json
from etalon.recipe import RlSpec
from etalon.types import Criterion, Domain, Problem
from shrunk import ENVIRONMENT
from upstream import Reply, Upstream

pytestmark = pytest.mark.live

SUM = Problem(id="sum", domain=Domain.MATH, prompt="2+2=?", answer="4")
OPTION = Problem(
    id="option", domain=Domain.STEM, prompt="Which?\nA. one\nB. two", answer="B", options={"A": "one", "B": "two"}
)
OPEN = Problem(
    id="open", domain=Domain.INSTRUCT, prompt="Write.",
    rubric=(Criterion(text="is short", weight=2.0), Criterion(text="rhymes", weight=1.0)),
)  # fmt: skip
RIGHT = "\\boxed{4}"
WORKER = """
import asyncio, json, sys
from etalon.engines.verl.reward import compute_score

async def main(told):
    return await asyncio.gather(*(compute_score("", one, "", told["row"], phase=told["phase"]) for one in told["said"]))

print(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
"""


def scored(problem: Problem, said: list[str], phase: str) -> tuple[list[dict[str, Any]], str]:
    """What a fresh worker returns for responses that arrive together, and what it writes to its log."""
    told = {"row": problem_row(problem, 0, seed=0)["extra_info"], "said": said, "phase": phase}
    done = subprocess.run(
        [sys.executable, "-c", WORKER], input=json.dumps(told), capture_output=True, text=True, env=ENVIRONMENT,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found, done.stderr


def phase(**keys: Any) -> str:
    return phase_json("rl-mine", RlSpec.model_validate(keys), prompts_folder="default", seed=3)


def scores(found: list[dict[str, Any]]) -> list[float]:
    return [one["score"] for one in found]


def test_a_stage_without_a_reward_or_a_judge_says_nothing() -> None:
    assert phase() == ""
    assert scores(scored(SUM, [RIGHT, "no"], "")[0]) == [1.0, 0.0]


def test_a_reward_of_a_file_decides_all_responses_that_arrive_together(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import time; time.sleep(0.3)\ndef half(problem, response):\n    return len(response) / 20\n")
    found, log = scored(SUM, ["x" * n for n in range(1, 21)], phase(reward=f"{file}:half"))
    assert scores(found) == [n / 20 for n in range(1, 21)]
    assert {one["reason"] for one in found} == {"reward"}
    assert log == ""


def test_general_prompts_of_other_domains_keep_their_verifiers(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def none(problem, response):\n    return 0.25\n")
    told = phase(reward=f"{tmp_path / 'mine.py'}:none", domains=("math",))
    assert scores(scored(OPTION, ["\\boxed{B}", "\\boxed{A}"], told)[0]) == [1.0, 0.0]
    assert scores(scored(SUM, [RIGHT], told)[0]) == [0.25]


def test_a_reward_that_raises_is_undecided_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def broken(problem, response):\n    return problem.nothing\n")
    [found], _ = scored(SUM, [RIGHT], phase(reward=f"{tmp_path / 'mine.py'}:broken"))
    assert (found["score"], found["undecided"]) == (UNDECIDED, 1.0)
    assert found["reason"].startswith("reward_raised: AttributeError: ")


def test_a_file_that_this_node_lacks_is_undecided_and_said_once(tmp_path: Path) -> None:
    found, log = scored(SUM, [RIGHT, "no", "none"], phase(reward=f"{tmp_path / 'gone.py'}:mine"))
    assert scores(found) == [UNDECIDED] * 3
    reason = f"no_reward: ConfigError: rl-mine.reward: {tmp_path / 'gone.py'}: no such file"
    assert {one["reason"] for one in found} == {reason}
    assert log == f"etalon: {reason}\n"


def test_a_judge_behind_http_decides_what_rules_leave_open() -> None:
    with Upstream(lambda asked: Reply(content="Yes" if "is short" in asked.text else "No")) as upstream:
        told = phase(judge=f"toy@{upstream.url}")
        [found], _ = scored(OPEN, ["brief"], told)
        assert found["score"] == pytest.approx(2 / 3)
        assert found["reason"] == "judge"
        assert len(upstream.requests) >= 2
        assert {asked.body["model"] for asked in upstream.requests} == {"toy"}
        asked_before = len(upstream.requests)
        assert scores(scored(SUM, [RIGHT], told)[0]) == [1.0]
        assert len(upstream.requests) == asked_before, "what is verifiable needs no judge"


def test_a_judge_that_refuses_decides_nothing() -> None:
    with Upstream(lambda asked: Reply(status=401)) as upstream:
        [found], _ = scored(OPEN, ["brief"], phase(judge=f"toy@{upstream.url}"))
    assert (found["score"], found["undecided"]) == (UNDECIDED, 1.0)
    assert found["reason"].startswith("judge_un")
