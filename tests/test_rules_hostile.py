"""Hostile responses: every rule gives a verdict, in time linear in the response: a megabyte takes about a second."""

import time

import pytest

from etalon.types import Domain, Problem, Rule
from etalon.verifiers import verify
from etalon.verifiers.instruct.rules.arguments import parameters
from etalon.verifiers.instruct.rules.registry import RULES
from etalon.verifiers.instruct.verdict import rule_verifier

pytestmark = pytest.mark.live  # time is taken


def hostile(size):
    return {
        "open brackets": "[" * size,
        "open titles": "<" * size,
        "blank lines": "\n" * size + "x",
        "blanks": " " * size + "x",
        "stars in lines": "*a\n" * (size // 3),
        "stops": ". " * (size // 2),
        "marks": "!?" * (size // 2),
        "quotes": "\"'" * (size // 2),
        "brackets": "(" * (size // 2) + ")" * (size // 2),
        "NUL": "\0" * size,
        "one word": "a" * size,
        "digits": "1" * size,
        "a header and a field": "ProductID,Category,Brand,Price,Stock\n" + '"' + "!" * size,
        "question and blank lines": "Question" + "\n" * size,
        "addresses": "a@" * (size // 2),
        "surrogates": "\ud800" * size,
        "emoji": "😀 " * (size // 2),
    }


VALUES = {
    "int": 3, "Ordinal": 3, "Percentage": 50.0, "str": "word", "Letter": "a", "list[str]": ["word"],
    "Relation": "at least", "Language": "en",
}  # fmt: skip


def asked(rule):
    return Rule(id=rule, kwargs={name: VALUES[kind] for name, kind in parameters(RULES[rule]).items()})


def check(text, mode, cpu_seconds):
    for rule in RULES:
        problem = Problem(id="i", domain=Domain.INSTRUCT, prompt="say", rules=(asked(rule),))
        started = time.thread_time()
        verdict = verify(problem, text, verifier=rule_verifier(mode=mode))
        assert time.thread_time() - started < cpu_seconds, rule
        assert verdict.score in (0.0, 1.0), (rule, verdict.reason)


@pytest.mark.parametrize("name", hostile(1))
def test_no_rule_is_quadratic_in_the_response(name):
    check(hostile(150_000)[name], "strict", cpu_seconds=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", hostile(1))
def test_no_rule_hangs_on_a_megabyte(name):
    check(hostile(1_000_000)[name], "loose", cpu_seconds=4.0)  # 1 second is meant; the rest is for a busy machine


def test_an_integer_too_long_to_read_is_no_json_and_two_numbers_are_counted():
    problem = Problem(id="i", domain=Domain.INSTRUCT, prompt="", rules=(asked("detectable_format:json_format"),))
    assert verify(problem, "1" * 10_000).score == 0.0
    assert verify(problem, '{"a": [1, null]}').score == 1.0
