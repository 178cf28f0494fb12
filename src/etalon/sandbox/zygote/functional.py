"""Functional tests: the program in one process, the checks in another that forked it. Standard library only.

    checks --(questions)--> program      arguments, never an expected value
    checks <--(answers)---- program      plain values, never code
    checks --> control lines             [nonce, status, end of the results so far, detail]

The nonce, the tests and the control file exist only where the checks run, after the fork: nothing in the memory of the
program leads to them, so however it ends or whatever it patches, it cannot write their last line.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import re
import signal
import sys
import time
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etalon.sandbox.zygote import child
    from etalon.sandbox.zygote.order import Order
    from etalon.sandbox.zygote.peers import ChecksSide, GoneError, ProgramSide, Remote, shared_name
    from etalon.sandbox.zygote.wire import Channel, WireError, to_json
else:  # sibling files of the zygote, see forkserver
    import child
    from peers import ChecksSide, GoneError, ProgramSide, Remote, shared_name
    from wire import Channel, WireError, to_json

LEAVING_SECONDS, LEAVING_LOOKS = (
    0.002,
    100,
)  # (ours) patience with a program that closed its socket, before it is killed
CHECKS_SHARE = 0.7  # (ours) of the time limit, for checks that have not asked anything yet
FULL_SHARE = 0.8  # (ours) of the memory limit: a program that died with that much died of it
CLAIMED = ("runtime_error", "memory", "syntax_error")
# What checks may use without importing it, where a program has done so: libraries whose import does nothing else
LIBRARIES = frozenset({
    "array", "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions",
    "functools", "heapq", "io", "itertools", "json", "math", "numbers", "numpy", "operator", "random", "re",
    "statistics", "string", "sys", "time", "types", "typing",
})  # fmt: skip
_dumps, _loads, _to_json = json.dumps, json.loads, to_json


def serve_program(order: Order, parts: list[bytes], nothing: int, socket: int) -> None:
    """In the process of the program: load it, say how that went, answer questions until the checks are through.

    parts: the program, and set-up code that runs behind it.
    """
    channel = Channel(socket, order.file_bytes + order.sealed_bytes)
    child.own(nothing)
    code, status, detail = child.load(parts[0])
    namespace: dict[str, Any] = {}
    if code is not None:
        child.open_streams(nothing, nothing, nothing)
        namespace = child.new_module("solution")
        if order.mode == "call":
            namespace.update(child.PRELUDE_NAMES)
        status, detail = child.guard(exec, code, namespace, exit_is_error=True)
        if status == "ok" and len(parts) > 1:
            status, detail = child.guard(exec, compile(parts[1], "setup.py", "exec"), namespace)
    channel.send(_dumps([status, detail]).encode())
    if status != "ok":
        return
    if order.mode == "call":
        _answer_calls(channel, namespace)
    peer = ProgramSide(channel, namespace)
    while True:
        kind, *question = peer.unpack(channel.receive())
        if kind == "ask":
            peer.serve(question)


def _answer_calls(channel: Channel, namespace: dict[str, Any]) -> None:
    while True:
        function, _, text = channel.receive().decode("utf-8", "surrogatepass").partition("\n")
        results: list[bytes] = []
        status, detail = child.guard(_call, namespace, function, text, results, exit_is_error=True)
        content = results[0] if status == "ok" else detail.encode("utf-8", "replace")
        channel.send(status.encode() + b"\n" + content)


def _call(namespace: dict[str, Any], function: str, text: str, results: list[bytes]) -> None:
    arguments = [_loads(line) for line in text.split("\n") if line.strip()]
    results.append(_dumps(_to_json(_find(namespace, function)(*arguments))).encode())


def _find(namespace: dict[str, Any], function: str) -> Any:
    if function in namespace:
        return namespace[function]
    if "Solution" not in namespace:
        raise NameError(f"no function {function}")
    return getattr(namespace["Solution"](), function)


class Driver:
    """In the process of the checks: asks, and writes the control lines."""

    def __init__(self, order: Order, sealed: bytes, files: child.Descriptors, socket: int, program: int) -> None:
        self._order, self._sealed, self._files, self._program = order, _loads(sealed), files, program
        self._channel = Channel(socket, order.file_bytes)

    def run(self) -> None:
        """Returns when the last control line is out; the program is dead then."""
        child.open_streams(*[self._files.nothing] * 3)
        try:
            status, detail = _loads(self._channel.receive())
            if status != "ok":
                self._report(_claimed(status), 0, str(detail))
            elif self._order.mode == "call":
                self._run_calls()
            else:
                self._run_asserts()
        except (EOFError, BrokenPipeError, ConnectionResetError, GoneError):
            self._report_death()
        except (WireError, ValueError, TypeError, RecursionError):
            self._end(looks=1)
            self._report("runtime_error", 0, "wrote to a descriptor that is not its own")
        else:
            self._end(looks=1)

    def _run_calls(self) -> None:
        output, end = self._files.output, 0
        for number, text in enumerate(self._sealed["inputs"]):
            if number == self._order.pause_after and number and self._cpu_seconds() > child.SLOW_CPU_SECONDS:
                return self._report("paused", end, "")
            self._channel.send(f"{self._sealed['function']}\n{text}".encode("utf-8", "surrogatepass"))
            status, _, content = self._channel.receive().partition(b"\n")
            if status == b"ok":
                child.write_all(output, content)
                end += len(content)
            words = "" if status == b"ok" else content[:300].decode("utf-8", "replace")
            self._report("ok" if status == b"ok" else _claimed(status.decode("utf-8", "replace")), end, words)
        return None

    def _run_asserts(self) -> None:
        code = compile(self._sealed["code"], "tests.py", "exec", dont_inherit=True)
        namespace, solution = child.new_module("tests"), child.new_module("solution")
        checks = ChecksSide(self._channel, namespace)
        names = sorted(_names(code) - set(dir(builtins)))
        for name, (kind, *found) in checks.ask("names", names, _class_names(code)).items():
            is_usual = kind == "value" and isinstance(found[0], Remote)
            if kind == "module" or (name in LIBRARIES and re.search(rf"(?<![\w.]){name}\.", self._sealed["code"])):
                # the library itself, whatever the program calls so; and nothing is imported because a program names it
                library = name if name in LIBRARIES else found[0]
                is_usual = library == name and library in LIBRARIES
                if library in LIBRARIES:
                    with contextlib.suppress(ImportError):
                        namespace[name] = __import__(library, fromlist=["*"])
            else:
                namespace[name] = shared_name(*found) if kind == "shared" else found[0]
            checks.has_content = checks.has_content or not is_usual
        solution.update({name: namespace[name] for name in names if name in namespace})
        status, detail = self._guard_checks(checks, code, namespace)
        if checks.failure is not None:
            status, detail = "infrastructure", str(checks.failure)
        elif checks.is_gone:
            return self._report_death()
        return self._report(status, 0, detail)

    def _guard_checks(self, checks: ChecksSide, code: types.CodeType, namespace: dict[str, Any]) -> tuple[str, str]:
        """How the checks ended. What they do before they know anything of the program is not the program's fault.

        Their clock (SIGPROF) stops with the first question, see ChecksSide.
        """
        if not checks.has_content:
            signal.setitimer(signal.ITIMER_PROF, CHECKS_SHARE * self._order.cpu_seconds)
        blame: list[str] = []
        status, detail = child.guard(_run_checks, checks, code, namespace, blame, exit_is_error=True)
        if status == "ok" or not blame:
            return status, detail
        return "infrastructure", f"bad_reference: the tests failed by themselves: {detail or blame[0]}"

    def _report(self, status: str, end: int, detail: str) -> None:
        line = _dumps([self._sealed["nonce"], status, end, detail])
        child.write_all(self._files.control, f"{line}\n".encode())

    def _report_death(self) -> None:
        """Say how the program ended."""
        exit_status, max_rss_bytes, was_killed = self._end(looks=LEAVING_LOOKS)
        status, detail = "runtime_error", "left before the end"
        if was_killed:
            detail = "closed a descriptor that is not its own"
        elif exit_status and max_rss_bytes > FULL_SHARE * self._order.memory_bytes:
            status, detail = "memory", ""
        elif exit_status:
            detail = f"ended with status {os.waitstatus_to_exitcode(exit_status)}"
        self._report(status, os.lseek(self._files.output, 0, os.SEEK_END), detail)

    def _end(self, *, looks: int) -> tuple[int, int, bool]:
        """Wait for the program, killing it if it does not end by itself: exit status, largest memory, was it killed."""
        for look in range(looks):
            pid, exit_status, usage = os.wait4(self._program, os.WNOHANG)
            if pid:
                return exit_status, usage.ru_maxrss << 10, False
            if look + 1 < looks:
                time.sleep(LEAVING_SECONDS)
        os.kill(self._program, signal.SIGKILL)
        _, exit_status, usage = os.wait4(self._program, 0)
        return exit_status, usage.ru_maxrss << 10, True

    def _cpu_seconds(self) -> float:
        return time.clock_gettime(((~self._program) << 3) | 2)  # the CPU clock of another process


def _run_checks(checks: ChecksSide, code: types.CodeType, namespace: dict[str, Any], blame: list[str]) -> None:
    """Run the checks; an error of theirs that has nothing to do with the program is named in `blame`."""
    try:
        exec(code, namespace)  # noqa: S102
    except BaseException as error:
        is_import = isinstance(error, ImportError) and error.name != "solution" and not checks.has_raised(error)
        is_missing = isinstance(error, AttributeError) and error.obj is sys.modules.get("solution")
        is_early = not checks.has_content and not isinstance(error, AssertionError | NameError | ImportError)
        if is_import or (is_early and not is_missing):
            blame.append(type(error).__name__)
        raise


def _claimed(status: object) -> str:
    """How a program says that it ended: only in ways that are its own."""
    return status if isinstance(status, str) and status in CLAIMED else "runtime_error"


def _names(code: types.CodeType) -> set[str]:
    """All names that the code, or a function in it, looks up."""
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _class_names(code: types.CodeType) -> list[str]:
    """Names of what the code defines; those that are classes may cross as records."""
    inner = [constant.co_name for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return sorted(name for name in inner if name.isidentifier())
