"""OJBench's own judge, from the command line to the score.

The real judge needs DMOJ, PyPy 3 and gigabytes of tests, so it does not run here. A stand-in takes its place: packages
`ojbench` and `dmoj` with the functions and arguments of the real ones (He-Ren/OJBench 5e94480), which check what they
are given and write what the real judge writes; the verdicts are those that the responses name, no program is run. What
it shows is that the judge is called as its README says, that its output is read, and what becomes of its verdicts.
"""

import json
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from etalon.cli import app
from etalon.errors import ConfigError, EtalonError, InputError, RunError
from etalon.evaluate import elsewhere
from etalon.evaluate.logs import ojbench_judge
from etalon.store import seed_from
from upstream import Asked, Reply, Upstream

pytestmark = pytest.mark.live

STAND_IN = """\
import copy, json, os, sys, time
from pathlib import Path
CALLS = Path(__file__).with_name("calls")
config = None

def init(problem_dirs, config_path=None, runtime_path=None, compile_lock_path=None):
    global config
    assert config is None, "The 'init' function can only be called once."
    config = list(problem_dirs)
    assert [one.name for one in config] == ["NOI", "ICPC"] and all(one.is_dir() for one in config)

def judge_jsonl(input_path, output_path=None, num_workers=16, worker_log_path=None, identifier=None):
    assert config is not None and num_workers >= 1
    if worker_log_path is not None:
        assert "OWN_API_KEY" not in os.environ
        Path(worker_log_path).mkdir(exist_ok=True)
    with open(input_path) as stream:
        rows = [json.loads(line) for line in stream]
    with open(CALLS, "a") as stream:
        print(len(rows), file=stream)
    if os.environ.get("OWN_FAULT") == "silent":
        time.sleep(60)
    output = copy.deepcopy(rows)
    for row in output:
        assert list(row) == ["id", "prompt", "dataset", "language", "difficulty", "content"], list(row)
        assert "<think>" not in row["content"]
        fence = row["content"].split(f"```{row['language']}\\n")[-1].split("\\n```")[0]
        word = fence.split()[-1] if fence.split() else "CE"
        if row["id"] == "nwerc2023_H":
            word = "Skip"
            row["is_skip"] = True
        row["detailed_results"] = {"final_verdict": word, "results": []}
        row["is_passed"] = row["1/2is_passed"] = word == "AC"
        row["verdict"] = row["1/2verdict"] = word
    if os.environ.get("OWN_FAULT") == "reversed":
        output.reverse()
    assert os.environ.get("OWN_FAULT") != "crash", "Problem loj-1 not found"
    with open(output_path, "w") as stream:
        for row in output:
            stream.write(json.dumps(row) + "\\n")
    return output
"""
AS_ITS_README_SAYS = """\
import sys
from pathlib import Path
import ojbench
responses, judged, data = sys.argv[1:]
ojbench.init(problem_dirs=[Path(data) / "NOI", Path(data) / "ICPC"])
ojbench.judge_jsonl(responses, judged)
"""
ROWS = [
    {"id": id_, "prompt": f"Solve {id_} in {language}.", "dataset": dataset, "language": language, "difficulty": "easy"}
    for id_, dataset in ((1, "NOI"), ("own_2", "ICPC"), ("nwerc2023_H", "ICPC"))
    for language in ("cpp", "python")
]
SAYS = {(1, "cpp"): ("AC", "WA"), (1, "python"): ("TLE", "AC"), ("own_2", "cpp"): ("CE", "RTE"),
        ("own_2", "python"): ("AC", "IE"), ("nwerc2023_H", "cpp"): ("AC", "AC"),
        ("nwerc2023_H", "python"): ("AC", "WA")}  # fmt: skip


def answer(asked: Asked) -> Reply:
    """A program that names its verdict; the second response to the second problem is cut behind its program."""
    id_, language = next((row["id"], row["language"]) for row in ROWS if row["prompt"] in asked.text)
    index = next(index for index in range(2) if seed_from([0, index]) == asked.body["seed"])
    program = f"```{language}\n// {SAYS[id_, language][index]}\n```"
    is_cut = (id_, language, index) == (1, "python", 1)
    return Reply(reasoning=f"```{language}\n// AC\n```", content=program, finish="length" if is_cut else "stop")


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """The options that name the judge; `calls` beside its package has a line for each run of it."""
    for name in ("packages/ojbench", "packages/dmoj", "data/NOI", "data/ICPC", "data/prompts"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "packages" / "dmoj" / "__init__.py").write_text("")
    (tmp_path / "packages" / "ojbench" / "__init__.py").write_text(STAND_IN)
    (tmp_path / "data" / "prompts" / "full.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}/packages" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("OWN_API_KEY", "secret")
    return ["--ojbench-judge", str(python), "--ojbench-data", str(tmp_path / "data")]


def calls(tmp_path):
    path = tmp_path / "packages" / "ojbench" / "calls"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def run(*arguments):
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


def row_of(out):
    [row] = json.loads((out / "results.json").read_text())["benchmarks"]
    return row


def sampled(tmp_path, *further):
    """The benchmark, asked of a server."""
    with Upstream(answer) as upstream:
        served = ["--endpoint", upstream.url, "--model", "toy", "-n", 2, "--out", tmp_path / "out"]
        return run(f"ojbench={tmp_path / 'data'}", *served, *further)


def test_the_judges_verdicts_are_the_scores_and_are_not_asked_for_again(judge, tmp_path):
    out = tmp_path / "out"
    result = sampled(tmp_path, *judge)
    assert result.exit_code == 0, result.output
    scores = {
        (one["id"], one["index"]): (one["score"], one["reason"])
        for one in map(json.loads, (out / "scores-ojbench.jsonl").read_text().splitlines())
    }
    own, left_out = "judged_elsewhere: its own judge", "judged_elsewhere: its own judge leaves the problem out"
    assert scores == {
        ("NOI-1-cpp", 0): (1.0, own), ("NOI-1-cpp", 1): (0.0, own),
        ("NOI-1-python", 0): (0.0, own), ("NOI-1-python", 1): (0.0, "truncated"),
        ("ICPC-own_2-cpp", 0): (0.0, own), ("ICPC-own_2-cpp", 1): (0.0, own),
        ("ICPC-own_2-python", 0): (1.0, own),
        ("ICPC-own_2-python", 1): (None, "judged_elsewhere: its own judge gave no verdict (IE)"),
        **{(f"ICPC-nwerc2023_H-{name}", index): (None, left_out) for name in ("cpp", "python") for index in (0, 1)},
    }  # fmt: skip
    row = row_of(out)
    assert (row["avg"], row["undecided"], row["left_out"]) == (pytest.approx((0.5 + 0 + 0 + 1) / 4), 5, 4)
    assert "theirs" not in row
    assert calls(tmp_path) == [12]
    assert run("--rescore", out).exit_code == 0
    assert calls(tmp_path) == [12]
    assert row_of(out)["avg"] == row["avg"]
    assert run("--rescore", out, *judge).exit_code == 0
    assert calls(tmp_path) == [12, 1]  # where it failed by itself it is asked once more


def test_without_the_judge_its_responses_wait_and_what_it_makes_of_them_is_a_score(judge, tmp_path):
    out = tmp_path / "out"
    result = sampled(tmp_path)
    told = str(result.exception)
    assert isinstance(result.exception, EtalonError)
    assert "12 responses wait for OJBench's own judge: name it by --ojbench-judge PYTHON" in told
    assert f"what it is to be given is in {out / 'ojbench-ojbench' / 'responses.jsonl'}" in told
    assert row_of(out)["avg"] is None
    judged = tmp_path / "judged.jsonl"
    by_hand = [str(out / "ojbench-ojbench" / "responses.jsonl"), str(judged), judge[3]]
    subprocess.run([judge[1], "-c", AS_ITS_README_SAYS, *by_hand], check=True)
    result = run("--rescore", judged, "--format", "json")
    assert result.exit_code == 0, result.output
    [row] = json.loads(result.stdout)["benchmarks"]
    assert row["avg"] == pytest.approx((0.5 + 0.5 + 0 + 1) / 4)  # the file does not say which response was cut
    assert run("--rescore", out, *judge).exit_code == 0
    assert row_of(out)["avg"] == pytest.approx((0.5 + 0 + 0 + 1) / 4)
    assert not [told for told in row_of(out)["warnings"] if "wait for" in told]


def test_a_judge_that_fails_leaves_what_was_sampled(judge, tmp_path, monkeypatch):
    monkeypatch.setattr(elsewhere, "TOGETHER", 8)
    monkeypatch.setenv("OWN_FAULT", "crash")
    failed = sampled(tmp_path, *judge).exception
    assert isinstance(failed, RunError)
    assert "OJBench's judge (8 responses): ended with status 1" in str(failed)
    assert "Problem loj-1 not found; 12 of 12 samples of ojbench are kept" in str(failed)
    monkeypatch.setenv("OWN_FAULT", "silent")
    monkeypatch.setattr(ojbench_judge, "SILENT_SECONDS", 1.0)
    assert "has said nothing for 1 s" in str(run("--rescore", tmp_path / "out", *judge).exception)
    monkeypatch.setattr(ojbench_judge, "SILENT_SECONDS", 60.0)
    monkeypatch.setenv("OWN_FAULT", "reversed")
    told = run("--rescore", tmp_path / "out", *judge).exception
    assert isinstance(told, InputError)
    assert "expected the 8 responses that the judge was given: 8 responses in another order" in str(told)
    monkeypatch.delenv("OWN_FAULT")
    assert run("--rescore", tmp_path / "out", *judge).exit_code == 0
    assert calls(tmp_path) == [8, 8, 8, 8, 4]


def test_a_judge_that_is_not_there_is_refused_before_anything_is_sampled(judge, tmp_path):
    sums = tmp_path / "sums.jsonl"
    sums.write_text('{"question": "What is 1 + 1?", "answer": "2"}\n')
    problems = f"ojbench={tmp_path / 'data'}"
    with Upstream(answer) as upstream:
        served = ["--endpoint", upstream.url, "--model", "toy"]

        def refusal(*arguments):
            error = run(*served, *arguments).exception
            assert isinstance(error, ConfigError | InputError)
            return str(error)

        out = ["--out", tmp_path / "out"]
        assert refusal(problems, *judge).startswith("--ojbench-judge: needs --out DIR")
        assert refusal(problems, *out, *judge[:2]).startswith("--ojbench-judge: needs --ojbench-data DIR")
        assert refusal(problems, *out, *judge[2:]).startswith("--ojbench-data: needs --ojbench-judge PYTHON")
        assert refusal(sums, *out, *judge) == "--ojbench-judge: sums has no problems of OJBench"
        assert "with the folders NOI and ICPC" in refusal(problems, *out, *judge[:3], tmp_path)
        shutil.rmtree(tmp_path / "packages" / "dmoj")
        assert refusal(problems, *out, *judge).endswith("(ModuleNotFoundError: No module named 'dmoj')")
        assert "expected a Python interpreter" in refusal(problems, *out, "--ojbench-judge", tmp_path, *judge[2:])
        assert not upstream.requests
