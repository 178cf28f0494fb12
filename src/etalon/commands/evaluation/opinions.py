"""Whom else `etalon eval` asks: a judge (--judge), LiveCodeBench's own checker (--official-lcb), OJBench's own judge.

command line, tasks -> check (one line, before anything is sampled) -> reviews_of   -> evaluate(reviews=...)
                                                                    -> elsewhere_of -> evaluate(elsewhere=...)
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from etalon.commands.evaluation.options import Asked
from etalon.errors import ConfigError
from etalon.evaluate import Elsewhere, Review, Task
from etalon.evaluate.benchmarks import Benchmark, catalogue
from etalon.evaluate.elsewhere import OjbenchExport, OjbenchJudge, of_ojbench
from etalon.evaluate.logs.official import Release, find_checker
from etalon.evaluate.logs.ojbench_judge import Place
from etalon.evaluate.opinions import OfficialLcb, release_of
from etalon.evaluate.store import MARKER

WORKERS = os.cpu_count() or 1  # programs at a time in another tool's checker


def check(asked: Asked, tasks: Sequence[Task]) -> None:
    """ConfigError or InputError for an opinion that cannot be had of these tasks."""
    if asked.judge_pairs is not None and asked.judge is None:
        raise ConfigError("--judge-pairs: needs --judge")
    if asked.official_lcb is not None:
        _needs_out(asked, "--official-lcb")
        find_checker(asked.official_lcb)
        _releases(tasks)
    _check_ojbench(asked, tasks)


def _check_ojbench(asked: Asked, tasks: Sequence[Task]) -> None:
    if (place := _ojbench(asked)) is None:
        return
    _needs_out(asked, "--ojbench-judge")
    if not any(map(of_ojbench, tasks)):
        raise ConfigError(f"--ojbench-judge: {', '.join(task.name for task in tasks)} has no problems of OJBench")
    place.check()


def _ojbench(asked: Asked) -> Place | None:
    """Where OJBench's judge is; None where it is not named. ConfigError for half of it."""
    if asked.ojbench_judge is None and asked.ojbench_data is None:
        return None
    if asked.ojbench_data is None:
        raise ConfigError("--ojbench-judge: needs --ojbench-data DIR, its test data")
    if asked.ojbench_judge is None:
        raise ConfigError("--ojbench-data: needs --ojbench-judge PYTHON, an interpreter with ojbench and DMOJ")
    return Place(python=asked.ojbench_judge, data=asked.ojbench_data)


def elsewhere_of(asked: Asked) -> Elsewhere | None:
    """The judge of problems that are not judged here."""
    place = _ojbench(asked)
    return None if place is None else OjbenchJudge(place=place, workers=WORKERS)


def _needs_out(asked: Asked, option: str) -> None:
    if not _is_kept(asked):
        raise ConfigError(f"{option}: needs --out DIR, where what it is given and what it says are kept")


def _is_kept(asked: Asked) -> bool:
    return asked.out is not None or (asked.rescore is not None and (asked.rescore / MARKER).is_file())


def reviews_of(asked: Asked, tasks: Sequence[Task], own: Benchmark | None = None) -> list[Review]:
    """What reviews the rows of an evaluation. own: the benchmark of the one task where its name does not say so."""
    found: list[Review] = []
    if asked.judge is not None:
        found.append(_judge(asked, asked.judge))
    if asked.official_lcb is not None:
        found.append(OfficialLcb(place=asked.official_lcb, workers=WORKERS, releases=_releases(tasks, own)))
    if asked.ojbench_judge is None:
        found.append(OjbenchExport(is_kept=_is_kept(asked)))
    return found


def _releases(tasks: Sequence[Task], own: Benchmark | None = None) -> dict[str, Release]:
    """What LiveCodeBench's checker loads for each task; fresh problems, which --fresh adds, are not for it."""
    return {task.name: release_of(task, own or catalogue().get(task.name)) for task in tasks if not task.is_made}


def _judge(asked: Asked, name: str) -> Review:
    """The second grader of --judge."""
    from etalon.evaluate.judging import JudgeReview
    from etalon.sampling.source import sampler_named
    from etalon.verifiers.judges import Judge

    sampler = sampler_named(name)
    if check_ := getattr(sampler, "check", None):
        check_()
    return JudgeReview(name=name, judge=Judge(sampler, seed=asked.seed), pairs=asked.judge_pairs)
