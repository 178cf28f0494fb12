"""Answers: where they are, when two mean the same, and what is never credited."""

import random
import re
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etalon.types import Domain, Problem, Rollout, Stop, Verdict
from etalon.verifiers import are_equal, canonical, cluster, parse_verdicts, verify, verify_all
from etalon.verifiers.judges import equivalence_judge, query_quality_judge
from etalon.verifiers.math.answer import compare
from etalon.verifiers.math.engine.symbolic import SymbolicPool
from etalon.verifiers.text import extract_answer, final_part, last_boxed


def math(answer):
    return Problem(id="p", domain=Domain.MATH, prompt="q", answer=answer)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"<think>\boxed{1}</think> so \boxed{2}", "2"),
        (r"no opening tag \boxed{1}</think>\boxed{2}", "2"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{3} and an open \boxed{4", "3"),
        ("The sum is 7.\nAnswer: 12", "12"),
        ("**Final answer:** $x$", "$x$"),
        (r"Answer: 3 but \boxed{4}", "4"),
        ("the answer is 12", None),
        ("2 + 2 = 4", None),
        (r"<think>\boxed{7}", None),
        (r"<think>\boxed{7}</think> I ran out", None),
        ("", None),
        (r"\boxed{" + "9" * 5000 + "}", None),
        (r"\boxed{" * 5000, None),
    ],
)
def test_only_the_final_part_and_only_a_box_or_an_answer_line_is_an_answer(response, answer):
    assert extract_answer(response) == answer


def test_an_unclosed_think_hides_what_follows():
    assert final_part("<think>a</think>b<think>c") == "b"
    assert last_boxed(final_part(r"<think> \boxed{1}")) is None


@pytest.mark.parametrize(
    ("reference", "answer", "reason"),
    [
        ("12", "12", "exact"),
        ("025", "25", "rational"),
        ("70", "70.0", "rational"),
        ("1/2", r"\frac{1}{2}", "rational"),
        ("1/2", r"\dfrac12", "rational"),
        ("0.5", r"\frac{1}{2}", "rational"),
        ("5/2", r"2\frac{1}{2}", "rational"),
        ("2.5", "2 1/2", "rational"),
        ("-3", r"$\left(-3\right)$", "rational"),
        ("1234567", "1,234,567", "exact"),
        ("1234", r"1{,}234", "exact"),
        ("300000", r"3 \times 10^{5}", "rational"),
        ("25%", "25", "rational"),
        ("0.25", r"25\%", "rational"),
        ("25", "25%", "rational"),
        ("12", r"12 \text{ cm}", "exact"),
        ("90", r"90^\circ", "exact"),
        ("5", "x = 5", "exact"),
        ("7", "3+4=7", "exact"),
        ("1/3", "0.333333", "rational"),
        ("1024", "2^{10}", "rational"),
        ("2^{10}", "1024", "rational"),
        (r"\text{blue}", "Blue", "exact"),
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", "symbolic"),
        (r"x^2+2x+1", "(x+1)^2", "symbolic"),
        (r"\{1,2\}", r"\{2,1\}", "exact"),
        (r"2 \pi r", r"2\pi\,r", "exact"),
        ("19, 46, and 82", r"19, 46, \text{ and } 82", "exact"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}", "exact"),
    ],
)
def test_the_same_value_in_another_spelling_is_correct(reference, answer, reason):
    found = compare(reference=reference, answer=answer)
    assert (found.is_equal, found.reason) == (True, reason)


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("12", "13"),
        ("1/3", "0.33"),
        ("12", "twelve"),
        ("12", "12, 13"),
        ("32349", "32, 349"),
        ("7", "3+4"),
        ("12", r"3 \cdot 4"),
        ("7", r"9^{9^{9^{9}}}"),
        ("read", "dear"),
        ("(1,2)", "(2,1)"),
        (r"\sqrt{2}", r"\sqrt{3}"),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
        ("5", ""),
        ("5", "{" * 300),
        ("5", "1/0"),
    ],
)
def test_another_value_or_an_unfinished_one_is_wrong(reference, answer):
    assert compare(reference=reference, answer=answer).is_equal is False


def test_verdicts_say_why():
    assert verify(math("7"), r"\boxed{7}").score == 1.0
    assert verify(math("7"), "it is 7") == Verdict(score=0.0, reason="no_answer", seconds=pytest.approx(0, abs=10))
    assert verify(math("7"), "it is", stop=Stop.LENGTH).reason == "truncated"
    cut = verify(math("7"), r"\boxed{7} and", stop=Stop.LENGTH)
    assert (cut.score, cut.reason, cut.extracted) == (0.0, "truncated", "7")
    assert verify(math("7"), r"\boxed{7}", stop=Stop.ERROR).score is None
    assert verify(math(None), r"\boxed{7}").reason.startswith("bad_reference")
    assert verify(math(" "), r"\boxed{ }").score is None


def test_a_verifier_that_raises_is_undecided():
    def broken(problem, response):
        raise KeyError("x")

    assert verify(math("7"), "7", verifier=broken).reason == "crashed: KeyError: 'x'"
    assert verify(math("7"), "7", verifier=broken).score is None


@pytest.mark.live
def test_a_hostile_answer_is_undecided_and_its_neighbour_is_not():
    pool = SymbolicPool(workers=1, deadline_seconds=1.0)
    try:
        assert pool.compare(r"\pi", "9^{9^{9^{9}}}").reason == "timeout"
        assert pool.compare(r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}").is_equal is True
    finally:
        pool.close()


def test_symbolic_answers_are_judged_in_any_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(compare(reference=r"2\pi", answer=r"\pi+\pi").is_equal))
    thread.start()
    thread.join()
    assert found == [True]


@pytest.mark.parametrize(
    "payload", ["__import__('os').system('touch {0}')", r"\text{{__import__('os').remove('{0}')}}"]
)
def test_an_answer_is_never_executed(tmp_path, payload):
    canary = tmp_path / "canary"
    compare(reference=r"\sqrt{2}", answer=payload.format(canary))
    assert not canary.exists()


def test_integers_never_start_a_symbolic_worker():
    program = (
        "import sys\nfrom etalon.types import *\n"
        "from etalon.verifiers import cluster, verify\nfrom etalon.verifiers.math.engine import symbolic\n"
        "p = Problem(id='1', domain=Domain.MATH, prompt='', answer='7')\n"
        "for a in ['7', '-12', '3+4', '=', '12-', '7 7', '(3', '2*3+1', 'abc', '7/', '3+4=7', '--7', '1^2^3^4']:\n"
        "    verify(p, '\\\\boxed{' + a + '}')\n"
        "cluster(['7', '3', None, '007', '-1'])\n"
        "assert not symbolic._POOLS.is_made\nassert not {'sympy', 'math_verify', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_verify_all_keeps_the_order_with_any_number_of_workers():
    items = [
        (math(str(k % 3)), Rollout(problem_id="p", index=k, text=f"\\boxed{{{k % 2}}}", stop=Stop.EOS, num_tokens=1))
        for k in range(20)
    ]
    scores = [[verdict.score for verdict in verify_all(items, workers)] for workers in (1, 4)]
    assert scores[0] == scores[1] == [float(k % 3 == k % 2) for k in range(20)]


def test_none_is_equal_to_nothing():
    assert not are_equal(None, None)
    assert cluster([None, None, "1"]) == [None, None, 0]


def test_clusters_join_equal_values_only():
    answers = [
        "1/2",
        "0.5",
        None,
        r"\frac12",
        "7",
        r"\sqrt{4}",
        "2",
        "25%",
        "25",
        "0.25",
        r"\frac{\sqrt2}{2}",
        r"1/\sqrt{2}",
    ]
    assert cluster(answers) == [0, 0, None, 0, 1, 2, 2, 3, 4, 3, 5, 5]


def test_clusters_do_not_depend_on_the_order_of_answers():
    answers = ["1/2", "0.5", r"\sqrt{4}", "2", "x", "25%", "0.25", "25", r"\pi", r"3.141593", r"\frac{2\pi}{2}"]
    first = cluster(answers)
    for seed in range(5):
        order = random.Random(seed).sample(range(len(answers)), len(answers))
        again = cluster([answers[k] for k in order])
        pairs = {(first[order[i]] == first[order[j]]) == (again[i] == again[j]) for i in order for j in order}
        assert pairs == {True}
        assert [again[0], max(again)] == [0, max(first)]


@settings(max_examples=200, deadline=None)
@given(st.fractions(max_denominator=10**6), st.integers(2, 9))
def test_a_fraction_has_one_canonical_form(value, factor):
    written = f"\\frac{{{value.numerator * factor}}}{{{value.denominator * factor}}}"
    assert canonical(written) == canonical(str(value)) == str(Fraction(value))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=r"0123456789+-*/^().,{}%= $\frac", max_size=30))
def test_canonical_ends_on_any_text(text):
    assert isinstance(canonical(text), str)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("<verdicts>\n1. valid\n2. refuted\n3: TRUE.\n</verdicts>", [True, False, True]),
        ("<think><verdicts>1\n1\n1</verdicts></think>\n<verdicts>\nx\nv\n0\n\n</verdicts>", [False, True, False]),
        ("<verdicts>\nclaim 1 is valid\nmaybe\n**Refuted**\n</verdicts>", [True, None, False]),
        ("<verdicts>\nvalid\nvalid\n</verdicts>", [None, None, None]),
        ("valid valid valid", [None, None, None]),
    ],
)
def test_verdicts_are_read_line_by_line_from_the_last_block(block, expected):
    assert parse_verdicts(block, 3) == expected


def test_claims_are_right_only_when_all_are():
    problem = Problem(id="c", domain=Domain.CLAIMS, prompt="", answer="1 0")
    assert verify(problem, "<verdicts>\n1 valid\n2 refuted\n</verdicts>").score == 1.0
    assert verify(problem, "<verdicts>\nvalid\nvalid\n</verdicts>").reason == "different"
    assert verify(problem, "both are fine").reason == "no_answer"
    assert verify(Problem(id="c", domain=Domain.CLAIMS, prompt="", answer="yes"), "").score is None


class Scripted:
    """A sampler that says the given replies one after the other."""

    name = "scripted"

    def __init__(self, *replies):
        self.replies, self.prompts = list(replies), []

    def sample(self, conversations, *, n, params, seed):
        self.prompts.append(conversations[0][-1].content)
        text = self.replies.pop(0)
        stop = Stop.ERROR if text is None else Stop.EOS
        yield 0, (Rollout(problem_id="", index=0, text=text or "", stop=stop, num_tokens=1, error="down"),)


@pytest.mark.parametrize(
    ("replies", "score", "reason"),
    [
        (["Same value.\nYes"], 1.0, "judge"),
        (["<think>Yes</think>They differ.\n**No.**"], 0.0, "judge"),
        (["Perhaps", "Yes"], 1.0, "judge"),
        (["Perhaps", "Yes, I think"], None, "judge_unreadable"),
        ([None, None], None, "judge_unreachable: down"),
    ],
)
def test_a_judge_answers_yes_or_no_or_leaves_it_undecided(replies, score, reason):
    judge = Scripted(*replies)
    verdict = equivalence_judge(judge, question="{answer}?", reference="1", answer="{reference}")
    assert (verdict.score, verdict.reason) == (score, reason)
    assert "{answer}?" in judge.prompts[0]
    assert "{question}" not in judge.prompts[0]


def test_a_query_is_judged_with_its_own_prompt():
    judge = Scripted("Fine.\nYes")
    assert query_quality_judge(judge, query="How many?").is_correct
    assert "How many?" in judge.prompts[0]


def test_every_reason_that_the_command_names_is_one_that_a_verifier_gives():
    source = Path(__file__).parents[1] / "src" / "etalon"
    said = (source / "commands" / "verify.py").read_text().partition("Reasons, up to the first colon:")[2]
    lines = re.findall(r"^ +(?:right|wrong|undecided) +(.*)$", said.partition('"""')[0], re.MULTILINE)
    reasons = [reason for line in lines for reason in line.partition(", and what")[0].split(", ")]
    assert len(reasons) > 15
    given = "".join(
        path.read_text() for folder in ("verifiers", "data", "rows") for path in (source / folder).rglob("*.py")
    )
    assert [reason for reason in reasons if not re.search(rf'"{reason}(?:[":{{]|$)', given, re.MULTILINE)] == []
