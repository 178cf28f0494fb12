"""Stages that sample choice problems: traces keep the prompt that was answered; a judge reviews an evaluation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from etalon.model import loader  # noqa: E402
from etalon.pipeline.graph import graph_of  # noqa: E402
from etalon.pipeline.stage import Work  # noqa: E402
from etalon.pipeline.stages.data import _sampled_paths, _trace  # noqa: E402
from etalon.pipeline.stages.distill import correct_traces  # noqa: E402
from etalon.pipeline.stages.evaluate import _review  # noqa: E402
from etalon.pipeline.teachers import ReferenceTeacher  # noqa: E402
from etalon.problems.options import as_asked  # noqa: E402
from etalon.recipe import DataSpec, EvalSpec, Recipe  # noqa: E402
from etalon.sampling import Judged, attempt  # noqa: E402
from etalon.types import Criterion, Domain, Problem, SamplingParams, Verdict  # noqa: E402
from replies import Program  # noqa: E402
from tiny_models import tiny_language_model  # noqa: E402

PROBLEM = Problem(
    id="q", domain=Domain.STEM, prompt="How high?\nA. 12 m\nB. 7 m\nC. 3 m", answer="A", shuffle=True,
    options={"A": "12 m", "B": "7 m", "C": "3 m"}, solutions=(r"So \boxed{A}",),
)  # fmt: skip
LIKES_A = Program(lambda prompt: r"\boxed{A}")


def test_a_trace_keeps_the_prompt_that_its_response_answers() -> None:
    [group] = attempt(LIKES_A, [PROBLEM], n=12, params=SamplingParams(), seed=0)
    traces = correct_traces(group, "model")
    # A is right in two of the six orders, each asked twice: the same response to two prompts is two traces
    assert Counter(v.score for v in group.verdicts) == {1.0: 4, 0.0: 8}
    assert len(traces) == len({trace.prompt for trace in traces}) == 2
    assert all("A. 12 m" in trace.prompt for trace in traces)
    for rollout in group.rollouts:
        asked = as_asked(group.problem, rollout.order)
        assert _trace(asked, rollout.text, "model").prompt == asked.prompt


@pytest.mark.parametrize(("teacher", "num_orders"), [("reference", 1), ("model", 6)])
def test_reference_solutions_are_asked_for_in_the_order_they_were_written_for(
    tmp_path: Path, teacher: str, num_orders: int
) -> None:
    recipe = Recipe(data=DataSpec(teacher=teacher, paths=6), prompts="default")
    work = Work(recipe=recipe, stage=graph_of(recipe).by_name["data"], directories={"data": tmp_path})
    sampler = ReferenceTeacher([PROBLEM]) if teacher == "reference" else LIKES_A
    [group] = _sampled_paths(work, [PROBLEM], sampler)
    assert len({rollout.order for rollout in group.rollouts}) == num_orders
    assert group.verdicts[0].score == 1.0 or teacher == "model"


def test_a_model_directory_judges_an_evaluation(tmp_path: Path) -> None:
    """A random model says nothing readable: what it was asked about is undecided, and nothing else changes."""
    folder = loader.save(tiny_language_model(max_position_embeddings=160), tmp_path / "judge")
    (tmp_path / "judge_equivalence.txt").write_text("Same? {answer}\nYes or No.\n")
    (tmp_path / "judge_criterion.txt").write_text("Met? {criterion}\nYes or No.\n")
    review = _review(Recipe(eval=EvalSpec(judge=str(folder)), prompts=str(tmp_path)))
    right = Verdict(score=1.0, reason="exact", extracted="x")
    wrong = Verdict(score=0.0, reason="different", extracted="odd numbers")
    waits = Verdict(score=None, reason="needs_judge: a rubric is decided by a judge")
    number = Problem(id="n", domain=Domain.MATH, prompt="?", answer="7")
    words = Problem(id="w", domain=Domain.MATH, prompt="?", answer="even numbers")
    free = Problem(id="f", domain=Domain.INSTRUCT, prompt="?", rubric=(Criterion(text="is short"),))
    asked = [(words, right), (number, wrong), (words, wrong), (free, waits)]
    found = review([Judged(problem=problem, response="so", verdict=verdict) for problem, verdict in asked])
    assert found[:2] == [right, wrong]
    assert found[2] == Verdict(score=None, reason="judge_unreadable", extracted="odd numbers")
    assert found[3].score is None
    assert found[3].reason.startswith("judge_undecided: 0% of the weight was decided")
