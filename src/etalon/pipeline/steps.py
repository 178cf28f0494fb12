"""The steps of the data engine inside a run: what each left, as files and reports that `etalon data funnel` reads.

problems/train.jsonl -> seeds.jsonl -> expanded.jsonl -> queries.jsonl -> traces.jsonl     each with X.report.json
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from etalon.data.gate_reports import GateReport
from etalon.data.gates import Gated
from etalon.data.records import Record, record_to_row
from etalon.data.step_reports import Calls, StepLog
from etalon.store import append_jsonl

Row = TypeVar("Row")


class Steps:
    """The steps that were gone, with what each dropped. source: the file that the first of them reads."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.gates: list[GateReport] = []
        self._folder, self._source = folder, source
        self._own: list[GateReport] = []  # of the step under way
        self._calls: dict[str, Calls] = {}
        self._started = time.monotonic()

    def leave_out(self, seconds: float) -> None:
        """Seconds in which the step under way did nothing."""
        self._started += seconds

    def passed(self, gated: Gated[Row]) -> list[Row]:
        """What a gate of the step under way let pass."""
        self._own.append(gated.report)
        return list(gated.kept)

    def done(
        self,
        step: str,
        read: Sequence[Record],
        wrote: Sequence[Record],
        *,
        file: str,
        calls: Sequence[Calls] = (),
        settings: Mapping[str, Any] | None = None,
        rows: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Write what a step leaves, and its report. rows: in place of the records; calls: of all steps so far."""
        output = self._folder / file
        output.unlink(missing_ok=True)
        append_jsonl(output, rows if rows is not None else [record_to_row(record) for record in wrote])
        log = StepLog(step=step, inputs=[self._source], settings=settings or {}, gates=self._own)
        log.calls = [_since(self._calls.get(one.model), one) for one in calls]
        for record in read:
            log.takes(record)
        for record in wrote:
            log.gives(record)
        log.write(output, seconds=time.monotonic() - self._started)
        self._calls |= {one.model: one for one in calls}
        self.gates += self._own
        self._own, self._source, self._started = [], output, time.monotonic()

    @property
    def all_gates(self) -> list[GateReport]:
        """The gates so far, those of the step under way included."""
        return [*self.gates, *self._own]

    def __str__(self) -> str:
        return "; ".join(
            f"{r.gate}: {r.kept} kept, {r.dropped} dropped{f', {r.undecided} undecided' if r.undecided else ''}"
            for r in self.all_gates
        )


def _since(before: Calls | None, now: Calls) -> Calls:
    """What was called since `before`."""
    if before is None:
        return now
    names = ("asked", "answered", "failed", "remembered", "prompt_tokens", "tokens")
    return Calls(model=now.model, **{name: getattr(now, name) - getattr(before, name) for name in names})
