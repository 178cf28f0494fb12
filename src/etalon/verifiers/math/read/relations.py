r"""Equations and inequalities as answers: the value that is assigned, the interval that is meant.

"x=5" "5=x" "m+n=3+7=10"        -> value_of: "5", "5", "10"
"x>1" "1<x≤2" "x∈[1,2)"         -> interval_of: ("x", "(1,\infty)") ("x", "(1,2]") ("x", "[1,2)")
"|x-2|<3"                       -> interval_of: ("x", "(-1,5)")
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from etalon.verifiers.math.formula import approximate
from etalon.verifiers.math.read import sets
from etalon.verifiers.math.read.numbers import parse_number
from etalon.verifiers.math.read.shapes import Kind, shape_of, split_top

MAX_CONDITIONS = 12  # (ours) on one variable
_RAYS = ("(-\\infty,", ",\\infty)")
_DISTANCE = re.compile(r"\|([a-zA-Z])(?:([+-])([^|]+))?\|")
_FUNCTION = re.compile(r"([a-zA-Z](?:\^\{-1\})?)\(([a-z])\)")  # P(A) is no function of A
_SIDES = re.compile(r"[<>≤≥]")
_VARIABLE = re.compile(r"(?:[a-zA-Z]|\\(?!infty|pi)[a-z]+)(?:_(?:\w|\{\w+\}))?'?")
_LETTERS = re.compile(r"\\[a-zA-Z]+|[a-zA-Z]")
_CONGRUENCE = re.compile(
    r"(?:[a-zA-Z]≡)?(?P<residues>[-±]?\d{1,9}(?:[,;∨]-?\d{1,9})*)\(?\\?[pb]?mod\{?(?P<modulus>\d{1,9})\}?\)?"
)
_PROGRESSION = re.compile(r"(?:[a-z]=)?(\d{1,9})[a-z]([+-]\d{1,9})?")
_BUILDER = re.compile(r"\\\{[a-z](?:∈\\mathbb\{R\})?(?:\\mid |\\mid|[|:])(?P<condition>.{1,200})\\\}")
_PROSE = re.compile(r"(?<![\\a-zA-Z])(?!sin|cos|tan|log|deg|det|gcd|lcm|max|min|mod)[a-zA-Z]{4,}")
_DENIED = re.compile(r"(?:not|never|neither)(?![a-z]{3})", re.IGNORECASE)
_JOINED = re.compile(r"(?:vs|but|not|or|and|where|if|then|so|else)(?=[a-zA-Z]?$)")
_NAME_DRESSING = re.compile(r"\\angle|\\triangle|\\overline|\\vec|\\left|\\right|[|{}\s∠]")
_CALL = re.compile(r"[a-zA-Z]\([a-z]\)")
_ARGUMENT = re.compile(r"\([^()]*\)|_[a-z]")  # of f and f(x), of a and a_n
LONG_WORD = re.compile(r"(?<!\\)[^\W\d_]{4,}")
_CONSTANT = re.compile(r"(?:\\(?:frac|sqrt|pi|binom|infty)(?![a-zA-Z])|[^a-zA-Z\\])+")
_BOUNDED = re.compile(_VARIABLE.pattern + r"|[a-z]\([a-z]\)")
_POINT = re.compile(rf"\((?:{_VARIABLE.pattern},)+(?:{_VARIABLE.pattern})\)")
_NAME = re.compile(r"(?!\d)[^+*/^<>≤≥-]+|[a-zA-Z]\^\{-1\}\([a-zA-Z]\)")  # f(x), |AB|, P(A), \angle ABC, (x,y), W


def is_equation(text: str) -> bool:
    """True for one equation (or chain), not for a list of them."""
    return len(split_top(text, "=≈")) > 1 and len(split_top(text, ",;∨")) == 1


def sides_of(text: str) -> list[str]:
    """The sides of an equation or chain of equations; one side when there is none."""
    return split_top(text, "=")


def name_and_value(text: str) -> tuple[str, str] | None:
    """(name, value) of `name=...=value` or `value=x`; None for what assigns nothing, such as x+y=0 or x^2=x."""
    sides = sides_of(_exact_side(text))
    if len(sides) < 2 or not all(sides) or not is_equation(text):
        return None
    first, last = sides[0], sides[-1]
    if _VARIABLE.fullmatch(last) and not _VARIABLE.fullmatch(first):
        first, last = last, first
    if not _NAME.fullmatch(first) or _CONSTANT.fullmatch(first):
        return None
    if _POINT.fullmatch(first) and len(sides) == 2 and (named := named_values(text)):  # (y,x)=(2,1) is (x,y)=(1,2)
        first = f"({','.join(in_order_of_names(named[0], named[0]))})"
        last = f"({','.join(in_order_of_names(*named))})"
    return first, last


def says_more_than_one(text: str) -> bool:
    """True for `x=3 vs x=4` and "not x=3 but x=4": of several statements none is the answer."""
    sides = sides_of(text)
    is_defined = sides[0].endswith(":") and sides[0][0].isdigit()  # 5:=7
    return (
        is_defined or bool(_DENIED.match(text)) or any(sides[0] in side or _JOINED.search(side) for side in sides[1:-1])
    )


def are_other_names(one: str, other: str) -> bool:
    """Whether two names are of different things: AB and CD, r and \\theta; not AB and |AB|, f and f(x), y and f(x)."""
    short, long = sorted((_NAME_DRESSING.sub("", name) for name in (one, other)), key=len)
    if short == long or (short == "y" and _CALL.fullmatch(long)):
        return False
    if long.startswith(short) and _ARGUMENT.fullmatch(long[len(short) :]):
        return False
    return not (len(short) <= 2 and LONG_WORD.search(long))  # A and Area


def value_of(text: str, *, is_reference: bool = False, is_ordered: bool = True) -> str | None:
    """What an equation says where a value is asked for: the assigned value, else the number at the end.

    `3+4=7` and `AB^2=25` end in the value they found; `x-y=0` is the equation of a line and states no value, and a
    reference such as `2x+z=1` is an equation, not a 1. is_ordered: named tuples come in the order of their names.
    """
    if not is_ordered and (named := named_values(text)):  # a plain tuple is in the order that the reference names
        return f"({','.join(named[1])})"
    if (assigned := name_and_value(text)) is not None:
        return assigned[1]
    sides = sides_of(_exact_side(text))
    number = parse_number(sides[-1])
    if len(sides) == 1:
        return sides[0]
    if all(map(_CONSTANT.fullmatch, sides)):
        return None if _are_other_values(sides) else sides[-1]
    others = [parse_number(side) for side in sides[:-1]]
    if number is None or any(other and other.value != number.value for other in others) or _PROSE.search(text):
        return None
    if re.search(r"[a-zA-Z]", text) and (is_reference or (number.value == 0 and len(sides) == 2)):
        return None
    return sides[-1]


def _are_other_values(sides: Sequence[str]) -> bool:
    """Whether formulas without letters come to different values (5=7), or are none at all: (1,2)=(3,4)."""
    numbers = [parse_number(side) for side in sides]
    values = [approximate(s) if n is None else n.as_float() for n, s in zip(numbers, sides, strict=True)]
    found = [value for value in values if value is not None]
    is_off = len(found) > 1 and max(found) - min(found) > 1e-9 * max(1.0, *map(abs, found))
    return is_off or any("," in side for side in sides)


def _exact_side(text: str) -> str:
    """Without the decimal that follows an exact value: `x=1/3≈0.33` says 1/3, and `x≈11` says 11."""
    exact, approximately, decimal = text.partition("≈")
    if not approximately:
        return text
    return f"{exact}={decimal}" if _VARIABLE.fullmatch(exact) else exact


def interval_of(text: str) -> tuple[str, str] | None:
    """(variable, interval or set) of an inequality or membership in one variable that stands alone, else None."""
    if builder := _BUILDER.fullmatch(text):
        text = builder["condition"]
    name, member, domain = text.partition("∈")
    if member:
        if _POINT.fullmatch(name):
            return _in_order(name, domain)
        domain = sets.in_signs(domain) or domain
        return (name, domain) if domain and _VARIABLE.fullmatch(name) else None
    if "≠" in text:
        name, _, point = text.partition("≠")
        both = shape_of(point)
        excluded = sets.excluding(*(both.parts if both and both.kind is Kind.LIST else (point,)))
        return (name, excluded) if excluded and _VARIABLE.fullmatch(name) else None
    signs = _SIDES.findall(text)
    sides = _SIDES.split(text)
    if not 1 <= len(signs) <= 2 or is_equation(text) or not all(sides):
        return None
    if len({sign in "<≤" for sign in signs}) > 1:
        return None
    if signs[0] in ">≥":
        sides.reverse()
        signs = ["<" if sign == ">" else "≤" for sign in reversed(signs)]
    if len(signs) == 2:
        low, variable, high = sides
        return (variable, f"{_left(signs[0])}{low},{high}{_right(signs[1])}") if _BOUNDED.fullmatch(variable) else None
    if (around := _DISTANCE.fullmatch(sides[0])) is not None:
        return _around(around, sides[1], signs[0])
    if (around := _DISTANCE.fullmatch(sides[1])) is not None:  # |x|>3
        inside = _around(around, sides[0], "<" if signs[0] == "≤" else "≤")
        return None if inside is None else (inside[0], _outside(inside[1]))
    if _VARIABLE.fullmatch(sides[0]) and not _VARIABLE.fullmatch(sides[1]):
        return sides[0], f"(-\\infty,{sides[1]}{_right(signs[0])}"
    if _VARIABLE.fullmatch(sides[1]) and not _VARIABLE.fullmatch(sides[0]):
        return sides[1], f"{_left(signs[0])}{sides[0]},\\infty)"
    return None


def _in_order(name: str, domain: str) -> tuple[str, str] | None:
    """(y,x)∈\\{(1,2)\\} as (x,y)∈\\{(2,1)\\}."""
    names = split_top(name[1:-1], ",")
    own, points = in_order_of_names(names, names), shape_of(domain)
    if own == tuple(names):
        return name, domain
    shapes = [shape_of(point) for point in points.parts] if points is not None and points.kind is Kind.SET else []
    if not shapes or any(shape is None or len(shape.parts) != len(names) for shape in shapes):
        return None
    ordered = [f"({','.join(in_order_of_names(names, shape.parts))})" for shape in shapes if shape]
    return f"({','.join(own)})", f"\\{{{','.join(ordered)}\\}}"


def _around(found: re.Match[str], radius: str, sign: str) -> tuple[str, str] | None:
    """|x-2|<3 as the interval from -1 to 5."""
    variable, away, offset = found.groups()
    width, middle = parse_number(radius), parse_number(offset or "0")
    if width is None or middle is None or width.value <= 0 or width.is_percent or middle.is_percent:
        return None
    centre = middle.value if away == "-" else -middle.value
    return variable, f"{_left(sign)}{centre - width.value},{centre + width.value}{_right(sign)}"


def congruence(text: str) -> tuple[frozenset[int], int] | None:
    """(residues, modulus) of n≡1 (mod 4), n≡1,3 (mod 4) and 4k+1; None for any other text."""
    if "mod" in text and len(parts := split_top(text, "∨")) > 1:
        found_parts = [congruence(part) for part in parts]
        each = [part for part in found_parts if part is not None]
        if len(each) == len(parts) and len({modulus for _, modulus in each}) == 1:
            return frozenset().union(*(residues for residues, _ in each)), each[0][1]
    if found := _CONGRUENCE.fullmatch(text):
        modulus = int(found["modulus"])
        residues = [int(sign) for one in re.split(r"[,;∨]", found["residues"]) for sign in _signed(one)]
    elif found := _PROGRESSION.fullmatch(text):
        modulus, residues = int(found[1]), [int(found[2] or 0)]
    else:
        return None
    return (frozenset(one % modulus for one in residues), modulus) if modulus else None


def _signed(text: str) -> tuple[str, ...]:
    return (text[1:], "-" + text[1:]) if text.startswith("±") else (text,)


def _outside(interval: str) -> str:
    low, high = interval[1:-1].split(",")
    return f"(-\\infty,{low}{']' if interval[0] == '(' else ')'}∪{'[' if interval[-1] == ')' else '('}{high},\\infty)"


def with_argument(pair: tuple[str, str], name: str) -> tuple[str, str] | None:
    """f(t)=2t as f(x)=2x when `name` is f(x); None when x means something else there."""
    wanted, found = _FUNCTION.fullmatch(name), _FUNCTION.fullmatch(pair[0])
    if wanted is None or found is None or wanted[1] != found[1] or wanted[2] == found[2]:
        return pair
    letters = set(_LETTERS.findall(pair[1]))
    if wanted[2] in letters:
        return None
    value = _LETTERS.sub(lambda one: wanted[2] if one[0] == found[2] else one[0], pair[1])
    return name, value


def _left(sign: str) -> str:
    return "[" if sign == "≤" else "("


def _right(sign: str) -> str:
    return "]" if sign == "≤" else ")"


def union_of(text: str) -> tuple[str, str] | None:
    """(variable, union of intervals) of inequalities in one variable joined by `or` and commas, else `interval_of`."""
    found = [_all_of(part) for part in split_top(text, "∨")]
    if any(found) and not all(found):  # x=0 or x>1
        found = [pair or _point(part) for pair, part in zip(found, split_top(text, "∨"), strict=True)]
    if not all(found):
        return None
    pairs = [pair for pair in found if pair is not None]
    return (pairs[0][0], "∪".join(pair[1] for pair in pairs)) if len({pair[0] for pair in pairs}) == 1 else None


def _point(text: str) -> tuple[str, str] | None:
    assigned = name_and_value(text)
    return (assigned[0], f"\\{{{assigned[1]}\\}}") if assigned and _VARIABLE.fullmatch(assigned[0]) else None


def _all_of(text: str) -> tuple[str, str] | None:
    """What several conditions on one variable leave, or one of them; rays that never meet are joined: x<2, x>5."""
    parts = split_top(text, ",;")
    if len(parts) == 1 or not all(any(sign in part for sign in "<>≤≥≠∈") for part in parts):
        return interval_of(text)
    found = [interval_of(part) for part in parts]
    pairs = [pair for pair in found if pair is not None]
    if len(parts) > MAX_CONDITIONS or len(pairs) < len(parts) or len({name for name, _ in pairs}) > 1:
        return None
    unions = [union for _, union in pairs]
    rays = [union for union in unions if "∪" not in union]
    if any(sum(union.endswith(end) or union.startswith(end) for union in rays) > 1 for end in _RAYS):
        return None  # x>3, x>5: two answers
    common = sets.common(unions)
    if common is None:
        return None
    if common == "\\emptyset":
        common = "∪".join(unions) if len(unions) == 2 else None
    return None if common is None else (pairs[0][0], common)


def in_order_of_names(names: Sequence[str], values: Sequence[str]) -> tuple[str, ...]:
    """Values in the order of their names: x before y, a_1 before a_2, Latin before Greek; as they are for words."""
    if not all(_VARIABLE.fullmatch(name) for name in names):
        return tuple(values)
    pairs = sorted(zip(names, values, strict=True), key=lambda pair: (pair[0].startswith("\\"), pair[0]))
    return tuple(value for _, value in pairs)


def named_values(text: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """(names, values) of (x,y)=(1,2); None for any other text."""
    sides = sides_of(text)
    if len(sides) != 2 or not _POINT.fullmatch(sides[0]):
        return None
    values = shape_of(sides[1])
    names = tuple(split_top(sides[0][1:-1], ","))
    if values is None or values.kind is not Kind.TUPLE or len(values.parts) != len(names):
        return None
    return names, values.parts
