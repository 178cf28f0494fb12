"""The forecast in seconds before a run: measured where it was measured, reckoned where the rates are known."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import shrunk
from conftest import Finished
from etalon.config import load, packaged_recipe
from etalon.pipeline.graph import Graph, graph_of
from etalon.pipeline.seconds import (
    Expected,
    calibrate,
    measured_in,
    reference_seconds,
    seconds_forecast,
    together,
    told,
)


def graph(path: Path, *overrides: str) -> Graph:
    return graph_of(load(path, overrides).resolved())


def test_the_nano_recipe_on_an_idle_reference_core_takes_what_was_measured() -> None:
    """580 CPU-seconds, of which none of the rates alone says the sum."""
    nano = graph(packaged_recipe("nano"))
    expected = seconds_forecast(nano, {}, slowness=1.0)
    assert expected.keys() == nano.by_name.keys()
    assert sum(one.seconds for one in expected.values()) == pytest.approx(580, rel=0.1)
    slow = seconds_forecast(nano, {}, slowness=3.0)
    assert {name: one.seconds for name, one in slow.items()} == pytest.approx(
        {name: 3 * one.seconds for name, one in expected.items()}
    )


def test_twice_the_steps_are_twice_the_work() -> None:
    rl = graph(packaged_recipe("nano")).by_name["rl-math"]
    more = graph(packaged_recipe("nano"), "rl-math.steps=96").by_name["rl-math"]
    assert 1.6 < reference_seconds(more) / reference_seconds(rl) < 2.0  # the prefilter stays as it is


def test_stages_that_were_measured_say_how_slow_this_machine_is() -> None:
    nano = graph(packaged_recipe("nano"))
    idle = seconds_forecast(nano, {}, slowness=1.0)
    done = {name: 5 * idle[name].seconds for name in ("base", "data")}
    expected = seconds_forecast(nano, done)
    assert expected["base"] == Expected(seconds=done["base"], how="measured")
    assert expected["rl-math"].how == "reckoned"
    assert expected["rl-math"].seconds == pytest.approx(5 * idle["rl-math"].seconds)
    assert "2 of them measured, 23 of them reckoned" in told(expected, nano.stages, jobs=2)[0]


def test_evaluations_run_beside_training_and_what_trains_does_not() -> None:
    nano = graph(packaged_recipe("nano"))
    one = {stage.name: Expected(seconds=1.0, how="measured") for stage in nano.stages}
    front = sum(not stage.is_background for stage in nano.stages)
    assert together(one, nano.stages, jobs=1) == len(nano.stages)
    assert together(one, nano.stages, jobs=8) == front - 1  # traces are made beside the base model
    assert together(one | {"data": Expected(seconds=5.0, how="measured")}, nano.stages, jobs=8) == front + 3


def test_what_nobody_measured_is_not_reckoned() -> None:
    """Another model, another engine: no seconds, rather than any."""
    for override in ("model.hidden=768", "engine=trl", 'problems.files=["a.jsonl"]'):
        assert seconds_forecast(graph(packaged_recipe("nano"), override), {}, slowness=1.0) == {}
    assert told({}, (), jobs=2) == []
    assert calibrate() > 0.1


@pytest.mark.torch
def test_a_run_is_measured_where_its_values_are_the_same(finished: Finished, tmp_path: Path) -> None:
    done = shrunk.done(finished.run)
    same = measured_in([finished.run], graph(finished.recipe))
    assert same == {name: row["seconds"] for name, row in done.items() if "as" not in row["outputs"]}
    changed = measured_in([finished.run], graph(finished.recipe, "rl-math.steps=9", "seed=3"))
    assert same.keys() - changed.keys() == {"rl-math"}
    assert measured_in([finished.run], graph(finished.recipe, "problems.test=9")) == {}
    assert measured_in([tmp_path], graph(finished.recipe)) == {}
    run = tmp_path / "run"
    shutil.copytree(finished.run, run)
    again = shrunk.etalon("run", finished.recipe, "--dry-run", "--run", run, "--from", "rl-stem")
    [row] = [line.split() for line in again.stdout.splitlines() if line.split()[:1] == ["rl-stem"]]
    assert row[-1] == f"{same['rl-stem']:.0f}"
    assert "measured" in again.stdout
