"""Problems that we make for models that know a language: a curriculum of our own, with no row of any benchmark.

sums.py      plain sums, several a row
stories.py   word problems of one to three steps, with a solution, as GSM8K has them
claims.py    both calls of CLR on these stories, as traces
rules.py     tasks under formatting rules that a program checks, as IFEval has them
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

Row = dict[str, Any]
TRIES = 200  # (ours) draws without a new row after which there are no more


def different(draw: Callable[[random.Random], Row], *, key: str, seed: int, count: int) -> Iterator[Row]:
    """`count` rows whose `key` differs, the first ones the same whatever the count; fewer where there are no more."""
    rng = random.Random(seed)
    seen: set[str] = set()
    failed = 0
    while len(seen) < count and failed < TRIES:
        row = draw(rng)
        failed = failed + 1 if row[key] in seen else 0
        if not failed:
            seen.add(row[key])
            yield row
