"""The cells of a row of results, the same in every format: percentages have one decimal, a score has its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from etalon.report.exports.shape import AccuracyRow, BenchmarkRow, OfficialRow, PublishedRow
from etalon.report.read import Number, mapping, text

DASH = "-"
ACCURACIES = {
    "prompt_strict": "prompt strict", "prompt_loose": "prompt loose",
    "instruction_strict": "instruction strict", "instruction_loose": "instruction loose",
}  # fmt: skip
CURVES = ("pass", "maj")
Cells = dict[str, Callable[[BenchmarkRow], str]]


def percentage(part: Number) -> str:
    return DASH if part is None else f"{100 * part:.1f}"


def whole(number: Number) -> str:
    return DASH if number is None else f"{number:,.0f}"


def scored(score: Number, low: Number, high: Number) -> str:
    """`85.0 [78.1, 90.6]`."""
    if score is None or low is None or high is None:
        return percentage(score)
    return f"{100 * score:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def score_of(row: BenchmarkRow) -> str:
    return scored(row.avg, row.low, row.high)


def problems_of(row: BenchmarkRow) -> str:
    """`30`, or `10 of 30` where the file holds more."""
    return f"{whole(row.problems)} of {whole(row.of)}" if row.of and row.of != row.problems else whole(row.problems)


def ks(rows: Sequence[BenchmarkRow], *named: str) -> list[int]:
    """Every k above 1 that any row has of these curves, or of both; k = 1 is the score itself."""
    return sorted({k for row in rows for curve in named or CURVES for k in row.over_k(curve) if k > 1})


def curves(rows: Sequence[BenchmarkRow]) -> Cells:
    """The columns of pass@k and maj@k; a k that only some rows have is a dash in the others."""
    return {f"{curve}@{k}": partial(_at, curve, k) for curve in CURVES for k in ks(rows, curve)}


def _at(curve: str, k: int, row: BenchmarkRow) -> str:
    return percentage(row.over_k(curve).get(k))


def columns(rows: Sequence[BenchmarkRow], *, has_curves: bool = True) -> Cells:
    """What a table of these rows shows, by the head of the column."""
    return {
        "Benchmark": lambda row: row.called,
        "Problems": problems_of,
        "n": lambda row: whole(row.n),
        "Score [95%]": score_of,
        **(curves(rows) if has_curves else {}),
        "Truncated %": lambda row: percentage(row.truncated),
        "No answer %": lambda row: percentage(row.no_answer),
        "Undecided": lambda row: whole(row.undecided),
        "Failed": lambda row: whole(row.failed),
        "Tokens": lambda row: whole(row.mean_tokens),
    }


def published_of(row: BenchmarkRow) -> str:
    """Every published number with its model, `VibeThinker-3B 91.4 (inside)`."""
    return "; ".join(f"{one.model} {percentage(one.score)} ({standing(row, one)})" for one in row.published) or DASH


def standing(row: BenchmarkRow, one: PublishedRow) -> str:
    """Where our score stands beside a published one, in words; a number that is refused a verdict has none."""
    if not one.verdict:
        return "no verdict"
    if one.verdict == "inside" or row.avg is None or one.score is None:
        return "inside the interval" if one.verdict == "inside" else one.verdict
    return "ours is above" if row.avg > one.score else "ours is below"


def remarks(row: BenchmarkRow) -> Iterator[str]:
    """What else a reader must know of a score, a line each: other accuracies, the judge, what was left out."""
    known = {words: row.accuracies[name] for name, words in ACCURACIES.items() if name in row.accuracies}
    if known:
        yield "; ".join(f"{words} {_accuracy(one)}" for words, one in known.items())
    if row.judge.name:
        judge = row.judge
        yield (
            f"with {judge.name} as judge {scored(judge.avg, judge.low, judge.high)}: asked about {whole(judge.open)} "
            f"samples, {whole(judge.undecided)} undecided, {whole(judge.disagreements)} disagreements"
        )
    if row.official.tool:
        yield _official(row.official)
    if clr := mapping(row.clr):
        yield "CLR: " + ", ".join(f"{name} = {text(value)}" for name, value in clr.items())
    yield from (f"{contest.name}: {whole(contest.right)} of {whole(contest.of)}" for contest in row.contests)
    if row.checker:
        yield f"checked by {row.checker}"
    if row.undecided_problems:
        yield f"{whole(row.undecided_problems)} problems have no decided sample and are left out of the score"
    if row.without:
        yield f"without {', '.join(row.without)}"
    if row.near_copies:
        yield f"{whole(row.near_copies)} problems are near copies of others; the interval counts them together"
    if row.cost.total is not None:
        dear = f", {row.cost.per_right:.4g} per right answer" if row.cost.per_right is not None else ""
        yield f"cost {row.cost.total:.4g}{dear} {row.cost.currency}".rstrip()
    if row.verdict_refused:
        yield f"no verdict: {row.verdict_refused}"
    yield from (f"warning: {warning}" for warning in row.warnings)


def _official(one: OfficialRow) -> str:
    counts = {
        "right by both": one.both_right, "wrong by both": one.both_wrong, "right here alone": one.only_ours,
        "right there alone": one.only_theirs, "undecided here": one.undecided, "without its verdict": one.missing,
    }  # fmt: skip
    told = ", ".join(f"{whole(number)} {words}" for words, number in counts.items() if number)
    return f"{one.tool}, its own checker, says {percentage(one.avg)}: of the programs {told or 'none'}"


def _accuracy(one: AccuracyRow) -> str:
    open_ones = f", {whole(one.undecided)} undecided" if one.undecided else ""
    return f"{scored(one.share, one.low, one.high)} of {whole(one.decided)}{open_ones}"
