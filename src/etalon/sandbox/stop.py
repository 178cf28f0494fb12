"""How a run is given up from another thread, because nobody waits for its outcomes any more."""

from __future__ import annotations

import threading

LOOK_SECONDS = 0.1  # (ours) between two looks at whether a run is still wanted


class StoppedError(Exception):
    """The run was given up; it has no outcome."""


class Stop:
    """Set from any thread; the run that was given it then ends with StoppedError, its processes killed."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        """StoppedError when it is set."""
        if self._event.is_set():
            raise StoppedError
