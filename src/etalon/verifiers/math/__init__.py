"""Math answers: is the one in a response the one in the reference?

answer.py        the verdict on a response; clusters of answers for voting
compare.py       whether two answers mean the same: text, numbers, parts, engine
parts.py         tuples, sets, lists and unions, part by part
refused.py       what the engine is not asked about
formula.py       values of formulas: one grammar, exact fractions or floats
read/            an answer as it is written: spelling, numbers, units, shapes, relations
engine/          math-verify in killable processes, for what all this leaves open

What a comparison can say, and why, stands here: the reasons of math verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a math verdict is what it is. TIMEOUT and BAD_REFERENCE are undecided: their score is None."""

    EXACT = "exact"  # the same text
    RATIONAL = "rational"  # the same exact value
    SYMBOLIC = "symbolic"  # the same to the symbolic engine
    DIFFERENT = "different"
    NO_ANSWER = "no_answer"
    TRUNCATED = "truncated"  # no answer, because the token limit came first
    TIMEOUT = "timeout"  # the engine passed its deadline or its memory limit, or could not run
    BAD_REFERENCE = "bad_reference"
    JUDGE = "judge"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """is_equal is None when nothing could decide; the reason says which step did, or why none could."""

    is_equal: bool | None
    reason: Reason


DIFFERENT = Comparison(is_equal=False, reason=Reason.DIFFERENT)
