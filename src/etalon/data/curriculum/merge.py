"""The records of one problem as one record, the same whatever their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from etalon.data.records import ErrorRate, Record, record_to_row
from etalon.problems.formats.generic import lacks
from etalon.problems.given.traces import GivenTrace
from etalon.store import to_json

MOST_ORIGINS = 8  # (ours) places named of a problem that stands in many


def merged(records: Sequence[Record]) -> Record:
    """One record of all traces, error rates, votes, solutions and licences.

    The problem is that of the first record that has a reference, in the order of their content. Of error rates and
    votes equal ones are taken for copies, others are added up.
    """
    if len(records) == 1:
        [only] = records
        return replace(only, traces=united(only.traces))
    ordered = sorted(records, key=lambda record: (bool(lacks(record.problem)), to_json(record_to_row(record))))
    first = ordered[0]
    solutions = _each_once(one for record in ordered for one in record.problem.solutions)
    return replace(
        first,
        problem=replace(first.problem, solutions=solutions),
        traces=united([trace for record in ordered for trace in record.traces]),
        error_rates=_rates(ordered),
        votes=_votes(ordered),
        license=" AND ".join(sorted({record.license for record in ordered if record.license})),
        origin=_origins(ordered),
    )


def united(traces: Sequence[GivenTrace]) -> tuple[GivenTrace, ...]:
    """Every response once, in the order of the texts, with all that is said of it; what is contradicted is unknown."""
    by_response: dict[str, list[GivenTrace]] = defaultdict(list)
    for trace in traces:
        by_response[trace.response].append(trace)
    return tuple(
        GivenTrace(
            response=response,
            is_correct=_agreed(one.is_correct for one in same),
            is_complete=_agreed(one.is_complete for one in same),
            model=max(one.model for one in same),
            num_tokens=max(one.num_tokens for one in same),
        )
        for response, same in sorted(by_response.items())
    )


def _agreed(said: Iterable[bool | None]) -> bool | None:
    found = {one for one in said if one is not None}
    return found.pop() if len(found) == 1 else None


def _each_once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _rates(records: Sequence[Record]) -> Mapping[str, ErrorRate]:
    found: dict[str, set[ErrorRate]] = defaultdict(set)
    for record in records:
        for model, rate in record.error_rates.items():
            found[model].add(rate)
    return {model: _rate(rates) for model, rates in sorted(found.items())}


def _rate(rates: Iterable[ErrorRate]) -> ErrorRate:
    """Counted attempts add up; where nobody counted, the mean of the shares that are stated."""
    if counted := [rate for rate in rates if rate.stated is None]:
        return ErrorRate(wrong=sum(one.wrong for one in counted), attempts=sum(one.attempts for one in counted))
    shares = sorted(rate.share for rate in rates)
    return ErrorRate(stated=round(sum(shares) / len(shares), 12))


def _votes(records: Sequence[Record]) -> Mapping[str, int]:
    votes: dict[str, int] = defaultdict(int)
    for ballot in sorted({tuple(sorted(record.votes.items())) for record in records}):
        for answer, count in ballot:
            votes[answer] += count
    return dict(votes)


def _origins(records: Sequence[Record]) -> str:
    found = sorted({record.origin for record in records if record.origin})
    more = len(found) - MOST_ORIGINS
    return "; ".join(found[:MOST_ORIGINS]) + (f"; and {more} more" if more > 0 else "")
