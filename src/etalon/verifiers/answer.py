r"""Judges a final answer against a reference; clusters answers for voting.

    response -> extract_answer -> normalise -> exact -> rational -> memo -> math-verify in a killable worker

`compare` grades against a reference and forgives a percent sign or a unit. `are_equal`, `canonical` and `cluster`
do not: with leniency 25% = 25 and 25% = 0.25, and equality would not be transitive.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from etalon.types import Problem, Verdict
from etalon.verifiers import symbolic
from etalon.verifiers.arithmetic import (
    TooLargeError,
    cannot_be_number,
    evaluate,
    is_arithmetic,
    is_unevaluated,
    right_hand_side,
)
from etalon.verifiers.memo import Memo
from etalon.verifiers.normalise import drop_assignment, drop_unit, is_prose, normalise
from etalon.verifiers.numbers import Number, parse_number
from etalon.verifiers.text import MAX_ANSWER_CHARS, extract_answer

ROUNDED_DECIMALS = 6  # (ours) a decimal with this many digits may stand for the exact value that it rounds


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """is_equal is None when nothing could decide; the reason says which step did, or why none could."""

    is_equal: bool | None
    reason: str


_MEMO: Memo[Comparison] = Memo(20_000)
_SLOW: Memo[bool] = Memo(1_000)  # texts that hang the engine by themselves: one such answer must not cost K timeouts


def verify_answer(problem: Problem, response: str) -> Verdict:
    """Math and facts: the extracted answer against `problem.answer`; no answer is wrong, a bad reference undecided."""
    if problem.answer is None or not problem.answer.strip():
        return Verdict(score=None, reason="bad_reference: the problem has no answer")
    extracted = extract_answer(response)
    if extracted is None:
        return Verdict(score=0.0, reason="no_answer")
    comparison = compare(reference=problem.answer, answer=extracted)
    score = None if comparison.is_equal is None else float(comparison.is_equal)
    return Verdict(score=score, reason=comparison.reason, extracted=extracted)


def compare(*, reference: str, answer: str) -> Comparison:
    """Grade `answer` against `reference`: units that only one side writes, and percent signs, are forgiven."""
    if len(answer) > MAX_ANSWER_CHARS:
        return Comparison(is_equal=False, reason="too_long")
    expected, given = _spelling(reference), _spelling(answer)
    if not expected:
        return Comparison(is_equal=None, reason="bad_reference: it is empty")
    if decided := _compare_cheaply(expected, given, is_lenient=True):
        return decided
    return _compare_symbolically(expected, given)


def are_equal(a: str | None, b: str | None) -> bool:
    """True when both answers surely mean the same, without leniency. None equals nothing, not even None."""
    if a is None or b is None:
        return False
    return _are_equal_spellings(_spelling(a), _spelling(b))


def _are_equal_spellings(a: str, b: str) -> bool:
    first, second = sorted((a, b))  # math-verify is not symmetric
    decided = _compare_cheaply(first, second, is_lenient=False) or _compare_symbolically(first, second)
    return decided.is_equal is True


@functools.lru_cache(maxsize=20_000)
def canonical(answer: str) -> str:
    """A key that equal spellings share: the reduced fraction of a rational, else the normalised text."""
    text = _spelling(answer)
    number = parse_number(text)
    if number is None:
        return text.casefold() if is_prose(text) else text
    return f"{number.value}%" if number.is_percent else str(number.value)


def cluster(answers: Sequence[str | None]) -> list[int | None]:
    """Cluster index per answer, numbered by first appearance; None for None.

    Answers are in one cluster when a chain of `are_equal` joins them, so the partition is transitive and does not
    depend on the order of the answers.
    """
    keys = [None if answer is None else canonical(answer) for answer in answers]
    unique = sorted({key for key in keys if key is not None})
    parent = {key: key for key in unique}

    def root(key: str) -> str:
        while parent[key] != key:
            key = parent[key]
        return key

    for index, key in enumerate(unique):
        for other in unique[index + 1 :]:
            if root(key) != root(other) and _are_equal_spellings(key, other):
                parent[root(other)] = root(key)
    numbers: dict[str, int] = {}
    return [None if key is None else numbers.setdefault(root(key), len(numbers)) for key in keys]


@functools.lru_cache(maxsize=20_000)
def _spelling(answer: str) -> str:
    return drop_assignment(normalise(answer[:MAX_ANSWER_CHARS]))


def _compare_cheaply(expected: str, given: str, *, is_lenient: bool) -> Comparison | None:
    """Text and exact rationals; None when only a symbolic comparison can tell."""
    if expected == given:
        return Comparison(is_equal=True, reason="exact")
    left, right = parse_number(expected), parse_number(given)
    if is_lenient and right is None and left is not None:
        right = parse_number(drop_unit(given))
    elif is_lenient and left is None and right is not None:
        left = parse_number(drop_unit(expected))
    if left is not None and right is not None:
        return _compare_numbers(left, right, is_lenient=is_lenient)
    if is_prose(expected) or is_prose(given):
        same = expected.casefold().replace(" ", "") == given.casefold().replace(" ", "")
        return Comparison(is_equal=same, reason="exact" if same else "different")
    if left is not None:
        return _compare_number_with_text(left, given, text_is_reference=False)
    if right is not None:
        return _compare_number_with_text(right, expected, text_is_reference=is_lenient)
    return None


def _compare_numbers(expected: Number, given: Number, *, is_lenient: bool) -> Comparison:
    """As values, a percent being a hundredth; leniently also without percent signs, and rounded."""
    left = expected.value / 100 if expected.is_percent else expected.value
    right = given.value / 100 if given.is_percent else given.value
    pairs = {(left, right)}
    if is_lenient and expected.is_percent != given.is_percent:
        pairs.add((expected.value, given.value))
    if any(a == b for a, b in pairs):
        return _same(True)
    if is_lenient and any(_rounds(given, a - b) or _rounds(expected, a - b) for a, b in pairs):
        return Comparison(is_equal=True, reason="rounded")
    return _same(False)


def _rounds(number: Number, difference: Fraction) -> bool:
    """True when `number` is written with enough decimals for the difference to be its rounding."""
    return number.decimals >= ROUNDED_DECIMALS and abs(difference) < Fraction(1, 10**number.decimals)


def _compare_number_with_text(number: Number, text: str, *, text_is_reference: bool) -> Comparison | None:
    """A rational against something else: bare words, `3+4=7` and arithmetic are decided here."""
    if cannot_be_number(text):
        return Comparison(is_equal=False, reason="different")
    if not is_arithmetic(text):
        return None
    result = right_hand_side(text)
    if result is not None:
        return _same(result.value == number.value)
    if is_unevaluated(text) and not text_is_reference:
        return Comparison(is_equal=False, reason="unevaluated")
    try:
        value = evaluate(text)
    except TooLargeError:
        return Comparison(is_equal=False, reason="different")
    return None if value is None else _same(value == number.value)


def _same(is_equal: bool) -> Comparison:
    return Comparison(is_equal=is_equal, reason="rational" if is_equal else "different")


def _compare_symbolically(expected: str, given: str) -> Comparison:
    known = _MEMO.get((expected, given))
    if known is not None:
        return known
    if _SLOW.get(expected) or _SLOW.get(given):
        return Comparison(is_equal=None, reason="timeout")
    answer = symbolic.compare(expected, given)
    comparison = Comparison(is_equal=answer.is_equal, reason=answer.reason)
    if comparison.is_equal is not None:
        _MEMO.put((expected, given), comparison)
    elif comparison.reason == "timeout":
        for text in (expected, given):
            if _SLOW.get(text) is None:
                _SLOW.put(text, symbolic.compare("1", text).reason == "timeout")
    return comparison
