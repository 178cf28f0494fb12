"""LiveCodeBench's own checker as a second opinion; a stand-in with its command line says what the real one said."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from etalon.cli import app
from etalon.errors import InputError, RunError
from etalon.evaluate import Task
from etalon.evaluate.benchmarks import catalogue
from etalon.evaluate.logs.disagreement import Why, likely_reason
from etalon.evaluate.logs.official import Release, official_lcb
from etalon.evaluate.opinions import release_of
from etalon.evaluate.store import Sample
from etalon.problems.files import read_problems
from etalon.store import seed_from
from etalon.types import Domain, SamplingParams, Stop
from etalon.verifiers.code.outputs import USUAL
from etalon.verifiers.code.programs import Program
from upstream import Asked, Reply, Upstream

LCB = Path(__file__).parent / "logs" / "lcb"
STAND_IN = """\
import argparse, json, os, shutil
parser = argparse.ArgumentParser()
for name in ("custom_output_file", "release_version", "start_date", "end_date", "num_process_evaluate"):
    parser.add_argument(f"--{name}")
args = parser.parse_args()
with open(args.custom_output_file) as stream:
    outputs = json.load(stream)
assert os.path.isdir("lcb_runner"), "they open files by relative names"
assert "OWN_API_KEY" not in os.environ
assert [one["question_id"] for one in outputs] == ["own_a", "own_b", "own_c"], outputs
assert {len(one["code_list"]) for one in outputs} == {5}
assert os.environ["OWN_RELEASE"] == f"{args.release_version} {args.start_date} {args.end_date}", args
shutil.copy(os.environ["OWN_JUDGED"], args.custom_output_file[:-5] + "_codegeneration_output_eval_all.json")
"""
PROGRAMS = {
    ("own_b", 0): "print(sum(map(int, input().split())))",
    ("own_b", 1): "import threading, time\ndef main():\n    time.sleep(0.2)\n"
    "    print(sum(map(int, input().split())))\nthreading.Thread(target=main).start()",
    ("own_b", 2): "print(6)",
    ("own_b", 3): "import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))",
    ("own_b", 4): "print(reduce(lambda a, b: a + b, map(int, input().split())))",
    ("own_a", 0): "a, b = map(int, input().split())\nprint(a / b)",
    ("own_a", 1): "print('0.333333333')",
    ("own_a", 2): "import os\nos._exit(3)",
    (
        "own_c",
        0,
    ): "class Solution:\n    def pairs(self, nums):\n        return [(a, b) for a, b in zip(nums, nums[1:])]",
    (
        "own_c",
        1,
    ): "class Solution:\n    def pairs(self, nums):\n        return [[a, b] for a, b in zip(nums, nums[1:])]",
}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    place = tmp_path / "clone"
    (place / "lcb_runner" / "runner").mkdir(parents=True)
    (place / "lcb_runner" / "runner" / "custom_evaluator.py").write_text(STAND_IN)
    (place / ".venv" / "bin").mkdir(parents=True)
    (place / ".venv" / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setenv("OWN_API_KEY", "secret")
    monkeypatch.setenv("OWN_JUDGED", str(LCB / "own_eval_all.json"))
    monkeypatch.setenv("OWN_RELEASE", "release_v6 2025-02-01 None")
    return place


def samples():
    return [
        Sample(id=name, index=index, text=f"Here:\n```python\n{text}\n```", stop=Stop.EOS)
        for (name, index), text in PROGRAMS.items()
    ]


@pytest.mark.live
def test_two_opinions_are_compared_program_by_program(clone, tmp_path):
    problems = read_problems(LCB / "release.jsonl")
    release = Release(name="release_v6", start_date="2025-02-01")
    found = official_lcb(clone, samples(), problems, out=tmp_path / "out", workers=2, release=release)
    assert (found.both_right, found.both_wrong, found.only_ours, found.only_theirs) == (3, 2, 4, 1)
    assert (found.undecided, found.missing) == (0, 0)
    assert {(one.id, one.index): one.why for one in found.disagreements} == {
        ("own_b", 1): Why.THREAD,
        ("own_b", 3): Why.IMITATED,
        ("own_b", 4): Why.HEADER,
        ("own_a", 0): Why.DIGITS,
        ("own_c", 0): Why.TUPLE,
    }
    assert found.reasons.total() == 5


@pytest.mark.live
def test_a_checker_that_fails_or_is_not_there_is_told_in_a_line(clone, tmp_path):
    problems = read_problems(LCB / "release.jsonl")
    with pytest.raises(RunError, match=r"release_latest, 3 problems.*status 1.*AssertionError"):
        official_lcb(clone, samples(), problems, out=tmp_path, workers=1)
    (clone / ".venv" / "bin" / "python").unlink()
    with pytest.raises(InputError, match="expected a clone of LiveCodeBench"):
        official_lcb(clone, samples(), problems, out=tmp_path, workers=1)
    with pytest.raises(InputError, match="interpreter that imports lcb_runner"):
        official_lcb(Path(sys.executable), samples(), problems, out=tmp_path, workers=1)
    with pytest.raises(InputError, match="no samples of these problems"):
        official_lcb(clone, [], problems, out=tmp_path, workers=1)


def answer(asked: Asked) -> Reply:
    """The program of the problem that is asked, and of the sample whose seed it is."""
    asks = {"own_a": "Print a / b", "own_b": "Print their sum", "own_c": "pairs of neighbours"}
    name = next(name for name, words in asks.items() if words in asked.text)
    index = next(index for index in range(5) if seed_from([0, index]) == asked.body["seed"])
    return Reply(content=f"```python\n{PROGRAMS.get((name, index), '')}\n```")


def results(out):
    return json.loads((out / "results.json").read_text())["benchmarks"]


@pytest.mark.live
def test_eval_puts_the_checkers_opinion_into_the_row_beside_the_judges(clone, tmp_path, monkeypatch):
    file, out = LCB / "release.jsonl", tmp_path / "out"
    opinion = ["--official-lcb", str(clone)]

    def run(*arguments):
        result = CliRunner().invoke(app, ["eval", *map(str, arguments), *opinion], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    with Upstream(answer) as upstream:
        served = ["--endpoint", upstream.url, "--model", "toy", "-n", 5, "--out", out]
        monkeypatch.setenv("OWN_RELEASE", "release_v6 2025-02-01 2025-05-01")
        said = run(f"livecodebench-v6={file}", *served, "--judge", f"toy@{upstream.url}")
    [row] = results(out)
    found = row["official"]
    counts = {name: found[name] for name in ("both_right", "both_wrong", "only_ours", "only_theirs", "undecided")}
    assert counts == {"both_right": 3, "both_wrong": 7, "only_ours": 4, "only_theirs": 1, "undecided": 0}
    assert (found["tool"], found["missing"], found["avg"]) == ("lcb_runner", 0, pytest.approx((0.2 + 0.4 + 0.2) / 3))
    assert (row["avg"], row["judge"]["open"]) == (pytest.approx((0.4 + 0.6 + 0.4) / 3), 0)
    assert found["reasons"][Why.DIGITS] == 1
    assert {(one["id"], one["index"]) for one in found["disagreements"]} == {
        ("own_a", 0), ("own_b", 1), ("own_b", 3), ("own_b", 4), ("own_c", 0)
    }  # fmt: skip
    assert "lcb_runner, its own checker, says 26.7: of the programs 3 right by both, 7 wrong by both" in said
    assert "own_b/1 ours starts a thread" in said
    run("--rescore", out)
    assert results(out)[0]["official"] == found
    monkeypatch.setenv("OWN_RELEASE", "none")  # it fails: what was scored stays
    result = CliRunner().invoke(app, ["eval", "--rescore", str(out), *opinion])
    assert isinstance(result.exception, RunError)
    assert "official" not in results(out)[0]
    assert results(out)[0]["avg"] == row["avg"]


@pytest.mark.live
def test_what_the_checker_does_not_judge_is_refused_before_anything_is_sampled(clone, tmp_path):
    sums, out = tmp_path / "sums.jsonl", tmp_path / "out"
    sums.write_text('{"question": "What is 1 + 1?", "answer": "2"}\n')
    file = LCB / "release.jsonl"
    with Upstream(answer) as upstream:

        def refusal(*arguments):
            command = ["eval", "--endpoint", upstream.url, "--model", "toy", *map(str, arguments)]
            return str(CliRunner().invoke(app, command).exception)

        with_out = ["--out", out, "--official-lcb"]
        assert "judges its own problems alone" in refusal(file, sums, *with_out, clone)
        assert "2 of 3 problems are asked" in refusal(file, "--limit", 2, *with_out, clone)
        assert refusal(file, "--official-lcb", clone).startswith("--official-lcb: needs --out DIR")
        assert "expected a clone of LiveCodeBench" in refusal(file, *with_out, tmp_path)
        assert not upstream.requests


def test_the_release_is_that_of_the_benchmark_or_lies_between_the_dates_of_the_problems():
    problems = read_problems(LCB / "release.jsonl")
    task = Task(name="own", problems=problems, n=1, params=SamplingParams())
    v5 = release_of(task, catalogue()["livecodebench-v5"])
    assert v5 == Release(name="release_v5", start_date="2024-08-01", end_date="2025-02-01")
    assert release_of(task, None) == Release(start_date="2025-03-01", end_date="2025-03-01")
    late = replace(task, problems=[*problems, replace(problems[0], id="own_d", date="2025-03-04T19:30:00")])
    assert release_of(late, None) == Release(start_date="2025-03-01", end_date="2025-03-05")
    for changed in ({"date": ""}, {"tests": {"judge": "ojbench"}}, {"domain": Domain.MATH}):
        with pytest.raises(InputError, match=r"own: problem own_b .*its own problems alone"):
            release_of(replace(task, problems=[replace(problems[0], **changed)]), None)


def test_the_likely_reason_goes_by_what_both_say():
    python, cpp = Program(text="print(1)"), Program(text="int main(){}", language="cpp")
    no_module = {"error_code": -4, "error_message": "Error during testing: No module named 'numpy'"}
    cases = [
        ((python, None, "infrastructure: no library numpy here", {}), Why.NO_PACKAGE_HERE),
        ((python, None, "infrastructure: the sandbox died", {}), Why.UNDECIDED),
        ((python, 0.0, "truncated", {}), Why.TRUNCATED),
        ((cpp, 1.0, "passed", {"error_code": -4}), Why.LANGUAGE),
        ((python, 1.0, "passed", no_module), Why.NO_PACKAGE_THERE),
        ((python, 1.0, "passed", {"error_code": -3, "error": "TimeoutException()"}), Why.TIME_THERE),
        ((python, 1.0, "passed", {"error_code": -5, "error": "IndexError('list index out of range')"}), Why.DIED),
        ((python, 1.0, "passed", {"error_code": -2, "output": "2", "expected": "1"}), Why.OTHER),
        ((python, 0.0, "timeout (test 3 of 9)", {}), Why.TIME_HERE),
        ((python, 0.0, "wrong (test 1 of 2)", {}), Why.OTHER),
        ((None, 0.0, "no_answer", {}), Why.OTHER),
    ]
    for (program, score, reason, told), why in cases:
        assert likely_reason(program, score, reason, told, USUAL) is why
    cut = {"error_code": -2, "output": "1\n...(truncated) ...0.5", "expected": "1\n...(truncated) ...0.5",
           "error_message": "Wrong answer at output_line_idx=9: 0.5000000001 != 0.5"}  # fmt: skip
    assert likely_reason(python, 1.0, "passed", cut, USUAL) is Why.DIGITS
