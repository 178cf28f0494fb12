"""The cells of a row of results, the same in every format: percentages have one decimal, a score has its interval."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import partial

from etalon.report.exports.shape import BenchmarkRow
from etalon.report.html import MISSING
from etalon.report.read import Number

CURVES = ("pass", "maj")
CAPTION = (
    "Score: percent right, the mean over n samples of each problem, then over problems; in brackets its 95% interval."
)
SHORT = {"Truncated %": "Cut %", "No answer %": "None %", "Undecided": "Open", "Problems": "Probl."}
COUNTS = ("Open", "Failed")  # columns that say nothing where all are 0
LEGEND = {
    "Cut %": "Cut: truncated", "None %": "None: without an answer", "Open": "Open: undecided samples",
    "Tokens": "Tokens: mean length",
}  # fmt: skip
Cells = dict[str, Callable[[BenchmarkRow], str]]


def percentage(part: Number) -> str:
    """`85.0`: a share in percent, a dash where nobody knows it."""
    return MISSING if part is None else f"{100 * part:.1f}"


def whole(number: Number) -> str:
    return MISSING if number is None else f"{number:,.0f}"


def bounds(low: Number, high: Number, sign: str = "") -> str:
    """`[78.1, 90.6]`; "" where one of them is not known. sign: "+" to have one on both."""
    return "" if low is None or high is None else f"[{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def scored(score: Number, low: Number, high: Number) -> str:
    """`85.0 [78.1, 90.6]`."""
    return percentage(score) if score is None else f"{percentage(score)} {bounds(low, high)}".rstrip()


def score_of(row: BenchmarkRow) -> str:
    """The score with its interval; that of CLR says so."""
    return f"{scored(row.avg, row.low, row.high)}{' CLR' if row.is_clr else ''}"


def problems_of(row: BenchmarkRow) -> str:
    """`30`, or `10 of 30` where the file holds more."""
    return f"{whole(row.problems)} of {whole(row.of)}" if row.of and row.of != row.problems else whole(row.problems)


def truncated_of(row: BenchmarkRow) -> str:
    """`17.5% truncated`; that nobody knows is said."""
    return "truncation not told" if row.truncated is None else f"{percentage(row.truncated)}% truncated"


def ks(rows: Sequence[BenchmarkRow], *named: str) -> list[int]:
    """Every k above 1 that any row has of these curves, or of both; k = 1 is the score itself."""
    return sorted({k for row in rows for curve in named or CURVES for k in row.over_k(curve) if k > 1})


def curves(rows: Sequence[BenchmarkRow]) -> Cells:
    """The columns of pass@k and maj@k; a k that only some rows have is a dash in the others."""
    return {f"{curve}@{k}": partial(at_k, curve, k) for curve in CURVES for k in ks(rows, curve)}


def at_k(curve: str, k: int, row: BenchmarkRow) -> str:
    """The value of "pass" or "maj" at k."""
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


def short_columns(rows: Sequence[BenchmarkRow], *, has_curves: bool = True) -> Cells:
    """The same columns under short heads, with the short names of the benchmarks."""
    found = columns(rows, has_curves=has_curves) | {"Benchmark": lambda row: row.name}
    return {SHORT.get(name) or name: cell for name, cell in found.items()}


def legend(heads: Container[str]) -> str:
    """What short heads mean."""
    return f"{'; '.join(words for name, words in LEGEND.items() if name in heads)}."


def caption(rows: Sequence[BenchmarkRow]) -> str:
    """What the scores are, those of CLR by name."""
    return f"{CAPTION} {clr_note(rows)}".rstrip()


def clr_note(rows: Sequence[BenchmarkRow]) -> str:
    """Which scores are of whole CLR flows; "" without any."""
    flows = [f"{row.name} {row.averaged}" for row in rows if row.is_clr]
    return f"CLR: a sample is the answer of a whole flow ({'; '.join(flows)})." if flows else ""
