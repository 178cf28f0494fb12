"""The traces of a record as rows to learn from, and which of them count as right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from etalon.data.gates import KEEP, Decision, drop
from etalon.data.records import Record
from etalon.problems.given.traces import GivenTrace
from etalon.types import Domain, Trace

WRONG, UNVERIFIED, CUT = "wrong", "nothing says whether it is right", "cut"


class Wanted(Protocol):
    """What is asked of a trace: `BuildSpec` is one."""

    @property
    def max_tokens(self) -> int | None: ...

    @property
    def unverified(self) -> bool: ...


def right(trace: GivenTrace, wanted: Wanted) -> Decision:
    """Whether a trace may be learnt from."""
    if trace.is_complete is False:
        return drop(CUT, trace.response)
    if trace.is_correct is False:
        return drop(WRONG, trace.response)
    if trace.is_correct is None and not wanted.unverified:
        return drop(UNVERIFIED, trace.response)
    if wanted.max_tokens is not None and trace.num_tokens > wanted.max_tokens:
        return drop(f"longer than {wanted.max_tokens} tokens", trace.response)
    return KEEP


def rows_of(record: Record, reference: str | None) -> list[Trace]:
    """One trace a response, with the error rate of the reference model; None where that was not measured."""
    problem, rate = record.problem, record.error_rates.get(reference or "")
    return [
        Trace(
            problem_id=problem.id,
            domain=problem.domain,
            prompt=problem.prompt,
            response=one.response,
            num_tokens=one.num_tokens,
            error_rate=None if rate is None else rate.share,
            source=one.model or problem.source,
        )
        for one in record.traces
    ]


def told_by(record: Record) -> dict[str, Any]:
    """What a row of a trace says beside the trace: where its problem is from, and under which licence."""
    beside = {"license": record.license, "origin": record.origin, "cluster": record.cluster}
    return {name: value for name, value in beside.items() if value}


def trace_to_row(trace: Trace) -> dict[str, Any]:
    """The trace as JSON values: what a data stage or `etalon data build` writes and an sft stage reads."""
    return asdict(trace)


def trace_from_row(row: Mapping[str, Any]) -> Trace:
    """The trace that `trace_to_row` wrote."""
    return Trace(**{**row, "domain": Domain(row["domain"])})
