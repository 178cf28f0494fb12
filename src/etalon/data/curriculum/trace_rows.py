"""Traces as rows of JSONL: what a data stage or `etalon data build` writes and an sft stage reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from etalon.types import Domain, Trace


def trace_to_row(trace: Trace) -> dict[str, Any]:
    """The trace as JSON values."""
    return asdict(trace)


def trace_from_row(row: Mapping[str, Any]) -> Trace:
    """The trace that `trace_to_row` wrote."""
    return Trace(**{**row, "domain": Domain(row["domain"])})
