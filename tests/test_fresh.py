"""Fresh problems: each domain's references are worked out again from what the prompt says."""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from etalon.errors import InputError
from etalon.evaluate.fresh import LADDERS, domains_of, fresh_problems, reasoning_gym_problems
from etalon.problems import nano
from etalon.problems.instructions import instruction
from etalon.problems.options import can_shuffle
from etalon.types import Domain, Problem, Rule
from etalon.verifiers import verify
from etalon.verifiers.instruct.verdict import follows

COUNT = 42


@pytest.mark.parametrize("domain", LADDERS)
def test_levels_come_in_turn_and_a_seed_is_a_list(domain: Domain) -> None:
    problems, levels = fresh_problems(domain, COUNT, seed=1), LADDERS[domain].levels
    assert problems == fresh_problems(domain, COUNT, seed=1)
    assert problems[:5] == fresh_problems(domain, 5, seed=1)
    assert [problem.level for problem in problems] == [levels[k % len(levels)] for k in range(COUNT)]
    assert levels[-1] > 2 * nano.MAX_LEVELS[domain]
    assert [problem.id for problem in problems] == [f"fresh-{domain.value}-1-{k + 1}" for k in range(COUNT)]
    assert {problem.source for problem in problems} == {"fresh"}
    asked = instruction(domain, has_options=domain is Domain.STEM)
    assert all(problem.prompt.endswith(asked) for problem in problems)
    others = {problem.prompt for problem in fresh_problems(domain, COUNT, seed=2)}
    assert len(others) == COUNT
    assert len(others & {problem.prompt for problem in problems}) <= 1  # the easiest may meet by chance


def test_what_cannot_be_made_is_told() -> None:
    with pytest.raises(InputError, match="found domain facts; fresh problems are made for math, code, stem, instruct"):
        fresh_problems(Domain.FACTS, 1, seed=0)
    kinds = [Problem(id="", domain=domain, prompt="") for domain in (Domain.STEM, Domain.FACTS, Domain.MATH)]
    assert domains_of([*kinds, *kinds]) == [Domain.STEM, Domain.MATH]


# --- math -----------------------------------------------------------------------------------------------------


def test_the_value_of_every_expression_is_what_python_makes_of_it() -> None:
    for problem in fresh_problems(Domain.MATH, COUNT, seed=7):
        [expression] = re.findall(r"^(.+)=\?", problem.prompt, re.MULTILINE)
        value = eval(expression)
        assert problem.answer == str(value)
        assert len(re.findall(r"[-+*]", expression)) == problem.level
        assert nano.split_of(f"{expression}=?") != "train"
        assert verify(problem, f"\\boxed{{{value}}}").score == 1.0
        assert verify(problem, f"\\boxed{{{value + 10}}}").score == 0.0


# --- code -----------------------------------------------------------------------------------------------------


def examples_of(problem: Problem) -> tuple[int, list[tuple[int, int]], bool]:
    """Degree, examples and whether a divisor is to be found, from the prompt alone."""
    degree = int(re.findall(r"of degree (\d)", problem.prompt)[0])
    points = re.findall(r"f\((\d+)\)=(\d+)|(\d+)->(\d+)", problem.prompt)
    numbers = [[int(text) for text in point if text] for point in points]
    return degree, [(x, y) for x, y in numbers], "the remainder" in problem.prompt


def through(points: list[tuple[int, int]], x: int) -> Fraction:
    """Lagrange's polynomial through the points."""
    total = Fraction(0)
    for i, (xi, yi) in enumerate(points):
        term = Fraction(yi)
        for j, (xj, _) in enumerate(points):
            term *= Fraction(x - xj, xi - xj) if i != j else 1
        total += term
    return total


def divisors(degree: int, points: list[tuple[int, int]]) -> list[int]:
    """Every divisor up to 12,000 under which the first degree + 1 examples say all others."""
    fits = []
    expected = [int(through(points[: degree + 1], x)) for x, _ in points]
    for m in range(max(y for _, y in points) + 1, 12_000):
        if all(value % m == y for value, (_, y) in zip(expected, points, strict=True)):
            fits.append(m)
    return fits


def test_the_examples_of_a_rule_leave_one_rule_which_is_the_tested_one() -> None:
    kinds = Counter[str]()
    for problem in fresh_problems(Domain.CODE, COUNT, seed=7):
        assert problem.tests is not None
        degree, points, has_divisor = examples_of(problem)
        used = points[: degree + 1]
        assert len(used) == degree + 1
        found = divisors(degree, points) if has_divisor else [None]
        assert len(found) == 1
        for x, y in zip(problem.tests["inputs"], problem.tests["outputs"], strict=True):
            value = int(through(used, int(x)))
            assert int(y) == (value if found[0] is None else value % found[0])
        assert len(problem.tests["inputs"]) > len(points) + 4
        if not has_divisor and degree == 1:
            (x1, y1), (x2, y2) = points
            assert min(y1, y2) > 99 or (y2 - y1) // (x2 - x1) > 12  # no rule of the nano world
        kinds[problem.skill] += 1
    assert set(kinds) == {"code/function", "code/program"}


def program(problem: Problem, *, error: int = 0) -> str:
    """A response with the rule in Newton's form; with `error`, off by so much."""
    degree, points, has_divisor = examples_of(problem)
    row, first = [y for _, y in points[: degree + 1]], []
    while row:
        first.append(row[0])
        row = [b - a for a, b in pairwise(row)]
    modulus = f" % {divisors(degree, points)[0]}" if has_divisor else ""
    lines = [
        "from math import comb",
        f"def f(x): return sum(d * comb(x - {points[0][0]}, k) for k, d in enumerate({first})){modulus} + {error}",
    ]
    if "standard input" in problem.prompt:
        lines.append("print(f(int(input())))")
    return "```python\n" + "\n".join(lines) + "\n```"


@pytest.mark.live
def test_a_program_that_follows_the_rule_passes_and_another_fails() -> None:
    for problem in fresh_problems(Domain.CODE, 7, seed=11):
        assert verify(problem, program(problem)).score == 1.0
        assert verify(problem, program(problem, error=1)).score == 0.0


# --- stem -----------------------------------------------------------------------------------------------------


def solved(prompt: str) -> Fraction:
    """The quantity that a prompt asks for, from the relations and the numbers that it gives."""
    relations = re.findall(r"(\w) = (\w)\*(\w)", prompt)
    assert len(relations) == 14
    known = {symbol: Fraction(value) for symbol, value in re.findall(r"\b([A-Za-z]) = (\d+)\b", prompt)}
    [asked] = re.findall(r"What is the .*? ([A-Za-z])(?: in |\?)", prompt)
    while asked not in known:
        before = len(known)
        for product, left, right in relations:
            if left in known and right in known:
                known.setdefault(product, known[left] * known[right])
            for factor, other in ((left, right), (right, left)):
                if product in known and other in known:
                    known.setdefault(factor, known[product] / known[other])
        assert len(known) > before
    return known[asked]


def test_the_right_option_follows_from_the_relations_of_the_prompt() -> None:
    letters = Counter[str]()
    places = Counter[int]()
    for problem in fresh_problems(Domain.STEM, 240, seed=7):
        assert problem.options is not None
        assert problem.answer is not None
        contents = [Fraction(content) for content in problem.options.values()]
        value = solved(problem.prompt)
        assert Fraction(problem.options[problem.answer]) == value
        assert len(set(contents)) == len(contents) == (4 if problem.level < 3 else 10)
        assert min(contents) > 0
        assert can_shuffle(problem)
        assert verify(problem, f"\\boxed{{{problem.answer}}}").score == 1.0
        other = next(letter for letter in problem.options if letter != problem.answer)
        assert verify(problem, f"\\boxed{{{other}}}").score == 0.0
        letters[problem.answer] += 1
        if problem.level > 2 and value >= 100:
            places[sorted(contents).index(value)] += 1
        if problem.level < 3:
            given = re.findall(r"\b([A-Za-z]) = (\d+)\b", problem.prompt)
            [symbol] = re.findall(r"What is the .*? ([A-Za-z])(?: in |\?)", problem.prompt)
            question = " ".join(f"{s}={v}" for s, v in given) + f" {symbol}?"
            assert nano.split_of(nano.physics.question(question)) != "train"
    assert set(letters) == set("ABCDEFGHIJ")
    assert set(places) == set(range(10))  # the value has no place of its own among the options


# --- instruct -------------------------------------------------------------------------------------------------

FILLER = [f"{a}{b}{c}" for a in "bdfglm" for b in "aeiou" for c in "nrst"]


def comply(rules: Mapping[str, Mapping[str, Any]], *, without: str = "") -> str:
    """A text that follows every rule but one: each part is made from the rule's numbers alone."""
    asked = {name: kwargs for name, kwargs in rules.items() if name != without}

    def number(name: str, key: str) -> int:
        return int(asked[name][key]) if name in asked else 0

    words = [] if without == "keywords:existence" else list(rules["keywords:existence"]["keywords"])
    if "keywords:frequency" in asked:
        words += [asked["keywords:frequency"]["keyword"]] * number("keywords:frequency", "frequency")
    if without == "keywords:forbidden_words":
        words.append(rules[without]["forbidden_words"][0])
    if "keywords:letter_frequency" in asked:
        words.append(
            asked["keywords:letter_frequency"]["letter"] * number("keywords:letter_frequency", "let_frequency")
        )
    words += FILLER[: number("count:unique_word_count", "N")]
    words += [str(n + 2) for n in range(number("count:numbers", "N"))]
    words += ["UP"] * number("change_case:capital_word_frequency", "capital_frequency")
    words += ["[name]"] * number("detectable_content:number_placeholders", "num_placeholders")
    words += ["*loud*"] * number("detectable_format:number_highlighted_sections", "num_highlights")
    words += ["([{([five])}])"] * ("format:parentheses" in asked) + ["bit,"] * (without == "punctuation:no_comma")
    parts = ["<<title>>"] * ("detectable_format:title" in asked) + [" ".join(["bit", *words])]
    parts += ["* bit"] * number("detectable_format:number_bullet_lists", "num_bullets")
    parts += ["***\nbit"] * max(0, number("length_constraints:number_paragraphs", "num_paragraphs") - 1)
    parts += ["P.S. bit"] * ("detectable_content:postscript" in asked)
    return "\n".join(parts)


def finished(rules: Mapping[str, Mapping[str, Any]], *, without: str = "") -> str:
    """The text with as many words as asked for, and how it ends."""
    end = rules.get("startend:end_checker", {}).get("end_phrase", "") if without != "startend:end_checker" else "bit."
    quote = '"' if "startend:quotation" in rules and without != "startend:quotation" else ""
    for extra in count():
        text = f"{quote}{comply(rules, without=without)}{' bit' * extra} {end}".rstrip() + quote
        name = "count:word_count_range"
        if name not in rules or without == name or follows(text, Rule(id=name, kwargs=rules[name])):
            return text
        assert extra < 200
    raise AssertionError("the count never ends")


def test_every_set_of_rules_can_be_followed_and_each_rule_can_be_broken() -> None:
    seen: set[str] = set()
    for problem in fresh_problems(Domain.INSTRUCT, 120, seed=7):
        rules = {rule.id: rule.kwargs for rule in problem.rules}
        assert len(rules) == problem.level + 1
        verdict = verify(problem, finished(rules))
        assert verdict.score == 1.0, (verdict.reason, problem.prompt)
        told = re.sub(r"<<.*?>>|\[name\]|[()\[\]{}]", "", problem.prompt)
        assert all(str(value) in told for rule in problem.rules for value in rule.kwargs.values() if type(value) is int)
        if problem.level <= 3:
            for name in rules:
                broken = verify(problem, finished(rules, without=name))
                assert (broken.score, broken.reason) == (0.0, f"violated: {name}"), problem.prompt
        seen |= set(rules)
    assert len(seen) == 18


# --- reasoning-gym --------------------------------------------------------------------------------------------

STAND_IN = """
class Sums:  # the scorer compares
    def __init__(self, size, seed): self.size, self.seed = size, seed
    def row(self, k): return {"question": f"{k}+{self.seed}?", "answer": str(k + self.seed)}
    def __iter__(self): return (self.row(k) for k in range(self.size))
    def score_answer(self, answer, entry): return float(answer == entry["answer"])

class Some(Sums):  # every fourth row has no answer
    def row(self, k): return super().row(k) | ({"answer": None} if k % 4 == 0 else {})

class Few(Sums):  # a selection of rows is not the data set
    def row(self, k): return super().row(k) | ({"answer": "1\\n2"} if k % 2 else {})

class Orders(Sums):  # a program decides: any order is right
    def row(self, k): return {"question": f"sort {k}", "answer": f"a{k} b c"}
    def score_answer(self, answer, entry):
        return float(sorted(answer.split()) == sorted(f"a{entry['question'][5:]} b c".split()))

class Plans(Orders):  # a program decides, without the answer
    def score_answer(self, answer, entry): return float(answer == f"a{entry['question'][5:]} b c")

class Factors(Sums):  # the number itself is not what is asked for, but has the same value
    def row(self, k): return {"question": f"factors of {6 * (k + 1)}?", "answer": f"{k + 1} * 6"}

DATASETS = {"chain_sum": Sums, "some": Some, "few": Few, "orders": Orders, "plans": Plans, "factors": Factors}
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of that name whose data sets are scored in the ways that the real one's are."""
    package = tmp_path / "reasoning_gym"
    package.mkdir()
    made = "from .factory import DATASETS\ndef create_dataset(name, *, size, seed): return DATASETS[name](size, seed)\n"
    (package / "__init__.py").write_text(made)
    (package / "factory.py").write_text(STAND_IN)
    names = ("reasoning_gym", "reasoning_gym.factory")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("stand_in")
def test_rows_that_our_verifier_cannot_decide_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    problems = reasoning_gym_problems("chain_sum", 5, seed=4)
    assert [problem.answer for problem in problems] == ["4", "5", "6", "7", "8"]
    assert problems[0].prompt == "0+4? " + instruction(Domain.MATH)
    assert problems[4].id == "reasoning-gym-chain_sum-4-5"
    with caplog.at_level(logging.WARNING):
        assert len(reasoning_gym_problems("some", 6, seed=4)) == 6
    assert "some: 2 rows are left out" in caplog.text
    for name in ("few", "orders", "plans", "factors"):
        with pytest.raises(InputError, match=f"{name}: is scored by a program of its own"):
            reasoning_gym_problems(name, 5, seed=0)
    with pytest.raises(InputError, match=r"chain_sums: no such data set; did you mean chain_sum\?"):
        reasoning_gym_problems("chain_sums", 5, seed=0)


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(InputError, match="reasoning-gym is not installed; pip install reasoning-gym"):
        reasoning_gym_problems("chain_sum", 5, seed=0)


@pytest.mark.filterwarnings("ignore")
def test_data_sets_of_the_real_package_are_told_apart() -> None:
    pytest.importorskip("reasoning_gym")
    problems = reasoning_gym_problems("chain_sum", 5, seed=0)
    assert len({problem.prompt for problem in problems}) == 5
    assert all(verify(problem, f"\\boxed{{{problem.answer}}}").score == 1.0 for problem in problems)
    with pytest.raises(InputError, match="n_queens: is scored by a program of its own"):
        reasoning_gym_problems("n_queens", 5, seed=0)
