"""The command `etalon`. Exit codes: 0 done, 2 the user can fix it (one line), 1 a bug (traceback), 130 interrupted."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from etalon import __version__
from etalon.commands import ablate, compare, data, doctor, explain, fuse, report, rl, run, serve, solve, verify
from etalon.commands.evaluation import options
from etalon.errors import EtalonError, StoppedError

RESUMES = ("run", "demo", "rl", "eval", "ablate", "data expand", "data label", "data distill")
USER_CAN_FIX = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}

app = typer.Typer(name="etalon", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(run.run)
app.command()(run.demo)
app.command()(rl.rl)
app.command(help=verify.HELP)(verify.verify)
app.command()(solve.solve)
app.command()(explain.explain)
app.command("eval")(options.evaluate)
app.command()(serve.serve)
app.command()(fuse.fuse)
app.command()(serve.sandbox)
app.command()(report.report)
app.command()(compare.compare)
app.command()(ablate.ablate)
app.command()(doctor.doctor)
app.add_typer(data.app, name="data")


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """The open Spectrum-to-Signal pipeline: train, test and serve small models that reason."""
    if version:
        typer.echo(f"etalon {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def main() -> int:
    """Run one command line; whatever the user can fix becomes one line on stderr."""
    command = typer.main.get_command(app)
    try:
        code = command.main(prog_name="etalon", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except SystemExit as stop:  # typer's answer to a closed pipe
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        return _quiet_end()
    except StoppedError as stopped:
        print(stopped, file=sys.stderr)  # noqa: T201
        return 130
    except EtalonError as error:
        return _fail(str(error))
    except BrokenPipeError:
        return _quiet_end()
    except OSError as error:
        return _fail(describe(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # of typer's usage errors, which moved between its versions
            raise
        return _fail(f"{error.format_message()} ({_help_hint(error)})")
    if code == 130:
        kept = "; what was finished is kept, run the same command to continue"
        named = (" ".join(sys.argv[1:2]), " ".join(sys.argv[1:3]))
        print(f"interrupted{kept if any(name in RESUMES for name in named) else ''}", file=sys.stderr)  # noqa: T201
    return int(code or 0)


def _fail(message: str) -> int:
    print("etalon:", " ".join(message.split()), file=sys.stderr)  # noqa: T201
    return 2


def _help_hint(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"see {context.command_path if context else 'etalon'} --help"


def describe(error: OSError) -> str:
    """One line for a disk or a path that the user can put right; any other OSError is ours and goes on."""
    from etalon.store import DISK_FULL

    if error.errno in DISK_FULL:
        place = f" while writing {error.filename}" if error.filename else ""
        return f"{DISK_FULL[error.errno]}{place}; free some and run the same command again"
    if error.errno in USER_CAN_FIX and error.filename:
        return f"{error.filename}: {os.strerror(error.errno).lower()}"
    raise error


def _quiet_end() -> int:
    """Nobody reads on: keep the interpreter from flushing into the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
