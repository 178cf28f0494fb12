"""`etalon verify`: JSONL of responses in, JSONL of verdicts out, row by row."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from etalon.errors import ConfigError, InputError

DOMAINS = ("math", "code", "stem", "instruct")


def verify(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSONL rows; - reads standard input.")] = "-",
    domain: Annotated[
        str | None,
        typer.Option(metavar="|".join(DOMAINS), help="What is checked; not needed when every row has a `domain`."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here, whole or not at all.")] = None,
    sandbox: Annotated[
        str, typer.Option(metavar="URL", help="Run programs on this service (SandboxFusion's /run_code).")
    ] = "",
    workers: Annotated[int, typer.Option(min=1, help="Rows checked at the same time.")] = os.cpu_count() or 1,
) -> None:
    """Check responses, one verdict per row. Rows out are in order: {id, score, reason, extracted, seconds}.

    Rows: math {answer, response}; stem {answer, options?, response}; instruct {rules, response};
    code {tests, response}. A score of null means undecided, and the reason says why.
    """
    if domain is not None and domain not in DOMAINS:
        raise ConfigError(f"--domain {domain}: unknown domain; choose one of {', '.join(DOMAINS)}")
    from etalon.sandbox.choice import connect
    from etalon.store import to_json, writing
    from etalon.verifiers.rows import verify_lines

    connect(sandbox, concurrency=workers, key_env="ETALON_SANDBOX_KEY")
    with _lines(file) as lines, writing(out or Path("standard output")), _output(out) as stream:
        for row in verify_lines(lines, domain=domain, workers=workers):
            stream.write(to_json(row) + b"\n")
            stream.flush()


@contextmanager
def _lines(file: str) -> Iterator[Iterator[str]]:
    """Lines of a file or of standard input; bytes that are not UTF-8 stay visible as escapes."""
    try:
        source = sys.stdin.fileno() if file == "-" else file
        with open(source, encoding="utf-8", errors="surrogateescape", newline="\n", closefd=file != "-") as stream:
            yield stream
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{file}: is a directory; name a JSONL file") from None


@contextmanager
def _output(out: Path | None) -> Iterator[BinaryIO]:
    if out is None:
        yield sys.stdout.buffer
    elif out.exists() and not out.is_file():  # /dev/stdout, a named pipe
        with open(out, "wb") as stream:
            yield stream
    elif not out.parent.is_dir():
        raise InputError(f"--out {out}: no such directory {out.parent}")
    else:
        partial = out.with_name(f"{out.name}.part")
        with open(partial, "wb") as stream:
            yield stream
        os.replace(partial, out)
