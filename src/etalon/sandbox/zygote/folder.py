"""The working folder of one zygote's programs: empty and new for each, but only made again when one has changed it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

MOST_ENTRIES = 8192  # (ours) of one program, counted; also what a folder may hold
FOLDER_BYTES = 64 << 20  # (ours) of all files that a program has written
FOLDER_SECONDS = 0.2  # (ours) how late a folder that grows may be noticed
TICK_SECONDS = 0.02  # the clock that stamps folders is coarse: 10 ms where the kernel's HZ is 100


class WorkFolder:
    """A numbered folder below `root`, which is the current folder from here on."""

    def __init__(self, root: str, announce: Callable[[str], None]) -> None:
        """announce: is told each new folder."""
        self._root, self._number, self._announce = root, 0, announce
        self._make()

    def _make(self) -> None:
        self._number += 1
        os.mkdir(f"{self._root}/{self._number}")
        os.chdir(f"{self._root}/{self._number}")
        time.sleep(TICK_SECONDS)  # so that any change from now on shows in the time of the last change
        self._seen = self._times()
        self._announce(os.getcwd())

    def _times(self) -> tuple[int, int]:
        """Of the last change to the folder, and to the one around it, where a program may have put something."""
        return os.stat(".").st_ctime_ns, os.stat(self._root).st_ctime_ns

    def clear(self) -> None:
        """Replace the folder if a program changed anything about it."""
        if self._times() != self._seen:
            os.chdir(self._root)
            for entry in list(os.scandir(self._root)):
                remove(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
            if os.listdir(self._root):
                raise OSError("files of a program cannot be removed")  # this zygote ends, and the pool replaces it
            self._make()


def used_bytes(folder: str = ".") -> int:
    """What the files below a folder take of the disk; very much when there are more than MOST_ENTRIES."""
    total, count, folders = 0, 0, [folder]
    while folders:
        entries: list[os.DirEntry[str]] = []
        with contextlib.suppress(OSError):
            entries = list(os.scandir(folders.pop()))
        count += len(entries)
        if count > MOST_ENTRIES:
            return 1 << 62
        for entry in entries:
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return total


def remove(folder: str) -> None:
    """Like shutil.rmtree, whose module would load four libraries. No program runs, so nothing moves meanwhile.

    Inner folders are moved up first, because a program may nest them deeper than a path can say.
    """
    pending, number = [folder], 0
    while pending:
        entries: list[os.DirEntry[str]] = []
        with contextlib.suppress(OSError):
            os.chmod(pending[-1], 0o700)
            entries = list(os.scandir(pending[-1]))
        path = pending.pop()
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    number += 1
                    os.chmod(entry.path, 0o700)
                    os.rename(entry.path, f"{folder}.{number}")
                    pending.append(f"{folder}.{number}")
                else:
                    os.unlink(entry.path)
        with contextlib.suppress(OSError):
            os.rmdir(path)
