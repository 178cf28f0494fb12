"""Strata (2.1.1 step 5): traces by length in tokens and by difficulty, the error rate of a reference model."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from etalon.types import Domain, Trace

TOKEN_EDGES = (1000, 5000, 20000)  # 5,000 is where the hard stage begins (2.1.2); the others are (ours)
ERROR_EDGES = (0.25, 0.5, 0.75)  # 0.75 likewise
UNMEASURED = -1  # place of an error rate that nobody measured, before all others
Cell = tuple[str, int, int]  # domain, place of the length, place of the error rate


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """How many traces of a domain fall into a cell; bounds are [low, high), None is open or unmeasured."""

    domain: str
    tokens_low: int
    tokens_high: int | None
    error_low: float | None
    error_high: float | None
    traces: int
    problems: int


def is_hard(trace: Trace, *, min_tokens: int = 5000, min_error_rate: float = 0.75) -> bool:
    """Whether a trace belongs to stage 2 (2.1.2): long AND of a query that is mostly failed.

    A query whose error rate was never measured is not hard; `strata` counts such traces on their own.
    """
    is_failed = trace.error_rate is not None and trace.error_rate >= min_error_rate
    return trace.num_tokens >= min_tokens and is_failed


class Strata:
    """Counts traces and problems by cell as they come; keeps no text."""

    def __init__(self, *, token_edges: Sequence[int] = TOKEN_EDGES, error_edges: Sequence[float] = ERROR_EDGES) -> None:
        self._token_edges, self._error_edges = token_edges, error_edges
        self._traces: Counter[Cell] = Counter()
        self._problems: dict[Cell, set[str]] = {}

    def add(self, *, domain: Domain, num_tokens: int, error_rate: float | None, problem_id: str) -> None:
        """One trace."""
        error = UNMEASURED if error_rate is None else bisect_right(self._error_edges, error_rate)
        cell = (domain.value, bisect_right(self._token_edges, num_tokens), error)
        self._traces[cell] += 1
        self._problems.setdefault(cell, set()).add(problem_id)

    def copied(self) -> Strata:
        """Counts of its own that go on from these."""
        found = Strata(token_edges=self._token_edges, error_edges=self._error_edges)
        found._traces = self._traces.copy()
        found._problems = {cell: set(members) for cell, members in self._problems.items()}
        return found

    def cells(self) -> list[Stratum]:
        """The cells that hold traces, by domain, length, then error rate (unmeasured first)."""
        token_bounds: list[int | None] = [0, *self._token_edges, None]
        error_bounds: list[float | None] = [0.0, *self._error_edges, None]
        return [
            Stratum(
                domain=domain,
                tokens_low=token_bounds[length] or 0,
                tokens_high=token_bounds[length + 1],
                error_low=None if error == UNMEASURED else error_bounds[error],
                error_high=None if error == UNMEASURED else error_bounds[error + 1],
                traces=count,
                problems=len(self._problems[domain, length, error]),
            )
            for (domain, length, error), count in sorted(self._traces.items())
        ]


def strata(
    traces: Sequence[Trace], *, token_edges: Sequence[int] = TOKEN_EDGES, error_edges: Sequence[float] = ERROR_EDGES
) -> list[Stratum]:
    """The cells that hold traces, by domain, length, then error rate (unmeasured first)."""
    found = Strata(token_edges=token_edges, error_edges=error_edges)
    for one in traces:
        found.add(
            domain=one.domain, num_tokens=one.num_tokens, error_rate=one.error_rate, problem_id=one.problem_id
        )  # fmt: skip
    return found.cells()


def table(cells: Sequence[Stratum]) -> list[dict[str, Any]]:
    """The strata as JSON rows, for the report."""
    return [asdict(cell) for cell in cells]
