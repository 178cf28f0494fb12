"""Counts what the gates say of rows, and gives on those that pass."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from etalon.data.contamination.rows import Sweep
from etalon.data.duplicates import Decisions
from etalon.data.filtering.notes import DUPLICATES, GATES, PER_TRACE, READ, Note, Overlap, Stop, from_line
from etalon.data.gates import KEEP, Fate, GateReport, Sieve
from etalon.data.step_reports import StepLog
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
        row = {**self._named, "kept": stop is None}
        row |= {"gate": stop.gate, "reason": stop.reason} if stop else {"gate": "overlap", "reason": NEAR}
        if (hit := self.note.hit) is not None:
            found = asdict(hit)
            row |= {"near": found.pop("is_near"), **found}
        if stop is not None and stop.gate != "overlap":
            row["text"] = stop.text
        return row | ({"content": json.loads(self.content)} if self.content else {})


@dataclass
class Sifted:
    """Takes notes and rows apart: what passed, what did not, and the counts of every gate.

    bad: counts the rows that cannot be read. duplicates: what is to become of each row beside the others, by its place
    in the file; None where nobody compared them. dropped: told of every row that does not pass or is near an item.
    """

    bad: BadRows = field(default_factory=lambda: BadRows("rows"))
    duplicates: Decisions | None = None
    dropped: Any = None
    sweep: Sweep = field(default_factory=Sweep)

    def __post_init__(self) -> None:
        self.sieves = {gate: Sieve(gate) for gate in GATES}
        self.log = StepLog(step="filter", inputs=())
        self.near: Counter[str] = Counter()
        self._number = -1  # of the row, blank ones left out

    def kept(self, lines: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
        """The rows that passed, without line ends; lines: (place, line of `notes.to_line`)."""
        for place, line in lines:
            note, row = from_line(line)
            note = self._compared(note)
            if note.stop is None or note.stop.told != BLANK:
                self.bad.count(place, note.stop.told if note.stop else "")
            self._count(note)
            if self.dropped is not None and not (note.stop and note.stop.told == BLANK):
                for stop in note.traces:
                    self.dropped(Dropped(place=place, note=note, content=row, trace=stop))
                if note.stop or note.hit:
                    self.dropped(Dropped(place=place, note=note, content=row))
            if note.stop is None or note.stop.outcome == Fate.UNDECIDED_KEPT.value:
                yield row

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
                break
            else:
                sieve.passes(KEEP, note.group)
        if note.stop is None or note.stop.gate != READ:
            self.log.count("in", note.group, note.sizes, note.rates)
        if note.stop is None:
            self.log.count("out", note.group, note.left, note.rates)
            self.log.licenses[note.license] += 1

    def reports(self) -> list[GateReport]:
        """The report of every gate, in their order."""
        return [sieve.report() for sieve in self.sieves.values()]

    def rows(self) -> list[dict[str, Any]]:
        """The reports as JSON values."""
        return [report.to_row() for report in self.reports()]

    def __str__(self) -> str:
        reports = {report.gate: report for report in self.reports()}
        first = reports["read"]
        read = first.kept + first.dropped + first.undecided
        stopped = [f"{reason} {count}" for report in reports.values() for reason, count in report.reasons.items()]
        kept = sum(side.records for side in self.log.wrote.values())
        near = f", {sum(self.near.values())} near a held-out item with other numbers (kept)" if self.near else ""
        return f"{read} rows: {kept} kept{''.join(f', {one}' for one in stopped)}{near}"


def _count_traces(sieve: Sieve, note: Note) -> None:
    """What a gate did with the traces of one record: those that an earlier gate stopped never came to it."""
    before = GATES.index(sieve.gate)
    stops: Sequence[Stop] = [stop for stop in note.traces if GATES.index(stop.gate) >= before]
    own = [stop for stop in stops if stop.gate == sieve.gate]
    for stop in own:
        sieve.passes(stop.decision, note.group)
    earlier = len(note.traces) - len(stops)
    for _ in range((note.read or 0) - earlier - len(own)):
        sieve.passes(KEEP, note.group)


__all__ = ["Dropped", "Overlap", "Sifted"]
