"""What an evaluation asks of whom, and the marker that binds a directory to it.

A sample depends on the model, the prompts and how they are sampled: a directory whose samples were made otherwise is
refused, and told apart setting by setting. How many samples there are, how answers are read and which verifier judges
are no part of it: the same directory serves more generations, more problems and a new verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from etalon import __version__
from etalon.errors import RunError
from etalon.evaluate.benchmarks.catalogue import Benchmark, Published
from etalon.evaluate.scoring import Mode
from etalon.evaluate.store import MARKER, scores_path
from etalon.store import read_json, write_json_atomic
from etalon.types import Answers, Problem, SamplingParams

FORMAT = 3  # of the marker and of what stands beside it


@dataclass(frozen=True, kw_only=True)
class Task:
    """One benchmark as this evaluation asks it.

    benchmark: its name in the catalogue, "" where it has none there.
    of: how many problems its file has, where fewer are asked. prompts: the user's folder of prompt files, "" is ours.
    expected: how many the published set has, 0 where nobody tells. unread: rows of a log that could not be read, which
    count as missing samples; knows_cuts: False where nobody tells which responses the token limit cut.
    is_made: its problems were made for this evaluation, and are kept with it. per_contest: its scores are counted for
    each contest as well. told: what a result says of it beside its numbers.
    """

    name: str
    problems: Sequence[Problem]
    n: int
    params: SamplingParams
    benchmark: str = ""
    file: str | None = None
    sha256: str = ""
    prompt_hash: str = ""
    prompts: str = ""
    answers: Answers = Answers.BOXED
    mode: Mode = "loose"
    of: int | None = None
    expected: int = 0
    unread: int = 0
    knows_cuts: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)
    published: Sequence[Published] = ()
    per_contest: bool = False
    is_made: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)

    def binding(self) -> dict[str, Any]:
        """What its samples depend on."""
        return {
            "sha256": self.sha256, "prompt_hash": self.prompt_hash, "temperature": self.params.temperature,
            "top_p": self.params.top_p, "max_tokens": self.params.max_tokens, "map": dict(self.columns),
        }  # fmt: skip


def of_benchmark(own: Benchmark | None) -> dict[str, Any]:
    """The fields of a task that its benchmark alone decides."""
    if own is None:
        return {}
    told: dict[str, Any] = {"title": own.title, "licence": own.licence, "source": own.source, "revision": own.revision}
    told["without"] = list(own.without)
    return {
        "benchmark": own.name, "expected": own.expected, "mode": own.mode, "published": own.published,
        "per_contest": own.per_contest,
        "told": {name: value for name, value in told.items() if value},
    }  # fmt: skip


def claim(
    folder: Path,
    settings: Mapping[str, Any],
    tasks: Sequence[Task],
    *,
    model: str,
    told: Mapping[str, Any],
    is_asking: bool = True,
) -> None:
    """Bind the directory to these settings, or go on in one that is. RunError names what differs.

    model, told: what results say of the model, for whoever scores the samples anew. is_asking: False keeps the
    convention of the answers that the directory was made with.
    """
    path = folder / MARKER
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh = {"format": FORMAT, "started": started, "settings": dict(settings), "benchmarks": {}}
    kept: dict[str, Any] = read_marker(folder) if path.exists() else fresh
    apart = list(_apart(kept["settings"], settings))
    for task in tasks:
        if found := kept["benchmarks"].get(task.name):
            apart += [f"{task.name}: {one}" for one in _apart(found["binding"], task.binding())]
    if apart:
        raise RunError(f"{folder}: holds another evaluation ({'; '.join(apart)}); use another --out")
    for task in tasks:
        entry = kept["benchmarks"].get(task.name, {})
        kept["benchmarks"][task.name] = entry | {
            "file": task.file, "benchmark": task.benchmark, "is_made": task.is_made, "told": dict(task.told),
            "answers": task.answers.value if is_asking or not entry else entry["answers"],
            "mode": task.mode, "n": task.n, "problems": len(task.problems),
            "limit": limit_of(task), "prompts": task.prompts, "binding": task.binding(),
            "unread": task.unread, "knows_cuts": task.knows_cuts,
            "ids": None if limit_of(task) is None else [problem.id for problem in task.problems],
        }  # fmt: skip
    servers = [*kept.get("servers", []), *([told["server"]] if told.get("server") else [])]
    kept["servers"] = [one for place, one in enumerate(servers) if one not in servers[:place]]
    write_json_atomic(path, kept | {"model": model, "told": dict(told)})


def score_anew(folder: Path, task: Task, *, anew: bool = False) -> None:
    """Forget the verdicts of a benchmark that another version gave, or that answers were read otherwise for.

    anew: forget them in any case.
    """
    marker = read_marker(folder)
    by = {"etalon": __version__, "answers": task.answers.value, "mode": task.mode}
    entry = marker["benchmarks"][task.name]
    if anew or entry.get("scored_by") != by:
        forget_verdicts(folder, task.name)
        entry["scored_by"] = by
        write_json_atomic(folder / MARKER, marker)


def forget_verdicts(folder: Path, name: str) -> None:
    """Every sample of a benchmark is judged anew."""
    scores_path(folder, name).unlink(missing_ok=True)


def part_of(task: Task) -> str:
    """Why a score is of a part of its benchmark, or of another set; "" when it is of all of it."""
    if limit_of(task) is not None:
        return f"only {len(task.problems)} of {task.of} problems were asked"
    if task.expected and task.expected != len(task.problems):
        return f"the file has {len(task.problems)} problems, the published set {task.expected}"
    return ""


def limit_of(task: Task) -> int | None:
    """How many problems are asked, where that is not all of them."""
    return len(task.problems) if task.of is not None and task.of != len(task.problems) else None


def read_marker(folder: Path) -> dict[str, Any]:
    """What a directory of an evaluation says of itself; RunError for one of another version."""
    found = read_json(folder / MARKER)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise RunError(f"{folder / MARKER}: written by another version of etalon, which this one does not read")
    lacking = {"settings", "benchmarks", "started", "model", "told"} - found.keys()
    if lacking:
        raise RunError(f"{folder / MARKER}: lacks {', '.join(sorted(lacking))}; it was changed by hand, or damaged")
    return found


def _apart(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    mine, theirs = dict(_flat(here)), dict(_flat(there))
    for name in dict.fromkeys([*theirs, *mine]):
        if theirs.get(name) != mine.get(name):
            yield f"{name} {_shown(theirs.get(name))} there, {_shown(mine.get(name))} now"


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    text = "none" if value in (None, "") else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
