"""Counts what the gates say of rows, and gives on those that pass."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from etalon.data.contamination.rows import Sweep
from etalon.data.duplicates import Decisions
from etalon.data.filtering.judged import Judges, Passing
from etalon.data.filtering.notes import DUPLICATES, GATES, OVERLAP, PER_TRACE, QUALITY, READ, Note, Stop, from_line
from etalon.data.gate_reports import GateReport
from etalon.data.gates import KEEP, Fate, Sieve
from etalon.data.step_reports import StepLog
from etalon.errors import InputError, RunError
from etalon.rows.bad import BadRows
from etalon.rows.files import BLANK

NEAR = "near a held-out item, with other numbers: kept"


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """What did not pass, or passed near a benchmark's item, as `--dropped` writes it: a row, or a trace of a record.

    trace: what stopped it; None where the row is meant.
    """

    place: str
    note: Note
    content: bytes
    trace: Stop | None = None

    @property
    def _named(self) -> dict[str, Any]:
        return {"id": self.note.id or self.place, "place": self.place}

    def to_row(self) -> dict[str, Any]:
        """{id, place, kept, gate, reason, benchmark, row, share, span, near, text, content}, as far as it is known.

        Of a trace: {id, place, kept, gate, reason, text, response}.
        """
        if self.trace is not None:
            told = {"gate": self.trace.gate, "reason": self.trace.reason, "text": self.trace.text}
            return {**self._named, "kept": False, **told, "response": self.trace.response}
        stop = self.note.stop
        row = {**self._named, "kept": self.note.passes}
        row |= {"gate": stop.gate, "reason": stop.reason} if stop else {"gate": OVERLAP, "reason": NEAR}
        if (hit := self.note.hit) is not None:
            found = asdict(hit)
            row |= {"near": found.pop("is_near"), **found}
        if stop is not None and stop.gate != OVERLAP:
            row["text"] = stop.text
        return row | ({"content": json.loads(self.content)} if self.content else {})


@dataclass
class Sifted:
    """Takes notes and rows apart: what passed, what did not, and the counts of every gate.

    bad: counts the rows that cannot be read. duplicates: what is to become of each row beside the others, by its place
    in the file; None where nobody compared them. dropped: told of every row that does not pass or is near an item.
    judges: a model that is asked about what passed everything else.
    """

    bad: BadRows = field(default_factory=lambda: BadRows("rows"))
    duplicates: Decisions | None = None
    dropped: Callable[[Dropped], None] | None = None
    judges: Judges | None = None
    sweep: Sweep = field(default_factory=Sweep)

    def __post_init__(self) -> None:
        used = GATES if self.judges else GATES[: GATES.index(QUALITY)]
        self.sieves = {gate: Sieve(gate) for gate in used}
        self.log = StepLog(step="filter", inputs=())
        self.near: Counter[str] = Counter()
        self._rows_by_reason: Counter[str] = Counter()
        self._traces_by_reason: Counter[str] = Counter()
        self._traces = self._traces_gone = self._traces_kept = 0
        self._number = -1  # of the row, blank ones left out

    def kept(self, lines: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
        """The rows that passed, without line ends; lines: (place, line of `notes.to_line`)."""
        rows = self._read(lines)
        for one in self.judges.passed(rows) if self.judges else rows:
            self._count(one.note)
            if self.dropped is not None:
                self._tell(one, self.dropped)
            if one.note.passes:
                yield one.row

    def _read(self, lines: Iterable[tuple[str, bytes]]) -> Iterator[Passing]:
        for place, line in lines:
            note, row = from_line(line)
            if note.stop is None or note.stop.told != BLANK:
                self.bad.count(place, note.stop.told if note.stop else "")
            yield Passing(place, self._compared(note), row)

    def _tell(self, one: Passing, tell: Callable[[Dropped], None]) -> None:
        """Say of a row, or of traces of it, that they do not pass, or that it is near an item."""
        stop = one.note.stop
        if stop is not None and stop.told == BLANK:
            return
        for trace in one.note.traces:
            if not trace.passes:
                tell(Dropped(place=one.place, note=one.note, content=one.row, trace=trace))
        if not one.note.passes or one.note.hit:
            tell(Dropped(place=one.place, note=one.note, content=one.row))

    def _compared(self, note: Note) -> Note:
        """The note with the decision on copies, of a row that the other gates let pass."""
        if note.stop is not None and note.stop.gate == READ:
            return note
        self._number += 1
        if note.stop is not None or self.duplicates is None:
            return note
        decision = self.duplicates.of(self._number)
        return note if decision.outcome is Fate.KEPT else replace(note, stop=Stop.of(DUPLICATES, decision))

    def _count(self, note: Note) -> None:
        self.sweep.add(note.share)
        if note.hit is not None and note.hit.is_near and note.stop is None:
            self.near[note.hit.benchmark] += 1
        for gate, sieve in self.sieves.items():
            if gate in PER_TRACE and note.read is not None:
                _count_traces(sieve, note)
            elif note.stop is not None and note.stop.gate == gate:
                sieve.passes(note.stop.decision, note.group)
                if not note.stop.passes:
                    break
            else:
                sieve.passes(KEEP, note.group)
        self._rows_by_reason.update([note.stop.reason] if note.stop else [])
        self._traces_by_reason.update(stop.reason for stop in note.traces)
        gone = sum(not stop.passes for stop in note.traces)
        self._traces += note.read or 0
        self._traces_gone += gone
        if note.stop is None or note.stop.gate != READ:
            self.log.count("in", note.group, note.sizes, note.rates)
        if note.passes:
            self.log.count("out", note.group, note.left, note.rates)
            self.log.licenses[note.license] += 1
            self._traces_kept += (note.read or 0) - gone

    def check(self) -> None:
        """InputError where more rows than may be are unreadable, or there are none; RunError where none is kept."""
        self.bad.check()
        name = self.bad.name or "all files"
        if not self.bad.rows:
            raise InputError(f"{name}: has no rows")
        if not self.num_kept:
            why = _told(self._rows_by_reason).removeprefix(", ")
            raise RunError(f"{name}: no row of {self.bad.rows} is kept, nothing is written ({why})")

    @property
    def num_kept(self) -> int:
        """Rows that passed."""
        return sum(side.records for side in self.log.wrote.values())

    def reports(self) -> list[GateReport]:
        """The report of every gate, in their order."""
        return [sieve.report() for sieve in self.sieves.values()]

    def rows(self) -> list[dict[str, Any]]:
        """The reports as JSON values."""
        return [report.to_row() for report in self.reports()]

    def __str__(self) -> str:
        first = self.sieves[READ].report()
        told = f"{first.kept + first.dropped + first.undecided} rows: {self.num_kept} kept{_told(self._rows_by_reason)}"
        if self.near:
            told += f", {sum(self.near.values())} near a held-out item with other numbers (kept)"
        if self._traces:
            told += f"; {self._traces} traces in records: {self._traces_kept} kept{_told(self._traces_by_reason)}"
            beside = self._traces - self._traces_kept - self._traces_gone
            told += f", {beside} of rows that went" if beside else ""
        return told


def _told(reasons: Counter[str]) -> str:
    return "".join(f", {reason} {count}" for reason, count in reasons.most_common())


def _count_traces(sieve: Sieve, note: Note) -> None:
    """What a gate did with the traces of one record: those that an earlier gate stopped never came to it."""
    before = GATES.index(sieve.gate)
    earlier = sum(not stop.passes for stop in note.traces if GATES.index(stop.gate) < before)
    own = [stop for stop in note.traces if stop.gate == sieve.gate]
    for stop in own:
        sieve.passes(stop.decision, note.group)
    for _ in range((note.read or 0) - earlier - len(own)):
        sieve.passes(KEEP, note.group)
