"""Another tool's log as an evaluation of ours: its samples in a store, its problems beside them.

LOG -> read_log -> problems-NAME.jsonl, samples-NAME.jsonl -> Imported(evaluation, task) -> evaluate without a model
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from etalon.errors import InputError, RunError
from etalon.evaluate import store
from etalon.evaluate.logs import Log, read_log
from etalon.evaluate.store import Sample, keep_problems
from etalon.evaluate.task import Task
from etalon.rows.mapping import AS_NAMED, ColumnMap
from etalon.store import append_jsonl
from etalon.types import Answers, Problem, SamplingParams

TOGETHER = 256  # (ours) samples that are written at once


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A log in a folder. told: what results say at their head; line: what a user is told of it."""

    task: Task
    model: str
    told: dict[str, Any]
    line: str
    notes: tuple[str, ...]

    @property
    def identity(self) -> dict[str, Any]:
        """What its samples depend on, as far as the log tells."""
        return {"log": self.told["log"]["tool"], "model": self.model}


def take_over(
    path: Path,
    folder: Path,
    *,
    problems: Sequence[Problem] | None = None,
    columns: ColumnMap = AS_NAMED,
    answers: Answers | None = None,
) -> Imported:
    """Write the log's problems and samples into an empty folder. The arguments are those of `read_log`."""
    log = read_log(path, problems=problems, columns=columns, answers=answers)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / store.MARKER).exists():
        raise RunError(f"{folder}: holds an evaluation already; name another directory")
    keep_problems(folder, log.name, log.problems)
    samples = store.samples_path(folder, log.name)
    samples.unlink(missing_ok=True)  # of a call that was interrupted
    count, most, repeated = _write(samples, log.samples)
    if not count:
        raise InputError(f"{path}: has no sample")
    told = {"tool": log.tool, "version": log.version, **log.settings}
    again = [f"{repeated} rows repeat a sample that is there already, and count once"] if repeated else []
    unread = [f"{log.num_bad} of {log.num_rows} rows cannot be read: {'; '.join(log.bad[:3])}"] if log.num_bad else []
    return Imported(
        task=_task(log, path, most),
        model=log.model or "unknown",
        told={"log": {name: value for name, value in told.items() if value not in (None, "")}},
        line=f"{path}: {count} samples of {len(log.problems)} problems by {' '.join((log.tool, log.version)).strip()}, "
        f"answers read by --answers {log.answers} ({log.because})",
        notes=(*unread, *again, *log.notes),
    )


def _task(log: Log, path: Path, n: int) -> Task:
    settings = {name: log.settings[name] for name in ("temperature", "top_p", "max_tokens") if name in log.settings}
    return Task(
        name=log.name, problems=log.problems, of=len(log.problems), n=n, file=str(path),
        params=SamplingParams(**{"max_tokens": None, **settings}), answers=log.answers, unread=log.num_bad,
        knows_cuts=log.knows_cuts,
    )  # fmt: skip


def _write(path: Path, samples: Iterable[Sample]) -> tuple[int, int, int]:
    """(how many samples, the most that one problem has, how many rows repeat one)."""
    stream, count = iter(samples), 0
    keys: set[store.Key] = set()
    while batch := list(islice(stream, TOGETHER)):
        append_jsonl(path, [store.sample_to_row(one) for one in batch])
        count += len(batch)
        keys |= {one.key for one in batch}
    return len(keys), max((index + 1 for _, index in keys), default=0), count - len(keys)
