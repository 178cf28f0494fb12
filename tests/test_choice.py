"""Multiple choice: the letter or the content of one option, in the final part, and no guessing."""

import pytest

from etalon.types import Domain, Problem
from etalon.verifiers import verify

OPTIONS = {"A": "12 m", "B": r"$\frac{1}{2}$", "C": "none of these", "D": "7"}


def judge(response, answer="B", options=OPTIONS):
    return verify(Problem(id="s", domain=Domain.STEM, prompt="", answer=answer, options=options), response)


@pytest.mark.parametrize(
    "response",
    [
        r"\boxed{B}",
        r"\boxed{b}",
        r"\boxed{\text{B}}",
        r"\boxed{\textbf{(B)}}",
        r"\boxed{B.}",
        r"\boxed{(B) $\frac{1}{2}$}",
        r"\boxed{B) one half}",
        r"\boxed{\text{Option B}}",
        r"\boxed{\frac{1}{2}}",
        r"\boxed{0.5}",
        "so\nAnswer: B",
        "**Answer:** (B)",
        r"<think>\boxed{A}</think>\boxed{B}",
    ],
)
def test_the_right_option_is_recognised(response):
    assert judge(response).score == 1.0


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (r"\boxed{A}", "different"),
        (r"\boxed{12 m}", "different"),
        (r"\boxed{E}", "no_option"),
        (r"\boxed{13}", "no_option"),
        ("I think it is B", "no_answer"),
        ("B", "no_answer"),
        (r"<think>\boxed{B}", "no_answer"),
    ],
)
def test_everything_else_is_wrong_and_says_why(response, reason):
    verdict = judge(response)
    assert (verdict.score, verdict.reason) == (0.0, reason)


def test_content_shared_by_two_options_names_neither():
    assert judge(r"\boxed{0.5}", options={"A": "1/2", "B": r"\frac{1}{2}"}).reason == "ambiguous"


def test_a_reference_that_is_no_option_is_undecided():
    assert judge(r"\boxed{B}", answer="E").score is None
    assert judge(r"\boxed{B}", answer=None).score is None


def test_without_options_the_answer_is_compared():
    assert judge(r"\boxed{12\,\mathrm{m}}", answer="12", options=None).score == 1.0
    assert judge(r"\boxed{13}", answer="12", options=None).score == 0.0
