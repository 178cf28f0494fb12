"""Test-time scaling: CLR beside the majority vote at the same and at twice the samples, and problems to look into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.report.charts import draw, svg
from etalon.report.files import Measured, Run
from etalon.report.html import (
    MISSING,
    Html,
    between,
    clip,
    count,
    duration,
    figure,
    folded,
    grid,
    join,
    percent,
    section,
    share,
    signed,
    tag,
)
from etalon.report.read import Number
from etalon.report.trials import Cluster, Trajectory, Trial
from etalon.show.table import CLR_METHODS as METHODS
from etalon.stats import excludes_zero

MARKS = {True: "right", False: "wrong", None: "undecided"}
HELD = {True: "holds", False: "refuted", None: "not judged"}


def clr_section(run: Run) -> Html:
    lead = (
        "Claim-level reliability (3.1) costs up to 2K calls, so its fair rival is Cons@2K, the majority vote of 2K "
        "samples. With claims: trajectories, whose prompt asks for claims too. Its problems are held-out math of the "
        "level that the stage asks for, so not always those of the evaluations. In percent; a bar is the 95% interval, "
        "clustered by problem."
    )
    parts = [_measured(measured, is_alone=len(run.clr) == 1) for measured in run.clr]
    return section("clr", "CLR", lead, *parts) if parts else join([])


def _measured(measured: Measured, *, is_alone: bool) -> Html:
    """One CLR stage: its methods side by side, its costs, some of its problems."""
    clr = measured.numbers
    of = f" of {measured.of}" if measured.of else ""
    title = [] if is_alone and not of else [tag("h3", f"{measured.name}{of}")]
    if not any(method in clr for method in METHODS) and not measured.trials:
        return join([*title, tag("p", f"Skipped: {measured.skipped}" if measured.skipped else "Not finished.")])
    facts = {
        "K =": count(clr.get("k")),
        "M =": count(clr.get("m")),
        "problems": count(clr.get("problems")),
        "undecided problems": count(clr.get("undecided")),
        "calls": count(clr.get("calls")),
        "of the full cost": percent(_ratio(clr.get("calls"), clr.get("calls_full"))),
        "tokens": count(clr.get("tokens")),
        "of those of Cons@2K": percent(_ratio(clr.get("tokens"), clr.get("tokens_cons_2k"))),
        "refuted of wrong answers": percent(clr.get("rejected_wrong")),
        "of right ones": percent(clr.get("rejected_right")),
        "trajectories without claims": count(clr.get("no_claims")),
        "unreadable verdicts": count(clr.get("unreadable_verdicts")),
    }
    shown = tag("p", *(tag("span", f"{name} {value}") for name, value in facts.items()), class_="facts")
    differing, first = measured.num_disagreeing, ", those first" if measured.num_disagreeing else ""
    told = (
        f"CLR and the vote of the same trajectories disagree on {differing} of {measured.num_trials} problems; "
        f"{len(measured.trials)} to read{first}"
    )
    more = [tag("h3", told), *map(trial_html, measured.trials)] if measured.trials else []
    return join([*title, _verdict(measured), _methods(measured), shown, *more])


def against_vote(numbers: Mapping[str, Any]) -> tuple[Number, str]:
    """CLR@K minus Cons@2K where its 95% interval excludes 0, else 0; None where one is not known. And both in words."""
    ours, fair = numbers.get("clr"), numbers.get("cons_2k")
    if ours is None or fair is None:
        return None, ""
    low, high = (numbers.get(f"clr_minus_cons_2k_{end}") for end in ("low", "high"))
    difference = f"{signed(ours - fair)} {between(low, high, '+')}"
    return (
        ours - fair if excludes_zero(low, high) else 0.0
    ), f"{share(ours)} against {share(fair)}, paired difference {difference}"


def _verdict(measured: Measured) -> Html:
    """Whether CLR beat the vote, and how sure that is, before anything else."""
    gain, words = against_vote(measured.numbers)
    if gain is None:
        return join([])
    told = "CLR@K clearly beats" if gain > 0 else "CLR@K clearly loses to" if gain else "CLR@K cannot be told from"
    return tag("p", tag("b", f"{told} Cons@2K: "), f"{words}.")


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _methods(measured: Measured) -> Html:
    clr, rows, lines = measured.numbers, [], []
    for key, name in METHODS.items():
        value, low, high = (clr.get(f"{key}{end}") for end in ("", "_low", "_high"))
        if value is None:
            continue
        span = [low, high] if low is not None and high is not None else []
        style = "own" if key == "clr" else ""
        point = (value, "dot c1" if key == "clr" else "dot c0")
        rows.append(svg.Row(label=name, points=[point], span=span, note=share(value), style=style))
        lines.append([name, share(value), between(low, high)])
    if not rows:
        return join([])
    ends = [end for row in rows for end in (*row.span, row.points[0][0])]
    marks = draw.ticks(min(ends), max(ends))
    chart = svg.row_chart("CLR and majority votes", rows, (max(marks[0], 0.0), min(marks[-1], 1.0)), "accuracy")
    table = grid(("Method", "Accuracy, %", "95% interval"), lines)
    return tag("div", figure("Accuracy", chart), table, class_="charts")


def trial_html(trial: Trial) -> Html:
    """One problem, folded: its clusters, its costs, every trajectory with its claims and verdicts."""
    winner = trial.winner
    name = trial.problem_id or clip(trial.question, 80)
    mark = MARKS[winner.correct] if winner else MISSING
    judged = f"CLR {mark}" if trial.answer or winner is None else f"CLR says {clip(winner.answer, 80)}"
    return folded(f"{name}: {judged}{', against the majority' if trial.disagrees else ''}", *trial_parts(trial))


def trial_parts(trial: Trial, *, is_alone: bool = False) -> list[Html]:
    """What there is to say about one problem; `is_alone` on its page, its trajectories are not folded."""
    costs = costs_of(trial)
    judged = [_trajectory(number, one) for number, one in enumerate(trial.trajectories)]
    title = f"{len(judged)} trajectories and their claims"
    told = [tag("span", f"{name}: {words}") for name, words in facts_of(trial).items()]
    return [
        tag("div", clip(trial.question, 2000), class_="text"),
        *([tag("p", trial.error, class_="note")] if trial.error else []),
        *([_clusters(trial), tag("p", reason_of(trial), class_="note")] if trial.clusters else []),
        tag("p", *told, class_="facts"),
        *([tag("h3", "What it cost"), grid(("Stage", "Calls", "Prompt tokens", "Tokens"), costs)] if costs else []),
        *([folded("The answer in full", tag("div", clip(trial.text, 8000), class_="text"))] if trial.text else []),
        *([tag("h3", title), *judged] if is_alone else [folded(title, *judged)]),
    ]


def _clusters(trial: Trial) -> Html:
    """The clusters; whether they are right is shown where a reference is known."""
    rows = []
    for cluster in trial.clusters:
        by = [name for name, one in (("CLR", trial.winner), ("majority", trial.voted)) if one == cluster]
        marked = [MARKS[cluster.correct]] if trial.answer else []
        rows.append([clip(cluster.answer, 80), count(cluster.votes), score_of(cluster), *marked, ", ".join(by)])
    verdict = ["Verdict"] if trial.answer else []
    return grid(("Answer", "Votes", "Sum of reliability", *verdict, "Chosen by"), rows)


def facts_of(trial: Trial) -> dict[str, str]:
    """What is known of one problem beside its clusters, in words; empty things are left out."""
    counted = {name.replace("_", " "): count(number) for name, number in trial.counts.items() if number}
    saved = {f"{name.replace('_', ' ')} saved": count(number) for name, number in trial.saved.items() if number}
    found = {
        "reference answer": clip(trial.answer, 200),
        "majority of the same trajectories (Cons@K)": clip(trial.majority, 80),
        "first trajectory (one sample)": clip(trial.first, 80),
        "Pass@1 of the same trajectories": "" if trial.pass1 is None else percent(trial.pass1),
        "model": trial.model,
        "K": "" if trial.k is None else count(trial.k),
        "M": "" if trial.m is None else count(trial.m),
        "early decision": trial.early,
        "finished": trial.finish_reason,
        "not by CLR": f"fallback ({clip(trial.fallback, 20)}): {clip(trial.error, 300)}" if trial.fallback else "",
        "calls": "" if trial.calls is None else f"{count(trial.calls)} of {count(trial.calls_full)}",
        "took": "" if trial.seconds is None else duration(trial.seconds),
        "cost": "" if trial.money is None else f"{trial.money:.4g}",
        **counted,
        **saved,
    }
    return {name: words for name, words in found.items() if words}


def costs_of(trial: Trial) -> list[list[str]]:
    """Stage, calls, prompt tokens and tokens; stages without calls are left out."""
    tables = (trial.calls_by, trial.prompt_tokens_by, trial.tokens_by)
    return [[stage, *(count(table.get(stage)) for table in tables)] for stage, calls in trial.calls_by.items() if calls]


def score_of(cluster: Cluster) -> str:
    """The final score of a cluster, or the bounds that it lies between."""
    is_open = cluster.score is not None and cluster.score_max is not None and cluster.score_max > cluster.score
    return f"{count(cluster.score, 3)} to {count(cluster.score_max, 3)}" if is_open else count(cluster.score, 3)


def reason_of(trial: Trial) -> str:
    """Why this answer and no other, in one sentence."""
    winner = trial.winner
    if winner is None or winner.score is None:
        return ""
    rivals = [cluster for cluster in trial.clusters if cluster != winner]
    if not rivals:
        return "Every usable trajectory gives this answer, so no verdict could change it."
    best = max(rivals, key=lambda cluster: cluster.score_max or cluster.score or 0.0)
    top = (best.score_max or best.score or 0.0) + (trial.counts.get("pending") or 0.0)
    if trial.fallback:
        return "CLR had nothing to judge: this is the answer with the most votes."
    if trial.finish_reason in ("budget", "interrupted"):
        return "It ended before the answer was certain: this is the most promising one."
    return f"At least {count(winner.score, 3)} for it; no rival can have more than {count(top, 3)}."


def outcome_of(trajectory: Trajectory) -> str:
    """`answer 42, reliability 0.328`, or why it was dropped."""
    if trajectory.dropped:
        return f"dropped: {trajectory.dropped}{f' ({clip(trajectory.error, 300)})' if trajectory.error else ''}"
    known = trajectory.verified is not False and trajectory.reliability is not None
    judged = f"reliability {count(trajectory.reliability, 3)}" if known else "not verified"
    if trajectory.verified is False and trajectory.reliability is not None:
        judged = f"not verified, prior {count(trajectory.reliability, 3)}"
    return f"answer {clip(trajectory.answer, 80)}, {judged}"


def _trajectory(number: int, trajectory: Trajectory) -> Html:
    claims = [tag("li", tag("em", HELD[claim.valid]), " ", clip(claim.text, 300)) for claim in trajectory.claims]
    place = count(trajectory.index) if trajectory.index is not None else str(number)
    none = [] if trajectory.dropped else [tag("li", "no claims")]
    said = [tag("div", clip(trajectory.text, 1000), class_="text")] if trajectory.dropped and trajectory.text else []
    return tag("div", tag("p", f"{place}. {outcome_of(trajectory)}", class_="note"), *said, tag("ul", *claims or none))
