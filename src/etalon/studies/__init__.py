"""Studies: a recipe with what differs and seeds, run as one, paired by seed and problem, told with intervals.

study    what is asked: arms, seeds, measured stages          runner   their runs, several at once, none twice
tasks    a run per arm and seed, what each needs              result   what they found, as JSON and in words
pairing  the statistics                                       table    on the terminal

conduct(study, directory) -> Result
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from etalon.errors import RunError
from etalon.pipeline.seconds import calibrate, measured_in, seconds_forecast
from etalon.show.progress import Progress, show_seconds
from etalon.store import LOCK, RunLock, read_json, write_json_atomic
from etalon.studies.page import write_page
from etalon.studies.result import RESULT, Result, read
from etalon.studies.runner import Runner
from etalon.studies.study import RECIPE, Study, write_recipe
from etalon.studies.tasks import RUNS, Finished, Task, tasks_of

MOST_READ = 4  # (ours) runs whose seconds are read for a forecast

OF_OTHERS = {"resolved.toml", "evaluation.json", "study.json"}  # of a run, an evaluation, compression-coverage


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study laid out in its directory. runs: those that are there already, of the study or to be reused."""

    tasks: tuple[Task, ...]
    done: Finished
    runs: tuple[Path, ...]

    @property
    def left(self) -> dict[str, list[str]]:
        """Task -> the stages that no run has finished; a stage that several tasks need stands at the first."""
        seen: set[str] = set()
        found: dict[str, list[str]] = {}
        for task in self.tasks:
            keys = task.pending(self.done) - seen
            seen |= keys
            names = [stage.name for stage in task.stages if task.keys[stage.name] in keys]
            if names or not task.is_told:
                found[task.name] = names
        return found

    def forecast(self, jobs: int) -> str:
        """What is left takes so long here, in words; "" where nothing is left, or nobody knows."""
        left, slowness = self.left, None
        seconds = unknown = measured = reckoned = longest = 0.0
        for task in self.tasks:
            stages = [stage for stage in task.stages if stage.name in left.get(task.name, ())]
            if not stages:
                continue
            done = measured_in(self.runs[:MOST_READ], task.graph)
            if slowness is None and not done:
                slowness = calibrate()
            expected = seconds_forecast(task.graph, done, slowness=slowness)
            known = [expected[stage.name] for stage in stages if stage.name in expected]
            own = sum(one.seconds for one in known)
            seconds, longest = seconds + own, max(longest, own)
            unknown += len(stages) - len(known)
            measured += sum(one.how == "measured" for one in known)
            reckoned += sum(one.how == "reckoned" for one in known)
        if not seconds:
            return ""
        parts = [
            f"{count:.0f} stages {how}" for count, how in ((measured, "measured"), (reckoned, "reckoned")) if count
        ]
        parts += [f"{unknown:.0f} not known"] if unknown else []
        whole = show_seconds(max(seconds / jobs, longest))
        return f"about {whole} on this machine as busy as it is now, {jobs} at a time ({', '.join(parts)})"


def lay_out(study: Study, directory: Path, reuse: Sequence[Path] = ()) -> Plan:
    """The runs of a study and what is there of them, and nothing written. ConfigError for what cannot be run."""
    check_directory(directory, study.name)
    with TemporaryDirectory() as folder:
        return _laid_out(study, write_recipe(study, Path(folder)), directory, reuse)


def _laid_out(study: Study, recipe: Path, directory: Path, reuse: Sequence[Path]) -> Plan:
    tasks = tasks_of(study, recipe, directory)
    if absent := [run for run in reuse if not (run / "stages").is_dir()]:
        raise RunError(f"--reuse {absent[0]}: is not a run directory: it has no stages")
    runs = [*reuse, *(run for run in sorted(directory.glob(f"{RUNS}/*/*")) if (run / "stages").is_dir())]
    done = Finished()
    for run in runs:
        done.add(run)
    return Plan(tasks=tuple(tasks), done=done, runs=tuple(runs))


def check_directory(directory: Path, name: str) -> None:
    """RunError for a directory that holds something else, or another study: one writes recipe.toml into its own.

    name: of the study. Other values or seeds of the same keys are the same study, and add to what is there.
    """
    if directory.exists() and not directory.is_dir():
        raise RunError(f"{directory}: is a file; a study needs a directory")
    names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    if names & OF_OTHERS or (names and not names & {LOCK, RESULT}):
        raise RunError(f"{directory}: is not empty and not the directory of such a study; use another --run directory")
    held = str(read_json(directory / RESULT).get("name")) if RESULT in names else name
    if held != name:
        raise RunError(f"{directory}: holds the study {held}, and this one is {name}; use another --run directory")


def conduct(
    study: Study, directory: Path, *, command: str, jobs: int = 2, reuse: Sequence[Path] = (), progress: Progress
) -> Result:
    """Run what is left of a study and write DIR/result.json and report.html, which name the runs that failed."""
    check_directory(directory, study.name)
    with RunLock(directory, wait_seconds=2.0):
        plan = _laid_out(study, write_recipe(study, directory), directory, reuse)
        if told := plan.forecast(jobs):
            progress.say(f"{study.name}: {told}")
        failures = Runner(tasks=plan.tasks, done=plan.done, progress=progress, jobs=jobs).run()
        result = read(study, plan.tasks, command=command, failures=failures)
        write_json_atomic(directory / RESULT, result.record())
        write_page(result, directory)
    return result


__all__ = ["RECIPE", "RESULT", "Plan", "Result", "Study", "conduct", "lay_out"]
