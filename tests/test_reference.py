"""References that hold more than the answer, and references that hold none."""

import pytest

from etalon.types import Domain, Problem
from etalon.verifiers import verify
from etalon.verifiers.rows import verify_row
from etalon.verifiers.text import final_reference


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("Janet sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.\nShe makes 9 * 2 = $<<9*2=18>>18.\n#### 18", "18"),
        ("#### 1,234", "1234"),
        ("The answer is 5", "5"),
        ("The answer is: 5.", "5"),
        ("Answer: 18", "18"),
        ("Final answer: 18", "18"),
        ("**Final Answer:** 18", "18"),
        ("2 + 3 = 5. So the final answer is $5$.", "5"),
        ("Adding gives 7.\nThe correct answer is \\boxed{7}.", "7"),
        (r"We add and get \boxed{\frac{1}{2}}.", "0.5"),
        ("the solution is x = 3", "3"),
    ],
)
def test_the_answer_in_a_reference_is_the_reference(reference, answer):
    assert verify_row({"answer": reference, "response": f"\\boxed{{{answer}}}"}, "math")["score"] == 1.0
    assert verify_row({"answer": reference, "response": "\\boxed{11}"}, "math")["score"] == 0.0
    problem = Problem(id="m", domain=Domain.STEM, prompt="", answer=reference)
    assert verify(problem, f"\\boxed{{{answer}}}").score == 1.0


@pytest.mark.parametrize("reference", ["nan", "NaN", float("nan"), "null", "N/A", " ", "a rationale ####", "Answer:"])
def test_a_reference_without_an_answer_is_undecided(reference):
    for domain in ("math", "facts", "stem"):
        found = verify_row({"answer": reference, "response": r"\boxed{1}"}, domain)
        assert (found["score"], found["reason"]) == (None, "bad_reference")


@pytest.mark.parametrize(
    "answer",
    ["5", "no solution", "none", r"\boxed{3}", r"x = \boxed{3}, y = \boxed{4}", "Na", "the solution set", "x=5"],
)
def test_a_plain_answer_stays_as_it_is(answer):
    assert final_reference(answer) == answer


def test_the_letter_of_an_option_may_stand_in_a_sentence():
    options = {"A": "7 J", "B": "9 J"}
    for answer in ("The correct answer is (B)", "Answer: B", "The answer is 9 J"):
        row = {"answer": answer, "options": options, "response": r"\boxed{B}"}
        assert verify_row(row, "stem")["score"] == 1.0
