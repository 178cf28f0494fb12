"""`etalon report`: show what runs, evaluations or another trainer's rollouts did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etalon.errors import ConfigError, InputError

RUN_FILES = ("resolved.toml", "summary.json", "stages")


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="A run, an evaluation of eval --out, several of one sort, or rollouts of TRL or verl.",
        ),
    ],
    sample: Annotated[
        str | None, typer.Option(metavar="BENCHMARK/PROBLEM/INDEX", help="Print this sample of an evaluation instead.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where the page is written.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Serve the page of a run here, and follow it.")] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of --watch: 8790 or the next free one; 0 takes any.")
    ] = None,
    reward: Annotated[
        str, typer.Option(metavar="COLUMN", help="Of another trainer's rollouts: the reward that says what is right.")
    ] = "",
) -> None:
    """Write the report of a run, an evaluation, or of several side by side: one file that opens without a network.

    RUN/report.html of one, ./report-A-B.html of several, whose numbers are those of `etalon compare`. Runs that differ
    in their seed alone are taken together. Of rollouts that TRL (OUTPUT_DIR/completions) or verl (rollout_data_dir)
    wrote: ./report-NAME.html. --watch serves it on 127.0.0.1 and follows the run until Ctrl-C.
    """
    if watch or port is not None:
        _follow(runs, port, is_alone=watch and sample is None and file is None and not reward)
        return
    if len(runs) > 1:
        if sample is not None or reward:
            raise ConfigError(f"{'--reward' if reward else '--sample'}: is for one; {len(runs)} were named")
        from etalon.report.several.page import write_several

        typer.echo(write_several(runs, file))
        return
    typer.echo(_alone(runs[0], sample, file, reward))


def _alone(run: Path, sample: str | None, file: Path | None, reward: str) -> Path | str:
    """The page of one directory or file, or the text of a sample."""
    is_evaluation, is_run = (run / "evaluation.json").is_file(), _is_run(run)
    if sample is not None and not is_evaluation:
        raise ConfigError(f"--sample: {run} is not the directory of an evaluation: it has no evaluation.json")
    if reward and (is_evaluation or is_run):
        raise ConfigError(f"--reward: is for the rollouts of another trainer; {run} is a run of etalon")
    if is_evaluation:
        from etalon.report.evaluation import print_sample, write_page

        return write_page(run, file=file) if sample is None else print_sample(run, sample)
    if is_run:
        from etalon.report import write_report

        return write_report(run, file)
    if not run.exists():
        raise InputError(f"{run}: no such run directory")
    from etalon.report.elsewhere import files_at, write_rollouts

    if not files_at(run):
        raise InputError(
            f"{run}: is not a run directory: it has no {', '.join(RUN_FILES[:-1])} or {RUN_FILES[-1]}; nor has it "
            "rollouts of TRL (completions/completions_STEP.parquet) or verl (STEP.jsonl)"
        )
    return write_rollouts(run, file, reward=reward)


def _is_run(path: Path) -> bool:
    return any((path / name).exists() for name in RUN_FILES)


def _follow(runs: list[Path], port: int | None, *, is_alone: bool) -> None:
    if not is_alone:
        raise ConfigError("--port and --watch go together, and with no other option")
    if len(runs) > 1:
        raise ConfigError(f"--watch: follows one run; {len(runs)} were named")
    [run] = runs
    if not run.is_dir():
        raise InputError(f"{run}: no such run directory")
    if (run / "evaluation.json").is_file():
        raise ConfigError(f"--watch: follows a run; {run} is an evaluation")
    from etalon.report.live.server import follow

    follow(run, port, announce=lambda url: typer.echo(f"{url} follows {run}; Ctrl-C ends it"))
