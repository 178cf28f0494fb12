"""Runs a program inside the forked child, on its standard inputs here; see functions for the others. Standard library
only.

    per test: fresh stdin, fresh __main__, exec, flush -> control line

A control line is [status, end of the output so far, detail]. What it says is only a claim: the parent compares outputs
itself.
"""

from __future__ import annotations

import _thread
import atexit
import builtins
import contextlib
import gc
import io
import json
import linecache
import os
import random
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any, NamedTuple

NODES = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next

class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right
"""
PRELUDE = f"""
import bisect, collections, functools, heapq, itertools, math, operator, random, re, string, sys
from typing import *
from bisect import *
from heapq import *
from math import *
from itertools import *
from functools import *
from collections import *
from builtins import pow
{NODES}"""  # LeetCode's starter code uses these names without importing them; math.pow must not hide the built-in

SOURCE = "solution.py"
FINALIZERS = (b"__del__", b"finalize")  # of objects that do something when they end, also those that hold each other
ENDS = (*FINALIZERS, b"open", b"detach")
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


class Descriptors(NamedTuple):
    """Descriptors of the child. output: standard output, or results as JSON; nothing: /dev/null."""

    nothing: int
    stdin: int
    output: int
    control: int


_dumps, _write = json.dumps, os.write
_ftruncate, _lseek, _dup2, _cpu_seconds = os.ftruncate, os.lseek, os.dup2, time.process_time


_warm_streams: list[tuple[Any, Any, Any]] = []
between_tests: Callable[[], None] | None = None  # of a process that keeps its own time: called behind a control line
cpu_before = 0.0  # seconds that this process has spent, but no program
_keep: list[Any] = []  # objects of the zygote that its children would destroy, to no end, page by page


def warm_up(nothing: int) -> None:
    """Once, before any fork: one program as a rehearsal.

    A page that a child touches is copied, so what the interpreter builds when it is first asked for is built here.
    """
    _keep.extend((sys.modules["__main__"], sys.stdin, sys.stdout, sys.stderr))
    descriptors = [os.dup(descriptor) for descriptor in (0, 1, 2)]
    files = Descriptors(nothing, os.memfd_create("stdin"), os.memfd_create("output"), os.memfd_create("control"))
    code = compile(REHEARSAL, SOURCE, "exec", dont_inherit=True)
    run_tests(code, [b"", b"3\n1 2 3\n", b"3\n1 2 3\n"], 0, files)
    for descriptor, saved in enumerate(descriptors):
        _dup2(saved, descriptor)
        os.close(saved)
    for file in (files.stdin, files.output, files.control):
        os.close(file)  # a file that all programs share would let them talk
    _keep.extend((sys.stdin, sys.stdout, sys.stderr))
    _warm_streams.extend(_streams() for _ in range(WARM_TESTS))


def settle() -> None:
    """Before a program: what it finds is the same every time, and as judges have it."""
    sys.argv = [SOURCE]
    builtins.exit = builtins.quit = _leave  # type: ignore[assignment]  # site defines them, -S leaves site out
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)  # judges have no such limit, and big integers are what some problems are about
    random.seed(0)


def _leave(code: object = None) -> None:
    raise SystemExit(code)


def starter_names() -> dict[str, Any]:
    """What LeetCode's starter code uses without importing it."""
    names: dict[str, Any] = {}
    exec(PRELUDE, names)  # noqa: S102
    return {name: value for name, value in names.items() if not name.startswith("__")}


def load(program: bytes) -> tuple[types.CodeType | None, str, str]:
    """The compiled program; or why there is none, and the exception in words."""
    try:
        text = program.decode("utf-8", "surrogatepass")
        return compile(text, SOURCE, "exec", dont_inherit=True), "ok", ""
    except MemoryError:
        return None, "memory", ""
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        return None, "syntax_error", describe(error)


def run_tests(code: types.CodeType, parts: list[bytes], pause_after: int, files: Descriptors) -> None:
    end = 0
    for number in range(1, len(parts)):
        if number == pause_after + 1 and number > 1 and is_slow():
            return report(files, "paused", end, "")
        _fill(files.stdin, parts[number])
        open_streams(files.stdin, files.output, files.nothing)
        namespace = new_module("__main__")
        namespace["__file__"] = SOURCE
        show_source(parts[0])
        status, detail = guard(exec, code, namespace)
        left = namespace if any(word in parts[0] for word in ENDS) else None
        end_status, end_detail = guard(_finish, left, number == len(parts) - 1)
        if any(word in parts[0] for word in FINALIZERS):
            guard(gc.collect)
            guard(_flush)
        if status == "ok":
            status, detail = end_status, end_detail
        end = end_of(files.output)
        report(files, status, end, detail)
    return None


def show_source(program: bytes) -> None:
    """The program as a file and to `inspect`, where it asks for itself."""
    if b"__file__" in program:
        with contextlib.suppress(OSError), open(SOURCE, "wb") as file:
            file.write(program)
    if b"inspect" in program or b"linecache" in program:
        text = program.decode("utf-8", "replace")
        linecache.cache[SOURCE] = (len(text), None, text.splitlines(keepends=True), SOURCE)


def guard(action: Any, *arguments: Any, exit_is_error: bool = False) -> tuple[str, str]:
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
        return "runtime_error", describe(error)
    return "ok", ""


def is_slow() -> bool:
    """Whether the tests so far took long enough to leave the others to a second look."""
    return _cpu_seconds() - cpu_before > SLOW_CPU_SECONDS


def end_of(file: int) -> int:
    """Its size; also where the next write goes."""
    return _lseek(file, 0, os.SEEK_END)


def describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {str(error)[:200]}"
    except BaseException:  # an untrusted __str__
        return type(error).__name__


def new_module(name: str) -> dict[str, Any]:
    module = types.ModuleType(name)
    sys.modules[name] = module
    return module.__dict__


def _fill(stdin: int, content: bytes) -> None:
    _ftruncate(stdin, 0)
    _lseek(stdin, 0, os.SEEK_SET)
    write_all(stdin, content)
    _lseek(stdin, 0, os.SEEK_SET)


def own(nothing: int) -> None:
    """/dev/null anew: locks and flags of a descriptor that all programs inherit would outlive this one."""
    fresh = os.open(os.devnull, os.O_RDWR)
    _dup2(fresh, nothing)
    os.close(fresh)


def open_streams(*files: int) -> None:
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


def _finish(namespace: dict[str, Any] | None, is_last: bool) -> None:
    """What the interpreter does at exit: wait for threads, run exit handlers, end objects, flush.

    namespace: of a program that has objects with an end of their own. is_last: no test comes after it in this process.
    """
    if _thread._count():
        if is_last:
            threading._shutdown()  # type: ignore[attr-defined]  # ends the idle threads of executors, too; once only
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
    atexit._run_exitfuncs()
    if namespace is not None:
        namespace.clear()
    _flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.__stdout__):
        with contextlib.suppress(ValueError):  # it was closed or taken apart
            if stream is not None:
                stream.flush()


def report(files: Descriptors, status: str, end: int, detail: str) -> None:
    """Write a control line."""
    if not detail:  # the usual line, without the encoder's pages
        _write(files.control, f'["{status}", {end}, ""]\n'.encode())
    else:
        write_all(files.control, f"{_dumps([status, end, detail])}\n".encode())
    if between_tests is not None:
        between_tests()


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it, whatever a single write takes."""
    start = _write(descriptor, content)
    while start < len(content):
        start += _write(descriptor, memoryview(content)[start:])
