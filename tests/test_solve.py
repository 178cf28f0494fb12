"""`etalon solve` and `etalon explain` against a real server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from etalon import cli
from etalon.clr.knobs import ClrSettings
from etalon.clr.live.result import ClrResult
from etalon.clr.live.run import clr_answer
from etalon.clr.live.watch import ClrEvent, ClrProgress, Rank
from etalon.commands.live_view import LineView, drawing
from etalon.commands.solving import read_price
from etalon.errors import ConfigError
from etalon.report import write_answers
from etalon.report.terminal import plain, print_trial
from etalon.report.trials import read_trials
from etalon.sampling.endpoint import EndpointSampler, EndpointSettings
from test_cli import MAIN, etalon
from upstream import Asked, Reply, Upstream, serving

pytestmark = pytest.mark.live

ANSWERS = ("42", "42", "41", "42", "40", "42", "42", "41")


def thinks(answers: tuple[str, ...] = ANSWERS, **changes: object) -> Callable[[Asked], Reply]:
    """Generations answer in turn; claims of any answer but 42 are refuted."""
    numbers: list[int] = []

    def script(asked: Asked) -> Reply:
        if "claims that were made on the way" in asked.text:
            verdict = "refuted: no" if "not forty-two" in asked.text else "valid"
            lines = "\n".join(f"{n}. {verdict}" for n in range(1, 6))
            return Reply(reasoning="let me see", content=f"<verdicts>\n{lines}\n</verdicts>")
        numbers.append(asked.number)
        answer = answers[(len(numbers) - 1) % len(answers)]
        about = "forty-two" if answer == "42" else "not forty-two"
        claims = "\n".join(f"claim {n} of {about}" for n in range(1, 6))
        content = f"Hence \\boxed{{{answer}}}.\n<claims>\n{claims}\n</claims>"
        return Reply(reasoning="SECRET thoughts", content=content, **changes)  # type: ignore[arg-type]

    return script


def complaint(*arguments: object, cwd: Path | None = None) -> str:
    """The one line on standard error of a command that fails; in this process, which is quicker."""
    output, errors = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        patch.setattr(sys, "argv", ["etalon", *map(str, arguments)])
        assert cli.main() == 2, errors.getvalue()
    assert output.getvalue() == ""
    assert errors.getvalue().startswith("etalon: ")
    assert errors.getvalue().count("\n") == 1
    return errors.getvalue().removeprefix("etalon: ").rstrip("\n")


def test_solve_asks_once_and_prints_the_final_part() -> None:
    with Upstream(lambda asked: Reply(reasoning="SECRET", content="It is 4.")) as upstream:
        code, output, errors = etalon("solve", "What is 2+2?", "--endpoint", upstream.url, "--model", "toy")
        assert (code, output) == (0, "It is 4.\n")
        assert re.fullmatch(r"\d+ tokens, [\d.]+ s\n", errors)
        [asked] = upstream.requests
        assert asked.text == "What is 2+2?"
        assert (asked.body["temperature"], asked.body["top_p"], asked.body["n"]) == (1.0, 0.95, 1)
        assert "max_tokens" not in asked.body


def test_clr_answers_keeps_a_record_and_explains_it(tmp_path: Path) -> None:
    with Upstream(thinks()) as upstream:
        code, output, errors = etalon(
            "solve", "Life?", "--upstream", upstream.url, "--clr", "-k", "16", "--out", tmp_path / "life.json",
            "--reference", "84/2",
        )  # fmt: skip
        assert (code, output) == (0, "Hence \\boxed{42}.\n"), errors
        num_requests = len(upstream.requests)
    assert "16/16 trajectories" in errors
    assert "record: " in errors
    record = json.loads((tmp_path / "life.json").read_text())
    assert (record["answer"], record["finish_reason"], record["model"]) == ("42", "stop", "toy")
    assert record["usage"]["calls"] == num_requests <= 0.7 * record["calls_full"]
    assert record["usage"]["prompt_tokens"] > 0
    assert "SECRET" not in json.dumps(record)
    assert (record["correct"], record["cons_k"], record["reference"]) == (True, True, "84/2")
    assert 0.5 <= record["pass1"] < 1
    assert "against 84/2: CLR right, majority (Cons@K) right, Pass@1 0." in errors
    code, output, errors = etalon("explain", tmp_path / "life.json")
    assert (code, errors) == (0, "")
    assert "Answer: 42" in output
    assert "no rival can have more than" in output
    assert "claim 5 of forty-two" in output
    assert f"calls: {num_requests} of 32" in output
    assert "SECRET" not in output
    code, output, errors = etalon("explain", tmp_path / "life.json", "--html", tmp_path / "life.html")
    assert code == 0
    page = (tmp_path / "life.html").read_text()
    assert "claim 1 of forty-two" in page
    assert "<script" not in page


def test_early_decision_off_verifies_everything_and_agrees(tmp_path: Path) -> None:
    records = {}
    for early in ("exact", "off"):
        with Upstream(thinks()) as upstream:
            path = tmp_path / f"{early}.json"
            code, _, errors = etalon(
                "solve", "Life?", "--endpoint", upstream.url, "--clr", "-k", "8", "--early", early, "--out", path
            )
            assert code == 0, errors
            records[early] = json.loads(path.read_text())
            assert len(upstream.requests) == records[early]["usage"]["calls"]
    assert records["exact"]["answer"] == records["off"]["answer"] == "42"
    assert records["off"]["usage"]["calls"] == 16
    assert records["exact"]["usage"]["calls"] < 16


def test_a_budget_of_calls_is_kept_on_the_wire(tmp_path: Path) -> None:
    with Upstream(thinks(("41", "42"))) as upstream:
        code, output, errors = etalon(
            "solve", "Life?", "--endpoint", upstream.url, "--clr", "-k", "8", "--max-calls", "9",
            "--out", tmp_path / "r.json",
        )  # fmt: skip
        assert code == 0
        assert len(upstream.requests) <= 9
    assert "boxed" in output
    assert "budget used up: 9 calls" in errors
    assert json.loads((tmp_path / "r.json").read_text())["finish_reason"] == "budget"


def test_ctrl_c_prints_the_best_so_far_and_cancels_the_rest(tmp_path: Path) -> None:
    script = thinks(("42",))

    def stalls(asked: Asked) -> Reply:
        return script(asked) if asked.number < 3 else Reply(content="a b c", between=60.0)

    with Upstream(stalls) as upstream:
        command = [
            *MAIN,
            "solve",
            "Life?",
            "--endpoint",
            upstream.url,
            "--clr",
            "-k",
            "8",
            "--out",
            tmp_path / "r.json",
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while upstream.active < 5 or len(upstream.requests) < 8:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert output == "Hence \\boxed{42}.\n"
        *_, best, where = errors.splitlines()
        assert best == "interrupted: the best so far, from 3 of 8 trajectories"
        assert where == f"record: {tmp_path / 'r.json'} (etalon explain shows it)"
        assert "decided" not in errors
        while upstream.active:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert len(upstream.disconnects) == 5
    record = json.loads((tmp_path / "r.json").read_text())
    assert (record["finish_reason"], record["answer"], record["calls"]["cancelled"]) == ("interrupted", "42", 5)


def test_ctrl_c_before_the_first_answer_says_so(tmp_path: Path) -> None:
    with Upstream(lambda asked: Reply(content="a b c", between=60.0)) as upstream:
        out = tmp_path / "r.json"
        command = [*MAIN, "solve", "Life?", "--endpoint", upstream.url, "--clr", "-k", "3", "--out", out]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while len(upstream.requests) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors == (f"interrupted: nothing yet, no trajectory had ended\nrecord: {out} (etalon explain shows it)\n")
    assert json.loads(out.read_text())["error"] == "interrupted: no trajectory had ended"


def test_an_empty_reply_is_said(tmp_path: Path) -> None:
    replies = [Reply(content="", has_usage=False), Reply(content=" \n", has_usage=False)]
    replies.append(Reply(reasoning="well well", content="", has_usage=False))
    said = ["nothing (", "nothing (", "nothing after its reasoning ("]
    for reply, words in zip(replies, said, strict=True):
        with Upstream(lambda asked, reply=reply: reply) as upstream:  # type: ignore[misc]
            line = complaint("solve", "q", "--endpoint", upstream.url)
            assert line.startswith(f"toy: the model answered {words}"), line


def test_a_missing_key_names_the_variable_it_is_read_from() -> None:
    async def locked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b'{"error": {"message": "no key"}}'})

    with serving(locked) as url:
        for further in ((), ("--model", "toy")):
            line = complaint("solve", "q", "--endpoint", url, *further)
            assert line.endswith("HTTP 401: no key; the key is read from ETALON_API_KEY")
    with Upstream(lambda asked: Reply(status=401)) as upstream:  # the list is open, the answers are not
        line = complaint("solve", "q", "--endpoint", upstream.url)
        assert line.endswith("HTTP 401: scripted; the key is read from ETALON_API_KEY")


def test_files_are_not_put_into_directories_that_are_not_there(tmp_path: Path) -> None:
    with Upstream(thinks()) as upstream:
        gone = tmp_path / "nodir"
        line = complaint("solve", "q", "--endpoint", upstream.url, "--clr", "--out", gone / "r.json")
        assert line == f"--out {gone / 'r.json'}: no such directory {gone}"
        assert not upstream.requests
    assert complaint("explain", "r.json", "--html", gone / "x.html").endswith(f"no such directory {gone}")
    assert complaint("explain", "r.json", "--html", tmp_path).endswith("is a directory; name a file")
    assert not gone.exists()


def test_what_the_user_can_fix_is_one_line(tmp_path: Path) -> None:
    assert complaint("solve", "q") == "name a server with --endpoint URL, or a local model with --model DIR"
    assert complaint("solve", "q", "--model", "gone").startswith("gone: no such directory; a model of a server needs")
    assert complaint("solve", " ", "--model", "gone") == "the question is empty"
    assert "greedy sampling repeats one" in complaint("solve", "q", "--model", "m", "--clr", "--temperature", "0")
    assert complaint("solve", "q", "--model", "m", "--max-seconds", "3") == "--max-seconds: needs --clr"
    assert complaint("solve", "q", "-k", "4", "--no-repair", "--out", "x/y") == "-k, --repair, --out: needs --clr"
    assert complaint("solve", "q", "--early", "off", "--reference", "4") == "--early, --reference: needs --clr"
    assert complaint("solve", "q", "--model", "m", "--clr", "--max-money", "3").startswith("--max-money: needs --price")
    line = complaint("solve", "q", "--model", "m", "--clr", "--json-schema")
    assert line == "--json-schema: it takes a server to enforce the form; name one with --endpoint URL"
    assert complaint("explain", "gone", cwd=tmp_path).startswith("gone: no such file; name a record")
    (tmp_path / "x.json").write_text('{"answer": 1}')
    assert complaint("explain", "x.json", cwd=tmp_path).startswith("x.json: holds no record of CLR")
    assert "has no stages/STAGE/clr.jsonl" in complaint("explain", ".", cwd=tmp_path)


def test_a_server_that_fails_is_one_line_with_its_words(tmp_path: Path) -> None:
    with Upstream(lambda asked: Reply(status=400, body=b'{"error": {"message": "context too small"}}')) as upstream:
        arguments = ("solve", "q", "--endpoint", upstream.url, "--model", "toy")
        assert complaint(*arguments) == f"toy: {upstream.url} HTTP 400: context too small"
        code, output, errors = etalon(*arguments, "--clr", "-k", "3", "--out", tmp_path / "r.json")
        assert (code, output) == (2, "")
        assert re.search(r"none of [23] trajectories is usable \(at least 2 are needed\): [23] failed", errors)
        assert f"first error: {upstream.url} HTTP 400: context too small" in errors
        assert json.loads((tmp_path / "r.json").read_text())["counts"]["failed"] >= 2
    with Upstream(lambda asked: Reply(content="x"), models=("a", "b")) as upstream:
        line = complaint("solve", "q", "--endpoint", upstream.url)
        assert line.endswith("name a model with --model; it lists a, b")
        assert "serves no model 'c'" in complaint("solve", "q", "--endpoint", upstream.url, "--model", "c")


def test_solving_over_an_endpoint_loads_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from etalon.cli import main; main(); "
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    with Upstream(thinks()) as upstream:
        command = [sys.executable, "-c", program, "solve", "Life?", "--endpoint", upstream.url, "--clr", "-k", "4"]
        finished = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert not {"torch", "transformers", "numpy"} & set(finished.stderr.splitlines()[-1].split())
    [record] = (tmp_path / "runs" / "solve").iterdir()
    assert json.loads(record.read_text())["answer"] == "42"


def test_a_server_that_fails_now_and_then_costs_trajectories_not_the_answer() -> None:
    good = thinks(("42", "42", "41"))
    bad = [
        Reply(status=500), Reply(content="Hence \\boxed{41} or so", cut_after=2), Reply(raw=(b"data: {half\n\n",)),
        Reply(raw=(b"\x00garbage",)), Reply(content="So it goes on and", finish="length"), Reply(content=""),
    ]  # fmt: skip

    def script(asked: Asked) -> Reply:
        return bad[asked.number // 2] if asked.number % 2 == 0 and asked.number < 12 else good(asked)

    async def ask_it(url: str) -> ClrResult:
        sampler = EndpointSampler(EndpointSettings(urls=(url,), model="toy", retries=0))
        try:
            return await clr_answer("Life?", sampler, ClrSettings(k=16, early="off"))
        finally:
            await sampler.aclose()

    with Upstream(script) as upstream:
        result = asyncio.run(ask_it(upstream.url))
        assert upstream.active == 0
    counts = result.record["counts"]
    assert result.answer == "42"
    assert counts["usable"] == 10
    assert counts["failed"] + counts["truncated"] + counts["unparsed"] == 6
    assert counts["failed"] >= 4
    assert counts["verified"] == 10
    assert all(t["error"] for t in result.record["trajectories"] if t["dropped"] == "failed")


def progress(**changes: object) -> ClrProgress:
    known = {
        "k": 32, "ended": 17, "dropped": 2, "verified": 11, "calls_open": 4, "calls": 30, "tokens": 214_000,
        "seconds": 61.0, "eta_seconds": 75.0,
        "leader": Rank(answer="42", votes=12, score=9.8, score_max=11.8),
        "rival": Rank(answer="\x1b[31m41\x9b2J", votes=3, score=1.2, score_max=1.2),
    }  # fmt: skip
    return ClrProgress(**(known | changes))  # type: ignore[arg-type]


def test_the_live_view_shows_how_far_it_is_and_obeys_no_answer() -> None:
    stream = io.StringIO()
    Console(file=stream, width=100).print(drawing(progress()))
    shown = stream.getvalue()
    for words in ("17/32 trajectories (2 dropped)", "about 1m15s left", "12 votes", "score 9.80 to 11.80"):
        assert words in shown
    assert "11 verified, 4 of 30 calls open, 214k tokens" in shown
    assert not {"\x1b", "\x9b"} & set(shown)
    Console(file=stream).print(drawing(progress(leader=None, rival=None, eta_seconds=None)))


def test_a_log_gets_a_line_per_quarter() -> None:
    stream = io.StringIO()
    view = LineView(Console(file=stream, width=40))
    for ended in range(33):
        view.show(ClrEvent(kind="trajectory", index=ended, progress=progress(ended=ended, verified=0)))
    view.show(ClrEvent(kind="finish", index=None, progress=progress(ended=32, verified=3)))
    lines = stream.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["8/32", "16/32", "24/32", "32/32", "32/32"]


def test_a_live_terminal_is_left_clean(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    with Upstream(thinks(between=0.02)) as upstream:
        command = [
            *MAIN,
            "solve",
            "Life?",
            "--endpoint",
            upstream.url,
            "--clr",
            "-k",
            "8",
            "--out",
            tmp_path / "r.json",
        ]
        leader, follower = pty.openpty()
        process = subprocess.Popen(command, stdout=follower, stderr=follower, env=os.environ | {"TERM": "xterm"})
        os.close(follower)
        seen = b""
        while True:
            try:
                block = os.read(leader, 4096)
            except OSError:
                break
            if not block:
                break
            seen += block
        assert process.wait(timeout=60) == 0
        os.close(leader)
    shown = seen.decode()
    assert "trajectories" in shown
    assert "leader" in shown
    assert "Hence \\boxed{42}." in shown
    assert shown.rindex("Hence") > shown.rindex("leader")


def test_what_clr_cannot_judge_is_answered_flagged_and_explained(tmp_path: Path) -> None:
    said = f"Let us see. {'well ' * 400}So it is forty-two."
    with Upstream(lambda asked: Reply(reasoning="SECRET", content=said)) as upstream:
        out = tmp_path / "r.json"
        code, output, errors = etalon("solve", "Life?", "--endpoint", upstream.url, "--clr", "-k", "3", "--out", out)
    assert (code, output) == (0, f"{said}\n")
    assert "fallback to a plain answer, the first whole response, not CLR: none of 3 trajectories is usable" in errors
    assert json.loads(out.read_text())["fallback"] == "plain"
    code, output, _ = etalon("explain", out)
    assert "Plain answer: Let us see." in output
    shown = output.partition("dropped: unparsed")[2]
    assert "Let us see. well" in shown
    assert "So it is forty-two." in shown
    assert len(shown) < 3 * 1000
    assert "SECRET" not in output
    etalon("explain", out, "--html", tmp_path / "r.html")
    assert "So it is forty-two." in (tmp_path / "r.html").read_text()


def test_explain_reads_runs_rows_and_rollouts(tmp_path: Path) -> None:
    trajectory = {"index": 0, "answer": "4", "claims": [{"text": "2+2=4", "valid": True}], "verified": True}
    detail = {
        "answer": "4", "majority": "5", "clusters": [{"answer": "4", "votes": 1, "score": 1.0, "score_max": 1.0},
        {"answer": "5", "votes": 2, "score": 0.4, "score_max": 0.4}],
        "trajectories": [trajectory | {"reliability": 1.0}],
        "calls": {"generate": 3, "verify": 3}, "tokens": {"generate": 9, "verify": 9}, "calls_full": 6, "k": 3, "m": 1,
    }  # fmt: skip
    row = detail | {"problem_id": "p1", "question": "2+2?", "answer": "4", "chosen": "4", "calls": 6}
    (tmp_path / "stages" / "09-clr").mkdir(parents=True)
    (tmp_path / "stages" / "09-clr" / "clr.jsonl").write_text(
        f"{json.dumps(row)}\n{json.dumps(row | {'problem_id': 'p2'})}\n"
    )
    (tmp_path / "rollouts.jsonl").write_text(json.dumps({"problem_id": "p1", "rollouts": [{"detail": detail}]}) + "\n")
    code, output, _ = etalon("explain", tmp_path)
    assert code == 0
    assert "2 answers, 2 against the majority" in output
    code, output, _ = etalon("explain", tmp_path, "--problem", "p2")
    assert "Answer: 4" in output
    assert "reference answer: 4" in output
    assert "has no such problem; it has p1, p2" in complaint("explain", tmp_path, "--problem", "p3")
    [trial] = read_trials(tmp_path / "rollouts.jsonl")
    assert (trial.calls, trial.calls_by["verify"], trial.disagrees) == (6, 3, True)


def test_explain_obeys_no_answer_and_survives_any_value(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\u202e<script>alert(1)</script>"
    record = {
        "kind": "clr", "question": evil, "answer": evil, "clusters": [{"answer": evil, "votes": "many", "score": None}],
        "trajectories": [{"index": 0, "answer": evil, "claims": [{"text": evil}], "dropped": 7}, 3, None],
        "usage": 4, "calls": {"generate": None}, "tokens": [], "counts": {"failed": evil}, "seconds": "x",
    }  # fmt: skip
    path = tmp_path / "r.json"
    path.write_text(json.dumps(record))
    stream = io.StringIO()
    [trial] = read_trials(path)
    print_trial(trial, Console(file=stream, width=80))
    assert not {"\x1b", "\x07", "\u202e"} & set(stream.getvalue())
    assert "<script" not in write_answers([trial], tmp_path / "r.html").read_text()
    assert plain("a\x9b2Jb\r\nc") == "a\ufffd2Jb\nc"


def test_a_price_is_two_numbers() -> None:
    assert (read_price("0.1,0.4").prompt, read_price("0.1,0.4").completion) == (0.1, 0.4)
    for text in ("1", "1,2,3", "a,b", "-1,2", "nan,1", "inf,1"):
        with pytest.raises(ConfigError, match="--price"):
            read_price(text)
