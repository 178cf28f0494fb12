"""`etalon data distill`: a teacher's responses to every query, as traces to learn from (2.1.1 step 3)."""

from __future__ import annotations

from typing import Annotated

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
    TeacherOption,
    TemperatureOption,
    run_step,
)
from etalon.commands.options import MapOption, MaxBadOption, OutOption, SeedOption, TopPOption
from etalon.types import SamplingParams


def distill(
    files: FilesArgument,
    teacher: TeacherOption,
    out: OutOption = None,
    traces: Annotated[int, typer.Option("-n", min=1, help="Responses per query.")] = 4,
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
    """Add the teacher's responses to every record, behind the traces that it came with.

    Nothing is dropped: `etalon data filter` says which traces are right, whole and fit to learn from. A call that was
    answered is kept and never made again: after a crash the same command goes on, and -n 8 after -n 4 asks for four.
    """
    from etalon.data.asking.distill import distill_records
    from etalon.data.asking.label import calls_of

    params = SamplingParams(temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    run_step(
        Asking(
            files=files, out=out, teacher=teacher, params=params, seed=seed, columns=columns or (), max_bad=max_bad,
            concurrency=concurrency, price=price, retry_failed=retry_failed, calls=calls, dry_run=dry_run,
        ),
        Step(
            name="distill", purpose="sample several traces per query",
            asks=lambda records: calls_of(records, traces),
            work=lambda records, model: (distill_records(records, model, n=traces, params=params, seed=seed), {}),
            settings={"n": traces},
        ),
    )  # fmt: skip
