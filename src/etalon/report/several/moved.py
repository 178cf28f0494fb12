"""Problems that moved most between two runs, with an answer of each side to read.

means.json of both -> `Paired.moved` -> rollouts.jsonl of both evaluations -> what A said and what B said
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from etalon.config.stages import EVALUATION
from etalon.report.html import Html, clip, count, folded, join, minus, section, tag
from etalon.report.read import Reader, mapping, number, objects, text
from etalon.report.several.paired import STAGES, Moved, Paired, SideBySide, done_of
from etalon.report.transcripts.browser import told_of
from etalon.report.transcripts.pairs import sample
from etalon.report.transcripts.rows import ROLLOUTS, Answers, Question, kind_of, questions

SHOWN = 2  # (ours) of a stage and domain: problems that B solves more often, and as many that it solves less often
MOST_LETTERS = 2000  # (ours) of an answer
LEAD = (
    "Of every stage and domain, the problems whose solve rate moved most: one answer of each side, a right one of the "
    "side that is right more often and a wrong one of the other, where it has one."
)
Evaluated = Mapping[str, Answers]  # by problem


def moved_section(found: SideBySide, a: Path, b: Path) -> Html:
    """Nothing where no problem moved."""
    asked = questions(a, ("test",))
    parts = []
    for name in dict.fromkeys(line.name for line in found.lines):
        lines = [line for line in found.lines if line.name == name and line.moved and not line.is_same]
        chosen = {line.domain: _chosen(line) for line in lines}
        wanted = {one.id for moved in chosen.values() for one in moved}
        sides = [_answers_of(run, name, wanted) for run in (a, b)] if wanted else []
        shown = [_problem(domain, one, asked, sides) for domain, moved in chosen.items() for one in moved]
        parts += [folded(f"{name}: {_counts(lines)}", *shown)] if shown else []
    return section("moved", "Problems that moved", LEAD, *parts) if parts else join([])


def _counts(lines: Sequence[Paired]) -> str:
    return ", ".join(f"{line.domain} +{line.better} {minus('-')}{line.worse}" for line in lines)


def _chosen(line: Paired) -> list[Moved]:
    better, worse = ([one for one in line.moved if (one.b > one.a) == is_better] for is_better in (True, False))
    return [*better[:SHOWN], *worse[:SHOWN]]


def _answers_of(run: Path, stage: str, wanted: set[str]) -> Evaluated:
    """The answers of a stage's evaluation to these problems, those of the stage whose weights it has, if any."""
    same = text(mapping(done_of(run, f"{EVALUATION}{stage}").get("outputs")).get("as")) or stage
    rows = objects(Reader(run).jsonl(f"{STAGES}/{EVALUATION}{same}/{ROLLOUTS}"))
    return {
        one: Answers(stage=same, problem_id=one, rollouts=rollouts)
        for row in rows
        if (one := text(row.get("problem_id"))) in wanted and (rollouts := objects(row.get("rollouts")))
    }


def _problem(domain: str, one: Moved, asked: Mapping[str, Question], sides: Sequence[Evaluated]) -> Html:
    title = f"{domain}: {one.id} ({100 * one.a:.0f}% → {100 * one.b:.0f}%)"
    prompt = asked[one.id].prompt if one.id in asked else ""
    answers = [
        part
        for letter, side, rate, other in zip("AB", sides, (one.a, one.b), (one.b, one.a), strict=True)
        for part in _answer(letter, side.get(one.id), is_right=rate > other)
    ]
    return folded(title, *([tag("div", clip(prompt, MOST_LETTERS), class_="text")] if prompt else []), *answers)


def _answer(letter: str, answers: Answers | None, *, is_right: bool) -> Iterator[Html]:
    """One answer of a side, right or wrong as it is asked for where there is one."""
    if answers is None:
        yield tag("p", f"{letter}: its answers are not in the run directory.", class_="note")
        return
    one = sample(answers, is_right=is_right)
    said = [kind_of(one), told_of(one), f"{count(number(one.get('tokens')))} tokens"]
    yield tag("p", tag("b", letter), " ", ", ".join(filter(None, said)), class_="note")
    yield tag("div", clip(text(one.get("text")), MOST_LETTERS), class_="text")
