"""Pseudo-labels (2.1.1 step 2): the majority answer of a teacher, by equivalence, if enough of its answers agree.

problem + n answers -> clusters of equivalent answers -> the only largest -> share of all n >= agreement -> label
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from etalon.data.gates import KEEP, Decision, Gated, drop, sift
from etalon.types import Problem

Cluster = Callable[[Sequence[str | None]], list[int | None]]


@dataclass(frozen=True, kw_only=True)
class Label:
    """The majority answer and how strong it is; `answer` is None, with a reason, when there is none.

    agreement: votes for the answer over all answers, those that could not be read included.
    """

    answer: str | None
    votes: int
    agreement: float
    reason: str


def pseudo_label(answers: Sequence[str | None], *, agreement: float, cluster: Cluster | None = None) -> Label:
    """The label that a teacher's answers to one query make.

    Args:
        answers: final answers, None where a response had none.
        agreement: smallest share of the majority answer.
        cluster: which answers are equivalent; default `etalon.verifiers.cluster`.
    """
    groups = (cluster or _equivalence())(answers)
    assert len(groups) == len(answers)
    votes = Counter(group for group in groups if group is not None).most_common()
    if not votes:
        return Label(answer=None, votes=0, agreement=0.0, reason="no answer could be read")
    winner, num_votes = votes[0]
    share = num_votes / len(answers)
    if len(votes) > 1 and votes[1][1] == num_votes:
        return Label(answer=None, votes=num_votes, agreement=share, reason="tie between answers")
    if share < agreement:
        return Label(answer=None, votes=num_votes, agreement=share, reason=f"agreement below {agreement:g}")
    spellings = Counter(answer for answer, group in zip(answers, groups, strict=True) if group == winner and answer)
    answer = min(spellings, key=lambda spelling: (-spellings[spelling], len(spelling), spelling))
    return Label(answer=answer, votes=num_votes, agreement=share, reason="majority")


def label_problems(
    pairs: Sequence[tuple[Problem, Sequence[str | None]]], *, agreement: float, cluster: Cluster | None = None
) -> Gated[Problem]:
    """The problems with their majority answers filled in; those without a label are dropped, with the reason."""

    def decided(problem: Problem, answers: Sequence[str | None]) -> tuple[Problem, Decision]:
        label = pseudo_label(answers, agreement=agreement, cluster=cluster)
        if label.answer is None:
            shown = ", ".join(str(answer) for answer in answers)
            return problem, drop(label.reason, f"{problem.prompt} | answers: {shown}")
        return replace(problem, answer=label.answer), KEEP

    return sift("label", (decided(problem, answers) for problem, answers in pairs))


def _equivalence() -> Cluster:
    from etalon.verifiers import cluster  # the math parser loads when an answer is compared, not before

    return cluster
