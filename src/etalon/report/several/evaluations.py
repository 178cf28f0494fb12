"""Two evaluations side by side, benchmark by benchmark: the same problems, paired.

    scores-NAME.jsonl of both -> solve rate by problem -> Paired, or why nothing is compared

A side with more than 1% of its samples failed or undecided is compared with nothing: what is missing is seldom like
what is there (calls that fail are the long ones).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.evaluate import metrics, results, store
from etalon.evaluate.store import Scored
from etalon.evaluate.task import read_marker
from etalon.problems.clusters import read_clusters
from etalon.report.exports.shape import CLR, BenchmarkRow
from etalon.report.several.paired import Paired, SideBySide, flat, paired, unequal


@dataclass(frozen=True, kw_only=True)
class Side:
    """One benchmark of one evaluation. refused: why its score is compared with none; protocol: how it was asked."""

    means: Mapping[str, float]
    refused: str
    protocol: Mapping[str, Any]


def evaluations(a: Path, b: Path, named: tuple[Path, Path]) -> SideBySide:
    """Compare two directories of `etalon eval --out`, by the names of their benchmarks; messages call them `named`.

    Where they share no name and each has one benchmark, these are compared. Raises InputError where they have no
    problem in common.
    """
    markers = [read_marker(folder) for folder in (a, b)]
    names = [list(marker["benchmarks"]) for marker in markers]
    pairs = [(name, name) for name in names[0] if name in names[1]]
    if not pairs and len(names[0]) == len(names[1]) == 1:
        pairs = [(names[0][0], names[1][0])]
    lines = [_line((a, b), pair, markers, named) for pair in pairs if _shared((a, b), pair)]
    if not lines:
        shown = [f"{folder}: {', '.join(own)}" for folder, own in zip(named, names, strict=True)]
        what = "no problem" if pairs else "no benchmark"
        raise InputError(f"nothing to compare: {what} is in both ({'; '.join(shown)})")
    called = [{own[side]: " / ".join(dict.fromkeys(own)) for own in pairs} for side in (0, 1)]
    differs = unequal(*(dict(flat(_settings(*side))) for side in zip(markers, called, strict=True)))
    return SideBySide(of_runs=False, lines=tuple(lines), differs=differs)


def _settings(marker: Mapping[str, Any], called: Mapping[str, str]) -> dict[str, Any]:
    """What may make two evaluations differ. called: the benchmarks that both have, and what to call them."""
    benchmarks = {
        called[name]: {
            **entry["binding"],
            **{key: entry[key] for key in ("answers", "mode", "n", "limit")},
            **entry.get("scored_by", {}),  # how the verdicts that count were given
        }
        for name, entry in marker["benchmarks"].items()
        if name in called
    }
    return {**marker["settings"], "name": marker["model"], **benchmarks}


def _shared(folders: tuple[Path, Path], names: tuple[str, str]) -> set[str]:
    """The problems of which both sides have samples."""
    mine, theirs = ({id_ for id_, _ in store.counted(*side)} for side in zip(folders, names, strict=True))
    return mine & theirs


def _line(
    folders: tuple[Path, Path], names: tuple[str, str], markers: list[dict[str, Any]], named: tuple[Path, Path]
) -> Paired:
    sides = [_side(folder, name, marker) for folder, name, marker in zip(folders, names, markers, strict=True)]
    name = " / ".join(dict.fromkeys(names))
    refused = "; ".join(f"{folder}: {side.refused}" for folder, side in zip(named, sides, strict=True) if side.refused)
    keys = [key for key in sides[0].protocol if key in sides[1].protocol]
    protocol = {key: (sides[0].protocol[key], sides[1].protocol[key]) for key in keys}
    if refused:
        return Paired(name=name, domain="", refused=refused, protocol=protocol)
    clusters = read_clusters(folders[0], names[0])
    return replace(paired(name, "", sides[0].means, sides[1].means, clusters), protocol=protocol)


def _side(folder: Path, name: str, marker: Mapping[str, Any]) -> Side:
    entry = marker["benchmarks"][name]
    by_problem: dict[str, list[Scored]] = {}
    for one in store.counted(folder, name).values():
        by_problem.setdefault(one.id, []).append(one)
    scored = [one for own in by_problem.values() for one in own]
    means = metrics.solve_rates(by_problem)
    counts = metrics.shares(scored, undecided_problems=len(by_problem) - len(means))
    missing = entry["n"] * entry["problems"] - len(scored) + entry["unread"]
    if not entry["knows_cuts"]:
        counts["truncated"] = None
    numbers = {"samples": len(scored), "missing": missing, "avg": 0.0 if means else None, **counts}
    protocol = {
        "n": entry["n"],
        "score": _averaged(marker, entry["n"]),
        "max_tokens": entry["binding"]["max_tokens"],
        "truncated": counts["truncated"],
    }
    return Side(means=means, refused=results.refusal(numbers), protocol=protocol)


def _averaged(marker: Mapping[str, Any], n: int) -> str:
    """What the score is a mean of: `avg@64`, or `CLR@8, K = 32, M = 5`."""
    flow = marker.get("told", {}).get(CLR)
    return BenchmarkRow.model_validate({"n": n} | ({"metric": CLR, CLR: flow} if flow else {})).averaged
