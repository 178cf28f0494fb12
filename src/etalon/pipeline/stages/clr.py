"""Kind `clr` (3.1; CLR): claim-level reliability of a checkpoint against majority vote at the same number of calls."""

from __future__ import annotations

import math
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
from etalon.store import append_jsonl, write_json_atomic
from etalon.types import Domain, Group, Problem, Rollout, Sampler, SamplingParams, Stop
from etalon.verifiers import cluster, verify
from etalon.verifiers.text import answer_of


@dataclass(frozen=True, kw_only=True)
class Clr(Stage):
    """CLR@K, votes of its trajectories and of plain samples (2K, or at equal cost) and Pass@1 on held-out math."""

    version: ClassVar[int] = 2
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
        answered = Answered.of(rows, plain, self.spec.k)
        write_json_atomic(work.directory / COLUMNS_FILE, answered.columns)
        undecided = len(rows) - len(answered.rows)
        summary = clr_summary(
            answered, k=self.spec.k, m=self.spec.m, undecided=undecided, clusters=clusters_of(problems)
        )
        return {"clr": summary}


def _both(work: Work, inner: Sampler, problems: Sequence[Problem]) -> tuple[list[Group], list[Group]]:
    """One CLR answer per problem, and 2K plain ones."""
    recipe, spec = work.recipe, work.stage.spec
    params = SamplingParams(
        temperature=recipe.eval.temperature, top_p=recipe.eval.top_p, max_tokens=spec.max_tokens
    )  # fmt: skip
    sampler = ClrSampler(
        inner, k=spec.k, m=spec.m, early=spec.early, prior=spec.prior, exponent=spec.exponent, prompts=recipe.prompts,
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


COLUMNS_FILE = "columns.json"  # way to answer -> problem id -> its chance to be right
COLUMNS = ("pass1", "plain_pass1", "cons_k", "plain_cons_k", "cons_2k", "cons_calls", "cons_tokens", "clr")
RIVALS = ("cons_k", "plain_cons_k", "cons_2k", "cons_calls", "cons_tokens")  # what CLR is paired with


@dataclass(frozen=True, kw_only=True)
class Votes:
    """The plain samples of one problem that vote: the answer cluster of each, and whether it is right."""

    clusters: tuple[int | None, ...]
    correct: tuple[bool, ...]

    @classmethod
    def of(cls, plain: Group) -> Votes:
        """An answer votes also where its response was cut behind its thought: a vote is about answers.

        What failed, or gave an answer that nobody could judge, casts no vote.
        """
        answers = [answer_of(rollout) for rollout in plain.rollouts if rollout.stop is not Stop.ERROR]
        right = {answer: _score(plain.problem, answer) for answer in dict.fromkeys(answers)}
        voters = [answer for answer in answers if right[answer] is not None]
        return cls(
            clusters=tuple(cluster(voters)) if voters else (), correct=tuple(right[answer] == 1.0 for answer in voters)
        )

    def expected(self, size: float) -> float | None:
        """The expected vote of `size` samples; None without any that votes. (ours)

        A size between two whole ones stands for the larger in that share of the cases. One above the samples there are
        is all of them.
        """
        there = len(self.clusters)
        if not there:
            return None
        below, share = math.floor(size), size % 1
        sizes = [min(max(1, whole), there) for whole in ((below, below + 1) if share else (below,))]
        votes = [stats.cons_at_k(self.clusters, self.correct, whole) for whole in sizes]
        return (1 - share) * votes[0] + share * votes[1] if share else votes[0]


def columns_of(
    row: Mapping[str, Any], plain: Group, votes: Votes, sizes: Mapping[str, float]
) -> dict[str, float | None]:
    """Every way to answer one problem, as its chance to be right; None is undecided.

    pass1, cons_k, clr: of trajectories, whose prompt asks for claims as well. plain_pass1 and the votes of `sizes`: of
    samples that were asked for an answer alone; those are expected votes of so many of them.
    """
    return {
        "pass1": row["pass1"],
        "plain_pass1": _mean([verdict.score for verdict in plain.verdicts]),
        "cons_k": row["majority_correct"],
        **{name: votes.expected(size) for name, size in sizes.items()},
        "clr": row["correct"],
    }


def fair_sizes(rows: Sequence[Mapping[str, Any]], plain: Sequence[Group], k: int) -> dict[str, float]:
    """Plain samples per problem that cost what CLR did on these problems, at most the 2K there are of each. (ours)

    cons_calls: as many as CLR made calls, generations and verifications, after its early decision. cons_tokens: as many
    as hold its tokens, by the mean length of a plain sample. Both are means over the problems, so that the vote spends
    as much in all and evenly: which problems are worth more calls is what only CLR finds out.
    """
    samples = [rollout for group in plain for rollout in group.rollouts]
    tokens = sum(rollout.num_tokens for rollout in samples)
    if not rows:
        return {"cons_calls": 2.0 * k, "cons_tokens": 2.0 * k}
    calls = sum(row["calls"] for row in rows) / len(rows)
    by_tokens = sum(row["tokens"] for row in rows) / len(rows) / (tokens / len(samples)) if tokens else 2.0 * k
    return {name: min(max(1.0, size), 2.0 * k) for name, size in (("cons_calls", calls), ("cons_tokens", by_tokens))}


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The problems that every way to answer decides: their rows and samples, and each way's chance to be right.

    columns: way to answer -> problem id -> chance. fair: samples per problem of the votes at equal cost.
    """

    rows: tuple[Mapping[str, Any], ...]
    plain: tuple[Group, ...]
    columns: Mapping[str, Mapping[str, float]]
    fair: Mapping[str, float]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], plain: Sequence[Group], k: int) -> Answered:
        """A problem that is undecided in any column is left out of all, so that they compare the same problems: one
        whose reference cannot be read, or of which every call failed. A failed call among others costs its vote alone.
        """
        votes = [Votes.of(group) for group in plain]
        sizes = {"plain_cons_k": float(k), "cons_2k": 2.0 * k}
        decided = [
            (row, group, own)
            for row, group, own in zip(rows, plain, votes, strict=True)
            if None not in columns_of(row, group, own, sizes).values()
        ]
        kept, groups = tuple(row for row, _, _ in decided), tuple(group for _, group, _ in decided)
        fair = fair_sizes(kept, groups, k)
        whole = {row["problem_id"]: columns_of(row, group, own, sizes | fair) for row, group, own in decided}
        columns = {name: {problem: float(one[name] or 0.0) for problem, one in whole.items()} for name in COLUMNS}
        return cls(rows=kept, plain=groups, columns=columns, fair=fair)


def clr_summary(
    answered: Answered, *, k: int, m: int, undecided: int, clusters: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Accuracies with intervals clustered by problem, calls, tokens, and how good the claim verdicts are.

    clr_minus_X: CLR against every vote, paired by problem. X_size: samples per problem of a vote at equal cost.
    clusters: problem id -> what its near copies share. undecided: problems that were left out.
    """
    columns = answered.columns
    problems = list(columns["clr"])
    summary: dict[str, Any] = {"problems": len(problems), "k": k, "m": m, "undecided": undecided}
    own_clusters = stats.cluster_ids(problems, clusters or {})
    for name, values in columns.items():
        found = stats.share_interval(list(values.values()), clusters=own_clusters) if values else None
        summary |= _bounded(name, found)
    for name in RIVALS:
        difference = stats.paired_difference(columns[name], columns["clr"], clusters=clusters) if problems else None
        summary |= _bounded(f"clr_minus_{name}", difference)
    samples = [rollout for group in answered.plain for rollout in group.rollouts]
    sizes = {f"{name}_size": size for name, size in answered.fair.items()}
    return summary | sizes | _costs(answered.rows, samples, k)


def _costs(rows: Sequence[Mapping[str, Any]], samples: Sequence[Rollout], k: int) -> dict[str, Any]:
    """What the kept problems cost, what was missing, and how good the claim verdicts are."""
    counts = [row["counts"] for row in rows]
    return {
        "calls": sum(row["calls"] for row in rows),
        "calls_full": 2 * k * len(rows),
        "tokens": sum(row["tokens"] for row in rows),
        "tokens_cons_2k": sum(rollout.num_tokens for rollout in samples),
        "failed": sum(c.get("failed", 0) for c in counts) + sum(r.stop is Stop.ERROR for r in samples),
        "unanswered": sum(row["chosen"] is None for row in rows),
        "no_claims": sum(c.get("no_claims", 0) for c in counts),
        "unreadable_verdicts": sum(c.get("unreadable_verdicts", 0) for c in counts),
        "rejected_wrong": _verdict_rate(rows, of_right=False),
        "rejected_right": _verdict_rate(rows, of_right=True),
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
