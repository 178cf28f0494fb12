"""Judges verdicts on claims, the second call of CLR (3.1; CLR), against labels such as "1 0 1".

A response carries one line per claim between `<verdicts>` and `</verdicts>`; the last word of the line decides.
"""

from __future__ import annotations

import re

from etalon.types import Problem, Verdict
from etalon.verifiers.text import final_part

VERDICT_WORDS = {
    "valid": True, "true": True, "v": True, "1": True,
    "refuted": False, "false": False, "x": False, "0": False,
}  # fmt: skip

_BLOCK = re.compile(r"<verdicts>((?:(?!<verdicts>).)*)</verdicts>", re.IGNORECASE | re.DOTALL)
_LAST_WORD = re.compile(r"(\w+)\W*$")


def verify_claims(problem: Problem, response: str) -> Verdict:
    """1.0 when every verdict equals its label, 0.0 when one differs or is missing; no readable block is no answer."""
    labels = _labels(problem.answer)
    if not labels:
        return Verdict(score=None, reason=f"bad_reference: {problem.answer!r} is not a list of 0 and 1")
    verdicts = parse_verdicts(response, len(labels))
    if all(verdict is None for verdict in verdicts):
        return Verdict(score=0.0, reason="no_answer")
    written = " ".join("?" if verdict is None else str(int(verdict)) for verdict in verdicts)
    same = verdicts == labels
    return Verdict(score=float(same), reason="exact" if same else "different", extracted=written)


def parse_verdicts(text: str, count: int) -> list[bool | None]:
    """One verdict per claim from the last `<verdicts>` block after `</think>`; None where a line is unreadable.

    A block with another number of non-blank lines than `count` cannot be matched to the claims: all None.
    """
    blocks = _BLOCK.findall(final_part(text))
    if not blocks:
        return [None] * count
    lines = [line for line in blocks[-1].splitlines() if line.strip()]
    if len(lines) != count:
        return [None] * count
    return [_verdict(line) for line in lines]


def _verdict(line: str) -> bool | None:
    word = _LAST_WORD.search(line[-200:])
    return VERDICT_WORDS.get(word.group(1).lower()) if word else None


def _labels(answer: str | None) -> list[bool | None]:
    words = (answer or "").split()
    return [word == "1" for word in words] if all(word in ("0", "1") for word in words) else []
