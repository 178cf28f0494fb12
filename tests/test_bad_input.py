"""What the user can fix is one line on stderr and exit 2: what, where, what would do. Nothing half-written is taken
for whole."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import shrunk
from conftest import Finished
from etalon import config, pipeline
from etalon.pipeline.graph import graph_of
from etalon.store import RunLock, hash_tree

pytestmark = pytest.mark.live


def forget(stage: str, recipe: Path, run: Path) -> None:
    """Make a stage of a run one that has not begun."""
    pipeline.forget([stage], graph_of(config.load(recipe).resolved()).directories(run))


def line_of(printed: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what is wrong; stages that were shown before it are indented or have a section."""
    assert printed.returncode == 2, printed.stderr
    assert "Traceback" not in printed.stderr
    last = printed.stderr.splitlines()[-1]
    assert last.startswith("etalon: "), printed.stderr
    assert printed.stderr.count("etalon: ") == 1
    return last.removeprefix("etalon: ")


def complaint(*arguments: str | Path, cwd: Path | None = None) -> str:
    """The line of a command line that fails before any work: nothing else is printed."""
    printed = shrunk.etalon(*arguments, cwd=cwd)
    line = line_of(printed)
    assert printed.stderr == f"etalon: {line}\n"
    assert printed.stdout == ""
    return line


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return shrunk.write_recipe(tmp_path)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("rl.grop_size=4", "--set rl.grop_size: unknown key; did you mean 'group_size'?"),
        ("rl.group_size=big", '--set rl.group_size: must be a whole number, found "big"'),
        ("rl.gamma=-1", "--set rl.gamma: must be at least 0, found -1"),
        ("eval.top_p=1.5", "--set eval.top_p: must be at most 1, found 1.5"),
        ("problems.files=gone.jsonl", "problems.files: gone.jsonl: no such file"),
        ("sft-broad.traces=gone.jsonl", "sft-broad.traces: gone.jsonl: no such file; or use 'all' or 'hard'"),
        ("problems.source=files", "problems.files: is empty; name a problem file, or set problems.source to 'nano'"),
        ("prompts=gone", "prompts: gone: no such folder; use one of default, nano or a path"),
        ("data.teacher=gone", "data.teacher: gone: no such model directory; or use 'nano' or 'reference'"),
        ("data.judge=gone", "data.judge: gone: no such model directory; or leave it empty for no judge"),
        ("eval.judge=gone", "eval.judge: gone: no such model directory; or leave it empty for no judge"),
        (
            "model.base=gone",
            "model.base: gone: no such model directory; or use 'scratch'",
        ),
        ("device=cuda", "device: 'cuda' was asked for, but torch finds no CUDA device; use 'auto' or 'cpu'"),
    ],
)
def test_a_value_that_cannot_be_run_is_named_before_anything_is_written(recipe: Path, override: str, line: str) -> None:
    assert complaint("run", recipe.name, "--run", "run", "--set", override, cwd=recipe.parent) == line
    assert not (recipe.parent / "run").exists()


def test_a_file_that_does_not_fit_is_named_before_anything_is_written(recipe: Path) -> None:
    here = recipe.parent
    (here / "lora").mkdir()
    (here / "lora" / "adapter_config.json").write_text("{}")
    (here / "experts").mkdir()
    (here / "experts" / "config.json").write_text('{"model_type": "qwen3_moe", "num_experts": 128}')
    (here / "empty").mkdir()
    (here / "p.jsonl").write_text("{}\n")

    def say(*arguments: str) -> str:
        return complaint("run", *arguments, "--run", "run", cwd=here)

    assert say("gone.toml") == "gone.toml: no such file"
    for option in ("--from", "--until", "--only"):
        told = f"{option} rl-maths: no stage 'rl-maths'; did you mean 'rl-math'? stages are problems, base, data, "
        assert say("shrunk.toml", option, "rl-maths").startswith(told)
    assert say("shrunk.toml", "--set", "model.base=lora") == (
        f"model.base: {here}/lora: is a LoRA adapter, not a whole model; "
        "merge it into its base first (peft: merge_and_unload); or use 'scratch'"
    )
    assert say("shrunk.toml", "--set", "model.base=empty") == (
        f"model.base: {here}/empty: has no config.json, so it is not a Hugging Face model directory; or use 'scratch'"
    )
    (here / "stage" / "checkpoint").mkdir(parents=True)
    (here / "stage" / "checkpoint" / "config.json").write_text("{}")
    assert f"did you mean {here}/stage/checkpoint?" in say("shrunk.toml", "--set", "model.base=stage")
    assert say("shrunk.toml", "--set", "model.base=experts") == (
        f"model.base: {here}/experts: model type 'qwen3_moe' (a mixture of experts): the local sampler decodes qwen2, "
        "qwen3, llama; serve other models with vLLM and sample through an endpoint; or use 'scratch'"
    )
    (here / "empty" / "config.json").write_text('{"model_type": "qwen2"}')
    assert say("shrunk.toml", "--set", "model.base=empty").startswith(f"model.base: {here}/empty: has no tokenizer (")
    files = ("--set", "problems.files=p.jsonl", "--set", "data.teacher=nano")
    assert say("shrunk.toml", *files).startswith("data.teacher: 'nano' can only answer the nano world; for problem")
    assert not (here / "run").exists()


def test_a_directory_of_another_recipe_or_of_no_run_is_left_alone(recipe: Path) -> None:
    here = recipe.parent
    (here / "notes").mkdir()
    (here / "notes" / "diary.txt").write_text("dear diary")
    assert complaint("run", recipe, "--run", "notes", cwd=here) == (
        "notes: is not empty and not a run directory; use another --run directory"
    )
    (here / "other").mkdir()
    (here / "other" / "resolved.toml").write_text('name = "mine"\n[rl]\nkey_of_another_version = 1\n')
    assert complaint("run", recipe, "--run", "other", cwd=here) == (
        "other: was made by recipe 'mine', not 'shrunk'; use another --run directory"
    )
    (here / "other" / "resolved.toml").write_text("name = ")
    assert complaint("run", recipe, "--run", "other", cwd=here).startswith("other/resolved.toml: cannot be read")
    assert complaint("run", recipe, "--run", recipe, cwd=here) == f"{recipe}: is a file; a run needs a directory"
    assert os.listdir(here / "notes") == ["diary.txt"]
    assert os.listdir(here / "other") == ["resolved.toml"]


def test_a_directory_in_which_a_run_was_killed_at_once_is_no_strangers(recipe: Path) -> None:
    run = recipe.parent / "run"
    run.mkdir()
    (run / ".lock").write_text("1")
    (run / ".resolved.toml.1-00.etalon-tmp").write_text("na")
    pipeline.check_owner(run, config.load(recipe).name)


def test_a_run_directory_in_use_is_not_shared(recipe: Path) -> None:
    run = recipe.parent / "run"
    with RunLock(run):
        line = complaint("run", recipe, "--run", run)
    assert line == f"run directory {run} is in use by another process (pid {os.getpid()})"
    assert os.listdir(run) == [".lock"]


def test_a_recipe_can_be_run_from_the_copy_in_its_run(recipe: Path) -> None:
    """The file is then both read and written."""
    run = recipe.parent / "run"
    run.mkdir()
    loaded = config.load(recipe)
    pipeline.write_run_files(loaded, run, recipe, [])
    pipeline.write_run_files(loaded, run, run / "recipe.toml", [])
    assert (run / "recipe.toml").read_text() == recipe.read_text()


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def model_of(finished: Finished, stage: str, folder: Path) -> Path:
    """A copy of a checkpoint of the finished run: somebody's own model directory."""
    return shutil.copytree(shrunk.stage_dir(finished.run, stage) / "checkpoint", folder)


@pytest.mark.torch
def test_a_damaged_base_model_is_named_before_anything_is_written(finished: Finished, tmp_path: Path) -> None:
    base, run = model_of(finished, "rl-stem", tmp_path / "mine"), tmp_path / "run"
    halve(base / "model.safetensors")
    arguments = ("run", finished.recipe, "--run", run, "--set", f"model.base={base}")
    line = line_of(shrunk.etalon(*arguments))
    assert line.startswith(f"model.base: {base / 'model.safetensors'}: cannot be read (")
    assert not run.exists()


@pytest.mark.torch
@pytest.mark.slow
def test_a_damaged_checkpoint_or_state_of_the_run_is_named_and_from_makes_it_again(
    finished: Finished, tmp_path: Path
) -> None:
    run = shutil.copytree(finished.run, tmp_path / "run")
    source, folder = shrunk.stage_dir(run, "distill"), shrunk.stage_dir(run, "instruct")
    halve(source / "checkpoint" / "model.safetensors")
    line = line_of(shrunk.etalon("run", finished.recipe, "--run", run, "--from", "instruct"))
    assert str(source / "checkpoint") in line
    assert "damaged" in line
    assert not (folder / "DONE.json").exists()

    shutil.copytree(shrunk.stage_dir(finished.run, "distill"), source, dirs_exist_ok=True)
    shutil.copytree(shrunk.stage_dir(finished.run, "instruct"), folder, dirs_exist_ok=True)
    (folder / "DONE.json").unlink()
    state = folder / "state" / "step-000002"
    state.mkdir(parents=True)
    (state.parent / "state.json").write_text('{"step": 2}')
    shutil.copyfile(folder / "checkpoint" / "model.safetensors", state / "model.safetensors")
    halve(state / "model.safetensors")
    line = line_of(shrunk.etalon("run", finished.recipe, "--run", run))
    assert line.startswith(f"{folder}: its saved state is damaged (")
    assert line.endswith("; redo it with --from instruct")

    shutil.copyfile(folder / "checkpoint" / "model.safetensors", state / "model.safetensors")
    (state.parent / "state.json").write_text(json.dumps({"step": 2, "hash": hash_tree(state)}))
    content = bytearray((state / "model.safetensors").read_bytes())
    content[-100] ^= 1
    (state / "model.safetensors").write_bytes(content)
    line = line_of(shrunk.etalon("run", finished.recipe, "--run", run))
    assert line.startswith(f"{folder}: its saved state is damaged ({state} is not what was saved)")


@pytest.mark.torch
def test_on_a_full_disk_a_run_stops_with_one_line_and_leaves_nothing_that_looks_finished(
    finished: Finished, tmp_path: Path
) -> None:
    run = shutil.copytree(finished.run, tmp_path / "run")
    forget("instruct", finished.recipe, run)
    command = shrunk.command("run", finished.recipe, "--run", run)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))

    printed = subprocess.run(
        command, capture_output=True, text=True, env=shrunk.ENVIRONMENT, preexec_fn=limit, check=False
    )
    line = line_of(printed)
    folder = shrunk.stage_dir(run, "instruct")
    assert line.startswith(f"file size limit reached while writing {folder}")
    assert line.endswith("; free some and run the same command again")
    assert not (folder / "DONE.json").exists()
    assert not (folder / "checkpoint").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """A file system of its own, and a way to change its size."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(*options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(disk)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if os.geteuid() != 0 or not shutil.which("mount") or not mount("size=300k"):
        pytest.skip("only root can mount a small disk")
    try:
        yield disk, lambda kilobytes: assert_true(mount("remount", f"size={kilobytes}k"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def assert_true(claim: bool) -> None:
    assert claim


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_that_fills_up_again_and_again_costs_only_time(
    finished: Finished, small_disk: tuple[Path, Callable[[int], None]], jobs: int
) -> None:
    disk, resize = small_disk
    run = disk / "run"
    whole = sum(path.stat().st_size for path in finished.run.rglob("*")) // 1024
    for share in (0.0, 0.02, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85):
        resize(4 + round(share * whole))
        line = line_of(shrunk.etalon("run", finished.recipe, "--run", run, "--set", f"jobs={jobs}"))
        assert line.startswith("no space left on the device while writing ")
        assert not (run / "summary.json").exists()
    resize(10 * whole)
    last = shrunk.etalon("run", finished.recipe, "--run", run, "--set", f"jobs={jobs}")
    assert last.returncode == 0, last.stderr
    assert shrunk.artifacts(run) == shrunk.artifacts(finished.run)
    assert shrunk.timeless(shrunk.summary(run)) == shrunk.timeless(shrunk.summary(finished.run))


@pytest.mark.slow
@pytest.mark.torch
def test_a_worker_that_is_killed_is_one_line(finished: Finished, tmp_path: Path) -> None:
    run = shutil.copytree(finished.run, tmp_path / "run")
    forget("rl-math", finished.recipe, run)
    process = shrunk.start("run", finished.recipe, "--run", run, "--set", "jobs=2")
    while not (worker := spawned_worker(process.pid)):
        assert process.poll() is None
    os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    line = line_of(subprocess.CompletedProcess([], process.returncode, "", errors))
    assert line.startswith("a worker process was killed, perhaps for want of memory; run the same command again")
    assert shrunk.etalon("run", finished.recipe, "--run", run).returncode == 0
    assert shrunk.artifacts(run) == shrunk.artifacts(finished.run)


def spawned_worker(parent: int) -> int:
    """Process id of a worker, 0 as long as there is none."""
    for child in shrunk.children(parent):
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
    return 0


def test_a_damaged_done_file_names_the_stage_to_redo(recipe: Path) -> None:
    run = recipe.parent / "run"
    folder = run / "stages" / "base"
    folder.mkdir(parents=True)
    (run / "resolved.toml").write_text(recipe.read_text())
    (folder / "DONE.json").write_text(json.dumps({"stage": "base"})[:-3])
    line = complaint("run", recipe, "--run", run, "--dry-run")
    assert line.startswith(f"{folder}/DONE.json: not valid JSON")
