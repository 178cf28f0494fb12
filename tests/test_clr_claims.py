"""What CLR asks, and how it reads claims from responses that are not quite as asked."""

from pathlib import Path

import pytest

from etalon.clr.claims import (
    generation_conversation,
    load_templates,
    parse_claims,
    question_of,
    verification_conversation,
    without_claims,
)
from etalon.errors import InputError
from etalon.types import Message, ask

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
    assert question_of(history) == "What is 1+2?"
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
