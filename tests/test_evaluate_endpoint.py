"""`etalon eval --endpoint`: problems from a file, answers from a server, no model in this process."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import shrunk
from clr_model import clr_reply
from etalon import cli
from etalon.cli import app
from upstream import Asked, Reply, Upstream

pytestmark = pytest.mark.live


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    return sums(tmp_path / "sums.jsonl", 4)


def sums(path: Path, count: int) -> Path:
    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(1, count + 1)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def number_in(asked: Asked) -> int:
    return int(asked.text.split("What is ")[1].split(" ")[0])


def answer(asked: Asked) -> Reply:
    """Right on even seeds; cut off at the third problem; the server fails on the fourth."""
    number = number_in(asked)
    if number == 4:
        return Reply(status=400, body=b'{"error": {"message": "no"}}')
    right = 2 * number + asked.body["seed"] % 2
    return Reply(content=f"\\boxed{{{right}}}", finish="length" if number == 3 else "stop")


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["eval", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def results(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "results.json").read_text())["benchmarks"]
    return found


def line_of(*arguments: object) -> str:
    """The one line that a command ends with, by exit code 2."""
    done = shrunk.etalon(*arguments)
    assert done.returncode == 2, done.stderr
    return done.stderr.splitlines()[-1]


def refusal(*arguments: object) -> str:
    """What a command is refused with, before it prints anything."""
    result = CliRunner().invoke(app, ["eval", *map(str, arguments)])
    assert result.output == ""
    return str(result.exception)


def test_an_endpoint_is_scored_and_the_same_command_asks_for_what_failed(problems: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Upstream(answer) as upstream:
        command = [problems, "--endpoint", upstream.url, "--model", "toy", "-n", "8", "--out", out]
        said = " ".join(run(*command).split())
        asked = len(upstream.requests)
        assert asked == 32
        [row] = results(out)
        counts = [row[key] for key in ("problems", "samples", "failed", "undecided", "undecided_problems")]
        assert counts == [4, 32, 8, 0, 1]
        assert 0.0 < row["low"] < row["avg"] < row["high"] < 1.0
        assert (row["truncated"], row["no_answer"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
        assert f"warning: sums: 8 of 32 responses failed; first error: {upstream.url} HTTP 400: no" in said
        assert "; the same command asks for them again" in said
        assert "warning: sums: 1 of 4 problems undecided, left out of the score" in said
        whole = (out / "samples-sums.jsonl").read_text().splitlines()
        run(*command)
        assert len(upstream.requests) == asked + 8  # the failed ones are tried again
        assert (out / "samples-sums.jsonl").read_text().splitlines()[:32] == whole
        assert results(out)[0]["failed"] == 8
        run(*command[:-3], "12", "--out", out)
        assert len(upstream.requests) == asked + 8 + 12 + 12  # 4 more of three problems, 12 of the one that fails


@pytest.mark.parametrize("way", ["field", "tag", "no tag"])
def test_what_is_cut_in_its_thought_is_wrong_truncated_and_no_answer(tmp_path: Path, way: str) -> None:
    thought = "so \\boxed{4}, or else"
    replies = {
        "field": Reply(reasoning=thought, finish="length"),
        "tag": Reply(content=f"<think>{thought}", finish="length"),
        "no tag": Reply(content=thought, finish="length"),
    }
    with Upstream(lambda asked: replies[way]) as upstream:
        run(
            sums(tmp_path / "s.jsonl", 40),
            "--endpoint",
            upstream.url,
            "--model",
            "toy",
            "-n",
            1,
            "--out",
            tmp_path / "o",
        )
    [row] = results(tmp_path / "o")
    assert [row[key] for key in ("avg", "low", "truncated", "no_answer", "failed")] == [0.0, 0.0, 1.0, 1.0, 0]
    assert 0.05 < row["high"] < 0.1  # 0 of 40


@pytest.mark.parametrize("further", [[], ["--clr", "-k", "2"]])
def test_nothing_scored_is_an_error_with_the_servers_words(
    problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], further: list[str]
) -> None:
    replies = [Reply(status=400, body=b'{"error": {"message": "context too small"}}')]
    out = tmp_path / "out"
    with Upstream(lambda asked: replies[0]) as upstream, pytest.MonkeyPatch.context() as patch:
        command = ["eval", problems, "--endpoint", upstream.url, "--model", "toy", "-n", "2", "--out", out, *further]
        patch.setattr(sys, "argv", ["etalon", *map(str, command)])
        assert cli.main() == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("etalon: nothing was scored: sums: 8 of 8 responses failed; first error: ")
        assert "HTTP 400: context too small" in last
        assert last.endswith("; sums: 4 of 4 problems undecided, left out of the score")
        if not further:
            replies[0] = Reply(content="\\boxed{2}")
            assert cli.main() == 0  # the same command asks again
            assert "warning" not in capsys.readouterr().err


@pytest.mark.slow
def test_a_server_that_dies_leaves_what_it_gave_and_the_command_that_goes_on(tmp_path: Path) -> None:
    file, out = sums(tmp_path / "s.jsonl", 30), tmp_path / "out"
    command = ["eval", file, "--model", "toy", "-n", 2, "--out", out, "--concurrency", 4]
    with Upstream(lambda asked: Reply(content="\\boxed{2}", before=0.02)) as upstream:
        started = subprocess.Popen(
            [sys.executable, "-c", "from etalon.cli import main; raise SystemExit(main())",
             *map(str, [*command, "--endpoint", upstream.url])],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while len(upstream.requests) < 20:
            time.sleep(0.01)
    last = started.communicate()[1].splitlines()[-1]
    assert started.returncode == 2
    assert "etalon: the server is gone: " in last
    assert last.endswith(f"samples of s are kept in {out}, and the same command goes on")
    kept = int(last.split(" of 60 samples")[0].rpartition(" ")[2])
    assert 10 <= kept < 60
    with Upstream(lambda asked: Reply(content="\\boxed{2}")) as upstream:
        run(*command[1:], "--endpoint", upstream.url)
        assert len(upstream.requests) == 60 - kept
    assert (results(out)[0]["samples"], results(out)[0]["failed"]) == (60, 0)


def test_a_run_that_is_killed_anywhere_ends_with_the_same_results(tmp_path: Path) -> None:
    def reply(asked: Asked) -> Reply:
        cut = asked.body["seed"] % 7 == 0
        right = 2 * number_in(asked) + (asked.body["seed"] % 3 == 0)
        return Reply(reasoning="hm", content="" if cut else f"\\boxed{{{right}}}", finish="length" if cut else "stop",
                     before=0.01)  # fmt: skip

    def timeless(out: Path) -> dict[str, Any]:
        found = json.loads((out / "results.json").read_text())
        rows = [{k: v for k, v in row.items() if "second" not in k} for row in found["benchmarks"]]
        return {**found, "started": "", "benchmarks": rows}

    file, rng = sums(tmp_path / "s.jsonl", 20), random.Random(5)
    with Upstream(reply) as upstream:
        command = ["eval", file, "--endpoint", upstream.url, "--model", "toy", "-n", 4, "--concurrency", 4, "--out"]
        run(*command[1:], tmp_path / "whole")
        killed = [sys.executable, "-c", "from etalon.cli import main; raise SystemExit(main())",
                  *map(str, [*command, tmp_path / "killed"])]  # fmt: skip
        for _ in range(3):
            asked = len(upstream.requests)
            process = subprocess.Popen(killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and len(upstream.requests) - asked < rng.randint(5, 25):
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert not (tmp_path / "killed" / "results.json").exists()
        run(*command[1:], tmp_path / "killed")
    assert timeless(tmp_path / "killed") == timeless(tmp_path / "whole")


def test_samples_are_scored_again_without_a_model(tmp_path: Path) -> None:
    file, out = sums(tmp_path / "s.jsonl", 4), tmp_path / "out"
    with Upstream(lambda asked: Reply(content=f"So\n#### {2 * number_in(asked)}")) as upstream:
        said = run(file, "--endpoint", upstream.url, "--model", "toy", "-n", 2, "--out", out)
        assert "8 rows without an answer: 8 would have one with --answers hash" in " ".join(said.split())
        asked = len(upstream.requests)
    assert results(out)[0]["no_answer"] == 1.0
    again = CliRunner().invoke(app, ["eval", "--rescore", str(out), "--answers", "hash", "--format", "json"])
    assert json.loads(again.stdout)["benchmarks"] == results(out)
    assert (results(out)[0]["avg"], results(out)[0]["answers"], asked) == (1.0, "hash", 8)
    file.write_text(file.read_text().replace('"answer": "8"', '"answer": "9"'))  # a reference was mended
    run("--rescore", out, "--answers", "hash")
    assert results(out)[0]["avg"] == 0.75
    run("--rescore", out)  # without an option as the directory was made
    assert (results(out)[0]["avg"], results(out)[0]["answers"]) == (0.0, "boxed")
    for further in (("-n", 4), ("--temperature", 0), ("--seed", 5), ("--map", "answer=x"), ("--out", tmp_path / "o")):
        assert f"{further[0]}: --rescore asks no model" in refusal("--rescore", out, *further)
    assert "s: 8 rows of samples would be scored anew" in run("--rescore", out, "--dry-run")
    assert "has no samples of x" in line_of("eval", "x=y", "--rescore", out)
    file.unlink()
    assert f"s: {file}: no such file any more; say where it is: s=FILE" in line_of("eval", "--rescore", out)


def test_what_cannot_be_evaluated_is_refused_before_any_work(problems: Path, tmp_path: Path) -> None:
    with Upstream(answer) as upstream:
        served = (str(problems), "--model", "toy", "--endpoint", upstream.url)
        assert refusal(str(problems), *served).endswith(
            "sums.jsonl: is named twice; name every benchmark and every file once"
        )
        assert "greedy sampling repeats one" in refusal("--clr", "--temperature", "0", *served)
        assert refusal("-k", "4", "-m", "2", *served) == "-k, -m: needs --clr"
        assert "--answers hash: CLR asks for boxed answers" in refusal("--answers", "hash", "--clr", *served)
        assert refusal("--k", "1,64", "-n", "8", *served) == (
            "--k 64: sums has 8 generations per problem; ask for more with -n 64"
        )
        assert "expected FIELD=JSON" in refusal("--extra", "top_k", *served)
        for price in ("cheap", "nan/1", "1/-1"):
            assert "expected money" in refusal("--price", price, *served)
        for field in ("temperature=0", "seed=7", "model=x", "messages=[]", "n=2", "stream=false"):
            assert "results would tell another protocol" in refusal("--extra", field, *served)
        assert "name a file after =" in refusal("aime25=", *served)
        assert not upstream.requests
    with Upstream(answer, models=("other",)) as upstream:
        assert "it lists other" in refusal(str(problems), "--model", "toy", "--endpoint", upstream.url)
    assert "--endpoint" in refusal(str(problems), "--model", "nowhere")
    assert refusal().startswith("name benchmarks or files of problems")
    assert refusal(str(problems)).startswith("--model: name")


def test_fields_of_the_request_the_system_message_and_a_limit_reach_the_server(tmp_path: Path) -> None:
    file, out = sums(tmp_path / "s.jsonl", 9), tmp_path / "out"
    with Upstream(answer) as upstream:
        command = [file, "--endpoint", upstream.url, "--model", "toy", "-n", 1, "--limit", 2, "--system", "Be brief."]
        further = ["--extra", "top_k=20", "--extra", 'chat_template_kwargs={"enable_thinking": false}']
        plan = run(*command, *further, "--out", out, "--dry-run")
        assert "s: 2 problems x 1 = 2 samples; temperature 1, top_p 0.95" in plan
        assert not upstream.requests
        run(*command, *further, "--out", out, "--max-tokens", 50)
        assert len(upstream.requests) == 2
        for asked in upstream.requests:
            assert (asked.body["top_k"], asked.body["chat_template_kwargs"]) == (20, {"enable_thinking": False})
            assert asked.body["messages"][0] == {"role": "system", "content": "Be brief."}
            assert asked.body["max_tokens"] == 50
        other = line_of("eval", *command, "--out", out)
        assert "holds another evaluation" in other
        assert "model.extra.top_k 20 there, none now" in other
    assert (results(out)[0]["problems"], results(out)[0]["of"]) == (2, 9)


def test_clr_is_scored_like_any_other_sampler(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"question": "What is 6 * 7?", "answer": "42"}\n')
    with Upstream(clr_reply) as upstream:
        out = tmp_path / "out"
        run(path, "--endpoint", upstream.url, "--model", "toy", "-n", 2, "--clr", "-k", 8, "--out", out)
        assert results(out)[0]["avg"] == 1.0
        assert json.loads((out / "results.json").read_text())["clr"] == {"k": 8, "m": 5}
        assert 16 < len(upstream.requests) <= 32
        asked = len(upstream.requests)
        run(path, "--endpoint", upstream.url, "--model", "toy", "-n", 2, "--clr", "-k", 8, "--out", out)
        assert len(upstream.requests) == asked


def test_a_judge_stands_beside_the_rules(tmp_path: Path) -> None:
    file, out, pairs = tmp_path / "s.jsonl", tmp_path / "out", tmp_path / "pairs.jsonl"
    rows = [{"question": f"Which number is it? Case {i} of them.", "answer": gold}
            for i, gold in enumerate(["the least prime", "all even numbers", "12"])]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs.write_text('{"gold": "two", "prediction": "2", "expected": true}\n'
                     '{"gold": "two", "prediction": "3", "expected": false}\n')  # fmt: skip
    said = ["Yes", "I would rather not say."]

    def judge(asked: Asked) -> Reply:
        return Reply(content=said[0])

    with Upstream(lambda asked: Reply(content="It is \\boxed{2}")) as upstream, Upstream(judge) as judging:
        command = [file, "--endpoint", upstream.url, "--model", "toy", "-n", 2, "--out", out]
        further = ["--judge", f"toy@{judging.url}", "--judge-pairs", pairs]
        run(*command, *further)
        [row] = results(out)
        found = row["judge"]
        assert (row["avg"], found["avg"]) == (0.0, pytest.approx(2 / 3))  # a number is the rules' alone
        assert (found["open"], found["disagreements"], found["undecided"]) == (4, 4, 0)
        assert {one["reference"] for one in found["listed"]} == {"the least prime", "all even numbers"}
        agreement = found["agreement"]
        assert (agreement["pairs"], agreement["share"], agreement["wrongly_yes"]) == (2, 0.5, 1)
        asked = len(judging.requests)
        assert asked == 2 + 2  # one question for each answer of a problem
        for ending in ("", "/"):
            run("--rescore", out, "--judge", f"toy@{judging.url}{ending}")
        assert len(judging.requests) == asked  # what it said is kept
        said.pop(0)
        (out / "judge-s.jsonl").unlink()
        shown = run("--rescore", out, "--judge", f"toy@{judging.url}")
        assert "got no verdict (judge_unreadable)" in " ".join(shown.split())
        assert results(out)[0]["judge"]["undecided"] == 4
    assert "--judge-pairs: needs --judge" in line_of("eval", *command, "--judge-pairs", pairs)
