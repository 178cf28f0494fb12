"""Strata (2.1.1 step 5): traces by length in tokens and by difficulty, the error rate of a reference model."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from etalon.types import Trace

TOKEN_EDGES = (1000, 5000, 20000)  # 5,000 is where the hard stage begins (2.1.2); the others are (ours)
ERROR_EDGES = (0.25, 0.5, 0.75)  # 0.75 likewise


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


def strata(
    traces: Sequence[Trace], *, token_edges: Sequence[int] = TOKEN_EDGES, error_edges: Sequence[float] = ERROR_EDGES
) -> list[Stratum]:
    """The cells that hold traces, by domain, length, then error rate (unmeasured first)."""
    cells: Counter[tuple[str, int, int]] = Counter()
    problems: dict[tuple[str, int, int], set[str]] = {}
    for trace in traces:
        error = -1 if trace.error_rate is None else bisect_right(error_edges, trace.error_rate)
        cell = (trace.domain.value, bisect_right(token_edges, trace.num_tokens), error)
        cells[cell] += 1
        problems.setdefault(cell, set()).add(trace.problem_id)
    token_bounds: list[int | None] = [0, *token_edges, None]
    error_bounds: list[float | None] = [0.0, *error_edges, None]
    return [
        Stratum(
            domain=domain,
            tokens_low=token_bounds[length] or 0,
            tokens_high=token_bounds[length + 1],
            error_low=None if error < 0 else error_bounds[error],
            error_high=None if error < 0 else error_bounds[error + 1],
            traces=count,
            problems=len(problems[domain, length, error]),
        )
        for (domain, length, error), count in sorted(cells.items())
    ]


def table(cells: Sequence[Stratum]) -> list[dict[str, Any]]:
    """The strata as JSON rows, for the report."""
    return [asdict(cell) for cell in cells]
