"""Where checks check: every site is turned into a note of whether it held, after which the run goes on.

assert a == 1 and b        note(0, a == 1); note(1, b)
self.assertEqual(a, 1)     note(2, a == 1)
np.testing.assert_...(a)   call(3, lambda: np.testing.assert_...(a))
if a != 1: raise ...       note(4, a == 1)
with pytest.raises(E): a   with raises(5, pytest.raises(E)): a
try: a; assert False       with tries(6): the same
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.NotEq: ast.Eq, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Lt: ast.GtE, ast.GtE: ast.Lt,
    ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.Is: ast.IsNot,
}  # fmt: skip
UNITTEST: dict[str, Any] = {  # methods of TestCase as expressions
    **dict.fromkeys(("assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertSetEqual"), ast.Eq),
    **dict.fromkeys(("assertTupleEqual", "assertMultiLineEqual"), ast.Eq),
    "assertNotEqual": ast.NotEq, "assertIs": ast.Is, "assertIsNot": ast.IsNot, "assertIn": ast.In,
    "assertNotIn": ast.NotIn, "assertLess": ast.Lt, "assertLessEqual": ast.LtE, "assertGreater": ast.Gt,
    "assertGreaterEqual": ast.GtE, "assertIsNone": ast.Is, "assertIsNotNone": ast.IsNot,
}  # fmt: skip
RAISING = frozenset({"raises", "assertRaises", "assertRaisesRegex"})
NOTING = frozenset({"etalon_note", "etalon_call", "etalon_raises", "etalon_tries"})
CHECKING = re.compile(r"_*(check|test|verify|run|main)")  # names of functions that check
LEAVING = frozenset({"exit", "quit", "fail"})


class Tolerance(NamedTuple):
    """How far from each other values may be: absolutely, and relatively to them."""

    absolute: float
    relative: float


@dataclass
class Site:
    """One check. form: how it is altered, "literal", "distance", "other", "exception", "negated", "fixed" (not at all).

    literals: nodes of which one leaf each is altered (is_all: every leaf; is_far: to what no result holds by chance).
    tolerance: of a distance.
    is_sure: no honest program passes it when it is altered.
    """

    call: ast.Call
    form: str = "negated"
    literals: list[ast.expr] = field(default_factory=list)
    is_all: bool = False
    is_far: bool = False
    tolerance: Tolerance | None = None
    is_sure: bool = True


def note_sites(tree: ast.Module) -> tuple[ast.Module, list[Site]]:
    """The checks with their sites as notes, and the sites; the tree is taken over."""
    own = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    noting = _Noting(_only_run(tree), frozenset(own))
    tree = ast.fix_missing_locations(noting.visit(tree))
    return tree, [Site(call) for call in noting.calls]


class _Noting(ast.NodeTransformer):
    """Turns every check into one that notes whether it held, and goes on."""

    def __init__(self, checking: frozenset[str], own: frozenset[str]) -> None:
        """checking: names of functions that may raise to say that a check failed. own: of all that checks define."""
        self.calls: list[ast.Call] = []
        self._checking, self._own = checking, own
        self._is_outside = True  # of functions that could do something else than check

    def _note(self, test: ast.expr) -> ast.stmt:
        self.calls.append(call_of("etalon_note", ast.Constant(len(self.calls)), test))
        return ast.Expr(self.calls[-1])

    def visit_Assert(self, node: ast.Assert) -> Any:
        if isinstance(node.test, ast.Constant):
            return node  # `assert False`: what it says is that no run comes here
        return [self._note(test) for test in _conjuncts(node.test)]

    def visit_If(self, node: ast.If) -> Any:
        last = node.body[-1]
        is_check = _is_failure(last) or (self._is_outside and (isinstance(last, ast.Raise) or _calls(last, LEAVING)))
        if is_check and not node.orelse and len(node.body) < 3:
            return self._note(negated(node.test))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: Any) -> Any:
        is_checking = node.name in self._checking or bool(CHECKING.match(node.name))
        before, self._is_outside = self._is_outside, is_checking
        self.generic_visit(node)
        self._is_outside = before
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value
        if not isinstance(call, ast.Call) or any(isinstance(inner, ast.Await) for inner in ast.walk(call)):
            return node
        name = name_of(call.func)
        if name in self._own:  # has sites of its own
            return node
        test = _as_expression(name, call)
        if test is not None:
            return self._note(test)
        has_call = len(call.args) > 1 and not any(isinstance(one, ast.Starred) for one in call.args)
        if not has_call if name in RAISING else not name.startswith("assert"):
            return node
        checked = ast.Lambda(ast.arguments([], [], None, [], [], None, []), call)
        self.calls.append(call_of("etalon_call", ast.Constant(len(self.calls)), checked))
        return ast.Expr(self.calls[-1])

    def visit_With(self, node: ast.With) -> Any:
        first = node.items[0].context_expr
        if isinstance(first, ast.Call) and name_of(first.func) in RAISING and "AssertionError" in ast.unparse(first):
            return node  # a check that is expected to fail
        if len(node.items) == 1 and isinstance(first, ast.Call) and name_of(first.func) in RAISING and first.args:
            self.calls.append(call_of("etalon_raises", ast.Constant(len(self.calls)), first))
            node.items[0].context_expr = self.calls[-1]
        return self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> Any:
        kinds = " ".join(ast.unparse(handler.type) for handler in node.handlers if handler.type is not None)
        if "AssertionError" in kinds and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
            return node  # checks that may fail
        self.generic_visit(node)
        is_expecting = any(map(_is_failure, (*node.body, *node.orelse))) and len(node.handlers) == 1
        if not is_expecting or not isinstance(node.handlers[0].type, ast.Name):
            return node
        self.calls.append(call_of("etalon_tries", ast.Constant(len(self.calls))))
        self.calls[-1].handler = node.handlers[0]  # type: ignore[attr-defined]
        return ast.With([ast.withitem(self.calls[-1])], [node])


def _only_run(tree: ast.Module) -> frozenset[str]:
    """Functions of which nobody takes a result: they are called as statements."""
    loads = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    runs = Counter(
        name_of(node.value.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    return frozenset(name for name, count in runs.items() if loads[name] == count)


def _is_failure(node: ast.stmt) -> bool:
    """`assert False` and its like: a run that comes here has failed."""
    match node:
        case ast.Assert(test=ast.Constant(value=value)):
            return not value
        case ast.Raise(exc=ast.Call(func=ast.Name(id="AssertionError")) | ast.Name(id="AssertionError")):
            return True
    return _calls(node, frozenset({"fail"}))


def _conjuncts(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for value in test.values:
            yield from _conjuncts(value)
    else:
        yield test


def _as_expression(name: str, call: ast.Call) -> ast.expr | None:
    """A method of TestCase as what it checks; None if it is more than that."""
    if not isinstance(call.func, ast.Attribute) or any(isinstance(one, ast.Starred) for one in call.args):
        return None
    match name, call.args:
        case ("assertTrue" | "assert_", [test, *_]):
            return test
        case "assertFalse", [test, *_]:
            return ast.UnaryOp(ast.Not(), test)
        case ("assertIsNone" | "assertIsNotNone", [value, *_]):
            return ast.Compare(value, [UNITTEST[name]()], [ast.Constant(None)])
        case ("assertIsInstance", [value, kind, *_]):
            return call_of("isinstance", value, kind)
        case (_, [left, right, *_]) if name in UNITTEST:
            return ast.Compare(left, [UNITTEST[name]()], [right])
    return None


def _calls(node: ast.stmt, names: frozenset[str]) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and name_of(node.value.func) in names


def name_of(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def call_of(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def negated(node: ast.expr) -> ast.expr:
    match node:
        case ast.Call(func=ast.Name(id="etalon_call"), args=args):
            return call_of("etalon_call", *args, ast.Constant(True))
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return inner
        case ast.Compare(left=left, ops=[op], comparators=[right]) if not isinstance(
            op, (ast.Lt, ast.GtE, ast.Gt, ast.LtE)
        ):
            return ast.Compare(left, [OPPOSITE[type(op)]()], [right])
    return ast.UnaryOp(ast.Not(), node)


def site_of(node: ast.expr) -> int | None:
    """The number of the site that a call notes; None for anything else."""
    if not isinstance(node, ast.Call) or name_of(node.func) not in NOTING:
        return None
    number = node.args[0]
    return number.value if isinstance(number, ast.Constant) and isinstance(number.value, int) else None


def is_raising(call: ast.Call) -> bool:
    """Whether it expects an exception: `pytest.raises`, `assertRaises`."""
    return name_of(call.func) in RAISING
