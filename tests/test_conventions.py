"""Where responses state their answers, by the conventions that have names; none looks into a thought."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from etalon.types import Answers, Domain, Problem
from etalon.verifiers import reading_by, verify
from etalon.verifiers.conventions import FINDERS, hint, other_convention
from etalon.verifiers.rows import verify_row
from etalon.verifiers.text import final_part

HASH = [
    ("48/2=24\n#### 24", "24"), ("#### 3\n#### 1,004.", "1,004"), ("####\n\n**7**", "7"), ("#### $5.00", "$5.00"),
    ("</think>so 24", None), ("#### 4</think>so", None), ("<think>#### 4", None), ("#### 4<|im_end|>", "4"),
]  # fmt: skip
SENTENCE = [
    ("The answer is 42.", "42"), ("the final answer is $\\frac12$.", "$\\frac12$"),
    ("So the answer is: (3, 4).", "(3, 4)"), ("The answer is 3.5. It is not 4.", "3.5"),
    ("The answer is:\n\n\\[\n x = 5\n\\]\nDone.", "x = 5"), ("The answer to part (b) is **-5**, which is odd.", "-5"),
    ("The answer is 5. No, the answer is 6!", "6"), ("La respuesta final es 12.", "12"), ("答案是 42。", "42"),
    ("The answer would be $12.$", "$12$"), ("The answer is not 42.", None),
    ("The answer is Dr. Watson. He knew.", "Dr. Watson"), ("It is 42.", None),
    ("<think>The answer is 4.", None), ("Thus our answer is \\boxed{7}.", "\\boxed{7}"),
]  # fmt: skip
LETTERS = [
    ("The correct option is A.", "A"), ("The best answer is (B)", "B"), ("**Answer:** C", "C"), ("答案：A", "A"),
    ("答案是B", "B"), ("故选B。", "B"), ("正确选项为 D", "D"), ("正解はBです", "B"), ("정답은 B입니다", "B"),
    ("La respuesta correcta es la opción B.", "B"), ("Réponse : C", "C"), ("Die richtige Antwort ist (D).", "D"),
    ("A resposta correta é B", "B"), ("La risposta corretta è A.", "A"), ("Правильный ответ: B", "B"),
    ("الإجابة الصحيحة هي C", "C"), ("Jawaban yang benar adalah D.", "D"), ("Đáp án đúng là C", "C"),
    ("The correct answer is:\n\n**B. 9 J**", "B"), ("so the answer is $\\boxed{\\text{D}}$", "D"),
    ("Option B is correct.", "B"), ("(C) is the best answer, A is incorrect", "C"), ("The answer is A, not B.", "A"),
    ("The answer is A and C.", "A and C"), ("The answer is A rectangle.", None), ("The answer is a cube", None),
    ("Answer: C6H12O6", None), ("The answer is not A.", None), ("The answer is E = mc^2", None),
    ("【答案】C", "C"), ("### Answer\n\n**C**", "C"), ("The answer: $\\textbf{(B)}\\ 12$", "B"), ("本题选B。", "B"),
    ("The answer is C-14 dating", None), ("La respuesta es que x = 3", None), ("The answer for x = B is D", None),
    ("Option A is a trap", None), ("The answer is B</think>hm", None),
]  # fmt: skip
LAST_LINE = [
    ("Sum.\n\n**Final Answer:**\n42\n\nHope it helps!", "42"), ("## Final answer\n\n$\\frac12$", "$\\frac12$"),
    ("Sum\n**12**\n\n", "12"), ("so\n\\[\nx = 3\n\\]", "x = 3"), ("Sum\nThe answer is 7.", "7"), ("x = 5.", "x = 5"),
    ("4</think>\n", None), ("<think>4", None),
]  # fmt: skip
CASES = [
    *((Answers.HASH, *case) for case in HASH),
    *((Answers.SENTENCE, *case) for case in SENTENCE),
    *((Answers.LETTER_SENTENCE, *case) for case in LETTERS),
    *((Answers.LAST_LINE, *case) for case in LAST_LINE),
]


def math(answer: str = "42", domain: Domain = Domain.MATH, **fields: object) -> Problem:
    return Problem(id="p", domain=domain, prompt="?", answer=answer, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("answers", "response", "stated"), CASES)
def test_a_convention_finds_what_it_names_and_nothing_else(answers: Answers, response: str, stated: str | None) -> None:
    assert FINDERS[answers](final_part(response)) == stated


def test_verdicts_follow_the_convention_and_programs_and_rules_have_none() -> None:
    stem = math("B", Domain.STEM, options={"A": "7 J", "B": "9 J"})
    length = math("12 m", Domain.STEM)
    for answers, problem, response in (
        (Answers.HASH, math(), "#### 42"),
        (Answers.SENTENCE, math(domain=Domain.FACTS), "The answer is 42."),
        (Answers.SENTENCE, length, "The answer is 1200 cm."),
        (Answers.LETTER_SENTENCE, stem, "The correct option is B."),
        (Answers.LAST_LINE, stem, "So\n9 J"),
    ):
        judged = verify(problem, response, verifier=reading_by(answers))
        assert judged.score == 1.0, (answers, judged)
        assert verify(problem, response).reason == "no_answer"
        assert verify(problem, f"<think>{response}", verifier=reading_by(answers)).reason == "no_answer"
    assert verify(math(), r"\boxed{42}", verifier=reading_by(Answers.HASH)).reason == "no_answer"
    claims = {"domain": "claims", "answer": "1 0", "response": "<verdicts>\nv\nx\n</verdicts>"}
    rules = {"domain": "instruct", "rules": [{"id": "punctuation:no_comma"}], "response": "Hi"}
    for row in (claims, rules):
        assert verify_row(row, None, Answers.HASH)["score"] == 1.0


def test_a_response_without_an_answer_is_told_by_which_convention_it_has_one() -> None:
    stem = math("B", Domain.STEM, options={"A": "7 J", "B": "9 J"})
    responses = {"so\n#### 42": Answers.HASH, "The answer is 42.": Answers.SENTENCE, "Sum:\n42": Answers.LAST_LINE,
                 "I give up, for this is beyond me": None, "<think>#### 42": None}  # fmt: skip
    assert {text: other_convention(math(), text, Answers.BOXED) for text in responses} == responses
    assert other_convention(stem, "The best answer is (B)", Answers.BOXED) is Answers.LETTER_SENTENCE
    assert other_convention(math(), r"\boxed{1}", Answers.HASH) is Answers.BOXED
    assert hint(1319, Counter()) == ""
    assert hint(1319, Counter({Answers.HASH: 1300, Answers.SENTENCE: 2})) == (
        "1,319 rows without an answer: 1,300 would have one with --answers hash, 2 would have one with "
        "--answers sentence"
    )


@pytest.mark.parametrize("unit", ["the answer ", "answer is ", "correct option ", "Answer:*", "\\[ ", "答", "(", "A "])
@pytest.mark.live
def test_the_time_grows_with_the_text_whatever_it_is(unit: str) -> None:
    started = time.process_time()
    for answers, find in FINDERS.items():
        if answers is not Answers.BOXED:
            find(unit * (250_000 // len(unit)))
    assert time.process_time() - started < 4
