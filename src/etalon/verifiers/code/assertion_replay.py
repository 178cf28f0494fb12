"""Judges a program by assertions without showing it any of them: checks and program run in different processes.

    checks -> plan: which calls they make                                        once per problem, without a program
    program + calls -> results, as data                                          a child that holds no check
    checks + results -> passed, failed, or more calls (their arguments depend)   a child that holds no program

Every step is a run of its own, so this works on any sandbox service. The sandbox of this machine keeps checks and
program apart itself and needs one run (`AssertTests`), so this way is taken there only for names that would mean
something else. Checks that look into the program (`isinstance(f(), C)`, a variable) cannot be planned at all.
docs/verifiers.md says why there are two ways, each with a codec of its own.
"""

from __future__ import annotations

import ast
import builtins
import json
import symtable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from etalon.problems.syntax import parse
from etalon.sandbox import AssertTests, CallTests, Limits, Outcome, Status, is_remote, run_program
from etalon.verifiers.code import guest
from etalon.verifiers.code.guest.replay import HELPERS
from etalon.verifiers.memo import Memo

ROUNDS = 6  # (ours) of calls whose arguments depend on earlier results
MOST_CALLS = 5000  # (ours)
CHECK_LIMITS = Limits(cpu_seconds=20, output_mb=64)  # (ours) of the checks, which are not the program's fault
_PLANS: Memo[Checks] = Memo(1024)
MODULES = frozenset(
    {"cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools", "json"}
    | {"math", "operator", "random", "re", "statistics", "string", "sys", "time"}
)
LOOKS_INSIDE = frozenset(
    {"StringIO", "redirect_stdout", "stdout", "stdin", "patch", "globals", "locals", "eval", "exec", "inspect"}
    | {"asyncio", "open", "__import__", "capsys", "gc", "id", "seed", "__dict__", "__name__", "__doc__", "__class__"}
)


def run_asserts(program: str, code: str, limits: Limits) -> Outcome:
    """How the program fares: OK only when every check held."""
    checks = read_checks(code)
    if not is_remote() and not checks.needs_names:
        return run_program(program, AssertTests(code=code), limits)[0]
    planned = plan(code)
    if isinstance(planned, Outcome):
        return planned
    checks = planned
    if not checks.names:
        return run_program(program, AssertTests(code=_with_helpers(code)), limits)[0]
    calls, seconds = list(checks.calls), 0.0
    for _ in range(ROUNDS):
        results, spent = _call(program, calls, limits)
        seconds += spent
        if isinstance(results, Outcome):
            return results
        found = _replay(checks, results)
        if isinstance(found, Outcome):
            return found
        if found["status"] == "passed":
            return Outcome(status=Status.OK, seconds=seconds)
        if found["status"] == "failed" or len(found["calls"]) > MOST_CALLS:
            return _failure(found, results, seconds)
        calls = [json.dumps(call) for call in found["calls"]]
    return Outcome(status=Status.RUNTIME_ERROR, detail="its results differ from run to run", seconds=seconds)


def plan(code: str) -> Checks | Outcome:
    """The checks and their calls; no names when they cannot be planned, an Outcome when ours failed."""
    known = _PLANS.get(code)
    if known is not None:
        return known
    checks = read_checks(code)
    if checks.names:
        found = _replay(checks, {})
        if isinstance(found, Outcome) and found.status is Status.INFRASTRUCTURE:
            return found
        if isinstance(found, dict) and _failed_by_themselves(found):
            detail = f"bad_reference: the tests failed by themselves: {found['detail']}"
            return Outcome(status=Status.INFRASTRUCTURE, detail=detail)
        checks = LIVE if isinstance(found, Outcome) else _planned(checks, found)
    _PLANS.put(code, checks)
    return checks


def _failed_by_themselves(found: dict[str, Any]) -> bool:
    """Whether the checks raised before they asked anything; a name they miss, or an assertion, may be the program's."""
    error, colon, _ = found["detail"].partition(": ")
    return found["status"] == "failed" and not found["calls"] and bool(colon) and error != "NameError"


def _planned(checks: Checks, found: dict[str, Any]) -> Checks:
    if found["status"] != "missing" or len(found["calls"]) > MOST_CALLS:
        return LIVE
    return replace(checks, calls=tuple(json.dumps(call) for call in found["calls"]))


def beside(*modules: str, **values: Any) -> str:
    """Set-up code that loads modules of ours in a namespace of their own, and leaves one name to the program's."""
    return (
        "def etalon_call(*arguments):\n"
        "    return etalon_names['etalon_call'](*arguments)\n"
        f"etalon_names = {{'__name__': 'guest'}}\nexec({guest.source('values', *modules)!r}, etalon_names)\n"
        f"etalon_names.update({values!r}, program=globals())\n"
        "etalon_names.update({k: globals()[k] for k in ('ListNode', 'TreeNode') if k in globals()})\n"
    )


def _call(program: str, calls: list[str], limits: Limits) -> tuple[dict[str, Any] | Outcome, float]:
    """What each call returned, by its reference, and the CPU seconds; an Outcome when the program did not load."""
    tests = CallTests(function="etalon_call", inputs=tuple(calls), setup=beside("calls"))
    outcomes = run_program(program, tests, limits)
    seconds = sum(outcome.seconds for outcome in outcomes)
    if any(outcome.status in (Status.INFRASTRUCTURE, Status.SYNTAX_ERROR) for outcome in outcomes):
        return next(o for o in outcomes if o.status in (Status.INFRASTRUCTURE, Status.SYNTAX_ERROR)), seconds
    results: dict[str, Any] = {}
    for call, outcome in zip(calls, outcomes, strict=False):
        results[json.loads(call)["ref"]] = _result(outcome)
    for call in calls[len(outcomes) :]:
        results[json.loads(call)["ref"]] = _ended(outcomes[-1])
    return results, seconds


def _result(outcome: Outcome) -> dict[str, Any]:
    if outcome.status is not Status.OK:
        return _ended(outcome)
    try:
        result = json.loads(outcome.output)
    except (ValueError, RecursionError):
        result = None
    return result if isinstance(result, dict) and ("ok" in result or "error" in result) else _ended(outcome)


def _ended(outcome: Outcome) -> dict[str, Any]:
    """A call without a result, whatever the outcome says."""
    status = Status.RUNTIME_ERROR if outcome.status is Status.OK else outcome.status
    return {"ended": status, "detail": outcome.detail}


def _replay(checks: Checks, results: dict[str, Any]) -> dict[str, Any] | Outcome:
    """What the checks say to these results; an Outcome when they did not come to an end."""
    order = {
        "code": checks.lenient_code,
        "names": checks.names,
        "helpers": checks.helpers,
        "modules": checks.modules,
        "results": results,
    }
    tests = CallTests(function="etalon_replay", inputs=(json.dumps(order),))
    [outcome] = run_program(guest.source("values", "replay"), tests, CHECK_LIMITS)[:1]
    if outcome.status is not Status.OK:
        return outcome
    found: dict[str, Any] = json.loads(outcome.output)
    return found


def _failure(found: dict[str, Any], results: dict[str, Any], seconds: float) -> Outcome:
    """A check that failed, or the call that the program did not survive."""
    if found["detail"] in list(Status):
        detail = next((r.get("detail", "") for r in results.values() if r.get("ended") == found["detail"]), "")
        return Outcome(status=Status(found["detail"]), detail=detail, seconds=seconds)
    return Outcome(status=Status.WRONG, detail=found["detail"], seconds=seconds)


def _with_helpers(code: str) -> str:
    names = [name for name in HELPERS if name in code and name not in ("ListNode", "TreeNode", "inf")]
    return f"{guest.source('values')}\n{code}" if names else code


@dataclass(frozen=True, kw_only=True)
class Checks:
    """Assertions that can be planned.

    lenient_code: the assertions, of which those about a result that is not known yet cannot fail.
    names: of the program; calls: those they make, as far as known beforehand.
    """

    lenient_code: str
    names: tuple[str, ...]
    helpers: tuple[str, ...]
    modules: tuple[str, ...]
    calls: tuple[str, ...]

    @property
    def needs_names(self) -> bool:
        """Whether it takes names that are not the program's alone: of LeetCode's helpers, or of built-in functions."""
        return bool(self.helpers) or "Solution" in self.names or any(hasattr(builtins, name) for name in self.names)


LIVE = Checks(lenient_code="", names=(), helpers=(), modules=(), calls=())  # not to be planned


@lru_cache(1024)
def read_checks(code: str) -> Checks:
    """Which names the checks take from the program; none if they do more with them than calling them."""
    try:
        tree, table = parse(code), symtable.symtable(code, "tests.py", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return LIVE
    if any(_looks_inside(node) for node in ast.walk(tree)):
        return LIVE
    free = _free_names(table)
    modules = {name for name in free & MODULES if _is_module(tree, name)}
    helpers = free & HELPERS.keys()
    known = {name for name in dir(builtins) if name[0].islower()}
    names = free - modules - helpers - set(dir(builtins))
    if not names and len(free & known) == 1:  # MBPP asks for functions that are called like built-in ones
        names = free & known
    if not names or not all(_is_only_called(tree, name) for name in names):
        return LIVE
    return Checks(
        lenient_code=ast.unparse(ast.fix_missing_locations(_Lenient().visit(tree))),
        names=tuple(sorted(names)),
        helpers=tuple(sorted(helpers)),
        modules=tuple(sorted(modules)),
        calls=(),
    )


class _Lenient(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.AST:  # ast's name
        [guarded] = parse("try:\n    pass\nexcept Exception:\n    if not _etalon_is_missing(): raise").body
        assert isinstance(guarded, ast.Try)
        guarded.body = [node]
        return guarded


def _looks_inside(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in LOOKS_INSIDE
        case ast.Compare(ops=ops, comparators=others):
            is_identity = [isinstance(op, ast.Is | ast.IsNot) for op in ops]
            return any(
                known and not isinstance(other, ast.Constant) for known, other in zip(is_identity, others, strict=True)
            )
    return isinstance(node, ast.Await)


def _free_names(table: symtable.SymbolTable) -> set[str]:
    """Names that the checks read and do not define."""
    defined = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }
    read: set[str] = set()
    waiting = [table]
    while waiting:
        scope = waiting.pop()
        waiting.extend(scope.get_children())
        read |= {
            symbol.get_name()
            for symbol in scope.get_symbols()
            if symbol.is_referenced() and (symbol.is_global() or scope is table)
        }
    return read - defined


def _parents(tree: ast.AST, name: str) -> list[tuple[ast.AST, ast.AST]]:
    return [
        (parent, child)
        for parent in ast.walk(tree)
        for child in ast.iter_child_nodes(parent)
        if isinstance(child, ast.Name) and child.id == name
    ]


def _is_module(tree: ast.AST, name: str) -> bool:
    return all(isinstance(parent, ast.Attribute) for parent, _ in _parents(tree, name))


def _is_only_called(tree: ast.Module, name: str) -> bool:
    """Called, or handed to a function of the checks (`check(f)`) or to map."""
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} | {"map"}
    return all(
        isinstance(parent, ast.Call)
        and (parent.func is child or (isinstance(parent.func, ast.Name) and parent.func.id in own))
        for parent, child in _parents(tree, name)
    )
