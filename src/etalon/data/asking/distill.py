"""Distillation (2.1.1 step 3): several responses of a teacher to every query, as traces of its record.

records -> n calls each -> GivenTrace(response, is_complete, model, num_tokens) behind the traces that came with it

Whether a trace is right is for the gates to say: nothing is dropped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from etalon.data.asking.label import calls_of
from etalon.data.calls.remembered import Remembered
from etalon.data.gates import KEEP, Decision, Fate, Gated, Sieve, drop
from etalon.data.records import Record
from etalon.errors import RunError
from etalon.problems.given.traces import GivenTrace
from etalon.types import Rollout, SamplingParams, Stop, ask


def distill_records(
    records: Sequence[Record], teacher: Remembered, *, n: int, params: SamplingParams, seed: int
) -> Gated[Record]:
    """The records in order, each with a teacher's responses to n calls as further traces.

    The report counts calls: kept as a trace, undecided where a call failed, dropped where a response was empty. A
    record whose calls all failed stays as it was. Raises RunError where not one trace came.
    """
    teacher.fill(calls_of(records, n), params=params, seed=seed)
    sieve, kept = Sieve("distill"), list[Record]()
    for record in records:
        traces = []
        for index in range(n):
            rollout = teacher.rollout(ask(record.problem.prompt), index, params=params, seed=seed)
            if sieve.passes(_decision(rollout), record.group):
                traces.append(trace_of(rollout, model=teacher.name))
        kept.append(replace(record, traces=(*record.traces, *traces)))
    report = sieve.report()
    if not report.kept:
        told = f"none of {len(records) * n} calls gave a trace: {next(iter(report.reasons), 'there is no query')}"
        raise RunError(f"{teacher.name}: {told}")
    return Gated(kept=tuple(kept), report=report)


def trace_of(rollout: Rollout, *, model: str) -> GivenTrace:
    """A response as a trace; one that was cut is not complete."""
    return GivenTrace(
        response=rollout.text, is_complete=rollout.stop is Stop.EOS, model=model, num_tokens=rollout.num_tokens
    )


def _decision(rollout: Rollout) -> Decision:
    if rollout.stop is Stop.ERROR:
        return Decision(outcome=Fate.UNDECIDED, reason="undecided: the call failed", text=rollout.error)
    return KEEP if rollout.text.strip() else drop("empty response", "")
