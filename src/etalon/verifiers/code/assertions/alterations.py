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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etalon.verifiers.code.assertions.flow import Flow
from etalon.verifiers.code.assertions.literals import far_literal, is_expected, leaves, other_literal
from etalon.verifiers.code.assertions.sites import RAISING, Site, call_of, certain_sites, name_of, negated, note_sites

CLOSE = frozenset({
    "isclose", "allclose", "array_equal", "array_equiv", "is_same_list", "is_same_tree", "approx_equal",
    "assertAlmostEqual", "assertAlmostEquals", "assertSequenceEqual", "assertCountEqual", "assertItemsEqual",
    "assertNotAlmostEqual", "assert_allclose", "assert_almost_equal", "assert_array_equal", "assert_equal",
    "assert_array_almost_equal", "assertRegex", "assert_called_with", "assert_called_once_with",
})  # fmt: skip
DISTANCES = frozenset({"abs", "fabs", "norm", "max", "sum", "sqrt"})
EQUAL = (ast.Eq, ast.Is)
UNRELATED = ("ZeroDivisionError", "KeyError", "AttributeError", "OverflowError", "NotImplementedError")  # (ours)
BROAD = frozenset({"Exception", "BaseException", "ArithmeticError", "LookupError", "RuntimeError"})


@dataclass(frozen=True)
class Sites:
    """Checks whose sites are known. groups: numbers of sites that are altered together, as they share a literal.

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
    tree, sites = note_sites(tree)
    flow = Flow(tree)
    for site in sites:
        for node in _expected_nodes(site):
            flow.expected.update(id(inner) for inner in ast.walk(node))
    for site in sites:
        _choose_form(site, flow)
    for number, inner in enumerate(ast.walk(tree)):
        if isinstance(inner, ast.expr):  # operators are shared between trees
            inner.number = number  # type: ignore[attr-defined]  # the same in every copy of the tree
    return Sites(tree, sites, _groups(sites), frozenset(certain_sites(tree)))


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
            node = site.call.args[1] if name_of(site.call.func) == "etalon_note" else site.call
            is_other = site.form == "other" and not gently
            changes[node.number] = _other(node) if is_other else negated(node)  # type: ignore[attr-defined]
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
    if name_of(site.call.func) == "etalon_raises":
        return {site.call.number: call_of("etalon_raises", *site.call.args, other)}  # type: ignore[attr-defined]
    return {kind.number: other}  # type: ignore[attr-defined]


class _Changing(ast.NodeTransformer):
    def __init__(self, changes: dict[int, ast.expr]) -> None:
        self._changes = changes

    def visit(self, node: ast.AST) -> Any:
        found = self._changes.get(getattr(node, "number", -1))
        return self.generic_visit(node) if found is None else copy.deepcopy(found)


def _other(node: ast.expr) -> ast.expr:
    assert isinstance(node, ast.Compare)
    return call_of("etalon_equals_other", node.left, node.comparators[0])


# --- how a site is altered ---


def _expected_nodes(site: Site) -> list[ast.expr]:
    """Where in a site values may be expected, the likelier first."""
    function = name_of(site.call.func)
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
            if name_of(function) in ("all", "any"):
                return _expected_in(inner)
        case ast.Call(func=ast.Attribute(value=ast.Compare() as inner, attr="all" | "any")):
            return _expected_in(inner)
        case ast.Call(func=function, args=args) if name_of(function) in CLOSE:
            found = (*reversed(args[:2]), *args[2:])
    return [node for node in found if is_expected(node)]


def _distance(test: ast.Compare) -> ast.BinOp | None:
    """The difference in `abs(a - b) < tolerance`."""
    sides = [test.left, *test.comparators]
    near = sides[0] if isinstance(test.ops[0], (ast.Lt, ast.LtE)) else sides[1]
    while isinstance(near, ast.Call) and name_of(near.func) in DISTANCES and near.args:
        near = near.args[0]
        if isinstance(near, ast.BinOp) and isinstance(near.op, ast.Sub):
            return near
    return None


def _choose_form(site: Site, flow: Flow) -> None:
    function = name_of(site.call.func)
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
        isinstance(checked, ast.Lambda) and isinstance(checked.body, ast.Call) and name_of(checked.body.func) in RAISING
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
