"""`etalon eval --rescore`: new verdicts on samples that are there, of ours or in another tool's log. No model is asked.

DIR of an evaluation -> its marker names benchmarks, files, n -> tasks -> verdicts anew, results.json
LOG of another tool  -> read (evaluate.logs) -> the store of a directory -> the same
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from etalon.commands.evaluation import opinions, output
from etalon.commands.evaluation.model import prices_of
from etalon.commands.evaluation.options import Asked
from etalon.commands.evaluation.tasks import check, tasks_of
from etalon.errors import ConfigError, InputError
from etalon.evaluate import Evaluation, Task, evaluate, store
from etalon.evaluate.benchmarks import Benchmark, Chosen, catalogue, choose
from etalon.evaluate.imported import Imported, take_over
from etalon.evaluate.matching import as_sampled
from etalon.evaluate.task import of_benchmark, read_marker
from etalon.rows.mapping import ColumnMap
from etalon.show.progress import Progress
from etalon.types import Answers, SamplingParams

OF_VERDICTS = {  # what --rescore takes; all else is about asking a model
    *("benchmarks", "rescore", "ks", "answers", "judge", "judge_pairs", "price", "official_lcb", "ojbench_judge"),
    *("ojbench_data", "data", "max_bad", "isolation", "shown_as", "export", "dry_run"),
}
OF_LOGS = OF_VERDICTS | {"out", "columns", "prompts"}


def rescore(asked: Asked, path: Path) -> None:
    """Score a directory of samples, or a log, anew."""
    is_ours = path.is_dir() and (path / store.MARKER).is_file()
    for name, option in asked.given.items():
        if name not in (OF_VERDICTS if is_ours else OF_LOGS):
            raise ConfigError(f"{option}: --rescore asks no model and keeps to what is there; leave it out")
    if is_ours:
        return _directory(asked, path)
    if not path.exists():
        raise InputError(f"{path}: no such directory and no such log")
    if path.is_dir() and not any(path.iterdir()):
        raise InputError(f"{path}: is empty")
    return _log(asked, path)


def _directory(asked: Asked, folder: Path) -> None:
    marker = read_marker(folder)
    tasks = list(_tasks(asked, folder, marker))
    check(asked, tasks)
    if asked.dry_run:
        output.show_rescoring(folder, tasks)
        return
    reviews = opinions.reviews_of(asked, tasks)
    kept = marker["settings"]
    told = marker.get("told", {})
    evaluation = Evaluation(
        model=marker["model"], identity=kept["model"], seed=kept["seed"], system=kept["system"], told=told,
        metric="clr" if "clr" in told else "avg", ks=asked.wanted_ks(), prices=prices_of(asked),
    )  # fmt: skip
    progress = Progress()
    results = evaluate(
        evaluation, tasks, None, progress=progress, out=folder, anew=True, elsewhere=opinions.elsewhere_of(asked),
        reviews=reviews,
    )  # fmt: skip
    output.show(asked, results, tasks, progress, folder=folder)


def _tasks(asked: Asked, folder: Path, marker: Mapping[str, Any]) -> Iterator[Task]:
    """The benchmarks of a directory, or those of them that the command names, with their files as they are now."""
    named = {name: (file or None) for name, _, file in (one.partition("=") for one in asked.benchmarks or [])}
    unknown = [name for name in named if name not in marker["benchmarks"]]
    if unknown:
        raise InputError(f"{folder}: has no samples of {unknown[0]}; it has {', '.join(marker['benchmarks'])}")
    for name, entry in marker["benchmarks"].items():
        if not named or name in named:
            yield _task(asked, folder, name, entry, named.get(name), marker["settings"]["system"])


def _task(asked: Asked, folder: Path, name: str, entry: Mapping[str, Any], file: str | None, system: str) -> Task:
    binding = entry["binding"]
    columns = ColumnMap(pairs=tuple(binding["map"].items()))
    problems = store.kept_problems(folder, name) if file is None else None
    if problems is None:
        chosen = _chosen(asked, name, entry, file)
        problems = chosen.problems(columns=columns, max_bad=asked.max_bad, prompts=entry.get("prompts", ""))
        if chosen.sha256 != binding["sha256"]:
            problems = as_sampled(folder, name, problems, system=system)
    own = catalogue().get(entry["benchmark"])
    fields = {"mode": entry["mode"], "told": entry["told"], "benchmark": entry["benchmark"], **of_benchmark(own)}
    return Task(
        name=name,
        problems=problems[: entry["limit"]],
        of=len(problems),
        n=entry["n"],
        params=SamplingParams(**{key: binding[key] for key in ("temperature", "top_p", "max_tokens")}),
        file=entry["file"],
        sha256=binding["sha256"],  # what was asked; an edited file gives new verdicts on the same samples
        prompt_hash=binding["prompt_hash"],
        prompts=entry.get("prompts", ""),
        answers=asked.answers or Answers(entry["answers"]),
        columns=binding["map"],
        is_made=entry["is_made"],
        unread=entry["unread"],
        knows_cuts=entry["knows_cuts"],
        **fields,
    )


def _chosen(asked: Asked, name: str, entry: Mapping[str, Any], file: str | None) -> Chosen:
    file = file or entry["file"]
    if name in catalogue():
        return choose([f"{name}={file}" if file else name], folders=asked.folders)[0]
    if file is None or not Path(file).exists():
        raise InputError(f"{name}: {file}: no such file any more; say where it is: {name}=FILE")
    return replace(choose([file])[0], name=name)


def _log(asked: Asked, path: Path) -> None:
    """The samples of another tool's log, taken over into a directory and scored."""
    tasks = tasks_of(asked) if asked.benchmarks else []
    progress = Progress()
    with log_as_evaluation(
        path,
        out=asked.out,
        problems=tasks[0].problems if tasks else None,
        columns=ColumnMap.read(asked.columns or []),
        answers=asked.answers,
    ) as (folder, found):
        for line in (found.line, *(f"warning: {note}" for note in found.notes)):
            progress.say(line)
        own = catalogue().get(tasks[0].benchmark) if tasks else None
        whole = len(tasks[0].problems) if tasks else found.task.of  # of the benchmark that the log is of
        task = replace(found.task, of=whole, **of_benchmark(own))
        check(asked, [task])
        results = score_log(found, task, folder, progress, asked=asked, own=own)
        output.show(asked, results, [task], progress, folder=asked.out)


@contextmanager
def log_as_evaluation(path: Path, *, out: Path | None = None, **reading: Any) -> Iterator[tuple[Path, Imported]]:
    """The folder of a log that was taken over; one that goes away where no `out` is named."""
    with TemporaryDirectory(prefix="etalon-log-") as temporary:
        folder = out or Path(temporary)
        yield folder, take_over(path, folder, **reading)


def score_log(
    found: Imported,
    task: Task,
    folder: Path,
    progress: Progress,
    *,
    asked: Asked | None = None,
    own: Benchmark | None = None,
) -> dict[str, Any]:
    """Verdicts on the samples of a log, and the opinions that `asked` wants. own: the benchmark that it is of."""
    evaluation = Evaluation(
        model=found.model, identity=found.identity, told=found.told, ks=asked.wanted_ks() if asked else None,
        prices=prices_of(asked) if asked else None,
    )  # fmt: skip
    reviews = opinions.reviews_of(asked, [task], own) if asked else []
    elsewhere = opinions.elsewhere_of(asked) if asked else None
    return evaluate(evaluation, [task], None, progress=progress, out=folder, elsewhere=elsewhere, reviews=reviews)
