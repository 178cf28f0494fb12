"""A whole evaluation: every benchmark filled, measured and written, second opinions joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from etalon import __version__
from etalon.errors import EtalonError, RunError
from etalon.evaluate import metrics, results, store
from etalon.evaluate.benchmarks.contests import by_contest
from etalon.evaluate.metrics import Prices, Row
from etalon.evaluate.run import fill, verdicts
from etalon.evaluate.task import Task, claim, forget_verdicts, read_marker, score_anew
from etalon.problems.clusters import CLUSTERS, clusters_of, distinct
from etalon.store import RunLock, read_json, write_json_atomic
from etalon.types import Sampler

if TYPE_CHECKING:
    from etalon.show.progress import Progress, StageView

Elsewhere = Callable[[Task, Path, "StageView"], bool]  # whether it judges problems of the task
Review = Callable[[Task, Path, Row], Row]  # task, folder of its samples, its row -> what joins the row


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Who is asked, and how.

    model: the name that results carry. identity: what its samples depend on, as JSON. told: what else results say at
    their head (endpoint, server). metric: of avg, "clr" where every sample is the answer of a whole CLR flow.
    ks: None is 1, 8 and n.
    """

    model: str
    identity: Mapping[str, Any]
    seed: int = 0
    system: str = ""
    metric: str = "avg"
    ks: Sequence[int] | None = None
    prices: Prices | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What all samples of a directory depend on."""
        return {"model": dict(self.identity), "seed": self.seed, "system": self.system}


def evaluate(
    evaluation: Evaluation,
    tasks: Sequence[Task],
    sampler: Sampler | None,
    *,
    progress: Progress,
    out: Path | None = None,
    anew: bool = False,
    elsewhere: Elsewhere | None = None,
    reviews: Sequence[Review] = (),
) -> dict[str, Any]:
    """The results of all tasks, as results.json has them; in `out` everything is kept, and the same call goes on.

    Args:
        sampler: None scores what `out` holds and asks nothing.
        anew: give every sample a new verdict.
        elsewhere: another tool's judge, asked when all samples are there; where it judges, verdicts are made anew.
        reviews: second opinions on a benchmark's samples (a judge, another checker), one after the other; what each
            returns joins the row that the next one gets. The row is written before the first is asked.

    Raises RunError when `out` holds another evaluation or the model's server is gone, EtalonError when nothing at all
    was scored; what was sampled is kept.
    """
    with _folder(out) as folder:
        claim(
            folder, evaluation.settings(), tasks, model=evaluation.model, told=evaluation.told,
            is_asking=sampler is not None,
        )  # fmt: skip
        copies = _copies(folder, tasks)
        rows = []
        for task in tasks:
            if task.is_made:
                store.keep_problems(folder, task.name, task.problems)
            score_anew(folder, task, anew=anew)
            with progress.stage(task.name, _announced(task, copies[task.name].clusters), "3.1") as view:
                try:
                    _fill(evaluation, task, folder, sampler, elsewhere, view)
                except RunError as error:
                    raise RunError(f"{error}; {_kept(folder, task, out)}") from None
            rows.append(_row(evaluation, task, folder, copies[task.name]))
            found = _written(evaluation, folder, rows)
            for review in reviews:
                rows[-1] |= review(task, folder, rows[-1])
                found = _written(evaluation, folder, rows)
        return _checked(found, rows)


def _fill(
    evaluation: Evaluation,
    task: Task,
    folder: Path,
    sampler: Sampler | None,
    elsewhere: Elsewhere | None,
    view: StageView,
) -> None:
    """Every sample and every verdict, those of another tool's judge among them."""
    seed, system = evaluation.seed, evaluation.system
    fill(task, folder, sampler=sampler, seed=seed, system=system, view=view)
    if elsewhere is not None and elsewhere(task, folder, view):
        forget_verdicts(folder, task.name)
        fill(task, folder, sampler=None, seed=seed, system=system, view=view)


def _written(evaluation: Evaluation, folder: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """results.json as it is now."""
    found = results.merged(folder, _head(evaluation, folder), rows)
    results.write(folder, found)
    return found


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Where samples are kept, for this process alone; a folder that goes away where nobody named one."""
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(TemporaryDirectory(prefix="etalon-eval-")))
        stack.enter_context(RunLock(folder))
        yield folder


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Near copies among the problems of a benchmark: problem -> its cluster. are_all: all are copies of one.

    Then there is nothing else to count over: they are draws of one kind, each of them counts, and `clusters` is empty.
    """

    clusters: Mapping[str, str]
    are_all: bool


def _copies(folder: Path, tasks: Sequence[Task]) -> dict[str, Copies]:
    """Near copies of each task; kept beside the samples, for whoever compares."""
    found = {}
    for task in tasks:
        own = clusters_of(task.problems)
        are_all = len(task.problems) > 1 and distinct(task.problems, own) == 1
        found[task.name] = Copies(clusters={} if are_all else own, are_all=are_all)
    path = folder / CLUSTERS
    before = read_json(path) if path.exists() else {}
    kept = (before if isinstance(before, dict) else {}) | {name: dict(one.clusters) for name, one in found.items()}
    write_json_atomic(path, {name: own for name, own in kept.items() if own})
    return found


def _announced(task: Task, clusters: Mapping[str, str]) -> str:
    alike = f" ({distinct(task.problems, clusters)} when near copies count as one)" if clusters else ""
    return f"{len(task.problems)} problems{alike}, {task.n} generations each"


def _kept(folder: Path, task: Task, out: Path | None) -> str:
    """What is left of an evaluation that broke off."""
    if out is None:
        return "nothing was kept: name a directory with --out"
    good = {one.key for one in store.read_samples(folder, task.name) if not one.has_failed}
    total = len(task.problems) * task.n
    return f"{len(good)} of {total} samples of {task.name} are kept in {out}, and the same command goes on"


def _row(evaluation: Evaluation, task: Task, folder: Path, copies: Copies) -> Row:
    found = verdicts(task, folder)
    ks = [k for k in evaluation.ks or metrics.default_ks(task.n) if k <= task.n]
    by_id = {problem.id: problem for problem in task.problems}
    numbers = metrics.measure(found, by_id, n=task.n, ks=ks, clusters=copies.clusters, prices=evaluation.prices)
    numbers["missing"] += task.unread
    if not task.knows_cuts:
        numbers["truncated"] = None
    if evaluation.metric == "clr":
        calls = [one.calls for own in found.values() for one in own if not one.has_failed]
        numbers["clr"] = {**evaluation.told["clr"], "calls_per_answer": sum(calls) / len(calls) if calls else None}
    numbers["checker"] = f"etalon {__version__}: {results.checker(task.problems)}"
    if errors := results.errors_of(found):
        numbers["errors"] = errors
    if task.per_contest:
        counted = by_contest(task.problems, {id_: [one.score for one in own] for id_, own in found.items()})
        numbers["contests"] = [
            {"name": c.name, "right": c.right, "of": c.attempts + c.undecided, "undecided": c.undecided, "date": c.date}
            for c in counted
        ]
    told = list(results.warnings(task, found))
    if more := len(store.read_scores(folder, task.name)) - sum(map(len, found.values())):
        told.append(f"{more} more samples are kept and not counted: of other problems, or beyond n")
    if len(read_marker(folder).get("servers", [])) > 1:
        told.append("the server said other things of itself when other samples were asked: see servers")
    if copies.are_all:
        told.append("all problems are near copies of one another: the interval is about questions of this one kind")
    if told:
        numbers["warnings"] = told
    if copies.clusters:
        numbers["near_copies"] = len(task.problems) - distinct(task.problems, copies.clusters)
    return results.row_of(task, numbers, model=evaluation.model, metric=evaluation.metric)


def _head(evaluation: Evaluation, folder: Path) -> Row:
    marker = read_marker(folder)
    several = {"servers": marker["servers"]} if len(marker.get("servers", [])) > 1 else {}
    return {
        "etalon": __version__,
        "model": evaluation.model,
        "endpoint": None,
        "seed": evaluation.seed,
        "started": marker["started"],
        **({"system": evaluation.system} if evaluation.system else {}),
        **evaluation.told,
        **several,
    }


def _checked(found: dict[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    if all(row["avg"] is None for row in rows):
        told = [f"{row['name']}: {line}" for row in rows for line in row.get("warnings", ())]
        raise EtalonError(f"nothing was scored: {'; '.join(told)}")
    return found


__all__ = ["Elsewhere", "Evaluation", "Prices", "Review", "Task", "evaluate"]
