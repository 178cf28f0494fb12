"""The tables at the end of a run: what each stage bought, and what CLR bought.

`summary` is the content of a run's summary.json; its scores are shares, shown in percent; undecided is a count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etalon.stats import excludes_zero

FULL_WIDTH = 100
CAPTION = (
    "Pass@1, Pass@K and Change in percent. Change: Pass@1 against the stage it starts from, paired by problem, with "
    'its 95% interval; * when it excludes 0. "from" names that stage where it is not the one above, "as" the one with '
    "the very same weights."
)
WIDE_CAPTION = " 95%: interval of Pass@1. Cut: truncated answers in percent, Open: number of undecided ones."
RARE = ("Cut", "Open")
# of the first two and the second two: of trajectories, which were asked for claims as well, and of plain samples;
# then votes of plain samples: of 2K, and of as many as cost the calls or the tokens that CLR took
CLR_METHODS = {
    "pass1": "Pass@1 with claims", "plain_pass1": "Pass@1", "cons_k": "Cons@K with claims", "plain_cons_k": "Cons@K",
    "cons_2k": "Cons@2K", "cons_calls": "Cons, calls of CLR", "cons_tokens": "Cons, tokens of CLR", "clr": "CLR@K",
}  # fmt: skip


def print_summary(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Print both tables on stdout; a pipe gets 100 columns."""
    console = console or Console()
    if not console.is_terminal:
        console.width = FULL_WIDTH
    console.print(stage_table(summary, width=console.width))
    last = summary.get("clr")
    for clr in [*(summary.get("clr_before") or {}).values(), *([last] if last else [])]:
        about = f"CLR of {clr['of']}" if clr.get("of") else "CLR"
        console.print(clr_table({"clr": clr}) or Text(f"{about} skipped: {clr['skipped']}"))


def stage_table(summary: Mapping[str, Any], *, width: int = FULL_WIDTH) -> Table:
    """One row per stage and domain. Below 100 columns three columns are left out.

    A stage that was skipped, or has the very weights of another, says so and has no change.
    """
    is_wide = width >= FULL_WIDTH
    table = _table(CAPTION + (WIDE_CAPTION if is_wide else ""))
    table.add_column("Stage", overflow="fold")  # the only column that gives way to long names
    table.add_column("Domain", no_wrap=True)
    for name in ("Pass@1", *(["95%"] if is_wide else []), f"Pass@{_k_of(summary)}", "Tokens"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(Text("Change [95%]"), width=24)  # a reason for skipping is folded in it
    for name in RARE if is_wide else ():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Seconds", justify="right", no_wrap=True)
    above = None
    for stage in summary["stages"]:
        for row in _rows(stage, above, is_wide=is_wide):
            table.add_row(*map(Text, row))
        above = stage["name"]
    return table


def _k_of(summary: Mapping[str, Any]) -> int:
    """The K of Pass@K."""
    scores = (s for stage in summary["stages"] for s in (stage.get("domains") or {}).values())
    return next((int(s["k"]) for s in scores if s.get("k")), 8)


def clr_table(summary: Mapping[str, Any]) -> Table | None:
    """Accuracy of one answer, of majority votes and of CLR on the same problems; None when CLR did not run."""
    clr = summary.get("clr")
    if not clr or clr.get("skipped"):
        return None
    of = f"{clr['of']}, " if clr.get("of") else ""
    costs = f"{clr['calls']:,} of the {clr['calls_full']:,} model calls of a full CLR"
    if clr.get("tokens") and clr.get("tokens_cons_2k"):
        costs += f", {clr['tokens'] / clr['tokens_cons_2k']:.0%} of the tokens of Cons@2K"
    table = _table(f"{of}{clr['problems']} problems; {costs}")
    table.add_column("Answer by", no_wrap=True)
    table.add_column("Correct", justify="right", no_wrap=True)
    table.add_column(Text("[95%]"), no_wrap=True)
    for key, title in CLR_METHODS.items():
        if clr.get(key) is not None:
            interval = _interval(clr.get(f"{key}_low"), clr.get(f"{key}_high"), sign="")
            table.add_row(title, _percent(clr[key]), Text(interval))
    return table


def _table(caption: str) -> Table:
    return Table(
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
        caption=caption,
        caption_justify="left",
        min_width=60,
    )


def _rows(stage: Mapping[str, Any], above: str | None, *, is_wide: bool) -> Iterator[list[str]]:
    """The lines of one stage. above: the stage of the line before; narrow screens leave three columns out."""
    seconds = "" if stage.get("seconds") is None else f"{stage['seconds']:,.{0 if stage['seconds'] >= 1000 else 1}f}"
    domains = {} if stage.get("as") else stage.get("domains") or {}
    words = _instead(stage)
    source = stage.get("from")
    if source and source not in (above, stage.get("as")):
        told = f"from {source}{f'; {words}' if words else ''}"
    else:
        told = words
    dash = "" if domains and not words else "-"
    num_rare = len(RARE) if is_wide else 0
    if told or not domains:
        yield [stage["name"], "", *[dash] * (4 if is_wide else 3), told, *[dash] * num_rare, seconds]
    for number, (domain, scores) in enumerate(_with_sets(domains, stage.get("sets") or {})):
        bounds = [_whole(scores.get("pass1_low"), scores.get("pass1_high"))] if is_wide else []
        shares = [_percent(scores.get("pass1")), *bounds, _percent(scores.get("passk"))]
        counts = [
            _percent(scores.get("truncated")),
            _count(scores.get("undecided")),
        ]
        lead, tail = (stage["name"], seconds) if number == 0 and not told else ("", "")
        change = "-" if words else _change(scores)
        yield [lead, domain, *shares, _count(scores.get("mean_tokens")), change, *counts[:num_rare], tail]


def _with_sets(domains: Mapping[str, Any], sets: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every domain, and below it the data sets that it consists of, where there are several."""
    for domain, scores in domains.items():
        yield domain, scores
        for name, own in sets.items():
            if name.startswith(f"{domain}/"):
                yield f"- {name.removeprefix(f'{domain}/')}", own


def _instead(stage: Mapping[str, Any]) -> str:
    """Why a stage has no change to show; "" where it has."""
    same = f"as {stage['as']}" if stage.get("as") else ""
    skipped = f"skipped: {stage['skipped']}" if stage.get("skipped") else ""
    if same or skipped:
        return "; ".join(part for part in (same, skipped) if part)
    return "" if stage.get("domains") else "not evaluated"


def _change(scores: Mapping[str, Any]) -> str:
    """`+15.3 [+12.0, +18.6] *`; empty for the first stage."""
    delta, low, high = (scores.get(key) for key in ("delta", "delta_low", "delta_high"))
    if delta is None:
        return ""
    star = " *" if excludes_zero(low, high) else ""
    return f"{100 * delta:+.1f} {_interval(low, high, sign='+')}{star}".rstrip()


def _interval(low: float | None, high: float | None, *, sign: str) -> str:
    if low is None or high is None:
        return ""
    return f"[{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def _whole(low: float | None, high: float | None) -> str:
    """`82-92`: an interval of a share, outwards to whole percents."""
    return "-" if low is None or high is None else f"{math.floor(100 * low)}-{math.ceil(100 * high)}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _count(number: float | None) -> str:
    return "-" if number is None else f"{number:,.0f}"
