r"""Answers with parts: tuples, intervals, sets, lists, unions and matrices, split at the top level of their brackets.

"(1,2]" -> tuple with brackets "(]"      "\{1,2\}" -> set      "1,2" -> list      "1±\sqrt2" -> list of two
"(1,2)∪[3,4]" -> union                   "\begin{pmatrix}1&2\\3&4\end{pmatrix}" -> matrix of rows
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_PARTS = 64  # (ours) beyond that, texts are compared

_ENVIRONMENT = re.compile(r"\\(begin|end)\b")
_MATRIX = re.compile(
    r"(?P<bracket>[(\[]?)\\begin\{(?P<name>[pb]?matrix|smallmatrix|array)\}(?:\{[lcr|]*\})?"
    r"(?P<body>.*)\\end\{(?P=name)\}(?P<close>[)\]]?)",
    re.DOTALL,
)
_CASES = re.compile(r"\\begin\{d?cases\}(?P<body>.*)\\end\{d?cases\}", re.DOTALL)
_ELSE = re.compile(r"^(?:else|otherwise|elsewhere|inallothercases)$")
_IF = re.compile(r"^(?:if|for|when|where)\s*")
_TRANSPOSED = re.compile(
    r"(.*(?:[)\]]|\\end\{[a-z]+\}))\^\{? ?(?:T|\\top|\\intercal|\\(?:mathsf|mathrm|text) ?\{T\}) ?\}?", re.DOTALL
)
_POINT = re.compile(r"[A-Z](?=\(.*,.*\)$)")  # A(1,2) is the point (1,2)


class Kind(StrEnum):
    """What an answer with parts is; it decides which other kinds it may equal, and whether order matters."""

    TUPLE = "tuple"
    SET = "set"
    LIST = "list"
    UNION = "union"
    MATRIX = "matrix"
    CASES = "cases"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """brackets: "(]" of a tuple or interval. columns: of a matrix, whose parts are its entries row by row."""

    kind: Kind
    parts: tuple[str, ...]
    brackets: str = ""
    columns: int = 0


def shape_of(text: str) -> Shape | None:
    """The parts of an answer, or None for a single value (or for more than MAX_PARTS)."""
    shape = (
        _cases(text)
        or _transposed(text)
        or _matrix(text)
        or _union(text)
        or _list(text)
        or _enclosed(text)
        or _plus_minus(text)
    )
    return shape if shape is None or len(shape.parts) <= MAX_PARTS else None


def split_top(text: str, separators: str) -> list[str]:
    """The text split at the separators that no bracket encloses."""
    if not any(separator in text for separator in separators):
        return [text]
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        character = text[position]
        if character == "\\" and (environment := _ENVIRONMENT.match(text, position)):
            depth += 1 if environment[1] == "begin" else -1
            position = environment.end()
            continue
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0 and character in separators:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    return [part.strip() for part in (*parts, text[start:])]


def _list(text: str) -> Shape | None:
    parts = split_top(text, ";∨")
    parts = parts if len(parts) > 1 and "=" in text else split_top(text, ",;∨")
    if len(parts) < 2 or not all(parts):
        return None
    return Shape(kind=Kind.LIST, parts=tuple(value for part in parts for value in _values(part)))


def _union(text: str) -> Shape | None:
    parts = split_top(text, "∪")
    return Shape(kind=Kind.UNION, parts=tuple(parts)) if len(parts) > 1 and all(parts) else None


def _enclosed(text: str) -> Shape | None:
    """A tuple, an interval or a set: brackets around the whole text."""
    if _POINT.match(text):
        text = text[1:]
    if text[:2] == "\\{" and text[-2:] == "\\}":
        opening, inside, closing = "{", text[2:-2], "}"
    elif len(text) > 2 and text[0] in "([{" and text[-1] in ")]}":
        opening, inside, closing = text[0], text[1:-1], text[-1]
    else:
        return None
    if not _is_balanced(inside):
        return None
    parts = split_top(inside, ",;")
    if not all(parts):
        return None
    if opening == "{" and closing == "}":  # LaTeX shows no braces that are not escaped: {1,2} is a list
        kind = Kind.SET if text.startswith("\\") else Kind.LIST
        return Shape(kind=kind, parts=tuple(value for part in parts for value in _values(part)))
    if len(parts) < 2 or "{" in opening + closing:
        return None
    if "∓" in inside or sum("±" in part for part in parts) == 1:
        return Shape(kind=Kind.LIST, parts=_both_signs(text))
    return Shape(kind=Kind.TUPLE, parts=tuple(parts), brackets=opening + closing)


def _is_balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0


def _plus_minus(text: str) -> Shape | None:
    values = _values(text)
    return Shape(kind=Kind.LIST, parts=values) if len(values) > 1 else None


def _values(text: str) -> tuple[str, ...]:
    r"""Both values of a text with one ±, the text itself otherwise; `x=±2` gives x=2 and x=-2."""
    return _both_signs(text) if text.count("±") == 1 else (text,)


def _both_signs(text: str) -> tuple[str, str]:
    def with_sign(plus: str, minus: str) -> str:
        signed = text.replace("±", plus).replace("∓", minus)
        return re.sub(r"(?<![^=({\[,])\+", "", signed)  # no leading plus

    return with_sign("+", "-"), with_sign("-", "+")


def _cases(text: str) -> Shape | None:
    """The branches of a piecewise function, each the pair of its value and its condition."""
    if (found := _CASES.fullmatch(text)) is None or "\\begin" in found["body"]:
        return None
    rows = [row.partition("&") for row in re.split(r"\\\\", found["body"]) if row.strip()]
    parts = tuple(f"({value.strip(' ,')},{_condition(text)})" for value, _, text in rows)
    return Shape(kind=Kind.CASES, parts=parts)


def _condition(text: str) -> str:
    return _ELSE.sub("otherwise", _IF.sub("", text.strip(" ,."))) or "otherwise"


def _transposed(text: str) -> Shape | None:
    """(1,2)^T as a column, and the transpose of a matrix."""
    if (found := _TRANSPOSED.fullmatch(text)) is None or (inner := shape_of(found[1])) is None:
        return None
    if inner.kind is Kind.TUPLE:
        return Shape(kind=Kind.MATRIX, parts=inner.parts, columns=1)
    if inner.kind is not Kind.MATRIX:
        return None
    rows = len(inner.parts) // inner.columns
    parts = tuple(inner.parts[row * inner.columns + column] for column in range(inner.columns) for row in range(rows))
    return Shape(kind=Kind.MATRIX, parts=parts, columns=rows)


def _matrix(text: str) -> Shape | None:
    if (found := _MATRIX.fullmatch(text)) is None or "\\begin" in found["body"]:
        return None
    body = found["body"].removeprefix("\\hline").rstrip()
    rows = [row.split("&") for row in body.removesuffix("\\\\").split("\\\\")]
    if len({len(row) for row in rows}) != 1:
        return None
    entries = tuple(entry.strip() for row in rows for entry in row)
    return Shape(kind=Kind.MATRIX, parts=entries, columns=len(rows[0]))
