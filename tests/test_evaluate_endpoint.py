"""`etalon eval --endpoint`: problems from a file, answers from a server, no model in this process."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clr_model import clr_reply
from etalon import cli
from etalon.cli import app
from upstream import Asked, Reply, Upstream


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(1, 5)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answer(asked: Asked) -> Reply:
    """Right on even seeds; cut off at the third problem; the server fails on the fourth."""
    number = int(asked.text.split("What is ")[1].split(" ")[0])
    if number == 4:
        return Reply(status=400, body=b'{"error": {"message": "no"}}')
    right = 2 * number + asked.body["seed"] % 2
    return Reply(content=f"\\boxed{{{right}}}", finish="length" if number == 3 else "stop")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["eval", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_endpoint_is_scored_and_an_interrupted_run_asks_only_for_the_rest(problems: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Upstream(answer) as upstream:
        command = [str(problems), "--endpoint", upstream.url, "--model", "toy", "-n", "8", "--out", str(out)]
        shown = run(*command)
        asked = len(upstream.requests)
        assert asked == 32
        (score,) = json.loads((out / "scores.json").read_text())
        assert (score["problems"], score["undecided"]) == (3, 8)  # nothing is decided about the failed one
        assert 0.0 < score["pass1"] < 1.0
        assert score["truncated"] == pytest.approx(1 / 3)
        assert "sums.jsonl" in shown
        said = " ".join(shown.split())
        assert f"warning: sums.jsonl: 8 of 32 responses failed; first error: {upstream.url} HTTP 400: no" in said
        assert "warning: sums.jsonl: 1 of 4 problems undecided, left out of the score" in said
        line = next(line for line in shown.splitlines() if "done in" in line)
        row = next(line for line in shown.splitlines() if "math" in line)
        assert (
            f"pass@1 {score['pass1']:.3g}, tokens {score['mean_tokens']:.3g}, truncated 0.333, undecided 8, no answer 0"
            in line
        )
        assert f"{score['pass1']:.3f}" in row
        assert "33.3%" in row
        rollouts = next(out.glob("00-*.jsonl"))
        assert f"; remove {rollouts} to ask for them again" in said
        whole = rollouts.read_text()
        rollouts.unlink()
        run(*command)
        assert rollouts.read_text() == whole
        assert len(upstream.requests) == asked + 8  # the failed ones are tried again


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
        output, errors = capsys.readouterr()
        last = errors.splitlines()[-1]
        assert last.startswith("etalon: nothing was scored: sums.jsonl: 8 of 8 responses failed; first error: ")
        assert "HTTP 400: context too small" in last
        assert last.endswith("; sums.jsonl: 4 of 4 problems undecided, left out of the score")
        assert "pass@1" not in errors
        row = next(line for line in output.splitlines() if "sums.jsonl" in line)
        assert [cell.strip() for cell in row.split("│")[3:9]] == ["0", "-", "-", "- (K=2)", "-", "-"]
        if not further:
            replies[0] = Reply(content="\\boxed{2}")
            assert cli.main() == 0  # the same command asks again
            assert "warning" not in capsys.readouterr().err


def test_what_cannot_be_evaluated_is_refused_before_any_work(problems: Path, tmp_path: Path) -> None:
    def refusal(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["eval", str(problems), "--model", "toy", *arguments])
        assert result.output == ""
        return str(result.exception)

    with Upstream(answer) as upstream:
        served = ("--endpoint", upstream.url)
        assert refusal(str(problems), *served).endswith("sums.jsonl: is named twice; name every file once")
        assert "greedy sampling repeats one" in refusal("--clr", "--temperature", "0", *served)
        assert refusal("-k", "4", "-m", "2", *served) == "-k, -m: needs --clr"
        assert not upstream.requests


def test_clr_is_scored_like_any_other_sampler(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"question": "What is 6 * 7?", "answer": "42"}\n')
    with Upstream(clr_reply) as upstream:
        run(
            str(path), "--endpoint", upstream.url, "--model", "toy", "-n", "2", "--clr", "-k", "8",
            "--out", str(tmp_path / "out"),
        )  # fmt: skip
        (score,) = json.loads((tmp_path / "out" / "scores.json").read_text())
        assert score["pass1"] == 1.0
        assert 16 < len(upstream.requests) <= 32


def test_responses_are_read_by_the_convention_that_is_named_and_another_is_told(
    problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Upstream(lambda asked: Reply(content="So\n#### 4")) as upstream, pytest.MonkeyPatch.context() as patch:
        out = tmp_path / "out"
        command = ["eval", problems, "--endpoint", upstream.url, "--model", "toy", "-n", "2", "--out", out]

        def main(*further: object) -> str:
            patch.setattr(sys, "argv", ["etalon", *map(str, [*command, *further])])
            cli.main()
            return capsys.readouterr().err

        told = "warning: sums.jsonl: 8 rows without an answer: 8 would have one with --answers hash"
        assert told in " ".join(main().split())
        assert "holds another evaluation" in main("--answers", "hash")
        assert "without an answer" not in main("--answers", "hash", "--out", tmp_path / "hash")
        (score,) = json.loads((tmp_path / "hash" / "scores.json").read_text())
        assert score["pass1"] == 0.25
        assert "--answers hash: CLR asks for boxed answers" in main("--answers", "hash", "--clr")


def test_a_model_that_is_not_there_is_one_line(problems: Path) -> None:
    with Upstream(answer, models=("other",)) as upstream:
        result = CliRunner().invoke(app, ["eval", str(problems), "--endpoint", upstream.url, "--model", "toy"])
    assert "it lists other" in str(result.exception)
    result = CliRunner().invoke(app, ["eval", str(problems), "--model", "nowhere"])
    assert "--endpoint" in str(result.exception)
