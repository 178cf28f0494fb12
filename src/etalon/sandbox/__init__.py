"""Runs untrusted programs: forked from a clean process, under limits, dead at their deadline.

    run_program(program, StdinTests | CallTests | AssertTests, Limits) -> Outcomes; expected values stay with the caller

Isolation so far: own session and process group, resource limits, an empty environment and folder. Programs can still
read files and open sockets: run them where that does no harm.
"""

from etalon.sandbox.choice import Sandbox, run_program, use
from etalon.sandbox.outcome import AssertTests, CallTests, CppTests, Limits, Outcome, Status, StdinTests, Tests
from etalon.sandbox.pool import SandboxPool, default_pool

__all__ = [
    "AssertTests",
    "CallTests",
    "CppTests",
    "Limits",
    "Outcome",
    "Sandbox",
    "SandboxPool",
    "Status",
    "StdinTests",
    "Tests",
    "default_pool",
    "run_program",
    "use",
]
