"""Command lines in processes that have the modules loaded already: forks of one process that does nothing else.

    pytest -> server (imports etalon and torch, once per worker) -> a fork per command line, whose streams are files

What a fresh interpreter would add is the import of torch, seconds of each test. Tests of what is loaded, of signals
and of kills start an interpreter of their own (`shrunk.start`, `shrunk.command`).
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

LOADED = ("etalon.cli", "etalon.pipeline.graph")
WITH_TORCH = ("etalon.engines.local", "etalon.model.loader", "transformers")
UNCAUGHT = 1  # what an interpreter returns for an exception that nothing caught


def run(
    arguments: Sequence[str], *, cwd: Path | None, env: Mapping[str, str], stdin: bytes = b"", timeout: int = 120
) -> tuple[int, str, str]:
    """Status (negative for a signal), stdout and stderr of `etalon ARGUMENTS`; TimeoutExpired after `timeout` s."""
    with TemporaryDirectory() as folder:
        Path(folder, "stdin").write_bytes(stdin)
        task = {"arguments": arguments, "cwd": str(cwd or Path.cwd()), "env": dict(env), "timeout": timeout}
        process = _server()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(task | {"folder": folder}) + "\n")
        process.stdin.flush()
        whose, _, status = process.stdout.readline().rpartition(" ")
        while status and whose != folder:  # of a call that was interrupted
            whose, _, status = process.stdout.readline().rpartition(" ")
        assert status, f"the process that forks has ended with {process.wait()}"
        code = int(status)
        if code == -signal.SIGALRM:
            raise subprocess.TimeoutExpired(arguments, timeout)
        stdout, stderr = (Path(folder, name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
        return code, stdout, stderr


@cache
def _server() -> subprocess.Popen[str]:
    """The process that forks, which ends with this one: its input does."""
    here = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    env = os.environ | offline | {"PYTHONPATH": here}
    command = [sys.executable, "-c", "import forked; forked.serve()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    atexit.register(process.__exit__, None, None, None)  # closes its streams, and waits for its end
    return process


def serve() -> None:
    """A line of JSON per command line on stdin, its folder and exit status on stdout."""
    for name in (*LOADED, *(WITH_TORCH if importlib.util.find_spec("torch") else ())):
        importlib.import_module(name)
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if not child:
            _become(task)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{task['folder']} {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(task: Mapping[str, Any]) -> None:
    """This process is the command line from here on; it never returns."""
    signal.alarm(task["timeout"])
    os.chdir(task["cwd"])
    os.environ.clear()
    os.environ.update(task["env"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(os.open(f"{task['folder']}/{name}", os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv = ["etalon", *task["arguments"]]
    code: Any = UNCAUGHT
    try:
        code = importlib.import_module("etalon.cli").main()
    except SystemExit as stop:
        code = stop.code or 0
        if not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else UNCAUGHT)
