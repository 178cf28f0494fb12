"""Literals as checks write them, and other ones in their place: of the same kind, and as likely to stand there."""

from __future__ import annotations

import ast
import random
import string
from collections.abc import Sequence
from typing import Any

WRAPPERS = frozenset({
    "set", "frozenset", "list", "tuple", "sorted", "dict", "Counter", "deque", "OrderedDict", "array", "asarray",
    "approx", "list_node", "tree_node", "Decimal", "Fraction", "complex", "int", "float",
})  # fmt: skip
ABOUT_ONE_VALUE = frozenset({"Decimal", "Fraction", "complex", "int", "float"})
LIBRARY_CONSTANTS = frozenset({"inf", "nan", "pi", "e", "tau"})
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
            if not args or name in ABOUT_ONE_VALUE:
                return [node]
            return leaves(args[0])
    return []


def other_literal(
    node: ast.expr, known: Sequence[Any], others: Sequence[Any], dice: random.Random, tolerance: float
) -> ast.expr:
    """A literal with another value than the node's, and than all that are `known`.

    others: values that are expected elsewhere. tolerance: it must be farther away than twice that.
    """
    if isinstance(node, CONTAINERS) or (isinstance(node, ast.Call) and not node.args):
        return _filled(node)
    value = _value(node)
    if tolerance or isinstance(value, (float, complex)):
        return _constant(_farther(value, tolerance, dice))
    choices = [o for o in others if type(o) is type(value) and o not in known] if dice.random() < 0.5 else []
    for _ in range(100):
        other = dice.choice(choices) if choices else _moved(value, dice)
        if other not in known and other != value:
            return _constant(other)
        choices = []
    return _constant(f"{value}{dice.randrange(10**6)}" if isinstance(value, str) else dice.randrange(10**9, 10**12))


def far_literal(node: ast.expr, dice: random.Random) -> ast.expr:
    """A literal that no result holds by chance."""
    value = _value(node)
    if isinstance(value, (str, bytes)) and not isinstance(node, CONTAINERS):
        letters = "".join(dice.choices(string.ascii_lowercase, k=9))
        return ast.Constant(value + letters if isinstance(value, str) else value + letters.encode())
    return ast.Constant(dice.randrange(10**9, 10**12))


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


def _constant(value: Any) -> ast.expr:
    return ast.Constant(value)


def _farther(value: Any, tolerance: float, dice: random.Random) -> Any:
    if not isinstance(value, (int, float, complex)) or value != value or abs(value) == float("inf"):
        return round(dice.uniform(10, 100), 3)
    far = 3 * abs(tolerance) + (1 + abs(value)) * dice.uniform(3, 9)
    return value + (int(far) + 1 if isinstance(value, int) and far < 2**60 else round(far, 4))


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
    at = dice.randrange(len(text))
    kinds = (string.digits[1:], string.ascii_uppercase, string.ascii_lowercase)
    kind = next((kind for kind in kinds if text[at] in kind), string.ascii_lowercase)
    return text[:at] + dice.choice(kind) + text[at + 1 :]
