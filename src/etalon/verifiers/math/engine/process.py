"""The processes behind `symbolic`: one template that has imported math-verify, and the workers forked from it.

Template  --socket-->  fork: the child's end of a socket pair goes in, its process id comes out
Worker    --socket-->  {"reference", "answer", "is_exact"} line in, {"is_equal", "reason"} line out
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

START_SECONDS = 60.0  # (ours) sympy imports in about one second of CPU
FORK_SECONDS = 10.0  # (ours) a fork takes milliseconds
MEMORY_MB = 320  # (ours) address space of a worker; the warm template has 65, so four workers stay under 1.4 GB

_PROGRAM = Path(__file__).with_name("worker.py")


class JsonLines:
    """JSON lines over a socket, each reply by a deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._pending = b""

    def send(self, message: dict[str, object]) -> None:
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float) -> dict[str, object] | None:
        """The next line, or None when it is not there in time. Raises OSError when the other side is gone."""
        deadline = time.monotonic() + seconds
        poller = select.poll()
        poller.register(self.connection, select.POLLIN | select.POLLHUP)
        while b"\n" not in self._pending:
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return None
            chunk = self.connection.recv(65536)
            if not chunk:
                raise OSError("the math-verify process is gone")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        reply = json.loads(line)
        assert isinstance(reply, dict)
        return reply


class Worker:
    """One process that compares; after a missed deadline it is killed and never asked again."""

    def __init__(self, channel: JsonLines, process_id: int) -> None:
        self.uses = 0
        self._channel = channel
        self._process_id = process_id
        self._handle = os.pidfd_open(process_id) if hasattr(os, "pidfd_open") else None

    def ask(self, request: dict[str, object], *, seconds: float, wall_factor: float) -> dict[str, Any]:
        """The reply; without `is_equal` when it was not there after `seconds` of its CPU time or the process died.

        It has the `seconds` it took; without `is_equal` also `hung`: the part of the request ("reference", "answer")
        that could not even be read, or None. wall_factor: of wall clock per CPU second, until we give up as well.
        """
        self.uses += 1
        unread = ["reference", "answer"]
        try:
            start, wall_end = self.cpu_seconds(), time.monotonic() + wall_factor * seconds
            self._channel.send(request)
            while (left := min(start + seconds - self.cpu_seconds(), wall_end - time.monotonic())) > 0:
                reply = self._channel.receive(left)
                if reply is None:
                    continue  # it has computed for at most as long as we waited
                if "read" not in reply:
                    return reply | {"seconds": self.cpu_seconds() - start}
                unread.remove(str(reply["read"]))
        except OSError:
            pass
        return {"hung": unread[0] if unread else None, "is_spent": True, "seconds": seconds}

    def cpu_seconds(self) -> float:
        """What it has computed so far; the wall clock where nobody tells. Raises OSError when it is gone."""
        if sys.platform != "linux":
            return time.monotonic()
        return time.clock_gettime(((~self._process_id) << 3) | 2)  # the CPU clock of another process

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            else:
                os.kill(self._process_id, signal.SIGKILL)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._channel.connection.close()


class Template:
    """The warm process. It never sees an answer: it only forks. Its workers end with it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_PROGRAM), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt at the terminal is for the parent
            )
        self._channel = JsonLines(ours)
        self._lock = threading.Lock()
        try:
            self._channel.send({"path": [entry for entry in sys.path if entry], "memory_mb": MEMORY_MB})
            if self._channel.receive(START_SECONDS) is None:
                raise OSError("the math-verify process did not start")
        except BaseException:
            self.kill()
            raise

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def fork(self) -> Worker:
        """A new worker. Raises OSError when the template cannot fork."""
        ours, theirs = socket.socketpair()
        try:
            with self._lock, theirs:
                socket.send_fds(self._channel.connection, [b"f"], [theirs.fileno()])
                reply = self._channel.receive(FORK_SECONDS)
            if reply is None:
                raise OSError("the math-verify process does not fork")
            return Worker(JsonLines(ours), int(str(reply["process_id"])))
        except BaseException:
            ours.close()
            self.kill()
            raise

    def kill(self) -> None:
        self._process.kill()
        self._channel.connection.close()
        self._process.wait()
