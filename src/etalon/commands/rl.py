"""`etalon rl`: reinforcement learning alone, the short way; it writes the recipe that it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from etalon.commands.options import MapOption, MaxBadOption
from etalon.commands.run import RunOption, SetOption, TrackOption, start, with_trackers
from etalon.errors import ConfigError

PROMPTS_PER_STEP = 16  # (ours)
MOST_TEST = 200  # (ours) held-out problems; a file without --test gives one of them for two prompts
FEWEST_PROMPTS, MOST_PROMPTS = 64, 512  # (ours) prompts that are looked at: twice those the steps want, within this


def rl(
    model: Annotated[str, typer.Option(metavar="DIR", help="The model to train: a Hugging Face directory.")],
    problems: Annotated[
        list[Path], typer.Option(metavar="FILE", help="Questions and answers in any format of the field; repeatable.")
    ],
    test: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Held-out problems [default: a part of --problems].")
    ] = None,
    reward: Annotated[
        str | None, typer.Option(metavar="FILE.py:FUNCTION", help="Your reward [default: the domains' verifiers].")
    ] = None,
    domain: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Train on this domain only; repeatable.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Steps of RL.")] = 100,
    max_tokens: Annotated[int, typer.Option(min=1, metavar="N", help="Longest response.")] = 1024,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="System message before every prompt.")] = None,
    columns: MapOption = None,
    max_bad: MaxBadOption = 0.01,
    run_dir: RunOption = None,
    overrides: SetOption = None,
    track: TrackOption = None,
    preflight: Annotated[
        bool, typer.Option(help="Look at the model first, and stop where there is nothing to learn from.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and stop.")] = False,
) -> None:
    """Train a model by MGPO on questions and answers alone: no traces, no fine-tuning, no CLR.

    With --reward a question alone will do. The recipe it runs is written beside the run directory; edit a copy of it
    and go on with `etalon run`.
    """
    from etalon.model.directory import useful_threads
    from etalon.rows.mapping import ColumnMap

    directory = run_dir or Path("runs") / f"rl-{Path(model).resolve().name}"
    stage: dict[str, Any] = {"name": "rl", "kind": "rl", "domains": domain or None, "reward": absolute(reward)}
    files = {
        "files": [resolved(path) for path in problems],
        "test_files": [resolved(path) for path in test or ()],
        "map": dict(ColumnMap.read(columns or []).pairs) or None,
        "max_bad": max_bad,
    }
    named = {"base": str(Path(model).resolve()), "system": system}
    tables = {"model": named, **phase(files, steps=steps, max_tokens=max_tokens)}

    threads = useful_threads(Path(model))
    text = "\n".join(recipe_lines(directory.name, threads, tables, stage)) + "\n"
    launch(text, directory, with_trackers(overrides, track), preflight=preflight, dry_run=dry_run)


def launch(text: str, directory: Path, overrides: Sequence[str], *, preflight: bool, dry_run: bool) -> None:
    """Check the recipe, keep it beside the run directory, and run or plan it."""
    asked = {"preflight": preflight}
    with TemporaryDirectory() as folder:  # what cannot be run does not replace the recipe of an earlier call
        planned = Path(folder) / f"{directory.name}.toml"
        planned.write_text(text, encoding="utf-8")
        check_recipe(planned, overrides)
        if dry_run and (directory / "resolved.toml").exists():  # a run's own recipe stays as it is
            start(planned, directory, overrides, asked=asked, dry_run=True)
            return
    path = directory.with_name(f"{directory.name}.toml")
    write(path, text)
    typer.echo(f"recipe: {path}", err=True)
    start(path, directory, overrides, asked=asked, dry_run=dry_run)


def check_recipe(path: Path, overrides: Sequence[str]) -> None:
    """ConfigError for what cannot be run, such as a reward that is not there."""
    from etalon.config import load
    from etalon.pipeline.graph import graph_of

    graph_of(load(path, overrides).resolved())


def phase(files: dict[str, Any], *, steps: int, max_tokens: int) -> dict[str, dict[str, Any]]:
    """The tables of one phase of RL and its evaluations."""
    prompts = min(MOST_PROMPTS, max(FEWEST_PROMPTS, 2 * steps * PROMPTS_PER_STEP))
    return {
        "problems": {**files, "rl": prompts, "test": min(MOST_TEST, prompts // 2)},
        "rl": {
            "steps": steps, "max_tokens": max_tokens, "group_size": 8, "prompts_per_step": PROMPTS_PER_STEP,
            "micro_tokens": 1024,
        },
        "eval": {"n": 4, "k": 4, "max_tokens": max_tokens, "temperature": 1.0},
    }  # fmt: skip


def resolved(path: Path) -> str:
    """An absolute path; ConfigError where there is no file."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    return str(path.resolve())


def absolute(reward: str | None) -> str | None:
    """ "FILE.py:FUNCTION" with an absolute path: the recipe lies elsewhere."""
    file, colon, name = (reward or "").rpartition(":")
    return f"{Path(file).resolve()}:{name}" if colon and file.endswith(".py") else reward


def recipe_lines(name: str, threads: int, tables: dict[str, dict[str, Any]], stage: dict[str, Any]) -> Iterator[str]:
    """The recipe as TOML; what nobody asked for is left out."""
    from etalon.config.toml import toml_key, toml_value

    yield f"name = {toml_value(name)}"
    yield f"threads = {threads}  # torch threads of each process"
    yield f"jobs = {1 if threads > 1 else 2}"
    for table, values in [*tables.items(), (None, stage)]:
        yield ""
        yield f"[{table}]" if table else "[[stages]]"
        for key, value in values.items():
            if value is not None and value != []:
                yield f"{toml_key(key)} = {toml_value(value)}"


def write(path: Path, text: str) -> None:
    """The recipe, unless a person has changed the one that is there."""
    from etalon.store import write_atomic

    head = "# Written by `etalon rl`; a copy under another name is yours to change.\n"
    if path.is_file() and not path.read_text(encoding="utf-8").startswith(head):
        raise ConfigError(f"{path}: is there and not ours to replace; name another --run, or run it: etalon run {path}")
    write_atomic(path, head + text)
