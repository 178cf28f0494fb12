"""Kind `clr` (3.1; CLR): claim-level reliability of a checkpoint against majority vote at the same number of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from etalon import stats
from etalon.clr.batch import ClrSampler
from etalon.cost.work import Cost
from etalon.errors import ConfigError
from etalon.pipeline import reckoning
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.problems import nano
from etalon.sampling import attempt
from etalon.sampling.source import sampling_from
from etalon.store import append_jsonl
from etalon.types import Domain, Group, Problem, Sampler, SamplingParams
from etalon.verifiers import cluster
from etalon.verifiers.text import extract_answer


@dataclass(frozen=True, kw_only=True)
class Clr(Stage):
    """CLR@K, Cons@K of the same trajectories, Cons@2K (the fair baseline) and Pass@1 on held-out math problems."""

    purpose: ClassVar[str] = "claim-level reliability against majority vote at the same number of calls"
    section: ClassVar[str] = "3.1; CLR"
    makes_model: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    is_background: ClassVar[bool] = True

    @property
    def splits(self) -> frozenset[str]:
        return frozenset({"test"})

    @property
    def knobs(self) -> Any:
        recipe = self.recipe
        return [self.spec.model_dump(), recipe.eval.temperature, recipe.eval.top_p, recipe.prompts]

    def check(self) -> None:
        if self.recipe.eval.temperature == 0:
            raise ConfigError(
                f"eval.temperature: 0 is greedy, and {self.name} (CLR) compares different trajectories; raise it"
            )

    @property
    def cost(self) -> Cost:
        """K trajectories, K verifications and 2K plain answers per problem, each as long as a response."""
        spec = self.spec
        count = min(spec.problems, self.recipe.problems.test)
        return reckoning.sampling(self.recipe, 4 * spec.k * count, spec.max_tokens)

    @property
    def shown(self) -> tuple[str, str]:
        return "", f"up to {self.spec.problems * self.spec.k * 4}"

    def problems(self, test: Sequence[Problem]) -> list[Problem]:
        """Held-out math problems of at least `min_level`, where levels are known; the nano world draws its own."""
        spec, recipe = self.spec, self.recipe
        if recipe.problems.source == "nano":
            return nano.problems(
                Domain.MATH, "test", spec.problems, seed=recipe.seed, m=spec.m, min_level=max(1, spec.min_level),
                operations=recipe.problems.operations,
            )  # fmt: skip
        found = [p for p in test if p.domain is Domain.MATH and (not p.level or p.level >= spec.min_level)]
        return found[: spec.problems]

    def run(self, work: Work) -> Outputs:
        problems = self.problems(work.problems("test"))
        if not problems:
            return {"skipped": "there are no math problems"}
        with sampling_from(work.source, work.recipe, folder=work.directory) as inner:
            whole, plain = _both(work, inner, problems)
        path = work.directory / "clr.jsonl"
        path.unlink(missing_ok=True)
        rows = [clr_row(group) for group in whole]
        append_jsonl(path, rows)
        return {"clr": clr_summary(rows, plain, self.spec.k, self.spec.m)}


def _both(work: Work, inner: Sampler, problems: Sequence[Problem]) -> tuple[list[Group], list[Group]]:
    """One CLR answer per problem, and 2K plain ones."""
    recipe, spec = work.recipe, work.stage.spec
    params = SamplingParams(
        temperature=recipe.eval.temperature, top_p=recipe.eval.top_p, max_tokens=spec.max_tokens
    )  # fmt: skip
    sampler = ClrSampler(
        inner, k=spec.k, m=spec.m, early=spec.early, prior=spec.prior, prompts=recipe.prompts,
        verify_temperature=spec.verify_temperature,
    )  # fmt: skip
    whole = attempt(
        sampler, problems, n=1, params=params, seed=work.seed, path=work.directory / "rollouts.jsonl",
        watch=lambda done, total, numbers: work.view.update(done, 2 * total, **numbers),
    )  # fmt: skip
    plain = attempt(
        inner, problems, n=2 * spec.k, params=params, seed=work.seed, path=work.directory / "plain.jsonl",
        watch=lambda done, total, numbers: work.view.update(total + done, 2 * total, **numbers),
    )  # fmt: skip
    return whole, plain


def clr_row(group: Group) -> dict[str, Any]:
    """What the report shows of one problem: the vote, every trajectory, and whether each answer was right."""
    [rollout], [verdict] = group.rollouts, group.verdicts
    detail: Mapping[str, Any] = rollout.detail or {}
    right = _right_clusters(group.problem, detail)
    trajectories = detail.get("trajectories", [])
    majority = detail.get("majority")
    return {
        "problem_id": group.problem.id,
        "question": group.problem.prompt,
        "answer": group.problem.answer,
        "chosen": detail.get("answer"),
        "correct": verdict.score,
        "majority": majority,
        "majority_correct": float(majority is not None and majority in right),
        "pass1": sum(_is_right(t, detail, right) for t in trajectories) / max(1, len(trajectories)),
        "clusters": [c | {"correct": c["answer"] in right} for c in detail.get("clusters", [])],
        "trajectories": trajectories,
        "counts": detail.get("counts", {}),
        "calls": rollout.calls,
        "calls_full": detail.get("calls_full"),
        "error": rollout.error,
    }  # fmt: skip


def _right_clusters(problem: Problem, detail: Mapping[str, Any]) -> set[str]:
    from etalon.verifiers import verify

    answers = [c["answer"] for c in detail.get("clusters", [])]
    return {a for a in answers if verify(problem, f"\\boxed{{{a}}}").is_correct}


def _is_right(trajectory: Mapping[str, Any], detail: Mapping[str, Any], right: set[str]) -> bool:
    return any(trajectory["index"] in c["trajectories"] and c["answer"] in right for c in detail.get("clusters", []))


def clr_summary(rows: Sequence[Mapping[str, Any]], plain: Sequence[Group], k: int, m: int) -> dict[str, Any]:
    """Accuracies with intervals clustered by problem, calls, and how good the claim verdicts are."""
    num_problems = len(rows)
    # a problem that some verdict leaves undecided is left out of every column, so that all compare the same problems
    whole = [
        (row["correct"] is not None or row["chosen"] is None) and not any(v.is_undecided for v in group.verdicts)
        for row, group in zip(rows, plain, strict=True)
    ]
    plain = [group for group, is_whole in zip(plain, whole, strict=True) if is_whole]
    rows = [row for row, is_whole in zip(rows, whole, strict=True) if is_whole]
    cons_2k = [_vote(group) for group in plain]
    # without a usable trajectory there is no answer: wrong here, as it is for the votes beside it, and counted
    scores = {row["problem_id"]: 0.0 if row["chosen"] is None else row["correct"] for row in rows}
    decided = {name: float(score) for name, score in scores.items() if score is not None}
    columns = {
        "pass1": [row["pass1"] for row in rows],
        "cons_k": [row["majority_correct"] for row in rows],
        "cons_2k": cons_2k,
        "clr": list(decided.values()),
    }
    summary: dict[str, Any] = {"problems": len(rows), "k": k, "m": m, "undecided": num_problems - len(rows)}
    for name, values in columns.items():
        if not values:  # every answer undecided: counted above, and nothing to average
            summary |= {name: None, f"{name}_low": None, f"{name}_high": None}
            continue
        interval = stats.mean_interval(values)
        summary |= {
            name: interval.mean,
            f"{name}_low": stats.finite(interval.low),
            f"{name}_high": stats.finite(interval.high),
        }
    against = stats.paired_difference(
        {row["problem_id"]: v for row, v in zip(rows, cons_2k, strict=True)},
        decided,
    )
    counts = [row["counts"] for row in rows]
    return summary | {
        "clr_minus_cons_2k": against.mean,
        "clr_minus_cons_2k_low": stats.finite(against.low),
        "clr_minus_cons_2k_high": stats.finite(against.high),
        "calls": sum(row["calls"] for row in rows),
        "calls_full": 2 * k * len(rows),
        "unanswered": sum(row["chosen"] is None for row in rows),
        "no_claims": sum(c.get("no_claims", 0) for c in counts),
        "unreadable_verdicts": sum(c.get("unreadable_verdicts", 0) for c in counts),
        "rejected_wrong": _verdict_rate(rows, of_right=False),
        "rejected_right": _verdict_rate(rows, of_right=True),
    }


def _vote(group: Group) -> float:
    """Majority vote over all rollouts of a group, ties to the earliest."""
    clusters = cluster([extract_answer(r.text) for r in group.rollouts])
    return stats.cons_accuracy(clusters, [v.is_correct for v in group.verdicts], len(clusters))


def _verdict_rate(rows: Sequence[Mapping[str, Any]], *, of_right: bool) -> float | None:
    """Share of verified trajectories with a right (or wrong) answer of which a claim was refuted."""
    refuted = []
    for row in rows:
        right = {i for c in row["clusters"] if c["correct"] for i in c["trajectories"]}
        for trajectory in row["trajectories"]:
            if (
                trajectory["verified"]
                and trajectory["answer"] is not None
                and (trajectory["index"] in right) is of_right
            ):
                refuted.append(any(claim["valid"] is False for claim in trajectory["claims"]))
    return sum(refuted) / len(refuted) if refuted else None
