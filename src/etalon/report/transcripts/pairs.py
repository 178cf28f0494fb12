"""Before and after: which problems tell what a stage did, the mended beside the broken, chosen by rule alone.

candidates: problems that two evaluations share     preferred: domains that the stage trains on
pairs_of(...) -> three that it mended most, two that it broke most, one that fails before and after
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from etalon.report.transcripts.rows import Answers, Question, kind_of

Change = Literal["mended", "broken", "unsolved", "unchanged"]
NUM_MENDED, NUM_BROKEN, NUM_SAME = 3, 2, 1  # (ours)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One problem before and after a stage, with a rollout of each side that shows the change."""

    change: Change
    question: Question
    before: Answers = field(repr=False)
    after: Answers = field(repr=False)
    shown_before: Mapping[str, Any] = field(repr=False)
    shown_after: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A problem that both evaluations decided. moved: the change of its solve rate."""

    question: Question
    before: Answers = field(repr=False)
    after: Answers = field(repr=False)
    moved: float


def shifts_of(
    asked: Mapping[str, Question], before: Mapping[str, Answers], after: Mapping[str, Answers]
) -> list[Shift]:
    """What two evaluations have in common, in the order in which the later one asked."""
    found = []
    for key, later in after.items():
        earlier = before.get(key)
        if earlier is None or earlier.rate is None or later.rate is None:
            continue
        question = asked.get(key) or Question.model_validate({"id": key})
        found.append(Shift(question=question, before=earlier, after=later, moved=later.rate - earlier.rate))
    return found


def pairs_of(shifts: Sequence[Shift], preferred: Collection[str]) -> list[Pair]:
    """At most six: the most mended, the most broken, and one that stays unsolved or, if none does, as it was.

    Mended and unsolved ones come from the preferred domains as long as these have any; of the broken ones the first
    does too, the others come from the domain that lost most on average. Domains take turns where several are as good,
    and of problems that moved alike the one asked first is taken.
    """
    means = _means(shifts)
    gaining = sorted(means, key=lambda domain: -means[domain])
    losing = gaining[::-1]
    first = [domain for domain in gaining if domain in preferred]
    mended = _in_turn([one for one in shifts if one.moved > 0], [first, gaining], lambda one: -one.moved)
    fell = [one for one in shifts if one.moved < 0]
    broken = _in_turn(fell, [first], lambda one: one.moved)[:1]
    rest = [one for one in fell if not broken or one is not broken[0]]
    broken += sorted(rest, key=lambda one: (losing.index(one.question.domain), one.moved))
    still = [one for one in shifts if one.moved == 0]
    unsolved = _in_turn([one for one in still if one.after.rate == 0], [first, losing], lambda one: 0.0)
    same = unsolved or _in_turn(still, [first, losing], lambda one: 0.0)
    chosen: list[tuple[Change, Shift]] = [
        *(("mended", one) for one in mended[:NUM_MENDED]),
        *(("broken", one) for one in broken[:NUM_BROKEN]),
        *(("unsolved" if unsolved else "unchanged", one) for one in same[:NUM_SAME]),
    ]
    return [_pair(change, one) for change, one in chosen]


def _means(shifts: Sequence[Shift]) -> dict[str, float]:
    """The mean change of every domain."""
    moved: dict[str, list[float]] = {}
    for one in shifts:
        moved.setdefault(one.question.domain, []).append(one.moved)
    return {domain: sum(own) / len(own) for domain, own in moved.items()}


def _in_turn(shifts: Sequence[Shift], tiers: Sequence[Sequence[str]], key: Callable[[Shift], float]) -> list[Shift]:
    """The best of every domain of a tier, then the second best of each, and so on; a later tier has what is left."""
    found: list[Shift] = []
    taken: set[str] = set()
    for tier in tiers:
        own = [
            sorted((one for one in shifts if one.question.domain == domain), key=key)
            for domain in tier
            if domain not in taken
        ]
        taken.update(tier)
        for place in range(max(map(len, own), default=0)):
            found += [ranked[place] for ranked in own if place < len(ranked)]
    return found


def _pair(change: Change, one: Shift) -> Pair:
    was, comes = {"mended": (False, True), "broken": (True, False)}.get(change, (False, False))
    return Pair(
        change=change,
        question=one.question,
        before=one.before,
        after=one.after,
        shown_before=sample(one.before, is_right=was),
        shown_after=sample(one.after, is_right=comes),
    )


def sample(answers: Answers, *, is_right: bool) -> Mapping[str, Any]:
    """The first right rollout, or the first wrong one: one that gives a wrong answer rather than none."""
    liked = ("right",) if is_right else ("wrong", "no answer", "cut", "undecided", "failed")
    kinds = [kind_of(rollout) for rollout in answers.rollouts]
    found = next((kind for kind in liked if kind in kinds), kinds[0])
    return answers.rollouts[kinds.index(found)]
