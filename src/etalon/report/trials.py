"""One problem solved with CLR, as any file tells it: a record of `etalon solve`, a row of clr.jsonl or rollouts.jsonl.

read_trials(path): JSON, JSONL or a run directory -> Trials; what a file does not say is empty
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.report.read import Anything, Flag, Number, Part, Rows, Table, Words, number


class Cluster(Part):
    """Equivalent answers; the final score lies between `score` and `score_max`."""

    answer: Words
    score: Number
    score_max: Number
    votes: Number
    unverified: Number
    correct: Flag


class JudgedClaim(Part):
    text: Words
    valid: Flag


class Trajectory(Part):
    index: Number
    answer: Words
    dropped: Words
    error: Words
    text: Words  # of a dropped one, shortened
    claims: Rows[JudgedClaim]
    verified: Flag
    reliability: Number
    tokens: Number


class Ballot(Part):
    """Who wins by CLR and who by votes."""

    chosen: Anything  # the index of a cluster, or its answer
    clusters: Rows[Cluster]

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


class Trial(Ballot):
    """`answer` is the reference, `chosen` what CLR says. calls_by, tokens_by and prompt_tokens_by are by stage."""

    problem_id: Words
    question: Words
    answer: Words
    majority: Words
    first: Words
    text: Words
    error: Words
    fallback: Words
    model: Words
    finish_reason: Words
    k: Number
    m: Number
    early: Words
    trajectories: Rows[Trajectory]
    counts: Table[Number]
    saved: Table[Number]
    calls: Number
    calls_full: Number
    calls_by: Table[Number]
    tokens_by: Table[Number]
    prompt_tokens_by: Table[Number]
    seconds: Number
    money: Number
    pass1: Number


def trial_of(row: object) -> Trial | None:
    """The trial in a row, None when it holds none."""
    record = _record(row)
    return None if record is None else Trial.model_validate(record)


def ballot_of(row: object) -> Ballot | None:
    """The votes in a row alone, for those who count many; None when it holds no trial."""
    record = _record(row)
    return None if record is None else Ballot.model_validate(record)


def _record(row: object) -> dict[str, Any] | None:
    """A trial under the names of `Trial`."""
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
    return record


def read_trials(path: Path) -> tuple[Trial, ...]:
    """The trials of a file or of a run directory. InputError when there is none."""
    if path.is_dir():
        files = [file for file in (path / "clr.jsonl", *sorted(path.glob("stages/*/clr.jsonl"))) if file.is_file()]
        if not files:
            raise InputError(f"{path}: has no stages/STAGE/clr.jsonl: its recipe ran no CLR, or has not come to it")
        if len(files) > 1:
            raise InputError(f"{path}: has several records of CLR, name one: {', '.join(map(str, files))}")
        [path] = files
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
