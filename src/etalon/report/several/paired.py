"""Two runs, or two evaluations, side by side: the same problems, paired, and what differs in how they were made.

run directories          resolved.toml -> stages of both -> means.json of evaluations -> Paired per stage and domain
evaluation directories   scores-NAME.jsonl -> Paired per benchmark (`several.evaluations`)
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from etalon import stats
from etalon.config.stages import EVALUATION, PROBLEMS
from etalon.errors import InputError
from etalon.evaluate.store import MARKER
from etalon.problems.clusters import read_clusters
from etalon.report.read import mapping, number, text
from etalon.store import StageDir, read_json

STAGES = "stages"
SEED = "seed"  # the one knob in which runs of a group differ
OF_EVALUATIONS = {"a_low", "a_high", "b_low", "b_high", "better", "worse", "moved", "protocol", "refused"}
MOST_MOVED = 10  # (ours) problems that are named
Means = Mapping[str, float]  # Pass@1 by problem


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A problem whose solve rate is another in b."""

    id: str
    a: float
    b: float


@dataclass(frozen=True, kw_only=True)
class Paired:
    """One stage on one domain, or one benchmark. a, b: Pass@1 over the problems that both have, with 95% intervals.

    difference: b - a with its 95% interval, paired by problem. Without a problem in common all of them are None.
    is_same: both are the very same evaluation of the very same stage, so that the difference is 0 beyond doubt.
    better, worse: how many problems have more, or less, in b; moved: those that moved most.
    protocol: of a benchmark, per side n, the metric, the cap and the shares truncated (None: nobody knows).
    refused: why nothing is compared.
    """

    name: str
    domain: str
    a: float | None = None
    a_low: float | None = None
    a_high: float | None = None
    b: float | None = None
    b_low: float | None = None
    b_high: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    problems: int = 0
    seconds_a: float | None = None
    seconds_b: float | None = None
    is_same: bool = False
    better: int = 0
    worse: int = 0
    moved: tuple[Moved, ...] = ()
    protocol: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    refused: str = ""

    @property
    def is_clear(self) -> bool:
        """The interval of the difference excludes 0."""
        return stats.excludes_zero(self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """differs: a knob -> its values in a and b; of a stage that only one has, all that the recipe says of it."""

    of_runs: bool
    lines: tuple[Paired, ...]
    differs: Mapping[str, tuple[Any, Any]]

    def record(self) -> dict[str, Any]:
        """All of it as JSON values."""
        hidden = OF_EVALUATIONS | {"is_same"} if self.of_runs else {"is_same", "domain", "seconds_a", "seconds_b"}
        rows = [{key: value for key, value in asdict(line).items() if key not in hidden} for line in self.lines]
        differs = {knob: list(pair) for knob, pair in self.differs.items()}
        return {STAGES if self.of_runs else "benchmarks": rows, "differs": differs}


def compare(a: Path, b: Path, *, named: tuple[Path, Path] | None = None) -> SideBySide:
    """Compare two runs, finished or not, or two directories of `etalon eval --out`. InputError for anything else.

    named: what errors and refusals call them, where that is not where they lie.
    """
    named = named or (a, b)
    kinds = [is_run(path) for path in (a, b)]
    if kinds[0] != kinds[1]:
        raise InputError(f"{named[0]} and {named[1]}: one is a run, the other an evaluation; name two of one sort")
    if kinds[0]:
        return _runs(a, b)
    from etalon.report.several.evaluations import evaluations

    return evaluations(a, b, named)


def is_run(path: Path) -> bool:
    """True for a run, False for an evaluation; InputError for anything else."""
    if not path.is_dir():
        raise InputError(f"{path}: no such directory")
    if (path / "resolved.toml").is_file() and (path / STAGES).is_dir():
        return True
    if not (path / MARKER).is_file():
        raise InputError(
            f"{path}: is no run directory (resolved.toml and stages) and none of etalon eval --out ({MARKER})"
        )
    return False


def paired(name: str, domain: str, before: Means, after: Means, clusters: Mapping[str, str] | None = None) -> Paired:
    """Both sides over the problems that they share. clusters: of near copies among them."""
    common = sorted(before.keys() & after.keys())
    if not common:
        return Paired(name=name, domain=domain)
    owners = stats.cluster_ids(common, clusters or {})
    mine, theirs = (
        stats.share_interval([side[problem] for problem in common], clusters=owners) for side in (before, after)
    )
    found = stats.paired_difference(before, after, clusters=clusters)
    moved = [Moved(id=one, a=before[one], b=after[one]) for one in common if before[one] != after[one]]
    moved.sort(key=lambda one: -abs(one.b - one.a))
    return Paired(
        name=name,
        domain=domain,
        better=sum(one.b > one.a for one in moved),
        worse=sum(one.b < one.a for one in moved),
        moved=tuple(moved[:MOST_MOVED]),
        a=mine.mean,
        a_low=mine.low,
        a_high=mine.high,
        b=theirs.mean,
        b_low=theirs.low,
        b_high=theirs.high,
        difference=found.mean,
        low=stats.finite(found.low),
        high=stats.finite(found.high),
        problems=len(common),
    )


# ---- runs


def _runs(a: Path, b: Path) -> SideBySide:
    recipes = [recipe_of(path) for path in (a, b)]
    there = {str(row["name"]) for row in recipes[1][STAGES]}
    names = [str(row["name"]) for row in recipes[0][STAGES] if row["name"] in there]
    lines = [one for name in names for one in _stage_lines(a, b, name)]
    differs = differences(recipes[0], recipes[1]) | {
        f"{name}.from": pair for name in names if len(set(pair := (_source(a, name), _source(b, name)))) > 1
    }
    return SideBySide(of_runs=True, lines=tuple(lines), differs=differs)


def recipe_of(run: Path) -> dict[str, Any]:
    """resolved.toml; InputError where it is no recipe of this version."""
    path = run / "resolved.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None
    rows = found.get(STAGES)
    if not isinstance(rows, list) or not all(map(_is_stage, rows)):
        raise InputError(f"{path}: lists no stages; another version of etalon made this run")
    return found


def _is_stage(row: object) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("name", "kind"))


def _source(run: Path, stage: str) -> str | None:
    """Where a stage started; None where it has not begun."""
    path = run / STAGES / stage / "inputs.json"
    return text(mapping(read_json(path)).get("from")) or None if path.is_file() else None


def _stage_lines(a: Path, b: Path, name: str) -> Iterator[Paired]:
    """A line per domain that both runs evaluated after this stage."""
    before, after = means_of(a, name), means_of(b, name)
    keys = [done_of(run, f"{EVALUATION}{name}").get("key") for run in (a, b)]
    seconds = [number(done_of(run, name).get("seconds")) for run in (a, b)]
    for domain in before:
        if domain in after:
            found = paired(name, domain, before[domain], after[domain], read_clusters(a / STAGES / PROBLEMS))
            if found.problems and keys[0] == keys[1] and keys[0] is not None:
                found = replace(found, difference=0.0, low=0.0, high=0.0, is_same=True)
            yield replace(found, seconds_a=seconds[0], seconds_b=seconds[1])


def done_of(run: Path, stage: str) -> dict[str, Any]:
    """DONE.json of a stage; empty while it is not done."""
    return StageDir(run / STAGES / stage).done() or {}


def means_of(run: Path, stage: str) -> dict[str, Means]:
    """Per-problem means by domain after a stage; those of the stage whose very weights it has, where it has them."""
    done = done_of(run, f"{EVALUATION}{stage}")
    if not done:
        return {}
    same = text(mapping(done.get("outputs")).get("as")) or stage
    path = run / STAGES / f"{EVALUATION}{same}" / "means.json"
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(means, dict) for means in found.values()):
        raise InputError(f"{path}: has no means by domain and problem")
    for domain, means in found.items():
        for problem, value in means.items():
            if (share := number(value)) is None or not 0 <= share <= 1:
                raise InputError(f"{path}: {domain}: {problem}: {value!r} is no share from 0 to 1")
    return found


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Knobs whose values differ between two resolved recipes: rl.gamma of a table, STAGE.steps of a stage.

    A key that only one of two stages says is compared with what the other takes from its kind's table.
    """
    tables = [dict(flat({key: value for key, value in recipe.items() if key != STAGES})) for recipe in (a, b)]
    found = unequal(*tables)
    stages = [{str(row["name"]): row for row in recipe[STAGES]} for recipe in (a, b)]
    for name in dict.fromkeys([*stages[0], *stages[1]]):
        mine, theirs = (side.get(name) for side in stages)
        if mine is None or theirs is None:
            found[name] = (_told(mine), _told(theirs))
            continue
        said = {key for row in (mine, theirs) for key, _ in flat(_own(row))}
        sides = [
            {key: value for key, value in flat(_own(row), mapping(recipe.get(row["kind"]))) if key in said}
            for row, recipe in ((mine, a), (theirs, b))
        ]
        found |= {f"{name}.{key}": pair for key, pair in unequal(*sides).items()}
    return found


def _own(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a stage says beside its name; where it starts is compared as it turned out."""
    return {key: value for key, value in row.items() if key not in ("name", "from")}


def _told(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {key: value for key, value in row.items() if key != "name"}


def flat(
    table: Mapping[str, Any], under: Mapping[str, Any] | None = None, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested tables; `under` has the values of keys that `table` does not say."""
    merged = {**(under or {}), **table}
    for key, value in merged.items():
        below = (under or {}).get(key)
        if isinstance(value, Mapping) and (value or isinstance(below, Mapping)):
            yield from flat(value, below if isinstance(below, Mapping) else None, f"{prefix}{key}.")
        elif not isinstance(value, Mapping):
            yield f"{prefix}{key}", value


def unequal(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (a.get(key), b.get(key)) for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key)}
