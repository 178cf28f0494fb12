"""Options in another order for every sample: dealt from a seed, kept with the sample, never dealt twice."""

from __future__ import annotations

import itertools
import json
import logging
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from etalon.errors import InputError
from etalon.problems import nano
from etalon.problems.files import read_problems
from etalon.problems.nano.models import NanoTeacher
from etalon.problems.options import as_asked, can_shuffle, draw_order
from etalon.problems.rows import content_id, problem_from_row, problem_to_row
from etalon.sampling import attempt, group_to_row, read_groups, sample, verify_groups
from etalon.store import read_jsonl
from etalon.types import Domain, Problem, SamplingParams
from etalon.verifiers import verify
from etalon.verifiers.rows import verify_row
from replies import Program

OPTIONS = {"A": "12 m", "B": "7 m", "C": "3 m", "D": "1 m"}
PROMPT = "How high?\n\nA. 12 m\nB. 7 m\nC. 3 m\nD. 1 m\n\nPut the letter in \\boxed{}."
PARAMS = SamplingParams(max_tokens=100)


def gpqa(number: int = 0, **changes: object) -> Problem:
    made = Problem(id=f"q{number}", domain=Domain.STEM, prompt=PROMPT, answer="A", options=OPTIONS, shuffle=True)
    return replace(made, **changes)  # type: ignore[arg-type]


def knows(prompt: str) -> str:
    """Answers with the letter that stands before 12 m."""
    found = re.search(r"(\w)\. 12 m", prompt)
    assert found is not None
    return f"\\boxed{{{found[1]}}}"


def likes_a(prompt: str) -> str:
    return r"\boxed{A}"


def test_a_sample_sees_prompt_options_and_answer_in_one_order() -> None:
    asked = as_asked(gpqa(), ("C", "A", "D", "B"))
    assert asked.prompt == "How high?\n\nA. 3 m\nB. 12 m\nC. 1 m\nD. 7 m\n\nPut the letter in \\boxed{}."
    assert asked.options == {"A": "3 m", "B": "12 m", "C": "1 m", "D": "7 m"}
    assert asked.answer == "B"
    assert as_asked(gpqa(), None) == gpqa()
    assert as_asked(gpqa(answer="12 m"), ("C", "A", "D", "B")).answer == "12 m"
    assert as_asked(gpqa(answer=None), ("C", "A", "D", "B")).answer is None


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("(A) 12 m (B) 7 m (C) 3 m (D) 1 m", "(A) 3 m (B) 12 m (C) 1 m (D) 7 m"),
        ("A12 m B7 m C3 m D1 m", "A3 m B12 m C1 m D7 m"),
        ("A) 12 m; B) 7 m; C) 3 m; D) 1 m?", "A) 3 m; B) 12 m; C) 1 m; D) 7 m?"),
        ("A: 12 m\n\nB: 7 m\n\nC: 3 m\n\nD: 1 m", "A: 3 m\n\nB: 12 m\n\nC: 1 m\n\nD: 7 m"),
    ],
)
def test_options_are_found_however_they_are_listed(prompt: str, shown: str) -> None:
    assert as_asked(gpqa(prompt=prompt), ("C", "A", "D", "B")).prompt == shown


def test_every_order_comes_before_one_comes_again_and_the_gold_is_everywhere_equally_often() -> None:
    orders = [draw_order(gpqa(), seed=3, index=index) for index in range(72)]
    assert set(Counter(orders).values()) == {3}
    assert len(set(orders[:24])) == 24
    assert orders[:24] != orders[24:48]
    golds = Counter(as_asked(gpqa(), order).answer for order in orders)
    assert golds == {"A": 18, "B": 18, "C": 18, "D": 18}


def test_an_order_depends_on_seed_question_and_sample_only() -> None:
    orders = [draw_order(gpqa(), seed=3, index=index) for index in range(20)]
    random.seed(0)
    assert [draw_order(gpqa(), seed=3, index=index) for index in reversed(range(20))] == orders[::-1]
    assert [draw_order(gpqa(), seed=4, index=index) for index in range(20)] != orders
    assert [draw_order(gpqa(1), seed=3, index=index) for index in range(20)] != orders


def test_many_options_are_drawn_and_not_listed() -> None:
    options = {letter: f"{k} apples" for k, letter in enumerate("ABCDEFGHIJ")}
    prompt = "\n".join(f"{letter}. {content}" for letter, content in options.items())
    orders = [draw_order(gpqa(prompt=prompt, options=options), seed=0, index=index) for index in range(50)]
    assert len(set(orders)) == 50
    assert all(sorted(order or ()) == sorted(options) for order in orders)


def listed(*contents: str) -> Problem:
    options = dict(zip("ABCD", contents, strict=False))
    return gpqa(prompt="\n".join(f"{k}. {v}" for k, v in options.items()), options=options)


def test_none_of_the_above_keeps_its_place() -> None:
    problem = listed("1", "2", "3", "None of the above")
    orders = {draw_order(problem, seed=0, index=index) for index in range(12)}
    assert len(orders) == 6
    assert all(order is not None and order[3] == "D" for order in orders)


@pytest.mark.parametrize(
    "problem",
    [
        listed("1", "2", "Both A and B"),
        listed("1", "2", "(A) or (B)"),
        listed("1", "2", "the opposite of option B"),
        listed("1"),
        gpqa(prompt="How high?"),
        gpqa(options=None),
        gpqa(shuffle=False),
    ],
)
def test_what_cannot_be_moved_stays(problem: Problem) -> None:
    assert draw_order(problem, seed=0, index=5) is None
    assert can_shuffle(problem) is not problem.shuffle


def test_an_order_of_other_letters_is_an_error_and_a_verdict_on_it_undecided() -> None:
    for order in (("A", "B"), ("A", "B", "C", "C")):
        with pytest.raises(InputError, match=r"order: found A, B.*; the options are A, B, C, D"):
            as_asked(gpqa(), order)
    verdict = verify(gpqa(), r"\boxed{A}", order=["A", "B"])
    assert verdict.score is None
    assert verdict.reason.startswith("bad_reference: order: found A, B;")


def test_a_model_that_likes_a_is_at_chance_and_one_that_knows_is_not() -> None:
    """The trap: with the right option always first, liking A looks like knowing."""
    problems = [gpqa(number) for number in range(10)]
    fixed = [replace(problem, shuffle=False) for problem in problems]
    for reply, found, score in ((knows, problems, 1.0), (likes_a, fixed, 1.0), (likes_a, problems, 0.25)):
        groups = attempt(Program(reply), found, n=24, params=PARAMS, seed=1)
        accuracies = [group.accuracy or 0.0 for group in groups]
        assert sum(accuracies) / len(accuracies) == score


def test_the_order_is_kept_with_the_sample_and_scoring_again_needs_no_dealing(tmp_path: Path) -> None:
    problems = [gpqa(number) for number in range(5)]
    path = tmp_path / "rollouts.jsonl"
    groups = attempt(Program(likes_a), problems, n=8, params=PARAMS, seed=1, path=path)
    rows = read_jsonl(path)
    assert [r["order"] for r in rows[0]["rollouts"]] == [list(r.order or ()) for r in groups[0].rollouts]
    assert len({tuple(r["order"]) for r in rows[0]["rollouts"]}) == 8
    back = read_groups(path, problems)
    assert [group.rollouts for group in back] == [group.rollouts for group in groups]
    again = verify_groups([(group.problem, group.rollouts) for group in back], workers=1)
    assert scores(again) == scores(groups)
    assert 0.1 < sum(itertools.chain(*scores(again))) / 40 < 0.5
    lost = [(g.problem, [replace(r, order=None) for r in g.rollouts]) for g in back]
    assert scores(verify_groups(lost, workers=1)) != scores(groups)  # why it is kept


def scores(groups: object) -> list[list[float]]:
    return [group.scores for group in groups]  # type: ignore[attr-defined]


def test_a_run_that_resumes_deals_the_same_orders(tmp_path: Path) -> None:
    problems = [gpqa(number) for number in range(7)]

    def run(path: Path) -> bytes:
        attempt(Program(knows), problems, n=5, params=PARAMS, seed=1, path=path, chunk=2)
        return path.read_bytes()

    whole = run(tmp_path / "whole.jsonl")
    torn = tmp_path / "torn.jsonl"
    for kept in (0, 100, len(whole) // 2, len(whole) - 1):
        torn.write_bytes(whole[:kept])
        assert run(torn) == whole


def test_samples_of_one_order_share_a_conversation_and_keep_their_places() -> None:
    problems = [gpqa(0), gpqa(1, shuffle=False), gpqa(2)]
    program = Program(knows)
    found = sample(program, problems, n=30, params=PARAMS, seed=1)
    assert [[r.index for r in rollouts] for rollouts in found] == [list(range(30))] * 3
    # 24 orders, 6 of them twice, per shuffled problem; one conversation for all samples of the other
    assert [len(batch) for batch in program.batches] == [1, 12, 36]
    assert len(set(program.prompts)) == 24
    for problem, rollouts in zip(problems, found, strict=True):
        for rollout in rollouts:
            assert rollout.text == knows(as_asked(problem, rollout.order).prompt)
    orders = [[r.order for r in rollouts] for rollouts in found]
    assert orders[0] == [draw_order(problems[0], seed=1, index=index) for index in range(30)]
    assert orders[1] == [None] * 30


def test_the_nano_world_is_asked_as_it_was_dealt() -> None:
    """Its options are in random order already, and its numbers are published."""
    problems = nano.problems(Domain.STEM, "test", 30, seed=0)
    assert all(problem.options and not problem.shuffle for problem in problems)
    assert all(can_shuffle(problem) for problem in problems)
    assert len({problem.answer for problem in problems}) == 4
    [group, *_] = attempt(NanoTeacher(), problems, n=4, params=SamplingParams(max_tokens=400), seed=0)
    assert all("order" not in row for row in group_to_row(group)["rollouts"])
    rows = [problem_to_row(problem) for problem in problems]
    assert [problem_from_row(row) for row in rows] == problems
    shuffled = [replace(problem, shuffle=True) for problem in problems]
    groups = attempt(NanoTeacher(), shuffled, n=4, params=SamplingParams(max_tokens=400), seed=0)
    accuracies = [group.accuracy or 0.0 for group in groups]
    assert sum(accuracies) / len(accuracies) > 0.8  # the teacher reads the prompt it is shown


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_problems_from_files_are_shuffled_unless_they_say_otherwise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = {"question": "How high?", "options": list(OPTIONS.values()), "answer": "A"}
    [problem] = read_problems(write(tmp_path / "a.jsonl", row))
    assert (problem.shuffle, can_shuffle(problem)) == (True, True)
    native = {"domain": "stem", "prompt": PROMPT, "answer": "A", "options": OPTIONS}
    hidden = {**native, "prompt": "How high?"}
    with caplog.at_level(logging.WARNING):
        found = read_problems(write(tmp_path / "b.jsonl", native, {**native, "id": "f", "shuffle": False}, hidden))
    assert [problem.shuffle for problem in found] == [True, False, False]
    assert "2 problems show their options in one order to every sample (f)" in caplog.text
    assert found[0].id == content_id(replace(found[0], shuffle=False))
    with pytest.raises(InputError, match="line 1: shuffle: found true, but the prompt does not list the options"):
        read_problems(write(tmp_path / "c.jsonl", {**hidden, "shuffle": True}))
    with pytest.raises(InputError, match='shuffle: found "yes", expected true or false'):
        read_problems(write(tmp_path / "d.jsonl", {**native, "shuffle": "yes"}))


LETTERED = "How high?\n\nA. 12 m\nB. 7 m\n   or so\nC. 3 m\nD. 1 m"
SUFFIX = "Please reason step-by-step and put your choice letter without any other text with \\boxed{} in the end."


def verl(content: str, truth: object = "A", ability: str = "math") -> dict[str, object]:
    reward = {"ground_truth": truth, "style": "rule"}
    return {"prompt": [{"role": "user", "content": content}], "reward_model": reward, "ability": ability}


@pytest.mark.parametrize("gap", ["\n\n", "\n", " "])
def test_lettered_options_in_a_verl_prompt_make_it_multiple_choice(tmp_path: Path, gap: str) -> None:
    [problem] = read_problems(write(tmp_path / "gpqa.jsonl", verl(f"{LETTERED}{gap}{SUFFIX}")))
    assert (problem.domain, problem.answer, problem.shuffle) == (Domain.STEM, "A", True)
    assert problem.options == {"A": "12 m", "B": "7 m\n   or so", "C": "3 m", "D": "1 m"}
    assert problem.prompt == f"{LETTERED}{gap}{SUFFIX}"
    asked = as_asked(problem, ("D", "A", "B", "C"))
    assert asked.prompt == f"How high?\n\nA. 1 m\nB. 12 m\nC. 7 m\n   or so\nD. 3 m{gap}{SUFFIX}"


def test_a_verl_prompt_that_does_not_ask_how_to_answer_is_told_to(tmp_path: Path) -> None:
    [problem] = read_problems(write(tmp_path / "gpqa.jsonl", verl(LETTERED, ability="science")))
    assert problem.prompt == f"{LETTERED}\n\n{SUFFIX}"


@pytest.mark.parametrize(
    ("content", "truth"),
    [
        (f"{LETTERED}\n\n{SUFFIX}", "12"),
        ("A. Find x.\n\\boxed{}", "A"),
        ("Let A. B. be points.\n\\boxed{}", "A"),
        ("Find x.\n\\boxed{}", "A"),
    ],
)
def test_a_verl_prompt_without_options_or_with_another_truth_stays_what_it_is(
    tmp_path: Path, content: str, truth: str
) -> None:
    [problem] = read_problems(write(tmp_path / "x.jsonl", verl(content, truth)))
    assert (problem.domain, problem.options, problem.shuffle) == (Domain.MATH, None, False)


def test_a_row_of_verify_brings_the_order_of_its_sample() -> None:
    row = {"domain": "stem", "answer": "A", "options": OPTIONS, "response": r"\boxed{B}"}
    assert verify_row(row, None)["score"] == 0.0
    assert verify_row({**row, "order": ["C", "A", "D", "B"]}, None)["score"] == 1.0
    assert verify_row({**row, "order": "CADB"}, None)["score"] == 1.0
    assert verify_row({**row, "order": "CADX"}, None)["reason"].startswith("bad_reference: order: found C, A, D, X")
    assert verify_row({**row, "order": 3}, None)["reason"].startswith("unreadable: order: found 3")
