"""What else a reader must know of a score, a line each: other accuracies, other checkers, what was left out, costs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from etalon.report.exports.cells import percentage, scored, whole
from etalon.report.exports.published import published_score, standing
from etalon.report.exports.shape import (
    AccuracyRow,
    AgreementRow,
    BenchmarkRow,
    ContestRow,
    CostRow,
    JudgeRow,
    OfficialRow,
    ResultsFile,
    TheirsRow,
)
from etalon.report.read import mapping, number

ACCURACIES = {
    "prompt_strict": "prompt strict", "prompt_loose": "prompt loose",
    "instruction_strict": "instruction strict", "instruction_loose": "instruction loose",
}  # fmt: skip
MOST_JUDGED = 10  # (ours) disagreements with a judge that are shown; results.json has more


def remarks(results: ResultsFile, row: BenchmarkRow) -> Iterator[str]:
    """The remarks on one score; those on verdicts by others first, warnings last."""
    yield from _verdicts(results, row)
    yield from map(_contest, row.contests)
    if row.checker:
        yield f"checked by {row.checker}"
    if row.errors:
        yield f"failed: {', '.join(f'{whole(count)} {kind}' for kind, count in row.errors.items())}"
    if row.is_clr and (calls := number(mapping(row.clr).get("calls_per_answer"))) is not None:
        yield f"CLR: {calls:.1f} calls for each answer"
    if row.undecided_problems:
        yield f"{whole(row.undecided_problems)} problems have no decided sample and are left out of the score"
    if row.without:
        yield f"without {', '.join(row.without)}"
    if row.near_copies:
        several = f"{whole(row.near_copies)} problems are near copies of others"
        told = "1 problem is a near copy of another" if row.near_copies == 1 else several
        yield f"{told}; the interval counts them together"
    if row.cost.total is not None:
        yield _cost(row.cost)
    if row.verdict_refused:
        yield f"no verdict: {row.verdict_refused}"
    yield from (f"warning: {warning}" for warning in row.warnings if warning != row.verdict_refused)


def _verdicts(results: ResultsFile, row: BenchmarkRow) -> Iterator[str]:
    """How the score is under other rules or by other checkers."""
    known = {words: row.accuracies[name] for name, words in ACCURACIES.items() if name in row.accuracies}
    if known:
        yield "; ".join(f"{words} {_accuracy(one)}" for words, one in known.items())
    if row.judge.name:
        yield from _judge(row.judge, row)
    if row.official.tool:
        yield _official(row.official)
    if row.theirs.samples:
        yield _theirs(row.theirs, results.tool or "the log")


def _accuracy(one: AccuracyRow) -> str:
    open_ones = f", {whole(one.undecided)} undecided" if one.undecided else ""
    return f"{scored(one.share, one.low, one.high)} of {whole(one.decided)}{open_ones}"


def _judge(judge: JudgeRow, row: BenchmarkRow) -> Iterator[str]:
    on = "" if judge.problems is None else f" on {whole(judge.problems)} of {whole(row.problems)} problems"
    score = f"no score ({judge.refused})" if judge.refused else f"{scored(judge.avg, judge.low, judge.high)}{on}"
    yield (
        f"with {judge.name} as judge {score}: asked about {whole(judge.open)} "
        f"samples, {whole(judge.undecided)} undecided, {whole(judge.disagreements)} disagreements"
    )
    if judge.published:
        told = (f"{one.model} {published_score(one)} ({standing(one)})" for one in judge.published)
        yield f"the judged score beside published ones: {'; '.join(told)}"
    if judge.agreement.pairs:
        yield _agreement(judge.agreement)


def _agreement(one: AgreementRow) -> str:
    decided = (one.pairs or 0) - (one.undecided or 0)
    agreed = decided - (one.wrongly_yes or 0) - (one.wrongly_no or 0)
    counts = f"{whole(one.wrongly_yes)} wrong Yes, {whole(one.wrongly_no)} wrong No, {whole(one.undecided)} undecided"
    interval = scored(one.share, one.low, one.high)
    return f"the judge agrees with {whole(agreed)} of {whole(decided)} labelled pairs, {interval}: {counts}"


def disagreements(judge: JudgeRow) -> list[list[str]]:
    """The first answers on which judge and rules differ: problem/sample, reference, answer, rules, judge."""
    return [
        [f"{one.id}/{whole(one.index)}", one.reference, one.answer, *(_word(score) for score in (one.rules, one.judge))]
        for one in judge.listed[:MOST_JUDGED]
    ]


def _word(score: float | None) -> str:
    return "undecided" if score is None else "right" if score >= 1.0 else "wrong"


def _official(one: OfficialRow) -> str:
    counts = {
        "right by both": one.both_right, "wrong by both": one.both_wrong, "right here alone": one.only_ours,
        "right there alone": one.only_theirs, "undecided here": one.undecided, "without its verdict": one.missing,
    }  # fmt: skip
    told = ", ".join(f"{whole(number)} {words}" for words, number in counts.items() if number)
    return f"{one.tool}, its own checker, says {percentage(one.avg)}: of the programs {told or 'none'}"


def _theirs(one: TheirsRow, tool: str) -> str:
    apart = {"right here alone": one.only_ours, "right there alone": one.only_theirs}
    told = "".join(f", {whole(number)} {words}" for words, number in apart.items() if number)
    agreed = whole((one.agree or 0.0) * (one.samples or 0.0))
    return f"{tool}'s own verdicts agree on {agreed} of {whole(one.samples)}{told}"


def _contest(one: ContestRow) -> str:
    when = f" ({one.date})" if one.date else ""
    open_ones = f", {whole(one.undecided)} undecided" if one.undecided else ""
    return f"{one.name}{when}: {whole(one.right)} of {whole(one.of)}{open_ones}"


def _cost(one: CostRow) -> str:
    """`cost: 0.0040 USD in all, 0.00011 for each right answer`."""
    unit = f" {one.currency}" if one.currency else ""
    each = "" if one.per_right is None else f", {money(one.per_right)} for each right answer"
    return f"cost: {money(one.total or 0.0)}{unit} in all{each}"


def money(amount: float) -> str:
    """At least two decimals, and two digits of what is less than one."""
    decimals = 1 - math.floor(math.log10(amount)) if 0 < amount < 1 else 2
    return f"{amount:,.{max(decimals, 2)}f}"
