"""Studies: a recipe with what differs and seeds, run as one, paired by seed and problem, told with intervals.

study    what is asked: arms, seeds, measured stages          runner   their runs, several at once, none twice
tasks    a run per arm and seed, what each needs              result   what they found, as JSON and in words
pairing  the statistics                                       table    on the terminal
outlook  how long it takes here, before it starts

conduct(study, directory) -> Result
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etalon.errors import RunError
from etalon.show.progress import Progress
from etalon.store import RunLock, write_json_atomic
from etalon.studies.outlook import outlook
from etalon.studies.page import write_page
from etalon.studies.result import RESULT, Result, read
from etalon.studies.runner import Runner
from etalon.studies.study import RECIPE, Study, write_recipe
from etalon.studies.tasks import Finished, Task, tasks_of


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study laid out in its directory. left: task -> stages to run, of those that have any."""

    tasks: tuple[Task, ...]
    done: Finished

    @property
    def left(self) -> dict[str, list[str]]:
        """Task -> the stages that no run has finished; a stage that several tasks need stands at the first."""
        seen: set[str] = set()
        found: dict[str, list[str]] = {}
        for task in self.tasks:
            keys = task.pending(self.done) - seen
            seen |= keys
            names = [stage.name for stage in task.stages if task.keys[stage.name] in keys]
            if names or not task.is_whole:
                found[task.name] = names
        return found

    def outlook(self, jobs: int) -> str:
        """In words: how long what is left takes here; "" where that is not known."""
        return outlook(self.tasks, self.left, self.done, jobs=jobs)


def lay_out(study: Study, directory: Path, reuse: Sequence[Path] = (), *, recipe_dir: Path | None = None) -> Plan:
    """The runs of a study and what is there of them; ConfigError for a recipe that cannot be run.

    recipe_dir: where the recipe is written, for a look that leaves nothing in `directory`.
    """
    recipe = write_recipe(study, recipe_dir or directory)
    tasks = tasks_of(study, recipe, directory)
    done = Finished()
    for run in [*reuse, *sorted(directory.glob("runs/*/*"))]:
        if not (run / "stages").is_dir():
            if run in reuse:
                raise RunError(f"--reuse {run}: is not a run directory: it has no stages")
            continue
        done.add(run)
    return Plan(tasks=tuple(tasks), done=done)


def conduct(
    study: Study, directory: Path, *, command: str, jobs: int = 2, reuse: Sequence[Path] = (), progress: Progress
) -> Result:
    """Run what is left of a study and write DIR/result.json and report.html, which name the runs that failed."""
    with RunLock(directory, wait_seconds=2.0):
        plan = lay_out(study, directory, reuse)
        if expected := plan.outlook(jobs):
            progress.say(expected)
        failures = Runner(tasks=plan.tasks, done=plan.done, progress=progress, jobs=jobs).run()
        result = read(study, plan.tasks, command=command, failures=failures)
        write_json_atomic(directory / RESULT, result.record())
        write_page(result, directory)
    return result


__all__ = ["RECIPE", "RESULT", "Plan", "Result", "Study", "conduct", "lay_out"]
