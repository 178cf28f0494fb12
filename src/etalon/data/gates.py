"""Quality control (2.1.1 step 4): each gate lets rows pass and reports how many it dropped, why, with examples.

    overlap_gate      overlap of a query with evaluation sets
    trace_gate        what rules find in a response: loops, broken thoughts, control tokens, other scripts, ...
    correctness_gate  the verdict on the response
    length_gate       too long for the window, or empty

An undecided check is not a failed one: it is counted on its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from etalon.data.contamination.index import Hit, Index
from etalon.data.gate_reports import Example, GateReport
from etalon.data.traces import Fault, Thoughts, fault
from etalon.types import Problem, Trace, Verdict

Row = TypeVar("Row")

MAX_EXAMPLES = 3  # per reason
MAX_TEXT = 300  # characters of an example
OVERLAP = "overlap with an evaluation set"


class Fate(Enum):
    KEPT = "kept"
    DROPPED = "dropped"
    UNDECIDED = "undecided"  # not kept
    UNDECIDED_KEPT = "undecided, kept"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a gate does with one row; `text` is what an example of the reason shows."""

    outcome: Fate
    reason: str = ""
    text: str = ""


KEEP = Decision(outcome=Fate.KEPT)


@dataclass(frozen=True, kw_only=True)
class Gated(Generic[Row]):
    """The rows that passed a gate, in order, and its report."""

    kept: tuple[Row, ...]
    report: GateReport


class Sieve:
    """Counts the decisions of one gate as they come; keeps no rows."""

    def __init__(self, gate: str) -> None:
        self.gate = gate
        self.kept = 0
        self.outcomes: Counter[Fate] = Counter()
        self.reasons: Counter[str] = Counter()
        self.examples: list[Example] = []
        self.groups: dict[tuple[str, str], Counter[str]] = {}

    def passes(self, decision: Decision, group: tuple[str, str] | None = None) -> bool:
        """Count one row; whether it passes. group: its domain and source, where the counts of each are wanted."""
        self.outcomes[decision.outcome] += 1
        if decision.outcome is not Fate.KEPT:
            self.reasons[decision.reason] += 1
            if self.reasons[decision.reason] <= MAX_EXAMPLES:
                self.examples.append(Example(reason=decision.reason, text=excerpt(decision.text)))
        is_kept = decision.outcome in (Fate.KEPT, Fate.UNDECIDED_KEPT)
        self.kept += is_kept
        if group is not None:
            self.groups.setdefault(group, Counter())["" if is_kept else decision.reason] += 1
        return is_kept

    def report(self) -> GateReport:
        """What the gate did so far, the most frequent reason first."""
        return GateReport(
            gate=self.gate,
            kept=self.kept,
            dropped=self.outcomes[Fate.DROPPED],
            undecided=self.outcomes[Fate.UNDECIDED] + self.outcomes[Fate.UNDECIDED_KEPT],
            reasons=dict(sorted(self.reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
            examples=tuple(self.examples),
            groups=self.groups,
        )


def sift(gate: str, decided: Iterable[tuple[Row, Decision]]) -> Gated[Row]:
    """The rows that pass, and the count of the others by reason, the most frequent first."""
    sieve = Sieve(gate)
    kept = [row for row, decision in decided if sieve.passes(decision)]
    return Gated(kept=tuple(kept), report=sieve.report())


def excerpt(text: str) -> str:
    """The beginning and the end of a text that is too long to show whole."""
    half = MAX_TEXT // 2
    return text if len(text) <= MAX_TEXT else f"{text[:half]} [...] {text[-half:]}"


def drop(reason: str, text: str) -> Decision:
    return Decision(outcome=Fate.DROPPED, reason=reason, text=text)


def of_fault(found: Fault | None) -> Decision:
    """The decision that a fault of a trace stands for; its passage is the example."""
    return KEEP if found is None else drop(found.kind, found.detail)


def trace_gate(traces: Sequence[Trace], *, max_repetition: float = 0.5, thoughts: Thoughts = "whole") -> Gated[Trace]:
    """Drop the traces in which rules find a fault: loops, broken thoughts, control tokens, ... (`data.traces`)."""

    def decide(trace: Trace) -> Decision:
        return of_fault(
            fault(
                trace.response,
                prompt=trace.prompt,
                domain=trace.domain,
                max_share=max_repetition,
                thoughts=thoughts,
            )
        )

    return sift("trace", ((trace, decide(trace)) for trace in traces))


def overlap_gate(problems: Sequence[Problem], held_out: Index, *, drop_near: bool = False) -> Gated[Problem]:
    """Drop problems that hold a held-out item in any of their texts, before anything is sampled for them.

    drop_near: also those that differ from one in its numbers only.
    """

    sieve, kept = Sieve("overlap"), []
    for problem in problems:
        decision = of_hit(held_out.find(texts_of(problem)), problem.prompt, drop_near=drop_near)
        if sieve.passes(decision, (problem.domain.value, problem.source)):
            kept.append(problem)
    return Gated(kept=tuple(kept), report=sieve.report())


def trace_overlap_gate(traces: Sequence[Trace], held_out: Index, *, drop_near: bool = False) -> Gated[Trace]:
    """Drop traces that hold a held-out item: a problem that a teacher made up stands in a response."""

    def decide(trace: Trace) -> Decision:
        return of_hit(held_out.find([trace.prompt, trace.response]), trace.response, drop_near=drop_near)

    return sift("overlap of traces", ((trace, decide(trace)) for trace in traces))


def texts_of(problem: Problem) -> list[str]:
    """Every text of a problem that may hold an item: its prompt, its options, the solutions that came with it."""
    return [problem.prompt, *(problem.options or {}).values(), *problem.solutions]


def of_hit(hit: Hit | None, text: str, *, drop_near: bool = False) -> Decision:
    """The decision that an item found in a row stands for; a near one passes unless it is asked for."""
    if hit is None or (hit.is_near and not drop_near):
        return KEEP
    return drop(OVERLAP, f"{hit.benchmark} {hit.row}, {hit.share:.2f} of it: {hit.span} | {text}")


def correctness_gate(pairs: Sequence[tuple[Trace, Verdict]]) -> Gated[Trace]:
    """Keep the traces whose answer is right; what could not be decided is not kept either, nor called wrong."""
    return sift(
        "correctness", ((trace, of_verdict(verdict, trace.response, Fate.UNDECIDED)) for trace, verdict in pairs)
    )


def length_gate(traces: Sequence[Trace], *, max_tokens: int, min_tokens: int = 1) -> Gated[Trace]:
    """Keep the traces of min_tokens to max_tokens tokens."""

    def decide(trace: Trace) -> Decision:
        if trace.num_tokens > max_tokens:
            return drop(f"longer than {max_tokens} tokens", trace.response)
        if trace.num_tokens < min_tokens:
            return drop(f"shorter than {min_tokens} tokens", trace.response)
        return KEEP

    return sift("length", ((trace, decide(trace)) for trace in traces))


def of_verdict(verdict: Verdict, text: str, undecided: Fate) -> Decision:
    """The decision a verdict stands for. A reason is counted up to its first colon: details would never repeat."""
    if verdict.is_correct:
        return KEEP
    reason = verdict.reason.partition(":")[0].strip() or "wrong"
    if verdict.is_undecided:
        return Decision(outcome=undecided, reason=f"undecided: {reason}", text=text)
    return drop(reason, text)
