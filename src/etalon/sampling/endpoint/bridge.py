"""An asynchronous stream read from synchronous code: it runs in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, TypeVar

Value = TypeVar("Value")
_END = object()


def drain(stream: Callable[[], AsyncIterator[Value]], close: Callable[[], Awaitable[None]]) -> Iterator[Value]:
    """Yield what `stream` yields. Leaving the iterator early, or Ctrl-C, cancels the work and waits for its end.

    close: run in the same loop at the end.
    """
    results: queue.SimpleQueue[Any] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()

    async def pump() -> None:
        try:
            async for value in stream():
                results.put(value)
        finally:
            await close()

    task = loop.create_task(pump())
    thread = threading.Thread(target=_run, args=(loop, task, results), name="etalon-endpoint", daemon=True)
    thread.start()
    try:
        while (value := results.get()) is not _END:
            yield value
    finally:
        with suppress(RuntimeError):  # the loop is closed when the stream has ended
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
    if not task.cancelled() and (error := task.exception()):
        raise error


def run(work: Coroutine[Any, Any, Value]) -> Value:
    """The result of a coroutine, also inside a thread whose event loop is running."""
    results: list[Value] = []
    failures: list[BaseException] = []

    def target() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=target, name="etalon-endpoint", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _run(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None], results: queue.SimpleQueue[Any]) -> None:
    try:
        with suppress(BaseException):  # it stays in the task, and is raised where the results are read
            loop.run_until_complete(task)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
        results.put(_END)
