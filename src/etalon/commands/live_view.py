"""How far a CLR flow is: a few live lines on a terminal, a line now and then in a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from etalon.clr.live.watch import ClrEvent, ClrProgress, Rank, line, short
from etalon.report.terminal import plain
from etalon.show.progress import show_seconds

ANSWER_WIDTH = 48


class ClrView(Protocol):
    """Shows the events of one flow."""

    def show(self, event: ClrEvent) -> None: ...


@contextmanager
def view_of(stream: TextIO) -> Iterator[ClrView]:
    """A live view on a terminal, plain lines elsewhere; what it showed last stays."""
    console = Console(file=stream)
    if not console.is_interactive:
        yield LineView(console)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield LiveView(live)


class LiveView:
    """Redrawn at each event: a flow sends one at least every second."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, event: ClrEvent) -> None:
        self._live.update(drawing(event.progress), refresh=True)


class LineView:
    """A line whenever another quarter of the trajectories has ended, when verification begins, and at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = (0, False)

    def show(self, event: ClrEvent) -> None:
        progress = event.progress
        mark = (4 * progress.ended // progress.k, progress.verified > 0)
        if mark != self._shown or event.kind == "finish":
            self._shown = mark
            self._console.print(Text(plain(line(progress))), soft_wrap=True)


def drawing(progress: ClrProgress) -> Group:
    """Trajectories done, leader and rival with their scores, calls, tokens, time left."""
    bar = ProgressBar(total=progress.k, completed=progress.ended, width=30)
    head = Table.grid(padding=(0, 2))
    left = "" if progress.eta_seconds is None else f"about {show_seconds(progress.eta_seconds)} left"
    dropped = f" ({progress.dropped} dropped)" if progress.dropped else ""
    head.add_row(bar, Text(f"{progress.ended}/{progress.k} trajectories{dropped}"), Text(left))
    ranks = Table.grid(padding=(0, 2))
    for name, rank in (("leader", progress.leader), ("rival", progress.rival)):
        ranks.add_row(Text(name), *_cells(rank))
    spent = (
        f"{progress.verified} verified, {progress.calls_open} of {progress.calls} calls open, "
        f"{short(progress.tokens)} tokens, {show_seconds(progress.seconds)}"
    )
    return Group(head, ranks, Text(spent))


def _cells(rank: Rank | None) -> list[Text]:
    if rank is None:
        return [Text("none yet")]
    shown = plain(rank.answer)
    answer = shown if len(shown) <= ANSWER_WIDTH else f"{shown[: ANSWER_WIDTH - 1]}…"
    top = f" to {rank.score_max:.2f}" if rank.score_max > rank.score else ""
    return [Text(answer), Text(f"{rank.votes} votes"), Text(f"score {rank.score:.2f}{top}")]


def summary(record: Mapping[str, Any]) -> list[str]:
    """What a finished record comes to, in a few lines."""
    clusters = sorted(record["clusters"], key=lambda cluster: cluster["answer"] != record["answer"])
    scores = [f"{c['answer']}: {c['votes']} votes, score {_span(c)}" for c in clusters[:3]]
    usage, full = record["usage"], record["calls_full"]
    reason = {"stop": "decided", "budget": "budget used up", "interrupted": "interrupted"}[record["finish_reason"]]
    lines = [
        *([told_of(record)] if record.get("fallback") else []),
        *(["; ".join(scores)] if scores else []),
        f"{reason}: {usage['calls']} calls (a full CLR: {full}), {usage['total_tokens']:,} tokens, "
        f"{show_seconds(record['seconds'])}",
    ]
    counted = [f"{count} {name.replace('_', ' ')}" for name, count in record["counts"].items() if count]
    if "reference" in record:
        marks = {True: "right", False: "wrong", None: "undecided"}
        found = f"CLR {marks[record['correct']]}, majority (Cons@K) {marks[record['cons_k']]}"
        share = "" if record["pass1"] is None else f", Pass@1 {record['pass1']:.2f}"
        lines.append(f"against {record['reference']}: {found}{share}")
    return [*lines, f"counted: {', '.join(counted)}"]


def told_of(record: Mapping[str, Any]) -> str:
    """What answered in place of CLR, and why."""
    words = {"majority": "the majority vote", "plain": "a plain answer, the first whole response"}
    return f"fallback to {words[record['fallback']]}, not CLR: {record['error']}"


def _span(cluster: Mapping[str, Any]) -> str:
    low, high = cluster["score"], cluster["score_max"]
    return f"{low:.2f}" if high <= low else f"{low:.2f} to {high:.2f}"
