"""A program as functions: called on arguments, or checked by code behind it. Standard library only.

    call    program -> set-up code of ours -> per input: function(*arguments) -> the result as JSON, a control line
    assert  program -> the checks, in its own namespace -> what they noted as JSON, a control line

All of it happens in the process of the program, as in a plain interpreter, so every word of it is the program's: it
could write any result and any line. It never pays: no expected value of a call is here, and what checks are worth is
found out by altering them, see etalon.verifiers.code.assertions.trial.
"""

from __future__ import annotations

import builtins
import json
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import types

    from etalon.sandbox.zygote import child, notes
    from etalon.sandbox.zygote.order import Order
else:  # a sibling file of the zygote, see forkserver
    import child
    import notes

MOST_ITEMS = 1_000_000  # (ours) taken from an iterator that is returned
MOST_DEPTH = 200  # (ours)
_SEQUENCES: Any = (range, deque, type({}.keys()), type({}.values()), type({}.items()))
_dumps, _loads = json.dumps, json.loads
STARTER: dict[str, Any] = {}  # built-in names, and those that LeetCode's starter code uses without importing them


def warm_up() -> None:
    """Once, before any fork."""
    STARTER.update(vars(builtins))
    STARTER.update(child.starter_names())


def run_program(order: Order, parts: list[bytes], files: child.Descriptors) -> None:
    """Do all of an order in this process; returns when the last control line is out."""
    code, status, detail = child.load(parts[0])
    if code is None:
        child.report(files, status, 0, detail)
    elif order.mode == "stdin":
        child.run_tests(code, parts, order.pause_after, files)
    else:
        run(order, code, parts, files)


def run(order: Order, code: types.CodeType, parts: list[bytes], files: child.Descriptors) -> None:
    """Load the program, then do the tests; returns when the last control line is out."""
    child.open_streams(*[files.nothing] * 3)
    child.show_source(parts[0])
    namespace, is_call = child.new_module("solution"), order.mode == "call"
    status, detail = load(code, _text(parts[1]), namespace, has_starter=is_call or bool(parts[2]))
    if status != "ok":
        child.report(files, status, 0, detail)
    elif is_call:
        _run_calls(namespace, _text(parts[2]), parts[3:], order.pause_after, files)
    else:
        child.write_all(files.output, notes.written())
        child.report(files, "ok", child.end_of(files.output), "")


def _text(part: bytes) -> str:
    return part.decode("utf-8", "surrogatepass")


def load(code: types.CodeType, behind: str, namespace: dict[str, Any], *, has_starter: bool) -> tuple[str, str]:
    """Run a program, and code behind it; how that ended. has_starter: its lookups find STARTER, but it has none."""
    if has_starter:
        namespace["__builtins__"] = STARTER
    status, detail = child.guard(exec, code, namespace, exit_is_error=True)
    namespace.update(notes.NAMES)
    if status == "ok" and behind:
        status, detail = child.guard(_execute, behind, namespace, exit_is_error=True)
    return status, detail


def _execute(text: str, namespace: dict[str, Any]) -> None:
    exec(compile(text, "tests.py", "exec", dont_inherit=True), namespace)  # noqa: S102


def _run_calls(
    namespace: dict[str, Any], function: str, inputs: list[bytes], pause_after: int, files: child.Descriptors
) -> None:
    for number, text in enumerate(inputs):
        if number == pause_after and number and child.is_slow():
            return child.report(files, "paused", child.end_of(files.output), "")
        _report_result(files, call, namespace, function, _text(text))
    return None


def _report_result(files: child.Descriptors, action: Any, *arguments: Any) -> None:
    status, detail, result = result_of(action, *arguments)
    child.write_all(files.output, result)
    child.report(files, status, child.end_of(files.output), detail)


def result_of(action: Any, *arguments: Any) -> tuple[str, str, bytes]:
    """Do something: how that ended, and the result as JSON if there is one."""
    results: list[bytes] = []

    def work() -> None:
        results.append(_dumps(to_json(action(*arguments))).encode())

    status, detail = child.guard(work, exit_is_error=True)
    return status, detail, results[0] if status == "ok" else b""


def call(namespace: dict[str, Any], function: str, text: str) -> Any:
    """The result of a function of the program. text: one JSON value per line, the arguments."""
    arguments = [_loads(line) for line in text.split("\n") if line.strip()]
    return find(namespace, function)(*arguments)


def find(namespace: dict[str, Any], function: str) -> Any:
    """What the program calls so: its own function, else the method of its Solution, else what it imported."""
    found, solution = namespace.get(function), namespace.get("Solution")
    is_own = found is not None and getattr(found, "__module__", None) == namespace["__name__"]
    if not is_own and isinstance(solution, type) and hasattr(solution, function):
        return getattr(solution(), function)
    if function not in namespace:
        raise NameError(f"no function {function}")
    return found


def to_json(value: Any, depth: int = 0) -> Any:
    """The value in JSON types: tuples, iterators and views as lists; what else JSON lacks is a TypeError."""
    if depth > MOST_DEPTH:
        raise TypeError("the result is nested too deeply")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (list, tuple)):
        return [to_json(element, depth + 1) for element in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _dumps(key): to_json(v, depth + 1) for key, v in value.items()}
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return to_json(value.tolist(), depth + 1)
    if isinstance(value, _SEQUENCES) or hasattr(type(value), "__next__"):
        return [to_json(element, depth + 1) for element in islice(value, MOST_ITEMS)]
    raise TypeError(f"the result holds a {type(value).__name__}, which is not JSON")
