"""`attempt`: the only place that samples and verifies. Problems in, Groups out, every step of it resumable.

    problems -> chunks -> sample -> verify_all -> rollouts.jsonl (one row per group) -> Groups

A chunk is a fixed slice of the problem list. A killed run keeps its whole chunks and redoes the torn one, so it ends
with the same file as a run that was never killed. Light: no torch here (`sampling.local` has it).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etalon.errors import RunError
from etalon.problems.options import as_asked, draw_order
from etalon.store import append_jsonl, read_jsonl, truncate_jsonl
from etalon.types import Conversation, Group, Problem, Rollout, Sampler, SamplingParams, Stop, Verdict, Verifier, ask
from etalon.verifiers import verify_all

PART_SECONDS = 2.0  # (ours) between two looks at a chunk under way
CHUNK = 64  # (ours) problems sampled, verified and written together
Watch = Callable[[int, int, Mapping[str, float]], None]  # problems done, problems in all, live numbers


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A response with the verdict on it. problem: as this sample was asked, its options in the order it saw."""

    problem: Problem
    response: str
    verdict: Verdict


Review = Callable[[list[Judged]], list[Verdict]]


def attempt(
    sampler: Sampler,
    problems: Sequence[Problem],
    *,
    n: int,
    params: SamplingParams,
    seed: int,
    path: Path | None = None,
    workers: int = 4,
    chunk: int = CHUNK,
    watch: Watch | None = None,
    on_part: Watch | None = None,
    converse: Callable[[Problem], Conversation] | None = None,
    verifier: Verifier | None = None,
    review: Review | None = None,
    accept: Callable[[Sequence[Group]], None] | None = None,
) -> list[Group]:
    """Sample n rollouts per problem and verify them; `path` makes it resumable.

    watch: told after every chunk how far it is. on_part: told within a chunk as well.
    converse: how a problem becomes a conversation; default is its prompt as one user message.
    verifier: replaces the domains' own.
    review: sees the verdicts of a chunk and may change them (a judge); what it returns is written.
    accept: sees the groups of a chunk before they are written; where it raises, a later call samples them anew.
    Raises RunError when `path` holds groups of other problems.
    """
    groups = _resume(problems, path, n=n, chunk=chunk) if path else []
    pace, counts = Pace(), LiveNumbers(groups)
    for start in range(len(groups), len(problems), chunk):
        batch = problems[start : start + chunk]
        pace.begin()
        shown = _shown(on_part, counts.numbers, (start, len(batch), len(problems)), pace) if on_part else None
        sampled = sample(sampler, batch, n=n, params=params, seed=seed, converse=converse, on_part=shown)
        pace.end(sampled)
        pairs = list(zip(batch, sampled, strict=True))
        fresh = verify_groups(pairs, workers=workers, verifier=verifier, review=review)
        if accept:
            accept(fresh)
        if path:
            append_jsonl(path, [group_to_row(group) for group in fresh])
        groups.extend(fresh)
        counts.add(fresh)
        if watch:
            watch(len(groups), len(problems), counts.numbers | pace.numbers)
    return groups


def _shown(
    watch: Watch, numbers: Mapping[str, float], chunk: tuple[int, int, int], pace: Pace
) -> Callable[[float, int], None]:
    """Shows how far a chunk is while it is sampled. chunk: problems before it, in it, and in all."""
    done, size, total = chunk
    told = time.perf_counter()

    def on_part(share: float, tokens: int) -> None:
        nonlocal told
        if time.perf_counter() - told >= PART_SECONDS:  # answers of one batch come all at once
            told = time.perf_counter()
            watch(done + int(share * size), total, {**numbers, **pace.while_sampling(tokens)})

    return on_part


class Pace:
    """Tokens sampled per second, over everything since it began; verification is not counted."""

    def __init__(self) -> None:
        self.tokens, self.seconds, self._started = 0, 0.0, 0.0

    def begin(self) -> None:
        """Sampling begins."""
        self._started = time.perf_counter()

    def end(self, sampled: Sequence[Sequence[Rollout]]) -> None:
        """Sampling ends, with these rollouts."""
        self.seconds += time.perf_counter() - self._started
        self.tokens += sum(rollout.num_tokens for rollouts in sampled for rollout in rollouts)

    def while_sampling(self, tokens: int) -> dict[str, float]:
        """`numbers` with what is sampled just now and has given so many tokens."""
        seconds = self.seconds + time.perf_counter() - self._started
        return {"tokens/s": round((self.tokens + tokens) / seconds)} if seconds > 0 else {}

    @property
    def numbers(self) -> dict[str, float]:
        """For a progress bar; nothing before anything was sampled."""
        return {"tokens/s": round(self.tokens / self.seconds)} if self.seconds > 0 else {}


def sample(
    sampler: Sampler,
    problems: Sequence[Problem],
    *,
    n: int,
    params: SamplingParams,
    seed: int,
    converse: Callable[[Problem], Conversation] | None = None,
    on_part: Callable[[float, int], None] | None = None,
) -> list[tuple[Rollout, ...]]:
    """n rollouts per problem, in order. Samples of a problem with `shuffle` see its options in orders of their own.

    Rollouts that got the same order share a conversation: two equal conversations would get equal answers.
    on_part: told the share of conversations that are answered, and the tokens of their rollouts.
    """
    asked = to_ask(problems, n=n, seed=seed, converse=converse)
    by_count: dict[int, list[int]] = {}
    for number, one in enumerate(asked):
        by_count.setdefault(len(one.samples), []).append(number)
    answers: dict[int, Sequence[Rollout]] = {}
    tokens = 0
    for count, numbers in sorted(by_count.items(), key=lambda pair: pair[0], reverse=True):
        conversations = [asked[number].conversation for number in numbers]
        for place, rollouts in sampler.sample(conversations, n=count, params=params, seed=seed):
            answers[numbers[place]] = rollouts
            tokens += sum(rollout.num_tokens for rollout in rollouts)
            if on_part:
                on_part(len(answers) / len(asked), tokens)
    return by_problem(asked, [answers[number] for number in range(len(asked))])


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A conversation, and the samples of one problem that it asks for. position: of the problem."""

    position: int
    problem_id: str
    conversation: Conversation
    order: tuple[str, ...] | None
    samples: tuple[int, ...]


def to_ask(
    problems: Sequence[Problem], *, n: int, seed: int, converse: Callable[[Problem], Conversation] | None = None
) -> list[Asked]:
    """What n samples of each problem ask, problem by problem: one conversation, or one for each order of the options.

    For a sampler that must be asked for everything at once; `by_problem` takes its answers.
    """
    converse = converse or (lambda problem: ask(problem.prompt))
    found = []
    for position, problem in enumerate(problems):
        by_order: dict[tuple[str, ...] | None, list[int]] = {}
        for index in range(n):
            by_order.setdefault(draw_order(problem, seed=seed, index=index), []).append(index)
        found += [
            Asked(
                position=position, problem_id=problem.id, conversation=converse(as_asked(problem, order)), order=order,
                samples=tuple(samples),
            )
            for order, samples in by_order.items()
        ]  # fmt: skip
    return found


def by_problem(asked: Sequence[Asked], answers: Sequence[Sequence[Rollout]]) -> list[tuple[Rollout, ...]]:
    """The rollouts of every problem, in order, from the answers to what `to_ask` asked."""
    found: dict[int, dict[int, Rollout]] = {}
    for one, rollouts in zip(asked, answers, strict=True):
        own = found.setdefault(one.position, {})
        for index, rollout in zip(one.samples, rollouts, strict=True):
            own[index] = replace(rollout, problem_id=one.problem_id, index=index, order=one.order)
    return [tuple(own[index] for index in sorted(own)) for own in found.values()]


def verify_groups(
    pairs: Sequence[tuple[Problem, Sequence[Rollout]]],
    *,
    workers: int,
    verifier: Verifier | None = None,
    review: Review | None = None,
) -> list[Group]:
    """Verdicts for every rollout, put together as groups. A response that was cut scores 0, whoever judges."""
    items = [(problem, rollout) for problem, rollouts in pairs for rollout in rollouts]
    decided = verify_all(items, workers=workers, verifier=verifier)
    if review:
        decided = _reviewed(items, decided, review)
    verdicts = iter(decided)
    return [
        Group(problem=problem, rollouts=tuple(rollouts), verdicts=tuple(next(verdicts) for _ in rollouts))
        for problem, rollouts in pairs
    ]


def _reviewed(items: Sequence[tuple[Problem, Rollout]], decided: Sequence[Verdict], review: Review) -> list[Verdict]:
    """The verdicts after a judge has seen them; it has no say on what the token limit cut."""
    verdicts = list(decided)
    whole = [place for place, (_, rollout) in enumerate(items) if rollout.stop is not Stop.LENGTH]
    judged = [
        Judged(problem=as_asked(problem, rollout.order), response=rollout.text, verdict=verdicts[place])
        for place, (problem, rollout) in ((place, items[place]) for place in whole)
    ]
    for place, verdict in zip(whole, review(judged), strict=True):
        verdicts[place] = verdict
    return verdicts


class LiveNumbers:
    """Pass@1, mean tokens, shares truncated and without an answer so far, as `stats.score_groups` counts them."""

    def __init__(self, groups: Sequence[Group] = ()) -> None:
        names = ("groups", "accuracy", "answered", "tokens", "truncated", "none", "undecided")
        self._counts: dict[str, float] = dict.fromkeys(names, 0)
        self.add(groups)

    def add(self, groups: Sequence[Group]) -> None:
        """Count more groups; what was counted is not looked at again."""
        accuracies = [a for a in (group.accuracy for group in groups) if a is not None]
        answered = [r for group in groups for r in group.rollouts if r.stop is not Stop.ERROR]
        verdicts = [verdict for group in groups for verdict in group.verdicts]
        self._counts["groups"] += len(accuracies)
        self._counts["accuracy"] += sum(accuracies)
        self._counts["answered"] += len(answered)
        self._counts["tokens"] += sum(r.num_tokens for r in answered)
        self._counts["truncated"] += sum(r.stop is Stop.LENGTH for r in answered)
        self._counts["none"] += sum(v.gave_none for v in verdicts)
        self._counts["undecided"] += sum(v.is_undecided for v in verdicts)

    @property
    def numbers(self) -> dict[str, float]:
        """What has nothing to average is left out; undecided rollouts are counted when there are any."""
        counts, numbers = self._counts, dict[str, float]()
        if counts["groups"]:
            numbers["pass@1"] = counts["accuracy"] / counts["groups"]
        if answered := counts["answered"]:
            numbers |= {"tokens": counts["tokens"] / answered, "truncated": counts["truncated"] / answered}
        if counts["undecided"]:
            numbers["undecided"] = counts["undecided"]
        if answered:
            numbers["no answer"] = counts["none"] / answered
        return numbers


def group_to_row(group: Group) -> dict[str, Any]:
    """What rollouts.jsonl keeps of a group: texts and verdicts, not token ids (the problem is in problems.jsonl)."""
    return {
        "problem_id": group.problem.id,
        "rollouts": [
            {
                "text": r.text, "stop": r.stop.value, "tokens": r.num_tokens, "score": v.score, "reason": v.reason,
                **({"extracted": v.extracted} if v.extracted is not None else {}),
                **({"calls": r.calls} if r.calls != 1 else {}),
                **({"error": r.error} if r.error else {}),
                **({"detail": dict(r.detail)} if r.detail is not None else {}),
                **({"order": list(r.order)} if r.order is not None else {}),
            }
            for r, v in zip(group.rollouts, group.verdicts, strict=True)
        ],
    }  # fmt: skip


def group_from_row(row: Mapping[str, Any], problem: Problem) -> Group:
    """The group that `group_to_row` wrote."""
    kept = row["rollouts"]
    return Group(
        problem=problem,
        rollouts=tuple(
            Rollout(
                problem_id=problem.id, index=index, text=r["text"], stop=Stop(r["stop"]), num_tokens=r["tokens"],
                calls=r.get("calls", 1), error=r.get("error", ""), detail=r.get("detail"),
                order=tuple(r["order"]) if "order" in r else None,
            )
            for index, r in enumerate(kept)
        ),
        verdicts=tuple(Verdict(score=r["score"], reason=r["reason"], extracted=r.get("extracted")) for r in kept),
    )  # fmt: skip


def read_groups(path: Path, problems: Sequence[Problem]) -> list[Group]:
    """Groups of a finished rollouts.jsonl, for the problems it holds."""
    by_id = {problem.id: problem for problem in problems}
    return [group_from_row(row, by_id[row["problem_id"]]) for row in read_jsonl(path) if row["problem_id"] in by_id]


def _resume(problems: Sequence[Problem], path: Path, *, n: int, chunk: int) -> list[Group]:
    rows = read_jsonl(path)
    pairs = zip(rows, problems, strict=False)
    if len(rows) > len(problems) or any(r["problem_id"] != p.id or len(r["rollouts"]) != n for r, p in pairs):
        raise RunError(f"{path}: holds rollouts of other problems or another n; delete it, or use another directory")
    whole = len(rows) if len(rows) == len(problems) else len(rows) - len(rows) % chunk
    truncate_jsonl(path, whole)
    return [group_from_row(row, problem) for row, problem in zip(rows[:whole], problems, strict=False)]


__all__ = [
    "CHUNK",
    "Asked",
    "Judged",
    "Review",
    "attempt",
    "by_problem",
    "group_from_row",
    "group_to_row",
    "read_groups",
    "sample",
    "to_ask",
    "verify_groups",
]
