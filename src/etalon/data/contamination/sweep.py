"""How many rows would go at other thresholds: what a user needs to choose one."""

from __future__ import annotations

from collections import Counter

THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Sweep:
    """Counts rows by the greatest share of an item that they cover, items with other numbers left out."""

    def __init__(self) -> None:
        self._rows: Counter[float] = Counter()

    def add(self, share: float) -> None:
        """One row more, with its share."""
        for threshold in THRESHOLDS:
            self._rows[threshold] += share >= threshold

    def counts(self) -> dict[str, int]:
        """Rows that would go, by threshold."""
        return {f"{threshold:g}": self._rows[threshold] for threshold in THRESHOLDS}

    def table(self) -> str:
        """One line for people."""
        told = ", ".join(f"{threshold}: {count}" for threshold, count in self.counts().items())
        return f"rows that would go by the share of an item that they cover: {told}"
