"""What CLR asks, and how it reads claims from responses that are not quite as asked."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etalon.clr.claims import (
    generation_conversation,
    load_templates,
    parse_claims,
    question_of,
    verification_conversation,
    without_claims,
)
from etalon.clr.replies import read_verdicts
from etalon.errors import InputError
from etalon.types import Message, ask
from etalon.verifiers.text import extract_answer

TWO = ("a + b = 7", "b is even")


@pytest.mark.parametrize(
    "block",
    [
        "a + b = 7\nb is even",
        "1. a + b = 7\n2. b is even",
        "1) a + b = 7\n\n2) b is even\n",
        "(1) a + b = 7\n(2) b is even",
        "[1] a + b = 7\n[2] b is even",
        "- a + b = 7\n* b is even",
        "• a + b = 7\n• b is even",
        "- 1. a + b = 7\n- 2. b is even",
        "Claim 1: a + b = 7\nClaim 2: b is even",
        "**Claim 1:** a + b = 7\n**Claim 2:** b is even",
        "C1. a + b = 7\nC2. b is even",
        "**1.** a + b = 7\n**2.** b is even",
        "```\na + b = 7\nb is even\n```",
        "1.\na + b = 7\n2.\nb is even",
        "1. a + b\n   = 7\n2. b is even",
    ],
)
def test_numbering_bullets_and_wrapped_lines_are_no_part_of_a_claim(block: str) -> None:
    assert parse_claims(f"So \\boxed{{3}}.\n<claims>\n{block}\n</claims>", 5) == TWO


@pytest.mark.parametrize("claim", ["3+5=8", "-3+5=2", "1.5 is the ratio", "12 = 3*4", "c1 - c2 = 4", "2x = 4"])
def test_a_claim_that_starts_with_a_number_keeps_it(claim: str) -> None:
    assert parse_claims(f"<claims>\n{claim}\n</claims>", 5) == (claim,)


def test_more_than_m_claims_are_cut_to_the_first_m() -> None:
    block = "\n".join(f"{number}. fact {number}" for number in range(1, 9))
    assert parse_claims(f"<claims>{block}</claims>", 5) == tuple(f"fact {number}" for number in range(1, 6))


def test_claims_in_the_reasoning_are_not_read() -> None:
    draft = "<think>draft <claims>\nwrong\n</claims></think>"
    assert parse_claims(f"{draft} \\boxed{{1}} <claims>\nright\n</claims>", 5) == ("right",)
    assert parse_claims(f"{draft} \\boxed{{1}}", 5) == ()
    assert parse_claims("<think>never ends <claims>\nwrong\n</claims>", 5) == ()
    assert parse_claims("no opening tag <claims>\nwrong\n</claims></think><claims>\nright\n</claims>", 5) == ("right",)


def test_a_truncated_block_gives_the_claims_it_has() -> None:
    assert parse_claims("\\boxed{3}\n<claims>\na + b = 7\nb is even", 5) == TWO


def test_the_last_complete_block_counts() -> None:
    assert parse_claims("<claims>\nold\n</claims>\n<Claims>\nnew\n</Claims> as in <claims> above", 5) == ("new",)


@pytest.mark.parametrize(
    "response", ["", "\\boxed{3}", "<claims></claims>", "<claims>\n\n1.\n-\n</claims>", "</claims>"]
)
def test_a_response_without_claims_gives_none(response: str) -> None:
    assert parse_claims(response, 5) == ()


def test_a_box_inside_a_claim_is_not_the_answer() -> None:
    assert without_claims("So \\boxed{3}.\n<claims>\nnot \\boxed{4}\n</claims>") == "So \\boxed{3}.\n"
    assert without_claims("So \\boxed{3}.\n<claims>\nnot \\boxed{4}") == "So \\boxed{3}.\n"
    assert without_claims("<think>first <claims>\nx</think>So \\boxed{3}.") == "So \\boxed{3}."


def test_the_verifier_sees_the_question_and_the_claims_only() -> None:
    for folder in ("default", "nano"):
        (message,) = verification_conversation("What is 1+2?", TWO, load_templates(folder).verify)
        assert message.role == "user"
        assert all(text in message.content for text in ("What is 1+2?", *TWO))


def test_braces_in_a_question_or_claim_are_left_alone() -> None:
    question, claim = "Is {m} in {1, {claims}}? {question} %s {0}", "{question} and {numbered_claims}"
    template = "{question}|{m}|{claims}|{numbered_claims}|{other}"
    (message,) = verification_conversation(question, [claim], template)
    assert message.content == f"{question}|1|{claim}|1. {claim}|{{other}}"


def test_generation_wraps_the_last_user_message_and_keeps_the_others() -> None:
    history = (*ask("Hi", system="Be exact."), Message(role="assistant", content="Hello"), *ask("What is 1+2?"))
    wrapped = generation_conversation(history, "{question} [{m} claims]", 5)
    assert wrapped == (*history[:-1], Message(role="user", content="What is 1+2? [5 claims]"))
    assert (
        question_of(history) == "User: Hi\n\nAssistant: Hello\n\nUser: What is 1+2?"
    )  # a verifier needs the turns before
    assert question_of(ask("What is 1+2?", system="Be exact.")) == "What is 1+2?"
    assert question_of((Message(role="system", content="Be exact."),)) is None


def test_the_nano_prompts_are_as_short_as_the_nano_model_learns_them() -> None:
    templates = load_templates("nano")
    (message,) = generation_conversation(ask("1+2"), templates.generate, 5)
    assert message.content == "1+2\n<claims>"
    (message,) = verification_conversation("1+2", TWO, templates.verify)
    assert message.content == "1+2\n<claims>\na + b = 7\nb is even\n</claims>\n<verify>"


def test_the_default_prompt_asks_for_a_box_and_m_claims_in_one_response() -> None:
    (message,) = generation_conversation(ask("What is 1+2?"), load_templates("default").generate, 4)
    assert message.content.startswith("What is 1+2?")
    assert "\\boxed{}" in message.content
    assert "exactly 4 claims" in message.content
    assert "</claims>" in message.content
    assert "{m}" not in message.content


def test_a_prompt_that_hides_the_claims_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clr_generate.txt").write_text("{question}")
    (tmp_path / "clr_verify.txt").write_text("{question}")
    with pytest.raises(InputError, match=r"clr_verify\.txt: a placeholder is missing"):
        load_templates(str(tmp_path))


@pytest.mark.parametrize(
    "response",
    [
        "So \\boxed{3}.\n\n**Claims:**\n1. a + b = 7\n2. b is even",
        "So \\boxed{3}.\n### Decision-relevant claims\n- a + b = 7\n- b is even\n",
        'So \\boxed{3}.\n<claims>\n["a + b = 7", "b is even"]\n</claims>',
        'So \\boxed{3}.\n<claims>\n[{"claim": "a + b = 7"}, {"claim": "b is even"}]\n</claims>',
        'So it is.\n```json\n{"answer": "3", "claims": ["a + b = 7", "b is even"]}\n```',
        '<think>hm</think>{"solution": "So it is.", "answer": 3, "claims": ["a + b = 7", "b is even"]}',
    ],
)
def test_claims_are_read_from_headings_and_json_and_the_answer_beside_them(response: str) -> None:
    assert parse_claims(response, 5) == TWO
    assert extract_answer(without_claims(response)) == "3"


def test_a_backslash_that_json_forgot_to_double_is_kept() -> None:
    reply = '{"answer": "\\frac{1}{2}", "claims": ["x \\neq 0", "\\times"]}'
    assert parse_claims(reply, 5) == ("x \\neq 0", "\\times")
    assert extract_answer(without_claims(reply)) == "\\frac{1}{2}"


def test_the_word_claims_in_a_solution_is_no_heading() -> None:
    text = "He claims:\nit is so.\nClaims\nare made. \\boxed{3}"
    assert parse_claims(text, 5) == ()
    assert without_claims(text) == text
    below = "Claims:\n1. a\n2. b\n\nFinal: \\boxed{4}"  # the answer comes after the list
    assert extract_answer(without_claims(below)) == "4"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("<verdicts>\n1. valid\n2. refuted\n</verdicts>", [True, False]),
        ("1. valid: 3+4 is 7\n2. Refuted, because 7 is odd", [True, False]),
        ("**Claim 1**: VALID.\n**Claim 2**: not valid (7 is odd)", [True, False]),
        ("<verdicts>\n1. valid - follows\n\nNote.\n2. refuted - does not\n</verdicts>", [True, False]),
        ("<verdicts>\n1. valid\n2. refuted", [True, False]),
        ('{"verdicts": ["valid", "refuted"]}', [True, False]),
        ('```json\n{"verdicts": [{"verdict": "valid"}, {"verdict": "refuted"}]}\n```', [True, False]),
        ('{"verdicts": [1, 0]}', [True, False]),
        ("1. valid\n2. valid or refuted", [True, None]),
        ("1. valid\n3. refuted", [True, None]),
        ("2. refuted", [None, False]),
        ("Both look valid to me", [None, None]),
        ("<think>1. refuted\n2. refuted</think>I cannot tell", [None, None]),
        ('{"verdicts": ["valid"]}', [None, None]),
        ("", [None, None]),
    ],
)
def test_verdicts_are_read_from_replies_that_are_not_quite_as_asked(reply: str, expected: list[bool | None]) -> None:
    assert read_verdicts(reply, 2) == expected


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='<>/claimsverdct 12.-:\n{}[]\\"`validrefuted', max_size=300))
def test_no_reply_breaks_the_readers(text: str) -> None:
    assert len(parse_claims(text, 3)) <= 3
    assert len(read_verdicts(text, 3)) == 3
    without_claims(text)


@pytest.mark.parametrize("unit", ["<claims>", "\\boxed{", "```json\n{", "1. valid ", "claims:\n", "{" * 50, "[" * 50])
def test_a_degenerate_reply_is_read_quickly(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    started = time.process_time()
    parse_claims(text, 5)
    read_verdicts(text, 5)
    without_claims(text)
    assert time.process_time() - started < 5
