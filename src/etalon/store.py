"""Files of a run that survive SIGKILL and a full disk. Standard library only.

write_atomic, write_json_atomic   a file is the old one or the new one, never a half
append_jsonl, read_jsonl          rows appear whole; a torn last line is ignored, then cut off by the next append
StageDir                          a stage is done when DONE.json, written last, says so
RunLock                           one process per run directory; the kernel frees it when the process dies
stable_hash, hash_file, hash_tree sixteen hex digits that name a JSON value, a file, a tree of files
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from etalon.errors import InputError, RunError

__all__ = [
    "LOCK", "RunLock", "StageDir", "append_jsonl", "hash_file", "hash_tree", "is_special", "read_json", "read_jsonl",
    "repair_jsonl", "seed_from", "stable_hash", "to_json", "truncate_jsonl", "write_atomic", "write_json_atomic",
    "writing",
]  # fmt: skip

HASH_DIGITS = 16
LOCK = ".lock"  # of a run directory
TEMPORARY_SUFFIX = ".etalon-tmp"  # of a file that `write_atomic` has not finished
DISK_FULL = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "disk quota used up",
    errno.EFBIG: "file size limit reached",
}


def stable_hash(value: Any) -> str:
    """Hash of a JSON value; key order does not matter."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:HASH_DIGITS]


def seed_from(value: Any, *, bits: int = 31) -> int:
    """A seed that depends on a JSON value alone; endpoints take 31 bits."""
    return int(stable_hash(value), 16) % (1 << bits)


def hash_file(path: Path) -> str:
    """Hash of a file's content; its name does not matter."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:HASH_DIGITS]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, a file was expected") from None


def hash_tree(directory: Path) -> str:
    """Hash of the names and contents of all files below a directory."""
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory")
    files = [path for path in directory.rglob("*") if not path.is_dir() and path.suffix != TEMPORARY_SUFFIX]
    return stable_hash({path.relative_to(directory).as_posix(): hash_file(path) for path in files})


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk inside the block into a RunError that names `path`."""
    try:
        yield
    except Exception as error:
        reason = DISK_FULL.get(system_error(error) or 0)
        if reason is None:
            raise
        raise RunError(f"{reason} while writing {path}; free some and run the same command again") from error


def system_error(error: Exception) -> int | None:
    """The errno behind an error, also behind one of safetensors, which tells it in words only."""
    if isinstance(error, OSError):
        return error.errno
    told = re.search(r"\(os error (\d+)\)", str(error)) if type(error).__module__.startswith("safetensors") else None
    return int(told[1]) if told else None


def write_atomic(path: Path, content: str | bytes) -> None:
    """Replace `path` by `content` in one step: after a crash it holds the old content or the new, whole."""
    encoded = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}{TEMPORARY_SUFFIX}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as stream:
                stream.write(encoded)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(path.parent)


def _sync(path: Path) -> None:
    """Push a file's content, or a directory's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json_atomic(path: Path, value: Any) -> None:
    """`write_atomic` of indented JSON. A NaN is a bug and raises ValueError."""
    write_atomic(path, to_json(value, indent=2) + b"\n")


def to_json(value: Any, *, indent: int | None = None) -> bytes:
    """UTF-8 JSON of any text, without a newline at its end. A NaN is a bug and raises ValueError."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)
    try:
        return text.encode()
    except UnicodeEncodeError:  # lone surrogates, which models do emit, exist in JSON only as escapes
        return json.dumps(value, allow_nan=False, indent=indent).encode()


def read_json(path: Path) -> Any:
    """The value in a JSON file; InputError with the path when it is missing or malformed."""
    if is_special(path):
        raise InputError(f"{path}: is a pipe or a device, a JSON file was expected")
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, a JSON file was expected") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}") from None


def is_special(path: Path) -> bool:
    """Whether it is a pipe, a device or a socket, which might be read for ever."""
    return path.exists() and not path.is_file() and not path.is_dir()


def append_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to the end of a JSONL file, all or none; a torn tail of a killed process is cut off first."""
    encoded = b"".join(to_json(row) + b"\n" for row in rows)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # two writers never interleave or cut each other's tail
            whole = _whole_size(descriptor)
            os.ftruncate(descriptor, whole)
            try:
                _write_all(descriptor, encoded, offset=whole)
            except OSError:
                os.ftruncate(descriptor, whole)
                raise
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, content: bytes, *, offset: int) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], offset + written)


def _whole_size(descriptor: int) -> int:
    """Number of bytes up to and including the last newline."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 65536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """All whole rows of a JSONL file. No file yet means no rows; a last line without newline is torn and ignored."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: line {number} is not valid JSON: {error}") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}: line {number} is not a JSON object")
        rows.append(row)
    return rows


def repair_jsonl(path: Path) -> None:
    """Cut off the torn last line that a killed process may have left."""
    append_jsonl(path, [])


def truncate_jsonl(path: Path, num_rows: int) -> None:
    """Keep the first `num_rows` rows: what a saved state knows of. RunError when the file has fewer."""
    content = path.read_bytes() if path.exists() else b""
    lines = content.split(b"\n")[:-1]
    if len(lines) < num_rows:
        raise RunError(f"{path}: has {len(lines)} rows, the saved state needs {num_rows}; delete this stage to redo it")
    size = sum(len(line) + 1 for line in lines[:num_rows])
    if size < len(content):
        os.truncate(path, size)


@dataclass(frozen=True)
class StageDir:
    """The directory of one stage. It is done when DONE.json exists; without it the stage resumes or starts again."""

    path: Path

    def done(self) -> dict[str, Any] | None:
        """The payload of `finish`, or None while the stage is not done."""
        marker = self.path / "DONE.json"
        if not marker.exists():
            return None
        try:
            payload = read_json(marker)
        except InputError as error:
            raise InputError(f"{error}; delete {self.path} to redo the stage") from None
        if not isinstance(payload, dict):
            raise InputError(f"{marker}: not a JSON object; delete {self.path} to redo the stage")
        return payload

    def finish(self, payload: Mapping[str, Any]) -> None:
        """Declare the stage done, after everything it vouches for is on the disk."""
        for file in self.path.rglob("*"):
            if not file.is_symlink():
                with writing(file):
                    _sync(file)
        write_json_atomic(self.path / "DONE.json", dict(payload))

    def clear(self) -> None:
        """Empty the stage; killed half way it is not done."""
        (self.path / "DONE.json").unlink(missing_ok=True)
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)


class RunLock:
    """Context manager: this process alone uses `run_dir`. RunError when another still does after `wait_seconds`."""

    def __init__(self, run_dir: Path, *, wait_seconds: float = 10.0) -> None:
        self._run_dir = run_dir
        self._wait_seconds = wait_seconds
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        if self._run_dir.exists() and not self._run_dir.is_dir():
            raise RunError(f"{self._run_dir}: is a file; a run needs a directory")
        with writing(self._run_dir):
            self._run_dir.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._run_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._acquire(descriptor)
            with suppress(OSError):  # the number only serves the message of a process that waits
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            for leftover in self._run_dir.rglob(f".*{TEMPORARY_SUFFIX}"):  # of a killed process
                leftover.unlink(missing_ok=True)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def _acquire(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
                    raise RunError(
                        f"run directory {self._run_dir} is in use by another process (pid {holder})"
                    ) from None
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._descriptor is not None
        os.close(self._descriptor)
        self._descriptor = None
