"""The responses that came with a row, whatever its columns are called: what a data set offers to learn from.

    generations + correctness_math_verify   a list, with what the set says of each
    r1_solution_1, _2, _3                   columns of one kind
    deepseek_reasoning + deepseek_solution  a thought and an answer in two columns
    messages, with reasoning_content        the last message, its thought in front of it

A thought that stands apart is joined to its answer as a model would write it: <think>THOUGHT</think>ANSWER.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etalon.problems.texts import response_of


@dataclass(frozen=True, kw_only=True)
class GivenTrace:
    """One response. num_tokens: 0 where nobody counted.

    is_correct: what the data set says of it, None where it says nothing. is_complete: False where it was cut.
    model: who wrote it, as the set names them.
    """

    response: str
    is_correct: bool | None = None
    is_complete: bool | None = None
    model: str = ""
    num_tokens: int = 0


def traces_of(row: Mapping[str, Any]) -> tuple[GivenTrace, ...]:
    """All responses of a row, in its order; none where it is a question alone. `row`: as `columns.structured` left it.

    Raises InputError for a column of responses that cannot be read.
    """
    listed = row.get("traces")
    if isinstance(listed, list):  # our own rows
        return tuple(trace_from_row(one) for one in listed)
    response = response_of(row)
    return () if response is None else (GivenTrace(response=response),)


def trace_to_row(trace: GivenTrace) -> dict[str, Any]:
    """The trace as JSON values; what nobody said is left out."""
    row: dict[str, Any] = {"response": trace.response}
    row |= {} if trace.is_correct is None else {"correct": trace.is_correct}
    row |= {} if trace.is_complete is None else {"complete": trace.is_complete}
    row |= {"model": trace.model} if trace.model else {}
    return row | ({"tokens": trace.num_tokens} if trace.num_tokens else {})


def trace_from_row(row: Mapping[str, Any]) -> GivenTrace:
    """The trace that `trace_to_row` wrote."""
    return GivenTrace(
        response=row["response"],
        is_correct=row.get("correct"),
        is_complete=row.get("complete"),
        model=row.get("model", ""),
        num_tokens=row.get("tokens", 0),
    )
