r"""Whether two answers mean the same: text, then exact rationals, then part by part, then the symbolic engine.

    compare(reference, answer)   grades: forgives a percent sign, a unit or a name that only one side writes
    are_same(a, b)               for voting: forgives nothing, so that equality stays transitive

A verdict costs at most one deadline, however many parts the answers have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction

from etalon.problems.golds import MAX_ANSWER_CHARS
from etalon.verifiers.math import DIFFERENT, Comparison, Reason
from etalon.verifiers.math.engine import symbolic
from etalon.verifiers.math.formula import (
    TooLargeError,
    are_far_apart,
    as_binomial,
    cannot_be_number,
    evaluate,
    is_arithmetic,
    is_unevaluated,
)
from etalon.verifiers.math.parts import match_parts
from etalon.verifiers.math.read.dressing import names
from etalon.verifiers.math.read.normalise import Reading, read
from etalon.verifiers.math.read.numbers import Number, based, decimal_comma, parse_number
from etalon.verifiers.math.read.quantities import conversion, converted, split_unit
from etalon.verifiers.math.read.relations import (
    LONG_WORD,
    are_other_names,
    congruence,
    is_equation,
    name_and_value,
    says_more_than_one,
    union_of,
    value_of,
    with_argument,
)
from etalon.verifiers.math.read.sets import LINE, MAX_PIECES
from etalon.verifiers.math.read.shapes import Kind, shape_of, split_top
from etalon.verifiers.math.read.spelling import to_latex
from etalon.verifiers.math.refused import is_nonsense, is_refused
from etalon.verifiers.memo import Memo

ROUNDED_DECIMALS = 6  # (ours) a decimal with this many digits may stand for the exact value that it rounds
ROUNDED_SHARE = Fraction(1, 10_000)  # (ours) and must be this close in proportion: 0.000000 rounds no 2^-99
MAX_DEPTH = 8  # (ours) of parts within parts

_HALF_OF_DAY = re.compile(r"(?<=\d)([ap]m)$")
_SET_BY_PARTS = re.compile(r"∪|\\cap|\\setminus|\\mid|:|\\ldots|\.\.\.|∈.*[,<>≤≥≠]")
_SET_ALGEBRA = re.compile(r"∪|\\cap|\\setminus|\\mathbb|\\begin")
_SYMBOL = re.compile(r"[a-zA-Z]|\\[a-zA-Z]+")
_LETTER = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])")
_ANY_LETTER = re.compile(r"[a-zA-Z]")
_ANGLE = re.compile(r"\\angle ?([A-Z]|[A-Z]{3})")
_WORDS_WITH_NUMBERS = re.compile(r"(?:d?sp\^?\{?\d\}?d?)?(?!\d+[A-Za-z])(?:[A-Za-z]_\{?\d+\}?|[^\W_]|[ ,.'()-])*")
_NOT_WORDS = re.compile(r"(?<!\d)\s|\s(?!\d)|(?<=sp)\^|(?<=[A-Za-z])_|[{}]")
_RATIO = re.compile(r"(\d+(?:\.\d+)?):([1-9]\d*(?:\.\d+)?)")
_NUMBER_SET = re.compile(r"\\mathbb\{[A-QS-Z]\}(?:\^(?:\{[+<>≥≤≠-]\}|\{?\d\}?)|_\{[≥≤]0\})?|\\mathbb\{R\}\^\{?\d\}?")
_NOTHING = {"no solution", "\\emptyset"}
_CAPITALS = re.compile(r"[A-Z]{2,}")
_APART = re.compile(r"\d \d")

_MEMO: Memo[Comparison] = Memo(20_000)
_HUNG: Memo[int] = Memo(1_000)  # texts that took the engine past its deadline, and how often


@dataclass(frozen=True, kw_only=True)
class _Rules:
    """How to compare: is_lenient forgives what only one side writes. budget: engine time left to the verdict."""

    is_lenient: bool
    budget: symbolic.EngineTime = field(default_factory=symbolic.EngineTime)
    depth: int = 0


def compare(*, reference: str, answer: str, budget: symbolic.EngineTime | None = None) -> Comparison:
    """Grade `answer` against `reference`; what was decided once is remembered. budget: shared with other verdicts."""
    known = _MEMO.get((reference, answer))
    if known is None:
        known = _grade(reference, answer, budget or symbolic.EngineTime())
        if known.is_equal is not None:
            _MEMO.put((reference, answer), known)
    return known


def _grade(reference: str, answer: str, budget: symbolic.EngineTime) -> Comparison:
    expected = read(reference)
    if not expected.text or expected.is_contradictory:
        return Comparison(is_equal=None, reason=Reason.BAD_REFERENCE)
    if len(answer) > MAX_ANSWER_CHARS:
        return DIFFERENT
    return _compare_readings(expected, read(answer), _Rules(is_lenient=True, budget=budget))


def are_same(a: Reading, b: Reading, budget: symbolic.EngineTime | None = None) -> bool | None:
    """Whether both mean the same, without leniency; None when nothing could decide; symmetric.

    budget: engine time left to several comparisons, of which one takes at most a deadline.
    """
    first, second = sorted((a, b), key=lambda reading: (reading.text, reading.unit))  # math-verify is not symmetric
    own = symbolic.EngineTime()
    whole = own.seconds = min(own.seconds, budget.seconds) if budget else own.seconds
    found = _compare_readings(first, second, _Rules(is_lenient=False, budget=own))
    if found.is_equal is None and found.reason is Reason.BAD_REFERENCE:  # the other can be read: then they differ
        found = _compare_readings(second, first, _Rules(is_lenient=False, budget=own))
    if budget is not None:
        budget.seconds -= whole - own.seconds
    return found.is_equal


def _compare_readings(expected: Reading, given: Reading, rules: _Rules) -> Comparison:
    if expected.unit != given.unit:
        factor = conversion(expected.unit, given.unit, is_lenient=rules.is_lenient)
        text = None if factor is None else converted(expected.text, factor)
        if text is None:
            return DIFFERENT
        expected = replace(expected, text=text)
    if _ANGLE.fullmatch(expected.text) and _ANGLE.fullmatch(given.text):
        same = given.text in (expected.text, f"\\angle {expected.text.split()[-1][::-1]}")
        return Comparison(is_equal=True, reason=Reason.EXACT) if same else DIFFERENT
    if {expected.text, given.text} == _NOTHING or (rules.is_lenient and _names_angle(expected, given)):
        return Comparison(is_equal=True, reason=Reason.EXACT)
    if given.is_contradictory or expected.is_contradictory:
        return DIFFERENT
    if rules.is_lenient and given.rounded and (number := parse_number(expected.text)) and number.decimals:
        rounded = _compare(expected.text, given.rounded, rules)
        return rounded if rounded.is_equal else _compare(expected.text, given.text, rules)
    given = _with_parameter(given, expected.parameter)
    if expected.is_words or given.is_words:
        same = expected.text.casefold().replace(" ", "") == given.text.casefold().replace(" ", "")
        return Comparison(is_equal=same, reason=Reason.EXACT) if same else DIFFERENT
    if (same_words := _compare_words_with_numbers(expected.text, given.text)) is not None:
        return same_words
    return _compare(expected.text, given.text, rules)


def _with_parameter(given: Reading, name: str) -> Reading:
    """With the name that the reference has for an integer parameter, where it means nothing else."""
    if not given.parameter or not name or given.parameter == name or names(name).search(given.text):
        return given
    return replace(given, text=names(given.parameter).sub(name, given.text), parameter=name)


def _compare_words_with_numbers(expected: str, given: str) -> Comparison | None:
    """Words in which numbers stand, whatever their case: carbon-14, sp^3 hybridisation; None for all else."""
    if not all(_WORDS_WITH_NUMBERS.fullmatch(text) and LONG_WORD.search(text) for text in (expected, given)):
        return None
    left, right = (_NOT_WORDS.sub("", text).casefold() for text in (expected, given))
    return Comparison(is_equal=True, reason=Reason.EXACT) if left == right else None


def _names_angle(expected: Reading, given: Reading) -> bool:
    """True for the angle A (or ABC) named without its sign; three capitals are read as a word."""
    angle = _ANGLE.fullmatch(expected.text)
    return angle is not None and given.text == (angle[1].casefold() if given.is_words else angle[1])


def _compare(expected: str, given: str, rules: _Rules) -> Comparison:
    if expected == given:
        return Comparison(is_equal=True, reason=Reason.EXACT)
    if not given or rules.depth > MAX_DEPTH:
        return DIFFERENT
    if not rules.depth and _CAPITALS.fullmatch(expected) and _CAPITALS.fullmatch(given):
        return DIFFERENT  # IV and VI, NE and EN: no products
    left, right = parse_number(expected), parse_number(given)
    if left is not None and right is not None:
        return _compare_numbers(left, right, is_lenient=rules.is_lenient)
    deeper = replace(rules, depth=rules.depth + 1)
    return (
        _compare_notations(expected, given, left, right, rules)
        or _compare_intervals(expected, given, deeper)
        or _compare_equations(expected, given, deeper)
        or _compare_parts(expected, given, deeper)
        or _compare_number_with_text(expected, given, left, right, rules)
        or _compare_symbolically(expected, given, rules)
    )


def _compare_numbers(expected: Number, given: Number, *, is_lenient: bool) -> Comparison:
    """As values, a percent being a hundredth; leniently also without percent signs, and rounded."""
    left = expected.value / 100 if expected.is_percent else expected.value
    right = given.value / 100 if given.is_percent else given.value
    pairs = {(left, right)}
    if is_lenient and expected.is_percent != given.is_percent:
        pairs.add((expected.value, given.value))
    if any(a == b for a, b in pairs):
        return _rational(True)
    return _rational(is_lenient and any(_rounds(expected, a, b) or _rounds(given, a, b) for a, b in pairs))


def _rounds(number: Number, a: Fraction, b: Fraction) -> bool:
    """True when `number` is written with enough decimals for the difference of a and b to be its rounding."""
    difference = abs(a - b)
    return (
        number.decimals >= ROUNDED_DECIMALS
        and difference < Fraction(1, 10**number.decimals)
        and difference <= ROUNDED_SHARE * max(abs(a), abs(b))
    )


def _rational(is_equal: bool) -> Comparison:
    return Comparison(is_equal=True, reason=Reason.RATIONAL) if is_equal else DIFFERENT


def _compare_notations(
    expected: str, given: str, left: Number | None, right: Number | None, rules: _Rules
) -> Comparison | None:
    """Numbers in a stated base, clock times and ratios, decimal commas, digits that stand apart."""
    if "mod" in expected + given and (residues := congruence(expected)):
        return _rational(congruence(given) == residues)
    if based(expected) is not None or based(given) is not None:
        return _rational(based(expected) == based(given))
    if ":" in expected and ":" in given and "=" not in expected + given:
        return _compare_colons(expected, given, rules)
    number = left or right
    if rules.is_lenient and number is not None and (ratio := _RATIO.fullmatch(given if left else expected)):
        return _rational(not number.is_percent and number.value == Fraction(ratio[1]) / Fraction(ratio[2]))
    if _APART.search(expected + given if "\\" not in expected + given else ""):
        return DIFFERENT
    if rules.is_lenient and (left or right):
        binomial = as_binomial(given if left else expected)
        if binomial != (given if left else expected):
            return _compare_number_with_text(
                expected if left else binomial, binomial if left else given, left, right, rules
            )
        comma = decimal_comma(given if left else expected)
        other = left or right
        if comma is not None and other is not None and other.decimals:
            return _rational(comma.value == other.value)
    return None


def _compare_colons(expected: str, given: str, rules: _Rules) -> Comparison | None:
    """Clock times and ratios, number by number; a missing am or pm is forgiven."""
    halves = [found[1] if (found := _HALF_OF_DAY.search(text)) else "" for text in (expected, given)]
    if halves[0] != halves[1] and not (rules.is_lenient and "" in halves):
        return DIFFERENT
    left, right = (split_top(_HALF_OF_DAY.sub("", text), ":") for text in (expected, given))
    if len(left) == len(right) == 1:  # inside brackets, as in the builder of a set
        return None
    same = len(left) == len(right) and all(
        a == b or ((number := parse_number(a)) is not None and number == parse_number(b))
        for a, b in zip(left, right, strict=True)
    )
    return _rational(same)


def _compare_intervals(expected: str, given: str, rules: _Rules) -> Comparison | None:
    """Inequalities and memberships in one variable, as intervals."""
    left, right = union_of(expected), union_of(given)
    if left is None and right is None:
        return None
    if left is not None and right is not None:
        return _compare(left[1], right[1], rules) if left[0] == right[0] or not rules.is_lenient else DIFFERENT
    first, second = left[1] if left else expected, right[1] if right else given
    other = given if left is not None else expected
    if parse_number(other) is not None:
        return DIFFERENT
    return None if any(sign in other for sign in "<>≤≥") else _compare(first, second, rules)


def _compare_parts(expected: str, given: str, rules: _Rules) -> Comparison | None:
    if _NUMBER_SET.fullmatch(expected) and not _SET_BY_PARTS.search(given):
        return DIFFERENT
    if "\\mathbb{R}" in (expected, given):
        expected, given = (LINE if text == "\\mathbb{R}" else text for text in (expected, given))
    if shape_of(expected) is None and shape_of(given) is None:
        return None
    asked, said = shape_of(expected), shape_of(given)
    if said is not None and said.kind is Kind.UNION and (asked is None or len(said.parts) > MAX_PIECES):
        is_set = asked is not None or _SET_ALGEBRA.search(expected) or any(sign in expected for sign in "<>≤≥∈≠")
        return None if is_set and len(said.parts) <= MAX_PIECES else DIFFERENT
    if asked is not None and asked.kind is Kind.CASES and "\\begin" not in given:
        return DIFFERENT
    parts = match_parts(expected, given, is_lenient=rules.is_lenient)
    if parts is None:
        return None if _SET_ALGEBRA.search(expected + given) else DIFFERENT
    decided = parts.compare(lambda a, b: _compare_readings(_part(a), _part(b), rules))
    return None if parts.is_only_sufficient and decided.is_equal is False else decided


def _part(text: str) -> Reading:
    quantity, unit = (text, "") if parse_number(text) is not None else split_unit(text)
    return Reading(text=quantity, unit=unit)


def _compare_equations(expected: str, given: str, rules: _Rules) -> Comparison | None:
    """Values that are assigned; None when both are equations of another kind."""
    if not is_equation(expected) and not is_equation(given):
        return None
    if is_equation(given) and says_more_than_one(given):
        return DIFFERENT
    if is_equation(expected) and is_equation(given):
        left, right = name_and_value(expected), name_and_value(given)
        if left is None or right is None:
            return None
        renamed = with_argument(right, left[0])
        if renamed is None:
            return DIFFERENT
        right = renamed
        if rules.is_lenient and left[0] != right[0] and all(_SYMBOL.fullmatch(name) for name in (left[0], right[0])):
            return None if _LETTER.search(left[1] + right[1]) else DIFFERENT
        if rules.is_lenient and are_other_names(left[0], right[0]):
            return None if _ANY_LETTER.search(left[1]) and _ANY_LETTER.search(right[1]) else DIFFERENT
        return _compare(left[1], right[1], rules)
    first = (
        value_of(expected, is_reference=rules.is_lenient, is_ordered="=" in given)
        if is_equation(expected)
        else expected
    )
    second = value_of(given) if is_equation(given) else given
    if first is None or second is None:
        return DIFFERENT
    return _compare_readings(_part(first), _part(second), rules)


def _compare_number_with_text(
    expected: str, given: str, left: Number | None, right: Number | None, rules: _Rules
) -> Comparison | None:
    """A rational against bare words or arithmetic; None when it takes the engine."""
    number, text = (left, given) if left is not None else (right, expected)
    if number is None:
        return None
    if cannot_be_number(text):
        return DIFFERENT
    is_reference = left is None and rules.is_lenient
    if is_unevaluated(text) and not is_reference:
        return DIFFERENT
    if not is_arithmetic(text):
        return None
    try:
        value = evaluate(text)
    except TooLargeError:
        return DIFFERENT
    return None if value is None else _rational(value == number.value)


def _compare_symbolically(expected: str, given: str, rules: _Rules) -> Comparison:
    key = (expected, given, rules.is_lenient)
    known = _MEMO.get(key)
    if known is not None:
        return known
    if _HUNG.get(key) or any((_HUNG.get((text, rules.is_lenient)) or 0) > 1 for text in (expected, given)):
        return Comparison(is_equal=None, reason=Reason.TIMEOUT)
    if (
        is_refused(expected, given)
        or are_far_apart(expected, given)
        or (not rules.is_lenient and is_nonsense(expected))
    ):
        return DIFFERENT
    is_whole = rules.budget.seconds > symbolic.DEADLINE_SECONDS / 2
    found = symbolic.compare(_for_engine(expected), to_latex(given), is_exact=not rules.is_lenient, budget=rules.budget)
    if found.is_equal is not None:
        _MEMO.put(key, found)
    elif found.reason is Reason.TIMEOUT and is_whole:  # a text is not blamed for a budget that others spent
        _HUNG.put(key, 1)
        _blame(expected, given, found.hung, is_lenient=rules.is_lenient)
    return found


def _for_engine(expected: str) -> str:
    """The reference as LaTeX; a number as a fraction, because the engine does not read all ways to write one."""
    number = parse_number(expected) if "overline" in expected or "dot" in expected else None
    if number is None or number.is_percent:
        return to_latex(expected)
    return f"\\frac{{{number.value.numerator}}}{{{number.value.denominator}}}"


def _blame(expected: str, given: str, hung: str | None, *, is_lenient: bool) -> None:
    """Remember texts that hang by themselves: one such answer among K must not cost K deadlines.

    Where no text is known to hang alone, votes give up on one that met its deadline with two others; grades do not: the
    reference would be blamed for two hostile answers.
    """
    if hung is not None:
        _HUNG.put((expected if hung == "reference" else given, is_lenient), 2)
    elif not is_lenient:
        for text in (expected, given):
            _HUNG.put((text, is_lenient), (_HUNG.get((text, is_lenient)) or 0) + 1)
