"""The gates by rule (2.1.1 step 4a) over the rows of a file: overlap with evaluation sets, and faults of responses.

row -> an item in any of its texts -> faults of its responses -> kept as it is, or the gate that stopped it and why

A row that cannot be read, or that has neither a prompt nor a response, is undecided and not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from etalon.data.contamination.index import Index, Rule
from etalon.data.contamination.rows import texts_of
from etalon.data.gates import KEEP, Decision, Fate, Sieve, excerpt, of_fault, of_hit
from etalon.data.traces import fault
from etalon.errors import InputError
from etalon.problems.formats import Reading, read_row
from etalon.problems.formats.columns import structured
from etalon.problems.texts import prompt_of
from etalon.problems.traces import GivenTrace, traces_of
from etalon.rows.bad import BadRows
from etalon.rows.files import BLANK, Row
from etalon.rows.mapping import AS_NAMED, ColumnMap, missing
from etalon.rows.work import RowFunction
from etalon.store import to_json
from etalon.types import Domain

GATES = ("read", "overlap", "trace")
KEPT = b"+"  # a row that passed, as it was
NOTHING = Rule(items=())
STOPPED = b"-"  # a JSON object: gate, outcome, reason, text, told


@dataclass(frozen=True, kw_only=True)
class GateRows:
    """evaluation: items that no row may hold.

    max_repetition: share of repeated n-grams above which a response counts as degenerate. A row goes with any of its
    responses: what is kept is kept as it is.
    columns: other names of the columns that are looked at.
    """

    evaluation: Rule = NOTHING
    max_repetition: float = 0.5
    columns: ColumnMap = AS_NAMED
    threads: int = 1

    def start(self) -> RowFunction:
        """Build the index of the items; the function gives one marked line per row."""
        seen = self.evaluation.start()
        return lambda row: self._marked(row, seen)

    def _marked(self, row: Row, seen: Index) -> bytes:
        """The row's line with KEPT before it, or STOPPED and what the counts need."""
        try:
            found = texts(row, self.columns)
        except InputError as error:
            undecided = Decision(outcome=Fate.UNDECIDED, reason=_kind(str(error)), text=_shown(row))
            return stopped("read", undecided, told=str(error))
        shown = found.prompt or (found.traces[0].response if found.traces else "")
        held = of_hit(seen.find([*texts_of(row.columns)]), shown)
        if held is not KEEP:
            return stopped("overlap", held)
        for trace in found.traces:
            why = fault(
                trace.response,
                prompt=found.prompt or "",
                domain=found.domain,
                is_complete=trace.is_complete,
                max_share=self.max_repetition,
            )
            if why is not None:
                return stopped("trace", of_fault(why))
        return KEPT + row.line()


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What the gates look at in a row. domain: None where the row does not name one."""

    prompt: str | None
    traces: tuple[GivenTrace, ...]
    domain: Domain | None = None


def texts(row: Row, columns: ColumnMap) -> Texts:
    """The prompt and the responses of a row, of which it has one at least; InputError when it has none."""
    if row.columns is None:
        raise InputError(row.why)
    found = structured(columns.apply(row.columns))
    prompt, traces = prompt_of(found), traces_of(found)
    if prompt is None and not traces:
        try:  # a format of the field, whose question is put together
            prompt = read_row(found, Reading(needs_reference=False))[1].prompt
        except InputError:
            raise missing(found, "prompt", "response") from None
    domain = next((one for one in Domain if one == found.get("domain")), None)
    return Texts(prompt=prompt, traces=traces, domain=domain)


def _kind(why: str) -> str:
    """A reason as it is counted: without what is different in every row."""
    return "unreadable: " + re.sub(r"; columns found.*| \(.*|^found .*, (?=expected)", "", why, flags=re.DOTALL)


def _shown(row: Row) -> str:
    return (row.text or row.line()).decode("utf-8", "replace").strip() if row.text or row.columns else row.why


def stopped(gate: str, decision: Decision, *, told: str = "") -> bytes:
    """A gate's decision as a marked line. told: what is wrong with the row, in full."""
    outcome, text = decision.outcome.value, excerpt(decision.text)
    return STOPPED + to_json({"gate": gate, "outcome": outcome, "reason": decision.reason, "text": text, "told": told})


class Sifted:
    """Takes marked lines apart: what passed, and the counts of every gate. bad: counts the rows that cannot be read."""

    def __init__(self, bad: BadRows | None = None) -> None:
        self.sieves = {gate: Sieve(gate) for gate in GATES}
        self._bad = bad or BadRows("rows")

    def kept(self, lines: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
        """The rows that passed, as they were, without line ends; lines: (place, marked line)."""
        for place, line in lines:
            if line.startswith(KEPT):
                self._bad.count(place)
                for sieve in self.sieves.values():
                    sieve.passes(KEEP)
                yield line[1:]
                continue
            stop = json.loads(line[1:])
            if stop["told"] != BLANK:
                self._bad.count(place, stop["told"])
            for gate, sieve in self.sieves.items():
                if gate == stop["gate"]:
                    outcome = Fate(stop["outcome"])
                    sieve.passes(Decision(outcome=outcome, reason=stop["reason"], text=stop["text"]))
                    break
                sieve.passes(KEEP)

    def rows(self) -> list[dict[str, Any]]:
        """The report of every gate, in their order, as JSON values."""
        return [sieve.report().to_row() for sieve in self.sieves.values()]

    def __str__(self) -> str:
        reports = [sieve.report() for sieve in self.sieves.values()]
        read = reports[0].kept + reports[0].dropped + reports[0].undecided
        stopped = [f"{reason} {count}" for report in reports for reason, count in report.reasons.items()]
        return f"{read} rows: {reports[-1].kept} kept{''.join(f', {one}' for one in stopped)}"
