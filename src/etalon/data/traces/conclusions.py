r"""An answer that its own thought contradicts, or does not come to; two answers in one response.

    thought: "... So the answer is 12."     final: \boxed{15}        contradicts its thought
    thought: numbers, among them no 72      final: \boxed{72}        not derived
    final: The answer is \boxed{12}. ... Thus the answer is \boxed{15}.          two answers

Whether an answer is right is another question, and another gate's. Only plain values and letters are compared here:
what may be the same in another form is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import TypeGuard

from etalon.data.traces.response import Fault, Response, around
from etalon.types import Domain
from etalon.verifiers.conventions import letter_in_sentence
from etalon.verifiers.math.answer import is_same
from etalon.verifiers.math.read.numbers import parse_number
from etalon.verifiers.text import extract_answer

BEFORE = 80  # (ours) characters before a statement that may take it back: "if the answer is"
MIN_NUMBERS = 5  # (ours) in a thought that computes
STEPS = 2  # (ours) equations of a short one that does
SMALL = 20  # (ours) a value up to it may be counted without being written
LAST = 300  # (ours) characters of a thought in which it concludes
SHORT_FINAL = 300  # (ours) characters of a final part that derives nothing itself
UNITS = frozenset(
    (7, 12, 24, 60, 3600, *(10**power for power in range(1, 13)))
)  # (ours) of time, length and powers of ten
FORMULA = 60  # (ours) characters of formulas that are compared
CLOSE = Fraction(1, 100)  # (ours) relative: a rounded value is the same

_STATED = re.compile(
    r"(?:\b(?:the|my|our) )?(?:final |correct |required |desired )?answer(?: to (?:the|this) (?:problem|question))?"
    r"(?: (?:is|must be|should be|will be|comes out to be|=)(?: just| simply| indeed| therefore| thus)?(?: option|"
    r" choice)?"
    r"|\s?[:=])[\s:*_]{0,6}(?P<value>[^\n]{1,120})",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\s*\{(?P<value>[^{}]{1,60}(?:\{[^{}]{0,40}\}[^{}]{0,40}){0,4})\}")
_DOUBT = re.compile(
    r"\b(?:if|whether|suppose|maybe|perhaps|assum\w+|would|could|might|unless|possibl[ey]|guess\w*|thought|claim\w*"
    r"|wrong|initial\w*|earlier|previous\w*|student\w*|someone)\b[^.!?\n]*$",
    re.IGNORECASE,
)
_CONVERTED = re.compile(
    r"\b(?:mod(?:ulo)?|remainder|[map] ?\+ ?[nbq]|round\w*|nearest|convert\w*|percent\w*|express\w*|mistake|wrong"
    r"|incorrect"
    r"|asked|asks|per (?:hour|day|week|month|year))\b",
    re.IGNORECASE,
)
_ENDS_IN = re.compile(
    r"(?:^|[.!?\n])\s*(?:so|thus|therefore|hence|altogether|in total|this (?:gives|means)|that gives)\b[^.!?\n]{0,100}?"
    r"(?:=|\b(?:is|are|ha[sd]|have|(?:equal|give|get|make|cost|earn|need|take|pay|receive|spend)s?))"
    r" \$?(?P<value>[^=.!?\n]{1,60}(?:\.\d+)?)[.!]?\s*$",
    re.IGNORECASE,
)
_ENDS_WITH = re.compile(
    r"(?:^|[.!?\n])\s*(?=[^.!?\n]{0,80}\b(?:so|thus|therefore|hence|yes|that gives|which gives|that's|confident"
    r"|consistent|correct|still|result|total)\b)[^.!?\n\d]{0,80}?"
    r"(?P<value>[-−$\\]{0,2}\d[\d,]*(?:\.\d+)?)(?: [a-z]{2,20}){0,2}"
    r"(?:, and the [^.\d\n]{1,40})?"
    r"[.!]?\s*$",
    re.IGNORECASE,
)
_ENDS_IN_LETTER = re.compile(
    r"\b(?i:so|thus|therefore|hence|choose|pick|select|is|be|option|choice|answer|go with|going with)\b[\s:,*(]{1,4}"
    r"(?i:it'?s |it is |it must be |the (?:correct |right )?(?:answer|option|choice)(?: is|:) |option |choice )?"
    r"[\s*($]{0,3}"
    r"(?P<letter>[A-J])[\s*)$.!]*$"
)
_ALONE = re.compile(
    r"(?:\W|\b(?:the|correct|right|answer|option|choice|is|final)\b|\\(?:text|boxed|mathrm))*(?P<letter>[A-J])\W*",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"(?:[\s$*_{]|\\[(\[])*(?:\\boxed\{)?\$?(?P<number>[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?|[-−]?\\[dt]?frac\{?\d+\}?\{?\d+\}?)"
    r"(?P<unit>\\?%| ?(?:\\text|\\mathrm)?\{? ?(?:[a-z]+\b))?"
)
_LETTER = re.compile(r"[\s$*_(\\{]*(?:boxed\{|text\{|textbf\{)*\(?(?P<letter>[A-J])\)?(?![A-Za-z'])[\s}$*_.:)]*")
_NUMBERS = re.compile(
    r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}|\\[dt]?frac(\d)(\d)"
    r"|(\d+(?:(?:\{,\}|,\\!|,|\\[,!;: ]|[ ~\u2009\u202f])\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:\s?/\s?(\d+))?"
)
_SEPARATORS = re.compile(r"\{,\}|,\\!|,|\\[,!;: ]|[ ~\u2009\u202f]")
_PARTS = re.compile(
    r"\A[^.!?\n]*\b(?:and|or)\b|\b(?:respectively|parts?|cases?|first|second|third|other)\b|\([a-e1-9]\)|^"
    r" *[a-e1-9][).]",
    re.IGNORECASE | re.MULTILINE,
)
_ACCEPTED = re.compile(r"\balso (?:be )?(?:accept|correct|acceptable|allowed)", re.IGNORECASE)
_BLANKS = re.compile(r"\\[,!;: ]|\\left|\\right|[.$]+$")
_DIGITS = re.compile(r"\d+")
_TAKES_BACK = re.compile(r"\b(?:wait|actually|correction|rather|no,|mistake|or maybe|alternatively)\b", re.IGNORECASE)


def contradiction(response: Response) -> Fault | None:
    """A final answer other than the last one that the thought states and does not take back."""
    if response.domain in (Domain.CODE, Domain.INSTRUCT, Domain.CLAIMS):
        return None
    if response.domain is Domain.STEM and (why := _other_letter(response)):
        return why
    boxed = extract_answer(response.final)
    if boxed is None or _ACCEPTED.search(response.final):
        return None
    before, behind = _thought_and_rest(response)
    if (stated := last_statement(before)) is None:
        return (_other_end(response, boxed) or _not_derived(response, boxed)) if behind else None
    value, rest = stated
    mine, theirs = value_of(value), value_of(boxed)
    if behind and mine is None and theirs is None and _are_other_numbers(value, boxed):
        return Fault(kind="contradicts its thought", detail=f"{value[:60]} | {boxed[:60]}")
    if mine is None or theirs is None or isinstance(mine, str) != isinstance(theirs, str) or _are_close(mine, theirs):
        return None
    if _CONVERTED.search(rest) or any(_are_close(_size(theirs), one) for one in values_in(rest)):
        return None
    if _is_number(mine) and _is_number(theirs) and (theirs in _derived(mine) or _is_converted(mine, theirs)):
        return None
    detail = f"{' '.join(value.split())[:60]} | {around(response.final, response.final.rfind(boxed))}"
    return Fault(kind="contradicts its thought", detail=detail)


def two_answers(response: Response) -> Fault | None:
    """Two values of the final part that are each stated as the answer, and are not the same."""
    if response.domain in (Domain.CODE, Domain.INSTRUCT, Domain.CLAIMS):
        return None
    boxes = [(found.start(), found["value"]) for found in _BOXED.finditer(response.final)]
    for (place, text), (later, other_text) in pairwise(boxes):
        is_stated = all(_states(response.final, at) for at in (place, later))
        is_formula = value_of(text) is None and value_of(other_text) is None
        is_part = _PARTS.search(response.final[place:later]) is not None
        if is_formula and is_stated and not is_part and _are_other_numbers(text, other_text):
            return Fault(kind="two answers", detail=around(response.final, place, later + 40))
    return _two_boxes(response, boxes) or _statement_and_box(response, boxes)


def _statement_and_box(response: Response, boxes: Sequence[tuple[int, str]]) -> Fault | None:
    """A line that states an answer in words, and a box with another."""
    if not boxes:
        return None
    later, boxed = boxes[-1]
    for found in _STATED.finditer(response.final):
        place = found.start()
        between = response.final[min(place, later) : max(place, later)]
        is_doubted = _DOUBT.search(response.final[max(0, place - BEFORE) : place]) or _CONVERTED.search(between)
        if is_doubted or _PARTS.search(between) or "\\boxed" in found["value"]:
            continue
        if _are_different(response, found["value"], boxed):
            return Fault(kind="two answers", detail=around(response.final, min(place, later), max(place, later) + 40))
    return None


def _are_different(response: Response, stated: str, boxed: str) -> bool:
    """Whether two statements are of two values, neither of them made of the other nor a part of what is asked for."""
    mine, theirs = value_of(stated), value_of(boxed)
    if mine is None or theirs is None:
        return mine is None and theirs is None and _are_other_numbers(stated, boxed)
    if isinstance(mine, str) != isinstance(theirs, str) or _are_close(mine, theirs):
        return False
    if _is_number(mine) and _is_number(theirs) and (_is_converted(mine, theirs) or theirs in _derived(mine)):
        return False
    return not _is_part_of(response.answer, mine, theirs)


def _two_boxes(response: Response, boxes: Sequence[tuple[int, str]]) -> Fault | None:
    """Two boxes with plain values, neither a part of what is asked for."""
    values = [(place, value) for place, text in boxes if (value := value_of(text)) is not None]
    for (place, value), (later, other) in pairwise(values):
        if isinstance(value, str) != isinstance(other, str) or _are_close(value, other):
            continue
        between = response.final[place:later]
        is_part = _PARTS.search(between) is not None and not _TAKES_BACK.search(between[-BEFORE:])
        if is_part or _ACCEPTED.search(response.final[place:]) or _is_part_of(response.answer, value, other):
            continue
        is_stated = all(_states(response.final, at) for at in (place, later))
        is_one = response.answer is not None and value_of(response.answer) is not None and _is_apart(between)
        if is_stated or is_one or _TAKES_BACK.search(between) or _are_bare(response.final, place, later):
            return Fault(kind="two answers", detail=around(response.final, place, later + 40))
    return None


def last_statement(text: str) -> tuple[str, str] | None:
    """(what a text last states as its answer, what stands behind it); None where it states none, or doubts it."""
    found = [*_STATED.finditer(text), *_BOXED.finditer(text)]
    if not found:
        return None
    last = max(found, key=lambda one: one.start("value"))
    if last.re is _STATED and (_DOUBT.search(text[max(0, last.start() - BEFORE) : last.start()])):
        return None
    return last["value"], text[last.start("value") + len(_first_value(last["value"])) :]


def value_of(text: str) -> Fraction | str | None:
    """The one number or letter that a statement consists of; None for anything else."""
    if letter := _LETTER.match(text):
        rest = text[letter.end() :]
        return letter["letter"] if not rest or not (rest[0].isalnum() or rest[0] in "+-*/^=<>_\\'") else None
    found = _VALUE.match(text)
    rest = text[found.end() :].lstrip("}$*_)]\\ \t") if found else ""
    if found is None or (rest and rest[0] not in ".,;!\n") or re.match(r"[.,]\d|!\s*[\\$*+=/^-]", rest):
        return None
    plain = found["number"].replace("−", "-").replace(",", "").replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    number = parse_number(plain)
    if number is None or (found["unit"] or "").strip("\\ ") == "%":
        return None
    return Fraction(number.value)


def values_in(text: str) -> set[Fraction | str]:
    """All numbers of a text, fractions and their parts, thousands joined, percent as it is written; and its letters."""
    found: set[Fraction | str] = set()
    for one in _NUMBERS.finditer(text):
        over, under = (one[1], one[2]) if one[1] else (one[3], one[4])
        if over is None:
            over, under = _SEPARATORS.sub("", one[5]), one[6]
        found.add(Fraction(over))
        if one[5]:
            found |= {Fraction(part) for part in _SEPARATORS.split(one[5]) if part}
        if under and int(under):
            found |= {Fraction(over) / int(under), Fraction(int(under))}
    return found | set(re.findall(r"(?<![A-Za-z'])[A-J](?![A-Za-z'])", text))


def _thought_and_rest(response: Response) -> tuple[str, bool]:
    """What stands before the final answer is stated, and whether that is a thought with nothing but it behind."""
    if response.thought is not None:
        return response.thought, True
    place = response.final.rfind("\\boxed")
    if place < 0:
        return "", False
    start = max(response.final.rfind(mark, 0, place) for mark in (". ", "\n", "! ", "? "))
    return response.final[: max(start, 0) + 1], False


def _other_letter(response: Response) -> Fault | None:
    """A thought that ends with one option, and a final part that is another."""
    end = _ENDS_IN_LETTER.search((response.thought or "").rstrip()[-LAST:])
    final = extract_answer(response.final) or letter_in_sentence(response.final) or response.final
    mine = _ALONE.fullmatch(final)
    if end is None or mine is None or end["letter"] == mine["letter"] or response.is_asked(end[0].strip()):
        return None
    return Fault(kind="contradicts its thought", detail=f"{' '.join(end[0].split())[-60:]} | {mine['letter']}")


def _other_end(response: Response, boxed: str) -> Fault | None:
    """A thought whose last sentence comes to one number, and a final one that is nowhere in it."""
    thought, theirs = (response.thought or "").rstrip(), value_of(boxed)
    found = _ENDS_IN.search(thought[-LAST:]) or _ENDS_WITH.search(thought[-LAST:])
    mine = value_of(found["value"]) if found else None
    if found is None or not _is_number(mine) or not _is_number(theirs) or "=" in response.final.replace(boxed, ""):
        return None
    known = [one for one in values_in(thought) | values_in(response.prompt) if _is_number(one)]
    if _CONVERTED.search(response.final) or any(_are_close(abs(theirs), one) for one in known):
        return None
    if theirs in _derived(mine) or _is_converted(mine, theirs):
        return None
    return Fault(kind="contradicts its thought", detail=f"{found[0].strip()[:80]} | {boxed}")


def _not_derived(response: Response, boxed: str) -> Fault | None:
    """A whole number that a thought full of numbers never comes to, with nothing in the final part that does."""
    value = value_of(boxed)
    thought = response.thought or ""
    if not isinstance(value, Fraction) or abs(value) <= SMALL or len(response.final) > SHORT_FINAL:
        return None
    found = values_in(thought)
    numbers = [one for one in found if isinstance(one, Fraction)]
    is_worked = len(numbers) >= MIN_NUMBERS or (len(numbers) >= STEPS and thought.count("=") >= STEPS)
    if not is_worked or "=" in response.final.replace(boxed, "") or value in values_in(response.prompt):
        return None
    if any(_are_close(one, abs(value)) or _is_converted(one, value) for one in numbers):
        return None
    return Fault(kind="not derived", detail=f"no {boxed} in: {around(thought, max(0, len(thought) - 160))}")


def _are_close(value: Fraction | str, other: Fraction | str) -> bool:
    if isinstance(value, str) or isinstance(other, str):
        return value == other
    is_whole = value.denominator == other.denominator == 1
    return value == other if is_whole else abs(value - other) <= CLOSE * max(abs(value), abs(other))


def _size(value: Fraction | str) -> Fraction | str:
    """Without its sign: what is found in a text has none."""
    return abs(value) if isinstance(value, Fraction) else value


def _is_converted(value: Fraction, other: Fraction) -> bool:
    """Whether two numbers may be one quantity in two units."""
    return bool(value and other) and (abs(value / other) in UNITS or abs(other / value) in UNITS)


def _derived(value: Fraction) -> set[Fraction]:
    """What contests ask for in place of a fraction m/n, or of a large number; and a whole number near it."""
    if value.denominator == 1:
        return {value % 1000}
    return {Fraction(value.numerator + value.denominator), Fraction(floor(value)), Fraction(ceil(value))}


def _is_number(value: Fraction | str | None) -> TypeGuard[Fraction]:
    return isinstance(value, Fraction)


def _is_apart(between: str) -> bool:
    """Whether two boxes stand in different sentences."""
    return "\n" in between or re.search(r"[.!?]\s", between) is not None


def _are_bare(text: str, *places: int) -> bool:
    """Whether each box is all that its line has."""
    lines = [text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0] for at in places]
    return lines[0] != lines[1] and all(re.fullmatch(r"[\s$*\\\[(]*\\boxed\{.*\}[\s$*.\\\])]*", line) for line in lines)


def _first_value(statement: str) -> str:
    found = _VALUE.match(statement) or _LETTER.match(statement)
    return found[0] if found else statement


def _states(text: str, place: int) -> bool:
    before = text[max(0, place - BEFORE) : place]
    return re.search(r"answer(?:(?!answer)[^.!?])*$", before, re.IGNORECASE) is not None


def _are_other_numbers(text: str, other: str) -> bool:
    """Whether two formulas differ in a number only, and are not the same: (-6, 0) and (-12, 0)."""
    one, two = ("".join(_BLANKS.sub("", formula).split()) for formula in (text, other))
    if one == two or max(len(one), len(two)) > FORMULA or _DIGITS.sub("0", one) != _DIGITS.sub("0", two):
        return False
    return is_same(text, other) is False


def _is_part_of(answer: str | None, *values: Fraction | str) -> bool:
    """Whether the reference has all of the values: a problem that asks for several."""
    return answer is not None and len(set(values) & values_in(answer)) > 1
