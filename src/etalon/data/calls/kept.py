"""A file of answers that were paid for: a line a call, found again by what was asked. Only offsets are in memory.

    {"key": HASH, "model": NAME, "rollouts": [{"index", "text", "stop", "tokens", "error"?, "calls"?, "detail"?}]}

A line is written with one call as soon as its answer is whole, so SIGKILL loses what was under way and nothing else. A
torn last line is cut off when the file is opened again. Of two lines with one key and index the later counts.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from etalon.errors import InputError, RunError
from etalon.store import to_json, writing
from etalon.types import Rollout, Stop

Key = tuple[str, int]  # of the conversation and how it is asked; number of the sample
LOCK_SECONDS = 10.0  # (ours) for the end of a process that was killed
LOOK_SECONDS = 0.05
START = b'{"key": '  # of every line


class KeptCalls:
    """The answers of a file, and those added to it. One process at a time: RunError while another has it.

    without_failed: calls that failed are as if they were not there, so that they can be made again.
    """

    def __init__(self, path: Path, *, without_failed: bool = False) -> None:
        self.path = path
        self.failed: set[Key] = set()
        self._offsets: dict[Key, int] = {}
        self._writing = threading.Lock()
        with writing(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._lock()
            self._end = self._read(without_failed)
            os.ftruncate(self._descriptor, self._end)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def __contains__(self, key: Key) -> bool:
        return key in self._offsets

    @property
    def num_answered(self) -> int:
        """Calls that gave an answer."""
        return len(self._offsets) - len(self.failed)

    def keep(self, key: str, rollouts: Sequence[Rollout], *, model: str) -> None:
        """Add the samples of one conversation in one line, from any thread; RunError where the disk is full."""
        row = {"key": key, "model": model, "rollouts": [rollout_to_row(one) for one in rollouts]}
        line = to_json(row) + b"\n"
        with self._writing, writing(self.path):
            try:
                _write(self._descriptor, line, offset=self._end)
            except OSError:
                os.ftruncate(self._descriptor, self._end)
                raise
            self._note(row, self._end, without_failed=False)
            self._end += len(line)

    def find(self, key: Key) -> Rollout:
        """The answer that was kept; KeyError where there is none."""
        with open(self._descriptor, "rb", closefd=False) as stream:
            stream.seek(self._offsets[key])
            row = json.loads(stream.readline())
        return rollout_from_row(next(one for one in row["rollouts"] if one["index"] == key[1]))

    def _lock(self) -> None:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                return fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    told = "another process asks and writes here; wait for its end, or name another output"
                    raise RunError(f"{self.path}: {told}") from None
                time.sleep(LOOK_SECONDS)

    def _read(self, without_failed: bool) -> int:
        """Note where every answer is; the size up to the end of the last whole line."""
        offset = 0
        with open(self._descriptor, "rb", closefd=False) as stream:
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n") and START.startswith(line[: len(START)]):
                    break
                try:
                    self._note(json.loads(line), offset, without_failed)
                except (ValueError, KeyError, TypeError, RecursionError):
                    told = "is no answer that was kept; move the file away to ask anew"
                    raise InputError(f"{self.path}: line {number} {told}") from None
                offset += len(line)
        return offset

    def _note(self, row: Mapping[str, Any], offset: int, without_failed: bool) -> None:
        for one in row["rollouts"]:
            key = (row["key"], one["index"])
            has_failed = one["stop"] == Stop.ERROR
            if has_failed and without_failed:
                continue
            self._offsets[key] = offset
            if has_failed:
                self.failed.add(key)
            else:
                self.failed.discard(key)


def rollout_to_row(rollout: Rollout) -> dict[str, Any]:
    """The answer as JSON values: its text and what it cost, not its token ids."""
    detail = dict(rollout.detail or {})
    if rollout.prompt_tokens is not None:
        detail["prompt_tokens"] = len(rollout.prompt_tokens)
    row = {
        "index": rollout.index, "text": rollout.text, "stop": rollout.stop.value, "tokens": rollout.num_tokens,
        "error": rollout.error, "detail": detail,
    }  # fmt: skip
    return {name: value for name, value in row.items() if value or name in ("index", "text", "tokens")} | (
        {"calls": rollout.calls} if rollout.calls != 1 else {}
    )


def rollout_from_row(row: Mapping[str, Any]) -> Rollout:
    """The answer that `rollout_to_row` wrote."""
    return Rollout(
        index=row["index"], text=row["text"], stop=Stop(row["stop"]), num_tokens=row["tokens"],
        error=row.get("error", ""), calls=row.get("calls", 1), detail=row.get("detail"),
    )  # fmt: skip


def _write(descriptor: int, content: bytes, *, offset: int) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], offset + written)
