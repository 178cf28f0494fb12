r"""Sets of numbers: their names in words and signs, and what conditions on one variable leave of the line.

"all real numbers except 2"  "\mathbb{R}\setminus\{2\}"  ->  "(-\infty,2)∪(2,\infty)"
"all positive integers"  "\mathbb{Z}_{>0}"               ->  "\mathbb{Z}^{+}"
intersection("[2,\infty)", "(-\infty,5)")                ->  "[2,5)"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from etalon.verifiers.math.formula import approximate
from etalon.verifiers.math.read.numbers import parse_number
from etalon.verifiers.math.read.shapes import Kind, shape_of, split_top

LINE = "(-\\infty,\\infty)"
_KINDS = {"real": "R", "natural": "N", "whole": "W", "integer": "Z", "rational": "Q", "complex": "C", "integral": "Z"}
_WORDS = re.compile(
    r"(?:x ?(?:∈|=|is|can be|may be)? ?)?(?P<all>(?:the )?set of(?: all)?|all(?: of)?(?: the)?|any|every|each|the)? ?"
    r"(?P<part>(?:strictly )?positive|(?:strictly )?negative|non-? ?negative|non-? ?positive|non-? ?zero)? ?"
    r"(?P<kind>real|natural|whole|integer|rational|complex)(?P<plural>s)?(?: (?P<numbers>numbers?|values?|solutions?))?"
    r"(?: (?:of |for )?[a-z])?(?:,? (?:except|excluding|but|other than|apart from|without)(?: for)? (?P<without>.+))?"
)
_SIGNS = re.compile(
    r"\\mathbb\{(?P<kind>[RZQNC])\}(?P<part>[\^_](?:[+*-]|\{(?:[+*-]|>0|<0|≥0|≤0|≠0|\\ge0|\\geq0)\}))?"
    r"(?:(?:\\setminus|-|\\)\\\{(?P<without>[^{}]+|[^{}]*\{[^{}]*\}[^{}]*)\\\})?"
)
_PARTS = {
    "positive": ">", "strictly positive": ">", "negative": "<", "strictly negative": "<", "nonnegative": "≥",
    "nonpositive": "≤", "nonzero": "≠", "+": ">", "-": "<", "*": "≠", ">0": ">", "<0": "<", "≥0": "≥", "≤0": "≤",
    "≠0": "≠", "\\ge0": "≥", "\\geq0": "≥",
}  # fmt: skip
_HALVES = {
    ">": "(0,\\infty)",
    "<": "(-\\infty,0)",
    "≥": "[0,\\infty)",
    "≤": "(-\\infty,0]",
    "≠": "(-\\infty,0)∪(0,\\infty)",
}
_OF_INTEGERS = {
    ">": "\\mathbb{Z}^{+}",
    "<": "\\mathbb{Z}^{-}",
    "≥": "\\mathbb{Z}_{≥0}",
    "≤": "\\mathbb{Z}_{≤0}",
    "": "\\mathbb{Z}",
}
_THAN = {
    "≥": r"greater than or equal to|no less than|at least|not less than|≥",
    "≤": r"less than or equal to|no more than|at most|not more than|not greater than|≤",
    ">": r"strictly greater than|greater than|more than|larger than|bigger than|above|>",
    "<": r"strictly less than|less than|smaller than|fewer than|below|<",
}
_SAID = re.compile(
    r"(?:all|any|every|the)(?: the)?(?: set of(?: all)?)?(?: (?:real )?(?:numbers?|values?|reals?))?(?: of)?(?: [a-z])?"
    r"(?:,? (?:such that|with|for which|where|satisfying|that are|which are|that is|so that|is|are)"
    r"(?: [a-z](?: is)?)?)? ?"
    rf"(?:(?P<than>{'|'.join(_THAN.values())})|(?P<between>(?:strictly )?between)) ?"
    r"(?P<end>[^a-z]*?(?:\\[a-z]+)?[^a-z]*?)"
    r"(?: and (?P<other>[^a-z]+?))?(?P<inclusive>,? ?\(?inclusive\)?)?"
)
MAX_PIECES = 24  # (ours) of one union
SOLUTIONS = ("solution", "solutions", "value", "values")
_IN_CHINESE = frozenset(("全体实数", "所有实数", "一切实数", "任意实数", "实数集", "全體實數", "所有實數"))
MAX_CHARS = 120  # (ours)


def number_set(words: str) -> str | None:
    """The set that words name, in signs; None for any other text."""
    if len(words) > MAX_CHARS:
        return None
    words = words.casefold().strip()
    if words in _IN_CHINESE:
        return "\\mathbb{R}"
    if (said := _SAID.fullmatch(words)) is not None:
        return _interval_in_words(said)
    found = _WORDS.fullmatch(words)
    is_said = found is not None and (found["all"] or found["plural"] or found["numbers"] == "numbers")
    if found is None or not is_said or (found["numbers"] in SOLUTIONS and found["all"] not in ("all", "any", "every")):
        return None
    part = re.sub(r"strictly ", "", re.sub(r"non[- ]+", "non", found["part"] or ""))
    without = found["without"]
    if without is not None:
        without = re.sub(r"^[a-z] ?= ?|^(?:the )?(?:numbers?|values?|points?) ", "", without)
        without = re.sub(r"^\\\{(.*)\\\}$", r"\1", re.sub(r",? and |,? or ", ",", without).strip())
    return _named(_KINDS[found["kind"]], _PARTS.get(part, "") if part else "", without)


def _interval_in_words(said: re.Match[str]) -> str | None:
    """ "all real numbers greater than 3" as (3,\\infty); None for ends that are no numbers."""
    end, other = said["end"].replace(" ", ""), (said["other"] or "").replace(" ", "")
    if _place(end) is None or (other and _place(other) is None):
        return None
    if bool(said["between"]) != bool(other):
        return None
    if other:
        return f"[{end},{other}]" if said["inclusive"] else f"({end},{other})"
    way = next(way for way, words in _THAN.items() if re.fullmatch(words, said["than"]))
    return {">": f"({end},\\infty)", "≥": f"[{end},\\infty)", "<": f"(-\\infty,{end})", "≤": f"(-\\infty,{end}]"}[way]


def in_signs(text: str) -> str | None:
    r"""The set that `\mathbb{R}\setminus\{2\}`, `\mathbb{Z}_{>0}` and the like name; None for any other text."""
    found = _SIGNS.fullmatch(text) if text.startswith("\\mathbb{") and len(text) <= MAX_CHARS else None
    if found is None or not (found["part"] or found["without"]):
        return None
    part = _PARTS.get((found["part"] or "").strip("^_{}"), "")
    if found["kind"] in "NC" and found["part"]:
        return None
    return _named(found["kind"], part, found["without"])


def _named(kind: str, part: str, without: str | None) -> str | None:
    points = [] if without is None else split_top(re.sub(r"\s", "", without), ",;")
    if kind == "R":
        if not part and not points:
            return "\\mathbb{R}"
        line = excluding(*points)
        left = f"\\mathbb{{R}}\\setminus\\{{{','.join(points)}\\}}"
        return left if line is None else intersection(_HALVES.get(part, LINE), line)
    if kind == "W":
        kind, part = "Z", "≥"
    base = (
        _OF_INTEGERS.get(part)
        if kind == "Z"
        else f"\\mathbb{{{kind}}}"
        if not part
        else f"\\mathbb{{{kind}}}^{{{part}}}"
    )
    if base is None:  # all but zero
        base, points = "\\mathbb{Z}", ["0", *points]
    return f"{base}\\setminus\\{{{','.join(points)}\\}}" if points else base


def excluding(*points: str) -> str | None:
    """The line without some points, None where one is no number."""
    if any(_place(point) is None for point in points):
        return None
    line: str | None = LINE
    for point in points:
        line = line and intersection(line, f"(-\\infty,{point})∪({point},\\infty)")
    return line


@dataclass(frozen=True, kw_only=True, order=True)
class _Piece:
    """One interval: where it begins and ends, with the texts that say so."""

    low: float
    is_open_below: bool
    high: float
    is_open_above: bool
    low_text: str
    high_text: str


def intersection(one: str, other: str) -> str | None:
    """What two unions of intervals have in common, "" for nothing; None where they are no such unions of numbers."""
    first, second = _pieces(one), _pieces(other)
    return None if first is None or second is None else _text(_common(first, second))


def common(unions: Sequence[str]) -> str | None:
    """What several unions of intervals have in common, the empty set included; None where one is no such union."""
    left: str | None = LINE
    for union in unions:
        left = intersection(left, union) if left else left
    return "\\emptyset" if left == "" else left


def _place(text: str) -> float | None:
    if text in ("\\infty", "-\\infty"):
        return float(text.replace("\\infty", "inf"))
    if re.search(r"(?<![a-zA-Z\\])[a-zA-Z]", re.sub(r"\\[a-zA-Z]+", "", text)):
        return None
    number = parse_number(text)
    return approximate(text) if number is None else None if number.is_percent else number.as_float()


def _pieces(text: str) -> list[_Piece] | None:
    if text == "\\mathbb{R}":
        text = LINE
    pieces = []
    parts = split_top(text, "∪")
    if len(parts) > MAX_PIECES:
        return None
    for part in parts:
        shape = shape_of(part)
        if shape is None or shape.kind is not Kind.TUPLE or len(shape.parts) != 2:
            return None
        low, high = (_place(end) for end in shape.parts)
        if low is None or high is None:
            return None
        pieces.append(
            _Piece(
                low=low, is_open_below=shape.brackets[0] == "(", high=high, is_open_above=shape.brackets[1] == ")",
                low_text=shape.parts[0], high_text=shape.parts[1],
            )
        )  # fmt: skip
    return sorted(pieces)


def _common(first: list[_Piece], second: list[_Piece]) -> list[_Piece]:
    found = []
    for a in first:
        for b in second:
            below = max(a, b, key=lambda piece: (piece.low, piece.is_open_below))
            above = min(a, b, key=lambda piece: (piece.high, not piece.is_open_above))
            is_point = below.low == above.high and not below.is_open_below and not above.is_open_above
            if below.low < above.high or is_point:
                found.append(
                    _Piece(
                        low=below.low, is_open_below=below.is_open_below, low_text=below.low_text,
                        high=above.high, is_open_above=above.is_open_above, high_text=above.high_text,
                    )
                )  # fmt: skip
    return sorted(set(found))[:MAX_PIECES]


def _text(pieces: list[_Piece]) -> str:
    return "∪".join(
        f"\\{{{p.low_text}\\}}"
        if p.low == p.high
        else f"{'(' if p.is_open_below else '['}{p.low_text},{p.high_text}{')' if p.is_open_above else ']'}"
        for p in pieces
    )
