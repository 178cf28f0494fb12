"""Finished rollouts on disk, keyed by everything that shaped them; a rerun asks only for the others.

One JSONL row per rollout: {key, index, text, stop, tokens, calls, detail}. Failed calls are not kept, so they are
tried again. The key covers the model, the messages, the sampling fields and the seed; not the URL, nor the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etalon.hashing import stable_hash
from etalon.store import append_jsonl, read_jsonl
from etalon.types import Rollout, Stop


class Journal:
    """The rollouts of a file, and those added to it. InputError when the file is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = {row["key"]: row for row in read_jsonl(path) if "key" in row}

    def find(self, request: Mapping[str, Any], index: int) -> Rollout | None:
        """The rollout that this request had before."""
        row = self._rows.get(stable_hash(dict(request)))
        if row is None:
            return None
        return Rollout(
            problem_id="", index=index, text=row["text"], stop=Stop(row["stop"]), num_tokens=row["tokens"],
            calls=row["calls"], detail=row.get("detail"),
        )  # fmt: skip

    def keep(self, request: Mapping[str, Any], rollout: Rollout) -> None:
        """Add a finished rollout."""
        row = {
            "key": stable_hash(dict(request)), "index": rollout.index, "text": rollout.text,
            "stop": rollout.stop.value, "tokens": rollout.num_tokens, "calls": rollout.calls,
            **({"detail": dict(rollout.detail)} if rollout.detail else {}),
        }  # fmt: skip
        append_jsonl(self.path, [row])
