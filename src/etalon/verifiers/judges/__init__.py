"""A language model as judge, through any Sampler: are two answers equal, is a query usable, a trace, is a rubric met?

    prompt file + fenced texts -> one sample at temperature 0 -> strict Yes or No -> Verdict

The last line of the reply must be Yes or No. An unreadable reply is asked for once more, then it is undecided; so is a
failed call. A judge never turns its own failure into a wrong answer.

asking.py        Judge: what it is shown, what counts as its reply; its simplest questions: is a query usable, a trace?
equivalence.py   is an answer the reference? and where that is asked after the rules
rubric.py        a score of weighted criteria
"""

from etalon.types import Criterion
from etalon.verifiers.judges.asking import (
    ATTEMPTS,
    PARAMS,
    Judge,
    fill,
    judge_queries,
    judge_traces,
    query_quality_judge,
    read_yes_no,
)
from etalon.verifiers.judges.equivalence import equivalence_judge, joint_verifier, second_opinions
from etalon.verifiers.judges.rubric import (
    Graded,
    RubricVerdict,
    judge_rubrics,
    review_rubrics,
    rubric_reward,
    rubric_verifier,
)

__all__ = [
    "ATTEMPTS",
    "PARAMS",
    "Criterion",
    "Graded",
    "Judge",
    "RubricVerdict",
    "equivalence_judge",
    "fill",
    "joint_verifier",
    "judge_queries",
    "judge_rubrics",
    "judge_traces",
    "query_quality_judge",
    "read_yes_no",
    "review_rubrics",
    "rubric_reward",
    "rubric_verifier",
    "second_opinions",
]
