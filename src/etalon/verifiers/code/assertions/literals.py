"""Literals as checks write them, and other ones in their place: of the same kind, and as likely to stand there."""

from __future__ import annotations

import ast
import random
import re
import string
from collections.abc import Sequence
from typing import Any

from etalon.verifiers.code.assertions.sites import Tolerance

WRAPPERS = frozenset({
    "set", "frozenset", "list", "tuple", "sorted", "dict", "Counter", "deque", "OrderedDict", "array", "asarray",
    "approx", "list_node", "tree_node", "Decimal", "Fraction", "complex", "int", "float",
})  # fmt: skip
ABOUT_ONE_VALUE = frozenset({"Decimal", "Fraction", "complex", "int", "float"})
LIBRARY_CONSTANTS = frozenset({"inf", "nan", "pi", "e", "tau"})
FAR_APART = ("", "Q7", "~")  # (ours) what texts begin with
ENOUGH = 6  # (ours) letters of a text that no result holds by chance
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(/\d+)?")
CONTAINERS = (ast.List, ast.Tuple, ast.Set, ast.Dict)


def is_expected(node: ast.expr) -> bool:
    """Whether an expression is made of literals and names alone, of which the program computes nothing."""
    match node:
        case ast.Constant() | ast.Name():
            return True
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return all(map(is_expected, elements))
        case ast.Dict(keys=keys, values=values):
            return all(key is not None and is_expected(key) for key in keys) and all(map(is_expected, values))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return is_expected(operand)
        case ast.Subscript(value=value, slice=index):
            return isinstance(value, (ast.Name, ast.Subscript)) and is_expected(value) and is_expected(index)
        case ast.BinOp():
            return _folded(node) is not None
        case ast.Attribute(value=ast.Name(), attr=name):
            return name in LIBRARY_CONSTANTS
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args):
            return name in WRAPPERS and all(map(is_expected, args))
    return False


def leaves(node: ast.expr) -> list[Any]:
    """Nodes of which each one, if it is another, makes the value of the whole another."""
    match node:
        case ast.Constant():
            return [] if node.value is Ellipsis else [node]
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return [leaf for element in elements for leaf in leaves(element)] if elements else [node]
        case ast.Dict(values=values):
            return [leaf for value in values for leaf in leaves(value)] if values else [node]
        case ast.UnaryOp(operand=operand):
            return leaves(operand)
        case ast.BinOp():
            return [node] if _folded(node) is not None else []
        case ast.Attribute():
            return [node] if node.attr in LIBRARY_CONSTANTS else []
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in WRAPPERS:
            if not args or (name in ABOUT_ONE_VALUE and not _is_number(args[0])):
                return [node]
            return leaves(args[0])
    return []


def _is_number(node: ast.expr) -> bool:
    """Whether it is a number, or text that stays one when a digit of it is another."""
    value = _folded(node)
    return isinstance(value, (int, float)) or (isinstance(value, str) and bool(NUMBER.fullmatch(value)))


def other_literal(
    node: ast.expr,
    known: Sequence[Any],
    others: Sequence[Any],
    dice: random.Random,
    *,
    tolerance: Tolerance | None = None,
    is_taken_apart: bool = False,
) -> ast.expr:
    """A literal with another value than the node's, and than all that are `known`.

    others: values that are expected elsewhere. tolerance: it must be farther away than that.
    is_taken_apart: of a text its letters count, and not their order.
    """
    if isinstance(node, CONTAINERS) or (isinstance(node, ast.Call) and not node.args):
        return _filled(node)
    value = _value(node)
    if isinstance(value, (float, complex)) or (tolerance and type(value) is int):
        return ast.Constant(_farther(value, tolerance, dice))
    if is_taken_apart and isinstance(value, str):
        return ast.Constant(_with_new_letter(value, dice))
    choices = [o for o in others if type(o) is type(value) and o not in known] if dice.random() < 0.5 else []
    for _ in range(100):
        other = dice.choice(choices) if choices else _moved(value, dice)
        if other not in known and other != value:
            return _written(node, other)
        choices = []
    return ast.Constant(f"{value}{dice.randrange(10**6)}" if isinstance(value, str) else dice.randrange(10**9, 10**12))


def _written(node: ast.expr, value: Any) -> ast.expr:
    """The value as it stands in the node: `10**9 + 7` stays arithmetic."""
    if isinstance(node, ast.BinOp) and isinstance(value, int) and isinstance(_folded(node), int):
        return ast.BinOp(node, ast.Add(), ast.Constant(value - _folded(node)))
    return ast.Constant(value)


def far_literal(node: ast.expr, dice: random.Random, turn: int) -> ast.expr:
    """A literal that no result holds by chance: a text of the same kind of letters, if there are enough of them.

    turn: those of three turns have little in common.
    """
    value = _value(node)
    if isinstance(value, bytes):
        return ast.Constant(bytes(dice.choices(range(97, 123), k=max(len(value), 9))))
    if isinstance(value, str) and not isinstance(node, CONTAINERS):
        text = value if sum(map(str.isalnum, value)) >= ENOUGH else value + "x" * ENOUGH
        begin = FAR_APART[turn % len(FAR_APART)] if turn else ""
        return ast.Constant(begin + "".join(_letter_like(letter, dice) for letter in text))
    number = 6 * dice.randrange(10**8, 10**11) + turn
    return ast.Constant(-number if turn % 3 == 2 else number)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.BinOp():
            return _folded(node)
        case ast.Call(func=ast.Name(id="int"), args=[ast.Constant(value=str(text))]) if text.strip().isdigit():
            return int(text)
    return 1.5  # of a call or a constant of a library: a number, whichever


def _folded(node: ast.expr) -> Any:
    """The value of arithmetic with constants; None if it is more than that, or large."""
    match node:
        case ast.Constant(value=int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _folded(operand)
            return -value if isinstance(value, (int, float)) else None
        case ast.BinOp(left=left, op=op, right=right):
            one, two = _folded(left), _folded(right)
            if one is None or two is None:
                return None
            return _computed(one, op, two)
    return None


def _computed(one: Any, op: ast.operator, two: Any) -> Any:
    is_text = isinstance(one, str) or isinstance(two, str)
    try:
        match op:
            case ast.Add():
                return one + two
            case ast.Sub() if not is_text:
                return one - two
            case ast.Mult() if not is_text or max(len(str(one)), len(str(two))) < 1000:
                size = two if isinstance(one, str) else one if isinstance(two, str) else 0
                return one * two if size < 10_000 else None
            case ast.Div() if not is_text:
                return one / two
            case ast.Pow() if not is_text and abs(two) <= 512 and abs(one) <= 10**6:
                return one**two
    except (TypeError, ArithmeticError, ValueError):
        pass
    return None


def _filled(node: ast.expr) -> ast.expr:
    """An empty container with something in it."""
    zero = ast.Constant(0)
    match node:
        case ast.Dict():
            return ast.Dict([zero], [zero])
        case ast.Tuple():
            return ast.Tuple([zero], ast.Load())
        case ast.Call(func=function):
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            filling = ast.List([ast.Tuple([zero, zero], ast.Load())], ast.Load())
            if name in ABOUT_ONE_VALUE:
                return ast.Constant(7)
            return ast.Call(function, [filling], [])
    return ast.List([zero], ast.Load())


def _farther(value: Any, tolerance: Tolerance | None, dice: random.Random) -> Any:
    """A number away by more than the tolerance, by a fifth and by a last digit, with as many digits as it had."""
    if not isinstance(value, (int, float, complex)) or value != value or abs(value) == float("inf"):
        return round(dice.uniform(10, 100), 1)
    digits = 0 if isinstance(value, (int, complex)) else max(len(repr(value).partition(".")[2]), 1)
    absolute, relative = tolerance or (0.0, 0.0)
    far = 3 * absolute + abs(value) * (3 * relative + dice.uniform(0.2, 0.8)) + 3 * 10.0**-digits
    far = int(far) + 1 if isinstance(value, int) else far
    other = value - far if dice.random() < 0.5 else value + far
    return round(other, digits) if isinstance(other, float) and "e" not in repr(value) else other


def _moved(value: Any, dice: random.Random) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + dice.choice((-3, -2, -1, 1, 2, 3, 4, 7, 10))
        case str():
            return _moved_text(value, dice)
        case bytes():
            return value + bytes([dice.randrange(97, 123)])
    return dice.choice((0, False, ""))  # of None


def _moved_text(text: str, dice: random.Random) -> str:
    if not text:
        return dice.choice(string.ascii_lowercase)
    if len(set(text)) > 1 and dice.random() < 0.3:
        return "".join(dice.sample(text, len(text)))
    at = dice.randrange(len(text))
    return text[:at] + _letter_like(text[at], dice) + text[at + 1 :]


def _with_new_letter(text: str, dice: random.Random) -> str:
    known = string.digits[1:] if NUMBER.fullmatch(text) else string.ascii_letters + string.digits
    letters = [letter for letter in known if letter not in text] or [letter for letter in known if letter != text[-1:]]
    return text[:-1] + dice.choice(letters)


def _letter_like(letter: str, dice: random.Random) -> str:
    kinds = (string.digits[1:], string.ascii_uppercase, string.ascii_lowercase)
    kind = next((kind for kind in kinds if letter in kind), "" if letter in " \n\t.,:" else string.ascii_lowercase)
    return dice.choice(kind) if kind else letter
