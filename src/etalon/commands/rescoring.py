"""`etalon eval --rescore`: new verdicts on samples that are there, of ours or in another tool's log. No model is asked.

DIR of an evaluation -> its marker names benchmarks, files, n -> tasks -> verdicts anew, results.json
LOG of another tool  -> read (evaluate.logs) -> the store of a directory -> the same
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from etalon.commands import evaluating
from etalon.commands.evaluate import Asked
from etalon.errors import ConfigError, InputError
from etalon.evaluate import Evaluation, Task, evaluate, store
from etalon.evaluate.benchmarks import Chosen, catalogue, choose
from etalon.evaluate.task import forget_verdicts, read_marker
from etalon.problems.rows import problem_from_row, problem_to_row
from etalon.rows.mapping import ColumnMap
from etalon.show.progress import Progress
from etalon.store import append_jsonl, read_jsonl, write_atomic
from etalon.types import Answers, SamplingParams

PROBLEMS = "problems-"  # of a log that carries its questions
TOGETHER = 256  # (ours) samples of a log that are written at once
ASKING = ("model", "endpoint", "n", "clr", "limit", "system", "extra", "max_tokens", "temperature", "top_p", "fresh")


def rescore(asked: Asked, path: Path) -> None:
    """Score a directory of samples, or a log, anew."""
    given = [name for name in ASKING if getattr(asked, name) not in (None, False, "", 0, [])]
    if given:
        raise ConfigError(f"--{given[0].replace('_', '-')}: --rescore asks no model; leave it out")
    if path.is_dir() and (path / store.MARKER).is_file():
        return _directory(asked, path)
    if not path.exists():
        raise InputError(f"{path}: no such directory and no such log")
    if path.is_dir() and not any(path.iterdir()):
        raise InputError(f"{path}: is empty")
    return _log(asked, path)


def _directory(asked: Asked, folder: Path) -> None:
    marker = read_marker(folder)
    tasks = list(_tasks(asked, folder, marker))
    evaluating.check(asked, tasks)
    for task in tasks:
        forget_verdicts(folder, task.name)
    kept = marker["settings"]
    told = marker.get("told", {})
    evaluation = Evaluation(
        model=marker["model"], identity=kept["model"], seed=kept["seed"], system=kept["system"], told=told,
        metric="clr" if "clr" in told else "avg", ks=asked.wanted_ks(), prices=evaluating.prices_of(asked),
    )  # fmt: skip
    progress = Progress()
    results = evaluate(evaluation, tasks, None, progress=progress, out=folder, review=evaluating.judge_of(asked))
    evaluating.show(asked, results, tasks, progress, folder=folder)


def _tasks(asked: Asked, folder: Path, marker: Mapping[str, Any]) -> Iterator[Task]:
    """The benchmarks of a directory, or those of them that the command names, with their files as they are now."""
    named = {name: (file or None) for name, _, file in (one.partition("=") for one in asked.benchmarks or [])}
    unknown = [name for name in named if name not in marker["benchmarks"]]
    if unknown:
        raise InputError(f"{folder}: has no samples of {unknown[0]}; it has {', '.join(marker['benchmarks'])}")
    for name, entry in marker["benchmarks"].items():
        if not named or name in named:
            yield _task(asked, folder, name, entry, named.get(name))


def _task(asked: Asked, folder: Path, name: str, entry: Mapping[str, Any], file: str | None) -> Task:
    binding = entry["binding"]
    kept = folder / f"{PROBLEMS}{name}.jsonl"
    columns = ColumnMap(pairs=tuple(binding["map"].items()))
    if kept.exists() and file is None:
        chosen, problems = None, [problem_from_row(row) for row in read_jsonl(kept)]
    else:
        chosen = _chosen(name, file or entry["file"])
        problems = chosen.problems(columns=columns, max_bad=asked.max_bad, prompts=entry.get("prompts", ""))
    own = catalogue().get(name)
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
        mode=own.mode if own else entry["mode"],
        columns=binding["map"],
        published=own.published if own else (),
        told=evaluating.told_of(own),
    )


def _chosen(name: str, file: str | None) -> Chosen:
    if name in catalogue():
        return choose([f"{name}={file}" if file else name])[0]
    if file is None or not Path(file).exists():
        raise InputError(f"{name}: {file}: no such file any more; say where it is: {name}=FILE")
    return replace(choose([file])[0], name=name)


def _log(asked: Asked, path: Path) -> None:
    """The samples of another tool's log, taken over into a directory and scored."""
    from etalon.evaluate.logs import read_log

    tasks = evaluating.tasks_of(asked) if asked.benchmarks else []
    problems = tasks[0].problems if tasks else None
    log = read_log(path, problems=problems, columns=ColumnMap.read(asked.columns or []), answers=asked.answers)
    progress = Progress()
    with TemporaryDirectory(prefix="etalon-log-") as temporary:
        folder = asked.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / store.MARKER).exists():
            raise ConfigError(f"--out {folder}: holds an evaluation already; name another directory")
        write_atomic(
            folder / f"{PROBLEMS}{log.name}.jsonl", b"".join(_lines([problem_to_row(one) for one in log.problems]))
        )
        num = _taken(folder, log.name, log.samples)
        progress.say(f"{path}: {num} samples of {log.tool}{f' {log.version}' if log.version else ''}, "
                     f"answers read by --answers {log.answers}")  # fmt: skip
        task = Task(
            name=log.name, problems=log.problems, of=len(log.problems), n=_most(folder, log.name), file=str(path),
            params=SamplingParams(
                temperature=log.settings.get("temperature", 1.0), top_p=log.settings.get("top_p", 1.0),
                max_tokens=log.settings.get("max_tokens"),
            ),
            answers=log.answers, published=tasks[0].published if tasks else (), told={"log": log.tool},
        )  # fmt: skip
        told = {"log": {"tool": log.tool, "version": log.version, **log.settings}}
        evaluation = Evaluation(
            model=log.model or "unknown", identity={"log": log.tool, "model": log.model}, told=told,
            ks=asked.wanted_ks(), prices=evaluating.prices_of(asked),
        )  # fmt: skip
        results = evaluate(
            evaluation, [task], None, progress=progress, out=folder, review=evaluating.judge_of(asked)
        )  # fmt: skip
        evaluating.show(asked, results, [task], progress, folder=asked.out)


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    from etalon.store import to_json

    return (to_json(row) + b"\n" for row in rows)


def _taken(folder: Path, name: str, samples: Any) -> int:
    """Write the samples of a log; how many there are."""
    stream, count = iter(samples), 0
    while batch := list(itertools.islice(stream, TOGETHER)):
        append_jsonl(store.samples_path(folder, name), [store.sample_to_row(one) for one in batch])
        count += len(batch)
    if not count:
        raise InputError(f"{name}: the log has no sample")
    return count


def _most(folder: Path, name: str) -> int:
    """The most samples that a problem has."""
    return 1 + max(int(row["index"]) for row in store.rows(store.samples_path(folder, name)))
