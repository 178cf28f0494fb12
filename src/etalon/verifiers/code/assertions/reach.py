"""What does not depend on the program: which checks every run comes to, and what their results are compared with.

A name is the program's if it comes from it by any way: assigned from a result, looped over one, a function that calls
one. Names are told apart by their text alone, so the answer errs to the program's side.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from etalon.verifiers.code.assertions.sites import name_of, site_of

UNSTABLE = frozenset({
    "random", "time", "secrets", "uuid", "uuid4", "id", "hash", "object", "perf_counter", "monotonic", "urandom", "now",
    "today", "randint", "choice", "choices", "shuffle", "sample", "uniform", "randrange", "getrandbits", "locals",
    "globals", "vars", "dir", "gc", "sys", "threading", "asyncio", "os", "open", "__file__", "input",
})  # fmt: skip
CONTENT = frozenset({"sorted", "sum", "max", "min", "set", "Counter"})  # the same before and after sorting in place
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Reach:
    """The names of one tree of checks that are the program's (or differ between runs), and those handed to it."""

    def __init__(self, tree: ast.Module, of_program: tuple[str, ...]) -> None:
        self._tree = tree
        self._functions = {node.name: node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)}
        self._all_functions = dict(self._functions)
        self._classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        self._names = set(of_program) | UNSTABLE
        size = 0
        while size != len(self._names):
            size = len(self._names)
            for node in ast.walk(tree):
                self._names.update(self._spread(node))
        self._handed = {
            inner.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and not self.is_free(node.func)
            for argument in (*node.args, *(keyword.value for keyword in node.keywords))
            for inner in ast.walk(argument)
            if isinstance(inner, ast.Name)
        }

    def is_free(self, node: ast.AST) -> bool:
        """Whether nothing of the program has a part in it."""
        return not any(_named(inner) in self._names for inner in ast.walk(node))

    def handed_in(self, node: ast.expr) -> list[ast.Name]:
        """Names in it of what the program is handed, unless only the content of that counts."""
        if isinstance(node, ast.Call) and name_of(node.func) in CONTENT:
            return []
        return [inner for inner in ast.walk(node) if isinstance(inner, ast.Name) and inner.id in self._handed]

    def references(self) -> frozenset[str]:
        """Functions of the checks that compute what is expected: nothing of the program's, and not handed to it."""
        methods = {inner.name for node in self._classes.values() for inner in node.body if isinstance(inner, FUNCTIONS)}
        others = (
            methods | self._handed | {node.attr for node in ast.walk(self._tree) if isinstance(node, ast.Attribute)}
        )
        return frozenset(
            name
            for name, function in self._all_functions.items()
            if name not in others
            and not hasattr(builtins, name)
            and not function.decorator_list
            and self.is_free(function)
        )

    def _spread(self, node: ast.AST) -> Iterator[str]:
        """Names that are the program's because of this node."""
        match node:
            case ast.Assign(targets=targets, value=value) if not self.is_free(value):
                for target in targets:
                    yield from _targets(target)
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.AugAssign(target=target, value=value)
                | ast.NamedExpr(target=target, value=value)
                | ast.For(target=target, iter=value)
                | ast.comprehension(target=target, iter=value)
            ) if not self.is_free(value):
                yield from _targets(target)
            case ast.withitem(optional_vars=ast.expr() as target):
                yield from _targets(target)
            case ast.ExceptHandler(name=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if any(not self.is_free(statement) for statement in node.body):
                    yield name
            case ast.ClassDef(name=name, bases=bases) if any(not self.is_free(base) for base in bases):
                yield name
            case ast.Call():
                yield from self._spread_call(node)

    def _spread_call(self, node: ast.Call) -> Iterator[str]:
        """Parameters of functions that the program calls, or that are given something of it."""
        arguments = (*node.args, *(keyword.value for keyword in node.keywords))
        is_of_program = not self.is_free(node.func)
        function = self._functions.get(name_of(node.func))
        if function is not None and any(not self.is_free(argument) for argument in arguments):
            yield from _parameters(function.args)
        for argument in arguments if is_of_program else ():
            for inner in ast.walk(argument):
                if isinstance(inner, ast.Lambda):
                    yield from _parameters(inner.args)
                elif isinstance(inner, ast.Name) and inner.id in self._functions:
                    yield from _parameters(self._functions[inner.id].args)

    # --- which sites every run comes to ---

    def certain(self) -> Iterator[tuple[int, bool]]:
        """Numbers of sites to which every run comes equally often; with whether that is once at least."""
        yield from self._in_body(self._tree.body, True)

    def _in_body(self, body: list[ast.stmt], is_sure: bool) -> Iterator[tuple[int, bool]]:
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    continue
                case ast.With(items=[ast.withitem(context_expr=context), *_]):
                    site = site_of(context)
                    if site is not None:
                        yield site, is_sure
                    else:
                        yield from self._in_body(node.body, is_sure)
                case ast.For(iter=condition) | ast.While(test=condition) | ast.If(test=condition):
                    if self.is_free(condition):
                        yield from self._in_body(node.body, False)
                        yield from self._in_body(node.orelse, False)
                    is_sure = is_sure and not _leaves(node)
                    if not self.is_free(condition) and _leaves(node):
                        return
                case ast.Expr(value=value) | ast.Assign(value=value):
                    yield from self._in_expression(value, is_sure)
                case _ if _leaves(node):
                    return

    def _in_expression(self, value: ast.expr, is_sure: bool) -> Iterator[tuple[int, bool]]:
        site = site_of(value)
        if site is not None:
            yield site, is_sure
        if not isinstance(value, ast.Call):
            return
        named = value.args[0] if name_of(value.func) == "etalon_run" and value.args else value.func
        name = named.id if isinstance(named, ast.Name) else ""
        if name in self._classes and name_of(value.func) == "etalon_run":
            for method in self._classes[name].body:
                if isinstance(method, FUNCTIONS) and method.name.startswith("test") and not _is_marked(method):
                    yield from self._in_body(method.body, is_sure)
        elif name in self._functions and not _is_marked(self._functions[name]):
            yield from self._in_body(self._functions.pop(name).body, is_sure)


def _named(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _targets(target: ast.expr) -> Iterator[str]:
    """Names that an assignment changes: `a`, `a[0]`, `self.a`."""
    for node in ast.walk(target):
        if isinstance(node, ast.Attribute) or (isinstance(node, ast.Name) and node.id != "self"):
            yield _named(node)


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.arg not in ("self", "cls"):
            yield argument.arg
    yield from (argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument is not None)


def _leaves(node: ast.AST) -> bool:
    return any(isinstance(inner, (ast.Return, ast.Continue, ast.Break, ast.Raise)) for inner in ast.walk(node))


def _is_marked(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether decorators may skip it."""
    return any("skip" in ast.unparse(one) or "xfail" in ast.unparse(one) for one in function.decorator_list)
