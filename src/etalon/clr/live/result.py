"""What a live flow ends with: the answer, why it ended, the whole record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from etalon.errors import EtalonError
from etalon.store import write_json_atomic

# stop: the answer is final; budget, interrupted: the best of what there was
FinishReason = Literal["stop", "budget", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """True totals of all calls of a flow, those included whose result was not used."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, kw_only=True)
class ClrResult:
    """The answer of one flow.

    answer: in the words of the winning cluster's earliest trajectory. text: the final part of the cluster's most
    reliable trajectory, without reasoning and claims. record: everything, JSON values only (`record.detail`).
    """

    answer: str
    text: str
    finish_reason: FinishReason
    usage: Usage
    record: Mapping[str, Any]

    def save(self, path: Path) -> Path:
        """Write the record; the file appears whole or not at all."""
        write_json_atomic(path, dict(self.record))
        return path


class NoAnswerError(EtalonError):
    """Too few trajectories could be used; the message says why, and `record` holds what there was.

    is_interrupted: nothing went wrong but the flow was stopped.
    """

    def __init__(self, message: str, record: Mapping[str, Any], usage: Usage, *, is_interrupted: bool = False) -> None:
        super().__init__(message)
        self.record = record
        self.usage = usage
        self.is_interrupted = is_interrupted
