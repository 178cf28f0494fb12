"""`etalon verify`: JSONL of responses in, JSONL of verdicts out, row by row."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from etalon.commands.options import check_place
from etalon.errors import ConfigError, InputError

DOMAINS = ("math", "code", "stem", "instruct", "claims", "facts")


def verify(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Rows: JSONL, JSONL.gz or parquet; - reads standard input.")
    ] = "-",
    domain: Annotated[
        str | None,
        typer.Option(metavar="|".join(DOMAINS), help="What is checked; not needed when every row has a `domain`."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here, whole or not at all.")] = None,
    sandbox: Annotated[
        str, typer.Option(metavar="URL", help="Run programs on this service (SandboxFusion's /run_code).")
    ] = "",
    fork_each: Annotated[
        bool, typer.Option("--fork-each", help="Give every test of a program a process of its own (slower).")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Rows checked at the same time.")] = os.cpu_count() or 1,
    counts: Annotated[
        bool | None,
        typer.Option(help="Print counts at the end, to standard error.", show_default="when that is a terminal"),
    ] = None,
) -> None:
    """Check responses, one verdict per row. Rows out are in order: {id, score, reason, extracted, seconds}.

    The score is 1, 0 or between, or null: undecided, and the reason says why. A bad reference, a timeout or a crash of
    ours and a row that cannot be read are undecided, never 0; --counts says how many there were, by reason.

    \b
    Rows in, one JSON object per line (a blank line is a row that cannot be read); id, domain and stop (eos, length
    or error) may be left out:
    \b
    math, facts: the last \\boxed{} or "Answer:" line after any </think>; of an answer that is a solution, what
    follows its "####"
      {"domain": "math", "answer": "1/2", "response": "\\\\boxed{0.5}"}
    stem: a letter or the content of one option; without options an answer, whose unit must agree when both sides
    write one (a unit that only one side writes is forgiven); order: the option letters as this sample was shown them
      {"domain": "stem", "answer": "B", "options": {"A": "7 J", "B": "9 J"}, "response": "\\\\boxed{B}"}
      {"domain": "stem", "answer": "B", "options": ["7 J", "9 J"], "order": ["B", "A"], "response": "\\\\boxed{A}"}
      {"domain": "stem", "answer": "12 m", "response": "\\\\boxed{1200\\\\,\\\\mathrm{cm}}"}
    code: the last fenced program; tests: inputs and outputs (of standard input, or of the function fn_name, one
    JSON value per line), assert_code, or the columns of HumanEval, MBPP, LiveCodeBench, APPS and others
      {"domain": "code", "tests": {"inputs": ["2"], "outputs": ["22"]}, "response": "```py\\nprint(input() * 2)\\n```"}
      {"domain": "code", "tests": {"assert_code": "assert f(2) == 4"}, "response": "```py\\nf = lambda x: 2 * x\\n```"}
      {"domain": "code", "test": "def check(g): assert g(2)", "entry_point": "f", "response": "```py\\nf = abs\\n```"}
    instruct: IFEval and IFBench rules; mode: strict (default), loose or fraction
      {"domain": "instruct", "rules": [{"id": "punctuation:no_comma", "kwargs": {}}], "response": "No such mark."}
    claims: verdicts on claims, the second call of CLR
      {"domain": "claims", "answer": "1 0", "response": "<verdicts>\\n1. valid\\n2. refuted\\n</verdicts>"}
    \b
    Reasons, up to the first colon:
      right       exact, rational, rounded, symbolic, letter, content, passed, followed
      wrong       different, no_option, ambiguous, no_answer, truncated, unparsable, too_long, violated, and what
                  stopped a program
      undecided   unreadable, bad_reference, timeout, memory_or_crash, infrastructure, crashed, undecided,
                  sampling_error, judge_unreadable, judge_unreachable, judge_undecided
    """
    if domain is not None and domain not in DOMAINS:
        raise ConfigError(f"--domain {domain}: unknown domain; choose one of {', '.join(DOMAINS)}")
    from etalon.commands.row_files import open_lines
    from etalon.sandbox.choice import connect
    from etalon.store import to_json, writing
    from etalon.verifiers.rows import verify_lines
    from etalon.verifiers.tally import Tally

    connect(sandbox, concurrency=workers, key_env="ETALON_SANDBOX_KEY", fork_each=fork_each, is_checked=True)
    tally = Tally()
    with open_lines(file) as lines, writing(out or Path("standard output")), _output(out) as stream:
        for row in verify_lines(lines, domain=domain, workers=workers):
            stream.write(to_json(row) + b"\n")
            stream.flush()
            tally.add(row)
    if counts or (counts is None and sys.stderr.isatty()):
        typer.echo(tally, err=True)


@contextmanager
def _output(out: Path | None) -> Iterator[BinaryIO]:
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
        with open(partial, "wb") as stream:
            yield stream
        os.replace(partial, out)
