"""The texts of a row that may hold an item, and how many rows would go at other thresholds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FEWEST_CHARACTERS = 8  # (ours) of a text: no item is shorter, and ids, labels and roles are
JSON_STARTS = ('{"', '["', "[{", "[[")
MOST_JSON = 1 << 20  # (ours) characters of a text that is read as JSON; longer ones are tests
DEEPEST = 12  # (ours) of values inside values


def texts_of(value: Any, depth: int = DEEPEST) -> Iterator[str]:
    """Every text in a row, however deep, in its order: prompts, messages, options, traces, any other column.

    A text that is JSON itself gives the texts in it: a question may stand in a cell of a table.
    """
    if isinstance(value, str):
        if len(value) >= FEWEST_CHARACTERS:
            yield from _read(value, depth) if value.startswith(JSON_STARTS) else (value,)
    elif isinstance(value, dict) and depth:
        for inside in value.values():
            yield from texts_of(inside, depth - 1)
    elif isinstance(value, list | tuple) and depth:
        is_of_short = all(isinstance(inside, str) and len(inside) < FEWEST_CHARACTERS for inside in value)
        if value and is_of_short:  # options such as "12 m"
            yield " \n ".join(value)
        else:
            for inside in value:
                yield from texts_of(inside, depth - 1)


def _read(text: str, depth: int) -> Iterator[str]:
    try:
        value = json.loads(text) if depth and len(text) <= MOST_JSON else text
    except (ValueError, RecursionError):
        value = text
    if isinstance(value, str):
        yield value
    else:
        yield from texts_of(value, depth - 1)


@dataclass
class Sweep:
    """How many rows would go at each threshold, from the greatest share that each of them covers."""

    thresholds: Sequence[float] = THRESHOLDS
    rows: int = 0
    counts: dict[float, int] = field(default_factory=dict)

    def add(self, share: float) -> None:
        """One row more; share: `Index.shares` of its texts."""
        self.rows += 1
        for threshold in self.thresholds:
            self.counts[threshold] = self.counts.get(threshold, 0) + (share >= threshold)

    def to_row(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return {"rows": self.rows, "dropped": {f"{one:g}": self.counts.get(one, 0) for one in self.thresholds}}

    def __str__(self) -> str:
        lines = [
            f"{threshold:9.2f}  {(gone := self.counts.get(threshold, 0)):9,}  {gone / max(1, self.rows):8.2%}"
            for threshold in self.thresholds
        ]
        return "\n".join(["threshold  rows gone     share", *lines])
