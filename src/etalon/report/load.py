"""A run directory -> `Run`: what is there is read, what is not is noted in `Run.missing`.

summary.json -> summary        stages/NN-name/* -> folders        resolved.toml, env.json -> the end of the page
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from etalon.report.files import Bucket, Folder, Gate, Pool, Probe, RlTable, Run, Step, Strata, Summary
from etalon.report.read import Reader, number, read, text
from etalon.report.trials import Trial, trial_of


def load_run(directory: Path) -> Run:
    """Everything the report shows; `missing` says what was not there or could not be read."""
    reader = Reader(directory)
    summary: Summary = read(Summary, reader.json("summary.json", expected=True))
    recipe, _ = reader.toml("recipe.toml")
    resolved, config = reader.toml("resolved.toml")
    rl = read(RlTable, config.get("rl"))
    levels = [size for size in (rl.group_size, rl.prefilter_attempts) if size]
    numbered = [(re.match(r"(\d+)-.", path.name), path) for path in directory.glob("stages/*") if path.is_dir()]
    stages = [path.name for _, path in sorted((int(match[1]), path) for match, path in numbered if match)]
    return Run(
        name=summary.name or text(config.get("name")) or directory.resolve().name,
        summary=summary,
        folders=tuple(_folder(reader, stage) for stage in stages),
        trials=_trials(reader, stages),
        gamma=rl.gamma,
        num_bars=min(max(int(min(levels)), 4), 20) + 1 if levels else 9,
        folded={"recipe.toml": recipe, "resolved.toml": resolved},
        env=read(Mapping[str, str], reader.json("env.json", expected=True)),
        missing=tuple(reader.missing),
    )


def _folder(reader: Reader, stage: str) -> Folder:
    pool, probe, selection = (reader.json(f"stages/{stage}/{name}.json") for name in ("pool", "probe", "selection"))
    chosen = selection if isinstance(selection, dict) else {}
    return Folder(
        name=stage.split("-", 1)[1],
        is_done=isinstance(reader.json(f"stages/{stage}/DONE.json"), dict),
        steps=read(tuple[Step, ...], reader.jsonl(f"stages/{stage}/metrics.jsonl")),
        pool=read(Pool, pool) if pool else None,
        probe=read(Probe, probe) if probe else None,
        buckets=read(tuple[Bucket, ...], chosen.get("buckets")),
        counts={name: number(count) for name, count in chosen.items() if number(count) is not None},
        gates=read(tuple[Gate, ...], reader.json(f"stages/{stage}/gates.json")),
        strata=read(Mapping[str, Strata], reader.json(f"stages/{stage}/strata.json")),
    )


def _trials(reader: Reader, stages: Sequence[str]) -> tuple[Trial, ...]:
    names = ["clr.jsonl", *(f"stages/{stage}/clr.jsonl" for stage in stages if stage.endswith("-clr"))]
    rows = next((rows for rows in map(reader.jsonl, names) if rows), [])
    return tuple(trial for row in rows if (trial := trial_of(row)))
