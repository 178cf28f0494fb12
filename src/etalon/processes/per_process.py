"""One pool of helper processes for each process that asks for one."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    def close(self) -> None: ...


PoolT = TypeVar("PoolT", bound=Closable)


class PerProcess(Generic[PoolT]):
    """Calls `make` on first use and closes what it made at exit. Callable from any thread.

    A forked child makes its own, because it must not share the pipes of its parent; and it leaves its parent's alone.
    """

    def __init__(self, make: Callable[[], PoolT]) -> None:
        self._make = make
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._made: PoolT | None = None
        self._lock = threading.Lock()  # another thread may have held the old one at the fork

    @property
    def is_made(self) -> bool:
        return self._made is not None

    def get(self) -> PoolT:
        with self._lock:
            if self._made is None:
                self._made = self._make()
                atexit.register(self._close, os.getpid(), self._made)
            return self._made

    @staticmethod
    def _close(owner: int, made: PoolT) -> None:
        if os.getpid() == owner:  # a forked child inherits this exit handler
            made.close()
