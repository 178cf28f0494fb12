"""How often other models fail at a problem, as its row says: rates that are theirs, and never ours.

    extra_info.model_difficulty {"DeepSeek-R1-Distill-Qwen-7B": 3}     failures of 16 attempts   Skywork-OR1
    pass_rate_72b_tir "0.25", qwen3_30b_pass_rate 0.25                 a share                   OpenMathReasoning, guru
    llama8b_solve_rate 0.25, pass_at_n 0.25                            a share                   Big-Math, ORZ
    gpt_pass_percentage 0.4 with gpt_pass_sequence [1, 0, ...]         a share and the attempts  KodCode
    Qwen/Qwen3-4B_avg_reward 0.25 with Qwen/Qwen3-4B_responses [...]   the same                  SYNTHETIC-2
    metadata {"reason_high_no_tool": {count, pass}}                    attempts and successes    Nemotron-Math-v2

"n/a", null and values that are no share are unmeasured: no rate at all, never one of 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

SKYWORK_ATTEMPTS = 16  # of its card and of its filter
COUNTED = ("pass_sequence", "responses")  # what columns that list the attempts end in
INSIDE = ("extra_info", "metadata")  # columns that may hold rates, too
_RATE = re.compile(
    r"pass_rate_(?P<after>.+)|(?P<before>.+?)_(?:pass|solve|success)_(?:rate|percentage)|(?P<reward>.+)_avg_reward"
    r"|(?P<alone>pass_rate|solve_rate|success_rate|pass_at_n)"
)


@dataclass(frozen=True, kw_only=True)
class GivenRate:
    """How often a model fails. share: of its attempts that are wrong, in [0, 1]; attempts: 0 where nobody says."""

    share: float
    attempts: int = 0

    @property
    def wrong(self) -> int | None:
        """Wrong attempts; None where nobody says how many there were, or where the share is not one of so many."""
        wrong = round(self.share * self.attempts)
        return wrong if self.attempts and abs(wrong - self.share * self.attempts) < 0.01 * self.attempts else None


def given_rates(row: Row) -> dict[str, GivenRate]:
    """The failure rates that a row states, by the model they are of: its name, or what the column calls it."""
    found: dict[str, GivenRate] = {}
    for columns in (row, *(inner for name in INSIDE if isinstance(inner := row.get(name), Mapping))):
        found |= dict(_counted(columns)) | dict(_stated(columns))
    return found


def _counted(columns: Row) -> Iterator[tuple[str, GivenRate]]:
    """Rates as numbers of attempts."""
    failures = columns.get("model_difficulty")
    for model, wrong in failures.items() if isinstance(failures, Mapping) else ():
        if _is_count(wrong) and wrong <= SKYWORK_ATTEMPTS:
            yield model, GivenRate(share=wrong / SKYWORK_ATTEMPTS, attempts=SKYWORK_ATTEMPTS)
    for model, told in columns.items():
        if isinstance(told, Mapping) and _is_count(told.get("count")) and _is_count(told.get("pass")):
            attempts, right = told["count"], told["pass"]
            if right <= attempts > 0:
                yield model, GivenRate(share=round(1 - right / attempts, 12), attempts=attempts)


def _stated(columns: Row) -> Iterator[tuple[str, GivenRate]]:
    """Rates as shares of right attempts."""
    for column, value in columns.items():
        matched = _RATE.fullmatch(column)
        if matched is None or (right := _share(value)) is None:
            continue
        model = next(text for text in matched.groups() if text is not None)
        listed = next(
            (columns[f"{model}_{of}"] for of in ("pass_sequence", "responses") if f"{model}_{of}" in columns), ()
        )
        yield model, GivenRate(share=round(1 - right, 12), attempts=len(listed) if isinstance(listed, list) else 0)


def _share(value: Any) -> float | None:
    """A share in [0, 1], also as text and as a percentage above 1."""
    try:
        share = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except ValueError:
        return None
    if not 0 <= share <= 100:  # NaN, too
        return None
    return share if share <= 1 else share / 100


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
