"""A judge beside the rules: what it is asked, what is kept of it, and how its score stands to others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etalon.evaluate import Evaluation, Task, evaluate
from etalon.evaluate.benchmarks.catalogue import Published
from etalon.evaluate.judging import JudgeReview
from etalon.evaluate.scoring import MAX_KEPT_CHARS
from etalon.show.progress import Progress
from etalon.types import Criterion, Domain, Problem, SamplingParams
from etalon.verifiers.judges import Judge
from replies import Program, in_turn

NAME = "toy@http://judge/v1"


def problem(number: int, answer: str = "all even numbers") -> Problem:
    return Problem(id=f"p{number}", domain=Domain.MATH, prompt=f"Which numbers? {'So ' * number}", answer=answer)


def judged(
    out: Path,
    problems: Sequence[Problem],
    judge: Callable[[str], str | None],
    *,
    responses: Callable[[str], str | None] = lambda _: "\\boxed{multiples of two}",
    name: str = NAME,
    folder: str = "default",
    told: dict[str, Any] | None = None,
    **changes: Any,
) -> tuple[dict[str, Any], list[str]]:
    """The row of the problems, 2 samples each, and the prompts that the judge was sent."""
    task = Task(name="sets", problems=problems, params=SamplingParams(), **{"n": 2, "of": len(problems)} | changes)
    program = Program(judge)
    found = evaluate(
        Evaluation(model="toy", identity={}, told=told or {}), [task], Program(responses), progress=Progress(),
        out=out, reviews=[JudgeReview(name=name, judge=Judge(program, folder=folder))],
    )  # fmt: skip
    return found["benchmarks"][0], program.prompts


def test_a_verdict_is_kept_as_long_as_all_that_it_is_about_is_the_same(tmp_path: Path) -> None:
    out, own = tmp_path / "out", tmp_path / "prompts"
    own.mkdir()
    (own / "judge_equivalence.txt").write_text("{mark} {reference} is {answer}? Yes or No")
    rubric = Problem(id="r", domain=Domain.INSTRUCT, prompt="Greet.", rubric=(Criterion(text="says hello"),))
    problems = [problem(0), problem(1), rubric]

    def asked(problems: Sequence[Problem], answer: str = "Yes", **changes: Any) -> int:
        row, prompts = judged(out, problems, lambda _: answer, **changes)
        assert (row["judge"]["open"], row["judge"]["undecided"]) == (6, 0)
        return len(prompts)

    assert asked(problems) == 2 + 1  # equal answers, and equal responses under a rubric, are asked about once
    assert asked(problems, "No") == 0
    assert asked(problems, "No", name=f"{NAME}/") == 0
    mended = [replace(problems[0], answer="all multiples of four"), *problems[1:]]
    assert asked(mended, "No") == 1
    stricter = replace(rubric, rubric=(Criterion(text="says hello and no more"),))
    assert asked([*problems[:2], stricter]) > 0
    assert asked([problems[0], replace(problems[1], prompt="Which ones?"), rubric]) == 1
    assert asked(problems, folder=str(own)) == 2
    assert asked(problems, name="toy@http://other/v1") > 2
    row, prompts = judged(out, problems, lambda _: "No")
    assert (row["judge"]["avg"], prompts) == (1.0, [])  # as it was told first


def test_an_undecided_question_is_asked_again(tmp_path: Path) -> None:
    row, _ = judged(tmp_path, [problem(0), problem(1, "12")], lambda _: "Who knows")
    assert (row["judge"]["undecided"], row["judge"]["avg"], row["avg"]) == (2, None, 0.0)
    assert "2 undecided of 4 samples" in row["judge"]["refused"]
    assert "judge toy@http://judge/v1: 2 of 2 questions got no verdict (judge_unreadable)" in row["warnings"][-1]
    row, prompts = judged(tmp_path, [problem(0), problem(1, "12")], lambda _: "Yes")
    assert (row["judge"]["undecided"], row["judge"]["avg"], len(prompts)) == (0, 0.5, 1)


def test_answers_that_were_cut_alike_are_judged_each_for_itself(tmp_path: Path) -> None:
    responses = in_turn(*[f"\\boxed{{{'x' * MAX_KEPT_CHARS} is {ending}}}" for ending in ("even", "odd")])
    for _ in range(2):
        row, prompts = judged(
            tmp_path / "long", [problem(0)], lambda text: "Yes" if "x is even" in text else "No", responses=responses
        )
        assert (row["judge"]["open"], row["judge"]["avg"]) == (2, 0.5)
    assert prompts == []  # both are kept
    judge = in_turn("Yes")
    row, prompts = judged(tmp_path / "equal", [problem(0)], judge)
    assert (row["judge"]["open"], len(prompts)) == (2, 1)


def test_the_judges_score_is_measured_as_that_of_the_rules(tmp_path: Path) -> None:
    problems = [problem(number, gold) for number, gold in enumerate(["2", "all even numbers", "2", "odd", "x+y"])]
    responses = in_turn(*["\\boxed{2}", "\\boxed{3}", "\\boxed{2}", "\\boxed{3}"] * 3)
    row, prompts = judged(tmp_path, problems, lambda _: "No", responses=responses)
    assert prompts
    assert 0 < row["avg"] < 1
    assert [row["judge"][name] for name in ("avg", "low", "high")] == [row[name] for name in ("avg", "low", "high")]


@pytest.mark.parametrize(
    ("judge", "changes", "verdicts"),
    [
        (lambda _: "Yes", {}, [("A", 0.1, "above"), ("B", 0.99, "inside")]),
        (lambda _: "No", {}, [("A", 0.1, "inside"), ("B", 0.99, "below")]),
        (lambda prompt: "Hm" if "So So So So" in prompt else "Yes", {}, [("A", 0.1, None), ("B", 0.99, None)]),
        (lambda _: "Yes", {"of": 99}, [("A", 0.1, None), ("B", 0.99, None)]),
        (lambda _: "Yes", {"told": {"clr": {"k": 8}}}, [("C", 0.5, "above")]),
    ],
)
def test_published_scores_are_set_against_rules_and_judge_together(
    tmp_path: Path, judge: Callable[[str], str | None], changes: dict[str, Any], verdicts: list[tuple[Any, ...]]
) -> None:
    published = [
        Published(model="A", score=0.1, source="x"),
        Published(model="B", score=0.99, source="x"),
        Published(model="C", score=0.5, source="x", metric="clr"),
    ]
    words = ["odd", "even", "square", "cubic", "prime", "perfect"]
    problems = [replace(problem(number), prompt=f"{word} {'So ' * number}") for number, word in enumerate(words)]
    row, _ = judged(tmp_path, problems, judge, published=published, **changes)
    found = [(one["model"], one["score"], one["verdict"]) for one in row["judge"]["published"]]
    assert found == verdicts
