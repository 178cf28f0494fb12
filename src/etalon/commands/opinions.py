"""Second opinions that `etalon eval` takes: a judge (--judge), LiveCodeBench's own checker (--official-lcb).

command line, tasks -> check (one line, before anything is sampled) -> reviews_of -> evaluate(reviews=...)
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from etalon.commands.evaluate import Asked
from etalon.errors import ConfigError
from etalon.evaluate import Review, Task
from etalon.evaluate.benchmarks import Benchmark, catalogue
from etalon.evaluate.logs.official import find_checker
from etalon.evaluate.opinions import OfficialLcb, release_of

WORKERS = os.cpu_count() or 1  # programs at a time in another tool's checker


def check(asked: Asked, tasks: Sequence[Task]) -> None:
    """ConfigError or InputError for an opinion that cannot be had of these tasks."""
    if asked.judge_pairs is not None and asked.judge is None:
        raise ConfigError("--judge-pairs: needs --judge")
    if asked.official_lcb is not None:
        _needs_out(asked, "--official-lcb")
        find_checker(asked.official_lcb)
        for task in tasks:
            release_of(task, catalogue().get(task.name))


def _needs_out(asked: Asked, option: str) -> None:
    if asked.out is None and not (asked.rescore is not None and asked.rescore.is_dir()):
        raise ConfigError(f"{option}: needs --out DIR, where what it is given and what it says are kept")


def reviews_of(asked: Asked, tasks: Sequence[Task], own: Benchmark | None = None) -> list[Review]:
    """What reviews the rows of an evaluation. own: the benchmark of the one task where its name does not say so."""
    found: list[Review] = []
    if asked.judge is not None:
        found.append(_judge(asked, asked.judge))
    if asked.official_lcb is not None:
        releases = {task.name: release_of(task, own or catalogue().get(task.name)) for task in tasks}
        found.append(OfficialLcb(place=asked.official_lcb, workers=WORKERS, releases=releases))
    return found


def _judge(asked: Asked, name: str) -> Review:
    """The second grader of --judge."""
    from etalon.evaluate.judging import JudgeReview
    from etalon.sampling.source import sampler_named
    from etalon.verifiers.judges import Judge

    sampler = sampler_named(name)
    if check_ := getattr(sampler, "check", None):
        check_()
    return JudgeReview(name=name, judge=Judge(sampler, seed=asked.seed), pairs=asked.judge_pairs)
