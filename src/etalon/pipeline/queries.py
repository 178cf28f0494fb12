"""The queries that traces are made of (2.1.1 steps 1, 2 and 4): clean of held-out items, judged, expanded, labelled."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.data import gates
from etalon.data.asking.expand import EXPANDABLE, expand_records
from etalon.data.asking.label import is_open, label_records, to_label
from etalon.data.asking.quality import judge_records
from etalon.data.calls.remembered import Remembered
from etalon.data.contamination.index import Index
from etalon.data.records import Record
from etalon.pipeline.stage import Work
from etalon.pipeline.steps import Steps
from etalon.pipeline.teachers import REFERENCE
from etalon.types import Problem, SamplingParams


def labelled_queries(
    work: Work, teacher: Remembered, judge: Remembered | None, held_out: Index, steps: Steps
) -> tuple[list[Record], float | None]:
    """The train problems and what a teacher makes of them, without a held-out item, each with a reference.

    Returns with them the share of voted labels that equal the withheld ones, None where none was withheld.
    """
    recipe, spec = work.recipe, work.stage.spec
    params = SamplingParams(max_tokens=spec.max_tokens)
    read = [Record(problem=problem) for problem in work.problems("train")]
    queries = _not_held_out(read, held_out, steps, drop_near=spec.drop_near)
    if judge is not None:
        queries = steps.passed(judge_records(queries, judge, prompts=recipe.prompts))
    named = [*recipe.data.against, "held out"]
    steps.done(
        "filter", read, queries, file="seeds.jsonl", calls=[judge.calls] if judge else [], settings={"against": named}
    )
    if spec.expand and spec.teacher == REFERENCE:
        work.view.note("no expansion: solutions that came with the problems write no queries; name a data.teacher")
    elif spec.expand:
        seeds, others = _seeds(queries, spec.expand_share)
        grown = expand_records(
            seeds, teacher, count=spec.expand, params=params, seed=work.seed, prompts=recipe.prompts
        )  # fmt: skip
        found = _not_held_out(steps.passed(grown), held_out, steps, drop_near=spec.drop_near)
        steps.done("expand", queries, [*found, *others], file="expanded.jsonl", calls=[teacher.calls])
        queries = [*found, *others]
    relabel = spec.relabel
    if spec.teacher == REFERENCE:  # what came with a problem checks no vote
        queries, relabel = steps.passed(_answered(queries)), 0.0
    if not to_label(queries, relabel):
        return queries, None
    labelled = label_records(
        queries, teacher, n=spec.label_votes, agreement=spec.agreement, params=params, seed=work.seed + 1,
        relabel=relabel,
    )  # fmt: skip
    steps.passed(labelled.gated)
    return list(labelled.gated.kept), labelled.confirmed / labelled.checked if labelled.checked else None


def _not_held_out(records: Sequence[Record], held_out: Index, steps: Steps, *, drop_near: bool) -> list[Record]:
    gated = gates.overlap_gate([record.problem for record in records], held_out, drop_near=drop_near)
    kept = {id(problem) for problem in steps.passed(gated)}
    return [record for record in records if id(record.problem) in kept]


def _answered(records: Sequence[Record]) -> gates.Gated[Record]:
    """Without the open queries that nobody solved: solutions that came with problems are the only votes there are."""

    def decide(problem: Problem) -> gates.Decision:
        is_lost = is_open(problem) and not problem.solutions
        return gates.drop("no answer, and no solution to take one from", problem.prompt) if is_lost else gates.KEEP

    return gates.sift("answered", ((record, decide(record.problem)) for record in records))


def _seeds(records: Sequence[Record], share: float) -> tuple[list[Record], list[Record]]:
    """An even share of the records that can be expanded, and all others."""
    able = [record for record in records if record.problem.domain in EXPANDABLE]
    chosen = {id(record) for place, record in enumerate(able) if (place * share) % 1 < share}
    return [r for r in records if id(r) in chosen], [r for r in records if id(r) not in chosen]
