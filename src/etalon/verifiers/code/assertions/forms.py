"""How each site can be altered: by the literal expected there, by what is computed there, or by its opposite."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from etalon.verifiers.code.assertions.flow import Flow
from etalon.verifiers.code.assertions.literals import is_expected, leaves
from etalon.verifiers.code.assertions.reach import Reach
from etalon.verifiers.code.assertions.sites import Site, Tolerance, is_raising, name_of, site_of

CLOSE = frozenset({
    "isclose", "allclose", "array_equal", "array_equiv", "is_same_list", "is_same_tree", "approx_equal",
    "assertAlmostEqual", "assertAlmostEquals", "assertSequenceEqual", "assertCountEqual", "assertItemsEqual",
    "assert_allclose", "assert_almost_equal", "assert_array_equal", "assert_equal",
    "assert_array_almost_equal", "assert_called_with", "assert_called_once_with",
})  # fmt: skip
DISTANCES = frozenset({"abs", "fabs", "norm", "max", "sum", "sqrt"})
EQUAL = (ast.Eq, ast.Is)
TOLERANCES = {
    **dict.fromkeys(("abs", "atol", "abs_tol", "delta"), "absolute"),
    **dict.fromkeys(("rel", "rtol", "rel_tol"), "relative"), **dict.fromkeys(("places", "decimal"), "digits"),
}  # fmt: skip
DEFAULT_TOLERANCE = 1e-4  # (ours) more than that of any library
BROAD = frozenset({"Exception", "BaseException", "ArithmeticError", "LookupError", "RuntimeError"})


def choose_forms(sites: Sequence[Site], flow: Flow, reach: Reach) -> None:
    """Decide of every site how it is altered."""
    for site in sites:
        for node in _expected_nodes(site):
            flow.expected.update(id(inner) for inner in ast.walk(node))
    for site in sites:
        _choose_form(site, flow)
        if site.form == "negated":
            _choose_other(site, flow, reach)


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
    if not isinstance(test.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE)):
        return None
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
    side = free_side(site, reach)
    if side is None or not isinstance(side, ast.expr) or not _is_equality(site):
        return
    sources = flow.sources(side) if isinstance(side, (ast.Name, ast.Subscript)) else None
    site.form, site.literals = "other", sources or [side]
    site.is_sure = sources is None or all(map(reach.is_free, sources))


def free_side(site: Site, reach: Reach) -> ast.expr | None:
    """What the checks compute to compare a result with."""
    sides = _sides(_tested(site))
    free = [side for side in sides if reach.is_free(side)]
    return free[0] if len(free) == 1 else None


def _is_equality(site: Site) -> bool:
    test = _tested(site)
    return not isinstance(test, ast.Compare) or isinstance(test.ops[0], ast.Eq) or _distance(test) is not None


def _tested(site: Site) -> ast.expr | None:
    test = site.call.args[1] if len(site.call.args) > 1 else None
    return test.body if isinstance(test, ast.Lambda) else test


def _sides(test: ast.expr | None) -> tuple[ast.expr, ...]:
    """The two expressions that a check compares."""
    match test:
        case ast.Compare(left=left, ops=[_], comparators=[right]):
            distance = _distance(test)
            return (left, right) if distance is None else (distance.left, distance.right)
        case ast.Call(func=function, args=[first, second, *_]) if name_of(function) in CLOSE:
            return first, second
    return ()


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
    return isinstance(checked, ast.Lambda) and isinstance(checked.body, ast.Call) and is_raising(checked.body)


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
