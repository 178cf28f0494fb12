"""Difficulty (2.1.2, stage 2): how often a reference model fails a query, measured by asking it.

records -> n calls each -> verdicts -> Record.error_rates[model] = ErrorRate(wrong, attempts), of decided attempts only
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from etalon.data.calls.remembered import Remembered
from etalon.data.records import ErrorRate, Record
from etalon.sampling.single import Ask, to_ask_singly
from etalon.types import Conversation, Rollout, SamplingParams, Verdict, Verifier
from etalon.verifiers import verify_all

TOGETHER = 256  # (ours) records whose responses are in memory while they are verified


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Records with their error rates. unmeasured: those of which no attempt could be decided; they carry no rate."""

    records: tuple[Record, ...]
    unmeasured: int
    undecided: int  # attempts, of all


def measure_error_rates(
    records: Sequence[Record],
    model: Remembered,
    *,
    n: int,
    params: SamplingParams,
    seed: int,
    name: str = "",
    system: str = "",
    workers: int = 4,
    verifier: Verifier | None = None,
) -> Measured:
    """The records in order, each with the error rate of the reference model over n attempts.

    A response that was cut is wrong; a failed call, a bad reference and a grader that failed are no attempt. Options
    of a problem with `shuffle` stand in an order of each attempt's own.

    Args:
        name: what the rate is kept under, default the model's name; a rate that is there under it is replaced.
        verifier: in place of the domains' own.
    """
    asked = _asks(records, n, seed=seed, system=system)
    model.fill(_pairs(asked), params=params, seed=seed)
    kept: list[Record] = []
    undecided = 0
    for start in range(0, len(records), TOGETHER):
        part = records[start : start + TOGETHER]
        own = asked[start * n : (start + len(part)) * n]
        items = [(part[place // n].problem, _answer(model, one, params, seed)) for place, one in enumerate(own)]
        verdicts = verify_all(items, workers, verifier=verifier)
        undecided += sum(verdict.is_undecided for verdict in verdicts)
        kept += _rated(part, verdicts, n, name or model.name)
    unmeasured = sum((name or model.name) not in record.error_rates for record in kept)
    return Measured(records=tuple(kept), unmeasured=unmeasured, undecided=undecided)


def calls_of(records: Sequence[Record], n: int, *, seed: int, system: str = "") -> list[tuple[Conversation, int]]:
    """What `measure_error_rates` asks: conversation, index of the sample."""
    return _pairs(_asks(records, n, seed=seed, system=system))


def _asks(records: Sequence[Record], n: int, *, seed: int, system: str) -> list[Ask]:
    indices = [(position, index) for position in range(len(records)) for index in range(n)]
    return to_ask_singly([record.problem for record in records], indices, seed=seed, system=system)


def _pairs(asked: Sequence[Ask]) -> list[tuple[Conversation, int]]:
    return [(one.conversation, one.index) for one in asked]


def _answer(model: Remembered, asked: Ask, params: SamplingParams, seed: int) -> Rollout:
    rollout = model.rollout(asked.conversation, asked.index, params=params, seed=seed)
    return replace(rollout, problem_id=asked.problem_id, order=asked.order)


def _rated(records: Sequence[Record], verdicts: Sequence[Verdict], n: int, name: str) -> Iterator[Record]:
    for place, record in enumerate(records):
        decided = [one for one in verdicts[place * n : (place + 1) * n] if not one.is_undecided]
        rates = {model: rate for model, rate in record.error_rates.items() if model != name}
        if decided:
            wrong = sum(not one.is_correct for one in decided)
            rates[name] = ErrorRate(wrong=wrong, attempts=len(decided))
        yield replace(record, error_rates=rates)
