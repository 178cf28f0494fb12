"""Reads assertions: which names they take from the program, and whether calling those is all that they do."""

from __future__ import annotations

import ast
import builtins
import symtable
from dataclasses import dataclass
from functools import lru_cache

from etalon.problems.syntax import parse
from etalon.verifiers.code.guest.replay import HELPERS

MODULES = frozenset(
    {"cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools", "json"}
    | {"math", "operator", "random", "re", "statistics", "string", "sys", "time"}
)
LOOKS_INSIDE = frozenset(
    {"StringIO", "redirect_stdout", "stdout", "stdin", "patch", "globals", "locals", "eval", "exec", "inspect"}
    | {"asyncio", "open", "__import__", "capsys", "gc", "id", "seed", "__dict__", "__name__", "__doc__", "__class__"}
)


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
