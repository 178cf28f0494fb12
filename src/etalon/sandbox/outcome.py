"""What goes into the sandbox and what comes out. Expected outputs are in neither, but for those in assertions.

program + StdinTests | CallTests | AssertTests + Limits -> one Outcome per test, or GivenUpError
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum

LOOK_SECONDS = 0.1  # (ours) between two looks at whether a run is still wanted


class Status(StrEnum):
    """How one test ended. The sandbox never says `WRONG`: the caller does, after comparing the output."""

    OK = "ok"
    WRONG = "wrong"
    RUNTIME_ERROR = "runtime_error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    SYNTAX_ERROR = "syntax_error"
    INFRASTRUCTURE = "infrastructure"  # ours, never the program's: undecided


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one program. cpu_seconds is per test; the memory and output limits hold for all its tests together.

    Time is judged in CPU seconds: on a machine under load, wall clocks would cost honest programs their reward.
    """

    cpu_seconds: float = 6.0  # LiveCodeBench
    memory_mb: int = 1024  # (ours) address space
    output_mb: int = 16  # (ours) standard output, and the results of functions

    @property
    def idle_seconds(self) -> float:
        """How long a test may sleep or wait: time in which it neither computes nor could compute."""
        return self.cpu_seconds + 2

    @property
    def wall_seconds(self) -> float:
        """The end of a test on a machine that does not let it compute."""
        return 10 * self.cpu_seconds + 20


@dataclass(frozen=True, kw_only=True)
class StdinTests:
    """The program is run as `__main__` once per input, with that text as its standard input.

    pause_after: after so many tests, leave the others out if these took long; 0 never does.
    fork_each: every test gets a process of its own, and the first that is not OK is the last.
    """

    inputs: tuple[str, ...]
    pause_after: int = 0
    fork_each: bool = False


@dataclass(frozen=True, kw_only=True)
class CallTests:
    """The program is loaded once; then `function` (or the method of its class Solution) is called per input.

    inputs: one JSON value per line, each an argument. pause_after, fork_each: as in StdinTests.
    setup: code of ours that runs in the program's namespace once it is loaded, and may define `function`.
    """

    function: str
    inputs: tuple[str, ...]
    pause_after: int = 0
    fork_each: bool = False
    setup: str = ""


@dataclass(frozen=True, kw_only=True)
class CppTests:
    """As StdinTests, of a C++ program that is compiled once; `pool` does not know them, see native/."""

    inputs: tuple[str, ...]
    pause_after: int = 0


@dataclass(frozen=True, kw_only=True)
class AssertTests:
    """The program is loaded, then `code` runs in its namespace and must reach its end, as in a plain interpreter.

    The outcome is the word of a process that the program has to itself: what it is worth, altered checks find out
    (`etalon.verifiers.code.assertions`). Its output is what the code notes, as JSON (`etalon.sandbox.zygote.notes`).
    starter: the program may use what LeetCode's starter code takes for granted.
    """

    code: str
    starter: bool = False


Tests = StdinTests | CallTests | AssertTests


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One test. output: standard output, or the returned value as JSON. seconds: CPU time of the child."""

    status: Status
    output: str = ""
    detail: str = ""
    seconds: float = 0.0


class GivenUpError(Exception):
    """The run was given up, because nobody waits for its outcomes any more; it has none."""


class GiveUp:
    """Set from any thread; the run that was given it then ends with GivenUpError, its processes killed."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        """GivenUpError when it is set."""
        if self._event.is_set():
            raise GivenUpError
