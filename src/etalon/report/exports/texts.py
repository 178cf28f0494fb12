"""Results as CSV, Markdown, LaTeX and a fragment of a model card; one row per benchmark in each."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etalon.report.exports.cells import ACCURACIES, CURVES, columns, published_of, remarks, whole
from etalon.report.exports.shape import BenchmarkRow, PublishedRow, ResultsFile, shaped
from etalon.report.html import UNPRINTABLE
from etalon.report.read import Number

CAPTION = (
    "Score: percent right, the mean over n samples of each problem, then over problems; in brackets its 95% interval."
)
AS_THEY_ARE = (
    "name", "title", "domain", "problems", "of", "n", "samples", "avg", "low", "high", "sampling_noise", "truncated",
    "no_answer", "undecided", "failed", "undecided_problems", "mean_tokens", "tokens_per_right", "tokens_per_second",
    "seconds", "answers", "checker", "verdict", "verdict_refused", "licence", "file", "sha256", "prompt_hash",
)  # fmt: skip
JUDGED = ("name", "avg", "low", "high", "open", "undecided", "disagreements")
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~$#])")


def line(words: str) -> str:
    """One printable line."""
    return " ".join(UNPRINTABLE.sub("\ufffd", words).split())


# ---- CSV


def as_csv(results: Mapping[str, Any]) -> str:
    """Every number with all its digits (shares in 0..1); what is not known is empty."""
    found = shaped(results)
    records = [_record(found, row) for row in found.benchmarks]
    head = list(dict.fromkeys(name for record in records for name in record)) or ["model", *AS_THEY_ARE]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, head, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


def _record(results: ResultsFile, row: BenchmarkRow) -> dict[str, str]:
    found: dict[str, str | Number] = {"model": results.model, **{name: getattr(row, name) for name in AS_THEY_ARE}}
    found |= {f"{curve}@{k}": value for curve in CURVES for k, value in row.over_k(curve).items()}
    for name, accuracy in row.accuracies.items():
        if name in ACCURACIES:
            found |= {name: accuracy.share, f"{name}_low": accuracy.low, f"{name}_high": accuracy.high}
    if row.judge.name:
        found |= {f"judge_{name}": getattr(row.judge, name) for name in JUDGED}
    if row.cost.total is not None:
        found |= {"cost": row.cost.total, "cost_per_right": row.cost.per_right, "currency": row.cost.currency}
    found["published"] = "; ".join(f"{one.model}={_exact(one.score)}" for one in row.published)
    found |= row.drawn | {name: words for name, words in results.protocol().items() if name != "model"}
    return {name: line(value) if isinstance(value, str) else _exact(value) for name, value in found.items()}


def _exact(value: Number) -> str:
    return "" if value is None else f"{value:.0f}" if value == int(value) else repr(value)


# ---- Markdown


def as_markdown(results: Mapping[str, Any]) -> str:
    """A table, then its caption and remarks."""
    found = shaped(results)
    lines = [*_markdown_table(found.benchmarks), "", f"{_plain(found.model)}. {CAPTION}", *_markdown_remarks(found)]
    return "\n".join(lines) + "\n"


def as_card(results: Mapping[str, Any]) -> str:
    """A section of a model card: the scores with their intervals, and the protocol that they hold for."""
    found = shaped(results)
    protocol = [f"- {_plain(name)}: {_plain(words)}" for name, words in found.protocol().items() if name != "model"]
    own = [f"- {_plain(row.called)}: {_plain(', '.join(_own(found, row)))}" for row in found.benchmarks]
    lines = ["## Evaluation", "", *_markdown_table(found.benchmarks), "", CAPTION, *_markdown_remarks(found)]
    lines += ["", "### Protocol", "", *protocol, *own]
    lines += ["", "Truncated answers are those that the cap cut; undecided and failed samples count as neither."]
    return "\n".join(lines) + "\n"


def _own(results: ResultsFile, row: BenchmarkRow) -> Iterator[str]:
    """The protocol of one benchmark as far as it is its own."""
    yield f"n = {whole(row.n)}"
    yield from (f"{name} {words}" for name, words in results.own(row).items())
    for name, words in (("answers", row.answers), ("prompt", row.prompt_hash), ("file", row.sha256)):
        yield f"{name} {words or 'not told'}"


def _markdown_table(rows: Sequence[BenchmarkRow]) -> list[str]:
    if not rows:
        return ["No benchmark has been scored."]
    shown = columns(rows) | {"Published": published_of}
    lines = [list(shown), ["---", *["---:"] * (len(shown) - 2), "---"]]
    lines += [[_plain(cell(row)) for cell in shown.values()] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _markdown_remarks(results: ResultsFile) -> list[str]:
    told = [f"- {_plain(row.called)}: {_plain(words)}" for row in results.benchmarks for words in remarks(row)]
    told += [f"- {_plain(row.called)}: {_cited(one)}" for row in results.benchmarks for one in row.published]
    return ["", *told] if told else []


def _cited(one: PublishedRow) -> str:
    """Where a published number stands: its protocol and its source."""
    drawn = f", n = {one.n:g}" if one.n is not None else ""
    source = f", {_plain(one.source)}" if one.source else ""
    return f"{_plain(one.model)} {_plain(one.metric or 'avg')}{drawn}{source}"


def _plain(words: str) -> str:
    """Words that Markdown shows as they are: no markup, no HTML, no new cell."""
    return MARKDOWN.sub(r"\\\1", line(words).replace("&", "&amp;"))


# ---- LaTeX


def as_latex(results: Mapping[str, Any]) -> str:
    """A booktabs table; the preamble needs `booktabs`, and `fontspec` for names outside Latin."""
    found = shaped(results)
    rows = found.benchmarks
    shown = columns(rows) | {"Published": published_of}
    lines = [[_latex(name) for name in shown], *([_latex(cell(row)) for cell in shown.values()] for row in rows)]
    head, *body = [f"    {' & '.join(cells)} \\\\" for cells in lines]
    told = [(row, words) for row in rows for words in (*_drawn(found, row), *remarks(row))]
    notes = [f"  {_latex(row.called)}: {_latex(words)}.\\\\" for row, words in told]
    protocol = ", ".join(f"{name} {words}" for name, words in found.protocol().items())
    return "\n".join(
        [
            "% \\usepackage{booktabs}",
            "\\begin{table}",
            "  \\centering\\small\\setlength{\\tabcolsep}{4pt}",
            f"  \\begin{{tabular}}{{l{'r' * (len(shown) - 2)}l}}",
            *("    \\toprule", head, "    \\midrule", *body, "    \\bottomrule"),
            "  \\end{tabular}",
            f"  \\caption{{{_latex(CAPTION)} {_latex(protocol)}.}}",
            *(["  \\par\\footnotesize\\noindent", *notes] if notes else []),
            "\\end{table}\n",
        ]
    )


def _drawn(results: ResultsFile, row: BenchmarkRow) -> list[str]:
    own = results.own(row)
    return [", ".join(f"{name} {words}" for name, words in own.items())] if own else []


def _latex(words: str) -> str:
    """Words as LaTeX sets them; a first [ or * stands in braces, for `\\\\` before it would take it for its own."""
    shown = "".join(LATEX.get(letter, letter) for letter in line(words))
    return f"{{{shown[0]}}}{shown[1:]}" if shown.startswith(("[", "*")) else shown
