"""What the study found, as one JSON: cells -> series over sizes -> curves with intervals -> the conclusion.

result.json  {study, cells, seconds, sizes, reasoning, facts, stored, needed, verdict, losses, larger}
             sizes: [{width, all, body}]; every `points` is a list over those sizes, from the smallest
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.cost import compute
from etalon.cost.gpus import GPUS
from etalon.errors import RunError
from etalon.store import read_json, write_json_atomic
from etalon.studies.compression import curves, run, verdict
from etalon.studies.compression.cells import cell_file, write_cells
from etalon.studies.compression.curves import Estimate, Point
from etalon.studies.compression.plan import DOMAINS, Design, shape_of
from etalon.studies.compression.verdict import Evidence

Rows = Sequence[Mapping[str, Any]]
COUNTS = ("all", "body")  # real parameters: all of them, and without the embeddings of tokens and head
ALL = "all domains"
LEVEL_DRAWS = 60  # (ours) of a single level's interval
LARGER = (10, 100)  # times the parameters of the largest
LARGER_GPU = "h100"
GPU_HOUR = 2.0  # (ours) dollars that an hour of one is reckoned at: as the 1.5B report's $7.8K for 3,900 hours
STEP_SECONDS = 0.02  # (ours) of a GPU that only launches kernels of a model far too small for it
RECALLED = 0.9  # recall whose size is asked for


def conclude(directory: Path, study: Design) -> dict[str, Any]:
    """The result of a finished study, written to DIR/result.json; its models, to cells.jsonl.gz.

    RunError while cells are missing.
    """
    missing = [cell.name for cell in study.cells if not cell_file(directory, cell).exists()]
    if missing:
        raise RunError(
            f"{directory}: {len(missing)} of {len(study.cells)} models are not trained yet: {missing[0]} ..."
        )
    cells = [read_json(cell_file(directory, cell)) for cell in study.cells]
    result = found(study, cells)
    write_json_atomic(directory / "result.json", result)
    write_cells(directory, study)
    return result


def found(study: Design, cells: Rows) -> dict[str, Any]:
    """The result of cells, as JSON values."""
    widths = sorted(study.widths)
    sizes = [{"width": w, **next(c["parameters"] for c in cells if c["width"] == w)} for w in widths]
    reasoning = [c for c in cells if c["part"] == "reasoning"]
    known = [c for c in cells if c["part"] == "facts"]
    series = [_series(subject, reasoning, sizes) for subject in subjects(reasoning[0]["problems"])]
    amounts = [_facts(count, [c for c in known if c["facts"] == count], sizes) for count in sorted(study.facts)]
    stored = _stored(known, sizes, series[0], amounts[-1])
    concluded = {count: _verdict(count, sizes, series[0], stored, amounts[-1], study) for count in COUNTS}
    result: dict[str, Any] = _finite({
        "study": study.to_json(), "cells": len(cells), "seconds": sum(c["train_seconds"] for c in cells),
        "sizes": sizes, "reasoning": series, "facts": amounts, "stored": stored,
        "needed": [_needed(one, sizes) for one in amounts],
        "verdict": {"state": concluded["all"].state, "sentence": concluded["all"].sentence,
                    "without_embeddings": {"state": concluded["body"].state, "sentence": concluded["body"].sentence}},
        "losses": [{"part": c["part"], "facts": c.get("facts", 0), "width": c["width"], "seed": c["seed"],
                    "points": c["loss"]} for c in cells],
        "larger": _larger(sizes, reasoning, known),
    })  # fmt: skip
    return result


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What an accuracy is taken over. domain, level: of its problems, all where there is none; draws: of intervals."""

    name: str
    domain: str = ""
    level: int = 0
    draws: int = curves.DRAWS

    def holds(self, problem: Mapping[str, Any]) -> bool:
        """Whether a problem belongs to it."""
        return self.domain in ("", problem["domain"]) and self.level in (0, problem["level"])


def subjects(problems: Rows) -> list[Subject]:
    """Everything, each domain, each level of it."""
    domains = [domain.value for domain in DOMAINS]
    levels = sorted({(domains.index(p["domain"]), p["level"]) for p in problems})
    return [
        Subject(name=ALL),
        *(Subject(name=name, domain=name) for name in domains),
        *(
            Subject(name=f"{domains[place]} {level}", domain=domains[place], level=level, draws=LEVEL_DRAWS)
            for place, level in levels
        ),
    ]


def _series(subject: Subject, cells: Rows, sizes: Rows) -> dict[str, Any]:
    """Accuracy over sizes, and its curve against each count of parameters."""
    scores = {s["width"]: [_clusters(c, subject) for c in cells if c["width"] == s["width"]] for s in sizes}
    points, drawn = curves.means(scores), curves.drawn_means(scores, draws=subject.draws, seed=0)
    shown = [
        {"mean": one.value, "low": one.low, "high": one.high, "seeds": [_mean_of(seed) for seed in scores[s["width"]]]}
        for one, s in zip(curves.by_size(points, drawn), sizes, strict=True)
    ]
    asked = sum(map(subject.holds, cells[0]["problems"]))
    fitted = {count: _curve(points, drawn, sizes, count) for count in COUNTS}
    return {"name": subject.name, "problems": asked, "points": shown, "curve": fitted}


def _clusters(cell: Mapping[str, Any], subject: Subject) -> dict[str, tuple[float, int]]:
    """Cluster -> (sum of scores, how many) of the decided problems of a subject.

    Every domain has as many problems, so a mean over problems is one over domains.
    """
    found: dict[str, tuple[float, int]] = {}
    for problem in cell["problems"]:
        if subject.holds(problem) and problem["score"] is not None:
            total, count = found.get(problem["cluster"], (0.0, 0))
            found[problem["cluster"]] = (total + float(problem["score"] >= 1.0), count + 1)
    return found


def _mean_of(clusters: Mapping[str, tuple[float, int]]) -> float:
    count = sum(number for _, number in clusters.values())
    return sum(total for total, _ in clusters.values()) / count if count else 0.0


def _curve(points: Sequence[Point], drawn: Sequence[Sequence[Point]], sizes: Rows, count: str) -> dict[str, Any]:
    """The saturating curve against one count of parameters, and the size at 90% of its plateau."""
    fitted = curves.saturating(_against(points, sizes, count))
    near = curves.estimate(lambda one: curves.saturating(_against(one, sizes, count)).near_plateau, points, drawn)
    state = verdict.reached(near, sizes[-1][count], fitted.top)
    return {"top": fitted.top, "half": fitted.half, "steep": fitted.steep, "near_plateau": _row(near), "state": state}


def _against(points: Sequence[Point], sizes: Rows, count: str) -> list[Point]:
    """Points over widths as points over parameters."""
    parameters = {size["width"]: float(size[count]) for size in sizes}
    return [(parameters[int(width)], value) for width, value in points]


def _facts(count: int, cells: Rows, sizes: Rows) -> dict[str, Any]:
    """Recall and bits of one number of facts over sizes."""
    shown = []
    for size in sizes:
        own = [c for c in cells if c["width"] == size["width"]]
        shown.append({
            "recall": sum(c["recalled"] for c in own) / sum(c["facts"] for c in own),
            "recalls": [c["recalled"] / c["facts"] for c in own], "bits": sum(c["bits"] for c in own) / len(own),
            "bits_by_seed": [c["bits"] for c in own], "exposures": [c["exposures"] for c in own],
        })  # fmt: skip
    return {"facts": count, "bits_each": cells[0]["bits_each"], "bits_in_all": count * cells[0]["bits_each"],
            "points": shown}  # fmt: skip


def _stored(cells: Rows, sizes: Rows, reasoning: Mapping[str, Any], largest: Mapping[str, Any]) -> dict[str, Any]:
    """The most bits that each size stored, over all numbers of facts, and how they grow with parameters.

    Sizes that recall all of the `largest` number are left out of the growth: what more they could store is unknown.
    """
    full = [place for place, point in enumerate(largest["points"]) if point["recall"] >= verdict.ALL_RECALLED]
    end = min(full, default=len(sizes))
    most = {
        size["width"]: [
            max(c["bits"] for c in cells if c["width"] == size["width"] and c["seed"] == seed)
            for seed in sorted({c["seed"] for c in cells})
        ]
        for size in sizes
    }
    points = [(width, sum(bits) / len(bits)) for width, bits in sorted(most.items())]
    drawn = curves.drawn_values(most, draws=curves.DRAWS, seed=1)
    shown = [{"bits": one.value, "low": one.low, "high": one.high, "seeds": most[size["width"]],
              **{f"per_{count}": one.value / size[count] for count in COUNTS}}
             for one, size in zip(curves.by_size(points, drawn), sizes, strict=True)]  # fmt: skip
    growth = {count: _growth(points, drawn, sizes, count, end, reasoning) for count in COUNTS}
    return {"points": shown, "growth": growth}


def _growth(
    points: Sequence[Point], drawn: Sequence[Sequence[Point]], sizes: Rows, count: str, end: int,
    reasoning: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """How bits grow over the sizes before the place `end`: over all of them, and from the plateau of reasoning on."""
    start = last_below(sizes, count, reasoning["curve"][count]["near_plateau"]["value"])
    seen, again = points[:end], [one[:end] for one in drawn]
    near = curves.estimate(lambda one: _bits_plateau(_against(one, sizes, count)), points, drawn)
    storing = [point for point in _against(seen, sizes, count) if point[1] > 0]
    return {
        "overall": _row(_slope(seen, again, sizes, count, 0)) if end > 1 else None,
        "constant": curves.power(storing)[1] if len(storing) > 1 else None,
        "from": sizes[start][count],
        "to": sizes[end - 1][count] if end else None,
        "from_plateau": _row(_slope(seen, again, sizes, count, start)) if start + 1 < end else None,
        "near_plateau": _row(near),
    }


def _bits_plateau(points: Sequence[Point]) -> float:
    """The size at 90% of a plateau of bits, as accuracies are asked for theirs."""
    return curves.saturating(points, most=math.inf).near_plateau


def last_below(sizes: Rows, count: str, parameters: float) -> int:
    """The place of the last size with at most so many parameters, the first where none has."""
    return max((place for place, size in enumerate(sizes) if size[count] <= parameters), default=0)


def _slope(points: Sequence[Point], drawn: Sequence[Sequence[Point]], sizes: Rows, count: str, start: int) -> Estimate:
    """The power of parameters with which bits grow, from the size at `start` on; sizes that store nothing are out."""

    def slope(one: Sequence[Point]) -> float:
        stored = [point for point in _against(one, sizes, count)[start:] if point[1] > 0]
        return curves.power(stored)[0] if len(stored) > 1 else 0.0

    return curves.estimate(slope, points, drawn)


def _needed(amount: Mapping[str, Any], sizes: Rows) -> dict[str, Any]:
    """The size that recalls 90% of so many facts, between the sizes that were tried."""
    by_count: dict[str, Any] = {}
    for count in COUNTS:
        values = {size[count]: point["recalls"] for size, point in zip(sizes, amount["points"], strict=True)}
        points = [(size, sum(own) / len(own)) for size, own in sorted(values.items())]
        drawn = curves.drawn_values(values, draws=curves.DRAWS, seed=2)
        by_count[count] = _row(curves.estimate(lambda one: curves.crossing(one, RECALLED), points, drawn))
    return {"facts": amount["facts"], **by_count}


def _verdict(
    count: str, sizes: Rows, reasoning: Mapping[str, Any], stored: Mapping[str, Any], most: Mapping[str, Any],
    study: Design,
) -> verdict.Verdict:  # fmt: skip
    curve, growth = reasoning["curve"][count], stored["growth"][count]
    return verdict.conclude(
        Evidence(
            smallest=sizes[0][count], largest=sizes[-1][count], top=curve["top"],
            near_plateau=Estimate(**curve["near_plateau"]),
            growth=Estimate(**growth["from_plateau"]) if growth["from_plateau"] else None,
            bits_near_plateau=Estimate(**growth["near_plateau"]), recalled=most["points"][-1]["recall"],
            seeds=len(study.seeds),
        )
    )  # fmt: skip


def _larger(sizes: Rows, reasoning: Rows, known: Rows) -> list[dict[str, Any]]:
    """Models 10 and 100 times as large, with as many more facts: GPU-hours and dollars of training one of each part.

    A floor: computing at the share of peak that large models reach (`cost.compute`), or STEP_SECONDS a step where that
    is more, as it is for models of this size.
    """
    largest = [c for c in reasoning if c["width"] == sizes[-1]["width"]]
    traces = max(largest, key=lambda c: c["tokens"])
    most = max((c for c in known if c["width"] == sizes[-1]["width"]), key=lambda c: c["facts"])
    found = []
    for factor in LARGER:
        width = 16 * round(sizes[-1]["width"] * math.sqrt(factor) / 16)
        shape = shape_of(width)
        seconds = [
            max(
                times * cell["steps"] * STEP_SECONDS,
                compute.training_seconds(shape, GPUS[LARGER_GPU], tokens=times * cell["tokens"], mean_tokens=length),
            )
            for cell, times, length in ((traces, 1, run.TRACE_TOKENS), (most, factor, run.FACT_TOKENS))
        ]
        found.append({
            "factor": factor, "width": width, "all": shape.parameters, "body": shape.parameters - 2 * shape.embedding,
            "facts": factor * most["facts"], "gpu": LARGER_GPU, "reasoning_hours": seconds[0] / 3600,
            "facts_hours": seconds[1] / 3600, "dollars": sum(seconds) / 3600 * GPU_HOUR,
        })  # fmt: skip
    return found


def _row(one: Estimate) -> dict[str, float]:
    return {"value": one.value, "low": one.low, "high": one.high}


def _finite(value: Any) -> Any:
    """JSON has no infinity: a size beyond what can be said is null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
