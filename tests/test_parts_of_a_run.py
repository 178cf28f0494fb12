"""Work with a run: parts of the list, another run's stages, what is remembered of --set, and whose directory it is."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import shrunk
from conftest import Finished
from etalon import cli, config
from etalon.config import settled

pytestmark = pytest.mark.torch


@dataclass(frozen=True, kw_only=True)
class Called:
    """What a command line in this process has said."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The last line of a command that the user can put right."""
        assert self.code == 2, self.err
        return self.err.splitlines()[-1].removeprefix("etalon: ")

    @property
    def states(self) -> dict[str, str]:
        """Stage -> state, of a plan."""
        lines = [re.match(r" (\S+) .* (to run|cached|reused|left out)\b", line) for line in self.out.splitlines()]
        return {found[1]: found[2] for found in lines if found}


Etalon = Callable[..., Called]


@pytest.fixture
def etalon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Etalon:
    def call(*arguments: str | Path) -> Called:
        monkeypatch.setattr(sys, "argv", ["etalon", *map(str, arguments)])
        code = cli.main()
        printed = capsys.readouterr()
        return Called(code=code, out=printed.out, err=printed.err)

    return call


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return shrunk.write_recipe(tmp_path)


@pytest.fixture
def run(finished: Finished, tmp_path: Path) -> Path:
    """The finished run, to work with."""
    return shutil.copytree(finished.run, tmp_path / "run")


def redone(before: dict[str, int], run: Path) -> set[str]:
    return {name for name, mark in shrunk.finished_at(run).items() if before.get(name) != mark}


def everything(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of all files, but of the lock, which every call takes."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


# ---- --only and --until


def test_only_of_a_stage_whose_needs_are_missing_is_refused_and_nothing_is_lost(
    recipe: Path, run: Path, etalon: Etalon
) -> None:
    new = run.with_name("new")
    says = "run --until {0} first, or add it to --only"
    line = etalon("run", recipe, "--run", new, "--only", "rl-code").line
    assert line == f"--only rl-code: it needs problems, which is not done; {says.format('problems')}"
    assert not new.exists()
    before = everything(run)
    line = etalon("run", recipe, "--run", run, "--only", "rl-code", "--set", "rl-math.lr=1e-3").line
    assert (
        line
        == f"--only rl-code: it needs rl-long2short, which was done with other values; {says.format('rl-long2short')}"
    )
    shutil.rmtree(run / "stages" / "rl-stem")
    before = everything(run)
    for flag in ((), ("--dry-run",)):
        line = etalon("run", recipe, "--run", run, "--only", "distill,instruct", *flag).line
        assert line == f"--only distill: it needs rl-stem, which is not done; {says.format('rl-stem')}"
    assert everything(run) == before


def test_only_runs_what_it_names_and_its_evaluations_and_says_nothing_of_what_is_out_of_date(
    finished: Finished, recipe: Path, run: Path, etalon: Etalon
) -> None:
    marks = shrunk.finished_at(run)
    part = ("run", recipe, "--run", run, "--only", "distill")
    plan = etalon(*part, "--set", "distill.low=0.2", "--dry-run").states
    assert {name for name, state in plan.items() if state == "to run"} == {"distill", "eval-distill"}
    assert {name for name, state in plan.items() if state == "left out"} == {
        "instruct", "eval-instruct", "clr"
    }  # fmt: skip
    called = etalon(*part, "--set", "distill.low=0.2")
    assert called.code == 0, called.err
    assert redone(marks, run) == {"distill", "eval-distill"}
    rows = [stage["name"] for stage in shrunk.summary(run)["stages"]]
    assert rows[-1] == "distill"  # instruct started from another
    assert "clr" not in shrunk.summary(run)
    assert (run / "stages" / "instruct" / "DONE.json").is_file()  # and is still there

    again = etalon(*part)
    assert again.err == (f"{run}: kept from an earlier call: --set distill.low=0.2; --no-keep-overrides drops it\n")
    back = etalon(*part, "--no-keep-overrides")
    assert back.err.startswith(f"{run}: dropped from an earlier call: --set distill.low=0.2\n")
    assert shrunk.timeless(shrunk.summary(run)) == shrunk.timeless(shrunk.summary(finished.run))
    assert shrunk.artifacts(run) == shrunk.artifacts(finished.run)


def test_until_runs_the_list_up_to_a_stage(recipe: Path, tmp_path: Path, etalon: Etalon) -> None:
    run = tmp_path / "new"
    called = etalon(
        "run", recipe, "--run", run, "--until", "data", "--set", "base.documents=64", "--set", "problems.train=40"
    )
    assert called.code == 0, called.err
    assert shrunk.done(run).keys() == {"problems", "base", "data", "eval-base"}
    assert [stage["name"] for stage in shrunk.summary(run)["stages"]] == ["base"]
    plan = etalon("run", recipe, "--run", run, "--until", "sft-broad-fused", "--dry-run").states
    assert [name for name, state in plan.items() if state == "to run"] == [
        "sft-broad", "sft-broad-fused", "eval-sft-broad", "eval-sft-broad-fused"
    ]  # fmt: skip
    assert {plan[name] for name in ("rl-math", "clr", "eval-instruct")} == {"left out"}
    assert {plan[name] for name in ("problems", "base", "data", "eval-base")} == {"cached"}


def test_parts_that_do_not_go_together_are_refused(recipe: Path, tmp_path: Path, etalon: Etalon) -> None:
    def say(*arguments: str) -> str:
        return etalon("run", recipe, "--run", tmp_path / "new", *arguments).line

    for other in ("--until", "--from"):
        says = "--only: names the stages that run; leave out --until and --from"
        assert say("--only", "base", other, "base") == says
    for nothing in ("", ",", " , "):
        assert say("--only", nothing) == "--only: names no stage; write --only STAGE[,STAGE]"
    assert say("--only", "base,bse").startswith(
        "--only bse: no stage 'bse'; did you mean 'base'? stages are problems, "
    )
    assert not (tmp_path / "new").exists()


# ---- --reuse


def test_another_run_is_reused_where_the_keys_are_the_same(
    finished: Finished, recipe: Path, tmp_path: Path, etalon: Etalon
) -> None:
    run, reuse = tmp_path / "new", ("--reuse", finished.run)
    leftover = run / "stages" / ".base.partial"  # of a process that was killed while it copied
    leftover.mkdir(parents=True)
    (run / "resolved.toml").write_text('name = "shrunk"\n')
    part = ("run", recipe, "--run", run, "--only", "problems,base", "--set", "data.paths=1")
    plan = etalon(*part, *reuse, "--dry-run").states
    same = ["problems", "base", "eval-base"]
    assert [name for name, state in plan.items() if state == "reused"] == same
    assert plan["data"] == "left out"
    called = etalon(*part, *reuse)
    assert called.code == 0, called.err
    assert f"reused from {finished.run}: problems, base, eval-base\n" in called.err
    assert shrunk.done(run) == {name: shrunk.done(finished.run)[name] for name in same}
    assert not leftover.exists()
    assert "reused from" in (again := etalon(*part, *reuse)).err
    assert "nothing; no finished stage there has the same key" in again.err


def test_a_disk_that_is_full_while_another_run_is_copied_costs_only_time(
    finished: Finished, recipe: Path, tmp_path: Path, etalon: Etalon
) -> None:
    run = tmp_path / "new"
    part = ("run", recipe, "--run", run, "--only", "problems,base", "--reuse", finished.run)

    largest = max(path.stat().st_size for path in (finished.run / "stages" / "problems").iterdir())

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 1, resource.RLIM_INFINITY))

    command = shrunk.command(*part)
    full = subprocess.run(
        command, capture_output=True, text=True, env=shrunk.ENVIRONMENT, preexec_fn=limit, check=False
    )
    assert full.returncode == 2, full.stderr
    told = f"etalon: file size limit reached while writing {run}/stages/.base.partial; free some and run the same"
    assert full.stderr.startswith(told)
    assert shrunk.done(run).keys() == {"problems"}
    assert etalon("run", recipe, "--run", run, "--dry-run").states["problems"] == "cached"  # it is nobody else's
    assert etalon(*part).code == 0
    assert shrunk.done(run) == shrunk.done(finished.run)
    assert not list(run.glob("stages/.*"))


def test_what_is_no_run_cannot_be_reused(recipe: Path, tmp_path: Path, etalon: Etalon) -> None:
    for other in (tmp_path / "gone", tmp_path):
        line = etalon("run", recipe, "--run", tmp_path / "new", "--reuse", other).line
        assert line == f"--reuse {other}: is not a run directory: it has no stages"
    assert not (tmp_path / "new").exists()


# ---- what is remembered


def test_overrides_stay_with_the_run_and_every_call_says_which_it_keeps_replaces_or_drops(
    recipe: Path, run: Path, etalon: Etalon
) -> None:
    def plan(*arguments: str) -> Called:
        return etalon("run", recipe, "--run", run, "--dry-run", *arguments)

    (run / "overrides").write_text("rl.gamma=0.0\nclr.prior=0.25\n")
    before = everything(run)
    kept = plan()
    assert kept.err == (
        f"{run}: kept from an earlier call: --set rl.gamma=0.0; --no-keep-overrides drops it\n"
        f"{run}: kept from an earlier call: --set clr.prior=0.25; --no-keep-overrides drops it\n"
    )
    assert (kept.states["sft-hard-fused"], kept.states["rl-math"], kept.states["clr"]) == ("cached", "to run", "to run")
    replaced = plan("--set", "rl.gamma=1", "--set", "clr.prior=0.25")
    assert replaced.err == f"{run}: --set rl.gamma=1 replaces rl.gamma=0.0 of an earlier call\n"
    assert (replaced.states["rl-math"], replaced.states["clr"]) == ("cached", "to run")
    assert plan("--set", "rl.gamma=0").err == (
        f"{run}: kept from an earlier call: --set clr.prior=0.25; --no-keep-overrides drops it\n"
    )
    dropped = plan("--no-keep-overrides", "--set", "rl.gamma=1")
    assert dropped.err == (
        f"{run}: --set rl.gamma=1 replaces rl.gamma=0.0 of an earlier call\n"
        f"{run}: dropped from an earlier call: --set clr.prior=0.25\n"
    )
    assert set(dropped.states.values()) == {"cached"}
    assert everything(run) == before  # a dry run changes nothing, not what is remembered either


def test_a_remembered_override_holds_from_any_folder_and_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.jsonl").write_text("")
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "a").mkdir()
    recipe = config.load(
        shrunk.write_recipe(tmp_path, '[[stages]]\nname = "a"\nkind = "rl"\n[[stages]]\nname = "d"\nkind = "distill"')
    )
    monkeypatch.chdir(tmp_path)
    assert settled("problems.files=p.jsonl", recipe) == f'problems.files=["{tmp_path}/p.jsonl"]'
    assert settled("a.reward=mine.py:half", recipe) == f'a.reward="{tmp_path}/mine.py:half"'
    assert settled("d.teachers={math='a', code='gone'}", recipe) == 'd.teachers={math = "a", code = "gone"}'
    assert settled("rl.gamma=0", recipe) == "rl.gamma=0"
    assert settled("model.system=one\ntwo", recipe) == 'model.system="one\\ntwo"'
    for override in ("problems.files=p.jsonl", "a.reward=mine.py:half", "model.system=one\ntwo", "name=2026"):
        again = settled(override, recipe)
        assert settled(again, recipe) == again
        path = shrunk.write_recipe(tmp_path, '[[stages]]\nname = "a"\nkind = "rl"\n')
        monkeypatch.chdir(tmp_path)
        one = config.load(path, [override])
        monkeypatch.chdir("/")
        assert config.load(path, [again]) == one
        monkeypatch.chdir(tmp_path)


# ---- whose directory it is


def test_the_directory_of_another_recipe_is_refused_before_anything_of_it_is_read(
    recipe: Path, run: Path, tmp_path: Path, etalon: Etalon
) -> None:
    (run / "overrides").write_text("rl-math.steps=3\n")  # which the other recipe could not take
    other = tmp_path / "other.toml"
    other.write_text('name = "other"\n[[stages]]\nname = "rl"\nkind = "rl"\n')
    before = everything(run)
    for arguments in (("--dry-run",), (), ("--only", "rl"), ("--set", "rl.steps=3")):
        called = etalon("run", other, "--run", run, *arguments)
        assert called.line == f"{run}: was made by recipe 'shrunk', not 'other'; use another --run directory"
        assert called.err.count("\n") == 1
    assert everything(run) == before


def test_a_name_given_by_set_is_said_anew_by_every_call(recipe: Path, run: Path, etalon: Etalon) -> None:
    """Or any recipe would be taken for the one whose directory it is."""
    resolved = run / "resolved.toml"
    resolved.write_text(resolved.read_text().replace('name = "shrunk"', 'name = "mine"', 1))
    (run / "overrides").write_text('name="mine"\n')
    assert etalon("run", recipe, "--run", run, "--dry-run").line == (
        f"{run}: was made by recipe 'mine', not 'shrunk'; use another --run directory"
    )
    named = etalon("run", recipe, "--run", run, "--dry-run", "--set", "name=mine")
    assert (named.code, named.err) == (0, "")


# ---- evaluation only where it is asked for


def test_evaluation_after_some_stages_gives_the_others_a_dash_and_names_no_evaluation_that_is_not_there(
    branched: Finished, tmp_path: Path, etalon: Etalon
) -> None:
    run = shutil.copytree(branched.run, tmp_path / "branched")
    name, same = "rl-none", "rl-stem-plain"
    assert shrunk.done(run)[f"eval-{name}"]["outputs"] == {"as": same}
    marks = shrunk.finished_at(run)
    called = etalon("run", branched.recipe, "--run", run, "--set", f"eval.after=['rl-math','{name}','rl-code']")
    assert called.code == 0, called.err
    assert redone(marks, run) == {f"eval-{name}"}  # there is nothing left that it could name
    rows = {stage["name"]: stage for stage in shrunk.summary(run)["stages"]}
    assert [stage for stage, row in rows.items() if row["domains"]] == ["rl-math", "rl-code", name]
    assert "as" not in rows[name]
    shown = {
        line.split()[0]: line.split()[1:] for line in called.out.splitlines() if line.startswith(" ") and line.split()
    }
    assert shown["rl-stem"][:6] == ["-", "-", "-", "-", "not", "evaluated"]

    before = {stage["name"]: stage for stage in shrunk.summary(branched.run)["stages"]}
    for domain, scores in rows[name]["domains"].items():
        whole = before[same]["domains"][domain]  # the very weights
        assert {key: scores[key] for key in ("pass1", "passk", "mean_tokens")} == {
            key: whole[key] for key in ("pass1", "passk", "mean_tokens")
        }
        assert scores["delta"] == pytest.approx(scores["pass1"] - rows["rl-code"]["domains"][domain]["pass1"])
    assert "delta" not in rows["rl-math"]["domains"]["math"]  # nothing before it was evaluated
    code = rows["rl-code"]["domains"]
    for domain, scores in code.items():  # against the nearest before it that was
        assert scores["delta"] == pytest.approx(scores["pass1"] - rows["rl-math"]["domains"][domain]["pass1"])
