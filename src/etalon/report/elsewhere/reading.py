"""Rollouts that other trainers wrote, row by row in one shape.

TRL    GRPOTrainer(log_completions=True): OUTPUT_DIR/completions/completions_STEP.parquet with the columns step, prompt,
       completion, one of each reward function, those of log_extra, advantage (trl/trainer/grpo_trainer.py, `log`)
verl   trainer.rollout_data_dir=DIR: DIR/STEP.jsonl with input, output, gts, score, step and what the reward function
       returned beside its score (verl/trainer/ppo/ray_trainer.py, `_write_generations`); the keys of uid, where there
       are any, begin with that of the prompt (ppo/v1/trainer_base.py)

Neither keeps whether two prompts of one text were two problems: a group is the rollouts of one prompt at one step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from etalon.report.read import number, text
from etalon.rows.files import Row, read_rows

Kind = Literal["TRL", "verl"]

TEXTS: Mapping[Kind, tuple[str, str]] = {"TRL": ("prompt", "completion"), "verl": ("input", "output")}
NAMED_BY_STEP = re.compile(r"(?:completions_)?(\d+)\.(?:parquet|jsonl)")
TOKENS = ("response_length", "completion_length", "num_tokens", "tokens")  # columns that count those of a response
CUT = ("truncated", "is_truncated", "clipped")  # columns that say of a response whether it was cut at its limit
ENDINGS = ("finish_reason", "stop_reason")  # columns whose "length" says the same
NO_REWARDS = {"step", "advantage", "gts", "uid", "request_id", *TOKENS, *CUT, *ENDINGS}
LAYOUTS = "TRL's completions/completions_STEP.parquet or verl's STEP.jsonl"


@dataclass(frozen=True, kw_only=True)
class Written:
    """One rollout as it lies in its file. group: what the rollouts of one prompt at one step share.

    rewards: its columns of numbers. words: the names of its columns of something else. length: tokens, where the file
    has them. is_cut: None where the file does not tell.
    """

    step: int
    group: str
    prompt: str
    text: str
    reference: str
    rewards: Mapping[str, float]
    words: frozenset[str]
    advantage: float | None
    length: int | None
    is_cut: bool | None


def files_at(path: Path) -> list[Path]:
    """The files of rollouts at a path, by step; none where it is a directory of something else.

    A file is taken at its word: its rows decide.
    """
    if path.is_file():
        return [path]
    for folder in (path / "completions", path):
        named = {file: found for file in folder.glob("*.*") if (found := NAMED_BY_STEP.fullmatch(file.name))}
        if named:
            return sorted(named, key=lambda file: (int(named[file][1]), file.name))
    return []


def read_written(file: Path) -> Iterator[tuple[Row, Kind, Written] | tuple[Row, None, str]]:
    """Every row of a file as a rollout, or why it is none. InputError where the file itself cannot be read."""
    named = NAMED_BY_STEP.fullmatch(file.name)
    own_step = int(named[1]) if named else None
    for row in read_rows(file):
        if row.is_blank:
            continue
        if row.columns is None:
            yield row, None, row.why
            continue
        kind = _kind_of(row.columns)
        step = number(row.columns.get("step"))
        if kind is None:
            yield row, None, f"has {', '.join(list(row.columns)[:8])}; expected the columns of {LAYOUTS}"
        elif step is None and own_step is None:
            yield row, None, "has no step, and the name of its file has none"
        else:
            yield row, kind, _written(row.columns, kind, int(own_step or 0) if step is None else int(step))


def _kind_of(columns: Mapping[str, Any]) -> Kind | None:
    return next((kind for kind, names in TEXTS.items() if all(name in columns for name in names)), None)


def _written(columns: Mapping[str, Any], kind: Kind, step: int) -> Written:
    asked, said = TEXTS[kind]
    prompt = text(columns[asked])
    uid = text(columns.get("uid"))
    tokens = next((found for name in TOKENS if (found := number(columns.get(name))) is not None), None)
    return Written(
        step=step,
        group=uid.rsplit("_", 2)[0] if uid.count("_") >= 2 else prompt,
        prompt=prompt,
        text=text(columns[said]),
        reference=text(columns.get("gts")),
        rewards={
            name: found
            for name, value in columns.items()
            if name not in NO_REWARDS and (found := _reward(value)) is not None
        },
        words=frozenset(name for name, value in columns.items() if value is not None and not _is_number(value)),
        advantage=number(columns.get("advantage")),
        length=None if tokens is None else int(tokens),
        is_cut=_is_cut(columns),
    )


def _reward(value: Any) -> float | None:
    """A number; None for what is none, as where a reward function does not apply."""
    return float(value) if isinstance(value, bool) else number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _is_cut(columns: Mapping[str, Any]) -> bool | None:
    for name in CUT:
        if columns.get(name) in (True, False):
            return bool(columns[name])
    ends = next((columns[name] for name in ENDINGS if isinstance(columns.get(name), str)), None)
    return None if ends is None else ends == "length"
