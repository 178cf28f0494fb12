"""Rows of metrics.jsonl and rollouts.jsonl from what verl logs of a step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etalon.engines.jobs import timed
from etalon.engines.verl.estimator import group_of
from etalon.rl.credit import CreditSpec, credit
from etalon.rl.metrics import step_metrics
from etalon.sampling import group_to_row
from etalon.types import Group, Problem, Rollout, Stop

PADDING = "pad"  # how the keys of verl's padding rows begin


def supervised_row(logged: Mapping[str, Any]) -> dict[str, Any]:
    """Our row of one supervised step."""
    return {
        "loss": logged["train/loss"],
        "grad_norm": logged["train/grad_norm"],
        "lr": logged["train/lr"],
        "tokens": logged["train/global_tokens"],
    }


@dataclass(frozen=True, kw_only=True)
class RlSteps:
    """What is needed to tell a step's groups from verl's dump of it."""

    problems: Mapping[str, Problem]  # by id
    credit: CreditSpec
    max_tokens: int
    count_tokens: Callable[[str], int]  # verl dumps texts: they are counted again

    def row(self, logged: Mapping[str, Any], groups: Sequence[Group]) -> dict[str, Any]:
        """Our row of one RL step; without the share that gave no answer, which scores alone do not tell."""
        weights = [credit(group, self.credit)[0].weight for group in groups]
        row = {
            "loss": logged.get("actor/pg_loss", logged.get("actor/loss")),
            "grad_norm": logged["actor/grad_norm"],
            "lr": logged.get("actor/lr"),
            "tokens": logged.get("perf/total_num_tokens"),
            **step_metrics(groups, weights),
            "mean_tokens": logged["response_length/mean"],
            "truncated": logged["response_length/clip_ratio"],
        }
        del row["no_answer"]
        seconds = logged.get("timing_s/step")
        return row if seconds is None or row["tokens"] is None else timed(row, seconds)

    def groups(self, dump: Sequence[Mapping[str, Any]]) -> list[Group]:
        """The groups of one step, in the order of verl's keys; padding left out."""
        members: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for entry in dump:
            uid = entry["uid"].rsplit("_", 2)[0]
            if not uid.startswith(PADDING):
                members[uid].append(entry)
        return [self._group(entries) for entries in members.values()]

    def _group(self, entries: Sequence[Mapping[str, Any]]) -> Group:
        problem = self.problems[entries[0]["gts"]]
        lengths = [min(self.max_tokens, self.count_tokens(entry["output"])) for entry in entries]
        rollouts = tuple(
            Rollout(
                problem_id=problem.id, index=index, text=entry["output"], num_tokens=length,
                stop=Stop.LENGTH if length >= self.max_tokens else Stop.EOS,
            )
            for index, (entry, length) in enumerate(zip(entries, lengths, strict=True))
        )  # fmt: skip
        scores = [  # as `estimator.without_cut` has it
            min(0.0, entry["score"]) if length >= self.max_tokens else entry["score"]
            for entry, length in zip(entries, lengths, strict=True)
        ]
        verdicts = group_of(scores, lengths).verdicts
        return Group(problem=problem, rollouts=rollouts, verdicts=verdicts)


def group_rows(step: int, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Rows of rollouts.jsonl."""
    return [{"step": step, **group_to_row(group)} for group in groups]
