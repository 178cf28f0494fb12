"""Every number of one benchmark, from the verdicts on its samples: `measure`.

    verdicts by problem -> avg@n with its interval; the sampling noise apart   over problems, never over samples
                        -> pass@k (unbiased), maj@k (by equivalence)            over problems with k decided samples
                        -> the four accuracies of IFEval and IFBench
                        -> truncated, no answer, undecided, failed; tokens, seconds, cost

Failed and undecided samples are left out of every mean and counted; they are never wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etalon import stats
from etalon.evaluate.scoring import LEFT_OUT
from etalon.evaluate.store import Scored
from etalon.types import Problem, Stop
from etalon.verifiers import cluster
from etalon.verifiers.conventions import ANSWERED
from etalon.verifiers.instruct.compliance import follows_all

Verdicts = Mapping[str, Sequence[Scored]]  # by problem
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Money for a million tokens, asked and answered."""

    prompt: float
    completion: float


def default_ks(n: int) -> tuple[int, ...]:
    """1, 8 and n, as far as there are so many samples."""
    return tuple(sorted({1, min(8, n), n}))


def measure(
    verdicts: Verdicts,
    problems: Mapping[str, Problem],
    *,
    n: int,
    ks: Sequence[int],
    clusters: Mapping[str, str] | None = None,
    prices: Prices | None = None,
) -> Row:
    """The numbers of a benchmark, as a row of results.json has them.

    n: generations asked for; clusters: problem -> its near copies, which count as one for the interval.
    """
    means = solve_rates(verdicts)
    counts = [(len(own), sum(own)) for own in map(right_of, verdicts.values()) if own]
    scored = [one for own in verdicts.values() for one in own]
    row: Row = {
        "problems": len(verdicts),
        "samples": len(scored),
        "missing": len(verdicts) * n - len(scored),
        **bounded("avg", means, clusters or {}),
        "sampling_noise": stats.sampling_noise(counts),
        "pass": {
            str(k): _mean(stats.pass_at_k(decided, right, k) for decided, right in counts if decided >= k) for k in ks
        },
        "maj": majority(verdicts, problems, [k for k in ks if k > 1]),
    }
    if any(one.strict is not None for one in scored):
        row["accuracies"] = accuracies(verdicts, clusters or {})
    if any(one.theirs is not None for one in scored):
        row["theirs"] = agreement(scored)
    return row | shares(scored, undecided_problems=len(verdicts) - len(means)) | spent(scored, prices)


def solve_rates(verdicts: Verdicts) -> dict[str, float]:
    """Of each problem with a decided sample the share that is right."""
    rights = {id_: right_of(own) for id_, own in verdicts.items()}
    return {id_: sum(own) / len(own) for id_, own in rights.items() if own}


def right_of(scored: Iterable[Scored]) -> list[bool]:
    """Of each decided sample whether it is right."""
    return [one.is_right for one in scored if one.score is not None]


def bounded(name: str, means: Mapping[str, float], clusters: Mapping[str, str]) -> Row:
    """The mean over problems, with its interval; Nones without a problem."""
    if not means:
        return {name: None, "low": None, "high": None}
    found = stats.share_interval(list(means.values()), clusters=stats.cluster_ids(means, clusters))
    return {name: found.mean, "low": found.low, "high": found.high}


def majority(verdicts: Verdicts, problems: Mapping[str, Problem], ks: Sequence[int]) -> Row:
    """maj@k: the expected accuracy of a vote of k samples among equivalent answers; empty where nothing states one."""
    found: dict[int, list[float]] = {k: [] for k in ks}
    for id_, own in verdicts.items():
        if problems[id_].domain not in ANSWERED:
            continue
        decided = [one for one in own if one.score is not None]
        if ks and len(decided) >= min(ks):
            answers = _voted(problems[id_], decided)
            for k in ks:
                if k <= len(decided):
                    found[k].append(stats.cons_at_k(answers, [one.is_right for one in decided], k))
    return {str(k): _mean(own) for k, own in found.items() if own}


def _voted(problem: Problem, decided: Sequence[Scored]) -> list[int | None]:
    """The cluster of each sample's answer."""
    stated = [one.answer for one in decided]
    if problem.options:
        numbers = {answer: number for number, answer in enumerate(dict.fromkeys(one for one in stated if one))}
        return [None if one is None else numbers[one] for one in stated]
    return cluster(stated)


def accuracies(verdicts: Verdicts, clusters: Mapping[str, str]) -> Row:
    """Prompt and instruction level, strict and loose, with intervals; a prompt's rules are one cluster."""
    found: Row = {}
    for mode in ("strict", "loose"):
        followed = {id_: [f for one in own if (f := getattr(one, mode)) is not None] for id_, own in verdicts.items()}
        prompts = {id_: [[follows_all(rules) for rules in own]] for id_, own in followed.items()}
        found[f"prompt_{mode}"] = _accuracy(prompts, clusters)
        rules = {id_: [list(rule) for rule in zip(*own, strict=True)] for id_, own in followed.items()}
        found[f"instruction_{mode}"] = _accuracy(rules, clusters)
    return found


def _accuracy(outcomes: Mapping[str, list[list[bool | None]]], clusters: Mapping[str, str]) -> Row:
    """The share that is followed of what each problem asks: outcomes by problem, by what is asked, by sample."""
    asked = [(id_, samples) for id_, own in outcomes.items() for samples in own]
    decided = [(id_, found) for id_, samples in asked if (found := [one for one in samples if one is not None])]
    counts = {
        "decided": sum(len(found) for _, found in decided),
        "undecided": sum(one is None for _, samples in asked for one in samples),
    }
    if not decided:
        return {"share": None, "low": None, "high": None, **counts}
    owners = stats.cluster_ids([id_ for id_, _ in decided], {id_: clusters.get(id_, id_) for id_, _ in decided})
    interval = stats.share_interval([sum(own) / len(own) for _, own in decided], clusters=owners)
    return {"share": interval.mean, "low": interval.low, "high": interval.high, **counts}


def agreement(scored: Sequence[Scored]) -> Row:
    """Another tool's own verdicts beside ours, over the samples that both decided."""
    pairs = [(one.is_right, one.theirs >= 1.0) for one in scored if one.score is not None and one.theirs is not None]
    return {
        "samples": len(pairs),
        "right": _mean(theirs for _, theirs in pairs),
        "agree": _mean(mine == theirs for mine, theirs in pairs),
        "only_ours": sum(mine and not theirs for mine, theirs in pairs),
        "only_theirs": sum(theirs and not mine for mine, theirs in pairs),
    }


def shares(scored: Sequence[Scored], *, undecided_problems: int) -> Row:
    """What stands beside a score: shares truncated (of the answered) and without an answer (of the decided), counts.

    left_out: of the undecided, those of problems that their own judge leaves out, whatever the response.
    """
    answered = [one for one in scored if not one.has_failed]
    decided = [one for one in scored if one.score is not None]
    left_out = sum(one.reason == LEFT_OUT for one in scored)
    return {
        "truncated": _mean(one.stop is Stop.LENGTH for one in answered),
        "no_answer": _mean(one.no_answer for one in decided),
        "undecided": sum(one.score is None and not one.has_failed for one in scored),
        "failed": len(scored) - len(answered),
        "undecided_problems": undecided_problems,
        **({"left_out": left_out} if left_out else {}),
    }


def spent(scored: Sequence[Scored], prices: Prices | None) -> Row:
    """Tokens for a problem's sample and for a right answer, tokens per second while it sampled, money."""
    known = [one for one in scored if one.tokens is not None and not one.has_failed]
    tokens = [one.tokens for one in known if one.tokens is not None]
    right = sum(one.is_right for one in known)
    seconds = busy_seconds(scored)
    row: Row = {
        "mean_tokens": _mean(tokens),
        "tokens_per_right": sum(tokens) / right if right and tokens else None,
        "tokens_per_second": sum(tokens) / seconds if seconds and tokens else None,
        "seconds": seconds,
    }
    if prices is not None:
        asked = sum(one.prompt_tokens or 0 for one in scored)
        total = (asked * prices.prompt + sum(tokens) * prices.completion) / 1e6
        row["cost"] = {"total": total, "per_right": total / right if right else None}
    return row


def busy_seconds(scored: Iterable[Scored]) -> float | None:
    """How long at least one sample was under way: calls that overlap count once, pauses not. None when nobody knows."""
    spans = sorted((one.at - one.seconds, one.at) for one in scored if one.at is not None and one.seconds is not None)
    if not spans:
        return None
    total, until = 0.0, -math.inf
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return math.fsum(found) / len(found) if found else None
