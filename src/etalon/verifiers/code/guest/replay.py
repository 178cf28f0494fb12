"""In place of a program: runs the checks, with every call of the program answered from a table of its results.

So checks never share a process with what they check, and a program cannot see them. A call that is not in the table is
noted and answered by a Future, which goes along with everything, so that the calls after it are noted too.
What cannot be done this way (the checks look into the program, or redirect its output) is reported as "live".
"""

from __future__ import annotations

import builtins
import json
from collections import Counter
from typing import Any

from etalon.verifiers.code.guest.values import (
    ListNode,
    TreeNode,
    is_same_list,
    is_same_tree,
    list_node,
    pack,
    tree_node,
    unpack,
)

HELPERS = {
    "ListNode": ListNode,
    "TreeNode": TreeNode,
    "list_node": list_node,
    "tree_node": tree_node,
    "is_same_list": is_same_list,
    "is_same_tree": is_same_tree,
    "inf": float("inf"),
}
PLAIN_NAMES = {name for kind in (str, list, dict, set, int, float, bytes, tuple) for name in dir(kind)}
NODE_NAMES = {"val", "next", "left", "right"}
MOST_TRUTHS = 1000  # (ours) of unknown results: `while node: node = node.next` would never end otherwise


class Live(BaseException):
    """The checks do something that a table of results cannot answer."""


class CallDied(BaseException):
    """The program did not survive a call."""


class _State:
    calls: list[dict[str, Any]]
    results: dict[str, Any]
    seen: Counter[str]
    is_missing = is_live = False
    num_truths = 0


state = _State()


def live(*_: Any, **__: Any) -> Any:
    state.is_live = True
    raise Live


class Callable:
    """A function of the program, or a method of one of its objects."""

    def __init__(self, *path: str) -> None:
        self._path = path

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        args, kwargs = [_packed(a) for a in arguments], {name: _packed(a) for name, a in named.items()}
        key = json.dumps([self._path, args, kwargs], sort_keys=True)
        state.seen[key] += 1
        ref = f"{state.seen[key]}.{key}"
        state.calls.append({"ref": ref, "path": list(self._path), "args": args, "kwargs": kwargs})
        if ref not in state.results:
            state.is_missing = True
            return Future(ref)
        return _answer(ref, state.results[ref], arguments)


def _packed(argument: Any) -> Any:
    if isinstance(argument, Future | Thing):
        return {"ref": argument._ref}
    packed = pack(argument)
    if _has_opaque(packed):
        live()
    return packed


def _has_opaque(packed: Any) -> bool:
    if isinstance(packed, dict):
        return "opaque" in packed or any(map(_has_opaque, packed.values()))
    return isinstance(packed, list) and any(map(_has_opaque, packed))


def _answer(ref: str, result: dict[str, Any], arguments: tuple[Any, ...]) -> Any:
    if "ended" in result:
        raise CallDied(result["ended"])
    if "error" in result:
        raise _exception(result["error"], result["text"])
    for position, packed in result.get("after", {}).items():
        _change(arguments[int(position)], unpack(packed))
    value = result["ok"]
    return Thing(ref) if isinstance(value, dict) and "opaque" in value else unpack(value)


def _exception(name: str, text: str) -> Exception:
    kind: Any = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = type(name, (Exception,), {})
    try:
        error: Exception = kind(text)
    except TypeError:  # such as UnicodeDecodeError, which takes five arguments
        return Exception(text)
    return error


def _change(argument: Any, now: Any) -> None:
    """What the call did to its argument."""
    if isinstance(argument, list | bytearray):
        argument[:] = now
    elif isinstance(argument, dict | set):
        argument.clear()
        argument.update(now)


class Method(Callable):
    """An attribute of an object of the program; only calling it has a meaning here."""

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __len__ = __iter__ = live
    __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __contains__ = __hash__ = live


class Thing:
    """A result that is no data: an object, a function, or a class of the program."""

    def __init__(self, ref: str) -> None:
        self._ref = ref

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Method(f"#{self._ref}", name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return Callable(f"#{self._ref}")(*arguments, **named)


class Future:
    """A result that is not known yet. It agrees with everything, so that the checks go on."""

    def __init__(self, ref: str) -> None:
        self._ref = ref

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in PLAIN_NAMES:
            return lambda *_, **__: self
        return self if name in NODE_NAMES else Method(f"#{self._ref}", name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return Callable(f"#{self._ref}")(*arguments, **named)

    def __eq__(self, other: object) -> bool:
        return live() if isinstance(other, Future) and other is not self else True

    def _same(self, *_: Any) -> Any:
        return self

    def _yes(self, *_: Any) -> bool:
        return True

    def __bool__(self) -> bool:
        state.num_truths += 1
        return state.num_truths <= MOST_TRUTHS

    def _no_items(self) -> Any:
        return iter(())

    def _zero(self, *_: Any) -> int:
        return 0

    __hash__ = _zero
    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _yes
    __iter__, __len__, __int__, __index__ = _no_items, _zero, _zero, _zero
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _same
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __and__ = __or__ = __xor__ = __neg__ = _same
    __abs__ = __round__ = __getitem__ = __rand__ = __ror__ = __rxor__ = _same

    def __float__(self) -> float:
        return 0.0


def etalon_replay(order: dict[str, Any]) -> dict[str, Any]:
    """{code, names, results} -> {status: passed | failed | missing | live, detail, calls}."""
    state.calls, state.results, state.seen = [], order["results"], Counter()
    namespace: dict[str, Any] = {"__name__": "tests", "_etalon_is_missing": lambda: state.is_missing}
    namespace.update({name: HELPERS[name] for name in order["helpers"]})
    namespace.update({name: __import__(name) for name in order["modules"]})
    namespace.update({name: Callable(name) for name in order["names"]})
    status, detail = "passed", ""
    try:
        exec(compile(order["code"], "tests.py", "exec"), namespace)  # noqa: S102
    except Live:
        pass
    except BaseException as error:
        status, detail = "failed", str(error)[:200]
        if not isinstance(error, CallDied | AssertionError):
            detail = f"{type(error).__name__}: {detail}"
    if state.is_missing:
        status = "missing"
    if state.is_live:
        status = "live"
    return {"status": status, "detail": detail, "calls": state.calls}
