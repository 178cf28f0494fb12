"""`etalon data label`: a teacher votes on the answers of queries that have none (2.1.1 step 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from etalon.data.calls.remembered import Remembered
    from etalon.data.gates import Gated
    from etalon.data.records import Record


def label(
    files: FilesArgument,
    teacher: TeacherOption,
    out: OutOption = None,
    votes: Annotated[int, typer.Option("-n", min=1, help="Answers per query.")] = 5,
    agreement: Annotated[float, typer.Option(min=0.0, max=1.0, help="Smallest share that makes a label.")] = 0.6,
    relabel: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the answered mathematics that is voted on, too.")
    ] = 0.0,
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
    """Give queries without an answer the one that most of the teacher's answers agree on, equal answers counted as one.

    Votes are kept with each record. A tie, or less agreement, drops the record, and the report says how many. Records
    that have an answer stay as they are; with --relabel a share of them is voted on as a check of the teacher, and
    takes the label of the vote. A call that was answered is kept: after a crash the same command goes on.
    """
    from etalon.data.asking.label import calls_of, label_records, to_label

    params = SamplingParams(temperature=temperature, top_p=top_p, max_tokens=max_tokens)

    def work(records: Sequence[Record], model: Remembered) -> tuple[Gated[Record], Mapping[str, float]]:
        done = label_records(
            records, model, n=votes, agreement=agreement, params=params, seed=seed, relabel=relabel
        )  # fmt: skip
        return done.gated, {"asked": done.asked, "checked": done.checked, "confirmed": done.confirmed}

    run_step(
        Asking(
            files=files, out=out, teacher=teacher, params=params, seed=seed, columns=columns or (), max_bad=max_bad,
            concurrency=concurrency, price=price, retry_failed=retry_failed, calls=calls, dry_run=dry_run,
        ),
        Step(
            name="label", purpose="vote on answers", work=work,
            asks=lambda records: calls_of([records[place] for place in to_label(records, relabel)], votes),
            settings={"n": votes, "agreement": agreement, "relabel": relabel},
        ),
    )  # fmt: skip
