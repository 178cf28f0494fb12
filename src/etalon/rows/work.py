"""What is done with rows, as a description that can travel, and doing it in threads, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from etalon.rows.files import Row

AHEAD = 16  # (ours) rows read ahead per thread

Result = TypeVar("Result")
RowFunction = Callable[[Row], bytes]


class RowWork(Protocol):
    """What is done with rows: a frozen, picklable description. `start` makes the function, once per process.

    The function gives one line of output per row, without its end. threads: rows at a time in one process.
    """

    @property
    def threads(self) -> int: ...

    def start(self) -> RowFunction: ...

    def __hash__(self) -> int: ...


def in_order(function: Callable[[Row], Result], rows: Iterable[Row], *, threads: int) -> Iterator[tuple[Row, Result]]:
    """Each row with the function's result, in order; rows are read only a little ahead."""
    if threads <= 1:
        yield from ((row, function(row)) for row in rows)
        return
    waiting: deque[tuple[Row, Future[Result]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="rows") as pool:
        for row in rows:
            waiting.append((row, pool.submit(function, row)))
            if len(waiting) >= AHEAD * threads:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
