"""Answers with parts, compared part by part: which kinds may be equal, whether order matters, what decides.

tuple - tuple, matrix - matrix, column - tuple     in order; the brackets of a pair are those of an interval
set or list - set or list                          in any order
tuple - list                                       in order (grading only: a list has no order of its own)
set or list of one - a single value                that one
union - union                                      in any order, or the engine
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from etalon.verifiers.math import DIFFERENT, Comparison, Reason
from etalon.verifiers.math.read.relations import in_order_of_names, is_equation, name_and_value, named_values
from etalon.verifiers.math.read.shapes import Kind, Shape, shape_of

_UNIT_VECTORS = re.compile(r"(?:([+-]?[^ijk+-]*)i)?(?:([+-]?[^ijk+-]*)j)?(?:([+-]?[^ijk+-]*)k)?")
_SINGLE = re.compile(r"\[[^\[\],;]+\]")
_ELSE = ",otherwise)"
_FREE = (Kind.SET, Kind.LIST)
_STRENGTH = (Reason.EXACT, Reason.RATIONAL, Reason.SYMBOLIC)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Parts to compare, in order or not.

    is_only_sufficient: a difference of the parts leaves the whole open ([1,2]∪[2,3] is [1,3]).
    """

    expected: tuple[str, ...]
    given: tuple[str, ...]
    in_order: bool
    is_only_sufficient: bool = False

    def compare(self, compare: Callable[[str, str], Comparison]) -> Comparison:
        """Equal when every part is, different when one surely is, else undecided."""
        if not self.in_order:
            return _any_order(self.expected, self.given, compare)
        if len(self.expected) != len(self.given):
            return DIFFERENT
        return _all(compare(a, b) for a, b in zip(self.expected, self.given, strict=True))


def match_parts(expected: str, given: str, *, is_lenient: bool) -> Parts | None:
    """How the parts of two answers pair up; None when answers of these kinds never do."""
    left, right = _shape(expected), _shape(given)
    if (only := _only_part(left)) is not None and (right is None or right.kind not in _FREE):
        return Parts(expected=(only,), given=(given,), in_order=True)
    if (only := _only_part(right)) is not None and (left is None or left.kind not in _FREE):
        return Parts(expected=(expected,), given=(only,), in_order=True)
    if left is None or right is None:
        vector = left if right is None else right
        if vector is not None and _is_vector(vector):
            left = left or _components(expected, len(vector.parts))
            right = right or _components(given, len(vector.parts))
    return None if left is None or right is None else _match(left, right, is_lenient=is_lenient)


def _shape(text: str) -> Shape | None:
    """The shape of a text, (x,y)=(1,2) being x=1,y=2."""
    if (named := named_values(text)) is None:
        return shape_of(text)
    parts = tuple(f"{name}={value}" for name, value in zip(*named, strict=True))
    return Shape(kind=Kind.LIST, parts=parts)


def _only_part(shape: Shape | None) -> str | None:
    """The element of a set or list that has one."""
    return shape.parts[0] if shape is not None and shape.kind in _FREE and len(set(shape.parts)) == 1 else None


def _match(expected: Shape, given: Shape, *, is_lenient: bool) -> Parts | None:
    kinds = (expected.kind, given.kind)
    if kinds == (Kind.UNION, Kind.UNION):
        return _parts(expected, given, in_order=False, is_only_sufficient=True)
    if kinds == (Kind.CASES, Kind.CASES):
        return _cases(expected, given)
    if kinds == (Kind.MATRIX, Kind.MATRIX):
        return _parts(expected, given, in_order=True) if expected.columns == given.columns else None
    if kinds == (Kind.TUPLE, Kind.TUPLE):
        is_pair = len(expected.parts) == 2
        return None if is_pair and expected.brackets != given.brackets else _parts(expected, given, in_order=True)
    if set(kinds) == {Kind.MATRIX, Kind.TUPLE}:
        matrix, other = (expected, given) if expected.kind is Kind.MATRIX else (given, expected)
        if matrix.columns == 1 and other.brackets != "[]":
            return _parts(expected, given, in_order=True)
        rows = _rows(other)
        return None if rows is None else _match(matrix, rows, is_lenient=is_lenient)
    if all(kind in _FREE for kind in kinds):
        return _lists(expected, given, is_lenient=is_lenient)
    if set(kinds) == {Kind.TUPLE, Kind.LIST} and is_lenient:
        tuple_ = expected if expected.kind is Kind.TUPLE else given
        return _values(expected, given) if tuple_.brackets == "()" else None
    return None


def _is_vector(shape: Shape) -> bool:
    return shape.kind is Kind.TUPLE or (shape.kind is Kind.MATRIX and shape.columns == 1)


def _components(text: str, count: int) -> Shape | None:
    """2i-j+3k as the vector (2,-1,3); None for any other text."""
    found = _UNIT_VECTORS.fullmatch(text)
    if found is None or not any(found.groups()[1:]) or any(found.groups()[count:]):
        return None
    signs = {"": "1", "+": "1", "-": "-1"}
    parts = ("0" if part is None else signs.get(part, part.removeprefix("+")) for part in found.groups()[:count])
    return Shape(kind=Kind.TUPLE, parts=tuple(parts), brackets="()")


def _cases(expected: Shape, given: Shape) -> Parts:
    """In any order; where only one side says "otherwise", that branch is for what the other's conditions leave."""
    says = [any(part.endswith(_ELSE) for part in shape.parts) for shape in (expected, given)]
    if says[0] == says[1] or len(expected.parts) != len(given.parts):
        return _parts(expected, given, in_order=False)
    whole, other = (expected, given) if says[0] else (given, expected)
    left = next((part for part in other.parts if part not in whole.parts), other.parts[-1])
    condition = left.rpartition(",")[2]
    told = tuple(f"{part.removesuffix(_ELSE)},{condition}" if part.endswith(_ELSE) else part for part in whole.parts)
    whole = Shape(kind=Kind.CASES, parts=told)
    return _parts(whole, other, in_order=False) if says[0] else _parts(other, whole, in_order=False)


def _rows(shape: Shape) -> Shape | None:
    """[[1,2],[3,4]] as a matrix; None for what is no list of rows."""
    rows = [row for part in shape.parts if (row := _row(part)) is not None]
    if len(rows) < len(shape.parts) or len({len(row.parts) for row in rows}) != 1:
        return None
    return Shape(kind=Kind.MATRIX, parts=tuple(part for row in rows for part in row.parts), columns=len(rows[0].parts))


def _row(text: str) -> Shape | None:
    if _SINGLE.fullmatch(text):
        return Shape(kind=Kind.TUPLE, parts=(text[1:-1],), brackets="[]")
    row = shape_of(text)
    return row if row is not None and row.kind is Kind.TUPLE else None


def _lists(expected: Shape, given: Shape, *, is_lenient: bool) -> Parts | None:
    """Lists in any order; values without names must come in the order of the names."""
    expected, given = _in_groups(expected), _in_groups(given)
    names = [_names(shape) for shape in (expected, given)]
    if (names[0] is None) != (names[1] is None):
        if not is_lenient:
            return None
        if len(set(names[0] or names[1] or ())) > 1:
            return _values(expected, given)
    if names[0] and names[1] and len(set(names[0])) == len(names[0]) > 1 and set(names[0]) == set(names[1]):
        return Parts(expected=_by_name(expected), given=_by_name(given), in_order=True)
    is_same_length = len(expected.parts) == len(given.parts)
    return _parts(expected, given, in_order=False) if is_lenient or is_same_length else None


def _by_name(shape: Shape) -> tuple[str, ...]:
    pairs = sorted(pair for part in shape.parts if (pair := name_and_value(part)))
    return tuple(value for _, value in pairs)


def _in_groups(shape: Shape) -> Shape:
    """p=5,q=2,p=7,q=2 as the two solutions that it lists."""
    names = _names(shape)
    size = len(set(names)) if names else 0
    if names is None or size < 2 or len(names) <= size or names != names[:size] * (len(names) // size):
        return shape
    groups = [shape.parts[start : start + size] for start in range(0, len(names), size)]
    return Shape(kind=shape.kind, parts=tuple(",".join(group) for group in groups))


def _names(shape: Shape) -> tuple[str, ...] | None:
    """The names that all parts of a list assign to, else None."""
    assigned = [name_and_value(part) if is_equation(part) else None for part in shape.parts]
    return tuple(pair[0] for pair in assigned if pair) if all(assigned) else None


def _values(expected: Shape, given: Shape) -> Parts:
    """In order, without names: those that have names in the order of the names.

    Only a reference that names its values, before a plain list, is the order by itself.
    """

    def bare(shape: Shape) -> tuple[str, ...]:
        if (names := _names(shape)) is None:
            return shape.parts
        values = [pair[1] for part in shape.parts if (pair := name_and_value(part))]
        is_listed = shape is expected and given.kind is Kind.LIST
        return tuple(values) if is_listed else in_order_of_names(names, values)

    return Parts(expected=bare(expected), given=bare(given), in_order=True)


def _parts(expected: Shape, given: Shape, *, in_order: bool, is_only_sufficient: bool = False) -> Parts:
    return Parts(expected=expected.parts, given=given.parts, in_order=in_order, is_only_sufficient=is_only_sufficient)


def _all(comparisons: Iterable[Comparison]) -> Comparison:
    """The weakest of the reasons when all are equal; the first difference ends it."""
    undecided, reason = None, Reason.EXACT
    for comparison in comparisons:
        if comparison.is_equal is False:
            return comparison
        if comparison.is_equal is None:
            undecided = comparison
        elif _STRENGTH.index(comparison.reason) > _STRENGTH.index(reason):
            reason = comparison.reason
    return undecided or Comparison(is_equal=True, reason=reason)


def _any_order(
    expected: tuple[str, ...], given: tuple[str, ...], compare: Callable[[str, str], Comparison]
) -> Comparison:
    """As multisets when both have the same length, else as sets."""
    if len(expected) == len(given):
        return _all(_with_partners(expected, given, compare, are_used_up=True))
    there = _all(_with_partners(expected, given, compare, are_used_up=False))
    return there if there.is_equal is False else _all(_with_partners(given, expected, compare, are_used_up=False))


def _with_partners(
    parts: tuple[str, ...], others: tuple[str, ...], compare: Callable[[str, str], Comparison], *, are_used_up: bool
) -> Iterator[Comparison]:
    """The comparison of each part with the first of the others that equals it; or an undecided one, or different."""
    left = list(others)
    for part in parts:
        best = DIFFERENT
        for other in sorted(left, key=lambda text: text != part):
            comparison = compare(part, other)
            if comparison.is_equal is not False:
                best = comparison
            if comparison.is_equal:
                if are_used_up:
                    left.remove(other)
                break
        yield best
