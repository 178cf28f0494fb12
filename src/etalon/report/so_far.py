"""What summary.json will say of a run that has not ended: the stages that are evaluated, from their own files.

DONE.json and means.json of evaluations -> the rows of `pipeline.summary`, without times of the whole and without CLR
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etalon import stats
from etalon.config.stages import EVALUATION, PROBLEMS
from etalon.errors import EtalonError
from etalon.problems.clusters import read_clusters
from etalon.report.read import Reader, mapping, numbers, text
from etalon.report.several.paired import STAGES, Means, paired


def summary_so_far(directory: Path, listed: list[str]) -> dict[str, Any]:
    """Rows of the stages that were evaluated, of the listed ones; {} without any."""
    reader = Reader(directory)
    clusters = _clusters(directory)
    rows = [row for name in listed if (row := _row(reader, name, clusters))]
    return {"stages": rows} if rows else {}


def _row(reader: Reader, name: str, clusters: Mapping[str, str]) -> dict[str, Any]:
    done, measured = (_done(reader, stage) for stage in (name, f"{EVALUATION}{name}"))
    if not done or not measured:
        return {}
    inputs = mapping(reader.json(f"{STAGES}/{name}/inputs.json"))
    same = text(mapping(measured.get("outputs")).get("as"))
    outputs = mapping((_done(reader, f"{EVALUATION}{same}") if same else measured).get("outputs"))
    after, before = _means(reader, same or name), {} if same else _before(reader, text(inputs.get("from")))
    scores = {
        domain: {**mapping(score), **_interval(after.get(domain), clusters)}
        | _change(before.get(domain), after.get(domain), clusters)
        for domain, score in mapping(outputs.get("scores")).items()
    }
    return {
        "name": name,
        "kind": inputs.get("kind"),
        "from": inputs.get("from"),
        "seconds": done.get("seconds"),
        "trained_on": inputs.get("domains"),
        "skipped": mapping(done.get("outputs")).get("skipped"),
        "as": same,
        "domains": scores,
    }


def _done(reader: Reader, stage: str) -> dict[str, Any]:
    return mapping(reader.json(f"{STAGES}/{stage}/DONE.json"))


def _means(reader: Reader, stage: str) -> dict[str, Means]:
    return {
        domain: {id_: value for id_, value in numbers(mapping(own)).items() if 0 <= value <= 1}
        for domain, own in mapping(reader.json(f"{STAGES}/{EVALUATION}{stage}/means.json")).items()
    }


def _before(reader: Reader, source: str) -> dict[str, Means]:
    """Of the stage it starts from, or of the nearest before that with an evaluation."""
    seen: set[str] = set()
    while source and source not in seen:
        seen.add(source)
        same = text(mapping(_done(reader, f"{EVALUATION}{source}").get("outputs")).get("as"))
        if found := _means(reader, same or source):
            return found
        source = text(mapping(reader.json(f"{STAGES}/{source}/inputs.json")).get("from"))
    return {}


def _interval(after: Means | None, clusters: Mapping[str, str]) -> dict[str, float]:
    if not after:
        return {}
    found = stats.share_interval(list(after.values()), clusters=stats.cluster_ids(after, clusters))
    return {"pass1_low": found.low, "pass1_high": found.high}


def _change(before: Means | None, after: Means | None, clusters: Mapping[str, str]) -> dict[str, float | None]:
    found = paired("", "", before or {}, after or {}, clusters)
    return {"delta": found.difference, "delta_low": found.low, "delta_high": found.high}


def _clusters(directory: Path) -> Mapping[str, str]:
    try:
        return read_clusters(directory / STAGES / PROBLEMS)
    except (EtalonError, OSError, ValueError):
        return {}
