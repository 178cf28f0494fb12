"""Multiple choice: the letter or the content of one option, in the final part, and no guessing."""

import re
import time
from pathlib import Path

import pytest

from etalon.types import Domain, Problem
from etalon.verifiers import are_equal, cluster, verify
from etalon.verifiers.choice import choose
from etalon.verifiers.math.engine.symbolic import DEADLINE_SECONDS

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
        # what no engine can read is no option, and not open: a model must not escape a verdict by writing nonsense
        (r"\boxed{*int(input())+5}", "no_option"),
        (r"\boxed{2*int(y())}", "no_option"),
        (r"\boxed{))((}", "no_option"),
        (r"\boxed{+*}", "no_option"),
    ],
)
def test_everything_else_is_wrong_and_says_why(response, reason):
    verdict = judge(response)
    assert (verdict.score, verdict.reason) == (0.0, reason)


@pytest.mark.parametrize(
    ("written", "letter", "reason"),
    [
        ("12.0 m", "A", "content"),
        ("12 cm", "E", "content"),
        ("1200 cm", "A", "content"),
        ("E) 12 cm", "E", "letter"),
        ("A) 12 cm", None, "ambiguous"),  # the letter of one option, the content of another
        ("A) 12 m, B) 1/2", None, "ambiguous"),
        ("(A) and (B)", None, "ambiguous"),
        ("A or B", None, "no_option"),
        ("A, B", None, "no_option"),
        ("D) f(A) = 3", "D", "letter"),
        ("F: f(A) = 2", "F", "letter"),
        ("\uff22", "B", "letter"),  # a full-width B
        ("Z", None, "no_option"),
        ("12 kg", None, "no_option"),
    ],
)
def test_a_box_names_one_option_or_none(written, letter, reason):
    options = {**OPTIONS, "E": "12 cm", "F": "f(A) = 2"}
    assert choose(written, options) == (letter, reason)


JOULES = {"A": "12 J", "B": "9 J", "C": "9.5 J", "D": "3 kJ"}


@pytest.mark.parametrize(
    "written",
    [
        *("B (9 J)", "(B) (9 J)", "B, 9 J", "B - 9 J", "B 9 J", r"\text{B } 9 \text{ J}", r"B \; (9\ \text{J})"),
        *("B (9000 mJ)", "The answer is B", r"\text{the correct option is (B)}"),
    ],
)
def test_a_letter_beside_its_content_is_that_letter(written):
    assert choose(written, JOULES) == ("B", "letter")


@pytest.mark.parametrize("written", ["B, 12 J", "C 9 J", "B, -9 J", "B, C", "B or 9 J", "10", "9 kJ", "-9", "9%"])
def test_a_letter_beside_anything_else_is_none(written):
    assert choose(written, JOULES) == (None, "no_option")


def test_a_bare_number_is_the_option_of_that_number():
    assert choose("9", JOULES) == ("B", "content")
    assert choose("9.50", JOULES) == ("C", "content")
    assert choose("9", {"A": "9 apples", "B": "8 apples"}) == ("A", "content")
    assert choose("9", {"A": "9 J", "B": "9 kJ"}) == (None, "ambiguous")


@pytest.mark.parametrize(
    ("contents", "written", "letter"),
    [
        (("1 mW", "1 MW"), "1 MW", "B"),
        (("1 mW", "1 MW"), "1 mW", "A"),
        (("1 mW", "1 MW"), "1 Mw", None),
        (("1 mW", "2 W"), "1 MW", None),
        (("p=v", "p=V"), "p=V", "B"),
        (("p=v", "p=V"), "p=v", "A"),
        (("x", "X"), "X", "B"),
        (("x", "X"), "x", "A"),
        (("p=v", "q"), "p=V", "A"),
        (("Acid", "base"), "acid", "A"),
    ],
)
def test_case_counts_where_it_tells_two_options_apart(contents, written, letter):
    assert choose(written, dict(zip("AB", contents, strict=True)))[0] == letter


@pytest.mark.live
def test_an_option_that_the_engine_leaves_open_is_undecided():
    hangs = r"\prod_{k=1}^{10000000}(k+x)"
    options = {"A": r"x^2+\sin x", "B": r"x^3+\sin x", "C": "5", "D": "7"}
    started = time.monotonic()
    verdict = judge(f"\\boxed{{{hangs}}}", answer="A", options=options)
    assert time.monotonic() - started < 2 * DEADLINE_SECONDS + 1  # one deadline for all options
    assert (verdict.score, verdict.reason) == (None, "timeout")
    assert judge(f"\\boxed{{{hangs}}}", answer="D", options={**options, "D": "none of these"}).score == 0.0


def test_two_options_that_say_the_same_are_a_bad_reference():
    options = {"A": "9 J", "B": "9 J", "C": "1 J"}
    verdict = judge(r"\boxed{9\,\mathrm{J}}", answer="B", options=options)
    assert (verdict.score, verdict.reason) == (None, "bad_reference: two options say the same")
    assert judge(r"\boxed{9 J}", answer="C", options=options).score == 0.0
    assert judge(r"\boxed{B}", answer="B", options=options).score == 1.0


def test_a_small_letter_is_the_variable_before_it_is_the_option():
    options = {"A": "b", "B": "a", "C": "c", "D": "x"}
    assert choose("a", options) == ("B", "content")
    assert choose("A", options) == ("A", "letter")
    assert choose("d", options) == ("D", "letter")


def test_a_reference_is_a_letter_or_the_content_of_one_option():
    assert judge(r"\boxed{A}", answer="12 m").score == 1.0
    assert judge(r"\boxed{B}", answer="(b)").score == 1.0
    assert judge(r"\boxed{A}", answer="7", options={"A": "7", "B": "7"}).score is None
    assert judge(r"\boxed{A}", answer="").score is None
    assert judge(r"\boxed{A}", options={"A": "1", "a": "2"}).reason == "bad_reference: two options have the same letter"


def test_an_answer_line_counts_when_the_box_names_nothing():
    assert judge("\\boxed{13}\nAnswer: B").score == 1.0
    assert judge("\\boxed{A}\nAnswer: B").score == 0.0
    assert judge("\\boxed{13}\nAnswer: none").reason == "no_option"


def test_content_shared_by_two_options_names_neither():
    assert judge(r"\boxed{0.5}", options={"A": "1/2", "B": r"\frac{1}{2}"}).reason == "ambiguous"


def test_a_reference_that_is_no_option_is_undecided():
    assert judge(r"\boxed{B}", answer="E").score is None
    assert judge(r"\boxed{B}", answer=None).score is None


def test_without_options_the_answer_is_compared():
    assert judge(r"\boxed{12\,\mathrm{m}}", answer="12", options=None).score == 1.0
    assert judge(r"\boxed{13}", answer="12", options=None).score == 0.0


@pytest.mark.parametrize(
    ("reference", "written", "score"),
    [
        ("12 m", "12 cm", 0.0),
        ("12 m", "12 m", 1.0),
        ("12 m", "12", 1.0),
        ("12", "12 m", 1.0),
        ("12 m", "13", 0.0),
        ("12 m", "1200 cm", 1.0),
        ("12 m", r"1.2\times 10^{1}\ \mathrm{m}", 1.0),
        ("1.5 kJ", r"1500\,\text{J}", 1.0),
        ("1.5 kJ", "1.5 J", 0.0),
        (r"3\pi\,\text{m}", r"300\pi\ \text{cm}", 1.0),
        (r"3\pi\,\text{m}", r"3\pi\ \text{cm}", 0.0),
        ("60 km/h", r"\frac{50}{3}\ \frac{\text{m}}{\text{s}}", 1.0),
        (r"25^\circ\text{C}", r"25\,°C", 1.0),
        (r"25^\circ\text{C}", "25 C", 1.0),
        (r"25^\circ\text{C}", "25 K", 0.0),
        ("298.15 K", r"25^\circ C", 0.0),  # scales with another zero do not convert
        ("5 Pa", r"5\ \mathrm{N/m^2}", 1.0),
        ("5 N", "5 J", 0.0),
        ("acid", "base", 0.0),
    ],
)
def test_units_that_both_sides_write_must_agree(reference, written, score):
    assert judge(f"\\boxed{{{written}}}", answer=reference, options=None).score == score


@pytest.mark.parametrize(
    ("reference", "written", "score"),
    [
        ("12 m", "1200 cm", 1.0),
        ("1200 cm", "12 m", 1.0),
        ("12 m", "12 cm", 0.0),
        ("12 m", "12 kg", 0.0),
        ("1.5 kJ", r"1500\,\text{J}", 1.0),
        ("1 in", r"2.54 \text{ cm}", 1.0),
        ("60 km/h", r"16.666667 \text{ m/s}", 1.0),
        ("60 mph", r"60 \text{ miles per hour}", 1.0),
        ("2 hours", r"120 \text{ minutes}", 1.0),
        ("2 years", r"24 \text{ months}", 1.0),
        (r"\frac{10}{3} m", r"3.333333 \text{ m}", 1.0),
        ("3.333 m", r"333.33 \text{ cm}", 0.0),
        (r"3\pi\text{ m}", r"300\pi\text{ cm}", 1.0),
        (r"25^\circ\text{C}", "25 C", 1.0),
        ("298.15 K", r"25^\circ\text{C}", 0.0),
        ("12 m", "12", 1.0),
        ("12 m", "1200", 0.0),
        ("5 dollars", r"500\text{ cents}", 1.0),
    ],
)
def test_mathematics_and_stem_agree_about_units(reference, written, score):
    problems = [Problem(id="u", domain=domain, prompt="", answer=reference) for domain in (Domain.MATH, Domain.STEM)]
    assert [verify(problem, f"\\boxed{{{written}}}").score for problem in problems] == [score, score]


def test_votes_for_one_length_in_two_units_count_together():
    assert are_equal("12 m", "1200 cm")
    assert are_equal(r"300\pi \text{ cm}", r"3\pi \text{ m}")
    assert not are_equal("12 m", "12")
    assert not are_equal("25 C", "25 °C")
    assert cluster(["12 m", "12", "1200 cm", "0.012 km", "12 kg"]) == [0, 1, 0, 0, 2]


def test_what_is_no_single_value_is_not_converted():
    problem = Problem(id="u", domain=Domain.MATH, prompt="", answer="1, 2 m")
    assert verify(problem, r"\boxed{100, 200 \text{ cm}}").score == 0.0


def test_the_table_of_stem_answers_holds():
    document = (Path(__file__).parents[1] / "docs" / "verifiers.md").read_text()
    section = document.partition("\n## STEM")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| .*\| `(.+)` \| `(.+)` \| (yes|no) \|$", section, re.MULTILINE)
    assert len(rows) > 15
    scored = [(*row, judge(f"\\boxed{{{row[1]}}}", answer=row[0], options=None).score) for row in rows]
    assert [row for row in scored if row[3] != float(row[2] == "yes")] == []


def test_free_form_without_an_answer_or_a_reference_says_so():
    assert judge("12 m", answer="12 m", options=None).reason == "no_answer"
    assert judge(r"\boxed{12 m}", answer=None, options=None).score is None


@pytest.mark.parametrize("reference", ["B. 9 J", "(B) 9 J", "B: 9 J", "Option B", "**B**", "$B$", r"\boxed{B}", "B."])
def test_a_reference_may_name_an_option_in_many_ways(reference):
    options = {"A": "7 J", "B": "9 J", "C": "12 J"}
    problem = Problem(id="c", domain=Domain.STEM, prompt="", answer=reference, options=options)
    assert verify(problem, "Answer: B because A is too small").score == 1.0
    assert verify(problem, r"\boxed{A}").score == 0.0


def test_options_may_be_labelled_in_many_ways():
    for options, answer in (({"A.": "7 J", "(B)": "9 J"}, "B"), ({"1": "7 J", "2": "9 J"}, "2")):
        problem = Problem(id="c", domain=Domain.STEM, prompt="", answer=answer, options=options)
        assert verify(problem, rf"\boxed{{{answer}}}").score == 1.0
    problem = Problem(id="c", domain=Domain.STEM, prompt="", answer="B", options={"A": "A. 7 J", "B": "B. 9 J"})
    assert verify(problem, r"\boxed{9 J}").score == 1.0


@pytest.mark.parametrize(
    ("reference", "written", "score"),
    [
        ("A, C", "A, C", 1.0),
        ("AC", r"\text{C and A}", 1.0),
        ("A and C", "(A), (C)", 1.0),
        ("AC", "A", 0.0),
        ("AC", "A, B, C", 0.0),
        ("AC", "D", 0.0),
        ("AC", "12 m", 0.0),
        ("AC", "A-C", 0.0),
        ("AC", r"\neg A, C", 0.0),
        ("(A)(C)", "C", 0.0),
        ("['A', 'C']", r"\{A, C\}", 1.0),
        ("A,C", r"\text{Both A and C}", 1.0),
    ],
)
def test_of_several_right_options_all_are_named(reference, written, score):
    problem = Problem(id="s", domain=Domain.STEM, prompt="", answer=reference, options=OPTIONS)
    assert verify(problem, f"\\boxed{{{written}}}").score == score
    shown = verify(problem, r"\boxed{B, D}", order=["B", "A", "D", "C"])  # A and C as this sample saw them
    assert shown.score == 1.0
