"""Runs untrusted programs: forked from a clean process, under limits, dead at their deadline.

    run_program(program, StdinTests | CallTests | AssertTests | CppTests, Limits) -> Outcomes

Expected outputs stay with the caller; assertions go in, and their outcome is a claim (AssertTests). Programs run in the
pool of this process, or in a service that was chosen for it (`use`, `connect`). They get no network, no other process,
no file but the standard library and an empty folder of their own, as far as the kernel allows: seccomp, Landlock and
namespaces, whichever there are. `describe()` says which; what is missing is logged once. Where no zygote can run, every
program is undecided, unless `connect` was told "plain" (plain/).
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Protocol

from etalon.errors import ConfigError
from etalon.sandbox.isolation import WAYS, Isolation, Level, Way
from etalon.sandbox.native import run_cpp
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
    "LocalSandbox",
    "Outcome",
    "Sandbox",
    "SandboxPool",
    "Status",
    "StdinTests",
    "Tests",
    "Way",
    "connect",
    "default_pool",
    "describe",
    "read_way",
    "run_program",
    "use",
]

AnyTests = StdinTests | CallTests | AssertTests | CppTests


class Sandbox(Protocol):
    """Runs untrusted programs. Callable from any thread; its own failures are `INFRASTRUCTURE`, never an exception."""

    def run(self, program: str, tests: AnyTests, limits: Limits) -> tuple[Outcome, ...]: ...


class LocalSandbox:
    """A pool of this process, and its compiler. fork_each: every test gets a process of its own.

    isolation: of the pool, where none is given.
    """

    def __init__(self, pool: SandboxPool | None = None, *, fork_each: bool = False, isolation: Way = "walls") -> None:
        self._pool, self._fork_each, self._way = pool, fork_each, isolation

    def run(
        self, program: str, tests: AnyTests, limits: Limits, *, give_up: GiveUp | None = None
    ) -> tuple[Outcome, ...]:
        """GivenUpError soon after `give_up` is set."""
        if isinstance(tests, CppTests):
            return run_cpp(program, tests, limits, give_up=give_up)
        if self._fork_each and isinstance(tests, StdinTests):
            tests = replace(tests, fork_each=True)
        return (self._pool or default_pool(self._way)).run(program, tests, limits, give_up=give_up)


_CHOSEN: Sandbox | None = None


def use(sandbox: Sandbox | None) -> None:
    """Run the programs of this process there from now on; None is the pool again."""
    global _CHOSEN
    _CHOSEN = sandbox


def connect(
    url: str,
    *,
    concurrency: int,
    key_env: str,
    fork_each: bool = False,
    is_checked: bool = False,
    isolation: str = "walls",
) -> None:
    """Run the programs of this process on the service at `url`, or here if that is empty.

    is_checked: ask the service first; ConfigError when it does not answer.
    fork_each: programs of standard input get a process per test; what evaluation asks for.
    isolation: "plain" runs those of this machine without walls; ConfigError beside a service, which has its own.
    """
    way = read_way(isolation)
    if not url:
        return use(LocalSandbox(fork_each=fork_each, isolation=way) if fork_each or way == "plain" else None)
    if way == "plain":
        raise ConfigError(f"isolation: 'plain' beside the service {url}, which isolates programs itself; leave one out")
    from etalon.sandbox.remote import RemoteSandbox

    remote = RemoteSandbox(url, concurrency=concurrency, key=os.environ.get(key_env, ""), fork_each=fork_each)
    if is_checked and (failure := remote.failure()):
        remote.close()
        raise ConfigError(f"sandbox {url}: {failure}; start the service, or leave it out to run programs here")
    return use(remote)


def read_way(name: str) -> Way:
    """A way of isolation by its name; ConfigError if there is none."""
    for way in WAYS:
        if name == way:
            return way
    raise ConfigError(f"isolation: found {name!r}, expected {' or '.join(WAYS)}")


def run_program(
    program: str, tests: AnyTests, limits: Limits | None = None, *, pool: SandboxPool | None = None
) -> tuple[Outcome, ...]:
    """Run an untrusted program on its tests: one outcome per test, ending early with the one that ended it."""
    sandbox = _CHOSEN if pool is None and _CHOSEN is not None else LocalSandbox(pool)
    return sandbox.run(program, tests, limits or Limits())
