"""Where the values that checks expect are written: names are followed to their literals.

    assert f(a) == b      b is expected    for a, b in TABLE      its literals: the second of every row of TABLE

A literal counts only if all that is ever done with it is comparing: one that also reaches the program is an argument.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

EACH = "*"  # in a path: whichever element
KEYS = "keys"  # in a path: whichever key
Path = tuple[Any, ...]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
TRANSPARENT = frozenset({"list", "tuple", "iter", "reversed", "sorted", "set"})
HARMLESS = frozenset({"len", "print", "range"})


@dataclass(frozen=True)
class Binding:
    """A name gets what `path` leads to from `value`; an argument of a function of the checks if that is None."""

    value: ast.expr | None
    path: Path
    scope: ast.AST
    function: str = ""


class Flow:
    """Names of one tree of checks."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.expected: set[int] = set()  # ids of nodes that stand where a value is expected
        self._bound: set[int] = set()  # ids of names that have a binding
        self.parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._functions = {node.name: node for node in ast.walk(tree) if isinstance(node, FUNCTIONS[:2])}
        self._loads: defaultdict[tuple[int, str], list[ast.expr]] = defaultdict(list)
        self._bindings: defaultdict[tuple[int, str], list[Binding | None]] = defaultdict(list)
        self._following: set[tuple[int, str, Path]] = set()
        for node in ast.walk(tree):
            self._bind(node)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self._loads[id(self._scope_of(node, node.id)), node.id].append(node)

    def sources(self, node: ast.expr) -> list[ast.expr] | None:
        """The literals that a name, or an element of it, stands for; None if they are unknown or not only compared."""
        name, path = _access(node)
        return self._follow(name, path, self._scope(node)) if name is not None else None

    # --- scopes and bindings ---

    def _scope(self, node: ast.AST) -> ast.AST:
        """The function around a node, or the module."""
        while not isinstance(node, ast.Module):
            node = self.parents[id(node)]
            if isinstance(node, FUNCTIONS):
                return node
        return node

    def _scope_of(self, node: ast.AST, name: str) -> ast.AST:
        scope = self._scope(node)
        while not isinstance(scope, ast.Module) and (id(scope), name) not in self._bindings:
            scope = self._scope(scope)
        return scope

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind_target(target, value, (), self._scope(node))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._bind_target(target, value, (), self._scope(node))
            case ast.For(target=target, iter=each) | ast.AsyncFor(target=target, iter=each):
                self._bind_target(target, each, (EACH,), self._scope(node))
            case ast.comprehension(target=target, iter=each):
                self._bind_target(target, each, (EACH,), self._scope(node))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._bind_parameters(node)
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                key = id(self._scope(node)), name
                if id(node) not in self._bound:
                    self._bindings[key].append(None)

    def _bind_target(self, target: ast.expr, value: ast.expr, path: Path, scope: ast.AST) -> None:
        self._bound.add(id(target))
        if isinstance(target, ast.Name):
            self._bindings[id(scope), target.id].append(Binding(value, path, scope))
        elif isinstance(target, (ast.Tuple, ast.List)):
            is_known = not any(isinstance(element, ast.Starred) for element in target.elts)
            for number, element in enumerate(target.elts):
                if is_known:
                    self._bind_target(element, value, (*path, number), scope)

    def _bind_parameters(self, node: Any) -> None:
        named = getattr(node, "name", "")
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        cases = dict(_parametrized(node))
        for number, argument in enumerate(positional):
            found: Binding | None = Binding(None, (number,), node, named) if named else None
            if argument.arg in cases:
                found = Binding(*cases[argument.arg], self._scope(node))
            self._bindings[id(node), argument.arg].append(found)
        for argument in (*arguments.kwonlyargs, *filter(None, (arguments.vararg, arguments.kwarg))):
            self._bindings[id(node), argument.arg].append(None)

    # --- names to literals ---

    def _follow(self, name: str, path: Path, scope: ast.AST) -> list[ast.expr] | None:
        while not isinstance(scope, ast.Module) and (id(scope), name) not in self._bindings:
            scope = self._scope(scope)
        key = (id(scope), name, path)
        bindings = self._bindings.get(key[:2])
        if not bindings or key in self._following or not self._is_only_compared(name, path, scope):
            return None
        self._following.add(key)
        try:
            found: list[ast.expr] = []
            for binding in bindings:
                sources = None if binding is None else self._of_binding(binding, name, path)
                if sources is None:
                    return None
                found += sources
            return found
        finally:
            self._following.discard(key)

    def _of_binding(self, binding: Binding, name: str, path: Path) -> list[ast.expr] | None:
        if binding.value is not None:
            return self._descend(binding.value, (*binding.path, *path), binding.scope)
        found: list[ast.expr] = []
        calls = self._calls(binding.function)
        for call in calls or ():
            argument = _argument(call, binding.path[0], name, self._functions[binding.function])
            sources = None if argument is None else self._descend(argument, path, self._scope(call))
            if sources is None:
                return None
            found += sources
        return found if calls else None

    def _calls(self, function: str) -> list[ast.Call] | None:
        """All calls of a function of the checks; None if it is also used in another way, or never."""
        found: list[ast.Call] = []
        for node in ast.walk(self.tree):
            if (isinstance(node, ast.Name) and node.id == function and isinstance(node.ctx, ast.Load)) or (
                isinstance(node, ast.Attribute) and node.attr == function
            ):
                parent = self.parents[id(node)]
                if not isinstance(parent, ast.Call) or parent.func is not node:
                    return None
                found.append(parent)
        return found or None

    def _descend(self, value: ast.expr, path: Path, scope: ast.AST) -> list[ast.expr] | None:
        if isinstance(value, (ast.Name, ast.Subscript)):
            name, more = _access(value)
            return self._follow(name, (*more, *path), scope) if name is not None else None
        if not path:
            return [value]
        first, rest = path[0], path[1:]
        match value:
            case ast.Call(func=ast.Name(id="zip"), args=args) if first == EACH and rest and rest[0] in range(len(args)):
                return self._descend(args[rest[0]], (EACH, *rest[1:]), scope)
            case ast.Call(func=ast.Name(id="enumerate"), args=[each, *_]) if first == EACH and rest[:1] == (1,):
                return self._descend(each, (EACH, *rest[1:]), scope)
            case ast.Call(func=ast.Name(id=name), args=[each]) if name in TRANSPARENT:
                return self._descend(each, path, scope)
            case ast.Call(func=ast.Attribute(value=pairs, attr="items"), args=[]) if first == EACH and rest:
                return self._descend(pairs, (EACH if rest[0] == 1 else KEYS, *rest[1:]), scope)
            case ast.Call(func=ast.Attribute(value=pairs, attr="values"), args=[]) if first == EACH:
                return self._descend(pairs, path, scope)
        elements = _elements(value, first)
        if elements is None:
            return None
        found = [self._descend(element, rest, scope) for element in elements]
        return None if any(sources is None for sources in found) else [s for sources in found for s in sources or ()]

    # --- what is done with a name ---

    def _is_only_compared(self, name: str, path: Path, scope: ast.AST) -> bool:
        return all(self._is_compared(load, path) for load in self._loads.get((id(scope), name), ()))

    def _is_compared(self, load: ast.expr, path: Path) -> bool:
        """Whether this use of a name leads what `path` leads to from it to a comparison, or nowhere."""
        node: ast.AST = load
        while True:
            parent = self.parents[id(node)]
            if isinstance(parent, ast.Subscript) and parent.value is node:
                at = _index(parent)
                if path and at != EACH and path[0] != EACH and path[0] != at:
                    return True  # another element
                node, path = parent, path[1:]
                continue
            break
        if id(node) in self.expected:
            return True
        return self._leads_nowhere(node, parent, path)

    def _leads_nowhere(self, node: ast.AST, parent: ast.AST, path: Path) -> bool:
        match parent:
            case ast.For(target=target, iter=each) | ast.comprehension(target=target, iter=each) if each is node:
                return bool(path) and self._target_is_compared(target, path[1:], parent)
            case ast.Assign(targets=[target]):
                return self._target_is_compared(target, path, parent)
            case ast.Call(func=ast.Name(id=name)) if name in HARMLESS:
                return True
            case ast.Call(func=ast.Name(id="zip"), args=args):
                number = next(k for k, one in enumerate(args) if one is node)
                return self._leads_nowhere(parent, self.parents[id(parent)], (EACH, number, *path[1:]))
            case ast.Call(func=ast.Name(id="enumerate")):
                return self._leads_nowhere(parent, self.parents[id(parent)], (EACH, 1, *path[1:]))
            case ast.Call(func=ast.Name(id=name)) if name in TRANSPARENT:
                return self._leads_nowhere(parent, self.parents[id(parent)], path)
            case ast.Attribute(attr="items" | "values" as attr):
                call = self.parents[id(parent)]
                keys = path[:1] == (KEYS,)
                more = path if attr == "values" else (EACH, 0 if keys else 1, *path[1:])
                return isinstance(call, ast.Call) and self._leads_nowhere(call, self.parents[id(call)], more)
            case ast.Call(func=ast.Name(id=name), args=args) if name in self._functions and node in args:
                function = self._functions[name]
                parameters = [*function.args.posonlyargs, *function.args.args]
                number = args.index(node)
                return number < len(parameters) and self._is_only_compared(parameters[number].arg, path, function)
        return isinstance(parent, (ast.FormattedValue, ast.Expr))

    def _target_is_compared(self, target: ast.expr, path: Path, at: ast.AST) -> bool:
        while isinstance(target, (ast.Tuple, ast.List)):
            if not path or path[0] not in range(len(target.elts)):
                return False
            target, path = target.elts[path[0]], path[1:]
        if not isinstance(target, ast.Name):
            return False
        scope = self._scope_of(at, target.id)
        key = (id(scope), target.id, (*path, "used"))
        if key in self._following:
            return True
        self._following.add(key)
        try:
            return self._is_only_compared(target.id, path, scope)
        finally:
            self._following.discard(key)


def _access(node: ast.expr) -> tuple[str | None, Path]:
    """`cases[0]["expected"]` is ("cases", (0, "expected"))."""
    path: list[Any] = []
    while isinstance(node, ast.Subscript):
        path.append(_index(node))
        node = node.value
    return (node.id, tuple(reversed(path))) if isinstance(node, ast.Name) else (None, ())


def _index(node: ast.Subscript) -> Any:
    return node.slice.value if isinstance(node.slice, ast.Constant) else EACH


def _elements(value: ast.expr, at: Any) -> list[ast.expr] | None:
    """The elements of a literal that one step of a path leads to."""
    if isinstance(value, ast.Dict):
        if any(key is None for key in value.keys) or not value.keys:
            return None
        if at in (EACH, KEYS):
            return list(value.values) if at == EACH else [key for key in value.keys if key is not None]
        return [
            v for k, v in zip(value.keys, value.values, strict=True) if isinstance(k, ast.Constant) and k.value == at
        ]
    if not isinstance(value, (ast.List, ast.Tuple, ast.Set)) or not value.elts:
        return None
    if any(isinstance(element, ast.Starred) for element in value.elts):
        return None
    if at == EACH:
        return list(value.elts)
    is_inside = type(at) is int and -len(value.elts) <= at < len(value.elts)
    return [value.elts[at]] if is_inside else None


def _argument(call: ast.Call, number: int, name: str, function: Any) -> ast.expr | None:
    """What a call hands over for a parameter."""
    if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
        return None
    parameters = [*function.args.posonlyargs, *function.args.args]
    if isinstance(call.func, ast.Attribute) and parameters and parameters[0].arg in ("self", "cls"):
        number -= 1
    if 0 <= number < len(call.args):
        return call.args[number]
    given = [one.value for one in call.keywords if one.arg == name]
    defaults = function.args.defaults
    at = number - (len(parameters) - len(defaults))
    return given[0] if given else defaults[at] if defaults and 0 <= at < len(defaults) else None


def _parametrized(node: Any) -> Iterator[tuple[str, tuple[ast.expr, Path]]]:
    """Parameters that `pytest.mark.parametrize` fills, and from where."""
    for decorator in getattr(node, "decorator_list", ()):
        match decorator:
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[ast.Constant(value=str(names)), values, *_]):
                listed = [name.strip() for name in names.split(",")]
            case ast.Call(
                func=ast.Attribute(attr="parametrize"), args=[ast.Tuple(elts=e) | ast.List(elts=e), values, *_]
            ):
                listed = [str(one.value) for one in e if isinstance(one, ast.Constant)]
            case _:
                continue
        for number, name in enumerate(listed):
            yield name, (values, (EACH,) if len(listed) == 1 else (EACH, number))
