"""Answers and programs as models and data sets write them, by kind: rows of our own, labelled by hand."""

import json
from pathlib import Path

import pytest

from etalon.verifiers.math.engine import symbolic
from etalon.verifiers.rows import verify_row

ROWS = [json.loads(line) for line in Path(__file__).with_name("field_rows.jsonl").read_text().splitlines()]
SCORES = {"right": 1.0, "wrong": 0.0, "undecided": None}
pytestmark = pytest.mark.live  # programs are run, and the engine is asked

PARTS = ("math", "stem", "choice", "extract", "rows", "rules", "code")


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Labels are about answers: a busy machine must not leave one undecided."""
    monkeypatch.setattr(symbolic, "DEADLINE_SECONDS", 20.0)


@pytest.mark.parametrize("part", PARTS)
def test_every_row_is_judged_as_labelled(part):
    rows = [row for row in ROWS if row["kind"].startswith(f"{part}/")]
    assert rows
    found = [(row, verify_row(row["row"], default_domain=row["domain"])) for row in rows]
    assert not [(row, verdict) for row, verdict in found if verdict["score"] != SCORES[row["expected"]]]


def test_no_row_is_left_out():
    assert {row["kind"].partition("/")[0] for row in ROWS} == set(PARTS)
