"""The trace gate on a labelled set made from a seed (`trace_cases`), and by name on what is easily taken wrong."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.data.filtering import GateRows, Sifted
from etalon.data.traces import fault
from etalon.data.traces.conclusions import last_statement, value_of
from etalon.data.traces.endings import is_cut, open_part, open_row
from etalon.data.traces.loops import Loop, distances, repeated_lines, row_loop, sentences, template_loop
from etalon.problems import nano
from etalon.problems.nano.models import NanoTeacher
from etalon.rows.files import row_of
from etalon.store import to_json
from etalon.types import Domain, SamplingParams, ask
from trace_cases import BAD, Case, Source, from_benchmarks, good, worked

BENCHMARKS = Path(__file__).parents[1].parent / "shared" / "benchmarks"


def kind_of(case: Case) -> str | None:
    found = fault(
        case.response, prompt=case.prompt, answer=case.answer, domain=case.domain, is_complete=case.is_complete
    )
    return found.kind if found else None


def kind(response: str, **known: object) -> str | None:
    found = fault(response, **known)  # type: ignore[arg-type]
    return found.kind if found else None


# --- the labelled set -----------------------------------------------------------------------------------------------


def sources(rng: random.Random) -> list[Source]:
    return [worked(rng) for _ in range(200)]


@pytest.mark.live
@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_planted_faults_are_found(make: Callable[[random.Random, Sequence[Source]], Case]) -> None:
    rng = random.Random(11)
    worlds = sources(rng)
    missed = [case for case in (make(rng, worlds) for _ in range(40)) if kind_of(case) is None]
    assert len(missed) <= 1, missed[0]


@pytest.mark.live
def test_honest_traces_pass() -> None:
    rng = random.Random(12)
    lost = [(case.kind, found) for case in good(rng, sources(rng), 200) if (found := kind_of(case))]
    assert len(lost) <= 1, lost


@pytest.mark.slow
@pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="needs ../shared/benchmarks")
def test_honest_traces_of_public_solutions_pass_and_faults_in_them_are_found() -> None:
    rng = random.Random(13)
    worlds = from_benchmarks(BENCHMARKS)
    lost = Counter(case.kind for case in good(rng, worlds, 3000) if kind_of(case))
    assert lost.total() <= 15, lost
    for make in BAD:
        missed = sum(kind_of(make(rng, worlds)) is None for _ in range(200))
        assert missed <= 4, (make.__name__, missed)


@pytest.mark.parametrize("domain", [Domain.MATH, Domain.CODE, Domain.STEM, Domain.INSTRUCT, Domain.CLAIMS])
def test_the_teacher_of_the_nano_world_passes_and_its_loops_do_not(domain: Domain) -> None:
    problems = nano.problems(domain, "train", 60, seed=3)
    params = SamplingParams(max_tokens=400)
    loops = {f"<think>{chr(10).join([word] * 40)}</think>" for word in ("so", "wait", "again")}
    for index, rollouts in NanoTeacher().sample([ask(p.prompt) for p in problems], n=6, params=params, seed=2):
        for rollout in rollouts:
            known = {"prompt": problems[index].prompt, "domain": domain, "thoughts": "any"}
            assert kind(rollout.text, **known) == ("loop" if rollout.text in loops else None), rollout.text


# --- loops ----------------------------------------------------------------------------------------------------------


def loop_in(text: str) -> Loop | None:
    found = sentences(text)
    return row_loop(found) or template_loop(found)


def test_a_template_with_a_counter_is_a_loop_and_one_that_computes_is_not() -> None:
    counts = " ".join(f"So let me check the case {n} again, since case {n} was not clear to me." for n in range(40))
    computes = " ".join(f"In the case n = {n} the square of the number is {n * n}, which is fine." for n in range(400))
    found = loop_in(f"We begin with the first case.\n{counts}")
    assert found is not None
    assert found.kind == "template loop"
    assert loop_in(computes) is None


@pytest.mark.parametrize(
    ("turn", "is_loop"),
    [
        (lambda n: f"Case {n}: x = {n}.", True),
        (lambda n: f"Trying a = {n}, b = {n + 1}: no.", True),
        (lambda n: f"{n}. Let me reconsider the problem from the start.", True),
        (lambda n: f"{n} is {'prime' if all(n % d for d in range(2, n)) else 'not prime'}.", False),
        (lambda n: f"Day {n}: she saves {3 * n} dollars, {3 * n * (n + 1) // 2} in all.", False),
        (lambda n: f"f({n}) = {n * n},", False),
        (lambda n: f"Toss {n}: {random.Random(n).choice(('heads', 'tails'))}.", False),
    ],
)
def test_short_turns_are_loops_when_nothing_but_a_counter_changes(turn: Callable[[int], str], is_loop: bool) -> None:
    assert (loop_in(" ".join(map(turn, range(2, 80)))) is not None) == is_loop


def test_a_solution_stated_checked_and_stated_again_is_no_loop() -> None:
    rng = random.Random(1)
    solution = " ".join(worked(rng).solution for _ in range(12))
    text = f"<think>{solution} Let me double-check. {solution}</think>{solution} So the answer is \\boxed{{5}}."
    assert kind(text) is None


@given(st.integers(6, 30), st.integers(4, 8), st.integers(0, 9))
def test_a_block_that_follows_itself_is_found_wherever_it_stands(block: int, times: int, before: int) -> None:
    letters = ["".join(chr(97 + (n // 26**k) % 26) for k in range(3)) for n in range(60)]
    text = " ".join(letters[50 : 50 + before] + letters[:block] * times)
    assert (loop_in(text) is not None) == (block * times >= 30)


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40), st.integers(1, 4))
def test_distances_lead_to_the_same_ngram(sequence: list[str], n: int) -> None:
    for position, gap in enumerate(distances(sequence, n)):
        grams = [sequence[start : start + n] for start in range(position + 1)]
        earlier = [start for start in range(position) if grams[start] == grams[position]]
        assert gap == (position - earlier[-1] if earlier else 0)


def test_repeated_lines_count_from_the_third_time_on_by_their_length() -> None:
    assert repeated_lines("We check.\nSo x is 1.\nwe CHECK\nwe check\n") == 8 / 33
    assert repeated_lines("") == 0.0


# --- what is easily taken wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "prompt", "expected"),
    [
        ("Let us see.\n</think>\nIt is \\boxed{4}.", "2+2?", None),
        ("<think>Sum.</think><think>Again.</think>4.", "2+2?", "two thoughts"),
        ("<think>The model wrote `<think>` twice.</think>Two.", "How often?", None),
        ("<think>He said \"four\"</think>\"four\"", "Quote him.", None),
        ("<think>Well.</think>A token <|im_end|> ends it.", "What does <|im_end|> do?", None),
        ("<think>Well.</think>A token <|im_end|> ends it.", "What ends a turn?", "control token"),
        ("The regex `a <|> b` and ⟨|x|⟩ or <|x|> are fine.", "?", None),
        ("It is <s>5</s> 6.", "?", None),
        ("<s>It is 6.", "?", "control token"),
        ("It is <extra_id_0> 6.", "?", "control token"),
        ("It is 6." + "\\quad " * 60, "?", "character run"),
        ("The mask is 0xFFFFFFFFFFFFFFFF.", "?", None),
        ("The angle is 90Â° here.", "?", "mojibake"),
        ("“É” is an É—naïve, voilà…», façade.", "?", None),
        ("Each has a half: " + "0" * 100 + "1.", "?", None),
        ("Zahlen wie “½” und 中国剩余定理 (Chinese remainder) helfen.", "?", None),
        ("So 2. 因此我们可以得到最后的答案是二。 Yes.", "What is 1+1?", "other script"),
        ("因此我们可以得到最后的答案是二。", "一加一等于几？", None),
        ("I'm sorry, but I can't come to the party on Sunday, my dear.", "Write a note.", None),
        ("I'm sorry, but I can't help with that.", "1+1?", "refusal"),
        ("I cannot help but notice that the answer is \\boxed{2}.", "1+1?", None),
        ("The reference solution states that it is 2, so \\boxed{2}.", "1+1?", "speaks of a given answer"),
        ("The given solution is acidic, so \\boxed{A}.", "A solution of HCl is given. (A) acid (B) base", None),
        ("Lo siento, pero no puedo ayudar con eso.", "1+1?", "refusal"),
        ("It is \\boxed{2}.\n\nUser: And 2+2?\n\nAssistant: 4.", "1+1?", "two roles"),
        ("It is \\boxed{2}.\n\nQuestion: What is 2+2?\nAnswer: 4", "1+1?", "two roles"),
        ("User: Hi!\nAssistant: Hello.", "Write a dialogue of a user and a model.", None),
        ("It is two.\n\nQ: What is 2+2?\nA: 4", "Write a FAQ.", None),
        ("You are a helpful AI assistant. Be kind.\n\nIt is \\boxed{2}.", "1+1?", "pasted prompt"),
        ("Hm, Ġthe Ġsum Ġis \\boxed{2}.", "1+1?", "garbage"),
        ("Hm, xkrtv bnwq prstk lmvvz qwrtp zxcvb dfgh jklm is \\boxed{2}.", "1+1?", "garbage"),
        ("Flights, lengths, months, eighths, heights, strengths, twelfths, weights.", "1+1?", None),
        ("The rаtіо of the cаsеs is \\boxed{2}.", "1+1?", "other script"),  # Cyrillic letters in Latin words
        ("What is the sum of odd numbers below 9?", "What is the sum of odd numbers below 9?", "echo of the prompt"),
    ],
)  # fmt: skip
def test_one_response(response: str, prompt: str, expected: str | None) -> None:
    assert kind(response, prompt=prompt) == expected


def test_a_thought_is_asked_for_only_where_it_is_needed() -> None:
    assert [kind("It is 4.", thoughts=wish) for wish in ("any", "whole", "needed")] == [None, None, "no thought"]
    empty = "<think>\n\n</think>\n\nIt is 4."
    assert [kind(empty, thoughts=wish) for wish in ("any", "whole", "needed")] == [None, *["empty thought"] * 2]


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 5", "$\\boxed{2}$ vertical asymptotes", "#### 72", "Answer: B",
        "\\boxed{5}\n\nI hope this helps you a lot",
        "She pays 5 * 10 = $50"
        " dollars", "This runs in O(n) time.", "$$x = 5$$", "| a | b |\n|---|---|\n| 1 | 2 |", "So we are done :)",
        "Here is one:\n\nThere once was a man from Peru\nWhose limericks stopped at line two",
        "The capital of France, as one can read in every atlas, is the city of Paris",
        "It costs $5 and the other one costs $7, so $12 in all.", "Use `$x` in the shell.", "a \\\\[2pt] b",
    ],
)  # fmt: skip
def test_endings_without_a_full_stop_are_endings(text: str) -> None:
    assert open_part(text) is None
    assert open_row(text) is None
    assert not is_cut(text)


@pytest.mark.parametrize(
    "text",
    [
        "So x = 5 and therefore the", "Now $x = \\frac{1}{2", "We get \\boxed{12", "```python\nprint(1)\n", "Hence 2 +",
        "\\[ x = 5", "1. Add 3.\n2. Add 4.\n3. ", "| a | b |\n|---|---|\n| 1 | 2", '[{"id": 1, "tags": ["a", "b',
        "So $x^2 - 5 = 3", "The sum is large. By the triangle inequality we may conclude that every side mus",
        "It is \\boxed{5}. We can now go on and look at what happens for larger number", "<answer>5", "and so 3 </thi",
    ],
)  # fmt: skip
def test_cut_texts_are_cut(text: str) -> None:
    assert open_part(text) or open_row(text.rstrip()) or is_cut(text)
    assert kind(f"<think>Hm, let me see.</think>{text}") is not None


@pytest.mark.parametrize(
    ("thought", "final", "expected"),
    [
        ("So the answer is 12.", "\\boxed{15}", "contradicts its thought"),
        ("So the answer is 12. Wait, it is 12 + 3 = 15.", "\\boxed{15}", None),
        ("So the answer is 9/7, and m + n is asked for.", "\\boxed{16}", None),
        ("So the answer is 0.5.", "\\boxed{\\frac{1}{2}}", None),
        ("If the answer is 12, then x is 3.", "\\boxed{15}", None),
        ("It is 7 * 3. That gives 21, and the check agrees.", "\\boxed{24}", "contradicts its thought"),
        ("So the height is 9.4 cm.", "To a whole centimetre: \\boxed{9}", None),
        ("The answer is \\boxed{(-6, 0)}.", "\\boxed{(-12, 0)}", "contradicts its thought"),
        ("The answer is \\boxed{(\\frac{2}{4}, 0)}.", "\\boxed{(\\frac{1}{2}, 0)}", None),
        ("The total is 72.", "**Final Answer:** 70\n\nThus \\boxed{72}.", "two answers"),
        ("It takes 90 minutes.", "**Final Answer:** 90 minutes.\n\nIn hours: \\boxed{1.5}", None),
        ("Could the answer be 12? The answer is (B).", "\\boxed{C}", "contradicts its thought"),
        ("The answer is B.", "\\boxed{15}", None),
        ("She has 3 + 4 = 7. So she has 7 apples.", "\\boxed{9}", "contradicts its thought"),
        ("She has 3 + 4 = 7. So she has 7 apples.", "Twice as many: 2 * 7 = \\boxed{14}", None),
        ("So the time is 90 minutes.", "\\boxed{1.5}", None),
        ("The total is 72.", "It is \\boxed{72}. Actually, it must be \\boxed{74}.", "two answers"),
        ("x is 2, y is 3.", "So x = \\boxed{2} and y = \\boxed{3}.", None),
        ("(a) 2 (b) 3", "(a) \\boxed{2}\n(b) \\boxed{3}", None),
        ("3 * 4 = 12, 5 * 6 = 30, 12 + 30 = 42, 42 - 7 = 35, 35 / 5 = 7.", "\\boxed{91}", "not derived"),
        ("3 * 4 = 12, 5 * 6 = 30, 12 + 30 = 42, 42 - 7 = 35, 35 / 5 = 7.", "7 * 13 = 91, so \\boxed{91}", None),
    ],
)  # fmt: skip
def test_answers_beside_their_thoughts(thought: str, final: str, expected: str | None) -> None:
    assert kind(f"<think>{thought}</think>{final}", domain=Domain.MATH) == expected


def test_an_option_that_the_thought_does_not_choose_contradicts_it() -> None:
    prompt = "Which gas is lightest? A. He B. Ne C. H2 D. Ar"
    thought = "<think>Is it A? Option A has 4 g/mol, and option C has 2. So C.</think>"
    finals = ("**A**", "The answer is \\boxed{A}.", "**C**", "Answer: C")
    found = [kind(thought + final, prompt=prompt, domain=Domain.STEM) for final in finals]
    assert found == ["contradicts its thought"] * 2 + [None] * 2


def test_a_loop_in_other_words_each_turn_is_one_and_a_table_of_words_is_none() -> None:
    rng = random.Random(7)
    parts = (
        ("Wait,", "Hmm,", "But", "Okay,"), ("maybe I should check", "let me verify", "I need to look at"),
        ("the equation again", "that value once more"), ("because it may be off.", "since it might be wrong."),
    )  # fmt: skip
    turns = [" ".join(rng.choice(part) for part in parts) for _ in range(80)]
    assert kind("\n".join(turns)) in ("loop in other words", "template loop")
    rows = [" ".join(rng.choice(("true", "false")) for _ in range(9)) for _ in range(200)]
    assert kind("\n".join(rows)) is None


def test_single_words_of_other_languages_in_a_solution_are_a_drift() -> None:
    drift = "We 因此 add 3 and 4, 然后 we check 结果 and get \\boxed{7}."
    named = "The remainder theorem (孙子定理) of Sunzi 孙子 gives \\boxed{7}."
    found = [kind(text, prompt="What is 3+4?", domain=Domain.MATH) for text in (drift, named)]
    assert found == ["other script", None]


def test_lines_of_code_json_and_grids_may_come_again() -> None:
    row = '{\n  "name": "Ann",\n  "tags": [\n    "a",\n    "b"\n  ]\n},\n'
    assert kind("[\n" + row * 4 + row[:-2] + "\n]") is None
    grid = "\n".join(". Q . Q Q . ."[n % 3 : n % 3 + 9] for n in range(40))
    assert kind(f"<think>We look at\n{grid}\nrow by row.</think>Done.") is None
    stub = "    def get(self, key):\n        return self.connection.fetch(self.table, key)\n"
    classes = "\n".join(f"class {name}:\n{stub}" for name in ("Alpha", "Beta", "Gamma", "Delta", "Zeta", "Eta"))
    assert kind(f"```python\n{classes}```", domain=Domain.CODE) is None
    endless = "    rows.append(value)\n" * 60
    assert kind(f"```python\ndef f(rows, value):\n{endless}```", domain=Domain.CODE) == "loop"


def test_statements_are_read_with_what_follows_them() -> None:
    assert last_statement("The answer is 5. Then 6.") == ("5. Then 6.", ". Then 6.")
    stated = ("12 dollars.", "$\\frac{1}{2}$", "(1, 2)", "2,6", "12 + 3", "**B**", "A person")
    assert [value_of(text) for text in stated] == [12, 0.5, None, None, None, "B", None]


def test_every_response_of_a_row_is_looked_at_whatever_the_column_is_called() -> None:
    loop = "wait let me check that once more " * 60
    rows = [{"prompt": "1+1?", "traces": [{"response": "It is 2."}, {"response": loop}]}] + [
        {"prompt": "1+1?", column: loop} for column in ("response", "completion", "generated_solution", "output")
    ]
    run, sifted = GateRows().start(), Sifted()
    lines = [(f"line {n}", run(row_of("", to_json(row)))) for n, row in enumerate([*rows, {"prompt": "1+1?"}], start=1)]
    kept = [json.loads(line) for line in sifted.kept(lines)]
    assert kept == [
        {"prompt": "1+1?", "traces": [{"response": "It is 2."}]},
        {"prompt": "1+1?"},
    ]  # the record loses one
    assert next(gate for gate in sifted.rows() if gate["gate"] == "trace")["reasons"] == {"loop": 5}


@pytest.mark.parametrize(
    "unit",
    ["let me check again ", "-", "\n.", "1,", "$x$ ", "(", "<think>", "\\boxed{", "é", "\"a' ", "The answer is "],
)
def test_time_grows_with_the_length_of_any_text(unit: str) -> None:
    text = unit * (200_000 // len(unit))

    def cpu_seconds(size: int) -> float:
        start = time.process_time()
        fault("Let us see. " + text[:size], prompt="How many?", domain=Domain.MATH)
        return time.process_time() - start

    assert cpu_seconds(200_000) < 40 * max(cpu_seconds(20_000), 0.002)  # a quadratic one takes 100 times as long
