"""`etalon data expand`: a teacher writes new queries of the ones that are there (2.1.1 step 1)."""

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


def expand(
    files: FilesArgument,
    teacher: TeacherOption,
    out: OutOption = None,
    count: Annotated[int, typer.Option("-n", min=1, help="New queries asked for per record.")] = 4,
    temperature: TemperatureOption = 1.0,
    top_p: TopPOption = 1.0,
    max_tokens: MaxTokensOption = None,
    seed: SeedOption = 0,
    prompts: Annotated[str, typer.Option(metavar="DIR", help="Prompt files of your own, expand_*.txt.")] = "default",
    concurrency: CallsOption = None,
    price: PriceOption = None,
    retry_failed: RetryOption = False,
    calls: KeptOption = None,
    columns: MapOption = None,
    max_bad: MaxBadOption = 0.01,
    dry_run: DryRunOption = False,
) -> None:
    """Write every record, each followed by the queries without an answer that the teacher made of it.

    Only questions with a final answer (math, stem) are seeds. Copies of other queries are left out. `etalon data label`
    answers the new ones. A call that was answered is kept and never made again: after a crash the same command goes on.
    """
    from etalon.data.asking.expand import calls_of, expand_records

    params = SamplingParams(temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    run_step(
        Asking(
            files=files, out=out, teacher=teacher, params=params, seed=seed, columns=columns or (), max_bad=max_bad,
            concurrency=concurrency, price=price, retry_failed=retry_failed, calls=calls, dry_run=dry_run,
        ),
        Step(
            name="expand", purpose="write new queries",
            asks=lambda records: calls_of(records, count, prompts=prompts),
            work=lambda records, model: (
                expand_records(records, model, count=count, params=params, seed=seed, prompts=prompts), {}
            ),
            settings={"n": count},
        ),
    )  # fmt: skip
