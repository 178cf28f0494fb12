"""Logs that other tools wrote, read, scored again here, and compared with the scores of those tools."""

import json
import shutil
import tracemalloc
from pathlib import Path

import pytest

from etalon.errors import InputError
from etalon.evaluate.logs import inspect_files, looks_like_log, read_log
from etalon.problems.files import read_problems
from etalon.types import Answers, Domain, Problem, Stop
from etalon.verifiers import reading_by, verify

LOGS = Path(__file__).parent / "logs"
DATE = "2026-11-30T00-26-08.689033"


def lm_eval(task):
    return LOGS / "lm-eval" / f"samples_own_{task}_{DATE}.jsonl"


def scored(log):
    """{(id, index): (their score, ours)}."""
    problems = {problem.id: problem for problem in log.problems}
    verifier = reading_by(log.answers)
    verdicts = {
        sample.key: (
            sample.theirs,
            verify(problems[sample.id], sample.text, stop=sample.stop, order=sample.order, verifier=verifier).score,
        )
        for sample in log.samples
    }
    assert verdicts
    return verdicts


def write(path, rows):
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_log_is_told_by_its_content(tmp_path):
    expected = {
        lm_eval("sums"): "lm-eval",
        LOGS / "inspect" / "numbers.eval": "inspect",
        LOGS / "inspect" / "shuffled.json": "inspect",
        LOGS / "lcb" / "own_eval_all.json": "lcb",
        LOGS / "ojbench" / "judged.jsonl": "ojbench",
        LOGS / "sgl-eval" / "output-rs0.jsonl": "sgl-eval",
        LOGS / "lcb" / "release.jsonl": None,  # a benchmark
        LOGS / "lm-eval" / f"results_{DATE}.json": None,
        LOGS / "README.md": None,
    }
    for path, tool in expected.items():
        assert looks_like_log(shutil.copy(path, tmp_path / "renamed")) == tool
    assert looks_like_log(LOGS / "sgl-eval") == "sgl-eval"
    assert looks_like_log(tmp_path) is None
    assert looks_like_log(tmp_path / "nowhere") is None


def test_what_is_no_log_is_refused_in_a_line_that_says_what_was_found(tmp_path):
    with pytest.raises(InputError, match=r"no columns of a log; columns found: question_title.*lm-eval.*are read"):
        read_log(LOGS / "lcb" / "release.jsonl")
    with pytest.raises(InputError, match="a directory without predictions"):
        read_log(LOGS)
    with pytest.raises(InputError, match="no such file"):
        read_log(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("task", "answers", "why"),
    [
        ("sums", Answers.HASH, "filter strict-match looks for"),
        ("gpqa", Answers.SENTENCE, "filter strict-match looks for"),
        ("roots", Answers.BOXED, "filter boxed looks for"),
        ("rules", Answers.BOXED, "no response"),
    ],
)
def test_lm_eval_is_scored_again_by_the_convention_of_its_task(task, answers, why):
    log = read_log(lm_eval(task))
    assert (log.tool, log.version, log.name, log.answers) == ("lm-eval", "0.4.13", f"own_{task}", answers)
    assert why in log.because
    differing = {key for key, (theirs, ours) in scored(log).items() if theirs not in (None, ours)}
    fraction = {(log.problems[1].id, 0)} if task == "roots" else set()  # their exact_match has no \frac34
    assert differing == fraction


def test_the_same_response_under_two_filters_counts_once():
    log = read_log(lm_eval("sums"))
    assert log.num_rows == 4
    assert [sample.index for sample in log.samples] == [0, 0]
    assert log.settings["filters"] == {"strict-match": 0.5, "flexible-extract": 0.5}
    assert log.settings["max_tokens"] == 256


def test_repeats_are_samples_of_one_problem_and_the_score_is_of_the_first():
    log = read_log(lm_eval("roots"))
    assert [(sample.index, sample.theirs) for sample in log.samples] == [
        *((0, 1.0), (1, None), (2, None)),
        *((0, 0.0), (1, None), (2, None)),
    ]
    assert list(log.samples) == list(log.samples)


def test_options_that_were_ranked_have_no_text_to_score():
    with pytest.raises(InputError, match=r"line 1: options ranked by likelihood.*generate_until"):
        read_log(lm_eval("ranked"))


def test_lm_eval_without_its_results_says_so_and_goes_by_what_responses_state(tmp_path):
    path = shutil.copy(lm_eval("sums"), tmp_path / lm_eval("sums").name)
    log = read_log(Path(path))
    assert log.model == ""
    assert any("results_" in note for note in log.notes)
    assert log.answers is Answers.HASH
    assert "hash 1" in log.because
    told = read_log(Path(path), answers=Answers.LAST_LINE)
    assert (told.answers, told.because) == (Answers.LAST_LINE, "asked for")


def test_a_problem_has_the_id_that_it_has_in_the_file_of_its_benchmark(tmp_path):
    file = write(tmp_path / "sums.jsonl", [row["doc"] for row in rows_of(lm_eval("sums"))])
    problems = read_problems(file)
    assert read_log(lm_eval("sums")).problems == problems
    assert read_log(lm_eval("sums"), problems=problems).problems == problems


def test_letters_are_those_of_the_order_that_the_task_showed(tmp_path):
    log = read_log(lm_eval("gpqa"))
    assert [(problem.id, problem.options[problem.answer]) for problem in log.problems] == [
        ("own1", "Oxygen"),
        ("own2", "31"),
    ]
    assert [sample.order[3] for sample in log.samples] == ["A", "A"]  # Oxygen and 39, the problems' own A, shown as D
    raw = ("Record ID", "Question", "Correct Answer", *(f"Incorrect Answer {number}" for number in (1, 2, 3)))
    rows = [{name: row["doc"][name] for name in raw} for row in rows_of(lm_eval("gpqa"))]
    known = read_log(lm_eval("gpqa"), problems=read_problems(write(tmp_path / "gpqa.jsonl", rows)))
    assert (known.problems, list(known.samples)) == (log.problems, list(log.samples))
    rows[0]["Correct Answer"] = "Fluorine"
    edited = read_log(lm_eval("gpqa"), problems=read_problems(write(tmp_path / "edited.jsonl", rows)))
    assert edited.bad[0].startswith("line 1: options: found [")


def test_the_problems_of_a_benchmark_are_found_by_what_was_asked_never_by_a_number_alone():
    own = read_log(LOGS / "sgl-eval").problems
    renamed = [Problem(id=f"mine/{one.id}", domain=one.domain, prompt=one.prompt, answer=one.answer) for one in own]
    assert read_log(LOGS / "sgl-eval", problems=renamed).problems == renamed
    others = [Problem(id=one.id, domain=Domain.MATH, prompt=f"Unlike that, {one.id}?", answer="1") for one in own]
    with pytest.raises(InputError, match=r"output-rs0.jsonl line 1: problem \"own-1\" asks"):
        read_log(LOGS / "sgl-eval", problems=others)
    log = read_log(LOGS / "sgl-eval", problems=own[:1])
    assert (log.num_rows, log.num_bad) == (4, 2)
    assert "not among the 1 of the benchmark" in log.bad[0]


def test_rows_that_cannot_be_read_are_named_and_the_others_are_read(tmp_path):
    first, second = rows_of(lm_eval("gpqa"))
    without = {name: value for name, value in second.items() if name != "resps"}
    other = first | {"resps": [["Another text."]]}
    log = read_log(write(tmp_path / "x.jsonl", [first, "{", without, other, first | {"doc_id": 9, "resps": [[1]]}]))
    assert (log.num_rows, log.num_bad) == (5, 4)
    assert [place.partition(":")[0] for place in log.bad] == ["line 2", "line 3", "line 4", "line 5"]
    assert "columns found: doc_id" in log.bad[1]
    assert "with other responses" in log.bad[2]
    assert len(list(log.samples)) == 1
    with pytest.raises(InputError, match="the only row there is"):
        read_log(write(tmp_path / "y.jsonl", [first | {"resps": []}]))


def test_inspect_keeps_thoughts_cuts_failures_and_epochs():
    log = read_log(LOGS / "inspect" / "numbers.eval")
    assert (log.tool, log.version, log.name, log.model) == ("inspect", "0.3.120", "numbers", "mockllm/model")
    assert log.settings == {"temperature": 0.7, "max_tokens": 64, "n": 2, "scorers": ["match"]}
    assert log.answers is Answers.BOXED
    samples = {sample.key: sample for sample in log.samples}
    assert samples["prime", 0].text == "<think>2, 3, 5, 7, 11, 13, 17</think>ANSWER: 17"
    cut = samples["prime", 1]
    assert (cut.index, cut.prompt_tokens) == (1, 5)
    assert (cut.stop, cut.text, cut.tokens) == (Stop.LENGTH, "<think>it is \\boxed{17}, so", 64)
    failed = samples["sum/1", 1]
    assert (failed.stop, failed.error, failed.theirs) == (Stop.ERROR, "RuntimeError('the model is gone')", None)
    assert scored(log) == {
        ("prime", 0): (1.0, 1.0),
        ("prime", 1): (0.0, 0.0),
        ("sum/1", 0): (None, None),
        ("sum/1", 1): (None, None),
    }


def test_inspect_packed_by_zstd_is_read_where_zstandard_is():
    pytest.importorskip("zstandard")
    log = read_log(LOGS / "inspect" / "letters.eval")
    assert [problem.options for problem in log.problems] == [{"A": "Sulfur", "B": "Neon", "C": "Argon", "D": "Iron"}]
    assert scored(log) == {("1", 0): (1.0, 1.0)}


def test_a_letter_means_what_the_prompt_of_its_sample_showed():
    log = read_log(LOGS / "inspect" / "shuffled.json")
    [sample] = log.samples
    assert (log.problems[0].answer, sample.text) == ("C", "It is \\boxed{D}")  # Saturn, shown as D
    assert sample.order is not None
    assert sample.order[3] == "C"
    assert scored(log) == {("2", 0): (0.0, 1.0)}  # their scorer read no option


def test_inspect_of_another_version_damaged_or_too_large_is_refused(tmp_path, monkeypatch):
    text = (LOGS / "inspect" / "shuffled.json").read_text()
    (tmp_path / "x.json").write_text(text.replace('"version": 2', '"version": 3', 1))
    with pytest.raises(InputError, match="version 3; version 2 is read"):
        read_log(tmp_path / "x.json")
    (tmp_path / "compact.json").write_text(json.dumps(json.loads(text)))
    assert len(list(read_log(tmp_path / "compact.json").samples)) == 1
    packed = (LOGS / "inspect" / "numbers.eval").read_bytes()
    (tmp_path / "cut.eval").write_bytes(packed[:-100])
    with pytest.raises(InputError, match=r"cut\.eval: is a damaged zip"):
        read_log(tmp_path / "cut.eval")
    at = packed.index(b"samples/sum/1_epoch_2.json") + 60
    (tmp_path / "damaged.eval").write_bytes(packed[:at] + b"\0\0\0" + packed[at + 3 :])
    log = read_log(tmp_path / "damaged.eval")
    assert log.num_bad == 1
    assert log.bad[0].startswith("samples/sum/1_epoch_2.json: damaged")
    monkeypatch.setattr(inspect_files, "MAX_TOTAL_BYTES", 5000)
    with pytest.raises(InputError, match=r"unpacks to [\d,]+ bytes"):
        read_log(LOGS / "inspect" / "numbers.eval")
    monkeypatch.setattr(inspect_files, "MAX_TOTAL_BYTES", 1 << 30)
    monkeypatch.setattr(inspect_files, "MAX_MEMBER_BYTES", 500)
    with pytest.raises(InputError, match=r"header.json has [\d,]+ bytes"):
        read_log(LOGS / "inspect" / "numbers.eval")


@pytest.mark.live
def test_livecodebench_needs_its_problems_and_is_scored_again_with_them():
    path = LOGS / "lcb" / "own_eval_all.json"
    with pytest.raises(InputError, match="name the livecodebench file"):
        read_log(path)
    log = read_log(path, problems=read_problems(LOGS / "lcb" / "release.jsonl"))
    assert log.settings == {"n": 5}
    verdicts = scored(log)
    assert verdicts["own_b", 0] == (1.0, 1.0)
    assert verdicts["own_b", 2] == (0.0, 0.0)
    assert verdicts["own_a", 0] == (0.0, 1.0)  # they compare decimals digit by digit
    details = {sample.key: sample.detail for sample in log.samples}
    assert details["own_b", 2]["lcb"]["error_message"] == "Wrong answer at output_line_idx=0: 6 != 10"


def test_ojbench_keeps_its_judges_verdicts():
    log = read_log(LOGS / "ojbench" / "judged.jsonl")
    assert [(*sample.key, sample.theirs) for sample in log.samples] == [
        ("NOI-1-python", 0, 1.0),
        ("NOI-1-python", 1, 0.0),
        ("NOI-1-cpp", 0, 1.0),
        ("ICPC-own_2-python", 0, 0.0),
        ("ICPC-nwerc2023_H-python", 0, None),  # left out by its configuration
        ("ICPC-own_3-python", 0, None),  # its own failure
    ]
    assert any("cannot be scored again" in note for note in log.notes)


def test_sgl_eval_has_a_file_for_each_repeat():
    log = read_log(LOGS / "sgl-eval")
    assert (log.version, log.name, log.model) == ("0.1.3", "aime25", "own/scripted")
    assert log.settings == {"temperature": 0.6, "top_p": 0.95, "max_tokens": 64, "n": 2}
    verdicts = scored(log)
    assert verdicts == {
        ("own-1", 0): (1.0, 1.0),
        ("own-2", 0): (1.0, 1.0),
        ("own-1", 1): (0.0, 0.0),
        ("own-2", 1): (0.0, 0.0),
    }
    cut = next(sample for sample in log.samples if sample.key == ("own-1", 1))
    assert (cut.stop, cut.text, cut.tokens) == (Stop.LENGTH, "<think>1 + 4 + 9 is", 12)
    assert [sample.index for sample in read_log(LOGS / "sgl-eval" / "output-rs1.jsonl").samples] == [1, 1]


def test_nemo_gym_rollouts_hold_a_response_of_the_responses_api(tmp_path):
    def rollout(index, output, reward, **more):
        response = {"model": "own", "status": "completed", "output": output, "usage": {"output_tokens": 5}} | more
        asked = {"input": [{"role": "user", "content": "What is 2 + 2?"}]}
        return {
            "responses_create_params": asked, "response": response, "reward": reward, "expected_answer": "4",
            "_ng_task_index": 0, "_ng_rollout_index": index,
        }  # fmt: skip

    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "two and two"}]}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "\\boxed{4}"}]}
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    path = write(tmp_path / "r.jsonl", [rollout(0, [thought, said], 1.0), rollout(1, [thought], 0.0, **cut)])
    log = read_log(path)
    assert (log.tool, log.model, log.settings["n"]) == ("nemo-gym", "own", 2)
    assert [(sample.index, sample.text, sample.stop) for sample in log.samples] == [
        (0, "<think>two and two</think>\\boxed{4}", Stop.EOS),
        (1, "<think>two and two", Stop.LENGTH),
    ]
    assert list(scored(log).values()) == [(1.0, 1.0), (0.0, 0.0)]


@pytest.mark.live
def test_memory_does_not_grow_with_the_log(tmp_path):
    first = rows_of(lm_eval("roots"))[0]
    text = "x" * 200_000
    rows = [first | {"doc_id": at, "resps": [[f"{at} {text} \\boxed{{3}}"] * 2]} for at in range(60)]
    path = write(tmp_path / "large.jsonl", rows)
    size = path.stat().st_size
    del rows
    tracemalloc.start()
    log = read_log(path)
    assert sum(1 for _ in log.samples) == 120
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 4


@pytest.mark.live
def test_a_program_without_a_fence_is_one(tmp_path):
    doc = {
        "task_id": "own/0", "prompt": 'def double(x):\n    """Twice x."""\n', "canonical_solution": "    return 2 * x",
        "test": "def check(candidate):\n    assert candidate(2) == 4\n", "entry_point": "double",
    }  # fmt: skip
    texts = ["    return 2 * x\n", "```python\ndef double(x):\n    return x\n```"]
    row = {"doc_id": 0, "doc": doc, "target": "check(double)", "resps": [texts], "filter": "none"}
    log = read_log(write(tmp_path / "x.jsonl", [row]))
    assert list(scored(log).values()) == [(None, 1.0), (None, 0.0)]
    assert "programs without a fence, which were put in one: 1" in log.notes


def test_what_stands_beside_a_log_may_be_anything(tmp_path):
    path = Path(shutil.copy(lm_eval("roots"), tmp_path))
    for configs in (7, {"own_roots": []}, {"own_roots": {"filter_list": [1, {"name": "boxed", "filter": [None]}]}}):
        (tmp_path / f"results_{DATE}.json").write_text(json.dumps({"configs": configs, "config": []}))
        log = read_log(path)
        assert (log.answers, log.model) == (Answers.BOXED, "")
        assert [sample.theirs for sample in log.samples] == [None] * 6  # of which response the score is, is not told
    (tmp_path / f"results_{DATE}.json").write_text("{")
    with pytest.raises(InputError, match=r"results_.*: is not valid JSON"):
        read_log(path)
