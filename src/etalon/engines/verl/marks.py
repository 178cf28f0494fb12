"""Which steps of a supervised run verl saves, and which of them are its checkpoints.

verl saves every k-th step and the last. k saves as few steps as bring every checkpoint close to where the other engines
have it (`etalon.sft.rows.checkpoint_steps`).
"""

from __future__ import annotations

from collections.abc import Sequence

TOLERANCE = 0.25  # (ours) of the distance between two checkpoints


def save_every(wanted: Sequence[int]) -> int:
    """The k of `marks`. wanted: step numbers, increasing, the last one being the end of the run; never empty."""
    total, count = wanted[-1], len(wanted)
    allowed = max(1.0, TOLERANCE * total / count)
    largest = (total - 1) // (count - 1) if count > 1 else total  # above it fewer steps are saved than wanted
    first = next(every for every in range(largest, 0, -1) if _furthest(wanted, every) <= allowed)
    saves = -(-total // first)
    as_few = [every for every in range(first, 0, -1) if -(-total // every) == saves]
    return min(as_few, key=lambda every: _furthest(wanted, every))


def marks(wanted: Sequence[int], every: int) -> list[int]:
    """For each wanted step the nearest saved one, all different. every: of `save_every`."""
    total = wanted[-1]
    saved = [*range(every, total, every), total]
    chosen: list[int] = []
    start = 0
    for still, step in zip(range(len(wanted) - 1, -1, -1), wanted, strict=True):
        index = min(range(start, len(saved) - still), key=lambda i: abs(saved[i] - step))
        chosen.append(saved[index])
        start = index + 1
    return chosen


def _furthest(wanted: Sequence[int], every: int) -> int:
    return max(abs(got - step) for got, step in zip(marks(wanted, every), wanted, strict=True))
