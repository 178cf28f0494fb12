"""What the models said: six problems before and after every stage, and a browser of all the rollouts there is room for.

section(run, directory): problems and rollouts of a run -> the part of its page "transcripts"
`browser` shows any rollouts; a page with either passes SCRIPTS to `document`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from etalon.config.stages import EVALUATION
from etalon.report.files import Folder, Run
from etalon.report.html import Html, join, tag
from etalon.report.html import section as framed
from etalon.report.read import Reader, mapping, text
from etalon.report.stages import RL, targets
from etalon.report.transcripts.before import stage_html
from etalon.report.transcripts.browser import BUDGET, MOST_ROLLOUTS, SCRIPTS, browser
from etalon.report.transcripts.pairs import Pair, Shift, pairs_of, shifts_of
from etalon.report.transcripts.rows import ROLLOUTS, Answers, Place, Question, questions, read_answers

__all__ = ["BUDGET", "MOST_ROLLOUTS", "SCRIPTS", "Answers", "Question", "browser", "section"]

PAIR_BYTES = 900_000  # (ours) of all texts of the pairs, which their markup comes on top of
TEXT_BYTES = 2500  # (ours) of one of them
TEXTS_OF_PAIR = 5  # a prompt, two thoughts and what follows each
LEAD = (
    "The same problem, asked with the same seed, before a stage and after it. Six for every stage that changed the "
    "weights, chosen by rule: the three whose solve rate rose most, of the domains that it trains on while these have "
    "any; the two whose solve rate fell most, one of these domains and one of the domain that lost most; one that "
    "stays unsolved. Of each side the first answer is shown that tells it: a wrong one and a right one, of the same "
    "prompt. Cut is an answer that ran into the token limit, no answer is one that ended by itself without any, "
    "undecided is one that nobody could judge."
)
ELSEWHERE = (
    "rollouts of the data, of prefilters, of self-distillation and of CLR, which are in the files of their stages"
)
PARTIAL = (
    "Chosen and counted here among {part:.0%} of the problems, evenly over all of them: the rest of these rollouts was "
    "not read, for they are large."
)
CLAIMS = "Votes, claims and verdicts of CLR are under "


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A stage and the evaluated one that it is measured against."""

    stage: str
    source: str
    preferred: Sequence[str]
    shifts: Sequence[Shift] = field(repr=False)
    pairs: Sequence[Pair] = field(repr=False)


def section(run: Run, directory: Path) -> Html:
    """The part of a run's page with what its models said; nothing where no rollouts were kept."""
    asked = questions(directory)
    phases = [folder.name for folder in run.folders if folder.kind == RL]
    found = read_answers(_places(run, directory, phases), asked)
    if not found.answers:
        return join([])
    compared = _compared(run, directory, asked, found.answers)
    num_pairs = sum(len(one.pairs) for one in compared)
    num_bytes = min(TEXT_BYTES, PAIR_BYTES // (TEXTS_OF_PAIR * max(num_pairs, 1)))
    folds = [
        stage_html(one.stage, one.source, one.shifts, one.pairs, preferred=one.preferred, num_bytes=num_bytes)
        for one in compared
    ]
    shown = browser(
        asked,
        found.answers,
        first=[pair.question.id for one in compared for pair in one.pairs],
        left_out=[*found.left_out, ELSEWHERE],
    )
    notes = [_unasked(run)]
    notes += [tag("p", CLAIMS, tag("a", "CLR", href="#clr"), ".", class_="note")] if run.clr else []
    if folds and found.part < 1:
        folds.insert(0, tag("p", PARTIAL.format(part=found.part), class_="note"))
    lead = LEAD if folds else "No stage has been evaluated both before and after it yet."
    return framed(
        "transcripts",
        "Before and after, answer by answer",
        lead,
        *folds,
        tag("h3", "Browse the rollouts"),
        shown,
        *notes,
    )


def _unasked(run: Run) -> Html:
    """The stages whose answers are those of another."""
    told = [f"{row.name} is as {row.same}" for row in run.summary.stages if row.same]
    return (
        tag("p", f"Weights that did not change are not asked again: {', '.join(told)}.", class_="note")
        if told
        else join([])
    )


def _places(run: Run, directory: Path, phases: Sequence[str]) -> list[Place]:
    """The files of the evaluations and of the phases, in the order of the recipe."""
    stages = directory / "stages"
    names = [folder.name for folder in run.folders if folder.name.startswith(EVALUATION)]
    return [
        *(Place(stage=name.removeprefix(EVALUATION), path=stages / name / ROLLOUTS) for name in names),
        *(Place(stage=name, path=stages / name / ROLLOUTS, is_phase=True) for name in phases),
    ]


def _compared(run: Run, directory: Path, asked: Mapping[str, Question], answers: Sequence[Answers]) -> list[Compared]:
    """Every stage with an evaluation of its own, against the nearest one before it that has one."""
    evaluated: dict[str, dict[str, Answers]] = {}
    for one in answers:
        if one.step is None:
            evaluated.setdefault(one.stage, {})[one.problem_id] = one
    reader = Reader(directory)
    folders = {folder.name: folder for folder in run.folders}
    compared = []
    for name, folder in folders.items():
        if name not in evaluated:
            continue
        source = _before(folder, folders, evaluated, reader)
        if source is None:
            continue
        shifts = shifts_of(asked, evaluated[source], evaluated[name])
        preferred = _trained_on(run, folder, shifts)
        pairs = pairs_of(shifts, preferred)
        compared.append(Compared(stage=name, source=source, preferred=preferred, shifts=shifts, pairs=pairs))
    return compared


def _trained_on(run: Run, folder: Folder, shifts: Sequence[Shift]) -> list[str]:
    """The domains that a stage is meant to get better at, as the table of stages has them."""
    row = run.row(folder.name)
    named = targets(run, row) if row else folder.inputs.domains
    present = dict.fromkeys(one.question.domain for one in shifts)
    return [domain for domain in present if domain in named]


def _before(
    folder: Folder, folders: Mapping[str, Folder], evaluated: Mapping[str, object], reader: Reader
) -> str | None:
    """The stage whose answers are those of what `folder` starts from; None where nothing before it was evaluated."""
    seen: set[str] = set()
    name = folder.inputs.source
    while name and name not in seen:
        seen.add(name)
        if name in evaluated:
            return name
        done = mapping(reader.json(f"stages/{EVALUATION}{name}/DONE.json"))
        same = text(mapping(done.get("outputs")).get("as"))
        name = same or (folders[name].inputs.source if name in folders else "")
    return None
