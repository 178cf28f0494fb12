r"""Judges a multiple-choice response: the letter, or the content of exactly one option, in the last box.

    boxed letter -> boxed content equal to exactly one option (text, then mathematics) -> "Answer: X" -> no answer

There is no search for a bare letter: that overrules boxed answers and invents new ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from etalon.types import Problem, Verdict
from etalon.verifiers.answer import are_equal, verify_answer
from etalon.verifiers.normalise import normalise
from etalon.verifiers.text import answer_line, final_part, last_boxed

_LETTER = re.compile(r"\W*(?:option|choice|answer)?\W*([A-Za-z])\W*", re.IGNORECASE)
_LETTER_THEN_CONTENT = re.compile(r"\W*([A-Za-z])\s*[).:]\s*\S", re.DOTALL)


def verify_choice(problem: Problem, response: str) -> Verdict:
    """STEM: the chosen option against `problem.answer`; without options, the answer itself is compared."""
    if not problem.options:
        return verify_answer(problem, response)
    options = {letter.strip().upper(): content for letter, content in problem.options.items()}
    reference = (problem.answer or "").strip().upper()
    if reference not in options:
        return Verdict(score=None, reason=f"bad_reference: {problem.answer!r} is not an option")
    final = final_part(response)
    boxed, line = last_boxed(final), answer_line(final)
    written = boxed if boxed else line
    if written is None:
        return Verdict(score=0.0, reason="no_answer")
    letter, reason = choose(written, options)
    if letter is None and boxed and line:
        written, (letter, reason) = line, choose(line, options)
    if letter is None:
        return Verdict(score=0.0, reason=reason, extracted=written)
    score = float(letter == reference)
    return Verdict(score=score, reason=reason if score else "different", extracted=letter)


def choose(written: str, options: Mapping[str, str]) -> tuple[str | None, str]:
    """The option that `written` names, and how: "letter", "content"; or None with "no_option" or "ambiguous"."""
    text = normalise(written)
    for pattern in (_LETTER.fullmatch, _LETTER_THEN_CONTENT.match):
        found = pattern(text)
        if found and found.group(1).upper() in options:
            return found.group(1).upper(), "letter"
    same = [letter for letter, content in options.items() if normalise(content).casefold() == text.casefold()]
    if not same:
        same = [letter for letter, content in options.items() if are_equal(content, written)]
    if len(same) == 1:
        return same[0], "content"
    return None, "ambiguous" if same else "no_option"
