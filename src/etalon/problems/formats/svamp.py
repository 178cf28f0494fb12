"""SVAMP: {Body, Question, Answer, Equation, Type, ID}; word problems of a step or two, the answer a float: 145.0.

The equation, "( ( 8.0 + 3.0 ) - 2.0 )", is a worked solution: a line for each operation, if they lead to the answer.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from etalon.problems.formats import gsm8k
from etalon.problems.formats.columns import gold, row_id, text
from etalon.problems.formats.reading import Reading
from etalon.problems.syntax import parse
from etalon.types import Domain, Problem

SIGNS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
MOST_CHARACTERS = 200  # (ours) of an equation


def recognises(row: Mapping[str, Any]) -> bool:
    return "Body" in row and "Question" in row and "Answer" in row


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    body, question = text(row, "Body").strip(), text(row, "Question").strip()
    answer = row["Answer"]
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    whole = f"{body if body.endswith(('.', '!', '?', ',')) else f'{body}.'} {question}"
    kind = row.get("Type")
    skill = kind.strip().lower() if isinstance(kind, str) and kind.strip() else Domain.MATH.value
    return Problem(
        id=row_id(row, "ID"),
        domain=Domain.MATH,
        prompt=reading.asked(whole, Domain.MATH),
        answer=gold("Answer", answer),
        skill=skill,
        source="svamp",
        solutions=worked(row.get("Equation"), answer),
    )


def worked(equation: Any, answer: Any) -> tuple[str, ...]:
    """The solution that an equation is, as a response; none where it is not arithmetic that leads to the answer."""
    if not isinstance(equation, str) or len(equation) > MOST_CHARACTERS:
        return ()
    lines: list[str] = []
    try:
        [statement] = parse(equation.strip()).body
        value = _value(statement.value if isinstance(statement, ast.Expr) else statement, lines)
        is_right = value == Fraction(str(answer))
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return ()
    return (gsm8k.response("\n".join(lines), _shown(value)),) if is_right and lines else ()


def _value(node: Any, lines: list[str]) -> Fraction:
    """What an expression comes to; a line is added for every operation. ValueError for anything else."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Fraction(str(node.value))
    if not isinstance(node, ast.BinOp) or type(node.op) not in SIGNS:
        raise ValueError("not arithmetic")
    left, right = _value(node.left, lines), _value(node.right, lines)
    sign = SIGNS[type(node.op)]
    found = {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__}[sign](right)
    lines.append(f"{_shown(left)} {sign} {_shown(right)} = {_shown(found)}")
    return found


def _shown(value: Fraction) -> str:
    """A whole number, or a decimal that is exact. ValueError for others."""
    if value.denominator == 1:
        return str(value.numerator)
    shown = f"{float(value):g}"
    if Fraction(shown) != value:
        raise ValueError("no short decimal")
    return shown
