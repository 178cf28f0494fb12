"""C++ programs: compiled once, run once per test, in a process of its own without privileges (runner.py).

    source -> compile (kept for the next tests) -> binary + inputs -> one Outcome per test, up to the first failure

A compiler message is the program's fault; no compiler, or a runner that dies, is `INFRASTRUCTURE`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path

from etalon.sandbox.evidence import Evidence, collect
from etalon.sandbox.outcome import LOOK_SECONDS, CppTests, GiveUp, Limits, Outcome, Status
from etalon.sandbox.zygote.order import Order, pack_parts, unpack_ended

COMPILERS = ("g++", "clang++", "c++")
KEPT_BINARIES = 32  # (ours) of 2 MB each
COMPILE_SECONDS = 700.0  # (ours) far beyond what the runner allows the compiler
MARGIN_SECONDS = 10.0  # (ours)

_RUNNER = Path(__file__).with_name("runner.py")
_SLOTS = threading.Semaphore(os.cpu_count() or 1)
_BINARIES: OrderedDict[str, bytes] = OrderedDict()
_LOCK = threading.Lock()


def compiler() -> str | None:
    """The path of a C++ compiler, None where there is none."""
    return next((path for name in COMPILERS if (path := shutil.which(name))), None)


def run_cpp(source: str, tests: CppTests, limits: Limits, *, give_up: GiveUp | None = None) -> tuple[Outcome, ...]:
    """One outcome per test, up to the first that failed; a program that does not compile has one outcome.

    GivenUpError soon after `give_up` is set.
    """
    path = compiler()
    if path is None or sys.platform != "linux":
        missing = "C++ programs run on Linux only" if path else f"no C++ compiler: found none of {', '.join(COMPILERS)}"
        return (Outcome(status=Status.INFRASTRUCTURE, detail=missing),)
    inputs = tests.inputs[: tests.pause_after or None]
    with _SLOTS:
        try:
            if give_up is not None:
                give_up.check()
            binary = _compiled(path, source, give_up)
            return binary if isinstance(binary, tuple) else _run(binary, inputs, limits, give_up)
        except (OSError, subprocess.TimeoutExpired, ValueError) as error:
            return (Outcome(status=Status.INFRASTRUCTURE, detail=f"{type(error).__name__}: {error}"[:200]),)


def _compiled(path: str, source: str, give_up: GiveUp | None) -> bytes | tuple[Outcome, ...]:
    """The binary; outcomes when the compiler refuses."""
    code = source.encode("utf-8", "surrogatepass")
    key = hashlib.sha256(code).hexdigest()
    with _LOCK:
        if key in _BINARIES:
            _BINARIES.move_to_end(key)
            return _BINARIES[key]
    reply = _ask({"mode": "compile", "compiler": path}, pack_parts(code), COMPILE_SECONDS, give_up)
    line, _, content = reply.partition(b"\n")
    status = int(line)
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return (Outcome(status=Status.TIMEOUT, detail="while compiling"),)
    if status != 0:
        messages = [row for row in content.decode("utf-8", "replace").splitlines() if "error" in row]
        return (Outcome(status=Status.SYNTAX_ERROR, detail=" ".join(messages)[:200] or "it does not compile"),)
    with _LOCK:
        _BINARIES[key] = content
        while len(_BINARIES) > KEPT_BINARIES:
            _BINARIES.popitem(last=False)
    return content


def _run(binary: bytes, inputs: tuple[str, ...], limits: Limits, give_up: GiveUp | None) -> tuple[Outcome, ...]:
    texts = [text.encode("utf-8", "surrogatepass") for text in inputs]
    order = Order(
        mode="stdin",
        num_tests=1,
        pause_after=0,
        cpu_seconds=limits.cpu_seconds,
        idle_seconds=limits.idle_seconds,
        wall_seconds=limits.wall_seconds,
        memory_bytes=limits.memory_mb << 20,
        file_bytes=(limits.output_mb << 20) + 1,
        parts_bytes=0,
    )
    seconds = len(inputs) * limits.wall_seconds + MARGIN_SECONDS
    reply = _ask({"mode": "run", "limits": order._asdict()}, pack_parts(binary, *texts), seconds, give_up)
    outcomes: list[Outcome] = []
    while reply:
        line, _, reply = reply.partition(b"\n")
        ended = unpack_ended(line)
        output, reply = reply[: ended.output_bytes], reply[ended.output_bytes :]
        outcomes += collect(Evidence(order, limits, ended, b"", output))
    is_whole = len(outcomes) == len(inputs) or (outcomes and outcomes[-1].status is not Status.OK)
    if not is_whole:
        outcomes.append(Outcome(status=Status.INFRASTRUCTURE, detail="the runner ended early"))
    return tuple(outcomes)


def _ask(order: dict[str, object], parts: bytes, seconds: float, give_up: GiveUp | None) -> bytes:
    """The reply of a fresh runner; raises OSError when it fails, TimeoutExpired when it takes longer, GivenUpError."""
    folder = tempfile.mkdtemp(prefix="etalon-native-")
    try:
        os.chmod(folder, 0o711)  # noqa: S103  # the runner may become another user
        with subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", str(_RUNNER), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd=folder,
            start_new_session=True,
        ) as runner:
            try:
                reply = _reply(runner, json.dumps(order).encode() + b"\n" + parts, seconds, give_up)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(runner.pid, signal.SIGKILL)
                raise
        if runner.returncode != 0 or not reply:
            raise ConnectionError(f"the runner ended with status {runner.returncode}")
        return reply
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reply(runner: subprocess.Popen[bytes], sent: bytes, seconds: float, give_up: GiveUp | None) -> bytes:
    deadline, unsent = time.monotonic() + seconds, sent or None
    while True:
        remaining = max(0.0, deadline - time.monotonic())
        try:
            return runner.communicate(unsent, timeout=remaining if give_up is None else min(remaining, LOOK_SECONDS))[0]
        except subprocess.TimeoutExpired:  # nothing is lost: it goes on where it was, and has all of the input
            unsent = None
            if remaining <= LOOK_SECONDS or give_up is None:
                raise
            give_up.check()
