"""Runs untrusted programs: forked from a clean process, under limits, dead at their deadline.

    run_program(program, StdinTests | CallTests | AssertTests, Limits) -> Outcomes; expected values stay with the caller

Programs get no network, no other process, no file but the standard library and an empty folder of their own, as far as
the kernel allows: seccomp, Landlock and namespaces, whichever there are. `describe()` says which; what is missing is
logged once.
"""

from etalon.sandbox.choice import Sandbox, run_program, use
from etalon.sandbox.isolation import Isolation, Level
from etalon.sandbox.outcome import AssertTests, CallTests, CppTests, GiveUp, Limits, Outcome, Status, StdinTests, Tests
from etalon.sandbox.pool import SandboxPool, default_pool, describe

__all__ = [
    "AssertTests",
    "CallTests",
    "CppTests",
    "GiveUp",
    "Isolation",
    "Level",
    "Limits",
    "Outcome",
    "Sandbox",
    "SandboxPool",
    "Status",
    "StdinTests",
    "Tests",
    "default_pool",
    "describe",
    "run_program",
    "use",
]
