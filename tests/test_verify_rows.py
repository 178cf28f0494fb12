"""Rows of `etalon verify`: one out per line in, in order, whatever the line holds."""

import base64
import json
import pickle
import zlib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etalon.commands.options import refuse_same
from etalon.commands.verify import tell_verdicts
from etalon.data.filtering.gate_rows import read
from etalon.engines.trl.rewards import check_dataset, verified
from etalon.errors import ConfigError, InputError
from etalon.problems.formats import Reading, read_row
from etalon.problems.formats.columns import ANSWERS
from etalon.problems.formats.references import doubt
from etalon.problems.texts import LISTS, RESPONSES
from etalon.rows.files import Row, row_of
from etalon.rows.mapping import AS_NAMED, ColumnMap
from etalon.rows.work import in_order
from etalon.types import Domain
from etalon.verifiers.rows import Tally, VerifyRows, verify_row

COLUMNS = (
    *("id", "domain", "prompt", "question", "answer", "response", "options", "choices", "tests", "rules", "rubric"),
    *("test", "entry_point", "task_id", "reward_model", "ground_truth", "ability", "messages", "role", "content"),
    *("instruction_id_list", "kwargs", "key", "input_output", "inputs", "outputs", "test_list", "examples", "input"),
    *("Body", "Question", "Answer", "Problem", "Short Answer", "solution", "label", "text", "shuffle", "level"),
    *(
        "doc",
        "target",
        "resps",
        "filtered_resps",
        "output",
        "outputs",
        "choices",
        "solution",
        "A",
        "B",
        "conversations",
    ),
    *("verification_info", "extra_info", "instruction", "completion", "text", "from", "value", "type", "stop_reason"),
    *("public_test_cases", "private_test_cases", "metadata", "criterion", "weight", "starter_code", "official_tests"),
)


def verify_lines(lines, domain, threads):
    """The output rows of `etalon verify` for lines of a file."""
    rows = (row_of(f"line {number}", line.encode()) for number, line in enumerate(lines, start=1))
    work = VerifyRows(domain=domain, threads=threads)
    return (verdict for _, verdict in in_order(work.verdict, rows, threads=threads))


def test_each_domain_reads_its_rows():
    rows = [
        {"id": "m", "domain": "math", "answer": 70, "response": r"\boxed{70}"},
        {"id": "s", "domain": "stem", "answer": "B", "options": {"A": "1", "B": "2"}, "response": r"\boxed{B}"},
        {"id": "l", "domain": "stem", "answer": "B", "options": ["1", "2"], "response": r"\boxed{2}"},
        {"id": "f", "domain": "stem", "answer": "2", "response": r"\boxed{2}"},
        {"id": "i", "domain": "instruct", "rules": [{"id": "punctuation:no_comma", "kwargs": {}}], "response": "hi"},
        {"id": "c", "domain": "code", "tests": {"inputs": ["1"], "outputs": ["1"]}, "response": "```py\nprint(1)\n```"},
        {
            "id": "a",
            "domain": "code",
            "tests": {"assert_code": "assert f() == 1"},
            "response": "```py\nf=lambda:1\n```",
        },
    ]
    found = list(verify_lines([json.dumps(row) for row in rows], None, 2))
    assert [(row["id"], row["score"]) for row in found] == [(row["id"], 1.0) for row in rows]
    assert set(found[0]) == {"id", "score", "reason", "extracted", "seconds"}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   \n",
        "{",
        "[1, 2]",
        "null",
        '"text"',
        "[" * 100_000,
        "1" * 10_000,
        '{"response": "x"}',
        '{"answer": "1"}',
        '{"answer": "1", "response": null}',
        '{"answer": "1", "response": ["x"]}',
        '{"answer": [1], "response": "x"}',
        '{"answer": true, "response": "x"}',
        '{"answer": "1", "response": "x", "domain": "poetry"}',
        '{"answer": "1", "response": "x", "domain": ["math"]}',
        '{"answer": "1", "response": "x", "stop": "maybe"}',
        '{"domain": "code", "response": "x"}',
        '{"domain": "code", "response": "x", "tests": "assert"}',
        '{"domain": "instruct", "response": "x", "rules": []}',
        '{"domain": "instruct", "response": "x", "rules": ["punctuation:no_comma"]}',
        '{"domain": "instruct", "response": "x", "rules": [{"id": "a"}], "mode": "gentle"}',
        '{"domain": "stem", "response": "x", "answer": "A", "options": 3}',
        '{"domain": "stem", "response": "x", "answer": "A", "options": []}',
        '{"domain": "stem", "response": "x", "answer": "A", "options": {"A": ["1"]}}',
        '{"domain": "stem", "response": "x", "answer": 2, "options": ["1", "2"]}',
        '{"domain": "stem", "response": "x", "answer": -1, "options": ["1", "2"]}',
        json.dumps({"domain": "stem", "response": "x", "answer": "A", "options": ["1"] * 27}),
        '{"domain": "stem", "response": "x", "answer": "A", "options": ["1", "2"], "order": [0, 1]}',
    ],
)
def test_a_line_that_cannot_be_read_is_one_undecided_row(line):
    found = list(verify_lines([line], "math", 1))
    assert len(found) == 1
    assert found[0]["score"] is None
    assert found[0]["reason"].startswith("unreadable: ")
    json.dumps(found[0], allow_nan=False)


def test_a_number_is_the_position_of_an_option_in_a_list_and_a_reference_elsewhere():
    row = {"domain": "stem", "options": ["1", "2", "3"], "response": r"\boxed{B}"}
    assert verify_row({**row, "answer": 1}, None)["score"] == 1.0
    assert verify_row({**row, "answer": "1"}, None)["score"] == 0.0  # the content of A
    assert verify_row({"answer": 1, "response": r"\boxed{1}"}, "math")["score"] == 1.0
    assert verify_row({"answer": "1 0", "response": "<verdicts>v\nx</verdicts>"}, "claims")["score"] == 1.0


def test_rows_of_ifeval_are_read():
    row = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"a": None}], "response": "hi"}
    assert verify_row(row, "instruct")["score"] == 1.0
    assert verify_row({**row, "kwargs": None}, "instruct")["score"] == 1.0


@pytest.mark.parametrize("kwargs", [[], [{}], [{}] * 3, {"a": 1}, "text", 0])
def test_as_many_arguments_as_instructions_or_a_bad_reference(kwargs):
    row = {"id": "i", "instruction_id_list": ["punctuation:no_comma"] * 2, "kwargs": kwargs, "response": "hi"}
    found = verify_row(row, "instruct")
    assert (found["id"], found["score"]) == ("i", None)
    assert found["reason"].startswith("bad_reference: kwargs: found ")


BOXED = r"so \boxed{4}"


@pytest.mark.parametrize(
    "row",
    [
        {"question": "2+2?", "answer": "2+2 is 4.\n#### 4", "response": BOXED},
        {"problem": "2+2?", "solution": r"It is $\boxed{4}$.", "level": "Level 1", "response": BOXED},
        {"Body": "2 and 2", "Question": "Sum?", "Answer": 4.0, "ID": "chal-1", "response": BOXED},
        {"prompt": "2+2?", "answer": 4, "completion": [{"role": "assistant", "content": BOXED}]},
        {"answer": 4, "messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": BOXED}]},
        {
            "prompt": [{"role": "user", "content": "2+2?"}],
            "reward_model": {"ground_truth": '["4"]', "style": "rule"},
            "ability": "MATH",
            "response": BOXED,
        },
        {"question": "2+2?", "choices": ["3", "4"], "answer": 1, "response": r"\boxed{B}"},
        {"question": "2+2?", "options": '["3", "4"]', "answer": "B", "response": r"\boxed{4}"},  # as CSV holds lists
        {
            "task_id": "HumanEval/0",
            "prompt": "def f(x):\n",
            "entry_point": "f",
            "test": "def check(candidate):\n    assert candidate(1) == 1\n",
            "response": "```python\ndef f(x):\n    return x\n```",
        },
        {"key": 7, "prompt": "Hi", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}], "response": "hi"},
    ],
)
def test_a_row_in_a_format_of_the_field_is_read_as_a_run_reads_it_and_needs_no_domain(row):
    found = verify_row(row, None)
    assert found["score"] == 1.0, found
    assert found["id"] == next((row[name] for name in ("task_id", "key", "ID") if name in row), None)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"target": "4", "body": "x"}, "response: missing; columns found: target, body"),
        ({"label": 4, "response": "x"}, "answer: missing; columns found: label, response; --map answer=label would do"),
        ({"gold": "4", "outputs": ["x", "y"]}, "outputs: found 2 responses, and a row is judged by one; write a row "),
        ({"ground_truth": '{"func_name": "f"}', "response": "x"}, 'ground_truth: found "{'),
        ({"gold": "4", "resps": [[[-1.5, False]]]}, "resps: found [[[-1.5, false]]], expected text; columns found: "),
        ({"answer": "4", "text": "x"}, "response: missing; columns found: answer, text; --map response=text would do"),
        ({"answer": "4", "response": ["x"]}, 'response: found ["x"], expected text'),
        ({"answer": [4], "response": "x"}, "answer: found [4], expected a reference answer (text or a number)"),
    ],
)
def test_a_row_that_lacks_something_says_what_it_has(row, told):
    assert verify_row(row, "math")["reason"].startswith(f"unreadable: {told}")


ASKED, SAID = {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": BOXED}
LOGGED = {"doc_id": 3, "doc": {"question": "2+2?", "answer": "4\n#### 4"}, "target": "#### 4", "filtered_resps": ["5"]}
SAMPLE = {"id": "s", "epoch": 1, "input": [ASKED], "target": ["4"], "output": {"choices": [{"message": SAID}]}}


@pytest.mark.parametrize(
    ("row", "row_id"),
    [
        *(({name: 4, "response": BOXED}, None) for name in (*ANSWERS, "solution")),
        *(({"key": 7, "gold": "4", name: BOXED}, 7) for name in RESPONSES),
        *(({"question_id": "q", "gold": "4", name: [BOXED]}, "q") for name in LISTS),
        ({"gold": "4", "outputs": [{"text": BOXED, "token_ids": [1]}]}, None),
        ({"custom_id": "c", "gold": 4, "response": {"body": {"choices": [{"message": SAID}]}}}, "c"),
        ({"id": "chat-1", "choices": [{"message": SAID, "finish_reason": "stop"}], "gold": "4"}, "chat-1"),
        ({"solution": "2+2=4.\n#### 4", "completion": BOXED}, None),
        ({"problem": "2+2?", "solution": "The answer is 4.", "output": BOXED}, None),
        ({"messages": [ASKED, SAID], "ground_truth": "4", "dataset": "gsm8k"}, None),
        ({"messages": [ASKED, {**SAID, "content": [{"type": "text", "text": BOXED}]}], "target": "4"}, None),
        ({"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": BOXED}], "gold": "4"}, None),
        ({"prompt": [ASKED], "reward_model": '{"ground_truth": "4"}', "extra_info": {"index": 5}, "output": BOXED}, 5),
        ({"reward_model": {"ground_truth": '["4"]'}, "response": BOXED}, None),
        ({**LOGGED, "resps": [[BOXED]]}, 3),
        ({"doc_id": 0, "doc": {"question": "?", "choices": ["3", "4"]}, "target": 1, "resps": [[r"\boxed{B}"]]}, 0),
        (SAMPLE, "s"),
        ({**SAMPLE, "output": {"completion": BOXED}, "input": "2+2?", "target": "4"}, "s"),
        ({**SAMPLE, "choices": ["3", "4"], "target": "B", "output": {"completion": r"\boxed{B}"}}, "s"),
        ({"question": "?", "A": "3", "B": "4", "answer": "B", "response": BOXED}, None),
        ({"id": "a", "question": "?", "choices": {"text": ["3", "4"], "label": ["1", "2"]}, "answerKey": "2",
          "output": BOXED}, "a"),
        ({"verification_info": '{"ground_truth": "4"}', "prompt": "2+2?", "completion": BOXED}, None),
    ],
)  # fmt: skip
def test_the_names_of_the_field_need_no_map(row, row_id):
    found = verify_row(row, None)
    assert (found["score"], found["id"]) == (1.0, row_id), found


def test_where_names_disagree_the_order_of_names_decides():
    rows = [{name: str(place) for place, name in enumerate(ANSWERS) if place >= first} for first in range(len(ANSWERS))]
    for place, row in enumerate(rows):
        assert verify_row({**row, "solution": r"\boxed{99}", "response": rf"\boxed{{{place}}}"}, None)["score"] == 1.0
    answers = {name: rf"\boxed{{{place}}}" for place, name in enumerate(RESPONSES)}
    assert verify_row({"gold": 0, "messages": [ASKED, SAID], **answers}, None)["score"] == 1.0
    several = {**LOGGED, "resps": [[BOXED, BOXED]]}
    assert (
        "resps: found 2 responses" in verify_row(several, None)["reason"]
    )  # what a filter made of them is no response
    tests = {"tests": {"inputs": ["1"], "outputs": ["1"]}, "target": {"x": 1}, "reference": "print(1)"}
    assert read_row({"question": "?", **tests})[1].domain is Domain.CODE


def test_a_log_says_that_a_response_was_cut():
    cut = {**SAMPLE, "output": {"choices": [{"message": SAID, "stop_reason": "max_tokens"}]}}
    assert verify_row(cut, None)["reason"] == "truncated"


@pytest.mark.parametrize("response", ["", "<think>x</think>", "x"])
def test_a_rubric_waits_for_its_judge(response):
    row = {"domain": "instruct", "prompt": "Sing.", "rubric": [{"criterion": "It sings."}], "response": response}
    expected = "needs_judge" if response == "x" else "no_answer"
    assert verify_row(row, None)["reason"].partition(":")[0] == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.floats() | st.text(max_size=4) | st.just("[{"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(COLUMNS), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.live
@given(
    row=st.dictionaries(st.sampled_from(COLUMNS), json_values, max_size=7),
    domain=st.sampled_from([None, "math", "stem", "code", "instruct", "claims"]),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_row_at_all_makes_the_reader_fail(row, domain):
    """The verifiers are left out: programs would run."""
    for needs in (True, False):
        reading = Reading(domain=domain and Domain(domain), needs_question=needs, needs_reference=needs)
        with suppress(InputError):
            doubt(read_row(row, reading)[1])
    with suppress(InputError):
        read(Row("line 1", row), AS_NAMED)


def test_rows_are_counted_by_outcome_and_undecided_ones_by_reason():
    tally = Tally()
    for score, reason in [(1.0, "exact"), (0.0, "different"), (0.5, "violated: x"), (None, "timeout"),
                          (None, "unreadable: a"), (None, "unreadable: b")]:  # fmt: skip
        tally.add({"score": score, "reason": reason})
    assert str(tally) == "6 rows: 1 right, 1 wrong, 1 partial, 3 undecided (unreadable 2, timeout 1)"
    assert str(Tally()) == "0 rows: 0 right, 0 wrong, 0 partial, 0 undecided"


def test_the_convention_that_would_have_answers_is_told_and_leaves_no_trace_in_the_rows(tmp_path, capsys):
    work = VerifyRows(domain="math")
    lines = [
        json.dumps({"answer": "4", "response": text}) for text in ("#### 4", "#### 5", r"\boxed{4}", "I cannot say it.")
    ]
    done = [("line", work.start()(row_of("line 1", line.encode()))) for line in lines]
    tell_verdicts(done, "f", out=tmp_path / "out", max_bad=0.0, counts=False)
    assert capsys.readouterr().err == "3 rows without an answer: 2 would have one with --answers hash\n"
    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert {tuple(row) for row in rows} == {("id", "score", "reason", "extracted", "seconds")}


def test_rows_stay_in_order_and_none_is_lost():
    lines = [
        json.dumps({"id": k, "answer": "1", "response": f"\\boxed{{{k % 2}}}"}) if k % 5 else "broken"
        for k in range(100)
    ]
    found = list(verify_lines(iter(lines), "math", 4))
    assert [row["score"] for row in found] == [float(k % 2) if k % 5 else None for k in range(100)]
    assert [row["id"] for row in found] == [k if k % 5 else None for k in range(100)]


def test_lines_are_read_only_a_little_ahead():
    read = []

    def lines():
        for k in range(1000):
            read.append(k)
            yield json.dumps({"answer": "1", "response": r"\boxed{1}"})

    next(verify_lines(lines(), "math", 1))
    assert len(read) < 100


def test_an_id_that_json_cannot_hold_becomes_text():
    assert verify_row({"id": float("inf"), "answer": "1", "response": ""}, "math")["id"] == "Infinity"


def test_modes_of_an_instruct_row_are_honoured():
    row = {
        "domain": "instruct",
        "rules": [{"id": "punctuation:no_comma"}, {"id": "startend:quotation"}],
        "response": "Sure, so:\n*a*",
    }
    assert verify_row(row, None)["score"] == 0.0
    assert verify_row({**row, "mode": "fraction", "response": "a"}, None)["score"] == 0.5
    assert verify_row({**row, "mode": "loose", "response": 'Sure, so:\n"a"'}, None)["score"] == 1.0


CASES = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}, {"input": "2\n", "output": "3\n", "testtype": "stdin"}]
PROGRAM = "```python\nprint(int(input()) + 1)\n```"


def packed(value):
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


@pytest.mark.parametrize(
    "row",
    [
        {"public_test_cases": json.dumps(CASES[:1]), "private_test_cases": packed(json.dumps(CASES[1:]))},
        {"public_test_cases": json.dumps(CASES), "private_test_cases": "[]", "metadata": "{}"},
        {"input_output": json.dumps({"inputs": ["1\n", "2\n"], "outputs": ["2\n", "3\n"]})},
    ],
)
def test_livecodebench_rows_are_read(row):
    assert verify_row({**row, "response": PROGRAM}, "code")["score"] == 1.0
    assert verify_row({"tests": row, "response": PROGRAM}, "code")["score"] == 1.0
    assert verify_row({**row, "response": PROGRAM.replace("+ 1", "+ 2 - (n := 1) * 0")}, "code")["score"] == 0.0


def test_functional_livecodebench_rows_call_the_named_function():
    cases = [{"input": "[1, 2]\n3", "output": "[1, 2, 3]", "testtype": "functional"}]
    row = {"public_test_cases": json.dumps(cases), "metadata": json.dumps({"func_name": "add"})}
    program = "```python\nclass Solution:\n    def add(self, a: List[int], b: int):\n        return a + [b]\n```"
    assert verify_row({**row, "response": program}, "code")["score"] == 1.0


class Canary:
    def __reduce__(self):
        return (open, ("/tmp/etalon-canary-of-a-pickle", "w"))


def test_a_pickle_that_asks_for_a_function_is_refused():
    found = verify_row({"private_test_cases": packed(Canary()), "response": PROGRAM}, "code")
    assert found["score"] is None
    assert "the pickle asks for io.open" in found["reason"]


# ---- the same rows as a reward function of TRL, which loads without it


@pytest.mark.parametrize(
    ("domain", "right", "wrong", "columns"),
    [
        ("stem", "\\boxed{B}", "\\boxed{C}",
         {"answer": "B", "options": {"A": "7 J", "B": "9 J", "C": None, "D": None}}),  # as `datasets` fills a struct
        ("math", "\\boxed{4}", "\\boxed{5}", {"solution": "2 + 2 is \\boxed{4}."}),
        ("instruct", "No such mark.", "Well, yes.",
         {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"num_words": None}]}),
        ("code", "```python\ndef f(x):\n    return x + math.pi\n```", "```python\ndef f(x):\n    return x\n```",
         {"test_list": ["assert f(1) > 4", "assert f(2) == 2 + math.pi"], "test_setup_code": "import math",
          "code": "def f(x): return x"}),
        ("code", "```python\nprint(4)\n```", "```python\nprint(5)\n```",
         {"tests": {"inputs": ["2"], "outputs": ["4"], "fn_name": None, "assert_code": None}}),
    ],
)  # fmt: skip
def test_a_reward_function_reads_the_columns_of_the_field(domain, right, wrong, columns):
    said = [right, [{"role": "assistant", "content": wrong}], [], [{"role": "assistant", "content": None}]]
    batch = {name: [value] * len(said) for name, value in columns.items()}
    reward = verified(domain)
    assert reward(prompts=["?"] * len(said), completions=said, trainer_state=None, **batch)[:2] == [1.0, 0.0]
    assert 1.0 not in reward(prompts=["?"] * len(said), completions=said, **batch)[1:]
    assert reward(prompts=[], completions=[], **{name: [] for name in columns}) == []


class Table(list):
    """Rows that know their columns, as those of `datasets` do."""

    @property
    def column_names(self):
        return list(self[0])


def test_a_data_set_without_what_is_right_is_refused_before_training(caplog):
    rows = Table([{"prompt": "1+1=?", "label": "2"}])
    told = r"verified\('math'\): no column says what is right \(such as answer\); columns found: label; rename_col"
    with pytest.raises(ConfigError, match=told):
        check_dataset([verified("math")], rows, None)
    with pytest.raises(ConfigError, match=told):
        verified("math")(prompts=["1+1=?"], completions=["2"], completion_ids=[[1]], label=["2"])
    with pytest.raises(ConfigError, match=r"'maths'.*choose one of math"):
        verified("maths")

    class Chat:
        chat_template = "{{ messages }}"

    known = Table([{"prompt": "1+1=?", "answer": "2"}])
    check_dataset([verified("math"), len], Table([{"prompt": [{"role": "user", "content": "?"}], "answer": "2"}]), Chat)
    assert not caplog.records
    check_dataset([verified("math")], known, Chat)
    assert "no chat template is put around" in caplog.text


@pytest.mark.parametrize(
    ("row", "score", "reason"),
    [
        ({"answer": "42", "response": "hm \\boxed{42} and", "finish_reason": "MAX_TOKENS"}, 0.0, "truncated"),
        ({"answer": "42", "generations": ["\\boxed{42}"], "finish_reasons": ["length"]}, 0.0, "truncated"),
        ({"answer": "42", "response": "\\boxed{42}", "stop_reason": "end_turn"}, 1.0, "exact"),
        ({"answer": "42", "response": "", "finish_reason": "network_error"}, None, "sampling_error"),
        ({"answer": "42", "custom_id": "q7", "response": {"status_code": 429, "body": {}}}, None, "sampling_error"),
        ({"target": "42", "output": {"choices": []}, "error": "timed out"}, None, "sampling_error"),
        ({"answer": "42", "response": "Final Answer: The final answer is $42$. I hope it is correct."}, 1.0, "exact"),
    ],
)
def test_why_a_response_ended_is_read_in_the_words_of_servers_and_logs(row, score, reason):
    found = verify_row(row, default_domain=None)
    assert (found["score"], found["reason"], found["id"]) == (score, reason, row.get("custom_id"))


def test_logs_of_programs_and_of_instructions_say_what_decides_them():
    check = "def check(f):\n    assert f(1) == 2"
    program = "```python\ndef f(x):\n    return x + 1\n```"
    log = {"target": "x", "metadata": {"test": check, "entry_point": "f"}, "response": program}
    examples = {"input_output": [{"input": "x = 1", "output": "2"}], "test": check, "entry_point": "f"}
    ruled = {"ground_truth": "[{'instruction_id': ['punctuation:no_comma'], 'kwargs': [None]}]", "response": "no, no"}
    scores = [verify_row(row, default_domain=None)["score"] for row in (log, {**examples, "response": program}, ruled)]
    assert scores == [1.0, 1.0, 0.0]


def test_a_map_must_find_its_column_and_a_file_is_not_written_over(tmp_path):
    rows = VerifyRows(columns=ColumnMap.read(["answer=godl"]))
    told = rows.verdict(Row("line 1", {"answer": "5", "gold": "6", "response": "\\boxed{6}"}))["reason"]
    assert told.startswith("unreadable: --map answer=godl: the row has no such column; columns found: answer, gold")
    file = tmp_path / "rows.jsonl"
    file.write_text('{"answer": "5", "response": "x"}\n')
    with pytest.raises(ConfigError, match="is the file that is read"):
        refuse_same(str(file), file)
    refuse_same(str(file), tmp_path / "out.jsonl")
