"""Which checkpoint is the specialist of which skill: the highest Pass@K on held-out probing problems (2.1.2).

Not the lowest loss and not the highest Pass@1: the spectrum is what is being selected for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etalon.stats import pass_at_k
from etalon.types import Group


@dataclass(frozen=True, kw_only=True)
class ProbeScore:
    """Pass@1 and Pass@K of one checkpoint on one skill."""

    pass1: float
    passk: float


def score_skills(groups: Sequence[Group], k: int) -> dict[str, ProbeScore]:
    """Scores per skill; rollouts that could not be decided are left out."""
    by_skill: dict[str, list[Group]] = {}
    for group in groups:
        by_skill.setdefault(group.problem.skill or group.problem.domain.value, []).append(group)
    scores = {}
    for skill, members in sorted(by_skill.items()):
        counted = [(len(g.scores), sum(v.is_correct for v in g.verdicts)) for g in members if g.scores]
        if not counted:
            continue
        full = [(n, c) for n, c in counted if n >= k] or counted  # one K for all, unless no problem has K attempts
        scores[skill] = ProbeScore(
            pass1=sum(c / n for n, c in counted) / len(counted),
            passk=sum(pass_at_k(n, c, min(k, n)) for n, c in full) / len(full),
        )
    return scores


def choose_specialists(scores: Mapping[str, Mapping[str, ProbeScore]]) -> dict[str, str]:
    """For each skill the checkpoint with the highest Pass@K; ties go to the higher Pass@1, then to the later one.

    scores: checkpoint name -> skill -> score; checkpoints in training order.
    """
    order = {name: position for position, name in enumerate(scores)}
    skills = sorted({skill for by_skill in scores.values() for skill in by_skill})
    return {
        skill: max(
            (name for name in scores if skill in scores[name]),
            key=lambda name: (scores[name][skill].passk, scores[name][skill].pass1, order[name]),
        )
        for skill in skills
    }


def merge_weights(chosen: Mapping[str, str], weights: Mapping[str, float]) -> dict[str, float]:
    """Weight of each chosen checkpoint: every skill brings its weight (uniform when none is given), sum 1."""
    totals: dict[str, float] = {}
    for skill, name in chosen.items():
        totals[name] = totals.get(name, 0.0) + (weights.get(skill, 0.0) if weights else 1.0)
    total = sum(totals.values())
    return {name: weight / total for name, weight in totals.items() if weight > 0}
