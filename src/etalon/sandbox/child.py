"""Runs one program's tests inside the forked child. Standard library only.

    child: StdinTests  -> per test: fresh stdin, fresh __main__, exec, flush -> control line
           CallTests   -> load once, then per test: call, JSON of the result -> control line
           AssertTests -> load, then the checks -> control line

A control line is [nonce, status, end of the output so far, detail]. The nonce and the tests of the last two kinds
stay in a sealed memory file until the program has been loaded. What a control line says is only a claim: the parent
compares outputs itself, and accepts the end of AssertTests by the nonce alone.
"""

from __future__ import annotations

import _thread
import atexit
import collections
import io
import itertools
import json
import os
import sys
import time
import types
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from etalon.sandbox.order import Order

PRELUDE = """
import bisect, collections, functools, heapq, itertools, math, operator, random, re, string, sys
from typing import *
from bisect import *
from heapq import *
from math import *
from itertools import *
from functools import *
from collections import *
from builtins import pow

class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next

class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right
"""  # LeetCode's starter code uses these names without importing them; math.pow must not hide the built-in


MOST_ITEMS = 1_000_000  # (ours) taken from an iterator that is returned
WARM_TESTS = 8  # (ours) tests whose streams are made before the fork
SLOW_CPU_SECONDS = 0.003  # (ours) three times what another child costs

REHEARSAL = """
import sys
def main():
    count = int(input())
    values = [int(word) for word in sys.stdin.readline().split()]
    print(sum(values) % count, max(values), f"{count} {values}")
if __name__ == "__main__":
    main()
"""


class Files(NamedTuple):
    """Descriptors of the child. output: standard output, or the results of functions; nothing: /dev/null."""

    nothing: int
    output: int
    sealed: int
    control: int


_SEQUENCES: Any = (range, collections.deque, type({}.keys()), type({}.values()), type({}.items()))
_dumps, _loads, _write, _pread = json.dumps, json.loads, os.write, os.pread
_ftruncate, _lseek, _dup2, _fstat, _cpu_seconds = os.ftruncate, os.lseek, os.dup2, os.fstat, time.process_time


_prelude: dict[str, Any] = {}
_warm_streams: list[tuple[Any, Any, Any]] = []
_keep: list[Any] = []  # objects of the zygote that its children would destroy, to no end, page by page


def warm_up(nothing: int) -> None:
    """Once, before any fork: the names that starter code takes for granted, and one program as a rehearsal.

    A page that a child touches is copied, so what the interpreter builds when it is first asked for is built here.
    """
    exec(PRELUDE, _prelude)  # noqa: S102
    for name in ("__builtins__", "__name__"):
        _prelude.pop(name, None)
    _keep.extend((sys.modules["__main__"], sys.stdin, sys.stdout, sys.stderr))
    descriptors = [os.dup(descriptor) for descriptor in (0, 1, 2)]
    files = Files(nothing, os.memfd_create("output"), -1, os.memfd_create("control"))
    code = compile(REHEARSAL, "solution.py", "exec", dont_inherit=True)
    _run_stdin(code, [b"", b"3\n1 2 3\n", b"3\n1 2 3\n"], 0, files)
    for descriptor, saved in enumerate(descriptors):
        _dup2(saved, descriptor)
        os.close(saved)
    os.close(files.output)
    os.close(files.control)
    _keep.extend((sys.stdin, sys.stdout, sys.stderr))
    _warm_streams.extend(_streams() for _ in range(WARM_TESTS))


def run(order: Order, parts: list[bytes], files: Files) -> None:
    """Run the tests of the order; returns when the last control line is out."""
    try:
        program = parts[0].decode("utf-8", "surrogatepass")
        code = compile(program, "solution.py", "exec", dont_inherit=True)
    except MemoryError:
        return _report(files, None, "memory", 0, "")
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        return _report(files, None, "syntax_error", 0, _describe(error))
    if order.mode == "stdin":
        return _run_stdin(code, parts, order.pause_after, files)
    stdout = os.memfd_create("stdout")
    _open_streams(files.nothing, stdout, files.nothing)
    namespace = _module("solution")
    if order.mode == "call":
        namespace.update(_prelude)
    status, detail = _guard(exec, code, namespace)
    sealed = _loads(_pread(files.sealed, _fstat(files.sealed).st_size, 0))
    if status == "ok" and sealed.get("setup"):
        status, detail = _guard(exec, compile(sealed["setup"], "setup.py", "exec"), namespace)
    if status != "ok":
        return _report(files, sealed["nonce"], status, 0, detail)
    if order.mode == "call":
        return _run_calls(namespace, sealed, order.pause_after, files)
    return _run_asserts(namespace, sealed, files)


def _run_stdin(code: types.CodeType, parts: list[bytes], pause_after: int, files: Files) -> None:
    stdin, end = os.memfd_create("stdin"), 0
    for number in range(1, len(parts)):
        if number == pause_after + 1 and number > 1 and _cpu_seconds() > SLOW_CPU_SECONDS:
            return _report(files, None, "paused", end, "")
        _fill(stdin, parts[number])
        _open_streams(stdin, files.output, files.nothing)
        namespace = _module("__main__")
        namespace["__file__"] = "solution.py"
        status, detail = _guard(exec, code, namespace)
        end_status, end_detail = _guard(_finish, namespace if b"__del__" in parts[0] else None)
        if status == "ok":
            status, detail = end_status, end_detail
        end = _lseek(files.output, 0, os.SEEK_END)
        _report(files, None, status, end, detail)
    os.close(stdin)  # the zygote rehearses here, and a file that all programs share would let them talk
    return None


def _run_calls(namespace: dict[str, Any], sealed: dict[str, Any], pause_after: int, files: Files) -> None:
    end = 0
    for number, text in enumerate(sealed["inputs"]):
        if number == pause_after and number and _cpu_seconds() > SLOW_CPU_SECONDS:
            return _report(files, sealed["nonce"], "paused", end, "")
        results: list[bytes] = []
        status, detail = _guard(_call, namespace, sealed["function"], text, results)
        if status == "ok":
            write_all(files.output, results[0])
        end = _lseek(files.output, 0, os.SEEK_END)
        _report(files, sealed["nonce"], status, end, detail)
    return None


def _call(namespace: dict[str, Any], function: str, text: str, results: list[bytes]) -> None:
    arguments = [_loads(line) for line in text.split("\n") if line.strip()]
    results.append(_dumps(_plain(_find(namespace, function)(*arguments))).encode())


def _run_asserts(namespace: dict[str, Any], sealed: dict[str, Any], files: Files) -> None:
    code = compile(sealed["code"], "tests.py", "exec", dont_inherit=True)
    status, detail = _guard(exec, code, namespace, exit_is_error=True)
    _report(files, sealed["nonce"] if status == "ok" else None, status, 0, detail)


def _find(namespace: dict[str, Any], function: str) -> Any:
    if function in namespace:
        return namespace[function]
    return getattr(namespace["Solution"](), function)


def _guard(action: Any, *arguments: Any, exit_is_error: bool = False) -> tuple[str, str]:
    """Run something untrusted; how it ended, and the exception in words."""
    try:
        action(*arguments)
    except SystemExit as error:
        if not exit_is_error and error.code in (None, 0):
            return "ok", ""
        return "runtime_error", f"SystemExit: {str(error.code)[:200]}"
    except MemoryError:
        return "memory", ""
    except BaseException as error:
        return "runtime_error", _describe(error)
    return "ok", ""


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {str(error)[:200]}"
    except BaseException:  # an untrusted __str__
        return type(error).__name__


def _module(name: str) -> dict[str, Any]:
    module = types.ModuleType(name)
    sys.modules[name] = module
    return module.__dict__


def _fill(stdin: int, content: bytes) -> None:
    _ftruncate(stdin, 0)
    _lseek(stdin, 0, os.SEEK_SET)
    write_all(stdin, content)
    _lseek(stdin, 0, os.SEEK_SET)


def _open_streams(*files: int) -> None:
    """Fresh sys.stdin, stdout and stderr on descriptors 0, 1 and 2."""
    for descriptor, file in enumerate(files):
        _dup2(file, descriptor)
    if _warm_streams:
        _keep.append(streams := _warm_streams.pop())
    else:
        streams = _streams()
    sys.stdin, sys.stdout, sys.stderr = streams
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]


def _streams() -> tuple[Any, Any, Any]:
    """Text streams on descriptors 0, 1 and 2, with empty buffers."""
    reader = io.BufferedReader(io.FileIO(0, "r", closefd=False))
    writers = [io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False)) for descriptor in (1, 2)]
    streams: tuple[Any, Any, Any] = (
        io.TextIOWrapper(reader, "utf-8", "surrogateescape"),
        io.TextIOWrapper(writers[0], "utf-8", "surrogateescape"),
        io.TextIOWrapper(writers[1], "utf-8", "backslashreplace", line_buffering=True),
    )
    for stream, mode, name in zip(streams, "rww", ("<stdin>", "<stdout>", "<stderr>"), strict=True):
        stream.mode, stream.buffer.raw.name = mode, name  # contest templates ask for both
    return streams


def _finish(namespace: dict[str, Any] | None) -> None:
    """What the interpreter does at exit: wait for threads, run exit handlers, end objects, flush.

    namespace: of a program that has finalizers.
    """
    if _thread._count():
        threading = sys.modules["threading"]
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
    atexit._run_exitfuncs()
    if namespace is not None:
        namespace.clear()
    for stream in (sys.stdout, sys.__stdout__):
        if stream is not None and not stream.closed:
            stream.flush()


def _plain(value: Any, depth: int = 0) -> Any:
    """The value in JSON types: tuples, iterators and views as lists; what else JSON lacks is a TypeError."""
    if depth > 200:
        raise TypeError("the result is nested too deeply")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(element, depth + 1) for element in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _dumps(key): _plain(v, depth + 1) for key, v in value.items()}
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value)
    if isinstance(value, _SEQUENCES) or hasattr(type(value), "__next__"):
        return [_plain(element, depth + 1) for element in itertools.islice(value, MOST_ITEMS)]
    raise TypeError(f"the result holds a {type(value).__name__}, which is not JSON")


def _report(files: Files, nonce: str | None, status: str, end: int, detail: str) -> None:
    if nonce is None and not detail:  # the usual line, without the encoder's pages
        _write(files.control, f'[null, "{status}", {end}, ""]\n'.encode())
    else:
        write_all(files.control, f"{_dumps([nonce, status, end, detail])}\n".encode())


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it, whatever a single write takes."""
    start = _write(descriptor, content)
    while start < len(content):
        start += _write(descriptor, memoryview(content)[start:])
