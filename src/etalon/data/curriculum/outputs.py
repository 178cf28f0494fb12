"""The files of a curriculum: written beside their names, renamed together, the manifest last.

DIR/manifest.json is removed before the first and written after the last: where it stands, every file is whole and of
one build. A build that fails before leaves an earlier one as it was.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from etalon.errors import InputError, RunError
from etalon.store import HASH_DIGITS, to_json, write_json_atomic, writing

MANIFEST, REPORT = "manifest.json", "build.report.json"
PART = ".part"  # of a file that is not whole
UNKNOWN = "unknown"  # licence


class Outputs:
    """Files of rows in a folder, with the counts that the manifest tells."""

    def __init__(self, folder: Path, stack: ExitStack, names: Collection[str]) -> None:
        self.folder, self._stack, self._names = folder, stack, names
        self._streams: dict[str, BinaryIO] = {}
        self._hashes: dict[str, Any] = {}
        self.rows: Counter[str] = Counter()
        self.problems: dict[str, set[str]] = {}
        self.licenses: dict[str, Counter[str]] = {}

    def open(self, name: str) -> None:
        """Begin a file, which may stay empty."""
        if name not in self._streams:
            self._streams[name] = self._stack.enter_context(self._part(name).open("wb"))
            self._hashes[name] = hashlib.sha256()
            self.problems[name], self.licenses[name] = set(), Counter()

    def write(self, name: str, row: Mapping[str, Any], *, problem: str, license: str) -> None:
        """Add a row to a file."""
        self.open(name)
        line = to_json(row) + b"\n"
        self._streams[name].write(line)
        self._hashes[name].update(line)
        self.rows[name] += 1
        self.problems[name].add(problem)
        self.licenses[name][license or UNKNOWN] += 1

    def finish(self, settings: Mapping[str, Any]) -> Path:
        """Give every file its name, then write the manifest; its path."""
        for stream in self._streams.values():
            stream.flush()
            os.fsync(stream.fileno())
        for name in (MANIFEST, REPORT):
            (self.folder / name).unlink(missing_ok=True)
        for name in self._names:
            if name in self._streams:
                os.replace(self._part(name), self.folder / name)
            else:
                (self.folder / name).unlink(missing_ok=True)
                self._part(name).unlink(missing_ok=True)
        manifest = self.folder / MANIFEST
        write_json_atomic(manifest, {"settings": dict(settings), "files": self.table()})
        return manifest

    def table(self) -> dict[str, Any]:
        """What the manifest says of each file."""
        return {
            name: {
                "rows": self.rows[name],
                "problems": len(self.problems[name]),
                "sha256": self._hashes[name].hexdigest()[:HASH_DIGITS],
                "licenses": dict(sorted(self.licenses[name].items())),
            }
            for name in sorted(self._streams)
        }

    def _part(self, name: str) -> Path:
        return self.folder / (name + PART)


@contextmanager
def outputs(folder: Path, names: Collection[str], always: Iterable[str]) -> Iterator[Outputs]:
    """A folder's files, those of `always` also where they stay empty. What is there of an earlier build is replaced.

    names: of all files that there may be. Raises InputError for a folder that holds others, RunError where the disk is
    full.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a directory")
    own = {*names, MANIFEST, REPORT}
    others = [path.name for path in folder.glob("*") if path.name.removesuffix(PART) not in own]
    if others:
        raise InputError(f"--out {folder}: holds other files ({min(others)}); name a new directory")
    with writing(folder), ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        _lock(folder, stack)
        found = Outputs(folder, stack, names)
        for name in always:
            found.open(name)
        yield found


def _lock(folder: Path, stack: ExitStack) -> None:
    """RunError while another process writes to the folder; the kernel frees it when a process dies."""
    descriptor = os.open(folder, os.O_RDONLY)
    stack.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"--out {folder}: another process writes here; wait for its end, or name another") from None
