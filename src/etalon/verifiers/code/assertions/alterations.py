"""Checks altered so that an honest program fails them where it passed, and whatever forges does not.

    checks -> sites (an `assert` and its kin, each noted instead) -> for some of them: the expected literal is another,
    or the comparison is with something else, or it is negated

`assert f(2) == 4` becomes `note(0, f(2) == 7)`. To tell one from the other a program would have to know the answer.
An altered check that holds is proof of cheating; one that is not altered and fails is a failure.
"""

from __future__ import annotations

import ast
import builtins
import copy
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etalon.verifiers.code.assertions.flow import Flow
from etalon.verifiers.code.assertions.literals import far_literal, is_expected, leaves, other_literal
from etalon.verifiers.code.assertions.reach import Reach
from etalon.verifiers.code.assertions.sites import (
    RAISING,
    Site,
    Tolerance,
    call_of,
    name_of,
    negated,
    note_sites,
    site_of,
)

CLOSE = frozenset({
    "isclose", "allclose", "array_equal", "array_equiv", "is_same_list", "is_same_tree", "approx_equal",
    "assertAlmostEqual", "assertAlmostEquals", "assertSequenceEqual", "assertCountEqual", "assertItemsEqual",
    "assert_allclose", "assert_almost_equal", "assert_array_equal", "assert_equal",
    "assert_array_almost_equal", "assertRegex", "assert_called_with", "assert_called_once_with",
})  # fmt: skip
DISTANCES = frozenset({"abs", "fabs", "norm", "max", "sum", "sqrt"})
EQUAL = (ast.Eq, ast.Is)
TOLERANCES = {
    **dict.fromkeys(("abs", "atol", "abs_tol", "delta"), "absolute"),
    **dict.fromkeys(("rel", "rtol", "rel_tol"), "relative"), **dict.fromkeys(("places", "decimal"), "digits"),
}  # fmt: skip
DEFAULT_TOLERANCE = 1e-4  # (ours) more than that of any library
SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in",
}  # fmt: skip
UNRELATED = {"ZeroDivisionError", "KeyError", "AttributeError", "OverflowError", "NotImplementedError"}  # (ours)
BROAD = frozenset({"Exception", "BaseException", "ArithmeticError", "LookupError", "RuntimeError"})


@dataclass(frozen=True)
class Sites:
    """Checks whose sites are known. groups: numbers of sites that are altered together, as they share a literal.

    certain: sites that every run reaches; counted: to which every run comes equally often, whatever the program does.
    """

    tree: ast.Module
    sites: list[Site]
    groups: list[list[int]]
    certain: frozenset[int]
    counted: frozenset[int]

    @property
    def surely(self) -> frozenset[int]:
        """Sites that no honest program passes when they are altered."""
        return frozenset(number for number, site in enumerate(self.sites) if site.is_sure)


def find_sites(tree: ast.Module, of_program: tuple[str, ...]) -> Sites:
    """The sites of checks; the tree is taken over. of_program: names that the program defines."""
    tree, sites = note_sites(tree)
    flow, reach = Flow(tree), Reach(tree, of_program)
    for site in sites:
        for node in _expected_nodes(site):
            flow.expected.update(id(inner) for inner in ast.walk(node))
    for site in sites:
        _choose_form(site, flow)
        if site.form == "negated":
            _choose_other(site, flow, reach)
    for number, inner in enumerate(ast.walk(tree)):
        if isinstance(inner, ast.expr):  # operators are shared between trees
            inner.number = number  # type: ignore[attr-defined]  # the same in every copy of the tree
    for site in sites:
        test = site.call.args[1] if len(site.call.args) > 1 else None
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and site.form != "literal":
            test.free_side = reach.free_side(test)  # type: ignore[attr-defined]
    _rename(tree, reach.references())
    reached = list(reach.certain())
    certain = frozenset(number for number, is_sure in reached if is_sure)
    return Sites(tree, sites, _groups(sites), certain, frozenset(number for number, _ in reached))


def _rename(tree: ast.Module, names: frozenset[str]) -> None:
    """Give functions of the checks names that no program can know."""
    new = {name: f"{name}_{secrets.token_hex(8)}" for name in names}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in new:
            node.name = new[node.name]
        elif isinstance(node, ast.Name) and node.id in new:
            node.id = new[node.id]
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            node.names = [new.get(name, name) for name in node.names]


def altered(found: Sites, numbers: frozenset[int], dice: random.Random, turn: int | None = None) -> ast.Module:
    """The checks with those sites altered. turn: literals are not exchanged, and others in every turn."""
    changes: dict[int, ast.expr] = {}
    expected = {
        name for site in found.sites if site.form == "exception" for name in _exceptions(site.literals[0])
    } & set(dir(builtins))
    texts: list[Any] = []
    if turn is None:
        texts = [node.value for site in found.sites for e in site.literals for node in leaves(e) if _is_text(node)]
    for number in numbers:
        site = found.sites[number]
        if site.form == "exception":
            changes |= _other_exception(site, expected, dice)
        elif site.form == "other":
            for node in site.literals:
                changes[node.number] = call_of("etalon_other", node)  # type: ignore[attr-defined]
        elif site.form in ("literal", "distance"):
            for literal in site.literals:
                changes |= _changed(literal, site, texts, dice, turn or 0)
        else:
            node = site.call.args[1] if name_of(site.call.func) == "etalon_note" else site.call
            changes[node.number] = negated(node)  # type: ignore[attr-defined]
    tree = _Probing().visit(_Changing(changes).visit(copy.deepcopy(found.tree)))
    return ast.fix_missing_locations(tree)  # type: ignore[no-any-return]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, str)) and not isinstance(node.value, bool)


def _changed(
    literal: ast.expr, site: Site, others: Sequence[Any], dice: random.Random, turn: int
) -> dict[int, ast.expr]:
    found = leaves(literal)
    known = [node.value for node in found if isinstance(node, ast.Constant)]
    chosen = found if site.is_all else [dice.choice(found)]
    if site.is_far:
        return {node.number: far_literal(node, dice, turn) for node in chosen}
    is_apart = any(isinstance(node, ast.Call) for node in ast.walk(literal))
    return {
        node.number: other_literal(node, known, others, dice, tolerance=site.tolerance, is_taken_apart=is_apart)
        for node in chosen
    }


def _other_exception(site: Site, expected: set[str], dice: random.Random) -> dict[int, ast.expr]:
    [kind] = site.literals
    choices = [
        name for name in sorted(expected | UNRELATED) if not any(_are_related(name, k) for k in _exceptions(kind))
    ]
    other = ast.Name(dice.choice(choices or ["EOFError"]), ast.Load())
    if name_of(site.call.func) == "etalon_raises":
        return {site.call.number: call_of("etalon_raises", *site.call.args, other)}  # type: ignore[attr-defined]
    return {kind.number: other}  # type: ignore[attr-defined]


def _exceptions(kind: ast.expr) -> set[str]:
    """Names in what is expected to be raised."""
    return {node.id for node in ast.walk(kind) if isinstance(node, ast.Name)}


def _are_related(one: str, other: str) -> bool:
    kinds = [getattr(builtins, name, None) for name in (one, other)]
    classes = [kind for kind in kinds if isinstance(kind, type)]
    return one == other or (len(classes) == 2 and (issubclass(*classes) or issubclass(*reversed(classes))))


class _Changing(ast.NodeTransformer):
    def __init__(self, changes: dict[int, ast.expr]) -> None:
        self._changes = changes

    def visit(self, node: ast.AST) -> Any:
        found = self._changes.get(getattr(node, "number", -1))
        return self.generic_visit(node) if found is None else copy.deepcopy(found)


class _Probing(ast.NodeTransformer):
    """Lets every comparison of a site find out whether an object agrees with whatever it is compared with."""

    def __init__(self) -> None:
        self._site: ast.expr | None = None
        self._depth = 0

    def visit_Call(self, node: ast.Call) -> Any:
        before, site = self._site, site_of(node)
        if site is not None:
            self._site = node.args[0]
        checked = node.args[1] if name_of(node.func) == "etalon_call" else None
        self.generic_visit(node)
        if isinstance(checked, ast.Lambda) and isinstance(checked.body, ast.Call) and not _is_raising(checked.body):
            arguments = checked.body.args
            arguments[:2] = [
                one if isinstance(one, ast.Starred) else call_of("etalon_seen", node.args[0], one)
                for one in arguments[:2]
            ]
        self._site = before
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        if self._site is None or any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
            return node
        if len(node.ops) > 1:
            return self._chain(node)
        side, handed = getattr(node, "free_side", ("", []))
        more = [ast.Constant(side), *(ast.Name(name.id, ast.Load()) for name in handed)] if side else []
        return self._compare(node.left, node.ops[0], node.comparators[0], *more)

    def _chain(self, node: ast.Compare) -> ast.expr:
        """`a < b < c` as `a < (x := b) and x < c`: but for in a comprehension, where names cannot be given."""
        pairs, left = [], node.left
        for number, (op, right) in enumerate(zip(node.ops, node.comparators, strict=True)):
            name = f"etalon_side_{number}"
            is_named = number + 1 < len(node.ops) and any(isinstance(inner, ast.Call) for inner in ast.walk(right))
            if is_named and self._depth:
                return node
            pairs.append((left, op, ast.NamedExpr(ast.Name(name, ast.Store()), right) if is_named else right))
            left = ast.Name(name, ast.Load()) if is_named else right
        return ast.BoolOp(ast.And(), [self._compare(*pair) for pair in pairs])

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr, *more: ast.expr) -> ast.expr:
        assert self._site is not None
        return call_of("etalon_compare", self._site, ast.Constant(SIGNS[type(op)]), left, right, *more)

    def _visit_inside(self, node: Any) -> Any:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        return node

    visit_GeneratorExp = visit_ListComp = visit_SetComp = visit_DictComp = visit_Lambda = _visit_inside
    visit_ClassDef = _visit_inside


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
    if function in ("etalon_raises", "etalon_tries") or _checks_raising(site):
        return _choose_exception(site)
    test = site.call.args[1]
    for node in _expected_nodes(site):
        literals = _literals(node, flow)
        if literals:
            site.form, site.literals = "literal", literals
            if isinstance(test, ast.Compare):
                is_in = isinstance(test.ops[0], ast.In)
                site.is_all, site.is_far = is_in and node is not test.left, is_in and node is test.left
            is_exact = isinstance(test, ast.Compare) and isinstance(test.ops[0], (*EQUAL, ast.In))
            if not is_exact or _is_about(node):
                _as_distance(site, test, flow)
            return None
    return None


def _choose_other(site: Site, flow: Flow, reach: Reach) -> None:
    """Where what is expected is computed by the checks alone: something else in its place, as early as possible."""
    test = site.call.args[1]
    test = test.body if isinstance(test, ast.Lambda) else test
    sides: Sequence[ast.expr] = ()
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        sides = (test.comparators[0], test.left)
    elif isinstance(test, ast.Call) and name_of(test.func) in CLOSE and name_of(test.func) != "assertRegex":
        sides = test.args[1::-1]
    if all(map(reach.is_free, sides)):
        return
    for side in filter(reach.is_free, sides):
        sources = flow.sources(side) if isinstance(side, (ast.Name, ast.Subscript)) else None
        site.form, site.literals = "other", sources or [side]
        site.is_sure = sources is None or all(map(reach.is_free, sources))


def _is_about(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Call) and name_of(inner.func) == "approx" for inner in ast.walk(node))


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


def _as_distance(site: Site, test: ast.expr, flow: Flow) -> None:
    """The literal is altered by more than the tolerance of the site; surely so if that is known."""
    site.form, site.tolerance = "distance", Tolerance(DEFAULT_TOLERANCE, DEFAULT_TOLERANCE)
    numbers: list[tuple[str, ast.expr]] = []
    if isinstance(test, ast.Compare):
        numbers = [("abs", side) for side in (test.left, *test.comparators) if not isinstance(side, ast.Call)][:1]
    for call in (node for node in ast.walk(test) if isinstance(node, ast.Call)):
        if name_of(call.func) in CLOSE or name_of(call.func) == "approx":
            numbers += [(keyword.arg or "", keyword.value) for keyword in call.keywords]
            numbers += [("places", one) for one in call.args[2:3] if name_of(call.func).startswith("assert")]
    for name, node in numbers:
        value = _number(node, flow.tree)
        kind = TOLERANCES.get(name)
        if value is None or kind is None:
            site.is_sure = site.is_sure and name not in TOLERANCES
        elif kind == "digits":
            site.tolerance = Tolerance(
                max(site.tolerance.absolute, 2 * 10.0 ** -min(abs(value), 300)), site.tolerance.relative
            )
        else:
            absolute, relative = (value, 0.0) if kind == "absolute" else (0.0, value)
            site.tolerance = Tolerance(max(site.tolerance.absolute, absolute), max(site.tolerance.relative, relative))


def _number(node: ast.expr, tree: ast.Module) -> float | None:
    """The value of a number, or of a name that is one."""
    if isinstance(node, ast.Name):
        found = [one.value for one in ast.walk(tree) if isinstance(one, ast.Assign) and _assigns(one, node.id)]
        if len(found) != 1:
            return None
        node = found[0]
    try:
        return float(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _assigns(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def _checks_raising(site: Site) -> bool:
    checked = site.call.args[1] if len(site.call.args) > 1 else None
    return isinstance(checked, ast.Lambda) and isinstance(checked.body, ast.Call) and _is_raising(checked.body)


def _is_raising(call: ast.Call) -> bool:
    return name_of(call.func) in RAISING


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
    has_sites = handler is not None and any(site_of(node) is not None for node in _calls_in(handler.body))
    is_fixed = is_broad or has_sites  # which no run would come to that expects another exception
    site.form, site.literals, site.is_sure = ("fixed", [], False) if is_fixed else ("exception", [kind], False)


def _calls_in(body: Sequence[ast.stmt]) -> list[ast.Call]:
    return [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)]


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
