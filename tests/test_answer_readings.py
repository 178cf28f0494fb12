"""The steps of the comparison core, one by one: what is read, split, evaluated, and what is left to the engine."""

import json
import socket
import threading
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etalon.types import Domain, Problem
from etalon.verifiers import are_equal, canonical, cluster, verify
from etalon.verifiers.math import Reason
from etalon.verifiers.math.answer import compare
from etalon.verifiers.math.engine.values import numeric_value, surely_differ, survives_precision
from etalon.verifiers.math.engine.worker import MathVerify, serve
from etalon.verifiers.math.formula import (
    TooLargeError,
    approximate,
    are_far_apart,
    cannot_be_number,
    evaluate,
    is_unevaluated,
)
from etalon.verifiers.math.read.normalise import read
from etalon.verifiers.math.read.numbers import based, decimal_comma, parse_number
from etalon.verifiers.math.read.quantities import conversion, split_unit
from etalon.verifiers.math.read.relations import interval_of, name_and_value, union_of, value_of
from etalon.verifiers.math.read.shapes import MAX_PARTS, Kind, shape_of, split_top
from etalon.verifiers.memo import Memo
from etalon.verifiers.text import extract_answer


@pytest.mark.parametrize(
    ("answer", "text", "unit"),
    [
        ("12", "12", ""),
        (r"$\boxed{\text{12}}$.", "12", ""),
        ("12 cm", "12", "cm"),
        ("12 square centimeters", "12", "cm^2"),
        ("5 cubic feet", "5", "ft^3"),
        ("60 miles per hour", "60", "mi/h"),
        (r"9.8\ \text{m/s}^2", "9.8", "m/s^2"),
        ("90°", "90", "deg"),
        ("$5", "5", "$"),
        ("-€5", "-5", "€"),
        ("5€", "5", "€"),
        ("5 million", "5000000", ""),
        ("28 percent", "28%", ""),
        ("35 students", "35", "?"),
        ("5m", "5m", ""),
        ("5 x", "5x", ""),
        (r"\sin 30^\circ", r"\sin30°", ""),
        ("x = 5 cm", "x=5", "cm"),
        ("1 2", "1 2", ""),
        ("32, 349", "32;349", ""),
        ("1, 2", "1;2", ""),
        ("1,2", "1,2", ""),
        (r"\\frac{1}{2}", r"\frac{1}{2}", ""),
        (r"\\begin{pmatrix}1\\\\2\\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", ""),
        ("x²", "x^{2}", ""),
        ("½", r"\frac{1}{2}", ""),
        ("2¾", r"2\frac{3}{4}", ""),
        ("3:30 p.m.", "3:30pm", ""),
        (r"{5 \choose 2}", r"\binom{5}{2}", ""),
        (r"\frac1{72}", r"\frac{1}{72}", ""),
        ("The  Answer", "answer", ""),
        ("no solutions", "no solution", ""),
        ("infinity", r"\infty", ""),
        ("", "", ""),
    ],
)
def test_an_answer_is_read_in_one_spelling_with_its_unit_apart(answer, text, unit):
    assert (read(answer).text, read(answer).unit) == (text, unit)


def test_units_agree_unless_two_known_ones_differ():
    def agree(a, b, is_lenient=True):
        return conversion(a, b, is_lenient=is_lenient)

    assert agree("cm", "cm") == agree("", "cm") == agree("?", "?") == agree("?/h", "?/s") == 1
    assert agree("m", "cm") == 100
    assert agree("mi/h", "km/h") == Fraction("1.609344")
    assert agree("cm", "kg") is agree("cm", "?") is agree("m", "m^2") is agree("deg", "rad") is None
    assert agree("C", "°C") == 1
    assert agree("m", "cm", is_lenient=False) == 100
    assert agree("C", "°C", is_lenient=False) is agree("", "cm", is_lenient=False) is None
    assert split_unit("5 or 6 m") == ("5 or 6", "m")
    assert split_unit(r"\pi cm") == (r"\pi", "cm")
    assert split_unit(r"\sqrt{x} cm") == (r"\sqrt{x}", "cm")
    assert split_unit("x cm") == ("x cm", "")
    assert split_unit("2 cm cm cm cm cm") == ("2 cm", "cm")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3+4*5", 23),
        ("(3+4)*5", 35),
        ("2(3)", 6),
        ("-2^2", -4),
        ("2^-3", Fraction(1, 8)),
        ("2^3^2", 512),
        ("7/2/2", Fraction(7, 4)),
        ("--7", 7),
        (".5+1.5", 2),
        ("5!", 120),
        ("(2+1)!", 6),
        (r"\frac{1}{1+\frac{1}{2}}", Fraction(2, 3)),
        (r"\frac12", Fraction(1, 2)),
        (r"\frac{10}2", 5),
        (r"\frac123", Fraction(3, 2)),
        (r"\binom{5}{2}", 10),
        (r"\binom{10^{10}}{1}", 10**10),
        ("0^0", 1),
        ("3!!", 3),
        ("(1/2)!", None),
        ("(0-1)!", None),
        (r"\binom{2}{3}", None),
        (r"\binom{1/2}{1}", None),
        ("4^(1/2)", None),
        ("1/0", None),
        ("0^-1", None),
        ("(3", None),
        ("3)", None),
        ("3+", None),
        ("3*/4", None),
        ("x+1", None),
        ("1+" * 600 + "1", None),
        ("(" * 130 + "1" + ")" * 130, None),
        (r"\frac{2005!}{2004!}", None),
        (r"\frac", None),
    ],
)
def test_arithmetic_is_exact_or_left_alone(text, value):
    assert evaluate(text) == value


@pytest.mark.parametrize("text", ["9^9^9^9", "3000!", r"2^99999", "((9!)!)!", "2^20000+2^20001"])
def test_what_exceeds_every_reference_is_too_large(text):
    with pytest.raises(TooLargeError):
        evaluate(text)


def test_large_binomials_are_too_large_only_when_they_are():
    assert evaluate(r"\binom{9999}{5000}") is None  # a command may shrink what it holds: left to the engine
    assert is_unevaluated("3+4")
    assert is_unevaluated("3*4")
    assert not is_unevaluated("2^10")
    assert not is_unevaluated("5!")
    assert not is_unevaluated("1,2")
    assert cannot_be_number("abc")
    assert not cannot_be_number("a1")
    assert not cannot_be_number("\\pi")


@pytest.mark.parametrize(
    ("text", "value", "decimals"),
    [
        ("-1.50", Fraction(-3, 2), 2),
        ("1.5e-3", Fraction(3, 2000), 1),
        ("3*10^{5}", Fraction(300000), 0),
        ("-3*10^5", Fraction(-300000), 0),
        (r"-\frac{1}{2}", Fraction(-1, 2), 0),
        (r"\frac{-1}{2}", Fraction(-1, 2), 0),
        (r"-2\frac{1}{2}", Fraction(-5, 2), 0),
        ("2_1/2", Fraction(5, 2), 0),
        (r"0.\overline{3}", Fraction(1, 3), 0),
        (r"-1.1\overline{6}", Fraction(-7, 6), 0),
        (r".\dot{3}", Fraction(1, 3), 0),
        ("(5)", Fraction(5), 0),
        ("{5}", Fraction(5), 0),
        ("5.", Fraction(5), 0),
    ],
)
def test_rationals_are_exact(text, value, decimals):
    number = parse_number(text)
    assert (number.value, number.decimals, number.is_percent) == (value, decimals, False)


def test_what_is_no_rational():
    for text in ("", "abc", "1/0", r"\frac{1}{0}", "1" * 401, "1,2", "101_2", "%", "(", "1e1000000"):
        assert parse_number(text) is None
    assert parse_number("25%").is_percent
    assert parse_number("1" * 400) is not None
    assert based("0101_{2}") == based("(101)_2") == ("101", 2)
    assert based("1a_{16}") == ("1A", 16)
    assert based("101_{two}") == ("101", 2)
    names = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    assert [based(f"10_{{{name}}}")[1] for name in names] == list(range(2, 11))
    assert based("x_1") is None
    assert based("101_{blue}") is None
    assert decimal_comma("1,5").value == Fraction(3, 2)
    assert decimal_comma("0,111").value == Fraction(111, 1000)
    assert decimal_comma("1,234") is None
    assert decimal_comma("1,2,3") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x=5", ("x", "5")),
        ("5=x", ("x", "5")),
        ("x=3+4=7", ("x", "7")),
        (r"x=1/3≈0.33", ("x", "1/3")),
        ("x≈11", ("x", "11")),
        ("f(x)=2x", ("f(x)", "2x")),
        ("(x,y)=(1,2)", ("(x,y)", "(1,2)")),
        ("x+y=1", None),
        ("3=3", None),
        ("x=", None),
        ("x=1,y=2", None),
        ("12", None),
    ],
)
def test_names_and_their_values(text, found):
    assert name_and_value(text) == found


def test_equations_state_a_value_only_at_their_end():
    assert value_of("3+4=7") == "7"
    assert value_of("m+n=10") == "10"
    assert value_of("m+n=10", is_reference=True) is None
    assert value_of("x-y=0") is None
    assert value_of("a-b=c-d=0") == "0"
    assert value_of("x^2+y^2=r^2") is None
    assert value_of(r"\sqrt{2}/2≈0.707") == r"\sqrt{2}/2"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x>1", ("x", r"(1,\infty)")),
        ("1≤x", ("x", r"[1,\infty)")),
        ("x≤2", ("x", r"(-\infty,2]")),
        ("2>x", ("x", r"(-\infty,2)")),
        ("1<x≤2", ("x", "(1,2]")),
        ("2≥x>1", ("x", "(1,2]")),
        ("x∈[1,2)", ("x", "[1,2)")),
        (r"\{x\mid x>1\}", ("x", r"(1,\infty)")),
        ("0<f(x)<1", ("f(x)", "(0,1)")),
        ("1<x>0", None),
        ("x<y", None),
        ("2x>4", None),
        ("a+1<b+2<3", None),
        ("1<x<2<3", None),
        ("x=1", None),
        ("1<", None),
        (r"\frac{n}{2}∈A", None),
    ],
)
def test_inequalities_are_intervals(text, found):
    assert interval_of(text) == found


def test_unions_need_one_variable():
    assert union_of("x<1∨x>2") == ("x", r"(-\infty,1)∪(2,\infty)")
    assert union_of("x<1∨y>2") is None
    assert union_of("x<1∨5") is None


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("(1,2]", Kind.TUPLE, ("1", "2")),
        (r"\{1,2\}", Kind.SET, ("1", "2")),
        ("{1,2}", Kind.LIST, ("1", "2")),
        ("1,2", Kind.LIST, ("1", "2")),
        ("1;2", Kind.LIST, ("1", "2")),
        ("a=1,b=2;a=3,b=4", Kind.LIST, ("a=1,b=2", "a=3,b=4")),
        ("(1,2),(3,4)", Kind.LIST, ("(1,2)", "(3,4)")),
        ("(1,2)∪[3,4]", Kind.UNION, ("(1,2)", "[3,4]")),
        ("±2", Kind.LIST, ("2", "-2")),
        ("1±2", Kind.LIST, ("1+2", "1-2")),
        ("x=±2", Kind.LIST, ("x=2", "x=-2")),
        ("(±1,∓1)", Kind.LIST, ("(1,-1)", "(-1,1)")),
        (r"\begin{pmatrix}1&2\\3&4\\\end{pmatrix}", Kind.MATRIX, ("1", "2", "3", "4")),
        (r"[\begin{array}{cc}1&2\end{array}]", Kind.MATRIX, ("1", "2")),
        ("A(1,2)", Kind.TUPLE, ("1", "2")),
    ],
)
def test_parts_are_split_at_the_top_level(text, kind, parts):
    shape = shape_of(text)
    assert (shape.kind, shape.parts) == (kind, parts)


def test_what_has_no_parts():
    ragged, nested = r"\begin{pmatrix}1&2\\3\end{pmatrix}", r"\begin{pmatrix}\begin{pmatrix}1\end{pmatrix}\end{pmatrix}"
    for text in ("5", "(5)", "(1,2)+(3,4)", "1,,2", "(,)", "∪", "{1,2)", ragged, nested, "±1±2", ",".join("1" * 65)):
        assert shape_of(text) is None, text
    assert len(shape_of(",".join("1" * MAX_PARTS)).parts) == MAX_PARTS
    assert split_top(r"\begin{a},\end{a},1", ",") == [r"\begin{a},\end{a}", "1"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"3\sqrt{2}", 3 * 2**0.5),
        (r"\sqrt[3]{8}", 2.0),
        (r"\frac{\pi}{4}", 0.785398163),
        (r"\frac12", 0.5),
        (r"\frac123", 1.5),
        ("2^{-1}", 0.5),
        ("-2^2", -4.0),
        ("1-(2-3)*4/2", 3.0),
        ("+5", 5.0),
    ],
)
def test_formulas_have_approximate_values(text, value):
    assert approximate(text) == pytest.approx(value)


def test_formulas_that_have_none():
    for text in (r"\ln2", "e", "i", "x_1", "1/0", "9^{9^{9}}", "(1", "1)", "", "(1]", "*", "1" * 401, "(" * 41, "-"):
        assert approximate(text) is None, text
    assert approximate("x") != approximate("y") != approximate("X")
    assert are_far_apart("x+1", "x-1")
    assert not are_far_apart("x+x", "2x")
    assert not are_far_apart("3.141", r"\pi")
    assert not are_far_apart("1", r"\ln2")


def test_a_memo_forgets_what_was_used_least_recently():
    memo = Memo(2)
    memo.put("a", 1)
    memo.put("b", 2)
    assert memo.get("a") == 1
    memo.put("c", 3)
    assert (memo.get("a"), memo.get("b"), memo.get("c")) == (1, None, 3)
    memo.clear()
    assert memo.get("a") is None


def test_grading_has_a_reason_for_every_outcome():
    def reason(answer, response):
        return verify(Problem(id="", domain=Domain.MATH, prompt="", answer=answer), response).reason

    assert reason("7", r"\boxed{7}") == "exact"
    assert reason("7", r"\boxed{7.0}") == "rational"
    assert reason(r"\sqrt{8}", r"\boxed{2\sqrt{2}}") == "symbolic"
    assert reason("7", r"\boxed{8}") == "different"
    assert reason("7", "8") == "no_answer"
    assert reason("", r"\boxed{8}") == "bad_reference"
    assert reason("$", r"\boxed{8}") == "different"
    assert reason("\\text{}", r"\boxed{8}") == "bad_reference"
    assert reason("\\frac{+}{\\cdot}", r"\boxed{\sqrt{x}}") == "bad_reference"
    assert reason(7, r"\boxed{7}") == "exact"  # data sets hold integers


def test_an_answer_line_may_wear_markdown():
    assert extract_answer("**Answer:** 5") == "5"
    assert extract_answer("ANSWER: 5\nmore") == "5"
    assert extract_answer("> The final answer is: 5") == "5"
    assert extract_answer("my answer: 5") is None
    assert extract_answer("Answer:") is None
    assert extract_answer("### Final Answer\n\n**73**") == extract_answer("Answer:\n\\[\n73\n\\]") == "73"
    assert extract_answer("\u2705 Final Answer: **73**") == extract_answer("3) **Answer:** 73") == "73"
    assert extract_answer("Answer: 73<|im_end|>") == extract_answer("Answer: 73</s>\n") == "73"
    assert extract_answer("Answer: 1\nanswer: 2") == "2"
    assert extract_answer(r"\boxed") is extract_answer(r"\boxed .") is extract_answer(r"\boxed  ") is None
    assert extract_answer(r"so $\boxed 5$.") == extract_answer(r"\fbox{5}") == "5"
    assert extract_answer(r"\boxed {5}") == "5"


ANSWERS = ["1/2", "0.5", r"\frac12", "50%", "50", "x=50", "90", "90°", "12 cm", "12 m", "12", "1,2", "2,1", "(1,2)"]
ANSWERS += [r"\{1,2\}", r"\{2,1\}", "[1,2]", "101_2", "101_3", "101", "5", "x>1", r"(1,\infty)", "Blue", "blue", "0"]
ANSWERS += ["a=1,b=2", "b=2,a=1", "a=2,b=1", r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", r"\sqrt{0.5}", "0.333333"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(ANSWERS), min_size=2, max_size=10), st.randoms(use_true_random=False))
def test_clusters_are_a_partition_that_no_order_changes(answers, rng):
    order = rng.sample(range(len(answers)), len(answers))
    first, again = cluster(answers), cluster([answers[k] for k in order])
    assert first[0] == 0
    for i in range(len(answers)):
        for j in range(len(answers)):
            together = first[order[i]] == first[order[j]]
            assert together == (again[i] == again[j])
            assert together or not are_equal(answers[order[i]], answers[order[j]])


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS), st.sampled_from(ANSWERS))
def test_equality_for_votes_is_symmetric_and_transitive(a, b, c):
    assert are_equal(a, b) == are_equal(b, a)
    if are_equal(a, b) and are_equal(b, c):
        assert are_equal(a, c)


def test_canonical_keys_join_spellings_and_keep_units():
    assert canonical("0.5") == canonical(r"\frac{1}{2}") == "1/2"
    assert canonical("12 cm") == canonical("12 centimeters") != canonical("12 m")
    assert canonical("$5") == canonical("5") == canonical("x=5")
    assert canonical("50%") == "50%"


@pytest.fixture(scope="module")
def engine():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("logging.root.manager.disable", 50)
        yield MathVerify()


@pytest.mark.filterwarnings("ignore")
def test_the_engine_compares_values_not_roundings(engine):
    def judge(reference, answer, is_exact=False):
        return engine.compare(reference, answer, is_exact=is_exact)

    assert judge(r"\sqrt{8}", r"2\sqrt{2}") == (True, "symbolic")
    assert judge(r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}") == (False, "different")
    assert judge(r"\sqrt{10^{40}+1}", "10^{20}") == (False, "different")
    assert judge(r"\pi", "3.141593") == (True, "symbolic")
    assert judge(r"\pi", "3.141593", is_exact=True) == (False, "different")
    assert judge(r"e^{i\pi}", "-1") == (True, "symbolic")
    assert judge("5i", r"5\cdot i") == (True, "symbolic")
    assert judge("xi", r"x\cdot i") == (True, "symbolic")
    assert judge("x+1", "x+2") == (False, "different")
    assert judge(r"\frac{", r"\pi")[0] is None
    assert judge(r"\pi", r"5\cdot\cdot") == (False, "different")
    assert judge(r"\sqrt{2}", "0.5+0.5", is_exact=True) == (False, "different")


@pytest.mark.filterwarnings("ignore")
def test_values_that_agree_must_agree_to_many_digits():
    sympy = pytest.importorskip("sympy")
    half, third = sympy.Rational(1, 2), sympy.Rational(1, 3)
    assert survives_precision(half, sympy.Rational(2, 4), is_exact=True)
    assert not survives_precision(half, third, is_exact=True)
    assert survives_precision(sympy.sqrt(8), 2 * sympy.sqrt(2), is_exact=True)
    assert not survives_precision(sympy.sqrt(2), sympy.sqrt(2) + sympy.Rational(1, 10**100), is_exact=True)
    assert survives_precision(third, sympy.Float("0.333333"), is_exact=False)
    assert not survives_precision(third, sympy.Float("0.333333"), is_exact=True)
    x = sympy.Symbol("x")
    assert not survives_precision(x, half, is_exact=True)
    assert survives_precision(x, sympy.Symbol("x", positive=True), is_exact=True)
    assert not survives_precision(x + half, x + half + sympy.Rational(1, 2**99), is_exact=False)
    assert not survives_precision(x + 0.5, x + half + sympy.Rational(1, 2**99), is_exact=False)
    assert survives_precision(x / 3, x * sympy.Float("0.333333"), is_exact=False)
    assert not survives_precision(x / 3, x * sympy.Float("0.333333"), is_exact=True)
    assert not survives_precision(sympy.Eq(x, 1), sympy.Eq(x, 1 + sympy.Rational(1, 2**99)), is_exact=False)
    assert survives_precision(sympy.Eq(x, 1), sympy.Eq(2 * x, 2), is_exact=False)
    assert survives_precision(sympy.Interval(0, 1), sympy.Interval(0, 1), is_exact=True)
    assert not survives_precision(sympy.exp(-50), sympy.Float("1e-7"), is_exact=False)


def test_values_are_finite_numbers_or_none():
    sympy = pytest.importorskip("sympy")
    assert numeric_value(sympy.sqrt(2)) == pytest.approx(2**0.5)
    assert numeric_value(sympy.oo) is None
    assert numeric_value(sympy.Symbol("x")) is None
    assert numeric_value("text") is None
    assert surely_differ(1, 2)
    assert not surely_differ(1, 1.0001)
    assert not surely_differ(None, 2)
    assert not surely_differ(1, sympy.Symbol("x"))


class Spent:
    """An engine that runs out of memory."""

    def read(self, text):
        raise MemoryError

    def compare(self, reference, answer, *, is_exact):
        raise AssertionError


@pytest.mark.filterwarnings("ignore")
def test_a_worker_says_what_it_read_and_when_it_is_spent(engine):
    def replies(served):
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=serve, args=(theirs, served))
        thread.start()
        ours.sendall(json.dumps({"reference": r"\pi", "answer": r"\pi+0", "is_exact": False}).encode() + b"\n")
        ours.shutdown(socket.SHUT_WR)
        thread.join()
        theirs.close()
        with ours, ours.makefile() as lines:
            return [json.loads(line) for line in lines]

    said = [{"read": "reference"}, {"read": "answer"}, {"is_equal": True, "reason": "symbolic"}]
    assert replies(engine) == said
    assert replies(Spent()) == [{"is_equal": None, "reason": "timeout", "is_spent": True}]


def test_an_answer_that_is_too_long_or_too_deep_is_different():
    assert compare(reference="1", answer="1" * 5000).reason is Reason.DIFFERENT
    deep = "(1," * 12 + "2" + ")" * 12
    assert compare(reference=deep, answer=deep.replace("2", "3")).is_equal is False


@pytest.mark.parametrize(
    ("reference", "answer", "same"),
    [
        (r"\text{cat}", r"\text{act}", False),
        (r"\text{HT}", r"\text{TH}", False),
        (r"\mathrm{abc}", r"\mathrm{bca}", False),
        (r"\text{cat}", "cat", True),
        (r"\infty", r"\text{infinity}", True),
        (r"\pi", r"\text{pi}", True),
        ("AB=5", "CD=5", False),
        ("AB=5", "|AB|=5", True),
        ("a_1=2", "a_2=2", False),
        ("f(x)=x+1", "g(x)=x+1", False),
        ("f(x)=x+1", "y=x+1", True),
        (r"f^{-1}(x)=2x", "f(x)=2x", False),
        (r"\angle ABC=30", "ABC=30", True),
    ],
)
def test_words_are_no_products_and_names_name_something(reference, answer, same):
    assert compare(reference=reference, answer=answer).is_equal is same
