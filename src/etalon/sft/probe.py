"""Which checkpoint is the specialist of which skill: the highest Pass@K on held-out probing problems (2.1.2).

Not the lowest loss and not the highest Pass@1: the spectrum is what is being selected for. Both can be asked for, to
compare with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from etalon.stats import pass_at_k
from etalon.types import Group

Choose = Literal["passk", "pass1", "loss"]


@dataclass(frozen=True, kw_only=True)
class ProbeScore:
    """One checkpoint on one skill. loss: nats per token of reference solutions, None where nobody measured it."""

    pass1: float
    passk: float
    loss: float | None = None

    def worth(self, choose: Choose) -> tuple[float, ...]:
        """What a checkpoint is chosen by, the larger the better: Pass@K, then Pass@1, or the reverse, or the loss."""
        if choose == "loss":
            assert self.loss is not None
            return (-self.loss,)
        return (self.passk, self.pass1) if choose == "passk" else (self.pass1, self.passk)


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


Scores = Mapping[str, Mapping[str, ProbeScore]]  # checkpoint name -> skill -> score; checkpoints in training order


def skill_losses(logprobs: Sequence[tuple[str, Sequence[float]]]) -> dict[str, float]:
    """Mean negative log-probability per token of each skill, over the tokens of all its solutions together.

    logprobs: (skill, of the tokens of one reference solution), in nats.
    """
    by_skill: dict[str, list[float]] = {}
    for skill, own in logprobs:
        by_skill.setdefault(skill, []).extend(own)
    return {skill: -math.fsum(own) / len(own) for skill, own in by_skill.items()}


def choose_specialists(scores: Scores, choose: Choose = "passk") -> dict[str, str]:
    """For each skill the checkpoint with the highest Pass@K; ties go to the higher Pass@1, then to the later one.

    choose: "pass1" has the two change places, "loss" takes the lowest loss, ties to the later.
    """
    order = {name: position for position, name in enumerate(scores)}
    skills = sorted({skill for by_skill in scores.values() for skill in by_skill})
    return {
        skill: max(
            (name for name in scores if skill in scores[name]),
            key=lambda name: (scores[name][skill].worth(choose), order[name]),
        )
        for skill in skills
    }


def best_checkpoint(scores: Scores, choose: Choose = "passk") -> str:
    """The checkpoint that is best on average over the skills; ties as `choose_specialists` has them. (ours)

    A skill that some checkpoint could not be scored on does not count; without any that does, the last is taken.
    """
    order = {name: position for position, name in enumerate(scores)}
    shared = set.intersection(*(set(by_skill) for by_skill in scores.values()))

    def worth(name: str) -> tuple[float, ...]:
        values = [scores[name][skill].worth(choose) for skill in sorted(shared)]
        return tuple(math.fsum(column) / len(values) for column in zip(*values, strict=True))

    return max(scores, key=lambda name: (worth(name), order[name]))


def merge_weights(chosen: Mapping[str, str], weights: Mapping[str, float]) -> dict[str, float]:
    """Weight of each chosen checkpoint: every skill brings its weight (uniform when none is given), sum 1."""
    totals: dict[str, float] = {}
    for skill, name in chosen.items():
        totals[name] = totals.get(name, 0.0) + (weights.get(skill, 0.0) if weights else 1.0)
    total = sum(totals.values())
    return {name: weight / total for name, weight in totals.items() if weight > 0}
