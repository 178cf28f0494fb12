"""What a service runs in place of a program that is tested by calls or assertions; travels as text, see the package.

standard input {nonce, inputs} -> load the program and what runs behind it -> a line of nonce and answer per result

Standard library only, beside two modules of our own children, whose names come before these. What the program prints
goes nowhere. The nonce keeps our lines apart from others; that the program could write some itself gains it nothing,
see `etalon.sandbox.zygote.functions`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etalon.sandbox.zygote import child, functions, notes
else:
    import child
    import functions
    import notes

Answer = Callable[[str, str, str], None]


def serve(order: dict[str, Any]) -> None:
    """Load the program, then read the tests and do them. order: {mode, program, behind, starter, function, ...}"""
    tests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    child.open_streams(nothing, nothing, nothing)
    sealed = _read(tests)

    def answer(status: str, detail: str, output: str) -> None:
        line = json.dumps({"status": status, "detail": detail, "output": output})
        child.write_all(answers, f"\n{sealed['nonce']} {line}\n".encode())

    functions.warm_up()
    namespace = child.new_module("solution")
    code, status, detail = child.load(order["program"].encode("utf-8", "surrogatepass"))
    if code is not None:
        status, detail = functions.load(code, order["behind"], namespace, has_starter=order["starter"])
    if status != "ok":
        answer(status, detail, "")
    elif order["mode"] == "assert":
        answer("ok", "", notes.written().decode())
    else:
        _answer_calls(order, namespace, sealed["inputs"], answer)
    os._exit(0)


def _answer_calls(order: dict[str, Any], namespace: dict[str, Any], inputs: list[str], answer: Answer) -> None:
    def stop(*_: Any) -> None:
        answer("timeout", "", "")
        os._exit(0)

    signal.signal(signal.SIGPROF, stop)
    for number, text in enumerate(inputs):
        if number and number == order["pause_after"] and child.is_slow():
            return
        _set_clock(order["cpu_seconds"])
        _answer(answer, functions.call, namespace, order["function"], text)


def _answer(answer: Answer, action: Any, *arguments: Any) -> None:
    """Do something and tell its result."""
    status, detail, result = functions.result_of(action, *arguments)
    signal.setitimer(signal.ITIMER_PROF, 0)
    answer(status, detail, result.decode())


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
