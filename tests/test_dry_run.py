"""`etalon run RECIPE --dry-run` of the papers' recipes: on a laptop, without model, problems or torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import shrunk
from etalon import config
from etalon.config.stages import listed
from etalon.errors import ConfigError
from etalon.pipeline import run
from etalon.pipeline.graph import graph_of

PAPERS = ("vibethinker-1.5b", "vibethinker-3b")
PROGRAM = (
    "import sys; from etalon.cli import main; code = main(); "
    "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
)


def etalon(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True, text=True, env=shrunk.ENVIRONMENT, cwd=folder, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.live
def test_a_papers_recipe_is_planned_where_nothing_is_at_hand(name: str, tmp_path: Path) -> None:
    planned = etalon("run", name, "--dry-run", folder=tmp_path)
    assert planned.returncode == 0, planned.stderr
    configs = [path for path in tmp_path.rglob("*") if path.is_file()]  # of verl; of the run itself there is nothing
    assert {path.parent for path in configs} == {tmp_path / "runs" / f"{name}.verl"}
    loaded = set(planned.stderr.split("LOADED", 1)[1].split())
    assert "etalon" in loaded
    assert not loaded & {"torch", "transformers", "numpy", "ray", "math_verify"}
    lines = planned.stdout.splitlines()
    stages = graph_of(config.load(config.packaged_recipe(name)).resolved()).stages
    assert len(stages) == {"vibethinker-1.5b": 16, "vibethinker-3b": 26}[name]
    lines = lines[: lines.index(f"{len(stages)} of {len(stages)} stages to run") + 1]  # then what the engine starts
    assert max(map(len, lines)) <= 100
    for stage in stages:
        assert any(line.split()[:1] == [stage.name] and "to run" in line for line in lines), stage.name
    assert "GPU-hours" in planned.stdout
    assert "AdamW moments (fp32)" in planned.stdout
    assert "- problems.files: problems.jsonl: not here" in lines
    assert any(line.startswith("- model.base: models/Qwen2.5-") and line.endswith("not here") for line in lines)
    assert "positions of model.base end at" in planned.stdout


def one_line(printed: str) -> str:
    """However wide it was."""
    return " ".join(printed.split())


@pytest.mark.parametrize("name", ["smollm2", "smollm2-rl"])
def test_a_recipe_whose_files_are_to_be_made_says_where_it_says_how(name: str, tmp_path: Path) -> None:
    made = f"the commands that make what it needs are at the head of {config.packaged_recipe(name)}"
    planned = etalon("run", name, "--dry-run", folder=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "- form.traces: form.jsonl: not here" in planned.stdout.splitlines()
    assert f"- {made}" in one_line(planned.stdout)
    begun = etalon("run", name, folder=tmp_path)
    assert begun.returncode == 2
    assert begun.stderr.startswith("etalon: problems.files: ")
    assert f": no such file; {made}\n" in begun.stderr
    (tmp_path / "form.jsonl").write_text("{}\n")
    planned = etalon("run", name, "--dry-run", folder=tmp_path)
    assert "form.jsonl: not here" not in planned.stdout
    assert f"- {made}" in one_line(planned.stdout)  # of model.base


def test_who_judges_the_students_own_claims_is_looked_for_without_a_data_stage_too(tmp_path: Path) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text(
        'model = { base = "nowhere" }\ndata = { teacher = "teacher-dir" }\n'
        '[[stages]]\nname = "base"\nkind = "base"\n'
        '[[stages]]\nname = "distill"\nkind = "distill"\nstudent = "base"\n'
        'teachers = { math = "base" }\nown_claims = 3\n'
    )
    planned = etalon("run", str(recipe), "--dry-run", folder=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "- data.teacher: teacher-dir: not here" in planned.stdout.splitlines()


@pytest.mark.parametrize("name", PAPERS)
def test_the_repository_shows_the_packaged_recipe(name: str) -> None:
    shown = Path(__file__).parents[1] / "recipes" / f"{name}.toml"
    assert shown.read_text() == config.packaged_recipe(name).read_text()


@pytest.mark.parametrize("name", PAPERS)
def test_every_value_of_a_papers_recipe_says_where_it_is_from(name: str) -> None:
    lines = config.packaged_recipe(name).read_text().splitlines()
    tables = [number for number, line in enumerate(lines) if line.startswith("[")]
    unsaid = []
    for number, line in enumerate(lines):
        if "=" not in line.split("#")[0] or line.startswith(("#", "name", "micro_tokens")):
            continue
        head = max((table for table in tables if table < number), default=0)
        if "#" not in line and "published" not in line and "#" not in lines[head]:
            unsaid.append(line)
    assert len(lines) > 60
    assert not unsaid


def test_the_3b_recipe_has_the_numbers_of_its_paper() -> None:
    recipe = config.load(config.packaged_recipe("vibethinker-3b"))
    optim = recipe.sft.optim
    assert (recipe.sft.batch, optim.lr, optim.final_lr, optim.warmup) == (128, 5e-5, 8e-8, 0.05)
    stages = {stage.name: stage for stage in listed(recipe)}
    broad, hard = stages["sft-broad"].spec, stages["sft-hard"].spec
    assert (broad.traces, broad.epochs, hard.traces, hard.epochs) == ("all", 5, "hard", 2)
    assert (hard.min_tokens, hard.min_error_rate, hard.difficulty_attempts) == (5000, 0.75, 8)
    phases = [(stage.name, stage.domains, stage.spec.lambda_) for stage in stages.values() if stage.kind == "rl"]
    assert phases == [
        ("rl-math", ("math",), 0), ("rl-long2short", ("math",), 0.2), ("rl-code", ("code",), 0),
        ("rl-stem", ("stem",), 0), ("instruct", ("instruct",), 0),
    ]  # fmt: skip
    assert stages["distill"].spec.teachers == {"math": "rl-long2short", "code": "rl-code", "stem": "rl-stem"}
    assert (recipe.data.ngram, recipe.rl.std_ddof) == (10, 0)
    assert recipe.rl.max_tokens == recipe.eval.max_tokens == 65536
    assert (recipe.eval.n, recipe.eval.temperature, recipe.eval.top_p) == (64, 1.0, 0.95)
    assert (recipe.clr.k, recipe.clr.m) == (32, 5)


def test_the_1_5b_recipe_has_the_numbers_of_its_paper() -> None:
    recipe = config.load(config.packaged_recipe("vibethinker-1.5b"))
    assert (recipe.data.ngram, recipe.fuse.weights, recipe.rl.std_ddof) == (10, {}, 0)
    assert (recipe.eval.max_tokens, recipe.eval.n, recipe.eval.top_p) == (40960, 64, 0.95)
    assert [stage.kind for stage in listed(recipe)] == ["base", "data", "sft", "fuse", "rl", "rl", "rl", "clr"]
    phases = [stage for stage in listed(recipe) if stage.kind == "rl"]
    assert [(stage.domains, stage.spec.max_tokens) for stage in phases] == [
        (("math",), 16384), (("math",), 32768), (("code",), 32768)
    ]  # fmt: skip
    assert {stage.spec.lambda_ for stage in phases} == {0}
    assert recipe.hardware.published_hours == 3900


@pytest.mark.live
def test_gpus_are_given_on_the_command_line(tmp_path: Path) -> None:
    command = ("run", "vibethinker-3b", "--dry-run", "--gpu", "h200", "--gpus", "32")
    assert "on 32 x h200" in etalon(*command, folder=tmp_path).stdout
    refused = etalon("run", "nano", "--gpus", "2", folder=tmp_path)
    assert refused.returncode == 2
    assert "--gpu, --gpus: only reckon; add --dry-run" in refused.stderr
    unknown = etalon("run", "vibethinker-3b", "--dry-run", "--gpu", "h1000", folder=tmp_path)
    assert unknown.returncode == 2
    assert "did you mean 'h100'" in unknown.stderr


@pytest.mark.live
def test_a_model_of_unknown_size_leaves_hours_out_and_says_why(tmp_path: Path) -> None:
    planned = etalon("run", "vibethinker-3b", "--dry-run", "--set", "model.base=models/mine", folder=tmp_path)
    assert planned.returncode == 0
    assert "no hours and no memory: the size of model.base is not known here" in planned.stdout
    assert "GPU-hours" not in planned.stdout


def test_a_run_still_needs_what_the_recipe_names(tmp_path: Path) -> None:
    recipe = config.load(config.packaged_recipe("vibethinker-3b"))
    with pytest.raises(ConfigError, match=r"problems.files: problems.jsonl: no such file"):
        run(recipe, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
