"""The whole recipe, end to end: what a finished run holds, what a second one redoes, what a dry one leaves alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import shrunk
from conftest import Finished
from etalon import config, pipeline
from etalon.pipeline import Choice
from etalon.pipeline.graph import graph_of

pytestmark = pytest.mark.torch

STAGES = [
    "base", "sft-broad", "sft-broad-fused", "sft-hard", "sft-hard-fused",
    "rl-math", "rl-long2short", "rl-code", "rl-stem", "distill", "instruct",
]  # fmt: skip
KINDS = ["base", "sft", "fuse", "sft", "fuse", "rl", "rl", "rl", "rl", "distill", "rl"]
SCORES = {
    "problems", "undecided_problems", "k", "pass1", "passk", "mean_tokens", "correct_tokens", "truncated", "no_answer",
    "undecided",
}  # fmt: skip
RL = STAGES[STAGES.index("rl-math") :]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rerun(finished: Finished, run: Path, *overrides: str, **asked: Any) -> None:
    """The recipe again, in this process. asked: the fields of `Choice`."""
    recipe = config.load(finished.recipe, overrides)
    pipeline.run(recipe, run_dir=run, recipe_path=finished.recipe, choice=Choice(**asked))


def keys_of(recipe: Path, *overrides: str) -> dict[str, str]:
    return graph_of(config.load(recipe, overrides).resolved()).keys()


def redone(before: dict[str, int], after: dict[str, int]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def test_the_summary_has_every_stage_with_its_scores_and_differences(finished: Finished) -> None:
    summary = shrunk.summary(finished.run)
    assert summary["seconds"] > 0
    assert summary["peak_memory_mb"] > 0
    assert [stage["name"] for stage in summary["stages"]] == STAGES
    assert [stage["kind"] for stage in summary["stages"]] == KINDS
    assert [stage["from"] for stage in summary["stages"]] == [None, *STAGES[:-1]]
    same = {stage["name"]: stage["as"] for stage in summary["stages"] if "as" in stage}
    for stage in summary["stages"]:
        assert stage["seconds"] >= 0
        assert list(stage["domains"]) == ["math", "code", "stem", "instruct", "claims"]
        for scores in stage["domains"].values():
            assert scores.keys() >= SCORES
            assert "pass8" not in scores  # K is 2 here
            assert (scores["problems"], scores["k"]) == (8, 2)
            assert 0 <= scores["pass1"] <= scores["passk"] <= 1
            if stage["name"] not in same:
                assert 0 <= scores["pass1_low"] <= scores["pass1"] <= scores["pass1_high"] <= 1
                assert scores["pass1_high"] - scores["pass1_low"] > 0.2  # 8 problems say no more
            if stage["name"] in (STAGES[0], *same):
                assert not scores.keys() & {"delta", "delta_low", "delta_high"}
            else:
                assert scores["delta_low"] <= scores["delta"] <= scores["delta_high"]
    trained = {stage["name"]: stage["trained_on"] for stage in summary["stages"] if "trained_on" in stage}
    math, code = ["math"], ["code"]
    assert trained == {
        "rl-math": math, "rl-long2short": math, "rl-code": code, "rl-stem": ["stem"], "instruct": ["instruct"]
    }  # fmt: skip
    clr = summary["clr"]
    assert clr["of"] == "instruct"
    assert clr["problems"] == 8
    assert all(0 <= clr[name] <= 1 for name in ("pass1", "cons_k", "cons_2k", "clr"))
    assert 0 < clr["calls"] <= clr["calls_full"] == 8 * 4 * 2


def test_a_run_prints_its_stages_on_stderr_and_its_table_on_stdout(finished: Finished) -> None:
    for name in STAGES:
        assert re.search(rf"^{name}: .* \(section ", finished.printed.stderr, re.MULTILINE)
        assert re.search(rf"^ {name} ", finished.printed.stdout, re.MULTILINE)
    assert "CLR@K" in finished.printed.stdout
    assert max(map(len, finished.printed.stdout.splitlines())) <= 100


def test_every_training_stage_changes_the_weights_and_the_merges_are_means(finished: Finished) -> None:
    done = shrunk.done(finished.run)
    assert not [name for name in STAGES if "skipped" in done[name]["outputs"]]
    for name, kind, source in zip(STAGES[1:], KINDS[1:], STAGES, strict=False):
        before, after = shrunk.weights(finished.run, source), shrunk.weights(finished.run, name)
        assert before.keys() == after.keys()
        assert kind == "fuse" or any(not before[key].equal(after[key]) for key in before), name
    for name in ("sft-broad", "sft-hard"):
        members = done[f"{name}-fused"]["outputs"]["weights"]
        assert sum(members.values()) == pytest.approx(1)
        assert set(members) <= {Path(path).name for path in done[name]["outputs"]["checkpoints"]}


def test_the_losses_of_pretraining_and_sft_fall(finished: Finished) -> None:
    for name in ("base", "sft-broad"):
        losses = [row["loss"] for row in rows(shrunk.stage_dir(finished.run, name) / "metrics.jsonl")]
        assert len(losses) >= 30
        assert sum(losses[-10:]) < 0.75 * sum(losses[:10]), name


def test_rl_is_on_policy_and_logs_what_it_learned_from(finished: Finished) -> None:
    for name in ("rl-math", "rl-long2short", "rl-code", "rl-stem", "instruct"):
        folder = shrunk.stage_dir(finished.run, name)
        pool = json.loads((folder / "pool.json").read_text())
        assert pool["kept"] == sum(a is not None and 0 < a < 1 for a in pool["accuracies"]) > 0
        assert pool["prompts"] == sum(pool[name] for name in ("kept", "all_wrong", "all_right", "undecided"))
        steps = rows(folder / "metrics.jsonl")
        numbers = list(range(1, (10 if name == "rl-code" else 4) + 1))
        assert [row["step"] for row in steps] == numbers
        assert max(row["grad_norm"] for row in steps) > 0
        assert max(abs(row["loss"]) for row in steps) < 1e-5  # rho = 1 and zero-mean advantages
        per_step = min(8, pool["kept"])
        assert [row["step"] for row in rows(folder / "rollouts.jsonl")] == [s for s in numbers for _ in range(per_step)]


def test_checkpoints_load_with_transformers_alone(finished: Finished) -> None:
    program = (
        "import sys\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "model, info = AutoModelForCausalLM.from_pretrained(sys.argv[1], output_loading_info=True)\n"
        "assert not any(info.values()), info\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "chat = [{'role': 'user', 'content': '1+1'}]\n"
        "ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors='pt', return_dict=True)\n"
        "out = model.generate(**ids, max_new_tokens=4, do_sample=False)\n"
        "assert out.shape[1] > ids['input_ids'].shape[1]\n"
        "assert 'etalon' not in sys.modules\n"
    )
    path = shrunk.checkpoint(finished.run, "instruct")
    loaded = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, env=shrunk.ENVIRONMENT, check=False
    )
    assert loaded.returncode == 0, loaded.stderr


def test_the_report_is_one_file_that_needs_nothing_else(finished: Finished) -> None:
    report = (finished.run / "report.html").read_text()
    for name in STAGES:
        assert name in report
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!#|data:)[^"'\s>]""", report)
    assert "@import" not in report
    assert not re.findall(r"url\((?!#|['\"]?data:)", report)


def test_a_second_run_does_no_work_and_leaves_the_summary_as_it_is(finished: Finished, tmp_path: Path) -> None:
    run = shutil.copytree(finished.run, tmp_path / "moved")  # and a run can be moved
    before = {path: path.stat().st_mtime_ns for path in (run / "stages").rglob("*")}
    summary = (run / "summary.json").read_bytes()
    again = shrunk.etalon("run", finished.recipe, "--run", run)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in (run / "stages").rglob("*")} == before
    assert (run / "summary.json").read_bytes() == summary
    assert again.stdout == finished.printed.stdout
    assert not re.search(r"\(section ", again.stderr)


@pytest.mark.slow
def test_another_gamma_redoes_rl_and_what_follows_and_from_redoes_a_stage_and_what_needs_it(
    finished: Finished, tmp_path: Path
) -> None:
    run = shutil.copytree(finished.run, tmp_path / "run")
    marks, keys = shrunk.finished_at(run), {name: one["key"] for name, one in shrunk.done(run).items()}
    rerun(finished, run, "rl.gamma=4")
    expected = {*RL, *(f"eval-{name}" for name in RL), "clr"}
    assert redone(marks, shrunk.finished_at(run)) == expected
    assert {name for name, one in shrunk.done(run).items() if one["key"] != keys[name]} == expected

    marks, whole = shrunk.finished_at(run), shrunk.artifacts(run)
    rerun(finished, run, "rl.gamma=4", from_stage="rl-code")
    late = ("rl-code", "rl-stem", "distill", "instruct")
    assert redone(marks, shrunk.finished_at(run)) == {*late, *(f"eval-{name}" for name in late), "clr"}
    assert shrunk.artifacts(run) == whole  # the same inputs and seed, the same bytes


@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("seed=1", "problems"),
        ("problems.rl=81", "problems"),
        ("base.batch=8", "base"),
        ("data.paths=3", "data"),
        ("sft.lr_scale=0.5", "sft-broad"),
        ("sft-broad.epochs=2", "sft-broad"),
        ("fuse.k=2", "sft-broad-fused"),
        ("sft.min_tokens=30", None),  # the one stage that reads it says it itself
        ("sft-broad.min_tokens=30", None),  # and this one does not read it
        ("sft-hard.min_tokens=30", "sft-hard"),
        ("sft-hard-fused.k=2", "sft-hard-fused"),
        ("rl.steps=5", "rl-math"),
        ("rl.lambda=0.3", "rl-math"),
        ("rl-long2short.lambda=0.3", "rl-long2short"),
        ("rl-code.lr=1e-4", "rl-code"),
        ("rl-stem.steps=5", "rl-stem"),
        ("rl.save_every=9", None),
        ("rl.when_empty=skip", None),
        ("distill.low=0.2", "distill"),
        ("instruct.general=0.4", "instruct"),
        ("clr.prior=0.25", "clr"),
        ("eval.n=4", "eval-base"),
        ("eval.after=['base','instruct']", None),
    ],
)
def test_a_changed_value_first_changes_the_key_of_the_stage_that_reads_it(
    tmp_path: Path, override: str, first: str | None
) -> None:
    path = shrunk.write_recipe(tmp_path)
    before, after = keys_of(path), keys_of(path, override)
    changed = [name for name in after if before[name] != after[name]]
    assert next(iter(changed), None) == first
    for stage in graph_of(config.load(path, [override]).resolved()).stages:
        assert (stage.name in changed) >= bool(set(stage.needs) & set(changed))


def test_jobs_and_threads_of_another_machine_redo_nothing(tmp_path: Path) -> None:
    path, others = shrunk.write_recipe(tmp_path), ["jobs=4", "threads=2", "name='other'", "problems.source=nano"]
    assert keys_of(path) == keys_of(path, *others)


def test_packaged_prompts_are_not_confused_with_a_folder_that_happens_to_have_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run from inside `runs/`, where the run directory itself is called nano."""
    recipes = (shrunk.write_recipe(tmp_path), config.packaged_recipe("nano"))
    before = [keys_of(path, "rl.judge=nano") for path in recipes]
    for name in ("nano", "reference", "default", "all", "hard", "rl", "base", "scratch"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    assert [keys_of(path, "rl.judge=nano") for path in recipes] == before


def test_a_dry_run_prints_the_plan_writes_nothing_and_loads_no_torch(finished: Finished, tmp_path: Path) -> None:
    program = (
        "import sys; from etalon.cli import main; code = main(); "
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
    )

    def dry(run: Path, *arguments: str) -> tuple[list[str], set[str]]:
        command = [sys.executable, "-c", program, "run", str(finished.recipe), "--run", str(run), "--dry-run"]
        planned = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, env=shrunk.ENVIRONMENT, cwd=tmp_path, check=False
        )
        assert planned.returncode == 0, planned.stderr
        return planned.stdout.splitlines(), set(planned.stderr.split())

    lines, loaded = dry(tmp_path / "new")
    assert "etalon" in loaded
    assert not loaded & {"torch", "transformers", "numpy"}
    assert os.listdir(tmp_path) == []
    assert "25 of 25 stages to run" in lines[-1]
    for name in STAGES:
        assert any(name in line and "to run" in line for line in lines)

    before = {path: path.stat().st_mtime_ns for path in finished.run.rglob("*")}
    lines, _ = dry(finished.run, "--set", "rl.gamma=0")
    states = {line.split()[0]: "to run" in line for line in lines if re.search(r" (to run|cached) ", line)}
    assert not states["sft-hard-fused"]
    assert states["rl-math"]
    assert states["clr"]
    assert {path: path.stat().st_mtime_ns for path in finished.run.rglob("*")} == before


def test_a_phase_has_a_window_of_its_own_and_one_without_steps_passes_its_checkpoint_on(
    finished: Finished, tmp_path: Path
) -> None:
    run = shutil.copytree(finished.run, tmp_path / "run")
    marks = shrunk.finished_at(run)
    rerun(finished, run, "rl-stem.max_tokens=9", "instruct.steps=0")
    late = ("rl-stem", "distill", "instruct")
    assert redone(marks, shrunk.finished_at(run)) == {*late, *(f"eval-{name}" for name in late), "clr"}
    groups = rows(shrunk.stage_dir(run, "rl-stem") / "rollouts.jsonl")
    assert max(rollout["tokens"] for group in groups for rollout in group["rollouts"]) == 9
    assert shrunk.done(run)["instruct"]["outputs"]["skipped"] == "it has 0 steps"
    assert shrunk.checkpoint(run, "instruct") == shrunk.checkpoint(run, "distill")
    told = {stage["name"]: stage for stage in shrunk.summary(run)["stages"]}
    assert (told["instruct"]["skipped"], told["instruct"]["as"]) == ("it has 0 steps", "distill")
    assert not (shrunk.stage_dir(run, "eval-instruct") / "rollouts.jsonl").exists()  # the same weights are not asked
