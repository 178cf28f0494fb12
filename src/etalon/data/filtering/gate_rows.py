"""The gates that look at one row alone, as work that travels.

row -> read -> overlap of every text in it with benchmarks -> its traces, by rules -> their verdicts, if asked for

A row is written as it was, or not at all; of a record (a row with `traces`) single traces may go. Several responses in
a row of another format go together: one that is broken takes the row with it, for nobody knows which columns belong to
which. A row that cannot be read, or has neither a question nor a response, is undecided and not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from etalon.data.contamination.index import LEAST_SHARE, Index, Rule
from etalon.data.contamination.rows import texts_of
from etalon.data.filtering.notes import CORRECTNESS, OVERLAP, READ, TRACE, Group, Note, Overlap, Stop, to_line
from etalon.data.gates import KEEP, Decision, Fate, drop, of_fault, of_hit, of_verdict
from etalon.data.records import ErrorRate, record_of
from etalon.data.step_reports import length_of
from etalon.data.traces import Thoughts, fault
from etalon.errors import InputError
from etalon.problems.cases import has_tests
from etalon.problems.formats import Reading, read_row
from etalon.problems.formats.columns import IDS, reference_of, row_id, structured
from etalon.problems.given.traces import GivenTrace, trace_to_row, traces_of
from etalon.problems.texts import prompt_of
from etalon.rows.files import Row
from etalon.rows.mapping import AS_NAMED, ColumnMap, missing
from etalon.rows.work import RowFunction
from etalon.types import Domain, Problem
from etalon.verifiers import verify

OPEN = Reading(needs_reference=False)
SOURCES = ("source", "data_source", "dataset")
CALLED_WRONG = "the data set calls it wrong"
NO_REFERENCE = "undecided: no reference, kept"


@dataclass(frozen=True, kw_only=True)
class GateRows:
    """against: what no row may hold, None for nothing. drop_near: also items with other numbers.

    max_repetition: share of repeated n-grams above which a response is degenerate. thoughts: what a response must have
    in front of its answer. verifies: whether responses are held against the references of their rows.
    columns: other names of the columns that are looked at. threads: rows at a time in one process.
    """

    against: Rule | None = None
    drop_near: bool = False
    max_repetition: float = 0.5
    thoughts: Thoughts = "whole"
    verifies: bool = False
    columns: ColumnMap = AS_NAMED
    threads: int = 1

    def start(self) -> RowFunction:
        """Build the index of the benchmarks; the function gives one line of note and row per row."""
        index = self.against.start() if self.against else None
        return lambda row: self._line(row, index)

    def _line(self, row: Row, index: Index | None) -> bytes:
        try:
            found, prompt, traces = read(row, self.columns)
        except InputError as error:
            told = str(error)
            undecided = Decision(outcome=Fate.UNDECIDED, reason=_kind(told), text=_shown(row))
            return to_line(Note(stop=Stop.of(READ, undecided, told=told)), b"")
        sizes = tuple(length_of(trace) for trace in traces)
        note = Note(
            group=group_of(found), id=row_id(found, *IDS), sizes=sizes, left=sizes, rates=_rates(found),
            license=str(found.get("license") or ""),
        )  # fmt: skip
        if index is not None:
            note = self._overlapping(note, row, prompt, index)
        is_record = isinstance(found.get("traces"), list)
        if note.stop is None and traces:
            note, kept = self._traced(note, found, prompt, traces, is_record=is_record)
            if is_record and kept != list(traces):
                content = {**(row.columns or {}), "traces": [trace_to_row(trace) for trace in kept]}
                return to_line(note, json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        return to_line(note, row.line())

    def _overlapping(self, note: Note, row: Row, prompt: str | None, index: Index) -> Note:
        texts = list(texts_of(row.columns))
        some = index.find(texts, threshold=LEAST_SHARE)
        if some is None:
            return note
        hit = index.find(texts)
        if hit is None:
            return replace(note, share=0.0 if some.is_near else some.share)
        note = replace(note, hit=Overlap(**asdict(hit)), share=0.0 if hit.is_near else hit.share)
        decision = of_hit(hit, prompt or "", drop_near=self.drop_near)
        return note if decision is KEEP else replace(note, stop=Stop.of(OVERLAP, decision))

    def _traced(
        self, note: Note, found: Mapping[str, Any], prompt: str | None, traces: Sequence[GivenTrace], *, is_record: bool
    ) -> tuple[Note, list[GivenTrace]]:
        """The note with what is wrong with the traces, and those that are kept."""
        problem = _problem(found) if self.verifies else None
        stops: list[Stop] = []
        kept = []
        for trace in traces:
            if (stop := self._stop(trace, found, prompt, problem)) is None:
                kept.append(replace(trace, is_correct=True) if problem else trace)
                if self.verifies and problem is None and is_record:
                    unknown = Decision(outcome=Fate.UNDECIDED_KEPT, reason=NO_REFERENCE, text=trace.response)
                    stops.append(Stop.of(CORRECTNESS, unknown))
            else:
                stops.append(replace(stop, response=trace.response) if is_record else stop)
        if is_record:
            left = tuple(length_of(trace) for trace in kept)
            return replace(note, traces=tuple(stops), read=len(traces), left=left), kept
        broken = [stop for stop in stops if stop.gate == TRACE]
        worst = broken[0] if broken else stops[0] if stops and not kept else None
        return replace(note, stop=worst), kept

    def _stop(
        self, trace: GivenTrace, found: Mapping[str, Any], prompt: str | None, problem: Problem | None
    ) -> Stop | None:
        """Why a trace is not kept, None for one that is."""
        why = fault(
            trace.response,
            prompt=prompt or "",
            answer=_answer(found),
            domain=_domain(found),
            is_complete=trace.is_complete,
            thoughts=self.thoughts,
            max_share=self.max_repetition,
        )
        if why is not None:
            return Stop.of(TRACE, of_fault(why))
        if problem is not None:
            decided = of_verdict(verify(problem, trace.response), trace.response, Fate.UNDECIDED)
            return None if decided.outcome is Fate.KEPT else Stop.of(CORRECTNESS, decided)
        return Stop.of(CORRECTNESS, drop(CALLED_WRONG, trace.response)) if trace.is_correct is False else None


def read(row: Row, columns: ColumnMap) -> tuple[Mapping[str, Any], str | None, tuple[GivenTrace, ...]]:
    """(columns, question, responses) of a row that has a question or a response; InputError for any other."""
    if row.columns is None:
        raise InputError(row.why)
    found = structured(columns.apply(row.columns))
    prompt, traces = prompt_of(found), traces_of(found)
    if prompt is None and not traces:
        try:  # a format of the field, whose question is put together
            prompt = read_row(found, OPEN)[1].prompt
        except InputError:
            raise missing(found, "prompt", "response") from None
    return found, prompt, traces


def group_of(found: Mapping[str, Any]) -> Group:
    """(domain, source) of a row as its columns say them, "" for what they do not."""
    source = next((found[name] for name in SOURCES if isinstance(found.get(name), str)), "")
    domain = _domain(found)
    return domain.value if domain else "", source


def _rates(found: Mapping[str, Any]) -> dict[str, float]:
    """The error rates of a record, by model."""
    own = found.get("error_rates")
    return {model: ErrorRate(**rate).share for model, rate in own.items()} if isinstance(own, dict) else {}


def _domain(found: Mapping[str, Any]) -> Domain | None:
    own = found.get("domain")
    if isinstance(own, str) and own in list(Domain):
        return Domain(own)
    return Domain.CODE if has_tests(found) else None


def _answer(found: Mapping[str, Any]) -> str | None:
    reference = reference_of(found)
    return reference[1] if reference and isinstance(reference[1], str) else None


def _problem(found: Mapping[str, Any]) -> Problem | None:
    """The problem of a row whose reference can decide a response; None without one."""
    try:
        problem = record_of(found).problem
    except InputError:
        return None
    decides = problem.answer is not None or problem.tests or problem.rules
    return problem if decides else None


def _kind(why: str) -> str:
    """A reason as it is counted: without what is different in every row."""
    return "unreadable: " + re.sub(r"; columns found.*| \(.*|^found .*, (?=expected)", "", why, flags=re.DOTALL)


def _shown(row: Row) -> str:
    return (row.text or row.line()).decode("utf-8", "replace").strip() if row.text or row.columns else row.why
