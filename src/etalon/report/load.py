"""A run directory -> `Run`: what is there is read, what is not is noted in `Run.missing`.

summary.json -> summary, clr     resolved.toml -> the order of the stages     stages/STAGE/* -> folders
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etalon.config import OVERRIDES
from etalon.config.stages import EVALUATION, RESERVED
from etalon.data.funnel.chains import funnel_below
from etalon.report.charts.styles import read_styles
from etalon.report.files import (
    Folder,
    Gate,
    Inputs,
    Measured,
    Pool,
    Probe,
    Run,
    Selection,
    Step,
    Stratum,
    Summary,
)
from etalon.report.read import Reader, mapping, number, numbers, objects, text
from etalon.report.trials import ballot_of, trial_of

NUM_TRIALS = 6  # (ours) of a CLR stage that the page shows


def load_run(directory: Path) -> Run:
    """Everything the report shows; `missing` says what was not there or could not be read."""
    reader = Reader(directory)
    summary = Summary.model_validate(reader.json("summary.json", expected=True))
    recipe, _ = reader.toml("recipe.toml")
    resolved, config = reader.toml("resolved.toml")
    listed = [text(row.get("name")) for row in objects(config.get("stages"))]
    present = {path.name for path in directory.glob("stages/*") if path.is_dir()}
    folders = [_folder(reader, name) for name in _in_order(listed, present)]
    funnel = funnel_below(directory / "stages")
    listed = listed or [row.name for row in summary.stages]
    return Run(
        name=summary.name or text(config.get("name")) or directory.resolve().name,
        seed=number(config.get("seed")) if summary.seed is None else summary.seed,
        overrides=tuple(line for line in reader.text(OVERRIDES).splitlines() if line.strip()),
        summary=summary,
        listed=tuple(listed),
        folders=tuple(folders),
        clr=_measured(reader, summary, [folder for folder in folders if folder.kind == "clr"]),
        funnel=funnel,
        folded={"recipe.toml": recipe, "resolved.toml": resolved},
        env={name: text(value) for name, value in mapping(reader.json("env.json", expected=True)).items()},
        styles=read_styles(directory, [name for name in listed if f"{EVALUATION}{name}" in present]),
        setup=_setup(config),
        is_plain=mapping(config.get("sandbox")).get("isolation") == "plain",
        missing=(*reader.missing, *funnel.left_out),
    )


def _setup(config: Mapping[str, Any]) -> dict[str, str]:
    """What trained here, in the words of the recipe."""
    model = mapping(config.get("model"))
    named = {"model": model.get("base"), "engine": config.get("engine"), "device": config.get("device")}
    return {name: text(value) for name, value in named.items() if value}


def _in_order(listed: Sequence[str], present: set[str]) -> list[str]:
    """The directories of a recipe's stages as it lists them; what is left of another recipe is none of them."""
    if not listed:
        return sorted(present)
    return [name for name in (*RESERVED, *listed, *(f"{EVALUATION}{name}" for name in listed)) if name in present]


def _folder(reader: Reader, stage: str) -> Folder:
    def found(name: str, *, expected: bool = False) -> Any:
        return reader.json(f"stages/{stage}/{name}.json", expected=expected)

    done, pool, probe, selection = found("DONE"), found("pool"), found("probe"), mapping(found("selection"))
    return Folder(
        name=stage,
        inputs=Inputs.model_validate(found("inputs", expected=True)),
        is_done=isinstance(done, dict),
        seconds=number(mapping(done).get("seconds")),
        skipped=text(mapping(mapping(done).get("outputs")).get("skipped")),
        steps=tuple(map(Step.model_validate, objects(reader.jsonl(f"stages/{stage}/metrics.jsonl")))),
        pool=Pool.model_validate(pool) if pool else None,
        probe=Probe.model_validate(probe) if probe else None,
        selection=Selection.model_validate(selection),
        counts=numbers(selection),
        gates=tuple(map(Gate.model_validate, objects(found("gates")))),
        strata=tuple(map(Stratum.model_validate, objects(found("strata")))),
    )


def _measured(reader: Reader, summary: Summary, folders: Sequence[Folder]) -> tuple[Measured, ...]:
    """CLR of every stage that measured it; the summary has the last of them under a key of its own."""
    named: dict[str, Mapping[str, Any]] = {name: mapping(found) for name, found in summary.clr_before.items()}
    last = [folder.name for folder in folders if folder.name not in named]
    if isinstance(summary.clr, dict):
        named[last[-1] if last else "clr"] = summary.clr
    names = [folder.name for folder in folders]
    return tuple(
        _of_stage(reader, name, named.get(name, {}), has_folder=name in names)
        for name in [*names, *(name for name in named if name not in names)]
    )


def _of_stage(reader: Reader, name: str, found: Mapping[str, Any], *, has_folder: bool) -> Measured:
    rows = reader.jsonl(f"stages/{name}/clr.jsonl") if has_folder else []
    ballots = [(ballot, row) for row in rows if (ballot := ballot_of(row))]
    shown = sorted(ballots, key=lambda pair: not pair[0].disagrees)[:NUM_TRIALS]
    return Measured(
        name=name,
        of=text(found.get("of")),
        skipped=text(found.get("skipped")),
        numbers=numbers(found),
        num_trials=len(ballots),
        num_disagreeing=sum(ballot.disagrees for ballot, _ in ballots),
        trials=tuple(trial for _, row in shown if (trial := trial_of(row))),
    )
