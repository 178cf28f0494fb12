"""Options that several commands have, and what is refused of options and the files they name before any work."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from etalon.errors import ConfigError, InputError, RunError
from etalon.types import ISOLATION_ENV, Answers

MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="FIELD=COLUMN", help="The column that holds a field: answer=target; repeatable."),
]
MaxBadOption = Annotated[
    float,
    typer.Option("--max-bad", min=0.0, max=1.0, metavar="SHARE", help="Rows that may be unreadable, as a share."),
]
AnswersOption = Annotated[
    Answers, typer.Option("--answers", help="How responses state their answers; boxed is strict, hash is GSM8K's ####.")
]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write here, whole or not at all.")]
TopPOption = Annotated[float, typer.Option(min=0.01, max=1.0, help="Nucleus of the sampling distribution.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the sampling.")]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Processes; with --ray parts at a time.", show_default="1; with --ray all CPUs"),
]
ConcurrencyOption = Annotated[int, typer.Option(min=1, help="Requests at the same time, per URL.")]
IsolationOption = Annotated[
    str | None,
    typer.Option(
        metavar="walls|plain",
        help="How programs run here; plain: limits and a deadline alone, where no wall can be.",
        show_default=f"{ISOLATION_ENV}, or walls",
    ),
]
FILE_HELP = "Rows: JSONL, a JSON array, CSV or parquet, also packed by gzip or zstd; - reads standard input."
RAY_HELP = "Spread the rows over a running Ray cluster: auto, or HOST:PORT. FILE is on every machine; needs --out."


def refuse_without_clr(context: typer.Context, *names: str) -> None:
    """ConfigError that names the options given on the command line which need --clr."""
    given = [name for name in names if _is_given(context, name)]
    if given:
        shown = ", ".join(f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{shown}: needs --clr")


def given(context: typer.Context) -> dict[str, str]:
    """The parameters that stand on the command line, by name, as a user writes them."""
    return {
        str(one.name): one.opts[0]
        for one in context.command.params
        if one.name and _is_given(context, one.name)
    }  # fmt: skip


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def check_place(option: str, path: Path) -> None:
    """InputError when a file cannot be written there: its directory is missing, or it is a directory itself."""
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: no such directory {path.parent}")
    if path.is_dir():
        raise InputError(f"{option} {path}: is a directory; name a file")


def need_out(ray: str, out: Path | None) -> None:
    """ConfigError for --ray without a file to write: Ray itself speaks on standard output."""
    if ray and (out is None or (out.exists() and not out.is_file() and not out.is_dir())):
        raise ConfigError("--ray: needs --out FILE, for Ray writes to standard output itself")


def isolation_of(option: str | None, *, service: str = "") -> str:
    """How programs run: what the option says, else the environment unless a service runs them, else behind walls."""
    return option or ("" if service else os.environ.get(ISOLATION_ENV, "")) or "walls"


def refuse_same(file: str, out: Path | None, *, option: str = "--out") -> None:
    """ConfigError where a command would write over the file that it reads."""
    if out is not None and file != "-" and out.exists() and Path(file).exists() and out.samefile(file):
        raise ConfigError(f"{option} {out}: is the file that is read; name another")


@contextmanager
def written(out: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears whole or not at all."""
    if out is None:
        yield sys.stdout.buffer
    elif out.is_dir():
        raise InputError(f"--out {out}: is a directory; name a file")
    elif out.exists() and not out.is_file():  # /dev/stdout, a named pipe
        with open(out, "wb") as stream:
            yield stream
    else:
        check_place("--out", out)
        partial = out.with_name(f"{out.name}.part")
        with _alone(partial, out) as stream:
            try:
                yield stream
                stream.flush()
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            os.replace(partial, out)


def _alone(partial: Path, out: Path) -> BinaryIO:
    """An empty file that no other process writes; RunError while one does. The kernel frees it when a process dies."""
    while True:
        stream = open(partial, "ab")  # noqa: SIM115
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(stream, partial):
                stream.truncate(0)
                return stream
        except BlockingIOError:
            stream.close()
            raise RunError(f"--out {out}: another process writes it; wait for its end, or name another") from None
        except BaseException:
            stream.close()
            raise
        stream.close()  # the other process has just given it its name


def _is_at(stream: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def counting(name: str, purpose: str) -> Iterator[Callable[[int], None]]:
    """Shows how many rows have been read and how fast, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from etalon.show.progress import Progress

    started = time.monotonic()
    with Progress().stage(name, purpose) as view:
        yield lambda rows: view.update(0, 0, rows=rows, per_second=int(rows / max(0.1, time.monotonic() - started)))
