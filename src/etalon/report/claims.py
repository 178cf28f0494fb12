"""Test-time scaling: CLR beside the majority vote at the same and at twice the samples, and problems to look into."""

from __future__ import annotations

from etalon.report import svg
from etalon.report.files import Cluster, Run, Trajectory, Trial
from etalon.report.html import (
    MISSING,
    Html,
    between,
    clip,
    count,
    figure,
    folded,
    grid,
    join,
    percent,
    section,
    share,
    tag,
)

METHODS = {"pass1": "Pass@1", "cons_k": "Cons@K", "cons_2k": "Cons@2K", "clr": "CLR@K"}
NUM_EXAMPLES = 6


def clr_section(run: Run) -> Html:
    clr = run.summary.clr
    if not any(clr.get(method) is not None for method in METHODS) and not run.trials:
        return join([])
    k = f"K = {count(clr.get('k'))}, M = {count(clr.get('m'))}, {count(clr.get('problems'))} problems."
    lead = (
        f"{k} Claim-level reliability (3.1) costs up to 2K calls, so its fair rival is the majority vote with 2K "
        "samples. A bar is the 95% interval, clustered by problem."
    )
    facts = {
        "calls": count(clr.get("calls")),
        "of the full cost": percent(_ratio(clr.get("calls"), clr.get("calls_full"))),
        "claim verdicts right": percent(clr.get("verify_accuracy")),
        "trajectories without claims": count(clr.get("no_claims")),
        "unreadable verdicts": count(clr.get("unreadable_verdicts")),
    }
    shown = tag("p", *(tag("span", f"{name} {value}") for name, value in facts.items()), class_="facts")
    examples = sorted(run.trials, key=lambda trial: not _disagrees(trial))[:NUM_EXAMPLES]
    disagreeing = sum(map(_disagrees, run.trials))
    title = f"{disagreeing} of {len(run.trials)} problems where CLR and the majority vote disagree"
    more = [tag("h3", title), *map(_trial, examples)] if run.trials else []
    return section("clr", "CLR", lead, _methods(run), shown, *more)


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _methods(run: Run) -> Html:
    clr, rows, lines = run.summary.clr, [], []
    for key, name in METHODS.items():
        value, low, high = (clr.get(f"{key}{end}") for end in ("", "_low", "_high"))
        if value is None:
            continue
        span = [low, high] if low is not None and high is not None else []
        style = "own" if key == "clr" else ""
        point = (value, "dot c1" if key == "clr" else "dot c0")
        rows.append(svg.Row(label=name, points=[point], span=span, note=share(value), style=style))
        lines.append([name, share(value), between(low, high, ".3f")])
    if not rows:
        return join([])
    ends = [end for row in rows for end in (*row.span, row.points[0][0])]
    marks = svg.ticks(min(ends), max(ends))
    chart = svg.row_chart("CLR and majority votes", rows, (max(marks[0], 0.0), min(marks[-1], 1.0)), "accuracy")
    table = grid(("Method", "Accuracy", "95% interval"), lines)
    return tag("div", figure("Accuracy", chart), table, class_="charts")


def _majority(trial: Trial) -> Cluster | None:
    """The first of the clusters with the most votes: they come in the order of their earliest trajectory."""
    return max(trial.clusters, key=lambda cluster: cluster.votes or 0, default=None)


def _disagrees(trial: Trial) -> bool:
    return trial.winner is not None and trial.winner != _majority(trial)


def _trial(trial: Trial) -> Html:
    marks = {True: "right", False: "wrong", None: "undecided"}
    rows = [
        [
            clip(cluster.answer, 80),
            count(cluster.votes),
            count(cluster.score, 3),
            marks[cluster.correct],
            "CLR" * (cluster == trial.winner) + " majority" * (cluster == _majority(trial)),
        ]
        for cluster in trial.clusters
    ]
    winner = trial.winner
    outcome = f"CLR {marks[winner.correct] if winner else MISSING}"
    title = f"{trial.problem_id}: {outcome}{', against the majority' if _disagrees(trial) else ''}"
    cost = f"Reference answer: {clip(trial.answer, 200)}. {count(trial.calls)} of {count(trial.calls_full)} calls."
    judged = [_trajectory(number, one) for number, one in enumerate(trial.trajectories, 1)]
    parts = [
        tag("div", clip(trial.question, 2000), class_="text"),
        tag("p", cost, class_="note"),
        grid(("Answer", "Votes", "Sum of reliability", "Verdict", "Chosen by"), rows),
        folded(f"{len(judged)} trajectories and their claims", *judged),
    ]
    return folded(title, *parts)


def _trajectory(number: int, trajectory: Trajectory) -> Html:
    words = {True: "holds", False: "refuted", None: "not judged"}
    claims = [tag("li", tag("em", words[claim.valid]), " ", clip(claim.text, 300)) for claim in trajectory.claims]
    head = f"{number}. answer {clip(trajectory.answer, 80)}, reliability {share(trajectory.reliability)}"
    return tag("div", tag("p", head, class_="note"), tag("ul", *claims or [tag("li", "no claims")]))
