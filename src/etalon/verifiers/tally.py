"""Counts of output rows: right, wrong, partial, and undecided by reason. Undecided is never counted as wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any


class Tally:
    """Add the rows of `etalon verify` one by one; as text it is one line."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.undecided: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row; a reason counts up to its first colon."""
        score = row["score"]
        names = {None: "undecided", 1.0: "right", 0.0: "wrong"}
        self.outcomes[names.get(score, "partial")] += 1
        if score is None:
            self.undecided[str(row["reason"]).partition(":")[0]] += 1

    def __str__(self) -> str:
        counts = ", ".join(f"{self.outcomes[name]} {name}" for name in ("right", "wrong", "partial", "undecided"))
        why = ", ".join(f"{reason} {count}" for reason, count in self.undecided.most_common())
        return f"{self.outcomes.total()} rows: {counts}{f' ({why})' if why else ''}"
