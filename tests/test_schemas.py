"""Rows of published sets of mathematics, questions and traces: what is asked, what decides, what is learned from."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from etalon.data.curriculum.merge import merged
from etalon.data.records import Record, read_records, record_of, record_to_row
from etalon.errors import InputError
from etalon.problems.formats import LeftOutError
from etalon.problems.formats.foreign.questions import without_frame
from etalon.problems.given.unread import unread_columns
from etalon.problems.instructions import without_instruction
from etalon.types import Domain, Problem
from etalon.verifiers import are_equal, verify

Q = "Find the sum of all integers $n$ with $n^2 < 10$."
THOUGHT = "The integers run from -3 to 3, and each cancels with its negative."
DONE = "The sum is $\\boxed{0}$."
TRACE = f"<think>{THOUGHT}</think>{DONE}"
QWEN = r"Please reason step by step, and put your final answer within \boxed{}."
DAPO = (
    "Solve the following math problem step by step. The last line of your response should be of the form Answer: "
    "$Answer (without quotes) where $Answer is the answer to the problem.\n\nQUESTION\n\n"
    'Remember to put your answer on its own line after "Answer:".'
)
ASSESS = "When tackling complex reasoning tasks, take these actions: [ASSESS] [ADVANCE] [VERIFY] [OUTPUT]."
FOREIGN = (
    *("step by step, and", "without quotes", "own line", "####", "[ASSESS]", "<answer>", "detailed thinking"),
    *("final response", "Solve the following", "YOUR CODE", "请", "only answer"),
)


def question_of(problem: Problem) -> str:
    """The question of a prompt, without the instruction that is ours."""
    return without_instruction(problem.prompt, problem.domain, has_options=problem.options is not None)


def verl(content: str, truth: Any, ability: str = "math", **columns: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}]
    row = {"data_source": "set", "prompt": messages, "ability": ability}
    return row | {"reward_model": {"ground_truth": truth, "style": "rule"}, "extra_info": {"index": 0}} | columns


def talk(*contents: str, **last: Any) -> list[dict[str, Any]]:
    messages = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), contents, strict=True)]
    messages[-1] |= last
    return messages


OPENR1 = {
    "problem": Q, "solution": "Seven integers, in pairs.", "answer": "0", "problem_type": "Number Theory",
    "question_type": "math-word-problem", "source": "olympiads", "uuid": "u-1",
    "generations": [f"<think>\n{THOUGHT}\n</think>\n{DONE}", f"<think>\nOr 1.\n</think>\n{DONE}", "<think>\nHm"],
    "is_reasoning_complete": [True, True, False], "correctness_math_verify": [True, False, False],
    "correctness_llama": [None, True, None], "finish_reasons": ["stop", "stop", "length"], "correctness_count": 1,
    "messages": talk(Q, f"<think>\n{THOUGHT}\n</think>\n{DONE}"),
}  # fmt: skip
OMR = {
    "expected_answer": "0", "problem_type": "has_answer_extracted", "problem_source": "aops_c6_high_school_olympiads",
    "generation_model": "DeepSeek-R1", "pass_rate_72b_tir": "0.65625", "problem": Q, "used_in_kaggle": False,
    "generated_solution": f"<think>{THOUGHT}</think>\n{DONE}", "inference_mode": "cot",
}  # fmt: skip
NUMINA = {
    "problem": Q, "solution": "Seven integers.", "answer": "0", "problem_type": "Algebra", "source": "olympiads",
    "question_type": "math-word-problem", "problem_is_valid": "Yes", "solution_is_valid": "Yes", "synthetic": False,
}  # fmt: skip
S1K = {
    "solution": "0", "question": Q, "cot_type": "math", "source_type": "qfq/aime", "metadata": "{'id': 3, 'x': None}",
    "deepseek_thinking_trajectory": THOUGHT, "deepseek_attempt": DONE, "deepseek_grade": "Yes",
    "deepseek_grade_reason": "It agrees.", "gemini_thinking_trajectory": "One?", "gemini_attempt": "$\\boxed{1}$",
    "gemini_grade": "No", "gemini_grade_reason": "It does not.",
}  # fmt: skip
AM = {
    "messages": [
        {"role": "user", "content": Q, "info": {"source": "orz", "reference_answer": "0", "test_case": None}},
        {"role": "assistant", "content": f"<think>{THOUGHT}</think><answer>{DONE}</answer>",
         "info": {"think_content": THOUGHT, "answer_content": DONE}},
    ]
}  # fmt: skip
LLAMA = {
    "input": [{"role": "user", "content": f"{Q} {QWEN}"}], "output": f"<think>\n{THOUGHT}\n</think>\n{DONE}",
    "category": "math", "license": "CC BY 4.0", "reasoning": "on", "generator": "DeepSeek-R1", "version": "v1.1",
    "used_in_training": "Ultra", "system_prompt": "detailed thinking on",
}  # fmt: skip

# name -> (row, domain, answer, traces)
SETS: dict[str, tuple[dict[str, Any], Domain, str | None, list[str]]] = {
    "OpenR1": (OPENR1, Domain.MATH, "0", OPENR1["generations"]),
    "OpenMathReasoning": (OMR, Domain.MATH, "0", [f"<think>{THOUGHT}</think>\n{DONE}"]),
    "OpenMathReasoning, additional": (
        OMR | {"pass_rate_72b_tir": "n/a", "generated_solution": "n/a", "generation_model": "n/a",
               "inference_mode": "n/a", "problem_type": "converted_proof"}, Domain.MATH, "0", []),
    "DAPO": (verl(DAPO.replace("QUESTION", Q), "34", "MATH", extra_info={"index": "9a9b6eb4"}), Domain.MATH, "34", []),
    "DeepMath": (
        {"question": Q, "final_answer": "0", "difficulty": 4.5, "topic": "Algebra",
         **{f"r1_solution_{n}": f"{THOUGHT} {n}\n</think>\n\n{DONE}" for n in (1, 2, 3)}},
        Domain.MATH, "0", [f"<think>{THOUGHT} {n}\n</think>\n\n{DONE}" for n in (1, 2, 3)]),
    "Skywork": (
        verl(f"{Q} {QWEN}", '["0", "\\\\text{zero}"]', extra_info={"index": 1, "model_difficulty": {"R1-7B": 4}}),
        Domain.MATH, '["0", "\\\\text{zero}"]', []),
    "Skywork, one": (verl(Q, '["72"]'), Domain.MATH, "72", []),
    "Eurus": (
        verl(Q, "0") | {"prompt": [{"role": "system", "content": ASSESS}, {"role": "user", "content":
         f"{Q}\n\nPresent the answer in LaTex format: \\boxed{{Your answer}}"}]}, Domain.MATH, "0", []),
    "guru": (
        verl(f"{Q} Please output the final answer within \\boxed{{}}.", "0", data_source="math__deepscaler_preview",
             **{"apply_chat_template": True, "qwen2.5_7b_pass_rate": 0.25, "qwen3_30b_pass_rate": None}),
        Domain.MATH, "0", []),
    "guru, stem": (verl(f"{Q} {QWEN}", "0", "stem", data_source="stem__web"), Domain.STEM, "0", []),
    "SYNTHETIC-1": (
        {"problem_id": "vfm_1", "task_type": "verifiable_math", "source": "hf-numina", "metadata": "{}",
         "prompt": "Solve the following math problem. Return your final response within \\boxed{}. " + Q,
         "verification_info": "{'ground_truth': '0'}", "gold_standard_solution": "Seven.", "score": 1.0,
         "llm_response": f"{THOUGHT}\n</think>\n{DONE}"}, Domain.MATH, "0", [f"<think>{THOUGHT}\n</think>\n{DONE}"]),
    "SYNTHETIC-2": (
        {"problem_id": "p", "task_type": "verifiable_math", "verification_info": '{"ground_truth": "0"}',
         "prompt": "Solve the following math problem. Make sure to put the answer (and only answer) inside "
         f"\\boxed{{}}.\n\n{Q}", "Qwen/Qwen3-4B_responses": [TRACE, "\\boxed{1}"], "Qwen/Qwen3-4B_avg_reward": 0.5},
        Domain.MATH, "0", [TRACE, "\\boxed{1}"]),
    "OpenThoughts3": (
        {"difficulty": None, "source": "ai2-adapt-dev/openmath-2-math", "domain": "math", "conversations": [
            {"from": "human", "value": Q}, {"from": "gpt", "value": f"<think>\n{THOUGHT}\n</think>\n{DONE}"}]},
        Domain.MATH, None, [f"<think>\n{THOUGHT}\n</think>\n{DONE}"]),
    "OpenThoughts3, science": (
        {"difficulty": None, "source": "x", "domain": "science", "conversations": [
            {"from": "human", "value": Q}, {"from": "gpt", "value": DONE}]}, Domain.STEM, None, [DONE]),
    "OpenThoughts metadata": (
        {"problem": "Return your final response within \\boxed{}. " + Q, "deepseek_reasoning": THOUGHT,
         "deepseek_solution": DONE, "ground_truth_solution": "Seven integers, so $\\boxed{0}$.", "domain": "math",
         "source": "olympiads", "test_cases": None, "starter_code": None}, Domain.MATH, "0", [TRACE]),
    "NuminaMath": (NUMINA, Domain.MATH, "0", []),
    "Big-Math": (
        {"problem": Q, "answer": "0", "source": "cn_k12", "domain": ["Mathematics -> Algebra"],
         "llama8b_solve_rate": 0.125}, Domain.MATH, "0", []),
    "AceReason": ({"problem": Q, "answer": 12}, Domain.MATH, "12", []),
    "LIMO": ({"question": Q, "solution": f"{THOUGHT}\n{DONE}", "answer": "0"},
             Domain.MATH, "0", [f"{THOUGHT}\n{DONE}"]),
    "MATH-500": (
        {"problem": Q, "solution": DONE, "answer": "0", "subject": "Algebra", "level": 2, "unique_id": "t/1.json"},
        Domain.MATH, "0", []),
    "DeepScaleR": ({"problem": Q, "answer": "-\\frac{2}{3}", "solution": ""}, Domain.MATH, "-\\frac{2}{3}", []),
    "II-Thought": (
        {"id": "ii", "problem": Q, "answer": "0", "type": "math", "verification_info": "{'answer': {'value': '0'}}",
         "data_source": "numina", "domain": "math"}, Domain.MATH, "0", []),
    "II-Thought, prose": (
        {"id": "ii", "problem": Q, "answer": "They cancel in pairs, which leaves 0.", "type": "math-verifiable",
         "verification_info": '{"answer": {"value": "0"}}'}, Domain.MATH, "0", []),
    "RLVR-GSM": (
        {"messages": talk("".join(f"Question: What is {n} + 1?\nAnswer: {n} and 1 make {n + 1}. So the answer is "
         f"{n + 1}.\n\n" for n in range(4)) + f"Question: {Q}", "")[:1], "ground_truth": "0", "dataset": "gsm8k"},
        Domain.MATH, "0", []),
    "TheoremQA": ({"Question": Q, "Answer": "0", "Answer_type": "integer", "Picture": None}, Domain.MATH, "0", []),
    "AIME": ({"ID": "2024-I-1", "Problem": Q, "Solution": DONE, "Answer": 25}, Domain.MATH, "25", []),
    "Dolphin-R1": (
        {"messages": talk(Q, "")[:1], "reasoning": THOUGHT, "answer": DONE, "model": "gemini"},
        Domain.MATH, DONE, [TRACE]),
    "s1K": (S1K, Domain.MATH, "0", [TRACE, "<think>One?</think>$\\boxed{1}$"]),
    "s1K, a solution": (
        S1K | {"solution": "There are seven. Hence \\boxed{0}."}, Domain.MATH, "0",
        [TRACE, "<think>One?</think>$\\boxed{1}$"]),
    "ORZ": (
        {"conversations": [{"from": "human", "value": Q},
                           {"from": "assistant", "ground_truth": {"value": "0", "pass_at_n": 0.75}}]},
        Domain.MATH, "0", []),
    "AM": (AM, Domain.MATH, "0", [TRACE]),
    "AM, no parts": ({"messages": [AM["messages"][0], {"role": "assistant", "info": {},
        "content": f"<think>{THOUGHT}</think> <answer>{DONE}</answer>"}]}, Domain.MATH, "0",
        [f"<think>{THOUGHT}</think> {DONE}"]),
    "Llama-Nemotron": (LLAMA, Domain.MATH, None, [LLAMA["output"]]),
    "Llama-Nemotron, off": (
        LLAMA | {"reasoning": "off", "output": DONE, "system_prompt": "detailed thinking off",
                 "input": [{"role": "system", "content": "detailed thinking off"}, *LLAMA["input"]]},
        Domain.MATH, None, [DONE]),
    "Nemotron v1": (
        {"uuid": "n", "license": "cc-by-4.0", "generator": "Qwen3-235B-A22B", "version": "1", "category": "stem",
         "reasoning": "on", "messages": [{"role": "system", "content": ""}, *talk(Q, TRACE)]},
        Domain.STEM, None, [TRACE]),
    "Nemotron-Math-v2": (
        {"uuid": "m", "problem": Q, "expected_answer": "0", "license": "cc-by-4.0", "tools": [],
         "messages": talk(f"Solve the following math problem. {Q}", DONE, reasoning_content=THOUGHT),
         "metadata": {"reason_high_no_tool": {"count": 8, "pass": 6, "accuracy": 0.75}}}, Domain.MATH, "0", [TRACE]),
    "verl gsm8k": (
        verl(f'{Q} Let\'s think step by step and output the final answer after "####".', "0", data_source="gsm8k"),
        Domain.MATH, "0", []),
    "TRL completion": ({"prompt": Q, "completion": TRACE}, Domain.MATH, None, [TRACE]),
    "TRL messages": (
        {"prompt": talk(Q, "")[:1], "completion": [{"role": "assistant", "content": DONE, "thinking": THOUGHT}]},
        Domain.MATH, None, [TRACE]),
    "TRL solution": ({"prompt": talk(Q, "")[:1], "solution": "$\\boxed{0}$"}, Domain.MATH, "0", []),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_a_row_of_a_published_set_is_read_whole_and_without_foreign_text(name: str) -> None:
    row, domain, answer, traces = SETS[name]
    record = record_of(row)
    assert question_of(record.problem) == Q
    assert (record.problem.domain, record.problem.answer) == (domain, answer)
    assert [trace.response for trace in record.traces] == traces
    assert record.problem.prompt.count("boxed") == 1
    assert not [text for text in FOREIGN if text in record.problem.prompt]
    assert record_of(json.loads(json.dumps(record_to_row(record)))) == record


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (NUMINA | {"answer": "proof"}, 'answer: found "proof", which is no answer'),
        (NUMINA | {"answer": "NotFound "}, "which is no answer"),
        (NUMINA | {"question_type": "proof"}, "question_type"),
        (NUMINA | {"problem_is_valid": "Incomplete"}, "problem_is_valid"),
        (NUMINA | {"solution_is_valid": "No"}, "solution_is_valid"),
        (OMR | {"inference_mode": "genselect"}, "a choice among solutions"),
        (OMR | {"expected_answer": "n/a"}, "which is no answer"),
        ({"problem": Q, "answer": ""}, "which is no answer"),
        (verl(Q, "none"), "which is no answer"),
        (verl(Q, "[[1, 2]]", "logic", data_source="logic__arcagi1"), 'ability: found "logic"'),
        (verl(Q, "3", "table"), "no verifier"),
        (verl(Q, "{}", "coding-inference", data_source="simulation__codeio"), "no verifier"),
        ({"problem_id": "r", "task_type": "reasoning_gym", "prompt": Q, "verification_info": "{'entry': 1}"},
         'task_type: found "reasoning_gym"'),
        ({"prompt": Q, "verification_info": '{"rubric_of": "a judge"}', "problem_id": "r"}, "verification_info"),
        (AM | {"question_type": "PROOF"}, "has no answer"),
        ({"input": "-", "output": TRACE, "solution": "print(1)", "dataset": "taco"}, 'input: found "-", which asks'),
    ],
)  # fmt: skip
def test_a_row_without_an_answer_or_a_verifier_is_left_out_with_the_reason(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(LeftOutError) as caught:
        record_of(row)
    assert reason in str(caught.value)


def test_rows_that_are_left_out_are_counted_and_stop_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [NUMINA, NUMINA | {"answer": "proof"}, NUMINA | {"problem": "Other?"}]
    (tmp_path / "numina.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert len(list(read_records(tmp_path / "numina.jsonl"))) == 2
    assert "1 of 3 rows have no answer or no verifier and are left out" in caplog.text


def test_what_a_set_says_of_its_traces_is_kept() -> None:
    told = [(trace.is_correct, trace.is_complete, trace.model) for trace in record_of(OPENR1).traces]
    assert told == [(True, True, ""), (True, True, ""), (False, False, "")]  # the second by the second opinion
    [trace] = record_of(OMR).traces
    assert trace.model == "DeepSeek-R1"
    assert [(one.is_correct, one.model) for one in record_of(S1K).traces] == [(True, "deepseek"), (False, "gemini")]
    [trace] = record_of(SETS["SYNTHETIC-1"][0]).traces
    assert trace.is_correct
    models = [one.model for one in record_of(SETS["DeepMath"][0]).traces]
    assert models == ["r1", "r1", "r1"]
    [trace] = record_of({"question": Q, "response": "<think>Hm", "finish_reason": "length"}).traces
    assert trace.is_complete is False
    apart = {"question": Q, "answer": "0", "reasoning_content": THOUGHT, "output": DONE, "model": "m"}
    assert [(one.response, one.model) for one in record_of(apart).traces] == [(TRACE, "m")]
    tagged = f"<|begin_of_thought|>{THOUGHT}<|end_of_thought|><|begin_of_solution|>{DONE}<|end_of_solution|>"
    assert [one.response for one in record_of({"prompt": Q, "completion": tagged}).traces] == [TRACE]


def test_error_rates_are_those_of_the_models_they_are_of_and_never_zero_for_unmeasured() -> None:
    def rates(name: str) -> dict[str, tuple[float, int]]:
        return {model: (one.share, one.attempts) for model, one in record_of(SETS[name][0]).error_rates.items()}

    assert rates("Skywork") == {"R1-7B": (0.25, 16)}
    assert rates("OpenMathReasoning") == {"72b_tir": (0.34375, 0)}
    assert rates("OpenMathReasoning, additional") == {}
    assert rates("guru") == {"qwen2.5_7b": (0.75, 0)}
    assert rates("Big-Math") == {"llama8b": (0.875, 0)}
    assert rates("ORZ") == {"pass_at_n": (0.25, 0)}
    assert rates("SYNTHETIC-2") == {"Qwen/Qwen3-4B": (0.5, 2)}
    assert rates("Nemotron-Math-v2") == {"reason_high_no_tool": (0.25, 8)}
    counted = {"question": Q, "answer": "0", "gpt_pass_percentage": 0.4, "gpt_pass_sequence": [1, 0, 1, 0, 0]}
    assert record_of(counted).error_rates["gpt"].wrong == 3
    stated = [record_of(SETS["Big-Math"][0]), record_of(SETS["Big-Math"][0] | {"llama8b_solve_rate": 0.375})]
    assert merged(stated).error_rates["llama8b"].share == 0.75


def test_any_of_several_references_counts_and_no_other() -> None:
    skywork = record_of(SETS["Skywork"][0]).problem
    listed = record_of({"problem": Q, "answer": ["\\frac{1}{2}", "n/a", "50\\%"]}).problem
    science = record_of(verl(Q, '["3 m", "300 cm"]', "science")).problem
    for problem, right in ((skywork, "0"), (skywork, "\\text{zero}"), (listed, "0.5"), (listed, "50\\%")):
        assert verify(problem, f"\\boxed{{{right}}}").score == 1.0
    assert verify(science, "\\boxed{300 cm}").score == 1.0
    assert are_equal(listed.answer, "0.5")
    assert not are_equal(listed.answer, "0.4")
    quoted = record_of(verl(Q, "['0', 'zero']")).problem
    assert (quoted.answer, record_of(verl(Q, "['72']")).problem.answer) == ('["0", "zero"]', "72")
    for problem in (skywork, listed, science, quoted):
        assert verify(problem, "\\boxed{7}").score == 0.0


@pytest.mark.parametrize(
    ("text", "answer", "letter", "content"),
    [
        ("Which is prime? (A) 4 (B) 5 (C) 6 (D) 8", "B", "B", "5"),
        ("Which is prime?\nA: $4$\nB: $5$\nC: $6$\nD: $8$", "B", "B", "$5$"),
        (r"Which is prime? $\textbf{(A)}\ 4 \qquad \textbf{(B)}\ 5 \qquad \textbf{(C)}\ 6$", r"\text{B}", "B", "5"),
        ("Which is prime?\nA. 4\nB. 5\nC. 6", "5", "B", "5"),
    ],
)
def test_options_that_stand_in_the_text_make_a_choice(text: str, answer: str, letter: str, content: str) -> None:
    problem = record_of(NUMINA | {"problem": text, "answer": answer, "question_type": "MCQ"}).problem
    assert problem.options is not None
    assert (problem.domain, problem.answer, problem.options[letter]) == (Domain.STEM, letter, content)
    assert "choice letter" in problem.prompt
    assert verify(problem, f"\\boxed{{{letter}}}").score == 1.0


def test_a_point_called_a_is_no_option() -> None:
    text = "Triangle $ABC$ has (A) at the origin and B. at 3. Which vertex is nearest to $P$?"
    problem = record_of(NUMINA | {"problem": text, "answer": "C"}).problem
    assert (problem.domain, problem.answer, problem.options) == (Domain.MATH, "C", None)


@pytest.mark.parametrize(
    "asked",
    [
        DAPO,
        "QUESTION " + QWEN,
        "QUESTION Let's think step by step and output the final answer within \\boxed{}.",
        'QUESTION\nLet\'s think step by step and output the final answer after "####".',
        "QUESTION\n\nPlease return the final answer in <answer> </answer> tags, e.g. <answer> (1) Elise </answer>.",
        "QUESTION\nWrite Python code to solve the problem. Present the code in\n```python\nYour code\n```\nat the end.",
        "请解答下面的数学题，并将答案放在 \\boxed{} 内。\nQUESTION",
        "QUESTION\n请逐步推理，并将最终答案写在\\boxed{}中。",
        "QUESTION\n\nYou FIRST think about the reasoning process as an internal monologue and then provide the answer. "
        "The reasoning process MUST BE enclosed within <think> </think> tags. The answer MUST BE put in \\boxed{}.",
        "Below is a math question. I want you to reason through the steps and then give a final answer. "
        "Your final answer should be in \\boxed{}.\nQUESTION",
        "Generate an executable Python function generated from the given prompt. The function should take stdin as "
        "input and print the output. Simply call the function after the definition.QUESTION",
        "QUESTION\n\n### Format: Read the inputs from stdin solve the problem and write the answer to stdout (do not "
        "directly test on the sample inputs). Enclose your code within delimiters as follows.\n```python\n# YOUR CODE "
        "HERE\n```\n\n### Answer: (use the provided format with backticks)",
        "Question: QUESTION\nAnswer:",
        "### Instruction:\nQUESTION\n\n### Response:\n",
        "<|im_start|>system\n" + QWEN + "<|im_end|>\n<|im_start|>user\nQUESTION<|im_end|>\n<|im_start|>assistant\n",
        "Answer the following multiple choice question. Your final answer must be in the format: 'Answer: "
        "\\boxed{A/B/C/D}' (e.g. 'Answer: \\boxed{A}').\n\nQUESTION",
        "You are given a math problem. QUESTION Show your work and put the final numerical answer in \\boxed{}.",
        "请通过逐步推理来解答问题，并把最终答案放置于\\boxed{}中。\nQUESTION",
        "QUESTION /no_think",
        "Solve the following math problem efficiently and clearly. The last line of your response should be of the "
        "following format: 'Therefore, the final answer is: $\\boxed{{ANSWER}}$. I hope it is correct' (without "
        "quotes) where ANSWER is just the final number or expression that solves the problem.\n\nQUESTION",
        "QUESTION\n\nIf you cannot solve the problem, still give your best guess. Put it in \\boxed{}.",
        "Question: What is 1 + 1?\nAnswer: It is 2.\n\nQuestion: What is 1 + 2?\nAnswer: It is 3.\n\nQuestion: QUESTION"
        "\nAnswer:",
    ],
)
def test_instructions_at_either_end_go_and_the_question_stays(asked: str) -> None:
    for question in (Q, "若 $x^2=4$ 且 $x>0$，求 $x$ 的值。", "How many steps? Give your answer in simplest form."):
        assert without_frame(asked.replace("QUESTION", question)) == question


@pytest.mark.parametrize(
    "question",
    [
        "What is 2+2? Express your answer as a common fraction.",
        "The original answer is in the form $\\frac{m}{n}$, please give the value of $m+n$.",
        "A robot walks step by step. How many steps does it take?",
        "If $\\boxed{a}+3=5$, what is $a$?",
        "Solve the equation step by step: $x^2=4$",
        "Find $x$. Give your answer to 3 significant figures.",
        "The answer to this problem is of the form $a+b$. Find $ab$.",
        "You are given an array. Return the number of steps.",
        "Follow the steps below.\n1. Take 5.\n2. Add 6.\nWhat is the result?",
        "You are a student who thinks of a number. Double it.",
        "证明：以下结论正确。",
        "Print the sum.\n\n-----Output-----\nPrint the answer.",
        r"Answer in \boxed{}.",
    ],
)
def test_what_a_question_asks_for_itself_is_never_cut(question: str) -> None:
    assert without_frame(question) == question


def test_a_clause_about_the_form_goes_and_the_task_before_it_stays() -> None:
    assert without_frame("Find $x$, and put your final answer in \\boxed{}.") == "Find $x$."
    assert without_frame("Compute $3+4$ (put your answer in \\boxed{}).") == "Compute $3+4$."


def test_guru_and_orz_are_read_from_their_files(tmp_path: Path) -> None:
    packed = {"ground_truth": "0", "style": "rule"}
    squeezed = zlib.compress(json.dumps(packed).encode())
    row = verl(Q, "0") | {"reward_model": base64.b64encode(squeezed).decode()}
    (tmp_path / "guru.jsonl").write_text(json.dumps(row))
    (tmp_path / "orz.json").write_text(json.dumps([SETS["ORZ"][0]["conversations"]] * 2))
    [guru] = read_records(tmp_path / "guru.jsonl")
    assert (guru.problem.answer, question_of(guru.problem)) == ("0", Q)
    assert [record.problem.answer for record in read_records(tmp_path / "orz.json")] == ["0", "0"]

    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [verl(Q, "0") | {"reward_model": squeezed, "extra_info": zlib.compress(b'{"index": 1}')}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "guru.parquet")
    [guru] = read_records(tmp_path / "guru.parquet")
    assert (guru.problem.answer, question_of(guru.problem)) == ("0", Q)


def test_tables_with_lists_and_structs_say_the_same_as_json(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for number, name in enumerate(("OpenR1", "AM", "Skywork", "OpenThoughts3", "s1K", "ORZ", "Nemotron-Math-v2")):
        path = tmp_path / f"{number}.parquet"
        parquet.write_table(pyarrow.Table.from_pylist([SETS[name][0]]), path)
        [record] = read_records(path)
        expected: Record = record_of(SETS[name][0])
        assert (record.problem, record.traces) == (expected.problem, expected.traces), name
        for write in (json.dumps, str):  # as CSV holds lists
            cells = {
                key: write(value) if isinstance(value, list | dict) else value for key, value in SETS[name][0].items()
            }
            assert record_of(cells).traces == expected.traces, (name, write)


def test_a_column_of_long_texts_that_nobody_reads_is_named() -> None:
    long = "And so we go on, one step at a time, until the end of this. " * 8
    assert unread_columns(OPENR1 | {"rationale": long, "note": "short"}) == ("rationale",)
    assert unread_columns(S1K | {"deepseek_thinking_trajectory": long}) == ()
    thought = long.replace("step", "stride")
    told = LLAMA | {"output": f"<think>{thought}</think>{DONE}", "system_prompt": "Be kind to all, always. " * 9}
    assert unread_columns(told) == ("system_prompt",)
    with pytest.raises(InputError):
        unread_columns({"text": long})


def test_the_licence_and_the_source_are_carried_on() -> None:
    record = record_of(LLAMA)
    assert (record.license, record_of(OMR).problem.source) == ("CC BY 4.0", "aops_c6_high_school_olympiads")


def test_the_end_of_a_conversation_with_tools_is_no_whole_response() -> None:
    turns = talk(Q, "Let me compute that.")
    used = [*turns, {"role": "tool", "content": "0"}, {"role": "assistant", "content": DONE}]
    assert record_of({"messages": used}).traces == ()
    assert [one.response for one in record_of({"messages": talk(Q, DONE)}).traces] == [DONE]
