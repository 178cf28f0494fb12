"""Where programs run: in the pool of this process, or in a service that was chosen for it.

run_program(program, tests, limits) -> Outcomes, wherever that is
"""

from __future__ import annotations

from typing import Protocol

from etalon.sandbox import pool as local
from etalon.sandbox.native import run_cpp
from etalon.sandbox.outcome import AssertTests, CallTests, CppTests, Limits, Outcome, StdinTests

AnyTests = StdinTests | CallTests | AssertTests | CppTests


class Sandbox(Protocol):
    """Runs untrusted programs. Callable from any thread; its own failures are `INFRASTRUCTURE`, never an exception."""

    def run(self, program: str, tests: AnyTests, limits: Limits) -> tuple[Outcome, ...]: ...


_CHOSEN: Sandbox | None = None


def use(sandbox: Sandbox | None) -> None:
    """Run the programs of this process there from now on; None is the pool again."""
    global _CHOSEN
    _CHOSEN = sandbox


def run_program(
    program: str, tests: AnyTests, limits: Limits | None = None, *, pool: local.SandboxPool | None = None
) -> tuple[Outcome, ...]:
    """Run an untrusted program on its tests: one outcome per test, ending early with the one that ended it."""
    limits = limits or Limits()
    if pool is None and _CHOSEN is not None:
        return _CHOSEN.run(program, tests, limits)
    if isinstance(tests, CppTests):
        return run_cpp(program, tests, limits)
    return local.run_program(program, tests, limits, pool=pool)
