"""What the curves say about the hypothesis. The criteria were fixed in this file before the first run (all (ours)).

Reasoning is the mean of the three domains' held-out accuracy; knowledge the bits stored, the most over all numbers of
facts that were tried. "From there on" is over the last size at or below the 90% size and all larger ones, but for those
that recall all of the most facts that were tried: what more they could store is unknown.

supported        reasoning is at 90% of its plateau within the sizes (the whole interval is), and from there on bits
                 grow at least as parameters^GROWS (the whole interval is above)
contradicted     reasoning has such a plateau, and from there on bits grow no faster than parameters^FLAT; or reasoning
                 has none (the whole interval is beyond the largest size) and bits do, with facts left to learn
cannot be told   everything else, with the reason
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from etalon.studies.compression.curves import Estimate

GROWS = 0.5
FLAT = 0.25
LEARNED = 0.3  # a plateau below it is of a task that was not learned
ALL_RECALLED = 0.99  # of the most facts that were tried: what more could be stored is unknown

State = Literal["supported", "contradicted", "cannot be told"]
Reached = Literal["reached", "not reached in this range", "unclear", "not learned"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Sizes in parameters. near_plateau: of reasoning; growth: power of bits from there on, None where fewer than two
    sizes are left; bits_near_plateau: the same of bits; recalled: share of the most facts that the largest model
    recalls exactly."""

    smallest: float
    largest: float
    top: float
    near_plateau: Estimate
    growth: Estimate | None
    bits_near_plateau: Estimate
    recalled: float
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    state: State
    sentence: str


def reached(near_plateau: Estimate, largest: float, top: float) -> Reached:
    """Whether a plateau was seen within the sizes."""
    if top < LEARNED:
        return "not learned"
    if near_plateau.high <= largest:
        return "reached"
    return "not reached in this range" if near_plateau.low > largest else "unclear"


def conclude(evidence: Evidence) -> Verdict:
    """One sentence, as strong as the numbers."""
    reasoning = reached(evidence.near_plateau, evidence.largest, evidence.top)
    has_plateau = reached(evidence.bits_near_plateau, evidence.largest, 1.0) == "reached"
    growth = evidence.growth
    state: State = "cannot be told"
    if reasoning == "reached" and growth is not None:
        if growth.low >= GROWS:
            state = "supported"
        elif growth.high <= FLAT:
            state = "contradicted"
    elif reasoning == "not reached in this range" and has_plateau and evidence.recalled < ALL_RECALLED:
        state = "contradicted"
    said = f"{_reasoning(evidence, reasoning)}; {_knowledge(evidence, reasoning)}"
    return Verdict(state=state, sentence=f"{_judgement(state, evidence)}: {said}.")


def _judgement(state: State, evidence: Evidence) -> str:
    where = f"from {amount(evidence.smallest)} to {amount(evidence.largest)} parameters, over {evidence.seeds} seeds"
    words = {
        "supported": "The hypothesis is supported at this scale",
        "contradicted": "The hypothesis is contradicted at this scale",
        "cannot be told": "Whether the hypothesis holds at this scale cannot be told",
    }[state]
    return f"{words} ({where})"


def _reasoning(evidence: Evidence, found: Reached) -> str:
    near = evidence.near_plateau
    if found == "not learned":
        return f"no size learned to reason (plateau {evidence.top:.2f}, below {LEARNED:g})"
    if found == "reached":
        return (
            f"reasoning is at 90% of its plateau of {evidence.top:.2f} with {amount(near.value)} parameters "
            f"[{amount(near.low)}, {amount(near.high)}]"
        )
    beyond = f"[{amount(near.low)}, {amount(near.high)}] against a largest model of {amount(evidence.largest)}"
    if found == "unclear":
        return f"whether reasoning has reached its plateau is unclear: 90% of it would be at {beyond}"
    return f"reasoning has no plateau in this range: 90% of it would be at {beyond}"


def _knowledge(evidence: Evidence, reasoning: Reached) -> str:
    growth, there = evidence.growth, "from there on " if reasoning == "reached" else ""
    ran_out = evidence.recalled >= ALL_RECALLED
    if growth is None:
        return f"fewer than two sizes {there}had facts left to learn, so their growth is unknown"
    words = f"bits stored {there}grow as parameters^{growth.value:.2f} [{growth.low:.2f}, {growth.high:.2f}]"
    if not ran_out:
        return words
    return (
        f"{words}, without the largest models, which recall {evidence.recalled:.1%} of the most facts that were tried"
    )


def amount(parameters: float) -> str:
    """12k, 1.2M, or beyond."""
    if parameters == float("inf"):
        return "beyond"
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if parameters >= unit:
            return f"{parameters / unit:.3g}{name}"
    return f"{parameters:.0f}"
