"""What a study found: rows over its finished runs, as JSON, and one sentence that says no more than they do.

    run directories -> read -> Row per arm, measured stage and domain (of a `clr` stage: per way to answer)
    Result -> result.json

A row's numbers are means over seeds with an interval over seeds. Every arm but the first is compared with the first,
paired by seed and problem, with intervals over seeds and over problems apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from etalon.config.stages import EVALUATION, PROBLEMS
from etalon.pipeline.stages.clr import COLUMNS_FILE
from etalon.problems.clusters import read_clusters
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
    """All of it. seeds: those of which every run is done. skipped: "RUN: STAGE: why" of stages that did nothing."""

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

    @property
    def sentence(self) -> str:
        """What it comes to, by the intervals alone."""
        return " ".join(told(self)) or "Nothing was measured."

    def record(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {"format": FORMAT, **asdict(self), "conclusion": self.sentence}


@dataclass(frozen=True, kw_only=True)
class _Measured:
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
    for place, stage in enumerate(study.measure):
        measured = {
            arm.name: {seed: _measured(by_arm[arm.name][seed], arm.measure[place]) for seed in seeds}
            for arm in study.arms
        }
        for arm in study.arms:
            base = {} if arm is study.baseline else measured[study.baseline.name]
            rows += _rows(arm.name, stage, arm.measure[place], measured[arm.name], base, study.baseline.name)
    return Result(
        name=study.name,
        question=study.question,
        command=command,
        recipe=str(study.recipe.stem),
        seeds=seeds,
        arms={arm.name: arm.sets for arm in study.arms},
        domains=study.domains,
        rows=tuple(rows),
        costs=tuple(_cost(arm.name, [by_arm[arm.name][seed] for seed in seeds]) for arm in study.arms),
        seconds=round(_seconds(whole), 1),
        skipped=tuple(one for task in whole for one in _skipped(task)),
        failures=tuple(failures),
        missing=tuple(task.name for task in tasks if not task.is_whole),
    )


def _rows(
    arm: str, stage: str, of: str, runs: Mapping[int, _Measured], base: Mapping[int, _Measured], baseline: str
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
                arm=arm, stage=stage, of=of, domain=f"{CLR} - {domain}", numbers={}, difference=gain, against=domain
            )  # fmt: skip


def _bounds(name: str) -> tuple[float, float] | None:
    return SHARE if name in SHARES else DIFFERENCE if name == "delta" else None


def _shared(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that all tables have, in the order of the first."""
    return [name for name in tables[0] if all(name in one for one in tables)] if tables else []


def _pair(before: _Measured, earlier: str, after: _Measured, later: str) -> Pair:
    """One seed's problems: a domain of one run before, a domain of a run after."""
    return Pair(before=before.means.get(earlier, {}), after=after.means.get(later, {}), clusters=after.clusters)


def _measured(task: Task, stage: str) -> _Measured:
    """What a finished run says of a stage: its row of summary.json, or what its CLR answered."""
    clusters = read_clusters(task.directories[PROBLEMS])
    columns = task.directories[stage] / COLUMNS_FILE
    if columns.is_file():
        by_column: dict[str, dict[str, float]] = read_json(columns)
        numbers = {name: {"pass1": sum(one.values()) / len(one)} for name, one in by_column.items() if one}
        return _Measured(numbers=numbers, means=by_column, clusters=clusters)
    entries = read_json(task.directory / "summary.json")["stages"]
    entry: Mapping[str, Any] = next((one for one in entries if one["name"] == stage), {"domains": {}})
    found = {
        domain: {name: float(row[name]) for name in NUMBERS if row.get(name) is not None}
        for domain, row in entry["domains"].items()
    }
    same = entry.get("as") or stage
    path = task.directories.get(f"{EVALUATION}{same}", Path()) / "means.json"
    means = read_json(path) if path.is_file() else {}
    return _Measured(numbers=found, means=means, clusters=clusters)


# ---- what it took


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


def told(result: Result) -> Iterator[str]:
    """A sentence per measured stage and domain that the study is about: which arms differ, and which cannot be told."""
    compared = [row for row in result.rows if row.difference is not None and _is_asked(row, result)]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in compared:
        own = row.arm if row.domain.startswith(f"{CLR} - ") else ""
        groups.setdefault((row.stage, row.domain, own), []).append(row)
    for (stage, domain, own), rows in groups.items():
        clear = [row for row in rows if row.difference and row.difference.is_clear]
        open_ = [row for row in rows if row not in clear]
        where = f"{own}: {domain}" if own else f"{stage}, {domain}"
        parts = [f"{_name(row)} {_points(row)}" for row in clear]
        told_apart = "; ".join(parts)
        left = ", ".join(f"{_name(row)} {_points(row)}" for row in open_)
        against = "" if own else f" against {rows[0].against}"
        if clear and open_:
            yield f"{where}{against}: {told_apart}; not told apart: {left}."
        else:
            yield f"{where}{against}: {told_apart}." if clear else f"{where}{against}: not told apart: {left}."


def _name(row: Row) -> str:
    return "" if row.domain.startswith(f"{CLR} - ") else row.arm


def _is_asked(row: Row, result: Result) -> bool:
    return not result.domains or row.domain in result.domains


def _points(row: Row) -> str:
    """A difference in points with its interval over seeds, or over problems where there is one seed."""
    found = row.difference
    assert found is not None
    low, high = (found.low, found.high) if found.low is not None else (found.problems_low, found.problems_high)
    bounds = f" [{100 * low:+.1f}, {100 * high:+.1f}]" if low is not None and high is not None else ""
    return f"{100 * found.mean:+.1f}{bounds}".strip()
