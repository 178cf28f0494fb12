"""A language model as judge, through any Sampler: are two answers equivalent, is a query usable, is a rubric met?

    prompt file + fenced texts -> one sample at temperature 0 -> strict Yes or No -> Verdict

The last line of the reply must be Yes or No. An unreadable reply is asked for once more, then it is undecided; so is a
failed call. A judge never turns its own failure into a wrong answer.

contract.py      what goes into a prompt and what counts as a reply
asking.py        Judge: asks in batches, asks again, remembers
equivalence.py   is an answer the reference? and where that is asked after the rules
quality.py       is a query usable?
rubric.py        a score of weighted criteria
"""

from etalon.verifiers.judges.asking import ATTEMPTS, PARAMS, Judge
from etalon.verifiers.judges.contract import fill, read_yes_no
from etalon.verifiers.judges.equivalence import equivalence_judge, joint_verifier, second_opinions
from etalon.verifiers.judges.quality import judge_queries, query_quality_judge
from etalon.verifiers.judges.rubric import (
    Criterion,
    Graded,
    RubricVerdict,
    judge_rubrics,
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
    "query_quality_judge",
    "read_yes_no",
    "rubric_reward",
    "rubric_verifier",
    "second_opinions",
]
