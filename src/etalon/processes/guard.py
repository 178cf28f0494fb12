"""Runs a command that must not outlive whoever started it. Standard library only; run as a script.

    python -I -S guard.py SECONDS COMMAND...      standard input: a pipe that its starter holds and never writes to

When the pipe closes, because the starter stopped the command or died, the command is asked to end (SIGTERM), and after
SECONDS killed. What it started goes with it, however detached: this process is the parent of every orphan below it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LOOK_SECONDS = 0.1  # (ours)
KILL_SECONDS = 10.0  # (ours) for the kernel to end what was killed


def main() -> int:
    """The exit status of the command; 128 + n when signal n ended it, as in a shell."""
    patience, command = float(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    while child.poll() is None:
        if select.select([0], [], [], LOOK_SECONDS)[0]:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience)
            child.kill()
    status = child.wait()
    _kill_orphans(time.monotonic() + KILL_SECONDS)
    return status if status >= 0 else 128 - status


def die_with_parent() -> None:
    """In the child before it becomes the command: somebody may kill the guard alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _kill_orphans(deadline: float) -> None:
    """Kill whatever is left below this process; new orphans arrive while others die."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while children.exists() and (left := children.read_text().split()) and time.monotonic() < deadline:
        for process in map(int, left):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(LOOK_SECONDS / 10)


if __name__ == "__main__":
    sys.exit(main())
