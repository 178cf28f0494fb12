"""A CLR answer on a terminal: who won and why, what it cost, every claim with its verdict."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etalon.report.claims import HELD, MARKS, costs_of, facts_of, outcome_of, reason_of, score_of
from etalon.report.html import UNPRINTABLE, clip, count
from etalon.report.trials import Trial

_STEERING = re.compile(r"[\x80-\x9f]")  # C1 controls: harmless in a page, commands for some terminals
_STYLES = {True: "green", False: "red", None: "dim"}


def plain(text: str) -> str:
    """A model's words without what would steer a terminal."""
    return _STEERING.sub("\ufffd", UNPRINTABLE.sub("\ufffd", text.replace("\r", "")))


def print_trial(trial: Trial, console: Console, *, all_claims: bool = True) -> None:
    """Everything about one answer; without `all_claims` the trajectories are left out."""
    console.print(Text(plain(clip(trial.question, 2000)), style="bold"), soft_wrap=True)
    winner = trial.winner
    answer = f"Answer: {winner.answer}" if winner else f"No answer: {trial.error or 'nothing was usable'}"
    if winner is None and trial.fallback:
        answer = f"Plain answer: {clip(trial.text, 2000)}"
    console.print(Text(plain(f"\n{answer}")), soft_wrap=True)
    if trial.clusters:
        console.print(_clusters(trial))
        console.print(Text(plain(reason_of(trial))), soft_wrap=True)
    for name, words in facts_of(trial).items():
        console.print(Text(f"  {name}: {plain(words)}"), soft_wrap=True)
    if costs := costs_of(trial):
        console.print(_table(("Stage", "Calls", "Prompt tokens", "Tokens"), costs))
    for trajectory in trial.trajectories if all_claims else ():
        console.print(Text(f"\n{count(trajectory.index)}. {plain(outcome_of(trajectory))}", style="bold"))
        if trajectory.dropped and trajectory.text:
            console.print(Text(f"   {plain(clip(trajectory.text, 1000))}", style="dim"), soft_wrap=True)
        if not trajectory.claims and not trajectory.dropped:
            console.print(Text("   no claims", style="dim"))
        for claim in trajectory.claims:
            line = Text(f"   {HELD[claim.valid]:<10} ", style=_STYLES[claim.valid])
            console.print(line + Text(plain(clip(claim.text, 300)), style=""), soft_wrap=True)


def print_overview(trials: Sequence[Trial], console: Console) -> None:
    """One line per answer, those first where CLR and the majority vote disagree."""
    rows = []
    for trial in sorted(trials, key=lambda trial: not trial.disagrees):
        winner, voted = trial.winner, trial.voted
        rows.append(
            [
                clip(trial.problem_id or trial.question, 40),
                clip(winner.answer, 24) if winner else "none",
                MARKS[winner.correct] if winner and trial.answer else "",
                clip(voted.answer, 24) if voted else "none",
                clip(trial.answer, 24),
                f"{count(trial.calls)}/{count(trial.calls_full)}",
            ]
        )
    console.print(_table(("Problem", "CLR", "Is", "Majority", "Reference", "Calls"), rows))
    disagreeing = sum(trial.disagrees for trial in trials)
    console.print(Text(f"{len(trials)} answers, {disagreeing} against the majority; --problem NAME shows one of them"))


def _clusters(trial: Trial) -> Table:
    rows = []
    for cluster in trial.clusters:
        by = [name for name, one in (("CLR", trial.winner), ("majority", trial.voted)) if one == cluster]
        verdict = MARKS[cluster.correct] if trial.answer else ""
        rows.append([clip(cluster.answer, 60), count(cluster.votes), score_of(cluster), verdict, ", ".join(by)])
    return _table(("Answer", "Votes", "Sum of reliability", "Is", "Chosen by"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for number, name in enumerate(head):
        is_number = name in ("Votes", "Sum of reliability", "Calls", "Prompt tokens", "Tokens")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold", no_wrap=number > 0)
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table
