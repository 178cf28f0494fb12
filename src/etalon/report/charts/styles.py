"""How checkpoints answer: the styles of the nano world's arithmetic, elsewhere whether there is a thought, by stage.

read_styles    rollouts of evaluations -> counts      style_charts   counts -> bars of shares
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from etalon.config.stages import EVALUATION
from etalon.problems.nano import arithmetic
from etalon.report.charts.rows import share_rows
from etalon.report.files import Run, StyleMix
from etalon.report.html import Html, figure
from etalon.report.read import mapping, objects, text
from etalon.report.transcripts.rows import ROLLOUTS, kind_of, parts_of

MOST_BYTES = 8_000_000  # read of one evaluation: a mix of styles needs no more
CHAIN = re.compile(rb'\{"problem_id": ?"math-[()\d+*-]+=\?"')  # how a row of arithmetic begins
LEAST = 0.01  # a kind that is rarer than this in every checkpoint does not make a mix
NANO, OTHERS = "arithmetic", "responses"
NAMES = {NANO: "Style of arithmetic", OTHERS: "Thoughts before answers"}
KINDS = {NANO: (*arithmetic.STYLES, "other"), OTHERS: ("thought", "no thought", "cut")}
STYLES = ("kind s0", "kind s1", "kind s2", "kind s3", "kind s4")


def read_styles(directory: Path, stages: Sequence[str]) -> tuple[StyleMix, ...]:
    """Counts of the evaluations of these stages, where they left rollouts; at most MOST_BYTES of each are read.

    Where a file holds arithmetic of the nano world only that is counted, else all of it.
    """
    found: list[StyleMix] = []
    for stage in stages:
        path = directory / "stages" / f"{EVALUATION}{stage}" / ROLLOUTS
        lines = _lines(path)
        chains = [line for line in lines if CHAIN.match(line)]
        of = NANO if chains else OTHERS
        counts = Counter(_kind(of, rollout) for row in _rows(chains or lines) for rollout in objects(row["rollouts"]))
        if counts:
            counted = tuple(counts[kind] for kind in KINDS[of])
            is_part = path.stat().st_size > MOST_BYTES
            found.append(StyleMix(of=of, stage=stage, kinds=KINDS[of], counts=counted, is_part=is_part))
    return tuple(found)


def _lines(path: Path) -> list[bytes]:
    """The whole lines among the first bytes of a file; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).split(b"\n")[:-1]
    except OSError:
        return []


def _rows(lines: Sequence[bytes]) -> Iterator[dict[str, object]]:
    for line in lines:
        try:
            row = mapping(json.loads(line))
        except (ValueError, RecursionError):
            continue  # `missing` of the report names files with unreadable lines where it shows their rows
        if "rollouts" in row:
            yield row


def _kind(of: str, rollout: dict[str, object]) -> str:
    words = text(rollout.get("text"))
    if of == NANO:
        return arithmetic.style_of(words) or "other"
    if kind_of(rollout) == "cut":
        return "cut"
    thought, rest = parts_of(words)
    return "thought" if thought and thought.strip() and rest is not None else "no thought"


def style_charts(run: Run) -> list[Html]:
    """A figure per kind of problem, a row per checkpoint; none where all checkpoints answer in one way."""
    charts = []
    for of, group in itertools.groupby(sorted(run.styles, key=lambda mix: mix.of), key=lambda mix: mix.of):
        mixes = list(group)
        shares = [[number / sum(mix.counts) for number in mix.counts] for mix in mixes]
        used = [place for place in range(len(KINDS[of])) if any(row[place] > LEAST for row in shares)]
        if len(used) < 2:
            continue
        shown = [place for place in range(len(KINDS[of])) if any(row[place] for row in shares)]
        rows = [(mix.stage, [mix.counts[place] for place in shown]) for mix in mixes]
        kinds = [(STYLES[place], KINDS[of][place]) for place in shown]
        note = "Of the first part of each evaluation." if any(mix.is_part for mix in mixes) else ""
        chart = share_rows(NAMES[of], rows, kinds, "responses")
        charts.append(figure(NAMES[of], chart, note, legend=kinds))
    return charts
