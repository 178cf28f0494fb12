"""Seconds of the stages of a nano recipe on this machine, before they run: from earlier runs, or reckoned.

stage.cost -> RATES, measured on the nano recipe -> reference seconds -> x slowness -> Expected
slowness: what measured stages took here over what is reckoned for them; without any, a fixed bit of work (calibrate)

Models from files are not reckoned here: `machine` does so by what their preflight measures.
"""

from __future__ import annotations

import hashlib
import json
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from etalon.config.stages import SCRATCH
from etalon.pipeline import reckoning
from etalon.pipeline.forecast import shape_of
from etalon.pipeline.graph import Graph
from etalon.pipeline.stage import Stage, dump
from etalon.pipeline.stages.base import Base
from etalon.recipe import Recipe
from etalon.show.progress import show_seconds
from etalon.store import StageDir, read_json

# (ours) of one thread of an idle core that takes REFERENCE_CHUNK for a chunk: the nano recipe's 580 CPU-seconds, spread
# over its stages as their 1,060 seconds beside other work were
SAMPLED, TRAINED = 1.6e-5, 2.2e-6  # a token, as `Cost` counts them: upper bounds and all
DOCUMENT, TRACE, PROBLEM = 2.4e-3, 9.5e-4, 7e-5  # a text of the base, a trace of the data engine, its problem
START, START_RL = 0.3, 1.0  # a stage, to load its model; a phase of RL, its verifiers as well
EARLY = 0.5  # of CLR's calls, where it stops early
REFERENCE_CHUNK = 1.31e-3
CALIBRATION_SECONDS = 0.8
LARGEST = 4.0  # times the parameters of the nano model: beyond, a token takes longer
NANO_PARAMETERS = 422_016


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Seconds of one stage while nothing of this run runs beside it. how: "measured" or "reckoned"."""

    seconds: float
    how: str


def seconds_forecast(graph: Graph, done: Mapping[str, float], *, slowness: float | None = None) -> dict[str, Expected]:
    """Stage -> what it takes here. done: seconds of the same stages in earlier runs (`measured_in`).

    slowness: of this machine now against the reference; None takes it from `done`, or from `calibrate`. Without the
    stages that neither a run has measured nor a rate is known for.
    """
    reckoned = {stage.name: reference_seconds(stage) for stage in graph.stages} if is_reckonable(graph.recipe) else {}
    if slowness is None and reckoned.keys() - done.keys():
        slowness = slowness_of(reckoned, done) or calibrate()
    found = {}
    for stage in graph.stages:
        if stage.name in done:
            found[stage.name] = Expected(seconds=done[stage.name], how="measured")
        elif stage.name in reckoned:
            found[stage.name] = Expected(seconds=reckoned[stage.name] * (slowness or 1.0), how="reckoned")
    return found


def together(expected: Mapping[str, Expected], stages: Sequence[Stage], *, jobs: int) -> float:
    """Seconds of these stages with so many processes, of which evaluations and what awaits a stage may have one."""
    seconds = {stage.name: expected[stage.name].seconds for stage in stages if stage.name in expected}
    front = [stage for stage in stages if not stage.is_background and stage.name in seconds]
    hidden = _hidden(front, dict(seconds)) if jobs > 1 else 0.0
    return max(sum(seconds[stage.name] for stage in front) - hidden, sum(seconds.values()) / jobs)


def _hidden(stages: Sequence[Stage], left: dict[str, float]) -> float:
    """Seconds of stages that pass beside those they await. left: seconds of every stage with nothing beside it yet."""
    found = 0.0
    for stage in stages:
        for name in stage.awaits:
            part = min(left[stage.name], left.get(name, 0.0))
            left[stage.name], left[name], found = left[stage.name] - part, left.get(name, 0.0) - part, found + part
    return found


def measured_in(runs: Sequence[Path], graph: Graph) -> dict[str, float]:
    """Stage -> its seconds in the last of these runs that finished it with the same values, model and problems."""
    found = {}
    for run in runs:
        for stage in graph.stages if is_same_world(run, graph.recipe) else ():
            directory = StageDir(run / "stages" / stage.name)
            done = directory.done()
            if done is None or "as" in done["outputs"]:
                continue
            if is_said(read_json(directory.path / "inputs.json").get("keys"), dump(stage.spec, as_written=True)):
                found[stage.name] = float(done["seconds"])
    return found


def is_same_world(run: Path, recipe: Recipe) -> bool:
    """Whether a run was made with the same model and problems, wherever it ran; False where it cannot be read."""
    try:
        made = tomllib.loads((run / "resolved.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    tables = recipe.resolved().model_dump(include={"model", "problems"})
    return all(is_said(made.get(name), table) for name, table in tables.items())


def is_said(before: object, now: object) -> bool:
    """Whether all that was said before is so now; keys that there were not yet are no difference."""
    current = json.loads(json.dumps(now, default=str))
    return isinstance(before, dict) and all(current.get(key) == value for key, value in before.items())


def is_reckonable(recipe: Recipe) -> bool:
    """Whether the rates are of such a recipe: a model of its own of nano's size, in the nano world, on this CPU."""
    shape = shape_of(recipe)
    ours = (recipe.problems.source, recipe.data.teacher, recipe.engine, recipe.sampler.name)
    return (
        ours == ("nano", "nano", "local", "local") and recipe.model.base == SCRATCH and recipe.device != "cuda"
        and shape is not None and shape.parameters <= LARGEST * NANO_PARAMETERS
    )  # fmt: skip


def reference_seconds(stage: Stage) -> float:
    """Seconds of a stage on the reference core."""
    cost = stage.cost
    traces = reckoning.traces(stage.recipe)
    work = SAMPLED * cost.sampled + TRAINED * cost.trained
    if isinstance(stage, Base):
        work += DOCUMENT * stage.spec.documents if stage.is_scratch else 0.0
    elif stage.kind in ("data", "problems"):
        work += traces * (TRACE if stage.kind == "data" else PROBLEM)
    elif stage.kind == "clr" and stage.spec.early == "exact":
        work *= EARLY
    return work + (START_RL if cost.is_rl else START)


def slowness_of(reckoned: Mapping[str, float], done: Mapping[str, float]) -> float | None:
    """How much longer the measured stages took than is reckoned for them, over all of them; None without any."""
    names = reckoned.keys() & done.keys()
    return sum(done[name] for name in names) / sum(reckoned[name] for name in names) if names else None


def calibrate() -> float:
    """How much slower than on the reference core a fixed bit of work is here and now, whatever else is running."""
    started, chunks = time.perf_counter(), 0
    while time.perf_counter() - started < CALIBRATION_SECONDS:
        _chunk()
        chunks += 1
    return (time.perf_counter() - started) / chunks / REFERENCE_CHUNK


def _chunk() -> int:
    """Hashing and counting, as an interpreter does both."""
    total, digest = 0, b"etalon"
    for _ in range(2000):
        digest = hashlib.sha256(digest * 8).digest()
        total += sum(digest[:16])
    return total


def told(expected: Mapping[str, Expected], stages: Sequence[Stage], *, jobs: int) -> list[str]:
    """In words: what the stages to run take together, and how that was found."""
    known = [stage for stage in stages if stage.name in expected]
    if not known:
        return []
    hows = [expected[stage.name].how for stage in known]
    whole = show_seconds(together(expected, stages, jobs=jobs))
    parts = [f"{hows.count(how)} of them {how}" for how in ("measured", "reckoned") if how in hows]
    missing = f"; {len(stages) - len(known)} are not known" if len(known) < len(stages) else ""
    return [f"- about {whole} on this machine as busy as it is now, {jobs} at a time: {', '.join(parts)}{missing}"]
