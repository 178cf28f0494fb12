"""summary.json: one entry per model stage, with Pass@1 differences to the stage it starts from, paired by problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from etalon import stats
from etalon.config.stages import EVALUATION, PROBLEMS
from etalon.pipeline.graph import Graph
from etalon.pipeline.stage import Stage, finished
from etalon.problems.clusters import read_clusters
from etalon.store import read_json

Done = Mapping[str, Mapping[str, Any] | None]  # DONE.json of every stage, None where there is work to do


class Part(NamedTuple):
    """Where an evaluation keeps its scores, and the means of every problem."""

    output: str
    file: str


PARTS = {"domains": Part("scores", "means.json"), "sets": Part("sets", "sets.json")}  # by their key in an entry


def summarise(
    graph: Graph, keys: Mapping[str, str], directories: Mapping[str, Path], *, wait_seconds: float
) -> dict[str, Any]:
    """The whole run in one value; stages that are not done, or were done with other values, are left out.

    seconds: foreground stages, what a stage that began beside another took beyond it, and `wait_seconds` at the end for
    evaluations.
    peak_memory_mb: largest resident size of the main process plus that of the largest worker; helpers of a tiny model
    are not in it.
    """
    done: Done = {stage.name: finished(stage, keys[stage.name], directories[stage.name]) for stage in graph.stages}
    payloads = [payload for payload in done.values() if payload is not None]
    foreground = [payload for payload in payloads if not payload["beside"]]
    beside = [payload for payload in payloads if payload["beside"]]
    entries = [entry for stage in graph.models if (entry := _entry(stage, graph, done, directories)) is not None]
    return {
        "name": graph.recipe.name,
        "seed": graph.recipe.seed,
        "seconds": round(sum(p["seconds"] for p in foreground) + _beyond(graph, done) + wait_seconds, 1),
        "peak_memory_mb": round(_peak(foreground) + _peak(beside)),
        "stages": entries,
        **_clr(graph, done),
    }  # fmt: skip


def _beyond(graph: Graph, done: Done) -> float:
    """Seconds that stages took beyond those beside which they began."""
    found = 0.0
    for stage in graph.pipeline:
        payload = done[stage.name]
        if payload is not None and payload["beside"]:
            awaited = [other for name in stage.awaits if (other := done[name]) is not None]
            found += max(0.0, payload["seconds"] - sum(other["seconds"] for other in awaited))
    return found


def _peak(payloads: Sequence[Mapping[str, Any]]) -> float:
    return max((payload["peak_memory_mb"] for payload in payloads), default=0.0)


def _clr(graph: Graph, done: Done) -> dict[str, Any]:
    """What CLR bought: of the last stage that measured it under "clr", of those before it under "clr_before"."""
    measured = [(stage, payload) for stage in graph.stages if (payload := done[stage.name]) is not None]
    found = {
        stage.name: {
            "of": stage.source,
            **(payload["outputs"].get("clr") or {"skipped": payload["outputs"]["skipped"]}),
        }
        for stage, payload in measured
        if "clr" in payload["outputs"] or ("skipped" in payload["outputs"] and not stage.makes_model)
    }
    if not found:
        return {}
    *others, (_, last) = found.items()
    return {"clr": last, **({"clr_before": dict(others)} if others else {})}


def _entry(stage: Stage, graph: Graph, done: Done, directories: Mapping[str, Path]) -> dict[str, Any] | None:
    """One row of the table; None for a stage that is not done, or whose evaluation is asked for and is not."""
    payload, name = done[stage.name], f"{EVALUATION}{stage.name}"
    if payload is None or (name in done and done[name] is None):
        return None
    outputs = payload["outputs"]
    entry = {"name": stage.name, "kind": stage.kind, "from": stage.source or None, "seconds": payload["seconds"]}
    if stage.domains:
        entry["trained_on"] = [domain.value for domain in stage.domains]
    if "skipped" in outputs:
        entry["skipped"] = outputs["skipped"]
    measured = done.get(name)
    if measured is None:  # nobody asked for its evaluation
        return entry | {"domains": {}}
    same = measured["outputs"].get("as")
    if same is not None:
        told = done.get(f"{EVALUATION}{same}")
        rows = {part: _scored(part, told, directories, f"{EVALUATION}{same}") if told else {} for part in PARTS}
        return entry | {"as": same} | _known(rows)
    clusters = read_clusters(directories[PROBLEMS])
    rows = {}
    for part in PARTS:
        before = _means_before(part, stage, graph, done, directories)
        after = _means(part, directories[name])
        rows[part] = {
            key: row | _change(before.get(key), after[key], clusters)
            for key, row in _scored(part, measured, directories, name).items()
        }
    return entry | _known(rows)


def _known(rows: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Domains, and the data sets that some of them consist of, where there are any."""
    return {part: found for part, found in rows.items() if found or part == "domains"}


def _scored(
    part: str, measured: Mapping[str, Any], directories: Mapping[str, Path], name: str
) -> dict[str, dict[str, Any]]:
    """The rows of an evaluation by domain or data set, with the interval of Pass@1."""
    means, clusters = _means(part, directories[name]), read_clusters(directories[PROBLEMS])
    scores = measured["outputs"].get(PARTS[part].output, {})
    return {key: _row(score) | _bounds(means[key], clusters) for key, score in scores.items()}


def _means(part: str, directory: Path) -> Mapping[str, Mapping[str, float]]:
    """Per-problem means; none where an evaluation has no such parts."""
    path = directory / PARTS[part].file
    found: Mapping[str, Mapping[str, float]] = read_json(path) if path.exists() else {}
    return found


def _means_before(
    part: str, stage: Stage, graph: Graph, done: Done, directories: Mapping[str, Path]
) -> Mapping[str, Mapping[str, float]]:
    """Per-problem means of the stage it starts from, or of the nearest before that with an evaluation."""
    source = stage.source
    while source:
        payload = done.get(f"{EVALUATION}{source}")
        same = payload["outputs"].get("as") if payload else None
        path = directories.get(f"{EVALUATION}{same or source}")
        if payload and path is not None and (path / "means.json").exists():
            return _means(part, path)
        source = graph.by_name[source].source
    return {}


def _row(score: Mapping[str, Any]) -> dict[str, Any]:
    """A domain's score; `pass8` stays beside `passk` where K is 8."""
    return dict(score) | ({"pass8": score["passk"]} if score["k"] == 8 else {})


def _bounds(means: Mapping[str, float], clusters: Mapping[str, str]) -> dict[str, float]:
    """The interval of Pass@1; nothing where no problem is decided."""
    if not means:
        return {}
    found = stats.share_interval(list(means.values()), clusters=stats.cluster_ids(means, clusters))
    return {"pass1_low": found.low, "pass1_high": found.high}


def _change(
    before: Mapping[str, float] | None, after: Mapping[str, float], clusters: Mapping[str, str]
) -> dict[str, Any]:
    """Pass@1 against the stage it starts from; nothing without a problem in common."""
    if not before or not before.keys() & after.keys():
        return {}
    change = stats.paired_difference(before, after, clusters=clusters)
    return {
        "delta": change.mean,
        "delta_low": stats.finite(change.low),
        "delta_high": stats.finite(change.high),
    }
