"""Score a model on problem files: Pass@1 as the mean over n generations, with its interval and truncation (3.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etalon import stats
from etalon.errors import EtalonError, RunError
from etalon.problems.clusters import CLUSTERS, clusters_of, distinct
from etalon.problems.files import read_problems
from etalon.rows.bad import MAX_BAD
from etalon.rows.mapping import AS_NAMED, ColumnMap
from etalon.sampling import attempt
from etalon.store import hash_file, read_json, stable_hash, write_json_atomic
from etalon.types import Answers, Group, Sampler, SamplingParams, Stop
from etalon.verifiers import reading_by
from etalon.verifiers.conventions import hint, other_convention

if TYPE_CHECKING:
    from etalon.show.progress import Progress

Scored = tuple[str, str, stats.DomainScore, stats.Interval]  # of a file's domain


def evaluate_files(
    files: Sequence[Path],
    sampler: Sampler,
    *,
    identity: Mapping[str, Any],
    n: int,
    out: Path | None = None,
    max_tokens: int | None = None,
    temperature: float = 1.0,
    top_p: float = 0.95,
    seed: int = 0,
    columns: ColumnMap = AS_NAMED,
    answers: Answers = Answers.BOXED,
    max_bad: float = MAX_BAD,
) -> None:
    """Sample n responses per problem of every file, verify them, print one table row per file and domain.

    identity: what the sampler is, as JSON. out: directory for rollouts and scores, where the same command continues.
    max_tokens: None is whatever the model's window leaves.
    columns: other names of the files' columns. max_bad: share of a file's rows that may be left out as unreadable.
    answers: how responses state their answers.
    Raises RunError when `out` holds another evaluation, and EtalonError when nothing at all was scored.
    """
    from etalon.show.progress import Progress

    problems = {file: read_problems(file, columns=columns, max_bad=max_bad) for file in files}
    params = SamplingParams(temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    clusters = {file: clusters_of(members) for file, members in problems.items()}
    if out is not None:
        settings = {"files": [hash_file(f) for f in files], "n": n, "params": asdict(params), "seed": seed}
        _claim(out, settings | _reading(columns, answers) | {"model": dict(identity)})
        _write_clusters(out, clusters)
    progress = Progress()
    scored: list[Scored] = []
    left_out: list[str] = []
    for number, (file, members) in enumerate(problems.items()):
        path = _kept(out, number, file)
        alike = f" ({distinct(members, clusters[file])} when near copies count as one)" if clusters[file] else ""
        with progress.stage(file.name, f"{len(members)} problems{alike}, {n} generations each", "3.1") as view:
            groups = attempt(
                sampler, members, n=n, params=params, seed=seed, path=path, verifier=reading_by(answers),
                watch=lambda done, total, numbers, view=view: view.update(done, total, **numbers),  # type: ignore[misc]
            )  # fmt: skip
        scored += [(file.name, domain, *_score(own, n, clusters[file])) for domain, own in _by_domain(groups).items()]
        if told := unstated(groups, answers):
            progress.say(f"warning: {file.name}: {told}")
        left_out += [f"{file.name}: {line}" for line in missing(groups, kept=_scored_rollouts(path, groups))]
    _print(scored)
    if out is not None:
        _write(out / "scores.json", scored)
    _say_left_out(scored, left_out, progress)


def _reading(columns: ColumnMap, answers: Answers) -> dict[str, object]:
    """How rows and responses are read, where that is not as usual."""
    named = {"map": dict(columns.pairs), "answers": "" if answers is Answers.BOXED else answers.value}
    return {name: value for name, value in named.items() if value}


def _write_clusters(out: Path, clusters: Mapping[Path, Mapping[str, str]]) -> None:
    named = {_name(number, file): found for number, (file, found) in enumerate(clusters.items())}
    write_json_atomic(out / CLUSTERS, {name: found for name, found in named.items() if found})


def _say_left_out(scored: Sequence[Scored], left_out: Sequence[str], progress: Progress) -> None:
    if all(score.pass1 is None for _, _, score, _ in scored):
        raise EtalonError(f"nothing was scored: {'; '.join(left_out)}")
    for line in left_out:
        progress.say(f"warning: {line}")


def _scored_rollouts(kept: Path | None, groups: Sequence[Group]) -> Path | None:
    """The file of rollouts; gone when nothing in it was scored, so that the same command asks again."""
    if kept and all(group.accuracy is None for group in groups):
        kept.unlink()
        return None
    return kept


def _write(path: Path, scored: Sequence[Scored]) -> None:
    rows = [{"file": f, "domain": d, **asdict(s), "low": i.low, "high": i.high} for f, d, s, i in scored]
    write_json_atomic(path, rows)


def _kept(out: Path | None, number: int, file: Path) -> Path | None:
    """Where the rollouts of one file are kept."""
    return out / f"{_name(number, file)}.jsonl" if out else None


def _name(number: int, file: Path) -> str:
    return f"{number:02d}-{file.stem}"


def _claim(out: Path, settings: dict[str, object]) -> None:
    """An output directory belongs to one evaluation."""
    key = stable_hash(settings)
    marker = out / "evaluation.json"
    if marker.exists() and read_json(marker)["key"] != key:
        raise RunError(f"{out}: holds another evaluation (other files, model or settings); use another --out")
    write_json_atomic(marker, {"key": key, **settings})


def _by_domain(groups: Sequence[Group]) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.problem.domain.value, []).append(group)
    return found


def _score(groups: Sequence[Group], n: int, clusters: Mapping[str, str]) -> tuple[stats.DomainScore, stats.Interval]:
    means = stats.problem_means(groups)
    if not means:
        return stats.score_groups(groups, min(8, n)), stats.Interval(mean=0.0, low=0.0, high=1.0)
    interval = stats.mean_interval(
        list(means.values()), clusters=stats.cluster_ids(means, clusters)
    )  # infinite for a single problem; a share lies between 0 and 1
    return stats.score_groups(groups, min(8, n)), replace(
        interval, low=max(0.0, interval.low), high=min(1.0, interval.high)
    )


def missing(groups: Sequence[Group], *, kept: Path | None = None) -> Iterator[str]:
    """A line for responses that failed, with the first error, and one for problems that drop out of every mean.

    kept: the file of these rollouts, which the same command would read again.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    errors = [rollout.error for rollout in rollouts if rollout.stop is Stop.ERROR]
    if errors:
        again = f"; remove {kept} to ask for them again" if kept else ""
        yield f"{len(errors)} of {len(rollouts)} responses failed; first error: {errors[0] or 'not told'}{again}"
    undecided = [group for group in groups if group.accuracy is None]
    if undecided:
        reason = "" if errors else f"; first reason: {undecided[0].verdicts[0].reason}"
        yield f"{len(undecided)} of {len(groups)} problems undecided, left out of the score{reason}"


def unstated(groups: Sequence[Group], answers: Answers) -> str:
    """The line about responses without an answer that have one by another convention, "" when there are none."""
    unanswered = [
        (group.problem, rollout.text)
        for group in groups
        for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True)
        if verdict.gave_none
    ]
    others = (other_convention(problem, text, answers) for problem, text in unanswered)
    return hint(len(unanswered), Counter(other for other in others if other))


def _print(scored: Sequence[tuple[str, str, stats.DomainScore, stats.Interval]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("file", "domain", "problems", "Pass@1", "95%", "Pass@K", "tokens", "truncated", "undecided"):
        table.add_column(column, justify="left" if column in ("file", "domain") else "right")
    for file, domain, score, interval in scored:
        table.add_row(
            file,
            domain,
            str(score.problems),
            _shown(score.pass1),
            f"{interval.low:.3f}..{interval.high:.3f}" if score.problems else "-",
            f"{_shown(score.passk)} (K={score.k})",
            "-" if score.mean_tokens is None else f"{score.mean_tokens:.0f}",
            "-" if score.mean_tokens is None else f"{score.truncated:.1%}",
            str(score.undecided),
        )
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 110)
    console.print(table)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
