"""What a study found: rows over its finished runs, as JSON, and one sentence that says no more than they do.

    run directories -> read -> Row per arm, measured stage and domain (of a `clr` stage: per way to answer)
    Result -> result.json

A row's numbers are means over seeds with an interval over seeds. Every arm but the first is compared with the first,
paired by seed and problem, with intervals over seeds and over problems apart.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from etalon import config
from etalon.config.stages import PROBLEMS
from etalon.model import ARITHMETIC
from etalon.pipeline.stages.clr import COLUMNS_FILE
from etalon.problems.clusters import read_clusters
from etalon.report.several.paired import means_of
from etalon.show.table import CLR_METHODS
from etalon.store import StageDir, read_json, read_jsonl
from etalon.studies.pairing import DIFFERENCE, SHARE, Difference, Pair, Spread, difference, over_seeds
from etalon.studies.runner import Failure
from etalon.studies.study import Study
from etalon.studies.tasks import Task

RESULT = "result.json"
FORMAT = 1
SHARES = ("pass1", "passk", "truncated", "no_answer")
NUMBERS = ("pass1", "passk", "mean_tokens", "correct_tokens", "truncated", "no_answer", "delta")
CLR = "clr"  # the way to answer that the others are subtracted from
GAIN = f"{CLR} - "


@dataclass(frozen=True, kw_only=True)
class Row:
    """One arm after one measured stage in one domain.

    stage: as the study names it; of: the arm's own stage. numbers: pass1, passk and so on over seeds; delta: Pass@1
    against the stage it starts from. against: the first arm, or for CLR the way to answer that is subtracted; from it
    `difference` is that of Pass@1, paired by problem, `changes` those of the other numbers, paired by seed.
    """

    arm: str
    stage: str
    of: str
    domain: str
    numbers: Mapping[str, Spread]
    difference: Difference | None = None
    changes: Mapping[str, Spread] = field(default_factory=dict)
    against: str = ""


@dataclass(frozen=True, kw_only=True)
class ArmCost:
    """Of one arm, over seeds: seconds of its measured stages, and the tokens that RL sampled in them."""

    arm: str
    seconds: Spread | None
    sampled_tokens: Spread | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """All of it. seeds: those of which every run is done. skipped: "RUN: STAGE: why" of stages that did nothing.

    uneven: "ARM after STAGE: DOMAIN: ..." of what some seeds have no score of, and which has no row for that.
    """

    name: str
    question: str
    command: str
    recipe: str
    seeds: tuple[int, ...]
    arms: Mapping[str, Sequence[str]]  # name -> its overrides
    domains: tuple[str, ...]
    rows: tuple[Row, ...]
    costs: tuple[ArmCost, ...]
    seconds: float  # of the stages of all its runs, each once
    skipped: tuple[str, ...]
    failures: tuple[Failure, ...]
    missing: tuple[str, ...]  # runs that are not done
    uneven: tuple[str, ...] = ()
    made_on: Mapping[str, str]  # processor and versions: another processor rounds otherwise

    @property
    def sentence(self) -> str:
        """What it comes to, by the intervals alone."""
        return " ".join(told(self)) or "Nothing was measured."

    @property
    def gaps(self) -> Iterator[str]:
        """What is in no row, and why, a line each; failures apart."""
        yield from (f"did nothing: {one}" for one in self.skipped)
        yield from (f"left out: {one}" for one in self.uneven)
        if self.missing:
            yield f"not done: {', '.join(self.missing)}; seeds that lack a run are left out"

    def record(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {"format": FORMAT, **asdict(self), "conclusion": self.sentence}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one run has of one measured stage: numbers and Pass@1 by problem, per domain."""

    numbers: Mapping[str, Mapping[str, float]]
    means: Mapping[str, Mapping[str, float]]
    clusters: Mapping[str, str]


def read(study: Study, tasks: Sequence[Task], *, command: str, failures: Sequence[Failure] = ()) -> Result:
    """The result over the runs that are done; those that are not are named."""
    whole = [task for task in tasks if task.is_whole]
    by_arm = {arm.name: {task.seed: task for task in whole if task.arm is arm} for arm in study.arms}
    seeds = tuple(seed for seed in study.seeds if all(seed in found for found in by_arm.values()))
    rows: list[Row] = []
    uneven: list[str] = []
    for place, stage in enumerate(study.measure):
        measured = {
            arm.name: {seed: _measured(by_arm[arm.name][seed], arm.measure[place]) for seed in seeds}
            for arm in study.arms
        }
        for arm in study.arms:
            base = {} if arm is study.baseline else measured[study.baseline.name]
            rows += _rows(arm.name, stage, arm.measure[place], measured[arm.name], base, study.baseline.name)
            uneven += uneven_of(f"{arm.name} after {stage}", measured[arm.name])
    return Result(
        name=study.name,
        question=study.question,
        command=command,
        recipe=config.name_of(study.recipe, study.sets),
        seeds=seeds,
        arms={arm.name: arm.sets for arm in study.arms},
        domains=study.domains,
        rows=tuple(rows),
        costs=tuple(_cost(arm.name, [by_arm[arm.name][seed] for seed in seeds]) for arm in study.arms),
        seconds=round(_seconds(whole), 1),
        skipped=tuple(one for task in whole for one in _skipped(task)),
        failures=tuple(failures),
        missing=tuple(task.name for task in tasks if not task.is_whole),
        uneven=tuple(uneven),
        made_on=machine(),
    )


def _rows(
    arm: str, stage: str, of: str, runs: Mapping[int, Measured], base: Mapping[int, Measured], baseline: str
) -> Iterator[Row]:
    """A row per domain that every seed has; behind each way to answer of a CLR stage, what CLR adds to it."""
    for domain in _shared([one.numbers for one in runs.values()]):
        scores = [one.numbers[domain] for one in runs.values()]
        others = [one.numbers.get(domain, {}) for one in base.values()]
        found = difference([_pair(base[seed], domain, one, domain) for seed, one in runs.items() if seed in base])
        yield Row(
            arm=arm, stage=stage, of=of, domain=domain, difference=found, against=baseline if found else "",
            numbers={
                name: over_seeds([one[name] for one in scores], _bounds(name)) for name in _shared(scores)
            },
            changes={
                name: over_seeds(
                    [mine[name] - other[name] for mine, other in zip(scores, others, strict=True)],
                    DIFFERENCE if name in SHARES else None,
                )
                for name in (_shared([*scores, *others]) if others else ())
                if name not in ("pass1", "delta")
            },
        )  # fmt: skip
        if all(CLR in one.numbers for one in runs.values()) and domain != CLR:
            gain = difference([_pair(one, domain, one, CLR) for one in runs.values()])
            yield Row(
                arm=arm, stage=stage, of=of, domain=f"{GAIN}{domain}", numbers={}, difference=gain, against=domain
            )  # fmt: skip


def uneven_of(place: str, runs: Mapping[int, Measured]) -> Iterator[str]:
    """What some seeds of an arm have a score of and others do not: in words, for it is in no row."""
    for domain in dict.fromkeys(domain for one in runs.values() for domain in one.numbers):
        lacking = [str(seed) for seed, one in runs.items() if domain not in one.numbers]
        if lacking:
            yield f"{place}: {domain}: seeds {', '.join(lacking)} have no score of it"


def _bounds(name: str) -> tuple[float, float] | None:
    return SHARE if name in SHARES else DIFFERENCE if name == "delta" else None


def _shared(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that all tables have, in the order of the first."""
    return [name for name in tables[0] if all(name in one for one in tables)] if tables else []


def _pair(before: Measured, earlier: str, after: Measured, later: str) -> Pair:
    """One seed's problems: a domain of one run before, a domain of a run after."""
    return Pair(before=before.means.get(earlier, {}), after=after.means.get(later, {}), clusters=after.clusters)


def _measured(task: Task, stage: str) -> Measured:
    """What a finished run says of a stage: its row of summary.json, or what its CLR answered."""
    clusters = read_clusters(task.directories[PROBLEMS])
    columns = task.directories[stage] / COLUMNS_FILE
    if columns.is_file():
        by_column: dict[str, dict[str, float]] = read_json(columns)
        numbers = {name: {"pass1": sum(one.values()) / len(one)} for name, one in by_column.items() if one}
        return Measured(numbers=numbers, means=by_column, clusters=clusters)
    entries = read_json(task.directory / "summary.json")["stages"]
    entry: Mapping[str, Any] = next((one for one in entries if one["name"] == stage), {"domains": {}})
    found = {
        domain: {name: float(row[name]) for name in NUMBERS if row.get(name) is not None}
        for domain, row in entry["domains"].items()
    }
    same = entry.get("as") or stage
    if same == entry.get("from"):  # the very weights it started from: there is no change
        found = {domain: {**one, "delta": 0.0} for domain, one in found.items()}
    return Measured(numbers=found, means=means_of(task.directory, stage), clusters=clusters)


# ---- what it took, and where


def machine() -> dict[str, str]:
    """The processor, as it names itself, and the versions that its digits depend on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    versions = {name: metadata.version(name) for name in ("torch", "transformers")}
    processor = named or platform.processor() or platform.machine()
    return {"processor": processor, **versions, "arithmetic": str(ARITHMETIC)}


def _done(task: Task) -> dict[str, dict[str, Any]]:
    """DONE.json of every stage of a run."""
    found = {stage.name: StageDir(task.directories[stage.name]).done() for stage in task.stages}
    return {name: payload for name, payload in found.items() if payload is not None}


def _cost(arm: str, tasks: Sequence[Task]) -> ArmCost:
    seconds, tokens = [], []
    for task in tasks:
        done = _done(task)
        seconds.append(sum(done[name]["seconds"] for name in task.arm.measure))
        tokens.append(sum(_sampled(task.directories[name]) for name in task.arm.measure))
    return ArmCost(
        arm=arm,
        seconds=over_seeds(seconds) if seconds else None,
        sampled_tokens=over_seeds(tokens) if any(tokens) else None,
    )


def _sampled(directory: Path) -> float:
    """Tokens that the steps of an RL stage sampled; 0 of any other stage."""
    path = directory / "rollouts.jsonl"
    rows = [row for row in read_jsonl(path) if "step" in row] if path.is_file() else []
    return float(sum(rollout["tokens"] for row in rows for rollout in row["rollouts"]))


def _seconds(tasks: Sequence[Task]) -> float:
    """Seconds of every stage of all runs, one that several runs share once."""
    found = {payload["key"]: float(payload["seconds"]) for task in tasks for payload in _done(task).values()}
    return sum(found.values())


def _skipped(task: Task) -> Iterator[str]:
    for name, payload in _done(task).items():
        if "skipped" in payload["outputs"]:
            yield f"{task.name}: {name}: {payload['outputs']['skipped']}"


# ---- in words


def said(domain: str) -> str:
    """A domain, or a way to answer, as a table heads it: "clr - cons_2k" is "CLR@K minus Cons@2K"."""
    name = domain.removeprefix(GAIN)
    return f"{CLR_METHODS[CLR]} minus {CLR_METHODS.get(name, name)}" if is_gain(domain) else CLR_METHODS.get(name, name)


def told(result: Result) -> Iterator[str]:
    """A sentence per measured stage and domain that the study is about: which arms differ, and which cannot be told.

    Of one arm, a sentence per stage instead: where its change over seeds excludes 0.
    """
    if len(result.arms) == 1:
        yield from _bought(result)
    compared = [row for row in result.rows if row.difference is not None and _is_asked(row, result)]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in compared:
        groups.setdefault((row.stage, row.domain, row.arm if is_gain(row.domain) else ""), []).append(row)
    alike = _alike(groups)
    for (stage, against), domains in alike.items():
        yield f"{stage}, against {against}: nothing told apart on {', '.join(domains)}."
    for (stage, domain, arm), rows in groups.items():
        if not arm and said(domain) in alike.get((stage, rows[0].against), ()):
            continue
        clear = [row for row in rows if row.difference and row.difference.is_clear]
        parts = [_named(clear)] if clear else []
        left = [row for row in rows if row not in clear]
        parts += [f"not told apart: {_named(left)}"] if left else []
        where = f"{arm}: {said(domain)}" if arm else f"{stage}, {said(domain)}, against {rows[0].against}"
        yield f"{where}: {'; '.join(parts)}."


def _alike(groups: Mapping[tuple[str, str, str], Sequence[Row]]) -> dict[tuple[str, str], list[str]]:
    """Stage and what it is against -> the domains in which no arm is told apart, where these are several."""
    found: dict[tuple[str, str], list[str]] = {}
    for (stage, domain, arm), rows in groups.items():
        if not arm and not any(row.difference and row.difference.is_clear for row in rows):
            found.setdefault((stage, rows[0].against), []).append(said(domain))
    return {place: domains for place, domains in found.items() if len(domains) > 1}


def _bought(result: Result) -> Iterator[str]:
    """The clear changes of every stage against the one it starts from, by their interval over seeds."""
    for stage in dict.fromkeys(row.stage for row in result.rows):
        changes = {
            row.domain: row.numbers["delta"]
            for row in result.rows
            if row.stage == stage and "delta" in row.numbers and _is_asked(row, result)
        }
        clear = [
            f"{domain} {100 * one.mean:+.1f} [{100 * one.low:+.1f}, {100 * one.high:+.1f}]"
            for domain, one in changes.items()
            if one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
        ]
        if changes:
            yield f"{stage}: {', '.join(clear) if clear else 'no change that is clear over seeds'}."


def _named(rows: Sequence[Row]) -> str:
    return ", ".join(_points(row) if is_gain(row.domain) else f"{row.arm} {_points(row)}" for row in rows)


def is_gain(domain: str) -> bool:
    """Whether a row is what CLR adds to another way to answer, in one arm."""
    return domain.startswith(GAIN)


def _is_asked(row: Row, result: Result) -> bool:
    return not result.domains or row.domain in result.domains


def ends(found: Difference) -> tuple[float | None, float | None]:
    """Of the interval over seeds, or over problems where there is one seed."""
    return (found.low, found.high) if found.low is not None else (found.problems_low, found.problems_high)


def _points(row: Row) -> str:
    """A difference in points with its interval over seeds, or over problems where there is one seed."""
    found = row.difference
    assert found is not None
    low, high = ends(found)
    bounds = f" [{100 * low:+.1f}, {100 * high:+.1f}]" if low is not None and high is not None else ""
    return f"{100 * found.mean:+.1f}{bounds}"
