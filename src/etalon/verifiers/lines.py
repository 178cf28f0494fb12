"""Verification of lines as a description that can travel: what `etalon verify` does, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from etalon.sandbox.choice import connect
from etalon.store import to_json
from etalon.verifiers.rows import verify_lines


@dataclass(frozen=True, kw_only=True)
class VerifyLines:
    """domain: of rows that name none. sandbox: URL of a service for programs, "" is the machine itself.

    key_env: environment variable with the service's key, on the machine that asks.
    threads: rows at a time in one process.
    """

    domain: str | None = None
    sandbox: str = ""
    key_env: str = ""
    fork_each: bool = False
    threads: int = 1

    def start(self) -> Callable[[Iterable[str]], Iterator[bytes]]:
        """Choose the sandbox of this process; the function gives one JSON line per line."""
        connect(self.sandbox, concurrency=self.threads, key_env=self.key_env, fork_each=self.fork_each)
        return lambda lines: map(to_json, verify_lines(lines, domain=self.domain, workers=self.threads))
