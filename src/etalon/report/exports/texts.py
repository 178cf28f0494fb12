"""Results as CSV, Markdown, LaTeX and a fragment of a model card; one row per benchmark in each."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etalon.report.exports.cells import COUNTS, CURVES, caption, columns, legend, short_columns
from etalon.report.exports.published import COLUMNS, beside, differing, published_score, settings
from etalon.report.exports.remarks import ACCURACIES, remarks
from etalon.report.exports.shape import BenchmarkRow, ResultsFile, shaped
from etalon.report.html import UNPRINTABLE
from etalon.report.read import Number, mapping, number, text

AS_THEY_ARE = (
    "name", "title", "domain", "problems", "of", "expected", "n", "samples", "missing", "metric", "avg", "low", "high",
    "sampling_noise", "truncated", "no_answer", "undecided", "failed", "undecided_problems", "mean_tokens",
    "tokens_per_right", "tokens_per_second", "seconds", "temperature", "top_p", "max_tokens", "answers", "checker",
    "verdict", "verdict_of", "verdict_refused", "licence", "file", "sha256", "prompt_hash",
)  # fmt: skip
JUDGED = ("name", "avg", "low", "high", "problems", "open", "undecided", "disagreements", "refused")
AGREEMENT = ("pairs", "undecided", "share", "low", "high", "wrongly_yes", "wrongly_no")
FLOW = ("k", "m", "calls_per_answer")
THEIRS = ("samples", "right", "agree", "only_ours", "only_theirs")
BESIDE = {name: COLUMNS[name] for name in ("Benchmark", "Model", "Published", "n", "Ours", "Verdict")}
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
    found |= {f"{curve}_at_{k}": value for curve in CURVES for k, value in row.over_k(curve).items()}
    if row.is_clr:
        found |= {f"clr_{name}": number(mapping(row.clr).get(name)) for name in FLOW}
    for name, accuracy in row.accuracies.items():
        if name in ACCURACIES:
            found |= {name: accuracy.share, f"{name}_low": accuracy.low, f"{name}_high": accuracy.high}
    if row.judge.name:
        found |= {f"judge_{name}": getattr(row.judge, name) for name in JUDGED}
    if row.judge.agreement.pairs:
        found |= {f"judge_agreement_{name}": getattr(row.judge.agreement, name) for name in AGREEMENT}
    if row.theirs.samples:
        found |= {"theirs_tool": results.tool} | {f"theirs_{name}": getattr(row.theirs, name) for name in THEIRS}
    if row.cost.total is not None:
        found |= {"cost": row.cost.total, "cost_per_right": row.cost.per_right, "currency": row.cost.currency}
    found["published"] = "; ".join(
        f"{one.model}={_exact(one.score)}{' (CLR)' if one.is_clr else ''}" for one in row.published
    )
    found |= _head(results)
    return {name: line(value) if isinstance(value, str) else _exact(value) for name, value in found.items()}


def _head(results: ResultsFile) -> dict[str, str | Number]:
    """What all rows share, as far as it is told."""
    server = mapping(results.server)
    told: dict[str, str | Number] = {
        "seed": results.seed, "system": results.system, "extra": text(results.extra),
        "endpoint": " ".join(results.endpoint), "server_version": text(server.get("version")),
        "server_max_model_len": number(server.get("max_model_len")), "started": results.started,
        "etalon": results.etalon,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value not in (None, "")}


def _exact(value: Number) -> str:
    return "" if value is None else f"{value:.0f}" if value == int(value) else repr(value)


# ---- Markdown


def as_markdown(results: Mapping[str, Any]) -> str:
    """The scores, their caption, what was published beside them, remarks."""
    found = shaped(results)
    rows = found.benchmarks
    lines = [*_scores(rows), "", f"{_plain(found.model)}. {_plain(caption(rows))}"]
    return "\n".join([*lines, *_published(rows), *_remarks(found)]) + "\n"


def as_card(results: Mapping[str, Any]) -> str:
    """A section of a model card: the scores with their intervals, and the protocol that they hold for."""
    found = shaped(results)
    rows = found.benchmarks
    protocol = [f"- {_plain(name)}: {_plain(words)}" for name, words in found.protocol().items() if name != "model"]
    own = [f"- {_plain(row.name)}: {_plain(', '.join(_own(found, row)))}" for row in rows]
    lines = ["## Evaluation", "", *_scores(rows), "", _plain(caption(rows)), *_published(rows), *_remarks(found)]
    lines += ["", "### Protocol", "", *protocol, *own]
    lines += ["", "Truncated answers are those that the cap cut; undecided and failed samples count as neither."]
    return "\n".join(lines) + "\n"


def _own(results: ResultsFile, row: BenchmarkRow) -> Iterator[str]:
    """The protocol of one benchmark as far as it is its own."""
    yield row.averaged
    yield from (f"{name} {words}" for name, words in results.own(row).items())
    yield f"answers {row.answers or 'not told'}"
    yield f"prompt {row.prompt_hash}" if row.prompt_hash else "prompt: as in the file"
    yield f"file {row.sha256 or 'not told'}"


def _scores(rows: Sequence[BenchmarkRow]) -> list[str]:
    if not rows:
        return ["No benchmark has been scored."]
    shown = columns(rows)
    return _table(list(shown), [[cell(row) for cell in shown.values()] for row in rows])


def _published(rows: Sequence[BenchmarkRow]) -> list[str]:
    """The published scores beside ours, then the sources, each once."""
    found = beside(rows)
    sources = dict.fromkeys(f"- {_plain(one.model)}: {_plain(one.source)}" for row in rows for one in row.published)
    return ["", *_table(list(COLUMNS), found, align="---"), "", *sources] if found else []


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, align: str = "---:") -> list[str]:
    lines = [[_plain(name) for name in head], ["---", *[align] * (len(head) - 1)]]
    lines += [[_plain(cell) for cell in row] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _remarks(results: ResultsFile) -> list[str]:
    told = [f"- {_plain(row.name)}: {_plain(words)}" for row in results.benchmarks for words in remarks(results, row)]
    return ["", *told] if told else []


def _plain(words: str) -> str:
    """Words that Markdown shows as they are: no markup, no HTML, no new cell."""
    return MARKDOWN.sub(r"\\\1", line(words).replace("&", "&amp;"))


# ---- LaTeX


def as_latex(results: Mapping[str, Any]) -> str:
    """Two booktabs tables, the scores and what was published beside them, narrow enough for a page.

    The preamble needs `booktabs`, and `fontspec` for names outside Latin.
    """
    found = shaped(results)
    rows = found.benchmarks
    shown = short_columns(rows)
    for name in COUNTS:
        if all(shown[name](row) == "0" for row in rows):
            del shown[name]
    protocol = ", ".join(f"{name} {words}" for name, words in found.protocol().items())
    told = [(row, words) for row in rows for words in (*_drawn(found, row), *remarks(found, row))]
    notes = [f"  {_latex(row.name)}: {_latex(words)}.\\\\" for row, words in told]
    scores = [[cell(row) for cell in shown.values()] for row in rows]
    tables = _tabular(list(shown), scores, f"{caption(rows)} {legend(shown)} {protocol}.", notes)
    if published := [[cell(row, one) for cell in BESIDE.values()] for row in rows for one in row.published]:
        sources = dict.fromkeys(one.source for row in rows for one in row.published if one.source)
        cited = [f"Sources: {'; '.join(sources)}"] if sources else []
        notes = [f"  {_latex(words)}.\\\\" for words in (*_settings(rows), *cited)]
        tables += _tabular(list(BESIDE), published, "Published scores beside ours.", notes)
    return "\n".join(["% \\usepackage{booktabs}", *tables])


def _settings(rows: Sequence[BenchmarkRow]) -> Iterator[str]:
    """How our scores were had that published ones stand beside, and what of their settings differs."""
    for row in rows:
        if row.published:
            yield f"{row.name}, ours: {settings(row)}"
        for one in row.published:
            if apart := differing(row, one):
                yield f"{row.name}, {one.model} {published_score(one)}: settings differ: {apart}"


def _tabular(head: Sequence[str], rows: Sequence[Sequence[str]], told: str, notes: Sequence[str]) -> list[str]:
    """A table with its caption; words stand left in the first column, all else right."""
    first, *body = [f"    {' & '.join(map(_latex, cells))} \\\\" for cells in (head, *rows)]
    return [
        "\\begin{table}",
        "  \\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}",
        f"  \\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        *("    \\toprule", first, "    \\midrule", *body, "    \\bottomrule"),
        "  \\end{tabular}",
        f"  \\caption{{{_latex(told)}}}",
        *(["  \\par\\footnotesize\\noindent", *notes] if notes else []),
        "\\end{table}\n",
    ]


def _drawn(results: ResultsFile, row: BenchmarkRow) -> list[str]:
    own = results.own(row)
    return [", ".join(f"{name} {words}" for name, words in own.items())] if own else []


def _latex(words: str) -> str:
    """Words as LaTeX sets them; a first [ or * stands in braces, for `\\\\` before it would take it for its own."""
    shown = "".join(LATEX.get(letter, letter) for letter in line(words))
    return f"{{{shown[0]}}}{shown[1:]}" if shown.startswith(("[", "*")) else shown
