import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.data.decontaminate import index
from etalon.data.gates import correctness_gate, length_gate, overlap_gate, quality_gate, trace_gate
from etalon.problems.instructions import instructions, with_instruction
from etalon.types import Domain, Problem, Trace, Verdict

word_lists = st.lists(st.sampled_from(["a", "b", "c"]), max_size=40)


def problem(prompt: str, number: int = 0) -> Problem:
    return Problem(id=str(number), domain=Domain.MATH, prompt=prompt)


def trace(response: str = "", *, prompt: str = "?", tokens: int = 10) -> Trace:
    return Trace(problem_id="p", domain=Domain.MATH, prompt=prompt, response=response, num_tokens=tokens)


# --- overlap -----------------------------------------------------------------------------------------------------

QUESTION = "A train leaves the station at noon and travels east for three hours at a constant speed."


def test_ten_shared_words_are_an_overlap_and_nine_are_not() -> None:
    evaluation = index([QUESTION], n=10)
    shared = "a train leaves the station at noon and travels east"
    assert evaluation.overlap(f"Suppose that {shared.upper()}, then stops.") == shared
    assert (
        evaluation.overlap("Suppose that a train leaves the station at noon and travels west for three hours.") is None
    )


def test_a_short_query_is_compared_whole() -> None:
    evaluation = index(["Compute 3 + 4.", QUESTION])
    assert evaluation.overlap("compute 3+4") == "compute 3 + 4"
    assert evaluation.overlap("Compute 3 - 4.") is None
    assert evaluation.overlap("Compute 3 + 4 + 5.") is None
    assert evaluation.overlap("A train leaves.") is None


def test_an_empty_query_overlaps_with_nothing() -> None:
    assert index(["", "!?"]).overlap("") is None


def test_the_instruction_that_all_prompts_share_is_no_overlap() -> None:
    ours, theirs = (with_instruction(text, Domain.MATH) for text in ("How many eggs?", "What is the sum of 2 and 2?"))
    assert index([theirs]).overlap(ours) is not None
    evaluation = index([theirs], boilerplate=instructions())
    assert evaluation.overlap(ours) is None
    assert evaluation.overlap(theirs) is not None


@given(st.lists(word_lists, max_size=4), word_lists, st.integers(1, 5))
def test_the_index_agrees_with_comparing_all_pairs(prompts: list[list[str]], query: list[str], n: int) -> None:
    def grams(sequence: list[str]) -> set[str]:
        return {" ".join(sequence[start : start + n]) for start in range(len(sequence) - n + 1)}

    if len(query) >= n:
        expected = any(grams(query) & grams(prompt) for prompt in prompts)
    else:
        expected = bool(query) and query in prompts
    found = index([" ".join(prompt) for prompt in prompts], n=n).overlap(" ".join(query))
    assert (found is not None) == expected


# --- gates -------------------------------------------------------------------------------------------------------


def test_a_gate_reports_counts_reasons_and_three_examples_in_json() -> None:
    gated = length_gate([trace("long", tokens=9 + number) for number in range(6)], max_tokens=10)
    assert json.loads(json.dumps(gated.report.to_row())) == {
        "gate": "length",
        "kept": 2,
        "dropped": 4,
        "undecided": 0,
        "reasons": {"longer than 10 tokens": 4},
        "examples": [{"reason": "longer than 10 tokens", "text": "long"}] * 3,
    }


def test_the_trace_gate_shows_the_passage_and_the_overlap_gate_looks_at_the_query() -> None:
    healthy, looping = trace("So it is 9."), trace("First, 4 + 5 = 9. " + "wait let me check that once more " * 60)
    gated = trace_gate([healthy, looping, trace("<think>Hm.</think>")])
    assert gated.kept == (healthy,)
    assert gated.report.reasons == {"loop": 1, "nothing after the thought": 1}
    assert "wait let me check" in gated.report.examples[0].text
    assert max(len(example.text) for example in gated.report.examples) < 400
    assert [p.id for p in overlap_gate([problem(QUESTION, 1), problem("?", 2)], index([QUESTION])).kept] == ["2"]


RIGHT = Verdict(score=1.0, reason="exact")
WRONG = Verdict(score=0.0, reason="different: 7, not 9")
PARTIAL = Verdict(score=0.5, reason="different: 3 of 6 tests")
UNDECIDED = Verdict(score=None, reason="timeout")


def test_an_undecided_trace_is_neither_kept_nor_called_wrong() -> None:
    gated = correctness_gate(
        [(trace(name), verdict) for name, verdict in zip("abcd", (RIGHT, WRONG, PARTIAL, UNDECIDED), strict=True)]
    )
    assert [kept.response for kept in gated.kept] == ["a"]
    assert (gated.report.kept, gated.report.dropped, gated.report.undecided) == (1, 2, 1)
    assert gated.report.reasons == {"different": 2, "undecided: timeout": 1}


@pytest.mark.parametrize(("keep", "kept"), [(True, ["right", "undecided"]), (False, ["right"])])
def test_an_unjudged_query_passes_unless_told_otherwise(keep: bool, kept: list[str]) -> None:
    verdicts = {"right": RIGHT, "wrong": WRONG, "undecided": UNDECIDED}
    gated = quality_gate([problem(name) for name in verdicts], lambda p: verdicts[p.prompt], keep_undecided=keep)
    assert [p.prompt for p in gated.kept] == kept
    assert (gated.report.kept, gated.report.dropped, gated.report.undecided) == (len(kept), 1, 1)


def test_an_instruction_that_many_evaluation_prompts_share_is_boilerplate_whoever_wrote_it() -> None:
    told = 'Let us think step by step and output the final answer after "####".'
    evaluation = index(f"What is {n} times {n + 4}? {told}" for n in range(50))
    assert evaluation.overlap(f"How many apples does Ann have after {7} days? {told}") is None
    assert evaluation.overlap(f"What is 3 times 7? {told}") is not None  # a copy of one is found by its whole text
    few = index([f"What is {n} times {n + 4}? {told}" for n in range(3)])
    assert few.overlap(f"How many apples does Ann have after {7} days? {told}") is not None
