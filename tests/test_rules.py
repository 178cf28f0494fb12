"""Instruction rules: each of the 25, strict and loose, all or the share."""

import pytest

from etalon.types import Domain, Problem, Rule
from etalon.verifiers import verify
from etalon.verifiers.instruct import follows, rule_verifier
from etalon.verifiers.rules import RULES
from etalon.verifiers.rules.counting import capital_words, num_sentences

CASES = [
    ("keywords:existence", {"keywords": ["Cat", "c++"]}, "a cat, c++", "a dog, c++"),
    ("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": "at least"}, "cat concat", "a cat"),
    ("keywords:forbidden_words", {"forbidden_words": ["cat"]}, "concat", "a Cat!"),
    ("keywords:letter_frequency", {"letter": "t", "let_frequency": 3, "let_relation": "less than"}, "Tt", "ttT"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "at least"}, "one two three", "one two"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "Hi Mr. Fox.", "Hi. You?"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb\n***", "a\n***\n***\nb"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        'First.\n\n"Then, it',
        "Then.\n\nfirst",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] [b]", "[a]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye\np. s. hi", "Bye PS hi"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b", "* a\n** b"),
    ("detectable_format:constrained_response", {}, "My answer is no.", "no"),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and *b*", "*a* and **"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Day", "num_sections": 2},
        "Day 1 a Day 2 b",
        "Day one",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', "{a: 1}"),
    ("detectable_format:title", {}, "<<My title>>\ntext", "<< >>"),
    ("combination:two_responses", {}, "a ****** b", "a ****** a"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi"}, "say hi\nhi", "hi"),
    ("startend:end_checker", {"end_phrase": "The end."}, 'So, "the END."', "The end. Or not"),
    ("startend:quotation", {}, '"quoted"', '"half'),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "A BIG cat",
        "a BIG cat",
    ),
    ("change_case:english_capital", {}, "ALL CAPS!", "Not All"),
    ("change_case:english_lowercase", {}, "all small.", "Not all"),
    ("punctuation:no_comma", {}, "a b", "a, b"),
]


@pytest.mark.parametrize(("rule", "kwargs", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_each_rule_tells_a_response_that_follows_from_one_that_does_not(rule, kwargs, good, bad):
    assert follows(good, Rule(id=rule, kwargs=kwargs)) is True
    assert follows(bad, Rule(id=rule, kwargs=kwargs)) is False


def test_there_are_25_rules_and_all_but_the_language_are_tested_here():
    assert set(RULES) - {case[0] for case in CASES} == {"language:response_language"}
    assert len(RULES) == 25


def judge(response, *rules, **options):
    problem = Problem(id="i", domain=Domain.INSTRUCT, prompt="Say hi", rules=rules)
    return verify(problem, response, verifier=rule_verifier(**options) if options else None)


NO_COMMA = Rule(id="punctuation:no_comma")
QUOTED = Rule(id="startend:quotation", kwargs={"unused": None})


def test_all_rules_must_hold_unless_the_share_is_asked_for():
    assert judge('"hi"', NO_COMMA, QUOTED).score == 1.0
    assert judge("hi", NO_COMMA, QUOTED).score == 0.0
    assert judge("hi", NO_COMMA, QUOTED).reason == "violated: startend:quotation"
    assert judge("hi", NO_COMMA, QUOTED, reward="fraction").score == 0.5


def test_loose_mode_forgives_a_first_line_and_asterisks():
    assert judge('Sure, here it is:\n**"hi"**', NO_COMMA, QUOTED).score == 0.0
    assert judge('Sure, here it is:\n**"hi"**', NO_COMMA, QUOTED, mode="loose").score == 1.0


def test_only_the_part_after_the_reasoning_is_judged():
    assert judge("<think>well, so</think>hi", NO_COMMA).score == 1.0


def test_an_empty_response_follows_nothing():
    assert judge("", NO_COMMA).score == 0.0
    assert judge("<think>hi", NO_COMMA).score == 0.0


def test_the_prompt_to_repeat_defaults_to_the_prompt():
    assert judge("Say hi. hi", Rule(id="combination:repeat_prompt")).score == 1.0


@pytest.mark.parametrize(
    "rule",
    [Rule(id="made:up"), Rule(id="keywords:existence"), Rule(id="punctuation:no_comma", kwargs={"x": 1})],
)
def test_a_rule_that_cannot_be_checked_is_undecided(rule):
    verdict = judge("hi", rule)
    assert verdict.score is None
    assert verdict.reason.startswith("bad_reference")


def test_no_rules_and_unknown_relations_are_undecided():
    assert judge("hi").score is None
    relation = Rule(id="length_constraints:number_words", kwargs={"num_words": 1, "relation": "about"})
    assert judge("hi", relation).reason == "undecided: length_constraints:number_words"
    assert judge("hi, you", relation, NO_COMMA).score == 0.0


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("Mr. Smith met Dr. Jones. They left.", 2),
        ("It costs 3.50 dollars", 1),
        ("J. R. Hacker wrote it.", 1),
        ('He said "Stop!" Then he left...', 2),
        ("A line\nwithout stops\nis one", 1),
        ("", 0),
    ],
)
def test_sentences_are_counted_without_a_model(text, count):
    assert num_sentences(text) == count


def test_capital_words_are_tokens_without_small_letters():
    assert capital_words("I am A WELL-KNOWN man; DON'T shout, U.S. 42") == 6
