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
from etalon.verifiers.code.assertions.forms import choose_forms, free_side
from etalon.verifiers.code.assertions.literals import far_literal, leaves, other_literal
from etalon.verifiers.code.assertions.reach import Reach
from etalon.verifiers.code.assertions.sites import Site, call_of, is_raising, name_of, negated, note_sites, site_of

SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in",
}  # fmt: skip
UNRELATED = {"ZeroDivisionError", "KeyError", "AttributeError", "OverflowError", "NotImplementedError"}  # (ours)


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
    choose_forms(sites, flow, reach)
    for number, inner in enumerate(ast.walk(tree)):
        if isinstance(inner, ast.expr):  # operators are shared between trees
            inner.number = number  # type: ignore[attr-defined]  # the same in every copy of the tree
    for site in sites:
        side = free_side(site, reach)
        if side is not None:
            side.handed = reach.handed_in(side) if site.form != "literal" else None  # type: ignore[attr-defined]
        checked = site.call.args[1] if name_of(site.call.func) == "etalon_call" else None
        if isinstance(checked, ast.Lambda) and isinstance(checked.body, ast.Call):
            for argument in filter(reach.is_free, checked.body.args):
                argument.is_free = True  # type: ignore[attr-defined]
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
    tree = _Probing(len(found.sites)).visit(_Changing(changes).visit(copy.deepcopy(found.tree)))
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
    is_apart = name_of(site.call.func) == "etalon_call" or any(isinstance(node, ast.Call) for node in ast.walk(literal))
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


def _side(node: ast.Compare, side: str) -> ast.expr:
    return node.left if side == "left" else node.comparators[0]


class _Probing(ast.NodeTransformer):
    """Lets every comparison find out whether an object agrees with whatever it is compared with.

    elsewhere: the number under which those that are in no site do.
    """

    def __init__(self, elsewhere: int) -> None:
        self._site: ast.expr = ast.Constant(elsewhere)
        self._depth = 0

    def visit(self, node: ast.AST) -> Any:
        handed = getattr(node, "handed", None)
        node = super().visit(node)
        if handed is None or not isinstance(node, ast.expr):
            return node
        names = [ast.Name(name.id, ast.Load()) for name in handed]
        return call_of("etalon_settled", self._site, node, *names)

    def visit_Call(self, node: ast.Call) -> Any:
        before, site = self._site, site_of(node)
        if site is not None:
            self._site = node.args[0]
        checked = node.args[1] if name_of(node.func) == "etalon_call" else None
        free = [hasattr(one, "is_free") for one in getattr(getattr(checked, "body", None), "args", ())[:2]]
        self.generic_visit(node)
        if isinstance(checked, ast.Lambda) and isinstance(checked.body, ast.Call) and not is_raising(checked.body):
            arguments = checked.body.args
            arguments[:2] = [
                one if isinstance(one, ast.Starred) or is_free else call_of("etalon_seen", node.args[0], one)
                for one, is_free in zip(arguments[:2], free, strict=True)
            ]
        self._site = before
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        free = [side for side in ("left", "right") if hasattr(_side(node, side), "handed")]
        self.generic_visit(node)
        if any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
            return node
        if len(node.ops) > 1:
            return self._chain(node)
        return self._compare(node.left, node.ops[0], node.comparators[0], *map(ast.Constant, free))

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        return call_of("etalon_minus", self._site, node.left, node.right) if isinstance(node.op, ast.Sub) else node

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
        return call_of("etalon_compare", self._site, ast.Constant(SIGNS[type(op)]), left, right, *more)

    def _visit_inside(self, node: Any) -> Any:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        return node

    visit_GeneratorExp = visit_ListComp = visit_SetComp = visit_DictComp = visit_Lambda = _visit_inside
    visit_ClassDef = _visit_inside


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
