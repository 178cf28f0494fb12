"""Checks that are code, made ready to run: they must parse, and something in them must check something.

    code, entry_point -> "check" called if nothing calls it -> an assertion that the run reaches, or BadChecksError
                      -> tests of pytest and unittest run    -> a module that is the program, under whatever name

HumanEval's `test` column only defines `check(candidate)`: run as it is, it holds of any program.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache

from etalon.problems.syntax import parse
from etalon.verifiers.code.assertions.names import read_names

_NAME = re.compile(r"[A-Za-z_][\w.()]*")
_CALLS = frozenset({"exec", "eval", "exit", "quit"})
_METHODS = frozenset({"exit", "fail", "main", "raises"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_EXITS = frozenset({"sys.exit", "exit", "quit"})
_RUNNERS = frozenset({"unittest.main", "pytest.main"})


class BadChecksError(ValueError):
    """Checks that cannot be run, or that would hold of any program."""


@lru_cache(1024)
def read_assertions(code: str, entry_point: str | None = None) -> str:
    """The code to run; raises BadChecksError."""
    try:
        tree = parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f" (its line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
        raise BadChecksError(f"assert_code: not Python: {getattr(error, 'msg', error)}{where}") from None
    tree.body = [
        inner
        for node in tree.body
        for inner in (node.body if isinstance(node, ast.If) and _is_main(node) else [node])
        if not _is_runner(inner)
    ]
    _end_well(tree)
    _name_the_program(tree)
    called = _names(_reached(tree))
    if _defines_check(tree) and "check" not in called:
        if not entry_point:
            raise BadChecksError("assert_code: defines check and never calls it; add entry_point, or check(...)")
        if not _NAME.fullmatch(entry_point.strip()):
            raise BadChecksError(f"entry_point: {entry_point!r} is no name")
        tree.body += parse(f"check({entry_point.strip()})").body
    tree.body += [run for node in tree.body if (run := _run_of(node, called))]
    if not any(_is_check(node) for node in _reached(tree)):
        raise BadChecksError("assert_code: no assertion is executed")
    return ast.unparse(ast.fix_missing_locations(tree))


def _is_runner(node: ast.stmt) -> bool:
    """`unittest.main()`, `sys.exit(pytest.main([...]))`: what it would run is run anyway."""
    return isinstance(node, ast.Expr) and any(
        isinstance(inner, ast.Call) and ast.unparse(inner.func) in _RUNNERS for inner in ast.walk(node)
    )


def _end_well(tree: ast.Module) -> None:
    """Let `sys.exit(0 if ok else 1)` at the end say whether all was well, as its status would."""
    match tree.body[-1:]:
        case [ast.Expr(value=ast.Call(func=function, args=args))] if ast.unparse(function) in _EXITS:
            status = args[0] if args else ast.Constant(None)
        case [ast.Raise(exc=ast.Call(func=ast.Name(id="SystemExit"), args=args))]:
            status = args[0] if args else ast.Constant(None)
        case _:
            return
    is_well = ast.UnaryOp(ast.Not(), status)
    tree.body[-1:] = [] if isinstance(status, ast.Constant) and not status.value else [ast.Assert(is_well)]


def _run_of(node: ast.stmt, called: set[str]) -> ast.stmt | None:
    """A call that runs a test which is left to pytest or unittest; None for anything else."""
    name = getattr(node, "name", "")
    if isinstance(node, ast.ClassDef):
        is_test = name.startswith("Test") or any(ast.unparse(base).endswith("TestCase") for base in node.bases)
    else:
        is_test = isinstance(node, _FUNCTIONS[:2]) and name.startswith("test")
    if not is_test or name in called:
        return None
    if isinstance(node, ast.FunctionDef) and not node.decorator_list and not ast.unparse(node.args):
        return parse(f"{name}()").body[0]
    return parse(f"etalon_run({name})").body[0]


def _name_the_program(tree: ast.Module) -> None:
    """Let the module that the tests import the program from be the program, whatever its name is.

    A module that nobody knows is the program if the tests take nothing else from one.
    """
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {name.split(".")[0] for node in imports for name in _modules(node)}
    unknown = sorted(name for name in modules if name not in _known_modules())
    if "solution" in modules or len(unknown) != 1 or read_names(ast.unparse(tree)).of_program:
        return
    first = sum(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    tree.body[first:first] = parse(
        f"import sys as etalon_sys\netalon_sys.modules[{unknown[0]!r}] = etalon_sys.modules['solution']"
    ).body


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module else []
    return [alias.name for alias in node.names]


@cache
def _known_modules() -> frozenset[str]:
    """Of the standard library, or of anything that is installed."""
    return frozenset(sys.stdlib_module_names) | frozenset(importlib.metadata.packages_distributions())


def _is_main(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, which is meant to run."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _defines_check(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body)


def _executed(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Every node that runs with these statements: not what a function holds, nor a branch on a false constant."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, (ast.If, ast.While)) and isinstance(node.test, ast.Constant) and not node.test.value:
            waiting.extend(node.orelse)
        elif isinstance(node, _FUNCTIONS):
            waiting.extend([*node.args.defaults, *getattr(node, "decorator_list", ())])
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        name for node in nodes if (name := getattr(node, "id", getattr(node, "attr", ""))) and isinstance(name, str)
    }


def _reached(tree: ast.Module) -> list[ast.AST]:
    """Every node that a run may reach: names lead into the functions that they name."""
    bodies: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            bodies.setdefault(node.name, []).extend(node.body)
        elif isinstance(node, ast.ClassDef):
            methods = [inner for inner in node.body if isinstance(inner, _FUNCTIONS[:2])]
            bodies.setdefault(node.name, []).extend(statement for method in methods for statement in method.body)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            for name in _names(node.targets):
                bodies.setdefault(name, []).append(node.value.body)
    reached: list[ast.AST] = []
    waiting: list[list[ast.AST]] = [[*tree.body]]
    while waiting:
        executed = list(_executed(waiting.pop()))
        reached += executed
        waiting += [bodies.pop(name) for name in _names(executed) & bodies.keys()]
    return reached


def _is_check(node: ast.AST) -> bool:
    """An assertion, a raise, or a call that stands for one: `self.assertEqual`, `unittest.main`, `exec`."""
    if not isinstance(node, ast.Call):
        return isinstance(node, (ast.Assert, ast.Raise))
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in _METHODS or node.func.attr.startswith("assert")
    return isinstance(node.func, ast.Name) and (node.func.id in _CALLS or node.func.id.startswith("assert"))
