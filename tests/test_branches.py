"""A recipe of branches from a finished run: what it takes from there, what each row says, what a change redoes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import shrunk
from conftest import Finished
from etalon import config, pipeline
from etalon.pipeline import Choice

pytestmark = pytest.mark.torch

SHARED = ["base", "sft-broad", "sft-broad-fused", "sft-hard", "sft-hard-fused"]
ROWS = {"code": "sft-hard-fused", "math": "code", "math-grpo": "code", "both": "code"}  # and what each starts from


def rerun(recipe: Path, run: Path, *overrides: str, **asked: Any) -> None:
    """The recipe again, in this process. asked: the fields of `Choice`."""
    pipeline.run(config.load(recipe, overrides), run_dir=run, recipe_path=recipe, choice=Choice(**asked))


def redone(before: dict[str, int], run: Path) -> set[str]:
    """Stages that were finished since."""
    return {name for name, mark in shrunk.finished_at(run).items() if before.get(name) != mark}


def rows(run: Path) -> dict[str, dict[str, Any]]:
    return {stage["name"]: stage for stage in shrunk.summary(run)["stages"]}


def test_what_two_recipes_share_is_taken_and_nothing_but_rl_is_run(finished: Finished, four_phases: Finished) -> None:
    done, before = shrunk.done(four_phases.run), shrunk.done(finished.run)
    evaluations = [f"eval-{name}" for name in SHARED]
    taken = ["problems", "base", "data", *SHARED[1:], *evaluations]
    assert f"reused from {finished.run}: {', '.join(taken)}\n" in four_phases.printed.stderr
    assert done.keys() == {*taken, *ROWS, *(f"eval-{name}" for name in ROWS)}
    assert all(done[name] == before[name] for name in taken)
    for name in taken:
        copied, original = four_phases.run / "stages" / name, finished.run / "stages" / name
        files = {path.relative_to(copied): path for path in copied.rglob("*") if path.is_file()}
        assert files.keys() == {path.relative_to(original) for path in original.rglob("*") if path.is_file()}
        assert all((original / name).read_bytes() == path.read_bytes() for name, path in files.items())
    assert not any(f"\n{name}: " in f"\n{four_phases.printed.stderr}" for name in taken)  # announced as running


def test_every_row_says_its_kind_what_it_starts_from_and_what_it_trained_on(four_phases: Finished) -> None:
    found = rows(four_phases.run)
    assert list(found) == [*SHARED, *ROWS]
    for name, source in ROWS.items():
        assert (found[name]["kind"], found[name]["from"]) == ("rl", source)
        assert "skipped" not in found[name]
        inputs = shrunk.read_inputs(four_phases.run, name)
        assert (inputs["kind"], inputs["from"], inputs["section"]) == ("rl", source, "2.2")
    assert [found[name]["trained_on"] for name in ROWS] == [["code"], ["math"], ["math"], ["math", "code"]]
    keys = {name: shrunk.read_inputs(four_phases.run, name)["keys"] for name in ROWS}
    assert [keys[name]["gamma"] for name in ROWS] == [1.0, 1.0, 0.0, 1.0]
    assert [keys[name]["lambda"] for name in ROWS] == [0.0, 0.0, 0.0, 0.2]
    assert "clr" not in shrunk.summary(four_phases.run)


def test_a_change_is_measured_against_the_stage_a_branch_starts_from(four_phases: Finished) -> None:
    from etalon.problems.clusters import read_clusters
    from etalon.stats import paired_difference
    from etalon.store import read_json

    means = {name: read_json(four_phases.run / "stages" / f"eval-{name}" / "means.json") for name in ROWS}
    found = rows(four_phases.run)
    clusters = read_clusters(four_phases.run / "stages" / "problems")
    for name in ("math", "math-grpo", "both"):
        for domain, scores in found[name]["domains"].items():
            change = paired_difference(means["code"][domain], means[name][domain], clusters=clusters)
            assert (scores["delta"], scores["delta_low"]) == (change.mean, change.low)


def test_a_second_run_does_nothing_and_another_gamma_redoes_that_branch_alone(
    four_phases: Finished, tmp_path: Path
) -> None:
    run = shutil.copytree(four_phases.run, tmp_path / "run")
    marks, summary = shrunk.finished_at(run), (run / "summary.json").read_bytes()
    rerun(four_phases.recipe, run)
    assert redone(marks, run) == set()
    assert (run / "summary.json").read_bytes() == summary
    rerun(four_phases.recipe, run, "math-grpo.gamma=0.5")
    assert redone(marks, run) == {"math-grpo", "eval-math-grpo"}
    before, after = rows(four_phases.run), rows(run)
    assert {name for name in after if shrunk.timeless(after[name]) != shrunk.timeless(before[name])} <= {"math-grpo"}


def test_branches_may_be_grown_in_the_directory_of_the_run_they_start_from(
    finished: Finished, four_phases: Finished, tmp_path: Path
) -> None:
    run = shutil.copytree(finished.run, tmp_path / "run")
    marks = shrunk.finished_at(run)
    rerun(four_phases.recipe, run, only=("code",))
    assert redone(marks, run) == {"code", "eval-code"}
    assert shrunk.done(run)["code"]["key"] == shrunk.done(four_phases.run)["code"]["key"]
    assert list(rows(run)) == [*SHARED, "code"]  # what the recipe does not list is no row, though it stays
    assert (run / "stages" / "rl-math" / "DONE.json").is_file()
    rerun(finished.recipe, run)
    assert redone(marks, run) == {"code", "eval-code"}  # and nothing of the other was lost
    assert shrunk.timeless(shrunk.summary(run)) == shrunk.timeless(shrunk.summary(finished.run))


OWN_KIND = '''
from dataclasses import dataclass
from typing import ClassVar

from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.recipe import Spec


class Keys(Spec):
    other: str
    weight: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Between(Stage):
    """Weights between those of two stages."""

    Spec: ClassVar[type] = Keys
    trains: ClassVar[bool] = False

    @property
    def needs(self):
        return (*super().needs, self.spec.other)

    def run(self, work: Work) -> Outputs:
        from etalon.sft.fuse import fuse

        weight = self.spec.weight
        members = [(work.source, weight), (work.checkpoint(self.spec.other), 1 - weight)]
        work.view.note(f"{weight} of {self.source}")
        return {"checkpoint": work.keep_checkpoint(fuse(members, work.directory / "checkpoint"))}
'''


def test_a_kind_of_the_users_own_is_run_shown_and_redone_like_any_other(four_phases: Finished, tmp_path: Path) -> None:
    """From a file beside the recipe, with keys of its own; its evaluation in a worker, which loads the file again."""
    run = shutil.copytree(four_phases.run, tmp_path / "run")
    kind = (
        '[[stages]]\nname = "between"\nkind = "kinds.py:Between"\nfrom = "math"\nother = "math-grpo"\nweight = 0.25\n'
    )
    (tmp_path / "kinds.py").write_text(OWN_KIND)
    recipe = shrunk.write_recipe(tmp_path, f"{shrunk.branches()}\n{kind}")
    marks = shrunk.finished_at(run)
    printed = shrunk.etalon("run", recipe, "--run", run, "--set", "jobs=2")
    assert printed.returncode == 0, printed.stderr
    assert "between: Weights between those of two stages. (ours)\n  0.25 of math\n" in printed.stderr
    assert redone(marks, run) == {"between", "eval-between"}
    row = rows(run)["between"]
    assert (row["kind"], row["from"]) == (f"{tmp_path}/kinds.py:Between", "math")
    assert list(row["domains"]) == ["math", "code", "stem", "instruct", "claims"]
    assert shrunk.read_inputs(run, "between")["keys"] == {"other": "math-grpo", "weight": 0.25}
    before, after = (shrunk.weights(run, name) for name in ("math-grpo", "between"))
    name = next(iter(before))
    assert after[name].allclose(0.25 * shrunk.weights(run, "math")[name] + 0.75 * before[name], atol=1e-6)

    def planned(*overrides: str) -> str:
        flags = [part for override in overrides for part in ("--set", override)]
        again = shrunk.etalon("run", recipe, "--run", run, "--dry-run", *flags)
        assert again.returncode == 0, again.stderr
        return again.stdout.splitlines()[-1]

    assert planned().startswith("0 of ")
    assert planned("between.weight=0.5").startswith("2 of ")
    (tmp_path / "kinds.py").write_text(OWN_KIND + "\n# edited\n")
    assert planned().startswith("2 of ")
    refused = shrunk.etalon("run", recipe, "--run", run, "--dry-run", "--set", "between.weigth=0.5")
    assert refused.returncode == 2
    assert refused.stderr.endswith("\netalon: --set between.weigth: unknown key; did you mean 'weight'?\n")
