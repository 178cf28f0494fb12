"""One problem solved with CLR, as any file tells it: a record of `etalon solve`, a row of clr.jsonl or rollouts.jsonl.

read_trials(path): JSON, JSONL or a run directory -> Trials; what a file does not say is empty
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.report.read import Number, number, read


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Equivalent answers; the final score lies between `score` and `score_max`."""

    answer: str
    score: Number
    score_max: Number
    votes: Number
    unverified: Number
    correct: bool | None


@dataclass(frozen=True, kw_only=True)
class JudgedClaim:
    text: str
    valid: bool | None


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    index: Number
    answer: str
    dropped: str
    error: str
    claims: tuple[JudgedClaim, ...]
    verified: bool | None
    reliability: Number
    tokens: Number


@dataclass(frozen=True, kw_only=True)
class Trial:
    """`answer` is the reference, `chosen` what CLR says. calls_by, tokens_by and prompt_tokens_by are by stage."""

    problem_id: str
    question: str
    answer: str
    chosen: object  # the index of a cluster, or its answer
    majority: str
    first: str
    text: str
    error: str
    model: str
    finish_reason: str
    k: Number
    m: Number
    early: str
    clusters: tuple[Cluster, ...]
    trajectories: tuple[Trajectory, ...]
    counts: Mapping[str, Number]
    saved: Mapping[str, Number]
    calls: Number
    calls_full: Number
    calls_by: Mapping[str, Number]
    tokens_by: Mapping[str, Number]
    prompt_tokens_by: Mapping[str, Number]
    seconds: Number
    money: Number
    pass1: Number

    @property
    def winner(self) -> Cluster | None:
        if isinstance(self.chosen, int):
            return self.clusters[self.chosen] if 0 <= self.chosen < len(self.clusters) else None
        return next((cluster for cluster in self.clusters if cluster.answer == self.chosen), None)

    @property
    def voted(self) -> Cluster | None:
        """The first of the clusters with the most votes: they come in the order of their earliest trajectory."""
        return max(self.clusters, key=lambda cluster: cluster.votes or 0, default=None)

    @property
    def disagrees(self) -> bool:
        """CLR and the majority vote give different answers."""
        return self.winner is not None and self.winner != self.voted


def trial_of(row: object) -> Trial | None:
    """The trial in a row, None when it holds none."""
    if (
        not isinstance(row, dict)
        or not isinstance(row.get("clusters"), list)
        or not isinstance(row.get("trajectories"), list)
    ):
        return None
    record = dict(row)
    if row.get("kind") == "clr":  # the answer is CLR's own, and costs are by stage
        usage = row.get("usage")
        record |= {
            "chosen": row.get("answer"),
            "answer": row.get("reference"),
            "calls": usage.get("calls") if isinstance(usage, dict) else None,
            "calls_by": row.get("calls"),
            "tokens_by": row.get("tokens"),
            "prompt_tokens_by": row.get("prompt_tokens"),
        }
    elif isinstance(row.get("calls"), dict):  # `record.detail`, as rollouts.jsonl keeps it
        costs = [number(cost) or 0 for cost in row["calls"].values()]
        record |= {"chosen": row.get("answer"), "answer": None, "calls": sum(costs)}
        record |= {"calls_by": row["calls"], "tokens_by": row.get("tokens")}
    trial: Trial = read(Trial, record)
    return trial


def read_trials(path: Path) -> tuple[Trial, ...]:
    """The trials of a file or of a run directory. InputError when there is none."""
    if path.is_dir():
        files = [path / "clr.jsonl", *sorted(path.glob("stages/*-clr/clr.jsonl"))]
        path = next((file for file in files if file.is_file()), path)
        if path.is_dir():
            raise InputError(f"{path}: has no stages/NN-clr/clr.jsonl: its recipe ran no CLR, or has not come to it")
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name a record of etalon solve, a JSONL file or a run") from None
    trials = [trial for row in _rows(content) if (trial := trial_of(row))]
    if not trials:
        raise InputError(f"{path}: holds no record of CLR; etalon solve --clr writes one")
    return tuple(trials)


def _rows(content: str) -> list[dict[str, Any]]:
    """Objects of a JSON or JSONL file; rollouts with a CLR record become that record."""
    try:
        values = [json.loads(content)]
    except (ValueError, RecursionError):
        values = [_parsed(line) for line in content.split("\n")]
    found: list[dict[str, Any]] = []
    for value in values:
        if not isinstance(value, dict):
            continue
        rollouts = value.get("rollouts")
        if isinstance(rollouts, list):
            details = [rollout.get("detail") for rollout in rollouts if isinstance(rollout, dict)]
            found += [{"problem_id": value.get("problem_id"), **d} for d in details if isinstance(d, dict)]
        else:
            found.append(value)
    return found


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
