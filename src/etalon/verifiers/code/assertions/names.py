"""Which names checks take from where: from the program, from LeetCode's helpers, from a library.

A library that checks use without importing it (`math.isclose`) is that library, whatever the program calls so.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from dataclasses import dataclass
from functools import lru_cache

from etalon.problems.syntax import parse
from etalon.verifiers.code.guest.nodes import HELPERS

LIBRARIES = frozenset({
    "array", "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions",
    "functools", "heapq", "io", "itertools", "json", "math", "numbers", "operator", "random", "re", "statistics",
    "string", "sys", "time", "types", "typing",
})  # fmt: skip
TOOLS = frozenset({  # built-in functions that checks use, and that are the built-in ones whatever the program calls so
    "all", "any", "abs", "len", "sum", "min", "max", "sorted", "set", "list", "tuple", "dict", "range", "zip", "map",
    "enumerate", "round", "isinstance", "filter", "reversed", "frozenset", "repr", "iter", "next", "hasattr", "getattr",
})  # fmt: skip
STARTER = frozenset({"ListNode", "TreeNode", "Solution", *HELPERS})


@dataclass(frozen=True, kw_only=True)
class Names:
    """of_program: names that the checks read and do not define. helpers: of LeetCode, among them."""

    of_program: tuple[str, ...]

    @property
    def helpers(self) -> tuple[str, ...]:
        return tuple(name for name in self.of_program if name in HELPERS)

    @property
    def needs_starter(self) -> bool:
        """Whether the program may use what LeetCode's starter code takes for granted."""
        return any(name in STARTER for name in self.of_program)


@lru_cache(1024)
def read_names(code: str) -> Names:
    free = _free_names(symtable.symtable(code, "tests.py", "exec"))
    return Names(of_program=tuple(sorted(free - {*dir(builtins), "etalon_run"})))


def asked_for(code: str) -> tuple[str, ...]:
    """What a program must define for these checks: what they leave free, and what they take from `solution`."""
    taken = [
        alias.name for node in ast.walk(parse(code)) if isinstance(node, ast.ImportFrom) and node.module == "solution"
        for alias in node.names
    ]  # fmt: skip
    return (*read_names(code).of_program, *taken)


def bind_libraries(tree: ast.Module) -> ast.Module:
    """The checks with libraries of their own: names that are only used as one, and that they do not define."""
    code = ast.unparse(tree)
    free = read_names(code).of_program
    uses = _Libraries({name for name in free if name in LIBRARIES and _is_only_a_library(tree, name)})
    if not uses.names:
        return tree
    tree = uses.visit(tree)
    imports = [ast.Import([ast.alias(name, f"etalon_{name}")]) for name in sorted(uses.names)]
    first = sum(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    tree.body[first:first] = imports
    return ast.fix_missing_locations(tree)


def bind_tools(tree: ast.Module, names: Names) -> ast.Module:
    """The checks with the built-in functions as they were.

    If they take nothing else from the program, those are what they test (MBPP asks for a `sum`): the program's come
    first then, and if there is one alone the program must have it.
    """
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - _defined(tree)
    if names.of_program or _imports_program(tree):
        tree = _Tools(used & TOOLS).visit(tree)
    else:
        tested = sorted(name for name in used if name.islower() and hasattr(builtins, name))
        first = sum(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
        tree.body[first:first] = [_demanded(tested[0])] if len(tested) == 1 else []
    return ast.fix_missing_locations(tree)


def _imports_program(tree: ast.Module) -> bool:
    """Whether the tests take the program from the module `solution`, under whatever name (`ready`)."""
    known = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            known.add(node.module)
        elif isinstance(node, ast.Import):
            known.update(alias.name for alias in node.names)
    return "solution" in known


def _demanded(name: str) -> ast.stmt:
    """Code that asks for a name of the program: the built-in one is no answer."""
    return parse(f"if {name!r} not in globals():\n    raise NameError({f'name {name!r} is not defined'!r})").body[0]


def _defined(tree: ast.Module) -> set[str]:
    """Names that the checks give a value anywhere."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=as_name):
                found.add(as_name or name)
    return found


class _Tools(ast.NodeTransformer):
    def __init__(self, names: set[str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        base = ast.Name("etalon_builtins", ast.Load())
        return ast.Attribute(base, node.id, node.ctx) if node.id in self.names else node


def _is_only_a_library(tree: ast.Module, name: str) -> bool:
    bases = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return all(id(node) in bases for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name)


class _Libraries(ast.NodeTransformer):
    def __init__(self, names: set[str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(f"etalon_{node.id}", node.ctx) if node.id in self.names else node


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
