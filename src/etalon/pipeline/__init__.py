"""The pipeline: what runs, what is cached, what resumes. Training loads when a stage starts, not on import."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from etalon import config
from etalon.config.stages import EVALUATION, PREFLIGHT, PROBLEMS
from etalon.engines.jobs import engine_of
from etalon.errors import ConfigError, RunError
from etalon.pipeline.graph import Graph, graph_of
from etalon.pipeline.inputs import check_device, check_endpoints, checked_inputs
from etalon.pipeline.plan import print_lines, print_plan
from etalon.pipeline.reckoning import as_found
from etalon.pipeline.seconds import measured_in
from etalon.pipeline.stage import Stage, finished
from etalon.pipeline.stages.problems import read_file
from etalon.recipe import Recipe
from etalon.show.progress import Progress
from etalon.store import TEMPORARY_SUFFIX, RunLock, StageDir, write_atomic, write_json_atomic, writing
from etalon.track.beside import tracked
from etalon.track.trackers import require
from etalon.types import Domain

PEEKED_BYTES = 100_000_000  # (ours) of problem files that a dry run reads, to plan for the domains they hold
LOCK_SECONDS = 2.0  # (ours) how long to wait for a process that is ending
PARTIAL_SUFFIX = ".partial"  # of a stage that is being copied from another run


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which part of a recipe a call asks for. Names are of stages; at most one of `only` and `until` is given.

    from_stage: forget this stage and all that need it. only: these alone. until: the list up to this one. reuse: a run
    whose stages with the same keys are taken. preflight: look at the model first, and stop where nothing is learned.
    """

    from_stage: str | None = None
    only: tuple[str, ...] = ()
    until: str | None = None
    reuse: Path | None = None
    preflight: bool = True


def run(
    recipe: Recipe,
    *,
    run_dir: Path,
    recipe_path: Path | None = None,
    choice: Choice | None = None,
    overrides: Sequence[str] = (),
    dry_run: bool = False,
) -> None:
    """Run a recipe in a directory: skip what is done, resume what is not, redo what changed.

    overrides: the `--set` that made the recipe, which stay with the directory. dry_run: print the plan and stop.
    Raises EtalonError for what the user can fix.
    """
    choice = choice or Choice()
    recipe = recipe.resolved()
    absent = checked_inputs(recipe, recipe_path, is_plan=dry_run)
    graph = graph_of(recipe, preflight=choice.preflight)
    check_names(graph, choice)
    check_owner(run_dir, recipe.name)
    directories, chosen = graph.directories(run_dir), chosen_stages(graph, choice)
    keys = {} if absent else graph.keys()
    reused = reusable(choice.reuse, graph, keys, directories) if choice.reuse is not None else []
    if keys:
        check_needs(graph, chosen, keys, directories, reused=reused)
    if dry_run:
        lines = planned(recipe, run_dir)
        problems = found_problems(graph, keys, directories)
        print_plan(
            graph_of(with_domains_found(recipe, problems), preflight=choice.preflight), keys or None, directories,
            from_stage=choice.from_stage, chosen=chosen, reused=reused, absent=absent,
            measured=measured_in([*([choice.reuse] if choice.reuse is not None else []), run_dir], graph),
        )  # fmt: skip
        print_lines(lines)
        return
    check_endpoints(recipe)
    check_device(recipe)
    require(recipe.track)
    engine_of(recipe).check()
    with RunLock(run_dir, wait_seconds=LOCK_SECONDS):
        write_run_files(recipe, run_dir, recipe_path, overrides)  # first: killed in what follows, it is still a run
        prepare(graph, choice, run_dir, reused=reused)
        carry_out(graph, run_dir, keys, chosen=chosen, goes_on=not choice.preflight)


def carry_out(graph: Graph, run_dir: Path, keys: Mapping[str, str], *, chosen: frozenset[str], goes_on: bool) -> None:
    """Run what is chosen and not done, followed by the recipe's trackers; then summary, report and table."""
    from etalon.pipeline.runner import Runner
    from etalon.pipeline.summary import summarise

    directories = graph.directories(run_dir)
    runner = Runner(
        graph=graph, run_dir=run_dir, progress=Progress(), keys=keys, directories=directories, chosen=chosen,
        goes_on=goes_on,
    )  # fmt: skip
    with tracked(graph.recipe.track, run_dir, keys):
        waited = runner.run()
    finish(run_dir, summarise(graph, keys, directories, wait_seconds=waited))


def found_problems(
    graph: Graph, keys: Mapping[str, str], directories: Mapping[str, Path]
) -> Mapping[str, Mapping[str, int]] | None:
    """Split -> domain -> problems, where this run has read them already."""
    done = finished(graph.by_name[PROBLEMS], keys[PROBLEMS], directories[PROBLEMS]) if keys else None
    return done["outputs"]["counts"] if done else None


def with_domains_found(recipe: Recipe, counts: Mapping[str, Mapping[str, int]] | None) -> Recipe:
    """For a plan: the problems that were found, or the domains that the recipe's files hold, where quick to read."""
    spec = recipe.problems
    if counts is not None:
        return as_found(recipe, counts)
    names = (*spec.files, *spec.test_files)
    if spec.domains or not names or not all(Path(file).is_file() for file in names):
        return recipe
    if sum(Path(file).stat().st_size for file in names) > PEEKED_BYTES:
        return recipe
    found = {problem.domain for file in names for problem in read_file(recipe, file)}
    domains = tuple(domain.value for domain in Domain if domain in found)
    return recipe.model_copy(update={"problems": spec.model_copy(update={"domains": domains})})


def check_names(graph: Graph, choice: Choice) -> None:
    """ConfigError for a stage that the call names and the recipe does not have."""
    named = [("--from", choice.from_stage), ("--until", choice.until), *(("--only", name) for name in choice.only)]
    for option, name in named:
        if name:
            graph.find(name, option=option)


def prepare(graph: Graph, choice: Choice, run_dir: Path, *, reused: Sequence[str]) -> None:
    """Take what another run has, then forget what is to be redone."""
    directories = graph.directories(run_dir)
    clear_partial(run_dir)
    if choice.reuse is not None:
        reuse(choice.reuse, reused, directories)
    if choice.from_stage:
        forget(graph.dependents([choice.from_stage]), directories)


def chosen_stages(graph: Graph, choice: Choice) -> frozenset[str]:
    """The stages that may run: all, those named, or what the list holds up to one; with their evaluations."""
    if not choice.only and choice.until is None:
        return frozenset(graph.by_name)
    if choice.only:
        names = set(choice.only)
        look = graph.by_name.get(PREFLIGHT)  # which what starts from a given model does not get round
        if look is not None and any(graph.by_name[name].source == look.source for name in names):
            names.add(PREFLIGHT)
    else:
        listed = [stage.name for stage in graph.stages if stage.others and not stage.is_background]
        names = graph.needed(
            listed[: listed.index(choice.until) + 1] if choice.until in listed else [choice.until or ""]
        )
    return frozenset(names | {stage.name for stage in graph.stages if is_evaluation(stage) and stage.source in names})


def is_evaluation(stage: Stage) -> bool:
    """Whether a stage is the evaluation beside another."""
    return stage.name.startswith(EVALUATION)


def check_needs(
    graph: Graph,
    chosen: Collection[str],
    keys: Mapping[str, str],
    directories: Mapping[str, Path],
    *,
    reused: Collection[str] = (),
) -> None:
    """ConfigError for a chosen stage that needs one which is neither chosen, nor done, nor of a run that is reused."""
    for stage in graph.stages:
        for name in stage.needs if stage.name in chosen else ():
            if name in chosen or name in reused or finished(graph.by_name[name], keys[name], directories[name]):
                continue
            state = "is not done" if StageDir(directories[name]).done() is None else "was done with other values"
            raise ConfigError(
                f"--only {stage.name}: it needs {name}, which {state}; run --until {name} first, or add it to --only"
            )


def reusable(other: Path, graph: Graph, keys: Mapping[str, str], directories: Mapping[str, Path]) -> list[str]:
    """The stages of another run that were finished with the keys that are wanted here, and are not here already."""
    if not (other / "stages").is_dir():
        raise RunError(f"--reuse {other}: is not a run directory: it has no stages")
    return [
        stage.name
        for stage in graph.stages
        if stage.name in keys
        and finished(stage, keys[stage.name], other / "stages" / stage.name) is not None
        and finished(stage, keys[stage.name], directories[stage.name]) is None
    ]


def reuse(other: Path, names: Sequence[str], directories: Mapping[str, Path]) -> None:
    """Copy these stages of another run, and say which."""
    for name in names:
        take(other / "stages" / name, directories[name])
    told = ", ".join(names) if names else "nothing; no finished stage there has the same key"
    sys.stderr.write(f"reused from {other}: {told}\n")


def take(source: Path, directory: Path, *, link: bool = False) -> None:
    """A finished stage of another run as one of this: killed half way, what was not taken whole is not there.

    link: as further names of the same files where the file system can do that, for runs that nobody edits.
    """
    done = StageDir(source).done()
    assert done is not None
    partial = directory.with_name(f".{directory.name}{PARTIAL_SUFFIX}")
    shutil.rmtree(partial, ignore_errors=True)  # its files may be those of another run, which a copy would overwrite
    copy_files(source, partial, link=link)
    StageDir(partial).finish(done)
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)


def copy_files(source: Path, target: Path, *, link: bool) -> None:
    """All files of a stage but DONE.json. RunError on a full disk, which `shutil.copytree` tells without its errno."""
    with writing(target):
        for path in source.rglob("*"):
            if path.is_file() and path.name != "DONE.json":
                copy = target / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                if not (link and _linked(path, copy)):
                    shutil.copyfile(path, copy)


def _linked(path: Path, name: Path) -> bool:
    """Whether the file has this further name now; not on another disk, nor where the file system has no such thing."""
    try:
        os.link(path, name)
    except OSError:
        return False
    return True


def clear_partial(run_dir: Path) -> None:
    """Drop what a process that was killed while it reused another run has left."""
    for leftover in (run_dir / "stages").glob(f".*{PARTIAL_SUFFIX}"):
        shutil.rmtree(leftover)


def finish(run_dir: Path, summary: dict[str, Any]) -> None:
    """summary.json (left as it is when nothing new was measured), report.html and the table."""
    from etalon.report import write_report
    from etalon.show.table import print_summary

    path = run_dir / "summary.json"
    timeless = {k: v for k, v in summary.items() if k not in ("seconds", "peak_memory_mb")}
    if path.exists():
        old = json.loads(path.read_text())
        if {k: v for k, v in old.items() if k not in ("seconds", "peak_memory_mb")} == json.loads(json.dumps(timeless)):
            summary = old
    write_json_atomic(path, summary)
    write_report(run_dir)
    print_summary(summary)


def planned(recipe: Recipe, run_dir: Path) -> list[str]:
    """What the recipe's engine would start, for a dry run; said in words where this installation lacks the engine."""
    try:
        return engine_of(recipe).plan(run_dir)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("etalon.engines"):
            raise
        return [f"engine {recipe.engine!r} is not part of this installation; it can be planned, not run"]


def check_owner(run_dir: Path, name: str) -> None:
    """A run directory belongs to one recipe name; changing values within it is fine."""
    if not run_dir.exists():
        return
    resolved = run_dir / "resolved.toml"
    if resolved.exists():
        owner = owner_of(resolved)
        if owner != name:
            raise RunError(f"{run_dir}: was made by recipe {owner!r}, not {name!r}; use another --run directory")
    elif run_dir.is_dir() and any(p.name != ".lock" and p.suffix != TEMPORARY_SUFFIX for p in run_dir.iterdir()):
        raise RunError(f"{run_dir}: is not empty and not a run directory; use another --run directory")


def owner_of(resolved: Path) -> str:
    """The name of the recipe that made a run, whatever version of etalon wrote it."""
    try:
        return str(tomllib.loads(resolved.read_text(encoding="utf-8"))["name"])
    except (ValueError, KeyError):
        raise RunError(f"{resolved}: cannot be read, so nobody knows whose run this is; use another --run") from None


def forget(names: Collection[str], directories: Mapping[str, Path]) -> None:
    """Drop these stages."""
    for name in names:
        if directories[name].exists():
            StageDir(directories[name]).clear()


def write_run_files(recipe: Recipe, run_dir: Path, recipe_path: Path | None, overrides: Sequence[str]) -> None:
    """recipe.toml as written, resolved.toml with every value, overrides one a line, env.json with versions."""
    write_atomic(run_dir / "resolved.toml", config.to_toml(recipe))  # first: it makes the directory a run
    if recipe_path is not None:
        write_atomic(run_dir / "recipe.toml", recipe_path.read_bytes())
    write_atomic(run_dir / config.OVERRIDES, "".join(f"{config.settled(one, recipe)}\n" for one in overrides))
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("etalon", "torch", "transformers", "math-verify"):
        versions[package] = metadata.version(package)
    write_json_atomic(run_dir / "env.json", versions)
