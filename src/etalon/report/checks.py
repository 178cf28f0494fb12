"""Did each stage do its job? Every claim of the method against what was measured; what failed comes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from etalon.report.files import Run, Score
from etalon.report.html import Html, between, count, percent, section, share, signed, tag
from etalon.report.stages import OWN_DOMAIN, domains, scored

Outcome = Literal["no", "unclear", "yes"]
WORDS = {"no": "did not", "unclear": "cannot tell", "yes": "did"}
REASONING = ("math", "code", "stem")
SHORTER, FUSION_LOSS, STUDENT_LOSS, MANY_TRUNCATED = 0.2, 0.02, 0.01, 0.05  # (ours)


@dataclass(frozen=True, kw_only=True)
class Check:
    outcome: Outcome
    claim: str
    measured: str


def check_section(run: Run) -> Html:
    found = [check for find in (_unfinished, _gains, _losses, _fusions, _student, _clr, _counts) for check in find(run)]
    found.sort(key=lambda check: list(WORDS).index(check.outcome))
    lines = [
        tag("li", tag("b", WORDS[c.outcome]), tag("div", c.claim, " ", tag("span", c.measured)), class_=c.outcome)
        for c in found
    ]
    num_red = sum(check.outcome != "yes" for check in found)
    lead = f"{num_red} of {len(found)} claims did not hold, or cannot be told from chance. They come first."
    return section("checks", "What did not do its job", lead, tag("ul", *lines, class_="checks"))


def _unfinished(run: Run) -> Iterator[Check]:
    for stage in run.summary.stages:
        if stage.skipped:
            yield Check(outcome="no", claim=f"{stage.name} ran.", measured=f"Skipped: {stage.skipped}")
    for folder in run.folders:
        if not folder.is_done:
            yield Check(outcome="no", claim=f"{folder.name} finished.", measured="Its DONE.json is not there.")
        broken = [step for step in folder.steps if step.loss is None and step.accuracy is None]
        if broken:
            worst = f"{len(broken)} of {len(folder.steps)} steps have neither a finite loss nor an accuracy."
            yield Check(outcome="no", claim=f"{folder.name} stayed finite.", measured=worst)


def change(score: Score) -> str:
    return f"{signed(score.delta)} {between(score.delta_low, score.delta_high)}"


def _gains(run: Run) -> Iterator[Check]:
    for name, domain in OWN_DOMAIN.items():
        lines = scored(run, domain)
        at = next((i for i, (stage, _) in enumerate(lines) if stage.name == name), None)
        if at is None:
            continue
        score = lines[at][1]
        rises = score.is_clear and (score.delta or 0) > 0
        if name == "rl-long2short":
            yield _shortening(lines[at - 1][1] if at else None, score)
        else:
            outcome: Outcome = "yes" if rises else "no" if score.is_clear else "unclear"
            yield Check(outcome=outcome, claim=f"{name} lifts Pass@1 on {domain}.", measured=change(score))


def _shortening(before: Score | None, after: Score) -> Check:
    claim = f"rl-long2short makes correct math answers {SHORTER:.0%} shorter without losing Pass@1."
    old, new = (before.correct_tokens if before else None), after.correct_tokens
    if not old or new is None:
        return Check(outcome="unclear", claim=claim, measured="Lengths of correct answers are not known.")
    worse = after.is_clear and (after.delta or 0) < 0
    measured = f"{count(old, 1)} to {count(new, 1)} tokens ({signed(new / old - 1)}), Pass@1 {change(after)}"
    return Check(outcome="no" if worse or new > (1 - SHORTER) * old else "yes", claim=claim, measured=measured)


def _losses(run: Run) -> Iterator[Check]:
    for domain in domains(run):
        for stage, score in scored(run, domain):
            if score.is_clear and (score.delta or 0) < 0 and OWN_DOMAIN.get(stage.name) != domain:
                yield Check(outcome="no", claim=f"{stage.name} leaves {domain} alone.", measured=change(score))


def _fusions(run: Run) -> Iterator[Check]:
    for folder in run.folders:
        if folder.probe is None:
            continue
        best, fused = folder.probe.best_single, folder.probe.means(folder.probe.fused).passk
        claim = f"{folder.name} is no worse than the best single checkpoint in mean Pass@K."
        if best is None or fused is None:
            yield Check(outcome="unclear", claim=claim, measured="Not all skills were probed.")
        else:
            outcome: Outcome = "yes" if fused >= best - FUSION_LOSS else "no"
            yield Check(outcome=outcome, claim=claim, measured=f"{share(fused)} against {share(best)}")


def _student(run: Run) -> Iterator[Check]:
    means = {
        stage.name: [s.pass1 for d in REASONING if (s := stage.domains.get(d)) and s.pass1 is not None]
        for stage in run.summary.stages
    }
    complete = {name: sum(found) / len(found) for name, found in means.items() if len(found) == len(REASONING)}
    rivals = {name: value for name, value in complete.items() if name.startswith("rl-")}
    if "distill" not in complete or not rivals:
        return
    best = max(rivals, key=rivals.__getitem__)
    outcome: Outcome = "yes" if complete["distill"] >= rivals[best] - STUDENT_LOSS else "no"
    measured = f"Mean Pass@1 over math, code and STEM {share(complete['distill'])}, {best} {share(rivals[best])}"
    yield Check(outcome=outcome, claim="The distilled student matches every RL checkpoint.", measured=measured)


def _clr(run: Run) -> Iterator[Check]:
    clr = run.summary.clr
    ours, fair = clr.get("clr"), clr.get("cons_2k")
    if ours is not None and fair is not None:
        low, high = clr.get("clr_low"), clr.get("cons_2k_high")
        is_clear = low is not None and high is not None and low > high
        outcome: Outcome = "yes" if is_clear else "no" if ours <= fair else "unclear"
        measured = f"{share(ours)} against {share(fair)} of the majority vote with 2K samples"
        yield Check(outcome=outcome, claim="CLR beats the majority vote at equal cost.", measured=measured)
    verify = clr.get("verify_accuracy")
    if verify is not None:
        outcome = "yes" if verify > 0.6 else "no"
        yield Check(outcome=outcome, claim="The model tells valid claims from invalid ones.", measured=percent(verify))


def _counts(run: Run) -> Iterator[Check]:
    lines = [(stage, d, score) for stage in run.summary.stages for d, score in stage.domains.items()]
    cut = [f"{s.name} on {d}: {percent(x.truncated)}" for s, d, x in lines if (x.truncated or 0) > MANY_TRUNCATED]
    words = "; ".join(cut) or "nowhere more"
    yield Check(outcome="no" if cut else "yes", claim=f"At most {MANY_TRUNCATED:.0%} were truncated.", measured=words)
    undecided = {s.name: sum(x.undecided or 0 for x in s.domains.values()) for s in run.summary.stages}
    total = f"{count(sum(undecided.values()))} rollouts" + "".join(f"; {n}: {u:g}" for n, u in undecided.items() if u)
    yield Check(outcome="no" if any(undecided.values()) else "yes", claim="Every rollout was decided.", measured=total)
