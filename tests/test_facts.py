"""Facts in a run: the same in every split on purpose, taught, asked for, and out of the way of everything else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import shrunk
from conftest import Finished

pytestmark = [pytest.mark.torch, pytest.mark.live]
COUNT = 60
SHORT = shrunk.RECIPE[: shrunk.RECIPE.index('[[stages]]\nname = "sft-broad-fused"')]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_facts(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in found if row["domain"] != "facts"]


@pytest.mark.slow
def test_facts_are_memorised_on_purpose_and_leave_the_other_domains_as_they_are(
    tmp_path: Path, finished: Finished
) -> None:
    recipe, run = shrunk.write_recipe(tmp_path, SHORT), tmp_path / "run"
    printed = shrunk.etalon("run", recipe, "--run", run, "--set", f"problems.facts={COUNT}")
    assert printed.returncode == 0, printed.stderr
    problems, plain = shrunk.stage_dir(run, "problems"), shrunk.stage_dir(finished.run, "problems")
    known = {}
    for split, count in (("train", COUNT), ("probe", 6), ("rl", COUNT), ("test", 8)):
        found = rows(problems / f"{split}.jsonl")
        assert without_facts(found) == rows(plain / f"{split}.jsonl")
        known[split] = {row["prompt"]: row["answer"] for row in found if row["domain"] == "facts"}
        assert len(known[split]) == count
        assert known[split].items() <= known["train"].items()
    texts = [row["text"] for row in rows(problems / "documents.jsonl")]
    assert len(texts) == len(rows(plain / "documents.jsonl"))
    for prompt, answer in known["train"].items():
        assert sum(f"{prompt} {answer}" in text for text in texts) >= 4  # 15% of 640 documents of four facts each
    traces = rows(shrunk.stage_dir(run, "data") / "traces.jsonl")
    taught = {row["prompt"]: row["response"] for row in traces if row["domain"] == "facts"}
    assert set(taught) == set(known["train"])
    assert all(f"\\boxed{{{known['train'][prompt]}}}" in response for prompt, response in taught.items())
    scores = {stage["name"]: stage["domains"] for stage in shrunk.summary(run)["stages"] if stage.get("domains")}
    assert scores["sft-broad"]["facts"]["problems"] == 8
    assert scores["sft-broad"]["facts"]["undecided"] == 0


def test_a_domain_of_facts_needs_some(tmp_path: Path) -> None:
    recipe = shrunk.write_recipe(tmp_path, SHORT)
    printed = shrunk.etalon("run", recipe, "--run", tmp_path / "run", "--set", 'problems.domains=["facts"]')
    assert printed.returncode == 2
    assert "problems.domains: names facts, and problems.facts is 0; say how many" in printed.stderr
