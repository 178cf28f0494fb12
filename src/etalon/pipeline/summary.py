"""summary.json: one entry per model stage, with Pass@1 differences to the stage before, paired by problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etalon import stats
from etalon.pipeline.graph import MODEL_STAGES
from etalon.recipe import Recipe
from etalon.store import StageDir, read_json


def summarise(recipe: Recipe, directories: Mapping[str, Path], *, wait_seconds: float) -> dict[str, Any]:
    """The whole run in one value; stages that are not done are left out.

    seconds: foreground stages plus `wait_seconds` at the end for evaluations that ran beside them.
    peak_memory_mb: largest resident size of the main process plus that of the largest worker.
    """
    done = {name: StageDir(path).done() for name, path in directories.items()}
    entries = []
    before: dict[str, dict[str, float]] = {}
    for name in MODEL_STAGES:
        stage, measured = done[name], done[f"eval-{name}"]
        if stage is None or measured is None:
            continue
        means = read_json(directories[f"eval-{name}"] / "means.json")
        entry = {"name": name, "seconds": stage["seconds"], "domains": {}}
        if "skipped" in stage["outputs"]:
            entry["skipped"] = stage["outputs"]["skipped"]
        for domain, score in measured["outputs"]["scores"].items():
            entry["domains"][domain] = _domain(score, before.get(domain), means[domain])
        before = means
        entries.append(entry)
    finished = [payload for payload in done.values() if payload is not None]
    foreground = [payload for payload in finished if not payload["beside"]]
    beside = [payload for payload in finished if payload["beside"]]
    clr = done["clr"]
    return {
        "name": recipe.name,
        "seed": recipe.seed,
        "seconds": round(sum(p["seconds"] for p in foreground) + wait_seconds, 1),
        "peak_memory_mb": round(_peak(foreground) + _peak(beside)),
        "stages": entries,
        **({"clr": clr["outputs"].get("clr") or {"skipped": clr["outputs"]["skipped"]}} if clr else {}),
    }  # fmt: skip


def _peak(payloads: Sequence[Mapping[str, Any]]) -> float:
    return max((payload["peak_memory_mb"] for payload in payloads), default=0.0)


def _domain(score: Mapping[str, Any], before: Mapping[str, float] | None, after: Mapping[str, float]) -> dict[str, Any]:
    row = dict(score)
    row["pass8"] = row["passk"]
    if before and before.keys() & after.keys():
        change = stats.paired_difference(before, after)
        row |= {
            "delta": change.mean,
            "delta_low": stats.finite(change.low),
            "delta_high": stats.finite(change.high),
        }
    return row
