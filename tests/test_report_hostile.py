"""Run directories that nobody of ours wrote: an error of one line or a page that says what is missing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from etalon.errors import InputError
from etalon.report import page
from etalon.report.live.server import create_app
from etalon.report.load import load_run
from etalon.report.several.paired import compare
from etalon.store import read_json
from etalon.track.feed import Feed

RECIPE = 'name = "odd"\nseed = 0\n[[stages]]\nname = "rl-math"\nkind = "rl"\n'
MEANS = {"math": {"a": 0.5, "b": 1.0}}


def written(run: Path, **files: Any) -> Path:
    """A small run with one evaluated stage; files: by the last two parts of their path, in place of the usual ones."""
    usual = {
        "rl-math/inputs.json": {"kind": "rl", "from": "base", "key": "k"},
        "rl-math/DONE.json": {"key": "k", "seconds": 1.0, "outputs": {}},
        "eval-rl-math/inputs.json": {"kind": "eval", "from": "rl-math", "key": "e"},
        "eval-rl-math/DONE.json": {"key": "e", "outputs": {"scores": {"math": {"pass1": 0.75}}}},
        "eval-rl-math/means.json": MEANS,
        "problems/clusters.json": {},
    }
    for name, content in {**usual, **files}.items():
        path = run / "stages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    (run / "resolved.toml").write_text(RECIPE)
    return run


def report(run: Path) -> str:
    return page(load_run(run), run)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("eval-rl-math/means.json", {"math": {"a": 2.0}}),
        ("eval-rl-math/means.json", '{"math": {"a": 1e400}}'),
        ("eval-rl-math/means.json", {"math": {"a": None}}),
        ("eval-rl-math/means.json", {"math": "x"}),
        ("eval-rl-math/means.json", [1]),
        ("problems/clusters.json", {"a": ["x"]}),
        ("problems/clusters.json", [1]),
    ],
)
def test_scores_that_are_none_are_an_error_of_one_line_and_no_end_of_the_page(
    tmp_path: Path, name: str, content: Any
) -> None:
    odd, sound = written(tmp_path / "odd", **{name: content}), written(tmp_path / "sound")
    with pytest.raises(InputError, match=Path(name).name):
        compare(odd, sound)
    assert "rl-math" in report(odd)


@pytest.mark.parametrize("content", [5, True, [1], {"from": ["x"], "key": 5}, {}])
def test_inputs_of_another_shape_leave_where_a_stage_starts_unknown(tmp_path: Path, content: Any) -> None:
    odd = written(tmp_path / "odd", **{"rl-math/inputs.json": content})
    assert compare(odd, written(tmp_path / "sound")).lines[0].problems == 2
    assert "rl-math" in report(odd)


def test_stages_without_a_key_are_not_the_same_stage(tmp_path: Path) -> None:
    runs = [
        written(tmp_path / name, **{"eval-rl-math/DONE.json": {"outputs": {}}, "eval-rl-math/means.json": means})
        for name, means in (("a", MEANS), ("b", {"math": {"a": 1.0, "b": 1.0}}))
    ]
    [line] = compare(*runs).lines
    assert (line.is_same, line.difference) == (False, 0.25)


@pytest.mark.parametrize("name", ["rl-math/metrics.jsonl", "rl-math/inputs.json", "eval-rl-math/means.json"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    run = written(tmp_path / "run")
    path = run / "stages" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert "rl-math" in report(run)
    with pytest.raises(InputError, match="is a pipe"):
        read_json(path)


def test_a_name_with_a_nul_ends_no_page(tmp_path: Path) -> None:
    run = written(tmp_path / "run")
    (run / "resolved.toml").write_text(RECIPE.replace('"rl-math"', '"a\\u0000b"'))
    assert "odd" in report(run)


def torn_inputs(phase: Path) -> None:
    (phase / "inputs.json").write_text('{"purp')


def deep_metrics(phase: Path) -> None:
    (phase / "metrics.jsonl").write_text("[" * 50_000 + "\n")


def surrogate(phase: Path) -> None:
    (phase / "inputs.json").write_text('{"purpose": "\\ud800 x", "keys": {"steps": 1e400}}')


def odd_folder(phase: Path) -> None:
    (phase.parent / "a\udcff").mkdir()


@pytest.mark.parametrize("damage", [torn_inputs, deep_metrics, surrogate, odd_folder])
def test_a_followed_run_is_shown_whatever_its_files_hold(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    run = written(tmp_path / "run")
    phase = run / "stages" / "rl-math"
    (phase / "DONE.json").unlink()
    damage(phase)
    with TestClient(create_app(run), base_url="http://127.0.0.1") as client:
        assert client.get("/").status_code == 200
        assert client.get("/state").json()["lines"]


@pytest.mark.parametrize("content", ["5", "[1]", "{}", '"x"'])
def test_a_tracker_is_told_which_file_is_odd(tmp_path: Path, content: str) -> None:
    run = written(tmp_path / "run", **{"rl-math/inputs.json": content})
    with pytest.raises(InputError, match=r"rl-math/inputs\.json: does not say"):
        list(Feed(run).stages())


@pytest.mark.parametrize("row", ["5", "[1]", "{}", '{"step": "x"}', "[" * 50_000])
def test_a_row_that_is_no_step_is_named_with_its_file(tmp_path: Path, row: str) -> None:
    feed = Feed(written(tmp_path / "run", **{"rl-math/metrics.jsonl": f"{row}\n"}))
    [stage, _] = feed.stages()
    with pytest.raises(InputError, match=r"metrics\.jsonl: holds a line"):
        feed.rows(stage, after=0)


@pytest.mark.parametrize("outputs", [5, {"scores": 5}, {"scores": {"math": [1]}}, {"scores": {"math": {"pass1": "x"}}}])
def test_an_evaluation_without_numbers_sends_none(tmp_path: Path, outputs: Any) -> None:
    feed = Feed(written(tmp_path / "run", **{"eval-rl-math/DONE.json": {"key": "e", "outputs": outputs}}))
    [_, stage] = feed.stages()
    assert feed.scores(stage) == {}
