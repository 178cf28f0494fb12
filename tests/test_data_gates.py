import json
from pathlib import Path

import pytest
from hypothesis import strategies as st

from etalon.data.contamination.index import index
from etalon.data.contamination.items import Item
from etalon.data.gates import correctness_gate, length_gate, overlap_gate, trace_gate
from etalon.errors import ConfigError
from etalon.pipeline.held_out import from_outside
from etalon.recipe import DataSpec, ProblemsSpec, Recipe
from etalon.types import Domain, Problem, Trace, Verdict

word_lists = st.lists(st.sampled_from(["a", "b", "c"]), max_size=40)


def problem(prompt: str, number: int = 0) -> Problem:
    return Problem(id=str(number), domain=Domain.MATH, prompt=prompt)


def trace(response: str = "", *, prompt: str = "?", tokens: int = 10) -> Trace:
    return Trace(problem_id="p", domain=Domain.MATH, prompt=prompt, response=response, num_tokens=tokens)


# --- overlap -----------------------------------------------------------------------------------------------------

QUESTION = "A train leaves the station at noon and travels east for three hours at a constant speed."
HELD_OUT = Item(benchmark="held out", row="7", text=QUESTION)


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
    gated_queries = overlap_gate([problem(QUESTION, 1)], index([HELD_OUT]))
    assert gated_queries.report.examples[0].text.startswith("held out 7, 1.00 of it: a train leaves")
    assert max(len(example.text) for example in gated.report.examples) < 400
    other = problem(QUESTION.replace("three", "five"), 3)
    assert overlap_gate([other], index([HELD_OUT])).kept == (other,)  # near: another problem
    assert [p.id for p in overlap_gate([problem(QUESTION, 1), problem("?", 2)], index([HELD_OUT])).kept] == ["2"]


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


def test_traces_of_a_file_are_searched_for_what_the_recipe_holds_out(tmp_path: Path) -> None:
    owls = "Nine owls share forty-five mice so that each gets as many as another."
    for name, asked in (("eval", QUESTION), ("test", owls)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"question": asked, "answer": "5"}) + "\n")
    named = DataSpec(against=(str(tmp_path / "eval.jsonl"),))
    held = ProblemsSpec(test_files=(str(tmp_path / "test.jsonl"),))
    leaked = trace(f"Let me make one up. {QUESTION} So it is 9.")
    leaking = trace("So it is 5.", prompt=f"{owls} How many?")
    clean = trace("So it is 9.", prompt="What is the sum of four and five?")
    gated = from_outside(Recipe(data=named, problems=held), [leaked, leaking, clean])
    assert gated is not None
    assert gated.kept == (clean,)
    assert from_outside(Recipe(), [leaked]) is None
    with pytest.raises(ConfigError, match=r"data\.against: none\.jsonl"):
        from_outside(Recipe(data=DataSpec(against=("none.jsonl",))), [clean])
