"""Records as the rows that trainers read, and back without loss.

    verl   {data_source, prompt: [{role, content}], ability, reward_model: {style, ground_truth},
            extra_info: {index, split, problem, record}}
    trl    {prompt: [...], completion: [...], metadata}   a row for every trace of a record (SFT)
           {prompt: [...], solution, metadata}            a row for a record without traces (RL)

`problem`, `record` and `metadata` are JSON text and hold what a trainer has no column for, so that every column is of
one type in every row: `datasets` and Arrow would pad the fields of different tests with nulls, or refuse them. The
problem stands where the reward function of engines.verl looks for it, and `record` is the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from etalon.problems.rows import FIELDS
from etalon.rows.files import Row
from etalon.store import to_json

Columns = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A record's row as an exported row holds it; of `parts` rows, one for every trace, it is number `part` from 0."""

    row: Columns
    part: int = 0
    parts: int = 1


def verl_row(row: Mapping[str, Any], *, index: int, split: str) -> Columns:
    """The row that verl reads of a record's row; its truth is text: an answer, a letter, tests or rules as JSON."""
    problem = {name: value for name, value in row.items() if name in FIELDS}
    beside = {name: value for name, value in row.items() if name not in FIELDS}
    return {
        "data_source": cleaned(row.get("source") or "etalon"),
        "prompt": _asked(row),
        "ability": row["domain"],
        "reward_model": {"style": "rule", "ground_truth": ground_truth(row)},
        "extra_info": {"index": index, "split": split, "problem": _text(problem), "record": _text(beside)},
    }


def trl_rows(row: Mapping[str, Any], *, completion: bool, solution: bool) -> Iterator[Columns]:
    """The rows that TRL reads of a record's row, with these columns: one for every trace, or one without any.

    Where there is a column for completions, a row without a trace has an empty one.
    """
    record = {name: value for name, value in row.items() if name != "traces"}
    traces = row.get("traces") or [None]
    for part, trace in enumerate(traces):
        extra: Columns = {"record": record}
        columns: Columns = {"prompt": _asked(row)}
        if completion:
            said = [] if trace is None else [{"role": "assistant", "content": cleaned(trace["response"])}]
            columns["completion"] = said
        if trace is not None:
            is_there = completion and cleaned(trace["response"]) == trace["response"]
            own = {name: value for name, value in trace.items() if name != "response" or not is_there}
            extra |= {"trace": own, "part": part, "parts": len(traces)}
        if solution:
            columns["solution"] = ground_truth(row)
        yield columns | {"metadata": _text(extra)}


def ground_truth(row: Mapping[str, Any]) -> str:
    """What decides the problem of a record's row, as text; "" where nothing does."""
    if (answer := row.get("answer")) is not None:
        return cleaned(answer)
    return next((_text(row[name]) for name in ("tests", "rules", "rubric") if row.get(name)), "")


def cleaned(text: str) -> str:
    """The text as any reader of UTF-8 takes it: half of a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def exported(columns: Mapping[str, Any]) -> Exported | None:
    """What a row that was exported for verl or TRL holds; None for any other.

    One whose prompt, truth or completion was changed since is any other row.
    """
    info, metadata = columns.get("extra_info"), columns.get("metadata")
    if isinstance(info, Mapping) and isinstance(info.get("record"), str) and isinstance(info.get("problem"), str):
        row, reward = _object(info["problem"]) | _object(info["record"]), columns.get("reward_model")
        truth = reward.get("ground_truth") if isinstance(reward, Mapping) else None
        return Exported(row=row) if _agrees(row, columns.get("prompt"), truth) else None
    if isinstance(metadata, str) and "prompt" in columns:
        return _of_trl(_object(metadata), columns)
    return None


def _of_trl(extra: Mapping[str, Any], columns: Mapping[str, Any]) -> Exported | None:
    row, trace = extra.get("record"), extra.get("trace")
    if not isinstance(row, dict) or not _agrees(row, columns["prompt"], columns.get("solution", ground_truth(row))):
        return None
    if not isinstance(trace, dict):
        return Exported(row=row)
    said, part, parts = columns.get("completion"), extra.get("part"), extra.get("parts")
    response = said[0].get("content") if isinstance(said, list) and said and isinstance(said[0], Mapping) else None
    own = trace.get("response", response)
    if not isinstance(own, str) or response not in (None, cleaned(own)):
        return None
    if not isinstance(part, int) or not isinstance(parts, int):
        return None
    return Exported(row={**row, "traces": [{"response": own} | trace]}, part=part, parts=parts)


def _agrees(row: Mapping[str, Any], prompt: Any, truth: Any) -> bool:
    is_ours = isinstance(row.get("domain"), str) and isinstance(row.get("prompt"), str)
    return is_ours and prompt == _asked(row) and truth == ground_truth(row)


def joined(rows: Iterable[Row]) -> Iterator[tuple[Row, bool]]:
    """Each row, and whether it is a record of ours that was exported; the rows of one record are one again."""
    waiting: tuple[Row, Exported] | None = None
    for row in rows:
        found = None if row.columns is None else exported(row.columns)
        if waiting is not None:
            last = waiting[1]
            if found is not None and _goes_on(last, found):
                traces = [*last.row["traces"], *found.row["traces"]]
                waiting = waiting[0], Exported(row={**last.row, "traces": traces}, part=found.part, parts=found.parts)
                continue
            yield waiting[0]._replace(columns=last.row), True
            waiting = None
        if found is not None and found.parts > 1:
            waiting = row, found
        else:
            yield (row, False) if found is None else (row._replace(columns=found.row), True)
    if waiting is not None:
        yield waiting[0]._replace(columns=waiting[1].row), True


def _goes_on(last: Exported, found: Exported) -> bool:
    """Whether a row holds a later trace of the same record."""
    if found.parts != last.parts or found.part <= last.part:
        return False
    return _bare(found.row) == _bare(last.row)


def _bare(row: Mapping[str, Any]) -> Columns:
    return {name: value for name, value in row.items() if name != "traces"}


def _object(text: str) -> Columns:
    if not text.startswith("{"):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _asked(row: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"role": "user", "content": cleaned(row["prompt"])}]


def _text(value: Any) -> str:
    return to_json(value).decode()
