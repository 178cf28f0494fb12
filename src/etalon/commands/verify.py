"""`etalon verify`: rows of responses in, JSONL of verdicts out, row by row."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from etalon.commands.options import (
    FILE_HELP,
    RAY_HELP,
    AnswersOption,
    IsolationOption,
    MapOption,
    MaxBadOption,
    OutOption,
    isolation_of,
    need_out,
    refuse_same,
    written,
)
from etalon.errors import ConfigError
from etalon.types import Answers, Domain

KEY_ENV = "ETALON_SANDBOX_KEY"
SERVICE_THREADS = 16  # (ours) rows at a time in one process of a cluster that waits for a sandbox service
DOMAINS = tuple(domain.value for domain in Domain)

HELP = """\
Check responses, one verdict per row. Rows out are in order: {id, score, reason, extracted, seconds}.

The score is 1, 0 or between, or null: undecided, and the reason says why. A bad reference, a timeout or a crash of
ours and a row that cannot be read are undecided, never 0; --counts says how many there were, by reason.

\b
Exit code 2 when no row could be read, or more are bad than --max-bad allows; every row's verdict is written all the
same. A file without rows says so and ends with 0.

\b
Rows in, as etalon run reads problems, with a response; a row of any format of the field is one, of an lm-eval or
inspect log, too, and the field's names (ground_truth, target, output, generation, messages, ...) need no map. These
are enough; id, domain and stop (eos, length or error) may be left out (a blank line gets an unreadable row, and is
not counted as bad):
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
--answers names another convention of math, facts and stem: hash ("#### 42"), sentence ("The answer is 42."),
letter-sentence ("The correct option is A."), last-line ("**Final Answer**" and the value below, or the last line).
Where responses have no answer by the convention but one by another, a line on standard error says which.
\b
Reasons, up to the first colon:
  right       exact, rational, symbolic, letter, content, passed, followed
  wrong       different, no_option, ambiguous, no_answer, truncated, violated, and what stopped a program
  undecided   unreadable, bad_reference, timeout, infrastructure, crashed, undecided, sampling_error, needs_judge
"""


def verify(
    file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)] = "-",
    domain: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(DOMAINS), help="What is checked in rows that do not tell by `domain` or columns."
        ),
    ] = None,
    columns: MapOption = None,
    answers: AnswersOption = Answers.BOXED,
    max_bad: MaxBadOption = 0.01,
    out: OutOption = None,
    sandbox: Annotated[
        str, typer.Option(metavar="URL", help="Run programs on this service (SandboxFusion's /run_code).")
    ] = "",
    isolation: IsolationOption = None,
    fork_each: Annotated[
        bool, typer.Option("--fork-each", help="Give every test of a program a process of its own (slower).")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Rows checked at the same time.", show_default="the CPUs there are")
    ] = None,
    ray: Annotated[str, typer.Option(metavar="ADDRESS", help=RAY_HELP)] = "",
    counts: Annotated[
        bool | None,
        typer.Option(help="Print counts at the end, to standard error.", show_default="when that is a terminal"),
    ] = None,
) -> None:
    """The command `etalon verify`; HELP is what it says of itself."""
    if domain is not None and domain not in DOMAINS:
        raise ConfigError(f"--domain {domain}: unknown domain; choose one of {', '.join(DOMAINS)}")
    way = isolation_of(isolation, service=sandbox)
    need_out(ray, out)
    refuse_same(file, out)
    from etalon.rows.mapping import ColumnMap
    from etalon.rows.spread import map_rows
    from etalon.sandbox import connect
    from etalon.verifiers.rows import VerifyRows

    here = workers or os.cpu_count() or 1
    if ray:  # the service is asked here first, too
        connect(sandbox, concurrency=here, key_env=KEY_ENV, is_checked=True, isolation=way)
    work = VerifyRows(
        domain=domain, columns=ColumnMap.read(columns or []), answers=answers, sandbox=sandbox, key_env=KEY_ENV,
        fork_each=fork_each, isolation=way, is_checked=not ray,
        threads=here if not ray else SERVICE_THREADS if sandbox else 1,
    )  # fmt: skip
    tell_verdicts(map_rows(file, work, ray=ray, workers=workers), file, out=out, max_bad=max_bad, counts=counts)


def tell_verdicts(
    lines: Iterable[tuple[str, bytes]], file: str, *, out: Path | None, max_bad: float, counts: bool | None
) -> None:
    """Write verdicts as they come, count them, and fail when too many rows could not be read."""
    from etalon.rows.bad import BadRows
    from etalon.rows.packed import name_of
    from etalon.store import to_json, writing
    from etalon.verifiers.rows import OTHER, Tally, is_blank, unreadable

    tally, bad = Tally(), BadRows(name_of(file), max_bad)
    with writing(out or Path("standard output")), written(out) as stream:
        for place, line in lines:
            verdict = json.loads(line)
            tally.add(verdict)
            stream.write((to_json(verdict) if verdict.pop(OTHER, None) else line) + b"\n")
            stream.flush()
            if not is_blank(verdict):
                bad.count(place, unreadable(verdict))
    if counts or (counts is None and sys.stderr.isatty()):
        typer.echo(tally, err=True)
    if tally.hint:
        typer.echo(tally.hint, err=True)
    bad.check()
    if not bad.rows:
        typer.echo(f"{bad.name}: has no rows", err=True)
