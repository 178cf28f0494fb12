"""Runs one program's tests inside the forked child. Standard library only; shares nothing with the parent but pipes.

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
import io
import json
import os
import sys
import types
from typing import Any, NamedTuple

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
"""  # LeetCode's starter code uses these names without importing them; math.pow must not hide the built-in


class Files(NamedTuple):
    """Descriptors of the child: memory files for the three streams, results and sealed part; a pipe for control."""

    stdin: int
    stdout: int
    stderr: int
    values: int
    sealed: int
    control: int


_dumps, _loads, _write, _pread = json.dumps, json.loads, os.write, os.pread
_ftruncate, _lseek, _dup2, _pwrite, _fstat = os.ftruncate, os.lseek, os.dup2, os.pwrite, os.fstat


_prelude: dict[str, Any] = {}
_warm_streams: list[tuple[Any, Any, Any]] = []


def warm_up() -> None:
    """Once, before any fork: the names that starter code takes for granted, and the streams of a first test.

    A page that a child touches is copied (3 microseconds each), so what can be built before the fork is.
    """
    exec(PRELUDE, _prelude)  # noqa: S102
    for name in ("__builtins__", "__name__"):
        _prelude.pop(name, None)
    _warm_streams.append(_streams())


def run(request: dict[str, Any], files: Files) -> None:
    """Run all tests of the request; returns when the last control line is out."""
    try:
        code = compile(request["program"], "solution.py", "exec", dont_inherit=True)
    except MemoryError:
        return _report(files, None, "memory", 0, "")
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        return _report(files, None, "syntax_error", 0, _describe(error))
    mode = request["mode"]
    if mode == "stdin":
        return _run_stdin(code, request["inputs"], files)
    _open_streams(files, "")
    namespace = _module("solution")
    if mode == "call":
        namespace.update(_prelude)
    status, detail = _guard(lambda: exec(code, namespace))  # noqa: S102
    sealed = _loads(_pread(files.sealed, _fstat(files.sealed).st_size, 0))
    if status != "ok":
        return _report(files, sealed["nonce"], status, 0, detail)
    if mode == "call":
        return _run_calls(namespace, sealed, files)
    return _run_asserts(namespace, sealed, files)


def _run_stdin(code: types.CodeType, inputs: list[str], files: Files) -> None:
    for text in inputs:
        _open_streams(files, text)
        namespace = _module("__main__")
        status, detail = _guard(lambda namespace=namespace: exec(code, namespace))  # noqa: S102
        end_status, end_detail = _guard(_finish)
        if status == "ok":
            status, detail = end_status, end_detail
        _report(files, None, status, _fstat(files.stdout).st_size, detail)


def _run_calls(namespace: dict[str, Any], sealed: dict[str, Any], files: Files) -> None:
    for text in sealed["inputs"]:
        value = b""

        def call(text: str = text) -> None:
            nonlocal value
            arguments = [_loads(line) for line in text.split("\n") if line.strip()]
            result = _find(namespace, sealed["function"])(*arguments)
            value = _dumps(_plain(result)).encode()

        status, detail = _guard(call)
        if status == "ok":
            _write_all(files.values, value)
        _report(files, sealed["nonce"], status, _fstat(files.values).st_size, detail)


def _run_asserts(namespace: dict[str, Any], sealed: dict[str, Any], files: Files) -> None:
    code = compile(sealed["code"], "tests.py", "exec", dont_inherit=True)
    status, detail = _guard(lambda: exec(code, namespace), exit_is_error=True)  # noqa: S102
    _report(files, sealed["nonce"] if status == "ok" else None, status, 0, detail)


def _find(namespace: dict[str, Any], function: str) -> Any:
    if function in namespace:
        return namespace[function]
    return getattr(namespace["Solution"](), function)


def _guard(action: Any, *, exit_is_error: bool = False) -> tuple[str, str]:
    """Run something untrusted; how it ended, and the exception in words."""
    try:
        action()
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


def _open_streams(files: Files, text: str) -> None:
    """Fresh sys.stdin, stdout and stderr on descriptors 0, 1 and 2; stdin holds `text`, then end of file."""
    _ftruncate(files.stdin, 0)
    _write_at(files.stdin, text.encode("utf-8", "surrogatepass"))
    _lseek(files.stdin, 0, os.SEEK_SET)
    for descriptor, file in enumerate((files.stdin, files.stdout, files.stderr)):
        _dup2(file, descriptor)
    streams = _warm_streams.pop() if _warm_streams else _streams()
    sys.stdin, sys.stdout, sys.stderr = streams
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]


def _streams() -> tuple[Any, Any, Any]:
    """Text streams on descriptors 0, 1 and 2, with empty buffers."""
    reader = io.BufferedReader(io.FileIO(0, "r", closefd=False))
    writers = [io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False)) for descriptor in (1, 2)]
    return (
        io.TextIOWrapper(reader, "utf-8", "surrogateescape"),
        io.TextIOWrapper(writers[0], "utf-8", "surrogateescape"),
        io.TextIOWrapper(writers[1], "utf-8", "backslashreplace", line_buffering=True),
    )


def _finish() -> None:
    """What the interpreter does at exit: wait for threads, run exit handlers, flush."""
    if _thread._count():
        threading = sys.modules["threading"]
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.__stdout__):
        if stream is not None and not stream.closed:
            stream.flush()


def _plain(value: Any, depth: int = 0) -> Any:
    """The value in JSON types: tuples as lists; anything else that JSON lacks is a TypeError."""
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
    raise TypeError(f"the result holds a {type(value).__name__}, which is not JSON")


def _report(files: Files, nonce: str | None, status: str, end: int, detail: str) -> None:
    if nonce is None and not detail:  # the usual line, without the encoder's pages
        _write(files.control, f'[null, "{status}", {end}, ""]\n'.encode())
    else:
        _write_all(files.control, f"{_dumps([nonce, status, end, detail])}\n".encode())


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[_write(descriptor, view) :]


def _write_at(descriptor: int, content: bytes) -> None:
    position = 0
    while position < len(content):
        position += _pwrite(descriptor, content[position : position + (1 << 20)], position)
