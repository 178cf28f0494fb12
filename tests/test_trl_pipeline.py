"""The whole shrunk recipe with `engine = "trl"` on two processes, killed in the middle of RL and run again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.trl, pytest.mark.slow]
pytest.importorskip("trl")

import shrunk  # noqa: E402
from conftest import Finished  # noqa: E402
from etalon.store import read_jsonl  # noqa: E402


def metrics(run: Path, stage: str) -> list[dict[str, Any]]:
    return read_jsonl(shrunk.stage_dir(run, stage) / "metrics.jsonl")


def test_a_run_with_trl_ends_like_one_with_the_local_engine(finished: Finished, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("run", finished.recipe, "--run", run, "--set", "engine=trl", "--set", "trl.processes=2")
    killed = shrunk.start(*words)
    while not (run / "stages" / "rl-math" / "trl" / "job.json").exists() or not metrics(run, "rl-math"):
        assert killed.poll() is None, killed.stderr.read() if killed.stderr else ""
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    before = shrunk.finished_at(run)
    assert "sft-hard-fused" in before
    assert "rl-math" not in before
    again = shrunk.etalon(*words, timeout=900)  # two workers a stage load torch, on cores that others use too
    assert again.returncode == 0, again.stderr
    assert "torch.distributed.run --standalone --nproc-per-node 2" in again.stderr
    assert shrunk.finished_at(run).items() >= before.items(), "what was done is not done again"
    ours, theirs = shrunk.summary(finished.run), shrunk.summary(run)
    assert [stage["name"] for stage in theirs["stages"]] == [stage["name"] for stage in ours["stages"]]
    for stage in ("base", "sft-broad"):
        losses = [[row["loss"] for row in metrics(one, stage)] for one in (finished.run, run)]
        assert losses[1] == pytest.approx(losses[0], rel=0.02)
    for stage, steps in {"rl-math": 4, "rl-long2short": 4, "rl-code": 10, "rl-stem": 4, "instruct": 4}.items():
        if "skipped" not in shrunk.done(run)[stage]["outputs"]:
            assert [row["step"] for row in metrics(run, stage)] == list(range(1, steps + 1))
