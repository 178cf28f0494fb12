"""Groups of rollouts with given scores and lengths, for tests. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.types import Domain, Group, Problem, Rollout, Stop, Verdict


def make_group(
    scores: Sequence[float | None], lengths: Sequence[int] | None = None, *, problem_id: str = "p", skill: str = ""
) -> Group:
    """One rollout per score; lengths default to 10 tokens each. None is undecided."""
    sizes = lengths or [10] * len(scores)
    return Group(
        problem=Problem(id=problem_id, domain=Domain.MATH, prompt="1+1=?", answer="2", skill=skill),
        rollouts=tuple(
            Rollout(problem_id=problem_id, index=i, text="", stop=Stop.EOS, num_tokens=size)
            for i, size in enumerate(sizes)
        ),
        verdicts=tuple(Verdict(score=s, reason="given") for s in scores),
    )
