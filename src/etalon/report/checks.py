"""Did each stage do its job? Every claim of the method against what was measured; what does not hold comes first.

A claim says the tolerance it was held to, in the unit of the page: percent, and points for differences. Stages are
asked for their kind, domains and keys, never for their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from etalon.report.claims import against_vote
from etalon.report.files import Folder, Run, Score, StageRow
from etalon.report.html import MISSING, Html, count, folded, join, percent, section, share, signed, tag
from etalon.report.read import Number
from etalon.report.stages import before, change, domains, targets

Outcome = Literal["no", "unclear", "yes"]
WORDS = {"no": "does not hold", "unclear": "cannot tell", "yes": "holds"}
MOST_NAMED = 6
MOST_SHOWN = 24  # (ours) claims that stand open
SHORTER, FUSION_LOSS, STUDENT_LOSS, MANY_TRUNCATED, TOLD_APART = 0.2, 0.02, 0.01, 0.05, 0.1  # (ours)


@dataclass(frozen=True, kw_only=True)
class Check:
    outcome: Outcome
    claim: str
    measured: str


def check_section(run: Run) -> Html:
    parts = (_unfinished, _gains, _losses, _fusions, _students, _clr, _truncated, _undecided)
    found = [check for find in parts for check in find(run)]
    found.sort(key=lambda check: list(WORDS).index(check.outcome))
    num = {outcome: sum(check.outcome == outcome for check in found) for outcome in WORDS}
    lead = (
        f"Of {len(found)} checks {num['yes']} hold, {num['no']} do not, and {num['unclear']} cannot be told from "
        "chance. Clear: the 95% interval of a change excludes 0, as one in twenty does by chance."
    )
    red = [check for check in found if check.outcome != "yes"]
    shown, more, held = red[:MOST_SHOWN], red[MOST_SHOWN:], found[len(red) :]
    return section(
        "checks",
        "What held and what did not",
        lead,
        _listed(shown),
        *([folded(f"{len(more)} more that do not hold, or cannot be told", _listed(more))] if more else []),
        *([folded(f"{len(held)} {'holds' if len(held) == 1 else 'hold'}", _listed(held))] if held else []),
    )


def _listed(checks: Sequence[Check]) -> Html:
    lines = [
        tag("li", tag("b", WORDS[c.outcome]), tag("div", c.claim, " ", tag("span", c.measured)), class_=c.outcome)
        for c in checks
    ]
    return tag("ul", *lines, class_="checks") if lines else join([])


def _unfinished(run: Run) -> Iterator[Check]:
    for folder in run.folders:
        if folder.skipped:
            yield Check(outcome="no", claim=f"{folder.name} ran.", measured=f"Skipped: {folder.skipped}")
        if not folder.is_done:
            yield Check(outcome="no", claim=f"{folder.name} finished.", measured="Its DONE.json is not there.")
        broken = [step for step in folder.steps if step.loss is None and step.accuracy is None]
        if broken:
            worst = f"{len(broken)} of {len(folder.steps)} steps have neither a finite loss nor an accuracy."
            yield Check(outcome="no", claim=f"{folder.name} stayed finite.", measured=worst)


def _changed(run: Run) -> list[StageRow]:
    """The stages that have weights of their own."""
    return [stage for stage in run.summary.stages if not stage.unchanged]


def _gains(run: Run) -> Iterator[Check]:
    """A phase lifts the domains it trains on, or makes their answers shorter where that is what it is for."""
    folders = {folder.name: folder for folder in run.folders}
    for stage in _changed(run):
        folder = folders.get(stage.name)
        for domain in targets(run, stage):
            score = stage.domains.get(domain)
            if score is None:
                continue
            if folder is not None and folder.inputs.keys.strength:
                yield _shortening(folder, domain, before(run, stage, domain), score)
                continue
            rises = score.is_clear and (score.delta or 0) > 0
            outcome: Outcome = "yes" if rises else "no" if score.is_clear else "unclear"
            measured = "Nothing before it was evaluated there." if score.delta is None else change(score)
            claim = f"{stage.name} lifts Pass@1 on {domain} clearly above {stage.source or 'what it starts from'}."
            yield Check(outcome=outcome, claim=claim, measured=measured)


def _shortening(folder: Folder, domain: str, earlier: Score | None, after: Score) -> Check:
    """Long2Short (2.2): shorter correct answers at no clear loss of Pass@1."""
    strength = folder.inputs.keys.strength
    claim = (
        f"{folder.name} (λ = {strength:g}) makes correct answers on {domain} at least {SHORTER:.0%} shorter, without a "
        "clear loss of Pass@1."
    )
    old, new = (earlier.correct_tokens if earlier else None), after.correct_tokens
    if not old or new is None:
        return Check(outcome="unclear", claim=claim, measured="Lengths of correct answers are not known.")
    worse = after.is_clear and (after.delta or 0) < 0
    told = f"{count(old, 1)} to {count(new, 1)} tokens ({signed(new / old - 1)}%), Pass@1 "
    measured = join([told, change(after) if after.delta is not None else MISSING])
    return Check(outcome="no" if worse or new > (1 - SHORTER) * old else "yes", claim=claim, measured=measured)


def _losses(run: Run) -> Iterator[Check]:
    """No stage gets clearly worse on a domain that it does not train on."""
    for stage in _changed(run):
        known = [(d, score) for d, score in stage.domains.items() if score.delta is not None]
        others = sorted(
            (one for one in known if one[0] not in targets(run, stage)), key=lambda one: one[1].delta or 0.0
        )
        lost = [(domain, score) for domain, score in others if score.is_clear and (score.delta or 0) < 0]
        if not others:
            continue
        shown = lost[:MOST_NAMED] or others[:1]
        words = [w for domain, score in shown for w in (", ", f"{domain} ", change(score))][1:]
        more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
        kept = "the domains that it is not for" if targets(run, stage) else "every domain"
        claim = f"{stage.name} keeps {kept}: no clear loss."
        measured = join([*([] if lost else ["The lowest: "]), *words, more])
        yield Check(outcome="no" if lost else "yes", claim=claim, measured=measured)


def _fusions(run: Run) -> Iterator[Check]:
    for folder in run.folders:
        if folder.probe is None:
            continue
        best, (_, fused) = folder.probe.best_single, folder.probe.means(folder.probe.fused)
        claim = (
            f"{folder.name} is at most {points(FUSION_LOSS)} below the best single checkpoint in mean "
            f"Pass@{count(folder.probe.k)} of its probe."
        )
        if best is None or fused is None:
            yield Check(outcome="unclear", claim=claim, measured="Not all skills were probed.")
        else:
            outcome: Outcome = "yes" if fused >= best - FUSION_LOSS else "no"
            yield Check(outcome=outcome, claim=claim, measured=f"{share(fused)} against {share(best)}")


def _students(run: Run) -> Iterator[Check]:
    """A distilled student against those of its teachers that are stages of the run, over the domains they taught."""
    for folder in run.folders:
        taught = folder.selection.teachers
        student, known = run.row(folder.name), domains(run)
        names = [domain for domain in taught if domain in known]
        teachers = [row for name in dict.fromkeys(taught.values()) if (row := run.row(name)) is not None]
        if student is None or student.unchanged or not names or not teachers:
            continue
        means = {row.name: _mean(row, names) for row in (student, *teachers)}
        mine = means.pop(student.name)
        best = max(means, key=lambda name: means[name] or 0.0)
        theirs = means[best]
        claim = (
            f"{student.name} is at most {points(STUDENT_LOSS)} below the best of its teachers in mean Pass@1 over "
            f"{', '.join(names)}."
        )
        if mine is None or theirs is None:
            yield Check(outcome="unclear", claim=claim, measured="Not all of them were evaluated.")
        else:
            outcome: Outcome = "yes" if mine >= theirs - STUDENT_LOSS else "no"
            yield Check(outcome=outcome, claim=claim, measured=f"{share(mine)} against {share(theirs)} of {best}")


def points(tolerance: float) -> str:
    return f"{100 * tolerance:g} point{'' if tolerance == 0.01 else 's'}"


def _mean(row: StageRow, names: list[str]) -> float | None:
    found = [score.pass1 for name in names if (score := row.domains.get(name)) and score.pass1 is not None]
    return sum(found) / len(found) if len(found) == len(names) else None


def _clr(run: Run) -> Iterator[Check]:
    for measured in run.clr:
        found = measured.numbers
        of = f" of {measured.of}" if measured.of else ""
        gain, words = against_vote(found)
        if gain is not None:
            outcome: Outcome = "yes" if gain > 0 else "no" if gain else "unclear"
            claim = f"CLR@K{of} clearly beats the majority vote of 2K samples."
            yield Check(outcome=outcome, claim=claim, measured=words)
        wrong, right = found.get("rejected_wrong"), found.get("rejected_right")
        if wrong is not None and right is not None:
            claim = (
                f"{measured.of or measured.name} refutes claims of wrong answers more often than those of right ones, "
                f"by at least {points(TOLD_APART)}."
            )
            words = f"{percent(wrong)} of the wrong and {percent(right)} of the right ones"
            yield Check(outcome="yes" if wrong - right >= TOLD_APART else "no", claim=claim, measured=words)


def _truncated(run: Run) -> Iterator[Check]:
    """The evaluations and phases that cut many answers, the worst of them by name."""
    stages = [stage for stage in run.summary.stages if not stage.same]
    found = [(score.truncated, f"{stage.name} on {name}") for stage in stages for name, score in stage.domains.items()]
    for folder in run.folders:
        steps = [step.truncated for step in folder.steps if step.truncated is not None]
        found += [(sum(steps) / len(steps), f"the steps of {folder.name}")] if steps else []
    known = sorted(((part, where) for part, where in found if part is not None), reverse=True)
    if not known:
        return
    cut = [one for one in known if one[0] > MANY_TRUNCATED]
    words = "; ".join(f"{where} {percent(part)}" for part, where in cut[:MOST_NAMED] or known[:1])
    words += f"; and {len(cut) - MOST_NAMED} more" if len(cut) > MOST_NAMED else ""
    claim = f"At most {MANY_TRUNCATED:.0%} of the answers of every evaluation and of every phase were truncated."
    yield Check(outcome="no" if cut else "yes", claim=claim, measured=words if cut else f"The most: {words}")


def _undecided(run: Run) -> Iterator[Check]:
    """Everything that any stage counts as undecided, wherever this page shows it."""
    found = []
    for stage in run.summary.stages:
        total = 0.0 if stage.same else sum(score.undecided or 0 for score in stage.domains.values())
        found += [f"evaluation of {stage.name}: {_counted(total, 'rollout')}"] if total else []
    for folder in run.folders:
        steps, pool = sum(step.undecided or 0 for step in folder.steps), folder.pool
        found += [f"steps of {folder.name}: {_counted(steps, 'rollout')}"] if steps else []
        if pool and pool.undecided:
            found.append(f"prefilter of {folder.name}: {_counted(pool.undecided, 'prompt', pool.prompts)}")
        for gate in folder.gates:
            about = f"gate {gate.gate} of {folder.name} ({count(gate.kept)} kept, {count(gate.dropped)} dropped)"
            found += [f"{about}: {_counted(gate.undecided, 'row')}"] if gate.undecided else []
    for measured in run.clr:
        problems = measured.numbers.get("undecided")
        found += [f"{measured.name}: {_counted(problems, 'problem')}"] if problems else []
    words = "; ".join(found) or "None was undecided, in evaluations, in training and in the data."
    yield Check(outcome="no" if found else "yes", claim="Everything was decided.", measured=words)


def _counted(number: float, noun: str, of: Number = None) -> str:
    """`1 rollout`, `21 of 1,031 rows`."""
    part = f"{count(number)} of {count(of)}" if of else count(number)
    return f"{part} {noun}{'' if (of or number) == 1 else 's'}"
