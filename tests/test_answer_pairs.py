"""Labelled answers of our own: what a teacher marks right, and what is never credited, by kind."""

import json
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from etalon.verifiers import are_equal
from etalon.verifiers.math.answer import compare
from etalon.verifiers.math.engine import symbolic

pytestmark = pytest.mark.live  # the engine is asked

ROWS = [json.loads(line) for line in Path(__file__).with_name("answer_pairs.jsonl").read_text().splitlines()]
KINDS = defaultdict(list)
for row in ROWS:
    KINDS[row["kind"]].append(row)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Labels are about answers: a busy machine must not leave one undecided."""
    monkeypatch.setattr(symbolic, "DEADLINE_SECONDS", 20.0)


def test_the_list_is_wide():
    assert len(KINDS) >= 25
    assert sum(row["same"] for row in ROWS) > 650
    assert sum(not row["same"] for row in ROWS) > 350


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_pair_of_this_kind_is_judged_as_labelled(kind):
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda row: compare(reference=row["reference"], answer=row["answer"]), KINDS[kind])
    otherwise = [
        (row["reference"], row["answer"], comparison)
        for row, comparison in zip(KINDS[kind], found, strict=True)
        if comparison.is_equal is not row["same"]
    ]
    assert not otherwise


@pytest.mark.parametrize("kind", ["integers", "fractions", "percent", "units", "bases", "tuples", "intervals", "sets"])
def test_votes_never_join_what_grading_keeps_apart(kind):
    apart = [row for row in KINDS[kind] if not row["same"]]
    assert not [row for row in apart if are_equal(row["reference"], row["answer"])]
    assert not [row for row in apart if are_equal(row["answer"], row["reference"])]


def test_the_policy_table_holds():
    table = (Path(__file__).parents[1] / "docs" / "verifiers.md").read_text().partition("\n## STEM")[0]
    policies = re.findall(r"^\| .*\| `(.+)` \| `(.+)` \| (yes|no) \|$", table, re.MULTILINE)
    assert len(policies) > 40
    wrong = [
        (reference, answer)
        for reference, answer, right in policies
        if compare(reference=reference, answer=answer).is_equal is not (right == "yes")
    ]
    assert not wrong
