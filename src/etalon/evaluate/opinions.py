"""A second opinion on the programs of an evaluation: LiveCodeBench's own checker, in the row's "official".

    Task, its row of the catalogue -> release_of -> Release (which problems the checker loads)
    samples, our verdicts -> logs.official -> counts, their Pass@1, disagreements with likely reasons -> the row

The checker's input, log and verdicts stay in the folder, in official-NAME.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

from etalon.errors import InputError
from etalon.evaluate import store
from etalon.evaluate.benchmarks import Benchmark
from etalon.evaluate.logs.official import COUNTS, Comparison, Release, official_lcb
from etalon.evaluate.metrics import Row
from etalon.evaluate.task import Task, limit_of
from etalon.types import Domain, Problem

TOOL = "lcb_runner"
LISTED = 50  # (ours) disagreements that results.json lists; the folder has all verdicts


@dataclass(frozen=True, kw_only=True)
class OfficialLcb:
    """Reviews the rows of an evaluation. place: see `official_lcb`; releases: by the name of the task."""

    place: Path
    workers: int
    releases: Mapping[str, Release]

    def __call__(self, task: Task, folder: Path, row: Mapping[str, object]) -> Row:
        """The row's `official`, nothing for other tasks or where every response failed. Raises as `official_lcb`."""
        if task.name not in self.releases or row["samples"] == row["failed"]:
            return {}
        samples = (one for one in store.read_samples(folder, task.name) if one.index < task.n)
        found = official_lcb(
            self.place, samples, task.problems, out=folder / f"official-{task.name}", workers=self.workers,
            release=self.releases[task.name], scored=store.counted(folder, task.name),
        )  # fmt: skip
        return {"official": row_of(found)}


def row_of(found: Comparison) -> Row:
    """A comparison as a row has it: counts of programs, `avg` (theirs), reasons with counts, the first that differ."""
    return {
        "tool": TOOL,
        **{name: getattr(found, name) for name in COUNTS},
        "avg": found.avg,
        "reasons": {why.value: count for why, count in found.reasons.most_common()},
        "disagreements": [asdict(one) for one in found.disagreements[:LISTED]],
    }


def release_of(task: Task, own: Benchmark | None) -> Release:
    """What the checker must load to have the problems of a task, no more and no fewer.

    own: its row of the catalogue; without a release there, the newest release between the dates of the problems.
    Raises InputError, in one line, where the problems are not LiveCodeBench's, or not all of them are asked.
    """
    if why := next((why for one in task.problems if (why := _foreign(one))), "" if task.problems else "no problem"):
        raise InputError(f"{task.name}: {why}; LiveCodeBench's checker judges its own problems alone")
    if limit_of(task) is not None:
        told = f"{len(task.problems)} of {task.of} problems are asked"
        raise InputError(f"{task.name}: {told}; LiveCodeBench's checker takes all of a release or none")
    if own is not None and own.release and own.window:
        first, last = own.window
    else:
        dates = [datetime.fromisoformat(one.date).replace(tzinfo=None) for one in task.problems]
        first, last = min(dates).date(), max(dates).date()
        if max(dates).time() != time():  # its loader ends at midnight
            last += timedelta(days=1)
    name = own.release if own is not None and own.release else Release.name
    return Release(name=name, start_date=first.isoformat(), end_date=last.isoformat())


def _foreign(problem: Problem) -> str:
    """Why a problem is none of LiveCodeBench; "" for one that may be."""
    if problem.domain is not Domain.CODE:
        return f"problem {problem.id} is of {problem.domain}"
    if "inputs" not in (problem.tests or {}):
        return f"problem {problem.id} has no tests of inputs and outputs"
    return "" if problem.date else f"problem {problem.id} has no contest_date"
