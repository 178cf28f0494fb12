"""Kind `clr` (3.1; CLR): claim-level reliability of a checkpoint against majority vote at the same number of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from etalon import stats
from etalon.clr.batch import ClrSampler
from etalon.clr.record import stated
from etalon.cost.work import Cost
from etalon.errors import ConfigError
from etalon.pipeline import reckoning
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.problems import nano
from etalon.problems.clusters import clusters_of
from etalon.sampling import attempt
from etalon.sampling.source import sampling_from
from etalon.store import append_jsonl
from etalon.types import Domain, Group, Problem, Sampler, SamplingParams, Stop
from etalon.verifiers import cluster, verify
from etalon.verifiers.text import answer_of


@dataclass(frozen=True, kw_only=True)
class Clr(Stage):
    """CLR@K, votes of the same trajectories and of plain samples (Cons@2K is the fair one), Pass@1: held-out math."""

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
        return {"clr": clr_summary(rows, plain, self.spec.k, self.spec.m, clusters_of(problems))}


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
    """What the report shows of one problem: the vote, every trajectory, and whether each answer was right.

    correct, majority_correct: None where it is undecided, or where every call failed. pass1: of the trajectories whose
    call did not fail, those without a verdict left out; one that was cut is not right, whatever it had said.
    """
    [rollout], [verdict] = group.rollouts, group.verdicts
    detail: Mapping[str, Any] = rollout.detail or {}
    outcome = _outcomes(group.problem, detail)
    trajectories = detail.get("trajectories", [])
    ended = [t for t in trajectories if t["dropped"] != "failed"]
    nothing = 0.0 if ended else None  # no answer is wrong, as it is for a vote; no call that ended is undecided
    majority = detail.get("majority")
    return {
        "problem_id": group.problem.id,
        "question": group.problem.prompt,
        "answer": group.problem.answer,
        "chosen": detail.get("answer"),
        "correct": verdict.score if detail.get("answer") is not None else nothing,
        "majority": majority,
        "majority_correct": outcome[majority] if majority is not None else nothing,
        "pass1": _mean([0.0 if t["stop"] == Stop.LENGTH else outcome.get(t["answer"], 0.0) for t in ended]),
        "clusters": [c | {"correct": outcome[c["answer"]] == 1.0} for c in detail.get("clusters", [])],
        "trajectories": trajectories,
        "counts": detail.get("counts", {}),
        "calls": rollout.calls,
        "calls_full": detail.get("calls_full"),
        "tokens": rollout.num_tokens,
        "error": rollout.error,
    }  # fmt: skip


def _outcomes(problem: Problem, detail: Mapping[str, Any]) -> dict[str, float | None]:
    """The score of every answer that a trajectory gave: that of its cluster; None is undecided."""
    given = {t["index"]: t["answer"] for t in detail.get("trajectories", [])}
    found: dict[str, float | None] = {}
    for cluster_ in detail.get("clusters", []):
        score = _score(problem, cluster_["answer"])
        found |= {given[index]: score for index in cluster_["trajectories"]} | {cluster_["answer"]: score}
    return found


def _score(problem: Problem, answer: str | None) -> float | None:
    """Of an answer by itself; no answer is wrong."""
    return 0.0 if answer is None else verify(problem, stated(answer)).score


def _mean(values: Sequence[float | None]) -> float | None:
    """Of the decided ones."""
    decided = [value for value in values if value is not None]
    return sum(decided) / len(decided) if decided else None


COLUMNS = ("pass1", "plain_pass1", "cons_k", "plain_cons_k", "cons_2k", "clr")


def columns_of(row: Mapping[str, Any], plain: Group, k: int) -> dict[str, float | None]:
    """Every way to answer one problem, as its chance to be right; None is undecided.

    pass1, cons_k, clr: of trajectories, whose prompt asks for claims as well. plain_pass1, plain_cons_k, cons_2k: of
    samples that were asked for an answer alone; plain_cons_k is the expected vote of K of them. An answer votes also
    where its response was cut behind its thought, of trajectories as of samples: a vote is about answers, Pass@1 about
    responses. What failed, or gave an answer that nobody could judge, casts no vote.
    """
    answers = [answer_of(rollout) for rollout in plain.rollouts if rollout.stop is not Stop.ERROR]
    right = {answer: _score(plain.problem, answer) for answer in dict.fromkeys(answers)}
    voters = [answer for answer in answers if right[answer] is not None]
    votes: dict[int, float | None] = dict.fromkeys((k, 2 * k))
    if voters:
        clusters, correct = cluster(voters), [right[answer] == 1.0 for answer in voters]
        votes = {size: stats.cons_at_k(clusters, correct, min(size, len(voters))) for size in votes}
    return {
        "pass1": row["pass1"],
        "plain_pass1": _mean([verdict.score for verdict in plain.verdicts]),
        "cons_k": row["majority_correct"],
        "plain_cons_k": votes[k],
        "cons_2k": votes[2 * k],
        "clr": row["correct"],
    }


def clr_summary(
    rows: Sequence[Mapping[str, Any]], plain: Sequence[Group], k: int, m: int, clusters: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Accuracies with intervals clustered by problem, calls, tokens, and how good the claim verdicts are.

    A problem that is undecided in any column is left out of all, so that they compare the same problems: one whose
    reference cannot be read, or of which every call failed. A failed call among others costs its vote alone.
    clusters: problem id -> what its near copies share.
    """
    measured = {row["problem_id"]: columns_of(row, group, k) for row, group in zip(rows, plain, strict=True)}
    whole = {name: one for name, one in measured.items() if None not in one.values()}
    summary: dict[str, Any] = {"problems": len(whole), "k": k, "m": m, "undecided": len(rows) - len(whole)}
    own = stats.cluster_ids(whole, clusters or {})
    for name in COLUMNS:
        values = [float(one[name] or 0.0) for one in whole.values()]
        summary |= _bounded(name, stats.share_interval(values, clusters=own) if values else None)
    by_clr, by_vote = ({name: float(one[c] or 0.0) for name, one in whole.items()} for c in ("clr", "cons_2k"))
    difference = stats.paired_difference(by_vote, by_clr, clusters=clusters) if whole else None
    summary |= _bounded("clr_minus_cons_2k", difference)
    kept = [row for row in rows if row["problem_id"] in whole]
    samples = [rollout for group in plain if group.problem.id in whole for rollout in group.rollouts]
    counts = [row["counts"] for row in kept]
    return summary | {
        "calls": sum(row["calls"] for row in kept),
        "calls_full": 2 * k * len(kept),
        "tokens": sum(row["tokens"] for row in kept),
        "tokens_cons_2k": sum(rollout.num_tokens for rollout in samples),
        "failed": sum(c.get("failed", 0) for c in counts) + sum(r.stop is Stop.ERROR for r in samples),
        "unanswered": sum(row["chosen"] is None for row in kept),
        "no_claims": sum(c.get("no_claims", 0) for c in counts),
        "unreadable_verdicts": sum(c.get("unreadable_verdicts", 0) for c in counts),
        "rejected_wrong": _verdict_rate(kept, of_right=False),
        "rejected_right": _verdict_rate(kept, of_right=True),
    }


def _bounded(name: str, interval: stats.Interval | None) -> dict[str, float | None]:
    """A mean and its bounds as JSON; None where there was nothing to average."""
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low, high = stats.finite(interval.low), stats.finite(interval.high)
    return {name: interval.mean, f"{name}_low": low, f"{name}_high": high}


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
