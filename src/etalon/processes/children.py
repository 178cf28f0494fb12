"""Long-lived commands of ours: training under torchrun, a server of rollouts. They do not outlive this process.

Child(command, log=...) -> guard -> command          what both write goes to the log
wait -> RunError with the last lines of the log      when it fails
secrets()                                            what other people's programs need not see of the environment
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from etalon.errors import RunError

_GUARD = Path(__file__).with_name("guard.py")
PATIENCE_SECONDS = 10.0  # (ours) between SIGTERM and SIGKILL
LOOK_SECONDS = 0.2  # (ours)
TAIL_LINES = 5  # (ours) of the log in an error
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)


def secrets() -> list[str]:
    """The variables of this process's environment that are named like secrets."""
    return [name for name in os.environ if _SECRET.search(name)]


class Child:
    """A running command in a session of its own, so that Ctrl-C reaches it through us alone."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        withheld: Collection[str] = (),
        folder: Path | None = None,
    ) -> None:
        """environment: added to this process's, but for the variables `withheld`. log: appended to.

        folder: the command's working directory, None for this process's.
        """
        inherited = {name: value for name, value in os.environ.items() if name not in withheld}
        self.command, self.log = list(command), log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            self._start = stream.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), str(PATIENCE_SECONDS), *self.command],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**inherited, **(environment or {})},
                cwd=folder,
                start_new_session=True,
            )

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    def wait(self, on_look: Callable[[], None] = lambda: None, *, name: str) -> None:
        """Return when it has ended well; RunError that begins with `name` otherwise. on_look: called now and then."""
        while self.status is None:
            on_look()
            time.sleep(LOOK_SECONDS)
        on_look()
        if self.status:
            raise RunError(f"{name}: {self.how_it_ended()}")

    def how_it_ended(self) -> str:
        """The status and the last lines of the log, as one line."""
        status = self.status or 0  # of a command that a signal ended, 128 and its number; of the guard itself, minus it
        number = -status if status < 0 else status - 128
        how = f"signal {signal.Signals(number).name}" if number > 0 else f"status {status}"
        return f"ended with {how}; {self.log} ends with: {' | '.join(self.tail()) or 'nothing'}"

    def tail(self) -> list[str]:
        """The last lines it wrote."""
        with self.log.open("rb") as stream:
            stream.seek(max(self._start, self.log.stat().st_size - (1 << 16)))
            lines = stream.read().decode("utf-8", "replace").splitlines()
        return [line.strip() for line in lines if line.strip()][-TAIL_LINES:]

    def stop(self) -> None:
        """End it, if it still runs; returns when nothing of it is left."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
