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

from etalon.problems.options import OWN_LETTER, several_letters
from etalon.types import Problem, Verdict
from etalon.verifiers.chemistry import are_same_formulas, compare_formulas, formula
from etalon.verifiers.math import DIFFERENT, Comparison
from etalon.verifiers.math.answer import by_any, compare, is_same, verify_answer
from etalon.verifiers.math.engine import symbolic
from etalon.verifiers.math.read import quantities
from etalon.verifiers.math.read.normalise import bare, normalise, read
from etalon.verifiers.math.read.numbers import parse_number
from etalon.verifiers.math.read.units import ratio
from etalon.verifiers.text import answer_line, extract_answer, final_part, final_reference, last_boxed

_LETTER = re.compile(
    r"\W*(?:the\s*)?(?:correct\s*|final\s*)?(?:(?:option|choice|answer)(?:\s*is\b)?)?\W*([A-Za-z])\W*", re.IGNORECASE
)
_LETTER_THEN_CONTENT = re.compile(r"\W*([A-Za-z])\s*[).:]\s*(\S.*)", re.DOTALL)
_LETTER_BESIDE_CONTENT = re.compile(r"\W*([A-Z])\)?(?:\s*[\s,(–—-]\s*|(?=[\d\\]))(\S.*)", re.DOTALL)
_LETTER_WITH_REASON = re.compile(
    r"\W*([A-Z])(?:\W*\s(?:because|since|as(?! well))"
    r"|[)*.\]]*\s*[,(;:–—-]\s*(?:not|because|since|as|which|the|it|this|that|by|due))\b.*",
    re.DOTALL,
)
_DENIED = re.compile(r"(?:[¬≠!'’-]|\\(?:ne|neq|neg|lnot|not)(?![a-z])|not\b)")
_MARKER = re.compile(r"(?<![\w(])\(?([A-Z])\s*[).:]")  # not the A of f(A)


def verify_choice(problem: Problem, response: str) -> Verdict:
    """STEM: the chosen option against `problem.answer`; without options, the answer itself is compared."""
    if not problem.options:
        return verify_quantity(problem, response)
    options = _labelled(problem.options)
    if len(options) < len(problem.options):
        return Verdict(score=None, reason="bad_reference: two options have the same letter")
    answer = problem.answer or ""
    several = several_letters(answer, options) if answer.strip() not in options.values() else None
    reference = None if several else reference_letter(answer, options)
    if reference is None and not several:
        reference = reference_letter(final_reference(answer), options)
    if several:
        return _verify_several(several, extract_answer(response), options)
    if reference is None:
        return Verdict(score=None, reason=f"bad_reference: {problem.answer!r} is not an option")
    final = final_part(response)
    boxed, line = last_boxed(final), answer_line(final)
    written = boxed if boxed else line
    if written is None:
        return Verdict(score=0.0, reason="no_answer")
    letter, reason = choose(written, options)
    if letter is None and boxed and line and reason != "timeout":
        written, (letter, reason) = line, choose(line, options)
    if letter is None:
        return _verdict_without_letter(written, reason, reference, options)
    score = float(letter == reference)
    return Verdict(score=score, reason=reason if score else "different", extracted=letter)


def _verify_several(reference: frozenset[str], written: str | None, options: Mapping[str, str]) -> Verdict:
    """Questions with several right options: all of them and no other must be named."""
    if written is None:
        return Verdict(score=0.0, reason="no_answer")
    letters = several_letters(bare(written), options)
    if letters is None:
        letter, reason = choose(written, options)
        why = "different" if letter else "no_option" if reason == "timeout" else reason
        return Verdict(score=0.0, reason=why, extracted=letter or written)
    is_right = letters == reference
    return Verdict(
        score=float(is_right), reason="letter" if is_right else "different", extracted="".join(sorted(letters))
    )


def _labelled(options: Mapping[str, str]) -> dict[str, str]:
    """Options by their bare labels (`A.`, `(A)`), without the letters that all have before their contents."""
    bare = {label.strip().strip("().:").upper(): content for label, content in options.items()}
    contents = {label: OWN_LETTER.match(text) for label, text in bare.items()}
    own = [found[1].upper() for found in contents.values() if found]
    if sorted(own) != sorted(bare):  # after a shuffle the letters stand at other places
        return bare
    return {label: found[2] for label, found in contents.items() if found}


def _verdict_without_letter(written: str, reason: str, reference: str, options: Mapping[str, str]) -> Verdict:
    """Wrong, unless nobody could say whether the right option was meant."""
    if reason == "timeout" and _same_quantity(options[reference], written, symbolic.EngineTime()) is None:
        return Verdict(score=None, reason="timeout", extracted=written)
    same = _by_text(written, options) if reason == "ambiguous" else []
    if reference in same and len({_spelled(options[letter]) for letter in same}) == 1:
        return Verdict(score=None, reason="bad_reference: two options say the same", extracted=written)
    return Verdict(score=0.0, reason="no_option" if reason == "timeout" else reason, extracted=written)


def reference_letter(answer: str | None, options: Mapping[str, str]) -> str | None:
    """The letter of the right option: `answer` itself, or the one option whose content it is; else None."""
    wanted = (answer or "").strip()
    wanted = plain if (plain := bare(wanted)) in options else wanted
    letter = (last_boxed(wanted) or wanted).strip("()[].:*$ ")
    if len(letter) < 20:
        letter = re.sub(r"(?:option|choice|answer)\s*\(?(?=\w\b)", "", letter, flags=re.IGNORECASE)
    if letter.upper() in options:
        return letter.upper()
    beside = re.match(r"[(\[*]*(\w)[)\]*]*\s*[.):]?\s+(\S.*)", wanted, re.DOTALL)
    if beside and options.get(beside[1].upper(), "").strip() == beside[2].strip("* "):
        return beside[1].upper()
    same = [label for label, content in options.items() if wanted and content.strip() == wanted]
    return same[0] if len(same) == 1 else None


def choose(written: str, options: Mapping[str, str]) -> tuple[str | None, str]:
    """The option that `written` names, and how: "letter", "content".

    Or None with "no_option", "ambiguous", or "timeout" where the engine left open whether it is the content of one.
    """
    text = unicodedata.normalize("NFKC", _spelled(written))  # some models write full-width letters
    same = _by_formula(written, options) or _by_text(text, options)
    if text.strip("(). ") in options and text.strip("(). ").isdigit():
        return text.strip("(). "), "letter"
    if _DENIED.match(written.strip()):
        return None, "no_option"
    if (reasoned := _LETTER_WITH_REASON.fullmatch(written)) and reasoned[1] in options:
        return reasoned[1], "letter"
    if found := _LETTER.fullmatch(text):
        letter = found[1].upper()
        # a lower-case letter may be a variable: the option that consists of it comes first
        if letter in options and not (found[1].islower() and len(same) == 1):
            return letter, "letter"
    elif (found := _LETTER_THEN_CONTENT.match(text)) and found[1].upper() in options:
        return _letter_with_content(found[1].upper(), found[2], bare(written), options)
    if not same:
        return _by_value(text, written, options)
    return (same[0], "content") if len(same) == 1 else (None, "ambiguous")


def _by_value(text: str, written: str, options: Mapping[str, str]) -> tuple[str | None, str]:
    """The option of the same value, the letter that stands beside its content, or the number without its unit."""
    budget = symbolic.EngineTime()
    found = {letter: _same_quantity(content, written, budget) for letter, content in options.items()}
    same = [letter for letter, is_same in found.items() if is_same]
    if not same and (beside := _LETTER_BESIDE_CONTENT.fullmatch(text)) and beside[1] in options:
        letter, contents = beside[1], {beside[2], beside[2].removesuffix(")")}
        if any(letter in _by_text(content, options) for content in contents) or any(
            _same_quantity(options[letter], content, budget) for content in contents
        ):
            return letter, "letter"
    same = same or _by_number(written, options)
    if len(same) == 1:
        return same[0], "content"
    undecided = None in found.values() and not same
    return None, "ambiguous" if same else "timeout" if undecided else "no_option"


def _by_number(written: str, options: Mapping[str, str]) -> list[str]:
    """The options whose number is the bare number that is written, whatever their unit."""
    reading = read(written)
    wanted = parse_number(reading.text)
    if wanted is None or reading.unit or wanted.is_percent:
        return []
    numbers = {}
    for letter, content in options.items():
        quantity = quantities.split(bare(content))
        numbers[letter] = parse_number(normalise(quantity.number if quantity else content))
    return [letter for letter, one in numbers.items() if one and not one.is_percent and one.value == wanted.value]


def _spelled(text: str) -> str:
    """In one spelling, with its unit."""
    reading = read(text)
    return f"{reading.text} {reading.unit}" if reading.unit else reading.text


def _by_formula(text: str, options: Mapping[str, str]) -> list[str]:
    """Options that are the same chemical formula, in which Co is not CO."""
    written = formula(bare(text))
    contents = {letter: formula(bare(content)) for letter, content in options.items()} if written else {}
    return [letter for letter, one in contents.items() if one and written and are_same_formulas(one, written)]


def _by_text(text: str, options: Mapping[str, str]) -> list[str]:
    """The options of this text; case counts (p=v, p=V; 1 mW, 1 MW) wherever one of them has it right."""
    wanted = _spelled(text)
    spelled = {letter: _spelled(content) for letter, content in options.items()}
    exact = [letter for letter, content in spelled.items() if content == wanted]
    return exact or [
        letter
        for letter, content in spelled.items()
        if content.casefold() == wanted.casefold() and not _differ_in_unit(content, wanted)
    ]


def _differ_in_unit(a: str, b: str) -> bool:
    first, second = quantities.split(a), quantities.split(b)
    return first is not None and second is not None and first.unit != second.unit


def _letter_with_content(letter: str, content: str, text: str, options: Mapping[str, str]) -> tuple[str | None, str]:
    """ "(B) 12 m": the letter, unless another option is named beside it."""
    same = _by_formula(content, options) or _by_text(content.strip(), options)
    if content.strip("(). ").upper() in options and not same:  # "A. B."
        return None, "ambiguous"
    named = {marker[1] for marker in _MARKER.finditer(text)} & set(options)
    is_clear = letter in same or not (same or named - {letter})
    return (letter, "letter") if is_clear else (None, "ambiguous")


def verify_quantity(problem: Problem, response: str) -> Verdict:
    """The answer as in mathematics, but units must agree (`math.read.quantities`), and formulas are text."""
    if (verdict := by_any(verify_quantity, problem, response)) is not None:
        return verdict
    reference, extracted = final_reference(str(problem.answer or "")) or "", extract_answer(response)
    comparison = None
    if extracted is not None:
        comparison = _compare_as_stem(reference, extracted)
    if comparison is None:
        return verify_answer(problem, response)
    score = None if comparison.is_equal is None else float(comparison.is_equal)
    return Verdict(score=score, reason=comparison.reason, extracted=extracted)


def compare_quantities(*, reference: str, answer: str, budget: symbolic.EngineTime | None = None) -> Comparison | None:
    """Two numbers with known units, converted by the exact factor; None unless both sides are one."""
    expected, given = quantities.split(reference), quantities.split(answer)
    if expected is None or given is None:
        return None
    factor = ratio(expected.unit, given.unit)
    if factor is None:
        return DIFFERENT
    number = expected.number if factor == 1 else quantities.converted(normalise(expected.number), factor)
    return DIFFERENT if number is None else compare(reference=number, answer=given.number, budget=budget)


def _compare_as_stem(reference: str, answer: str, budget: symbolic.EngineTime | None = None) -> Comparison | None:
    """As quantities or as formulas; None where the two are neither."""
    expected, given = bare(reference), bare(answer)
    comparison = compare_quantities(reference=expected, answer=given, budget=budget)
    return comparison or compare_formulas(reference=expected, answer=given)


def _same_quantity(content: str, written: str, budget: symbolic.EngineTime) -> bool | None:
    comparison = _compare_as_stem(content, written, budget)
    return is_same(content, written, budget) if comparison is None else comparison.is_equal
