"""`etalon data stratify`: lengths by the real tokenizer, error rates of a reference model (2.1.1 step 5)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etalon.commands.data.asking import (
    Asking,
    CallsOption,
    DryRunOption,
    FilesArgument,
    KeptOption,
    MaxTokensOption,
    PriceOption,
    RetryOption,
    Step,
    TemperatureOption,
    run_step,
)
from etalon.commands.options import MapOption, MaxBadOption, OutOption, SeedOption, TopPOption, refuse_same, written
from etalon.errors import ConfigError
from etalon.types import SamplingParams

if TYPE_CHECKING:
    from rich.table import Table

    from etalon.data.calls.remembered import Remembered
    from etalon.data.gates import Gated
    from etalon.data.records import Record

SUFFIX = ".strata.json"

TokenizerOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Count tokens with the tokenizer of this model directory.",
        show_default="that of --reference, where it is a directory",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Whose error rates the table is by; with --reference, the name they are kept under.",
        show_default="the only one there is",
    ),
]
ReferenceOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Measure error rates: MODEL@http://HOST:PORT/v1, a directory, FILE.py:NAME."),
]
AttemptsOption = Annotated[int, typer.Option("-n", min=1, help="Attempts of --reference at each problem.")]


def stratify(
    files: FilesArgument,
    out: OutOption = None,
    tokenizer: TokenizerOption = None,
    model: ModelOption = None,
    reference: ReferenceOption = None,
    attempts: AttemptsOption = 8,
    temperature: TemperatureOption = 1.0,
    top_p: TopPOption = 1.0,
    max_tokens: MaxTokensOption = None,
    seed: SeedOption = 0,
    concurrency: CallsOption = None,
    price: PriceOption = None,
    retry_failed: RetryOption = False,
    calls: KeptOption = None,
    columns: MapOption = None,
    max_bad: MaxBadOption = 0.01,
    dry_run: DryRunOption = False,
) -> None:
    """Count the tokens of every trace, measure how often a model fails each problem, and say what is there.

    A table by domain, length and error rate goes to standard output and to OUT.strata.json; traces, and the problems
    that they are of. Unmeasured problems have a column of their own. Records that come with error rates (of other
    models, too) keep them. A call of the reference model that was answered is kept: after a crash the command goes on.
    """  # fmt: skip
    directory = tokenizer or (Path(reference) if reference and Path(reference).is_dir() else None)
    work = _Work(directory, model)
    if reference is None:
        if dry_run:
            raise ConfigError("--dry-run: says how many calls --reference would be; there is none")
        _alone(files, out, work, columns or [], max_bad)
    else:
        from etalon.data.asking.error_rates import calls_of

        params = SamplingParams(temperature=temperature, top_p=top_p, max_tokens=max_tokens)
        run_step(
            Asking(
                files=files, out=out, teacher=reference, params=params, seed=seed, columns=columns or (),
                max_bad=max_bad, concurrency=concurrency, price=price, retry_failed=retry_failed, calls=calls,
                dry_run=dry_run, option="--reference",
            ),
            Step(
                name="stratify", purpose="measure lengths and error rates",
                asks=lambda records: calls_of(records, attempts, seed=seed),
                work=lambda records, asked: work.measured(records, asked, n=attempts, params=params, seed=seed),
                settings={"n": attempts, "tokenizer": str(directory or ""), "model": model or ""},
            ),
        )  # fmt: skip
    if out is not None and not dry_run:
        work.tell(out)


class _Work:
    """What is done to records, and the table of them."""

    def __init__(self, directory: Path | None, model: str | None) -> None:
        from etalon.data.curriculum.stratify import Stratified
        from etalon.model.tokens import token_counter

        self._count = token_counter(directory) if directory else None
        self._model, self._found = model, Stratified()
        self._table: Mapping[str, Any] = {}

    def done(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records with their lengths; the table is made when all are through."""
        from etalon.data.curriculum.stratify import counted

        for record in counted(records, self._count) if self._count else records:
            self._found.add(record)
            yield record
        self._table = self._found.table(self._model)

    def measured(
        self, records: Sequence[Record], asked: Remembered, *, n: int, params: SamplingParams, seed: int
    ) -> tuple[Gated[Record], Mapping[str, float]]:
        """The records with the error rates of a model, too."""
        from etalon.data.asking.error_rates import measure_error_rates
        from etalon.data.gates import KEEP, sift

        self._model = self._model or asked.name
        rated = measure_error_rates(records, asked, n=n, params=params, seed=seed, name=self._model)
        if rated.unmeasured == len(rated.records):
            self._model = None
        gated = sift("stratify", ((record, KEEP) for record in self.done(rated.records)))
        return gated, {"unmeasured": rated.unmeasured, "undecided": rated.undecided}

    def tell(self, out: Path) -> None:
        """Write OUT.strata.json and print the table."""
        from rich.console import Console

        from etalon.store import write_json_atomic

        write_json_atomic(out.with_name(out.name + SUFFIX), dict(self._table))
        Console().print(_shown(self._table))
        if uncounted := self._table["uncounted"]:
            told = f"{uncounted:,} traces have no count of tokens and stand in no cell; --tokenizer DIR counts them"
            print(told, file=sys.stderr)  # noqa: T201


def _alone(files: Sequence[Path], out: Path | None, work: _Work, columns: Sequence[str], max_bad: float) -> None:
    """Lengths alone, record by record."""
    from etalon.data.records import read_records, record_to_row
    from etalon.data.step_reports import StepLog
    from etalon.rows.mapping import ColumnMap
    from etalon.store import to_json, writing

    if out is None:
        raise ConfigError("--out: name the file to write")
    for file in files:
        refuse_same(str(file), out)
    log, started, names = StepLog(step="stratify", inputs=files), time.monotonic(), ColumnMap.read(list(columns))

    def read() -> Iterator[Record]:
        for file in files:
            for record in read_records(file, columns=names, max_bad=max_bad):
                log.takes(record)
                yield record

    with writing(out):
        with written(out) as stream:
            for record in work.done(read()):
                stream.write(to_json(record_to_row(record)) + b"\n")
                log.gives(record)
        log.write(out, seconds=time.monotonic() - started)


def _shown(found: Mapping[str, Any]) -> Table:
    """Traces by domain and length, then problems; a column for each range of error rates."""
    from rich import box
    from rich.table import Table

    from etalon.data.curriculum.strata import ERROR_EDGES, TOKEN_EDGES

    lows = [None, 0.0, *ERROR_EDGES]
    ranges = ["unmeasured", *(f"{low:g}-{high:g}" for low, high in zip(lows[1:], ERROR_EDGES, strict=False)),
              f"{ERROR_EDGES[-1]:g}-1"]  # fmt: skip
    whose = f"error rate of {found['model']}" if found["model"] else "error rate: measured by nobody"
    shown = Table("domain", "tokens", box=box.SIMPLE_HEAD, title=f"traces by length and {whose}")
    for name in ranges:
        shown.add_column(name, justify="right")
    for domain in sorted({cell["domain"] for cell in found["problems"]}):
        for low, high in zip([0, *TOKEN_EDGES], [*TOKEN_EDGES, None], strict=True):
            cells = [one for one in found["traces"] if (one["domain"], one["tokens_low"]) == (domain, low)]
            by_error = {one["error_low"]: f"{one['traces']:,}" for one in cells}
            if by_error:
                tokens = f"{low:,}-{high:,}" if high else f"{low:,}-"
                shown.add_row(domain, tokens, *(by_error.get(one, "") for one in lows))
        own = {one["error_low"]: f"{one['problems']:,}" for one in found["problems"] if one["domain"] == domain}
        shown.add_row(domain, "problems", *(own.get(one, "") for one in lows), end_section=True)
    return shown
