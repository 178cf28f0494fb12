"""What a service runs in place of a program that is tested by calls or assertions; travels as text, see the package.

standard input {nonce, inputs | code} -> load the program -> calls, or the checks -> a line of nonce and answer each

Standard library only. What the program prints goes nowhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etalon.sandbox.zygote.child import PRELUDE, SLOW_CPU_SECONDS, guard, write_all
    from etalon.sandbox.zygote.wire import to_json

Answer = Callable[[str, str, str], None]


def serve(order: dict[str, Any]) -> None:
    """Load the program, then read the tests and do them. order: {mode, program, function, setup, ...}"""
    tests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    namespace, status, detail = _load(order)
    sealed = _read(tests)

    def answer(status: str, detail: str, output: str) -> None:
        line = json.dumps({"status": status, "detail": detail, "output": output})
        write_all(answers, f"\n{sealed['nonce']} {line}\n".encode())

    if status == "ok" and order["setup"]:
        status, detail = guard(exec, compile(order["setup"], "setup.py", "exec"), namespace)
    if status != "ok":
        answer(status, detail, "")
    elif order["mode"] == "assert":
        checks = compile(sealed["code"], "tests.py", "exec", dont_inherit=True)
        answer(*guard(exec, checks, namespace, exit_is_error=True), "")
    else:
        _answer_calls(order, namespace, sealed["inputs"], answer)
    os._exit(0)


def _load(order: dict[str, Any]) -> tuple[dict[str, Any], str, str]:
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    namespace = module.__dict__
    try:
        code = compile(order["program"], "solution.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        return namespace, "syntax_error", f"{type(error).__name__}: {str(error)[:200]}"
    if order["mode"] == "call":
        prelude: dict[str, Any] = {}
        exec(PRELUDE, prelude)  # noqa: S102
        namespace.update({name: value for name, value in prelude.items() if not name.startswith("__")})
    return namespace, *guard(exec, code, namespace)


def _answer_calls(order: dict[str, Any], namespace: dict[str, Any], inputs: list[str], answer: Answer) -> None:
    def stop(*_: Any) -> None:
        answer("timeout", "", "")
        os._exit(0)

    signal.signal(signal.SIGPROF, stop)
    for number, text in enumerate(inputs):
        if number and number == order["pause_after"] and time.process_time() > SLOW_CPU_SECONDS:
            return
        _set_clock(order["cpu_seconds"])
        results: list[bytes] = []
        status, detail = guard(_call, namespace, order["function"], text, results)
        signal.setitimer(signal.ITIMER_PROF, 0)
        is_done = status == "ok" and bool(results)
        answer(status if is_done or status != "ok" else "runtime_error", detail, results[0].decode() if is_done else "")


def _call(namespace: dict[str, Any], function: str, text: str, results: list[bytes]) -> None:
    arguments = [json.loads(line) for line in text.split("\n") if line.strip()]
    if function not in namespace and "Solution" not in namespace:
        raise NameError(f"no function {function}")
    target = namespace[function] if function in namespace else getattr(namespace["Solution"](), function)
    results.append(json.dumps(to_json(target(*arguments))).encode())


def _set_clock(seconds: float) -> None:
    """SIGPROF at the limit; the kernel's own limit behind it, for a call that never returns to the interpreter."""
    with contextlib.suppress(OSError, ValueError):
        signal.setitimer(signal.ITIMER_PROF, seconds)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 2, hard))


def _read(tests: int) -> dict[str, Any]:
    chunks: list[bytes] = []
    while chunk := os.read(tests, 1 << 16):
        chunks.append(chunk)
    sealed: dict[str, Any] = json.loads(b"".join(chunks))
    return sealed
