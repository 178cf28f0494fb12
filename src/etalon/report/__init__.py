"""One self-contained report.html from the files of a run; training never imports this.

write_report(run_dir): files -> load -> Run -> sections -> one page without network or second file
write_answers(trials, path): the same kind of page for answers of CLR
`evaluation.write_page` makes that of an evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etalon.errors import InputError
from etalon.report import transcripts
from etalon.report.charts.spectrum import across_section
from etalon.report.checks import check_section
from etalon.report.claims import clr_section, trial_html, trial_parts
from etalon.report.files import Run
from etalon.report.head import bought_section, title
from etalon.report.html import CHARTS, Html, clip, contents, count, document, folded, section, tag
from etalon.report.load import load_run
from etalon.report.rl import rl_section
from etalon.report.stages import spectrum_section, stage_section
from etalon.report.training import data_section, distill_section, sft_section
from etalon.report.trials import Trial
from etalon.store import write_atomic


def write_report(run_dir: Path) -> Path:
    """Write report.html into a run directory, finished or not, and return its path."""
    if not run_dir.is_dir():
        raise InputError(f"{run_dir}: no such run directory")
    path = run_dir / "report.html"
    write_atomic(path, page(load_run(run_dir), run_dir))
    return path


def page(run: Run, directory: Path) -> str:
    """The whole document: what was bought and at what price first, what explains it after that."""
    answers = transcripts.section(run, directory)
    sections = [
        bought_section(run, answers),
        stage_section(run),
        check_section(run),
        answers,
        spectrum_section(run),
        across_section(run),
        rl_section(run),
        sft_section(run),
        data_section(run),
        distill_section(run),
        clr_section(run),
        _inputs(run),
    ]
    body = tag("body", tag("header", *title(run), contents(sections)), *sections)
    told = ", ".join([run.name, f"seed {count(run.seed)}", *run.overrides])
    scripts = (*CHARTS, *(transcripts.SCRIPTS if answers else ()))
    return document(f"{told}: Etalon report", body, scripts=scripts)


def write_answers(trials: Sequence[Trial], path: Path) -> Path:
    """One page with every cluster, claim and verdict of these answers."""
    alone = len(trials) == 1
    facts = tag("p", f"{len(trials)} answers by claim-level reliability (CLR)" if not alone else "", class_="facts")
    shown = (
        [tag("section", *trial_parts(trials[0], is_alone=True))]
        if alone
        else [tag("section", *map(trial_html, trials))]
    )
    winner = trials[0].winner
    title = (f"Answer: {clip(winner.answer, 120)}" if winner else "No answer") if alone else path.stem
    write_atomic(path, document(f"{clip(title, 60)}: CLR", tag("body", tag("header", tag("h1", title), facts), *shown)))
    return path


def _inputs(run: Run) -> Html:
    versions = tag("pre", "\n".join(f"{name}: {value}" for name, value in run.env.items()) or "not recorded")
    files = [folded(name, tag("pre", content)) for name, content in run.folded.items() if content]
    lead = "What made this run. Sections in brackets are those of the VibeThinker-3B report, arXiv 2606.16140."
    return section("inputs", "Environment and recipe", lead, folded("Environment", versions), *files)
