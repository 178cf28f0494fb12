"""The page of another trainer's rollouts, from rows as verl's `_write_generations` (0.9.1) writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from etalon.cli import app
from etalon.errors import InputError
from etalon.report.elsewhere import write_rollouts
from etalon.report.elsewhere.reading import files_at
from etalon.report.elsewhere.rollouts import Log, measure_of, periods, read_log
from evaluations import HOSTILE


def dumped(folder: Path, step: int, scores: Sequence[float], *, size: int = 4, **extra: Sequence[Any]) -> Path:
    """DIR/STEP.jsonl of prompts with `size` rollouts each; extra: what the reward function returned beside scores."""
    folder.mkdir(exist_ok=True)
    columns: Mapping[str, Sequence[Any]] = {
        "input": [f"user\nprompt {at // size}" for at in range(len(scores))],
        "output": [f"<think>{'hm ' * (at + 1)}</think> 4" for at in range(len(scores))],
        "gts": ["4"] * len(scores),
        "score": scores,
        "step": [step] * len(scores),
        **extra,
    }
    path = folder / f"{step}.jsonl"
    with path.open("w") as stream:
        for at in range(len(scores)):
            entry = {name: values[at] for name, values in columns.items()}
            stream.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")
    return path


def log_at(folder: Path) -> Log:
    return read_log(files_at(folder))


def test_a_dump_of_verl_is_read_as_its_steps_and_groups(tmp_path: Path) -> None:
    dumped(tmp_path, 2, [-1, 1, 1, 1, -1, -1, -1, -1])
    dumped(tmp_path, 10, [1, 1, 1, 1, 1, -1, 1, -1])
    log = log_at(tmp_path)
    assert [path.name for path in log.files] == ["2.jsonl", "10.jsonl"]  # by number, not by letter
    assert (log.kind, log.columns, log.notes) == ("verl", ("score",), ())
    first, last = periods(log, measure_of(log))
    assert (first.first, first.accuracies, first.accuracy) == (2, (0.75, 0.0), 0.375)
    assert (first.reward, first.all_wrong, first.all_right, first.alike) == (-0.25, 0.5, 0.0, 0.5)
    assert (last.first, last.accuracies, last.all_right, last.alike) == (10, (1.0, 0.5), 0.5, 0.5)
    assert first.length == sum(len(f"<think>{'hm ' * n}</think> 4") for n in range(1, 9)) / 8
    assert first.cut is None
    [whole] = periods(log, measure_of(log), num=1)
    assert (whole.first, whole.last, whole.rollouts, whole.accuracy) == (2, 10, 16, (3 + 6) / 16)


def test_a_group_of_right_answers_with_different_scores_still_teaches(tmp_path: Path) -> None:
    """A penalty for length lowers the score of what acc calls right, and the advantages follow the score."""
    dumped(tmp_path, 1, [1, 0.5, 1, 1, 1, 1, 1, 1], acc=[True] * 8)
    log = log_at(tmp_path)
    [step] = periods(log, measure_of(log))
    assert (step.all_right, step.alike) == (1.0, 0.5)


def test_what_the_reward_function_calls_right_is_right_whatever_its_score(tmp_path: Path) -> None:
    acc, pred = [True, False, True, False], ["4", None, "4", "5"]
    dumped(
        tmp_path,
        1,
        [0.5, -1, 0.25, -1],
        acc=acc,
        pred=pred,
        response_length=[7, 9, 11, 13],
        truncated=[False, True, False, True],
    )
    log = log_at(tmp_path)
    measure = measure_of(log)
    assert log.columns == ("score", "acc")  # pred has words, the others are no rewards
    assert (measure.columns, measure.top, log.unit) == (("acc",), 1.0, "tokens")
    [step] = periods(log, measure)
    assert (step.accuracy, step.length, step.cut, step.rewards["score"]) == (0.5, 10.0, 0.5, -0.3125)
    assert step.reward == -0.3125  # the mean of what verl learns from
    other = measure_of(log, "score")
    assert (other.top, other.values) == (0.5, 3)
    with pytest.raises(InputError, match=r"--reward pred: no column of numbers has that name; there are score, acc"):
        measure_of(log, "pred")


def test_prompts_of_one_text_are_apart_where_the_file_tells_them_apart(tmp_path: Path) -> None:
    uid = [f"q{at // 2}_{at % 2}_0" for at in range(4)]
    dumped(tmp_path, 1, [1, 1, 0, 0], uid=uid)
    [step] = periods(log := log_at(tmp_path), measure_of(log))
    assert step.accuracies == (1.0, 0.0)


@pytest.mark.parametrize(("scores", "accuracy"), [([0, 0, 0, 0], 0.0), ([1, 1, 1, 1], 1.0), ([-1, -1, -1, -1], 0.0)])
def test_rewards_that_are_all_the_same_are_right_only_above_zero(
    tmp_path: Path, scores: list[float], accuracy: float
) -> None:
    dumped(tmp_path, 1, scores)
    [step] = periods(log := log_at(tmp_path), measure_of(log))
    assert (step.accuracy, step.alike) == (accuracy, 1.0)


def test_what_cannot_be_read_is_counted_and_said(tmp_path: Path) -> None:
    path = dumped(tmp_path / "run", 1, [1, 0, 1, 0])
    path.write_text(path.read_text() + '{"input": "half')  # the trainer was killed while it wrote
    (tmp_path / "run" / "2.jsonl").write_text('{"loss": 1}\n')
    html = write_rollouts(tmp_path / "run", tmp_path / "page.html").read_text()
    assert "Left out: 2 rows that cannot be read" in html
    assert "1.jsonl: line 5" in html
    assert "4 rollouts" in html


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("1.jsonl", "nonsense\n", r"1\.jsonl: line 1: not JSON"),
        ("1.jsonl", '{"loss": 1}\n', r"has loss; expected the columns of TRL's .* or verl's"),
        ("1.jsonl", "", r"1\.jsonl: is empty"),
        ("1.jsonl", '{"input": "a", "output": "b"}\n', r"no row has a reward"),
        ("x.jsonl", '{"input": "a", "output": "b", "score": 1}\n', r"has no step, and the name of its file has none"),
        ("1.parquet", "PAR1 and no more", r"1\.parquet"),
    ],
)
def test_files_without_rollouts_are_an_error_of_one_line(tmp_path: Path, name: str, content: str, why: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=why) as told:
        write_rollouts(path, tmp_path / "page.html")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "page.html").exists()


def test_texts_of_a_model_stay_texts_and_the_command_names_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "rollouts"
    path = dumped(folder, 1, [1, 0])
    rows = [json.loads(line) | {"input": HOSTILE, "output": HOSTILE} for line in path.read_text().splitlines()]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report", str(folder)], catch_exceptions=False)
    assert result.stdout == "report-rollouts.html\n"
    html = (tmp_path / "report-rollouts.html").read_text()
    assert "<img" not in html
    assert "2 rollouts of 1 problems are in this page" in html
    failed = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert "nor has it rollouts of TRL (completions/completions_STEP.parquet) or verl (STEP.jsonl)" in str(
        failed.exception
    )
