"""What else a fusion may take and a self-distillation choose: branches of one real run, and what their files say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import shrunk
from conftest import Finished, made_once

pytestmark = [pytest.mark.torch, pytest.mark.slow]
torch = pytest.importorskip("torch")

from etalon.errors import ConfigError  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.pipeline.stages.fuse import references_of  # noqa: E402
from etalon.problems.rows import problem_from_row  # noqa: E402
from etalon.recipe import ProblemsSpec, Recipe  # noqa: E402
from etalon.sft.probe import skill_losses  # noqa: E402
from etalon.store import read_jsonl  # noqa: E402
from tiny_models import plain_logprobs  # noqa: E402

SFT = "sft-broad"
PHASES = {"rl-math": 3.0, "rl-code": 1.0}
TAUGHT = {"teachers": {"claims": SFT}, "problems": 80, "low": 0.3, "buckets": 2}  # what the shrunk model can do at all
BRANCHES = (
    shrunk.stage("by-loss", "fuse", from_=SFT, choose="loss", k=1)
    + shrunk.stage("best", "fuse", from_=SFT, choose="loss", take="best", k=1)
    + shrunk.stage("last", "fuse", from_=SFT, take="last", k=1)
    + shrunk.stage("of-phases", "fuse", from_="rl-stem", stages=list(PHASES), weights=PHASES)
    + shrunk.stage("at-random", "distill", from_="rl-stem", choose="random", **TAUGHT)
    + shrunk.stage("from-the-top", "distill", from_="rl-stem", choose="top", **TAUGHT)
)


@pytest.fixture(scope="module")
def choices(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    def make(folder: Path) -> tuple[Path, list[str | Path]]:
        path = shrunk.write_recipe(folder, shrunk.RECIPE + BRANCHES)
        return path, ["--reuse", finished.run, "--set", "eval.after=[]"]

    return made_once(tmp_path_factory, "choices", make)


def record(run: Path, stage: str, name: str) -> dict[str, Any]:
    found = json.loads((shrunk.stage_dir(run, stage) / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def means(probe: dict[str, Any], key: str) -> dict[str, float]:
    return {
        one["name"]: sum(score[key] for score in one["scores"].values()) / len(one["scores"])
        for one in probe["checkpoints"]
    }


def test_a_fusion_by_loss_records_it_and_takes_the_lowest_of_each_skill(choices: Finished) -> None:
    probe = record(choices.run, "by-loss", "probe")
    assert (probe["choose"], probe["take"]) == ("loss", "merge")
    losses = {one["name"]: {s: v["loss"] for s, v in one["scores"].items()} for one in probe["checkpoints"]}
    assert probe["chosen"] == {
        skill: min(losses, key=lambda name: losses[name][skill]) for skill in probe["skills"]
    }  # fmt: skip
    assert all(score["loss"] > 0 for score in probe["fused"].values())
    default = record(choices.run, "sft-broad-fused", "probe")
    assert (default["choose"], default["take"]) == ("passk", "merge")
    assert not any("loss" in score for one in default["checkpoints"] for score in one["scores"].values())


def test_a_recorded_loss_is_that_of_plain_log_probs_of_the_reference_solutions(choices: Finished) -> None:
    from etalon.sft.rows import trace_row

    problems = [problem_from_row(r) for r in read_jsonl(shrunk.stage_dir(choices.run, "problems") / "probe.jsonl")]
    recipe = Recipe().resolved()
    name, by_skill = next(
        (one["name"], one["scores"]) for one in record(choices.run, "by-loss", "probe")["checkpoints"]
    )  # fmt: skip
    model = loader.load(choices.run / "stages" / SFT / "checkpoints" / name, device="cpu")
    with torch.no_grad():
        logprobs = [
            (skill, plain_logprobs(model.model, trace_row(trace, model)).tolist())
            for skill, trace in references_of(problems, recipe, "f")
        ]
    expected = skill_losses(logprobs)
    assert {skill: score["loss"] for skill, score in by_skill.items()} == pytest.approx(expected, rel=1e-4)


def test_without_reference_solutions_there_is_no_loss_to_choose_by(choices: Finished) -> None:
    problems = [problem_from_row(r) for r in read_jsonl(shrunk.stage_dir(choices.run, "problems") / "probe.jsonl")]
    files = Recipe(problems=ProblemsSpec(source="files", files=("mine.jsonl",))).resolved()
    with pytest.raises(
        ConfigError, match=r"^f\.choose: 'loss' is measured on reference solutions.*'passk' or 'pass1'$"
    ):
        references_of(problems, files, "f")


def test_the_best_and_the_last_are_single_checkpoints_with_their_very_weights(choices: Finished) -> None:
    from safetensors.torch import load_file

    done = shrunk.done(choices.run)
    losses = means(record(choices.run, "best", "probe"), "loss")
    best = min(losses, key=losses.__getitem__)
    assert done["best"]["outputs"]["weights"] == {best: 1.0}
    last = Path(done[SFT]["outputs"]["checkpoints"][-1]).name
    assert done["last"]["outputs"]["weights"] == {last: 1.0}
    for stage, name in (("best", best), ("last", last)):
        weights = load_file(choices.run / "stages" / SFT / "checkpoints" / name / "model.safetensors")
        found = shrunk.weights(choices.run, stage)
        assert weights.keys() == found.keys()
        assert all(bool((weights[key] == found[key]).all()) for key in weights)
        probe = record(choices.run, stage, "probe")
        assert set(probe["chosen"].values()) == {name}
        assert probe["fused"] == next(one["scores"] for one in probe["checkpoints"] if one["name"] == name)
    assert done["last"]["outputs"]["same_as"] == SFT


def test_checkpoints_of_stages_are_merged_by_their_weights_without_probing(choices: Finished) -> None:
    parts = [shrunk.weights(choices.run, name) for name in PHASES]
    found = shrunk.weights(choices.run, "of-phases")
    for key, tensor in found.items():
        torch.testing.assert_close(tensor, 0.75 * parts[0][key] + 0.25 * parts[1][key])
    assert shrunk.done(choices.run)["of-phases"]["outputs"]["weights"] == {"rl-math": 0.75, "rl-code": 0.25}
    assert not (shrunk.stage_dir(choices.run, "of-phases") / "probe.json").exists()
    row = next(row for row in shrunk.summary(choices.run)["stages"] if row["name"] == "of-phases")
    assert row["from"] == "rl-stem"
    assert "of-phases: merge the checkpoints of rl-math, rl-code" in choices.printed.stderr


def test_random_and_top_take_as_many_traces_as_the_band(choices: Finished) -> None:
    for stage, choose in (("at-random", "random"), ("from-the-top", "top")):
        found = record(choices.run, stage, "selection")
        assert found["choose"] == choose
        assert found["kept"] + found["not_chosen"] + found["too_short"] + found["unscored"] == found["candidates"]
        assert found["kept"] == sum(bucket["kept"] for bucket in found["buckets"])
        assert 0 < found["kept"] < found["candidates"]
        for bucket in found["buckets"]:
            assert choose == "random" or bucket["low"] == sorted(bucket["scores"], reverse=True)[bucket["kept"] - 1]
    assert record(choices.run, "distill", "selection")["choose"] == "band"
    assert "verified traces kept, drawn at random; " in choices.printed.stderr


def test_the_report_says_what_was_chosen_and_how(choices: Finished) -> None:
    page = (choices.run / "report.html").read_text()
    for words in (
        "Boxed: the specialist chosen for the skill by the loss on reference solutions.",
        "Boxed: the checkpoint that is best over all skills by the loss on reference solutions, which was taken.",
        "Boxed: the last checkpoint, which was taken.",
        "taken at random, as many of each bucket as lie in the band",
        "taken from the top of each bucket, as many as lie in the band",
    ):
        assert words in page, words
