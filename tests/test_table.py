"""The table at the end of a run, of real runs: branches, weights that did not change, phases that were skipped."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

import shrunk
from conftest import Finished
from etalon.show.table import print_summary, stage_table

pytestmark = pytest.mark.torch


def printed(summary: dict[str, Any], width: int = 100) -> list[str]:
    """The lines of the stage table, without its caption."""
    screen = io.StringIO()
    Console(file=screen, width=width, force_terminal=False).print(stage_table(summary, width=width))
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    return lines[: next(number for number, line in enumerate(lines) if line.startswith("Pass@1, Pass@K"))]


def rows_of(lines: list[str], stage: str) -> list[list[str]]:
    """The words of the rows of one stage."""
    first = next(number for number, line in enumerate(lines) if f"{line} ".startswith(f" {stage} "))
    rest = next((n for n, line in enumerate(lines[first + 1 :], first + 1) if not line.startswith("  ")), len(lines))
    return [line.split() for line in lines[first:rest] if line.strip()]


@pytest.mark.parametrize("width", [80, 100])
def test_every_stage_shows_pass_at_1_and_at_k(finished: Finished, width: int) -> None:
    summary = shrunk.summary(finished.run)
    lines = printed(summary, width)
    bounded = ["95%"] if width == 100 else []
    assert ["Stage", "Domain", "Pass@1", *bounded, "Pass@2", "Tokens"] in [
        line.split()[: 5 + len(bounded)] for line in lines
    ]
    for stage in summary["stages"]:
        rows = rows_of(lines, stage["name"])
        if "as" in stage:
            continue
        assert [row[number == 0] for number, row in enumerate(rows)] == list(stage["domains"])
        for row, scores in zip(rows, stage["domains"].values(), strict=True):
            start = row.index(next(word for word in row if word[0].isdigit()))
            if bounded:
                low, high = map(int, row.pop(start + 1).split("-"))
                assert 0 <= low <= 100 * scores["pass1_low"] <= 100 * scores["pass1_high"] <= high <= 100
            shares = [f"{100 * scores[name]:.1f}" for name in ("pass1", "passk")]
            assert row[start : start + 3] == [*shares, f"{scores['mean_tokens']:,.0f}"]


@pytest.mark.parametrize("width", [80, 100])
def test_unchanged_weights_say_whose_they_are_and_a_skipped_phase_says_why(branched: Finished, width: int) -> None:
    summary = shrunk.summary(branched.run)
    name, same = "sft-hard-fused", "sft-hard"  # what a merge of the last checkpoint alone looks like
    stages = {stage["name"]: stage for stage in summary["stages"]}
    stages[name] |= {"as": same, "domains": stages[same]["domains"]}
    lines = printed(summary, width)
    [row] = rows_of(lines, name)
    assert [word for word in row if word != "-"][:3] == [name, "as", same]
    (*empty, seconds), *rest = rows_of(lines, "rl-none")
    assert empty[:4] == ["rl-none", "-", "-", "-"]
    assert float(seconds) == pytest.approx(stages["rl-none"]["seconds"], abs=0.051)
    told = " ".join(word for row in (empty[1:], *rest) for word in row if word != "-")
    assert told == "as rl-stem-plain; skipped: it has 0 steps"


@pytest.mark.parametrize("width", [80, 100])
def test_a_stage_names_what_it_starts_from_where_that_is_not_above_it(branched: Finished, width: int) -> None:
    summary = shrunk.summary(branched.run)
    lines = printed(summary, width)
    first, *rest = rows_of(lines, "rl-stem-plain")
    assert first[:3] == ["rl-stem-plain", "from", "rl-code"]
    assert [row[0] for row in rest] == ["math", "code", "stem", "instruct", "claims"]
    assert sum(" from " in line for line in lines) == 1


def test_a_skipped_stage_with_an_evaluation_of_its_own_shows_it_without_a_change(branched: Finished) -> None:
    summary = shrunk.summary(branched.run)
    [stage] = [stage for stage in summary["stages"] if stage["name"] == "rl-stem"]
    stage["skipped"] = "it has 0 steps"  # as where the stage it starts from is not evaluated
    first, *rest = rows_of(printed(summary), "rl-stem")
    assert first[:4] == ["rl-stem", "-", "-", "-"]
    assert "skipped:" in first
    assert [row[5] for row in rest] == ["-"] * 5


def test_long_names_are_folded_and_numbers_are_not_cut(branched: Finished) -> None:
    summary = shrunk.summary(branched.run)
    for number, stage in enumerate(summary["stages"]):
        stage["name"] = f"a-stage-with-a-rather-long-name-{number}"
        stage["seconds"] = 12345.6
    for width in (80, 100):
        lines = printed(summary, width)
        assert sum("12,346" in line for line in lines) == len(summary["stages"])
        assert any("Seconds" in line for line in lines)


def test_every_stage_of_clr_has_a_table_and_a_skipped_one_a_reason(finished: Finished) -> None:
    summary = shrunk.summary(finished.run)
    earlier = {"first": {**summary["clr"], "of": "rl-code"}, "second": {"of": "rl-stem", "skipped": "no math problems"}}
    screen = io.StringIO()
    print_summary(summary | {"clr_before": earlier}, Console(file=screen, force_terminal=False))
    shown = screen.getvalue()
    assert shown.count("CLR@K") == 2
    assert shown.index("rl-code, 8 problems") < shown.index("CLR of rl-stem skipped: no math problems")
    assert "instruct, 8 problems" in shown
