"""Rubrics: weights over what was decided; a missing criterion is not a failed one."""

from __future__ import annotations

import pytest

from etalon.types import Domain, Problem, Rule, Stop, Verdict
from etalon.verifiers import verify
from etalon.verifiers.instruct.verdict import verify_rules
from etalon.verifiers.judges import Criterion, Graded, Judge, judge_rubrics, rubric_reward, rubric_verifier
from etalon.verifiers.judges.rubric import score
from replies import Program

YES, NO = Verdict(score=1.0, reason="judge"), Verdict(score=0.0, reason="judge")
MISSING = Verdict(score=None, reason="judge_unreadable")


def criteria(*weights: float) -> list[Criterion]:
    return [Criterion(text=f"c{number}", weight=weight) for number, weight in enumerate(weights)]


@pytest.mark.parametrize(
    ("weights", "met", "expected"),
    [
        ((1, 1, 2), (YES, NO, YES), 0.75),
        ((1, 1, 2), (YES, YES, YES), 1.0),
        ((1, 1, 2), (NO, NO, NO), 0.0),
        ((3, 1, -2), (YES, YES, YES), 0.5),
        ((3, 1, -2), (YES, YES, NO), 1.0),
        ((3, 1, -2), (NO, YES, YES), 0.0),  # below zero is zero
        ((-1, -3), (NO, NO), 1.0),  # pitfalls alone
        ((-1, -3), (YES, NO), 0.75),
        ((-1, -3), (YES, YES), 0.0),
        ((3, 3, 2), (YES, NO, MISSING), 0.5),  # over what was decided
        ((3, 3, 2), (YES, YES, MISSING), 1.0),
        ((0, 1), (YES, NO), 0.0),
        ((0, 1), (MISSING, YES), 1.0),
        ((0, -2), (YES, NO), 1.0),
    ],
)
def test_the_score_is_weighted_over_the_decided_criteria(
    weights: tuple[float, ...], met: tuple[Verdict, ...], expected: float
) -> None:
    verdict = score(criteria(*weights), met)
    assert verdict.score == pytest.approx(expected)
    assert verdict.reason == "judge"


def test_too_little_decided_weight_is_no_score() -> None:
    verdict = score(criteria(1, 1, -2), (YES, YES, MISSING))
    assert (verdict.score, verdict.extracted) == (None, "2 met of 2 decided, 3 in all")
    assert verdict.reason == "judge_undecided: 50% of the weight was decided, 75% is needed"
    assert score(criteria(1, 1, -2), (YES, YES, MISSING), min_decided=0.5).score == 1.0
    assert score(criteria(1, -9), (MISSING, NO)).score is None  # a score of pitfalls would reward saying nothing
    assert score(criteria(1, 1), (MISSING, MISSING), min_decided=0.0).score is None


def reply(prompt: str) -> str | None:
    """Decides a criterion by a word of it; unreadable and unreachable ones stay so."""
    criterion = prompt.rpartition("<criterion-")[2]
    if "unreadable" in criterion:
        return "I would say yes"
    if "unreachable" in criterion:
        return None
    response = prompt.partition("<response-")[2].partition("</response-")[0]
    return "Yes" if criterion.split("\n")[1].removeprefix("says ") in response else "No"


def test_every_criterion_of_every_response_is_asked_in_one_batch_and_again_when_unreadable() -> None:
    program = Program(reply)
    names = ("says hello", "says bye", "unreadable", "unreachable")
    asked = tuple(Criterion(text=name, weight=w) for name, w in zip(names, (4, 4, 1, 1), strict=True))
    graded = [
        Graded(question="Greet.", response=response, criteria=asked) for response in ("hello", "hello, bye", "good day")
    ]
    found = judge_rubrics(Judge(program), graded)
    assert [one.verdict.score for one in found] == [0.5, 1.0, 0.0]
    assert [v.score for v in found[0].criteria] == [1.0, 0.0, None, None]
    assert [v.reason for v in found[0].criteria][2:] == ["judge_unreadable", "judge_unreachable: down"]
    assert [len(batch) for batch in program.batches] == [12, 6]


def test_a_missing_criterion_is_not_a_failed_one() -> None:
    asked = [Criterion(text="says hello", weight=3), Criterion(text="unreachable", weight=1)]
    assert rubric_reward(Program(reply), question="Greet.", response="hello", criteria=asked).score == 1.0
    asked = [Criterion(text="says hello"), Criterion(text="unreachable", weight=1)]
    assert rubric_reward(Program(reply), question="Greet.", response="hello", criteria=asked).score is None


def test_the_judge_sees_the_final_part_only() -> None:
    program = Program(reply)
    asked = [Criterion(text="says hello")]
    assert rubric_reward(program, question="?", response="<think>hello</think>bye", criteria=asked).score == 0.0
    assert "hello" not in program.prompts[0].partition("<response-")[2].partition("</response-")[0]


@pytest.mark.parametrize("response", ["", " \n", "<think>hello", "<think>hello</think>"])
def test_a_response_without_a_final_part_is_wrong_without_asking(response: str) -> None:
    program = Program(reply)
    verdict = rubric_reward(program, question="?", response=response, criteria=criteria(1))
    assert (verdict.score, verdict.reason) == (0.0, "no_answer")
    assert not program.prompts


@pytest.mark.parametrize(
    "asked",
    [
        [], criteria(0, 0), criteria(float("nan")), criteria(1, float("inf")), criteria(1e308, 1e308),
        [Criterion(text=" ")],
    ],
)  # fmt: skip
def test_a_rubric_that_cannot_be_scored_is_undecided(asked: list[Criterion]) -> None:
    verdict = rubric_reward(Program(reply), question="?", response="hello", criteria=asked)
    assert verdict.score is None
    assert verdict.reason.startswith("bad_reference: ")


def test_constraints_gate_the_rubric() -> None:
    program = Program(reply)
    rubric = rubric_verifier(Judge(program), lambda _: [Criterion(text="says hello")], gate=verify_rules)

    def graded(rule: str, response: str) -> Verdict:
        asked = Problem(id="p", domain=Domain.INSTRUCT, prompt="Greet.", rules=(Rule(id=rule),))
        return verify(asked, response, verifier=rubric)

    assert graded("punctuation:no_comma", "hello").score == 1.0
    assert graded("punctuation:no_comma", "good day").score == 0.0
    asked = len(program.prompts)
    assert graded("punctuation:no_comma", "hello, you").reason == "violated: punctuation:no_comma"
    assert graded("gone:rule", "hello").score is None
    assert len(program.prompts) == asked


def test_a_gate_multiplies_and_an_undecided_rubric_stays_undecided() -> None:
    half = rubric_verifier(
        Judge(Program(reply)),
        lambda problem: [Criterion(text=problem.prompt)],
        gate=lambda problem, response: Verdict(score=0.5, reason="violated: one of two"),
    )
    said, lost = (Problem(id=p, domain=Domain.INSTRUCT, prompt=p) for p in ("says hello", "unreadable"))
    assert verify(said, "hello", verifier=half).score == 0.5
    assert verify(lost, "hello", verifier=half).reason.startswith("judge_undecided: 0% of the weight")
    plain = rubric_verifier(Judge(Program(reply)), lambda problem: [Criterion(text=problem.prompt)])
    assert verify(said, "hello", verifier=plain).score == 1.0
    assert verify(said, "<think>he", stop=Stop.LENGTH, verifier=plain).reason == "truncated"
