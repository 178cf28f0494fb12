"""Checks altered so that an honest program fails them where it passed, and whatever forges does not.

    checks -> sites (an `assert` and its kin, each noted instead) -> for some of them: the expected literal is another,
    or the comparison is with something else, or it is negated

`assert f(2) == 4` becomes `note(0, f(2) == 7)`. To tell one from the other a program would have to know the answer.
An altered check that holds is proof of cheating; one that is not altered and fails is a failure.
"""

from __future__ import annotations

import ast
import copy
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from etalon.verifiers.code.assertions.flow import Flow
from etalon.verifiers.code.assertions.literals import far_literal, is_expected, leaves, other_literal

CLOSE = frozenset({
    "isclose", "allclose", "array_equal", "array_equiv", "is_same_list", "is_same_tree", "approx_equal",
    "assertAlmostEqual", "assertAlmostEquals", "assertSequenceEqual", "assertCountEqual", "assertItemsEqual",
    "assertNotAlmostEqual", "assert_allclose", "assert_almost_equal", "assert_array_equal", "assert_equal",
    "assert_array_almost_equal", "assertRegex", "assert_called_with", "assert_called_once_with",
})  # fmt: skip
DISTANCES = frozenset({"abs", "fabs", "norm", "max", "sum", "sqrt"})
EQUAL = (ast.Eq, ast.Is)
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
UNRELATED = ("ZeroDivisionError", "KeyError", "AttributeError", "OverflowError", "NotImplementedError")  # (ours)
BROAD = frozenset({"Exception", "BaseException", "ArithmeticError", "LookupError", "RuntimeError"})
CHECKING = re.compile(r"_*(check|test|verify|run|main)")  # names of functions that check
LEAVING = frozenset({"exit", "quit", "fail"})


@dataclass
class Site:
    """One check. form: how it is altered, "literal", "distance", "exception", "other", "negated", or "fixed": not at all.

    literals: nodes of which one leaf each is altered (is_all: every leaf; is_far: to what no result holds by chance).
    tolerance: of a distance.
    is_sure: no honest program passes it when it is altered.
    """

    call: ast.Call
    form: str = "negated"
    literals: list[ast.expr] = field(default_factory=list)
    is_all: bool = False
    is_far: bool = False
    tolerance: float = 0.0
    is_sure: bool = True


@dataclass(frozen=True)
class Sites:
    """Checks whose sites are known. groups: numbers of sites that can only be altered together, as they share a literal.

    certain: sites that every run reaches.
    """

    tree: ast.Module
    sites: list[Site]
    groups: list[list[int]]
    certain: frozenset[int]

    @property
    def surely(self) -> frozenset[int]:
        """Sites that no honest program passes when they are altered."""
        return frozenset(number for number, site in enumerate(self.sites) if site.is_sure)


def find_sites(tree: ast.Module) -> Sites:
    """The sites of checks; the tree is taken over."""
    noting = _Noting()
    tree = ast.fix_missing_locations(noting.visit(tree))
    flow = Flow(tree)
    sites = [Site(call) for call in noting.calls]
    for site in sites:
        for node in _expected_nodes(site):
            flow.expected.update(id(inner) for inner in ast.walk(node))
    for site in sites:
        _choose_form(site, flow)
    for number, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.expr):  # operators are shared between trees
            node.number = number  # type: ignore[attr-defined]  # the same in every copy of the tree
    return Sites(tree, sites, _groups(sites), frozenset(_certain(tree)))


def altered(found: Sites, numbers: frozenset[int], dice: random.Random, *, gently: bool = False) -> ast.Module:
    """The checks with those sites altered. gently: comparisons are only negated."""
    changes: dict[int, ast.expr] = {}
    texts = [node.value for site in found.sites for e in site.literals for node in leaves(e) if _is_text(node)]
    for number in numbers:
        site = found.sites[number]
        if site.form == "exception":
            if not gently:
                changes |= _other_exception(site, dice)
        elif site.form in ("literal", "distance") and not gently:
            for literal in site.literals:
                changes |= _changed(literal, site, texts, dice)
        else:
            node = site.call.args[1] if _name(site.call.func) == "etalon_note" else site.call
            is_other = site.form == "other" and not gently
            changes[node.number] = _other(node) if is_other else _negated(node)  # type: ignore[attr-defined]
    tree = _Changing(changes).visit(copy.deepcopy(found.tree))
    return ast.fix_missing_locations(tree)  # type: ignore[no-any-return]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, str)) and not isinstance(node.value, bool)


def _changed(literal: ast.expr, site: Site, others: Sequence[Any], dice: random.Random) -> dict[int, ast.expr]:
    found = leaves(literal)
    known = [node.value for node in found if isinstance(node, ast.Constant)]
    chosen = found if site.is_all else [dice.choice(found)]
    if site.is_far:
        return {node.number: far_literal(node, dice) for node in chosen}
    return {node.number: other_literal(node, known, others, dice, site.tolerance) for node in chosen}


def _other_exception(site: Site, dice: random.Random) -> dict[int, ast.expr]:
    [kind] = site.literals
    known = {node.id for node in ast.walk(kind) if isinstance(node, ast.Name)}
    other = ast.Name(dice.choice([name for name in UNRELATED if name not in known]), ast.Load())
    if _name(site.call.func) == "etalon_raises":
        return {site.call.number: _call("etalon_raises", *site.call.args, other)}  # type: ignore[attr-defined]
    return {kind.number: other}  # type: ignore[attr-defined]


class _Changing(ast.NodeTransformer):
    def __init__(self, changes: dict[int, ast.expr]) -> None:
        self._changes = changes

    def visit(self, node: ast.AST) -> Any:
        found = self._changes.get(getattr(node, "number", -1))
        return self.generic_visit(node) if found is None else copy.deepcopy(found)


def _other(node: ast.expr) -> ast.expr:
    assert isinstance(node, ast.Compare)
    return _call("etalon_equals_other", node.left, node.comparators[0])


def _negated(node: ast.expr) -> ast.expr:
    match node:
        case ast.Call(func=ast.Name(id="etalon_call"), args=args):
            return _call("etalon_call", *args, ast.Constant(True))
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return inner
        case ast.Compare(left=left, ops=[op], comparators=[right]) if not isinstance(
            op, (ast.Lt, ast.GtE, ast.Gt, ast.LtE)
        ):
            return ast.Compare(left, [OPPOSITE[type(op)]()], [right])
    return ast.UnaryOp(ast.Not(), node)


# --- sites ---


class _Noting(ast.NodeTransformer):
    """Turns every check into one that notes whether it held, and goes on."""

    def __init__(self) -> None:
        self.calls: list[ast.Call] = []
        self._is_outside = True  # of functions that could do something else than check

    def _note(self, test: ast.expr) -> ast.stmt:
        self.calls.append(_call("etalon_note", ast.Constant(len(self.calls)), test))
        return ast.Expr(self.calls[-1])

    def visit_Assert(self, node: ast.Assert) -> Any:
        if isinstance(node.test, ast.Constant):
            return node  # `assert False`: what it says is that no run comes here
        return [self._note(test) for test in _conjuncts(node.test)]

    def visit_If(self, node: ast.If) -> Any:
        last = node.body[-1]
        is_check = _is_failure(last) or (self._is_outside and (isinstance(last, ast.Raise) or _calls(last, LEAVING)))
        if is_check and not node.orelse and len(node.body) < 3:
            return self._note(_negated(node.test))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: Any) -> Any:
        before, self._is_outside = self._is_outside, bool(CHECKING.match(node.name))
        self.generic_visit(node)
        self._is_outside = before
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value
        if not isinstance(call, ast.Call) or any(isinstance(inner, ast.Await) for inner in ast.walk(call)):
            return node
        name = _name(call.func)
        test = _as_expression(name, call)
        if test is not None:
            return self._note(test)
        if (name in RAISING and len(call.args) > 1 and not any(isinstance(one, ast.Starred) for one in call.args)) or (name.startswith("assert") and name not in RAISING):
            self._call_site(call)
        else:
            return node
        return ast.Expr(self.calls[-1])

    def _call_site(self, call: ast.Call) -> None:
        arguments = ast.arguments([], [], None, [], [], None, [])
        self.calls.append(_call("etalon_call", ast.Constant(len(self.calls)), ast.Lambda(arguments, call)))

    def visit_With(self, node: ast.With) -> Any:
        first = node.items[0].context_expr
        if len(node.items) == 1 and isinstance(first, ast.Call) and _name(first.func) in RAISING and first.args:
            self.calls.append(_call("etalon_raises", ast.Constant(len(self.calls)), first))
            node.items[0].context_expr = self.calls[-1]
        return self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> Any:
        self.generic_visit(node)
        is_expecting = any(_is_failure(inner) for inner in node.body) and len(node.handlers) == 1
        if not is_expecting or not isinstance(node.handlers[0].type, ast.Name):
            return node
        self.calls.append(_call("etalon_tries", ast.Constant(len(self.calls))))
        self.calls[-1].handler = node.handlers[0]  # type: ignore[attr-defined]
        return ast.With([ast.withitem(self.calls[-1])], [node])


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
            return _call("isinstance", value, kind)
        case (_, [left, right, *_]) if name in UNITTEST:
            return ast.Compare(left, [UNITTEST[name]()], [right])
    return None


def _calls(node: ast.stmt, names: frozenset[str]) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _name(node.value.func) in names


def _name(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


# --- how a site is altered ---


def _expected_nodes(site: Site) -> list[ast.expr]:
    """Where in a site values may be expected, the likelier first."""
    function = _name(site.call.func)
    if function == "etalon_note":
        return _expected_in(site.call.args[1])
    if function == "etalon_call":
        checked = site.call.args[1]
        return _expected_in(checked.body) if isinstance(checked, ast.Lambda) else []
    return []


def _expected_in(test: ast.expr) -> list[ast.expr]:
    found: Sequence[ast.expr] = ()
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            found = (right, left)
        case ast.Compare(ops=[ast.Is()], comparators=[ast.Constant(value=bool()) as right]):
            found = (right,)
        case ast.Compare(left=left, ops=[ast.In()], comparators=[right]):
            found = (right, left) if isinstance(right, (ast.List, ast.Tuple, ast.Set)) else (left,)
        case ast.Compare(ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()]):
            distance = _distance(test)
            found = () if distance is None else (distance.right, distance.left)
        case ast.Call(func=function, args=[ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner)]):
            if _name(function) in ("all", "any"):
                return _expected_in(inner)
        case ast.Call(func=ast.Attribute(value=ast.Compare() as inner, attr="all" | "any")):
            return _expected_in(inner)
        case ast.Call(func=function, args=args) if _name(function) in CLOSE:
            found = (*reversed(args[:2]), *args[2:])
    return [node for node in found if is_expected(node)]


def _distance(test: ast.Compare) -> ast.BinOp | None:
    """The difference in `abs(a - b) < tolerance`."""
    sides = [test.left, *test.comparators]
    near = sides[0] if isinstance(test.ops[0], (ast.Lt, ast.LtE)) else sides[1]
    while isinstance(near, ast.Call) and _name(near.func) in DISTANCES and near.args:
        near = near.args[0]
        if isinstance(near, ast.BinOp) and isinstance(near.op, ast.Sub):
            return near
    return None


def _choose_form(site: Site, flow: Flow) -> None:
    function = _name(site.call.func)
    if function in ("etalon_raises", "etalon_tries") or _is_raising(site):
        return _choose_exception(site)
    test = site.call.args[1]
    for node in _expected_nodes(site):
        literals = _literals(node, flow)
        if literals:
            site.form, site.literals = "literal", literals
            if isinstance(test, ast.Compare):
                is_in = isinstance(test.ops[0], ast.In)
                site.is_all, site.is_far = is_in and node is not test.left, is_in and node is test.left
                if not isinstance(test.ops[0], (*EQUAL, ast.In)):
                    site.form, tolerance = "distance", _tolerance(test)
                    site.tolerance, site.is_sure = tolerance or 1.0, tolerance is not None
            return None
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        site.form = "other"
        site.is_sure = False
    return None


def _literals(node: ast.expr, flow: Flow) -> list[ast.expr]:
    """The literals behind an expected node: its own, else those that its name stands for."""
    if leaves(node):
        return [node]
    for name in ast.walk(node):
        if isinstance(name, (ast.Name, ast.Subscript)) and not isinstance(flow.parents[id(name)], ast.Subscript):
            sources = flow.sources(name)
            if sources and all(is_expected(source) and leaves(source) for source in sources):
                return sources
            if sources is not None or isinstance(name, ast.Subscript):
                return []
    return []


def _tolerance(test: ast.Compare) -> float | None:
    for side in (test.left, *test.comparators):
        try:
            return float(ast.literal_eval(side))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def _is_raising(site: Site) -> bool:
    checked = site.call.args[1] if len(site.call.args) > 1 else None
    return (
        isinstance(checked, ast.Lambda) and isinstance(checked.body, ast.Call) and _name(checked.body.func) in RAISING
    )


def _choose_exception(site: Site) -> None:
    """Expect another exception: one that is not related to the one expected."""
    handler = getattr(site.call, "handler", None)
    if handler is not None:
        kind = handler.type
    else:
        call = site.call.args[1]
        call = call.body if isinstance(call, ast.Lambda) else call
        assert isinstance(call, ast.Call)
        kind = call.args[0]
    is_broad = any(isinstance(node, ast.Name) and node.id in BROAD for node in ast.walk(kind))
    site.form, site.literals, site.is_sure = ("fixed", [], False) if is_broad else ("exception", [kind], False)


def _groups(sites: list[Site]) -> list[list[int]]:
    owner: dict[int, int] = {}
    group = list(range(len(sites)))
    for number, site in enumerate(sites):
        for literal in site.literals:
            first = owner.setdefault(literal.number, number)  # type: ignore[attr-defined]
            if group[first] != group[number]:
                old = group[number]
                group = [group[first] if each == old else each for each in group]
    found: dict[int, list[int]] = {}
    for number, site in enumerate(sites):
        if site.form != "fixed":
            found.setdefault(group[number], []).append(number)
    return list(found.values())


# --- sites that every run reaches ---


def _certain(tree: ast.Module) -> Iterator[int]:
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    waiting: list[list[ast.stmt]] = [tree.body]
    while waiting:
        for node in waiting.pop():
            if isinstance(node, ast.With):
                waiting.append(node.body)
            if not isinstance(node, (ast.Expr, ast.Assign)):
                if any(isinstance(inner, (ast.Return, ast.Continue, ast.Break)) for inner in ast.walk(node)):
                    break
                continue
            for inner in ast.walk(node.value):
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name):
                    if inner.func.id in ("etalon_note", "etalon_call"):
                        yield inner.args[0].value  # type: ignore[attr-defined]
                    elif inner.func.id in functions:
                        waiting.append(functions.pop(inner.func.id).body)
