"""Copies and near copies among rows: what is dropped, what shares a cluster, and that the order does not matter."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from etalon.data.duplicates import COPY, DISAGREE, Decisions, Keyed, duplicates, keyed
from etalon.data.gates import KEEP, Fate
from etalon.problems import nano
from etalon.problems.instructions import with_instruction
from etalon.problems.rows import problem_to_row
from etalon.types import Domain

STORY = "A baker sells {} loaves of bread in the morning and {} more in the afternoon. How many loaves were sold?"
TRAIN = "Maria drove from her home to the coast at {} miles an hour and was there before noon that day. How far is it?"
SUM = "The sum of two consecutive even integers equals forty two; what is the larger of the two integers?"


def told(*rows: dict[str, Any]) -> Decisions:
    """The decisions on rows as a file has them."""
    return duplicates(keyed(row) for row in rows)


def kept(decisions: Decisions) -> list[int]:
    return [row for row in range(len(decisions)) if decisions.of(row) is KEEP]


def partition(names: Sequence[str]) -> list[set[int]]:
    members: dict[str, set[int]] = defaultdict(set)
    for place, name in enumerate(names):
        members[name].add(place)
    return sorted(members.values(), key=min)


def math(question: str, answer: str = "", **more: Any) -> dict[str, Any]:
    return {"problem": question, **({"answer": answer} if answer else {}), **more}


def test_the_first_copy_stays_and_the_others_name_it() -> None:
    decisions = told(
        math(STORY.format(14, 9), "23"),
        math(SUM, "22"),
        math(STORY.format(14, 9).upper().replace(" ", "\n "), "23"),
        math(with_instruction(STORY.format(14, 9), Domain.MATH), "23.0"),
    )
    assert kept(decisions) == [0, 1]
    for row in (2, 3):
        assert decisions.copy_of(row) == 0
        assert decisions.of(row).outcome is Fate.DROPPED
        assert decisions.of(row).reason == COPY
        assert decisions.of(row).text.startswith("of row 1 | ")


def test_other_numbers_operators_and_signs_make_other_problems() -> None:
    others = [
        "What is 3+4?", "What is 3-4?", "What is 34?", "Find $f(2)$.", "Find $f'(2)$.", "Find $f''(2)$.",
        "Size of A ∪ B?",
        "Size of A ∩ B?", "Is 1 in [0, 1)?", "Is 1 in (0, 1)?", "Compute 5!.", "Compute 5.", STORY.format(14, 9),
        STORY.format(14, 8),
    ]  # fmt: skip
    decisions = told(*(math(text, str(n)) for n, text in enumerate(others)))
    assert kept(decisions) == list(range(len(others)))
    near = [decisions.cluster(row) for row in range(len(others))]
    assert near[-1] == near[-2]
    assert len(set(near)) == len(others) - 1


def test_another_typesetting_makes_no_other_problem() -> None:
    written = [
        r"Let $\dfrac{x}{2} \leq 1{,}000$ and $A \cup B = [0, 1)$. Find $2 \times x$.",
        r"let \( \frac{x}{2}\,≤ 1000 \) and \[ A ∪ B = \left[ 0, 1 \right) \]  Find \(2 \cdot x\)",
        r"Let $\frac x 2 &le; 1,000$ and $A\cup B=[0,1)$. Find $2×x$.",
    ]
    assert kept(told(*(math(text, "7") for text in written))) == [0]
    other = written[0].replace("leq", "geq")
    assert kept(told(math(written[0], "7"), math(other, "8"))) == [0, 1]


def test_copies_that_disagree_are_all_dropped_with_their_answers_and_equal_answers_do_not_disagree() -> None:
    decisions = told(
        math(STORY.format(1, 2), "0.5"),
        math(SUM, "22"),
        math(SUM, "20"),
        math(STORY.format(1, 2), r"\frac{1}{2}"),
        math(SUM),
        math(SUM, "22"),
    )
    assert kept(decisions) == [0]
    for row in (1, 2, 4, 5):
        assert decisions.of(row).reason == DISAGREE
        assert decisions.of(row).text == f"20 | 22 | {SUM}"
    assert decisions.of(3).reason == COPY


def test_a_copy_with_an_answer_is_preferred_to_one_without() -> None:
    decisions = told(math(SUM), math(SUM, "22"), math(SUM, "22"))
    assert kept(decisions) == [1]
    assert decisions.copy_of(0) == decisions.copy_of(2) == 1


def test_a_row_with_a_trace_of_its_own_is_no_copy() -> None:
    decisions = told(
        math(SUM, "22", traces=[{"response": "a"}, {"response": "b"}]),
        math(SUM, "22", traces=[{"response": "c"}]),
        math(SUM, "22", traces=[{"response": "c"}, {"response": "a"}]),
        math(SUM, "22"),
    )
    assert kept(decisions) == [0, 1]
    assert decisions.of(2).reason == decisions.of(3).reason == COPY


def test_options_in_another_order_are_the_same_question_and_letters_are_compared_by_their_content() -> None:
    question = "Which gas do plants take up for photosynthesis?"
    one = {"question": question, "options": ["oxygen", "carbon dioxide", "helium"], "answer": "B"}
    other = {"question": question, "options": ["helium", "oxygen", "carbon dioxide"], "answer": "C"}
    wrong = {"question": question, "options": ["carbon dioxide", "helium", "oxygen"], "answer": "B"}
    decisions = told(one, other)
    assert kept(decisions) == [0]
    assert {told(one, other, wrong).of(row).reason for row in range(3)} == {DISAGREE}
    assert kept(told(one, {**other, "options": ["helium", "oxygen", "argon"]})) == [0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_dropped_and_what_is_near_does_not_depend_on_the_order(seed: int) -> None:
    rng = random.Random(seed)
    rows = [Keyed(text=STORY.format(n % 7, n % 5), answer=str(n % 7 + n % 5)) for n in range(60)]
    rows += [Keyed(text=TRAIN.format(n % 9), answer=str(n % 2), kind=rng.choice(["math", "stem"])) for n in range(30)]
    rows += [Keyed(text=f"What is {n % 11} + 1?") for n in range(30)]
    plain = duplicates(rows)
    order = rng.sample(range(len(rows)), len(rows))
    shuffled = duplicates(rows[place] for place in order)

    def texts(decisions: Decisions, among: Sequence[Keyed]) -> list[str]:
        return sorted(among[row].text for row in kept(decisions))

    assert texts(plain, rows) == texts(shuffled, [rows[place] for place in order])
    assert [plain.cluster(row) for row in order] == [shuffled.cluster(row) for row in range(len(rows))]
    assert len(kept(plain)) == 35 + 11  # every drive has both answers


def test_nano_problems_are_near_when_they_are_of_one_family() -> None:
    members = nano.problems(Domain.CODE, "test", 60, seed=0)
    decisions = duplicates(keyed(problem_to_row(problem)) for problem in members)
    families = [nano.family_of(nano.question_of(problem)) for problem in members]
    assert partition([decisions.cluster(row) for row in range(60)]) == partition(families)
