r"""Judges a STEM response: the chosen option in the last box, or without options the answer with its unit.

    boxed letter -> boxed content equal to exactly one option (text, then mathematics) -> "Answer: X" -> no answer

There is no search for a bare letter: that overrules boxed answers and invents new ones. A box that names two options,
or a letter beside the content of another option, names none. The problem comes with its options as the sample saw
them (`problems.options.as_asked`), so a letter means what it meant there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from etalon.types import Problem, Verdict
from etalon.verifiers import quantities
from etalon.verifiers.answer import are_equal, compare, verify_answer
from etalon.verifiers.formulas import compare_formulas, formula
from etalon.verifiers.normalise import normalise, read
from etalon.verifiers.numbers import parse_number
from etalon.verifiers.outcome import DIFFERENT, Comparison
from etalon.verifiers.reference import final_reference
from etalon.verifiers.text import answer_line, extract_answer, final_part, last_boxed

_LETTER = re.compile(r"\W*(?:option|choice|answer)?\W*([A-Za-z])\W*", re.IGNORECASE)
_LETTER_THEN_CONTENT = re.compile(r"\W*([A-Za-z])\s*[).:]\s*(\S.*)", re.DOTALL)
_MARKER = re.compile(r"(?<![\w(])\(?([A-Z])\s*[).:]")  # not the A of f(A)


def verify_choice(problem: Problem, response: str) -> Verdict:
    """STEM: the chosen option against `problem.answer`; without options, the answer itself is compared."""
    if not problem.options:
        return verify_quantity(problem, response)
    options = {letter.strip().upper(): content for letter, content in problem.options.items()}
    if len(options) < len(problem.options):
        return Verdict(score=None, reason="bad_reference: two options have the same letter")
    reference = reference_letter(problem.answer, options)
    if reference is None:
        reference = reference_letter(final_reference(problem.answer or ""), options)
    if reference is None:
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


def reference_letter(answer: str | None, options: Mapping[str, str]) -> str | None:
    """The letter of the right option: `answer` itself, or the one option whose content it is; else None."""
    wanted = (answer or "").strip()
    if wanted.strip("().").upper() in options:
        return wanted.strip("().").upper()
    same = [letter for letter, content in options.items() if wanted and content.strip() == wanted]
    return same[0] if len(same) == 1 else None


def choose(written: str, options: Mapping[str, str]) -> tuple[str | None, str]:
    """The option that `written` names, and how: "letter", "content"; or None with "no_option" or "ambiguous"."""
    text = unicodedata.normalize("NFKC", _spelled(written))  # some models write full-width letters
    same = _by_formula(written, options) or _by_text(text, options)
    if found := _LETTER.fullmatch(text):
        letter = found[1].upper()
        # a lower-case letter may be a variable: the option that consists of it comes first
        if letter in options and not (found[1].islower() and len(same) == 1):
            return letter, "letter"
    elif (found := _LETTER_THEN_CONTENT.match(text)) and found[1].upper() in options:
        return _letter_with_content(found[1].upper(), found[2], text, options)
    if not same:
        same = [letter for letter, content in options.items() if _same_quantity(content, written)]
    if len(same) == 1:
        return same[0], "content"
    return None, "ambiguous" if same else "no_option"


def _spelled(text: str) -> str:
    """In one spelling, with its unit."""
    reading = read(text)
    return f"{reading.text} {reading.unit}" if reading.unit else reading.text


def _by_formula(text: str, options: Mapping[str, str]) -> list[str]:
    """Options that are the same chemical formula, in which Co is not CO."""
    written = formula(text)
    return [letter for letter, content in options.items() if written and formula(content) == written]


def _by_text(text: str, options: Mapping[str, str]) -> list[str]:
    return [letter for letter, content in options.items() if _spelled(content).casefold() == _spelled(text).casefold()]


def _letter_with_content(letter: str, content: str, text: str, options: Mapping[str, str]) -> tuple[str | None, str]:
    """ "(B) 12 m": the letter, unless another option is named beside it."""
    same = _by_formula(content, options) or _by_text(content.strip(), options)
    named = {marker[1] for marker in _MARKER.finditer(text)} & set(options)
    is_clear = letter in same or not (same or named - {letter})
    return (letter, "letter") if is_clear else (None, "ambiguous")


def verify_quantity(problem: Problem, response: str) -> Verdict:
    """The answer as in mathematics, but units must agree (`verifiers.quantities`), and formulas are text."""
    reference, extracted = final_reference(str(problem.answer or "")) or "", extract_answer(response)
    comparison = None
    if extracted is not None:
        comparison = compare_quantities(reference=reference, answer=extracted)
        comparison = comparison or compare_formulas(reference=reference, answer=extracted)
    if comparison is None:
        return verify_answer(problem, response)
    score = None if comparison.is_equal is None else float(comparison.is_equal)
    return Verdict(score=score, reason=comparison.reason, extracted=extracted)


def compare_quantities(*, reference: str, answer: str) -> Comparison | None:
    """Two numbers with known units, converted by the exact factor; None unless both sides are one."""
    expected, given = quantities.split(reference), quantities.split(answer)
    if expected is None or given is None:
        return None
    ratio = quantities.ratio(expected.unit, given.unit)
    if ratio is None:
        return DIFFERENT
    if ratio == 1:
        return compare(reference=expected.number, answer=given.number)
    number = parse_number(normalise(expected.number))
    scaled = f"({expected.number})*{ratio}" if number is None else str(number.value * ratio)
    return compare(reference=scaled, answer=given.number)


def _same_quantity(content: str, written: str) -> bool:
    comparison = compare_quantities(reference=content, answer=written)
    comparison = comparison or compare_formulas(reference=content, answer=written)
    return are_equal(content, written) if comparison is None else comparison.is_equal is True
