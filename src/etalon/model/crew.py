"""Helper processes that hold the weights of one model in shared memory and take parts of a step.

    crew.map(function, arguments)  ->  whoever is free takes the next one, this process too  ->  results in order

A tiny model does not gain from threads inside a matrix product; it gains from another process that samples or trains on
other rows. Who did what changes no bit: every call sees the same weights and gives the same result anywhere.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.reduction import ForkingPickler
from typing import Any, NoReturn

import torch
import torch.multiprocessing as multiprocessing

from etalon.errors import EtalonError, RunError
from etalon.model import packed
from etalon.model.directory import THREADED_BYTES
from etalon.model.loader import LanguageModel
from etalon.processes.interrupts import interrupts_held

# what a helper imports before it is needed, once for all helpers of a run
PRELOADED = ["etalon.model.packed", "etalon.sampling.local", "transformers.models.qwen2.modeling_qwen2"]
SHARED_MEMORY = "/dev/shm"  # noqa: S108  where torch has it
SLOTS = 8  # (ours) parts of a step whose gradients are in shared memory at once
PATIENCE_SECONDS = 5.0  # (ours) for all helpers to end by themselves
LOCK_SECONDS = 1.0  # (ours) after which who waits for the counter looks whether its holder was killed


@dataclass(frozen=True)
class Held:
    """What a process of a crew has: the model, and room for what a function keeps between calls."""

    language_model: LanguageModel
    memo: dict[str, Any] = field(default_factory=dict)


Function = Callable[..., Any]  # (held, *arguments) -> result; of a module, so that a helper finds it


def is_small(language_model: LanguageModel) -> bool:
    """Whether helpers pay: for a tiny model on a CPU."""
    weights = sum(p.numel() * p.element_size() for p in language_model.model.parameters())
    return language_model.device.type == "cpu" and weights <= THREADED_BYTES


class Crew:
    """This process and its helpers, which `close` ends. Without any, `map` calls here, one after the other."""

    def __init__(self, language_model: LanguageModel, helpers: int = 0) -> None:
        """RunError where a helper cannot be started."""
        self.held = Held(language_model)
        self.is_small = is_small(language_model)
        self._pipes: list[Any] = []
        self._processes: list[Any] = []
        if not helpers:
            return
        language_model.model.share_memory()  # an optimiser that updates in place is seen by all
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        forkserver.ensure_running()  # what it imports takes seconds, in which Ctrl-C is heard
        self._next = context.Value(ctypes.c_long, 0)
        try:
            for _ in range(helpers):
                with _death_named():
                    self._start(context)
        except BaseException:
            self.close()
            raise

    def _start(self, context: Any) -> None:
        own, theirs = context.Pipe()
        process = context.Process(target=_help, args=(theirs, self._next), daemon=True)
        with interrupts_held():
            process.start()
        theirs.close()
        self._pipes.append(own)
        self._processes.append(process)
        own.send(self.held.language_model)

    @property
    def size(self) -> int:
        """Processes, this one among them."""
        return 1 + len(self._pipes)

    def map(self, function: Function, arguments: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """function(held, *one) of each, in order, once all are there. RunError where a helper was killed."""
        if not self._pipes or len(arguments) < 2:
            yield from (function(self.held, *one) for one in arguments)
            return
        _put(self._next, 0)
        try:
            with _death_named():
                for pipe in self._pipes:
                    pipe.send((function, arguments))
                own = _work(self.held, self._next, function, arguments, self._all_live)
                answers = [own, *(pipe.recv() for pipe in self._pipes)]
        except BaseException:  # Ctrl-C: nobody begins another
            _put(self._next, len(arguments))
            raise
        found = _joined(answers)
        yield from (found[index] for index in range(len(arguments)))

    def _all_live(self) -> bool:
        """True. EOFError where a helper was killed: what it had taken, the counter perhaps, is gone with it."""
        if not all(process.is_alive() for process in self._processes):
            raise EOFError
        return True

    def tell(self, function: Function, *arguments: Any) -> None:
        """function(held, *arguments) in every process, once."""
        function(self.held, *arguments)
        for pipe in self._pipes:
            with _death_named():
                _put(self._next, 0)
                pipe.send((function, [arguments]))
                _joined([pipe.recv()])

    def close(self) -> None:
        """End the helpers."""
        for pipe in self._pipes:
            pipe.close()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        self._pipes, self._processes = [], []


@contextmanager
def crew_of(language_model: LanguageModel, *, jobs: int, threads: int) -> Iterator[Crew]:
    """A crew for the block: with helpers for a tiny model that computes with one thread, where the recipe has jobs."""
    pays = sys.platform == "linux" and threads == 1 and is_small(language_model) and _has_shared_memory(language_model)
    crew = Crew(language_model, jobs - 1 if pays else 0)
    try:
        yield crew
    finally:
        crew.close()


def _has_shared_memory(language_model: LanguageModel) -> bool:
    """Whether there is room for the weights and the gradients of a few parts; a container may have next to none."""
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError:
        return False
    weights = sum(p.numel() * p.element_size() for p in language_model.model.parameters())
    return bool(found.f_bavail * found.f_frsize > (1 + 2 * SLOTS) * weights)


@dataclass(frozen=True)
class Failure:
    """What a part raised in a helper, as it can be sent whatever it was. told: its traceback."""

    kind: type[Exception]
    message: str
    told: str

    @staticmethod
    def of(error: Exception) -> Failure:
        """An error of ours keeps its kind, others become a RuntimeError."""
        kind = type(error) if isinstance(error, EtalonError) else RuntimeError
        return Failure(kind, str(error), "".join(traceback.format_exception(error)))

    def reraise(self) -> NoReturn:
        """With the traceback of the helper as its cause."""
        raise self.kind(self.message) from RuntimeError(f"in a helper process:\n{self.told}")


Answer = dict[int, Any] | Exception | Failure  # what a process has done, or what was raised


@contextmanager
def _death_named() -> Iterator[None]:
    try:
        yield
    except (EOFError, ConnectionError):
        raise RunError(
            "a helper process was killed, perhaps for want of memory; run the same command again, with --set jobs=1 if "
            "it happens again"
        ) from None


def _work(
    held: Held, following: Any, function: Function, arguments: Sequence[tuple[Any, ...]], goes_on: Callable[[], bool]
) -> Answer:
    """Take one after the other until there are none left; after an error nobody takes another."""
    found: dict[int, Any] = {}
    while goes_on():
        index = _taken(following, goes_on)
        if index >= len(arguments):
            break
        try:
            found[index] = function(held, *arguments[index])
        except Exception as error:
            _put(following, len(arguments))
            return error
    return found


def _taken(following: Any, goes_on: Callable[[], bool]) -> int:
    """The next index, which nobody else takes. A process that was killed may have taken the lock with it."""
    while not following.acquire(timeout=LOCK_SECONDS):
        if not goes_on():
            return sys.maxsize
    try:
        index: int = following.get_obj().value
        following.get_obj().value = index + 1
    finally:
        following.release()
    return index


def _put(following: Any, index: int) -> None:
    """Let the next be this one, even where nobody gives the lock back."""
    held = following.acquire(timeout=LOCK_SECONDS)
    following.get_obj().value = index
    if held:
        following.release()


def _joined(answers: Sequence[Answer]) -> dict[int, Any]:
    """What all have done together; the first error is raised."""
    found: dict[int, Any] = {}
    for answer in answers:
        if isinstance(answer, Failure):
            answer.reraise()
        if isinstance(answer, Exception):
            raise answer
        found |= answer
    return found


def _help(pipe: Any, following: Any) -> None:
    """A helper's life: until the pipe is closed, or the process that it helps has died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    torch.set_num_threads(1)
    packed.register()
    helped = multiprocessing.parent_process()
    assert helped is not None
    try:
        held = Held(pipe.recv())
        while helped.is_alive():
            function, arguments = pipe.recv()
            answer = _work(held, following, function, arguments, helped.is_alive)
            pipe.send(_sendable(answer))
    except (EOFError, OSError):
        return


def _sendable(answer: Answer) -> Answer:
    """The same, or a Failure where it holds what cannot be sent."""
    if isinstance(answer, Exception):
        return Failure.of(answer)
    try:
        ForkingPickler.dumps(answer)
    except Exception as error:
        return Failure.of(error)
    return answer
