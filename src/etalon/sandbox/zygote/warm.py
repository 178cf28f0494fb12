"""What a zygote loads before anything of ours, and how it makes the pages that children write to few.

Imported first. An object that a child uses is written to, because its references are counted, and then its whole page
is copied. The modules below leave gaps all over the heap; filled up, they take none of the objects that come later.
"""

from __future__ import annotations

import gc

MODULES = (  # one with a library of its own costs every program 6 microseconds, so the rare ones are left out
    "bisect", "collections", "copy", "dataclasses", "decimal", "enum", "fractions", "functools", "heapq", "io",
    "itertools", "json", "math", "operator", "random", "re", "resource", "select", "signal", "string",
    "threading", "typing",
)  # fmt: skip
POOL_BYTES, HEADER_BYTES = 1 << 14, 48  # of CPython's allocator: a pool holds blocks of one size, see obmalloc.c
MOST_BLOCKS = 4096  # (ours) with another allocator no block would ever look like the first of a pool


def fill_gaps() -> list[object]:
    """Objects that take the free blocks of every size, up to the first block of a new pool each."""
    gc.collect()
    filling: list[object] = []
    for size in range(16, 513, 16):
        for _ in range(MOST_BLOCKS):
            filling.append(_block(size))
            if id(filling[-1]) % POOL_BYTES == HEADER_BYTES:
                break
    return filling


def _block(size: int) -> object:
    """A new object of that many bytes, rounded up."""
    if size == 16:
        return object()
    return float("1.5") if size == 32 else bytes(size - 33)


for name in MODULES:
    __import__(name)
FILLING = fill_gaps()
