"""How long what is left of a study takes on this machine, before it starts.

tasks, and the stages left of each -> `pipeline.seconds`: seconds of every stage -> the runs side by side -> one line
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etalon.pipeline.seconds import Expected, calibrate, measured_in, seconds_forecast
from etalon.show.progress import show_seconds
from etalon.studies.tasks import Finished, Task

MOST_RUNS = 8  # (ours) whose measured stages are looked at, the newest names last


def outlook(tasks: Sequence[Task], left: Mapping[str, Sequence[str]], done: Finished, *, jobs: int) -> str:
    """In words: what the stages that are left take with so many runs at a time; "" where none is known."""
    runs = sorted({place.parent.parent for place in done.places.values()})[-MOST_RUNS:]
    slowness: float | None = None
    works, hows, num_unknown = [], [], 0
    for task in tasks:
        names = left.get(task.name, ())
        if not names:
            continue
        measured = measured_in(runs, task.graph)
        if not measured and slowness is None:
            slowness = calibrate()
        expected = seconds_forecast(task.graph, measured, slowness=None if measured else slowness)
        known = {name: expected[name] for name in names if name in expected}
        num_unknown += len(names) - len(known)
        hows += [one.how for one in known.values()]
        works.append(work(task, known))
    if not hows:
        return ""
    parts = [f"{hows.count(how)} of them {how}" for how in ("measured", "reckoned") if how in hows]
    missing = f"; {num_unknown} are not known" if num_unknown else ""
    whole = show_seconds(side_by_side(works, jobs=jobs))
    return f"about {whole} on this machine as busy as it is now, {jobs} at a time: {', '.join(parts)}{missing}"


def work(task: Task, known: Mapping[str, Expected]) -> dict[str, float]:
    """Key -> seconds of every stage that a task needs; 0 of those that it does not compute itself."""
    return {task.keys[stage.name]: known[stage.name].seconds if stage.name in known else 0.0 for stage in task.stages}


def side_by_side(works: Sequence[Mapping[str, float]], *, jobs: int) -> float:
    """Seconds of runs, so many at once, each of which waits for the stages that an earlier one computes.

    works: key -> seconds of the stages of each run, in their order; 0 for what another computes, or has been there.
    """
    free, ready, waiting = [0.0] * jobs, dict[str, float](), list(works)
    while waiting:
        starts = [max(min(free), *(ready.get(key, 0.0) for key in one)) for one in waiting]
        first = starts.index(min(starts))
        clock = starts[first]
        for key, seconds in waiting.pop(first).items():
            clock += seconds
            if seconds:
                ready[key] = clock
        free[free.index(min(free))] = clock
    return max(free)
