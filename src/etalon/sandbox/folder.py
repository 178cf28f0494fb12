"""The working folder of one zygote's programs: empty and new for each, but only made again when one has changed it."""

from __future__ import annotations

import contextlib
import os
import time

TICK_SECONDS = 0.02  # the clock that stamps folders is coarse: 10 ms where the kernel's HZ is 100


class WorkFolder:
    """A numbered folder below `root`, which is the current folder from here on."""

    def __init__(self, root: str) -> None:
        self._root, self._number, self._changed_ns = root, 0, 0
        self._make()

    def _make(self) -> None:
        self._number += 1
        os.mkdir(f"{self._root}/{self._number}")
        os.chdir(f"{self._root}/{self._number}")
        time.sleep(TICK_SECONDS)  # so that any change from now on shows in the time of the last change
        self._changed_ns = os.stat(".").st_ctime_ns

    def clear(self) -> None:
        """Replace the folder if a program changed anything about it; one that cannot be removed stays behind."""
        if os.stat(".").st_ctime_ns != self._changed_ns or os.listdir():
            os.chdir(self._root)
            remove(f"{self._root}/{self._number}")
            self._make()


def remove(folder: str) -> None:
    """Like shutil.rmtree, whose module would load four libraries. No program runs, so nothing moves meanwhile."""
    entries: list[os.DirEntry[str]] = []
    with contextlib.suppress(OSError):
        entries = list(os.scandir(folder))
    for entry in entries:
        with contextlib.suppress(OSError, RecursionError):
            remove(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
