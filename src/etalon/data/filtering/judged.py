"""The last gates, where a model is asked for them: is a question fit, and does a response hold together (2.1.1 step 4)?

rows that passed everything else, some at a time -> verdicts on questions -> verdicts on responses -> notes

A reply that is no verdict leaves the row as it is, and is counted as undecided.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from etalon.data.calls.remembered import Remembered
from etalon.data.filtering.gate_rows import read
from etalon.data.filtering.notes import JUDGE, QUALITY, Note, Stop
from etalon.data.gates import KEEP, Decision, Fate, of_verdict
from etalon.data.step_reports import length_of
from etalon.errors import RunError
from etalon.problems.given.traces import trace_to_row
from etalon.rows.files import row_of
from etalon.rows.mapping import ColumnMap
from etalon.types import Verdict
from etalon.verifiers.judges import Judge, judge_queries, judge_traces

UNFIT, UNSOUND = "unfit question, says the judge", "unsound response, says the judge"
TOGETHER = 256  # (ours) rows whose verdicts are asked for at once


@dataclass
class Passing:
    """A row on its way: its note, and its bytes."""

    place: str
    note: Note
    row: bytes


class Judges:
    """Asks one judge about rows. Its answers are kept as any model's are."""

    def __init__(self, model: Remembered, *, columns: ColumnMap, prompts: str = "default") -> None:
        self.model = model
        self._columns = columns
        self._judge = Judge(model, folder=prompts)
        self.asked = self.undecided = 0

    def passed(self, rows: Iterable[Passing]) -> Iterator[Passing]:
        """The rows in order, those that passed so far with the verdicts on them.

        RunError at the end where the judge gave no verdict on anything.
        """
        waiting = iter(rows)
        while batch := list(islice(waiting, TOGETHER)):
            self._look([one for one in batch if one.note.passes])
            yield from batch
        if self.asked and self.undecided == self.asked:
            told = "a reply has to end in a line that is Yes or No"
            raise RunError(f"{self.model.name}: no verdict on any of {self.asked} questions and responses; {told}")

    def _look(self, batch: Sequence[Passing]) -> None:
        read_rows = [read(row_of(one.place, one.row), self._columns) for one in batch]
        asked = [(one, prompt) for one, (_, prompt, _) in zip(batch, read_rows, strict=True) if prompt]
        verdicts = self._counted(judge_queries(self._judge, [prompt for _, prompt in asked]))
        for (one, prompt), verdict in zip(asked, verdicts, strict=True):
            if (decision := _decided(verdict, prompt, UNFIT)) is not KEEP:
                one.note = replace(one.note, stop=Stop.of(QUALITY, decision))
        left = [
            (one, found, prompt or "", traces)
            for one, (found, prompt, traces) in zip(batch, read_rows, strict=True)
            if one.note.passes and traces
        ]
        pairs = [(prompt, trace.response) for _, _, prompt, traces in left for trace in traces]
        decided = iter(self._counted(judge_traces(self._judge, pairs)))
        for one, found, _, traces in left:
            own = [(trace, _decided(next(decided), trace.response, UNSOUND)) for trace in traces]
            _apply(one, own, is_record=isinstance(found.get("traces"), list))

    def _counted(self, verdicts: list[Verdict]) -> list[Verdict]:
        self.asked += len(verdicts)
        self.undecided += sum(verdict.is_undecided for verdict in verdicts)
        return verdicts


def _decided(verdict: Verdict, text: str, reason: str) -> Decision:
    decision = of_verdict(verdict, text, Fate.UNDECIDED_KEPT)
    return replace(decision, reason=reason) if decision.outcome is Fate.DROPPED else decision


def _apply(one: Passing, decided: Sequence[tuple[Any, Decision]], *, is_record: bool) -> None:
    """The decisions on the traces of a row: those of a record go one by one, others take the row with them."""
    stops = [(trace, Stop.of(JUDGE, decision)) for trace, decision in decided if decision is not KEEP]
    if not is_record:
        worst = min((stop for _, stop in stops), key=lambda stop: stop.passes, default=None)
        if worst is not None and not (worst.passes and one.note.stop):
            one.note = replace(one.note, stop=worst)
        return
    gone = {id(trace) for trace, stop in stops if not stop.passes}
    kept = [trace for trace, _ in decided if id(trace) not in gone]
    told = tuple(replace(stop, response=trace.response) for trace, stop in stops)
    left = tuple(length_of(trace) for trace in kept)
    one.note = replace(one.note, traces=(*one.note.traces, *told), left=left)
    if gone:
        content = {**json.loads(one.row), "traces": [trace_to_row(trace) for trace in kept]}
        one.row = json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
