"""What the steps that ask a model have in common: `expand`, `label`, `distill`.

files -> records -> step (its calls kept in OUT.calls.jsonl) -> OUT, whole or not at all -> OUT.report.json
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etalon.commands.options import check_place, refuse_same, written
from etalon.errors import ConfigError, RunError
from etalon.types import Conversation, Sampler, SamplingParams

if TYPE_CHECKING:
    from etalon.clr.spend import Price
    from etalon.data.calls.remembered import Remembered
    from etalon.data.gates import Gated
    from etalon.data.records import Record
    from etalon.data.step_reports import Calls, StepLog
    from etalon.sampling import Watch

CALLS_SUFFIX = ".calls.jsonl"
FilesArgument = Annotated[list[Path], typer.Argument(metavar="IN...", help="Files of problems, or of an earlier step.")]
TeacherOption = Annotated[
    str,
    typer.Option("--teacher", metavar="NAME", help="MODEL@http://HOST:PORT/v1, a model directory, or FILE.py:NAME."),
]
TemperatureOption = Annotated[float, typer.Option(min=0.0, help="Of the teacher's answers; 0 is greedy.")]
MaxTokensOption = Annotated[
    int | None, typer.Option("--max-tokens", min=1, help="Of one answer.", show_default="what the window leaves")
]
CallsOption = Annotated[
    int | None,
    typer.Option("--concurrency", min=1, help="Calls at the same time.", show_default="32 of a server, 1 of a program"),
]
PriceOption = Annotated[
    str | None, typer.Option("--price", metavar="IN,OUT", help="Per million tokens of prompts and of answers.")
]
RetryOption = Annotated[bool, typer.Option("--retry-failed", help="Ask again where a call failed before.")]
KeptOption = Annotated[
    Path | None,
    typer.Option(
        "--calls", metavar="FILE", help="Where answers are kept and looked up.", show_default="OUT.calls.jsonl"
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say how many calls it would be, and ask nothing.")]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """The options of a step that asks a model. option: by which `teacher` was named."""

    files: Sequence[Path]
    out: Path | None
    teacher: str
    params: SamplingParams
    seed: int
    columns: Sequence[str]
    max_bad: float
    concurrency: int | None
    price: str | None
    retry_failed: bool
    calls: Path | None
    dry_run: bool
    option: str = "--teacher"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. asks: the calls that it needs. work: what it does. settings: what its report says of it beside these.

    work returns the records that go on and numbers for the report.
    """

    name: str
    purpose: str
    asks: Callable[[Sequence[Record]], list[tuple[Conversation, int]]]
    work: Callable[[Sequence[Record], Remembered], tuple[Gated[Record], Mapping[str, float]]]
    settings: Mapping[str, Any] = field(default_factory=dict)


def run_step(asking: Asking, step: Step) -> None:
    """The whole step: one line and exit 2 for what the user can mend, before anything is asked."""
    from etalon.sampling.source import check_named

    out = _out_of(asking)
    check_named(asking.teacher, key=asking.option)
    price = _price(asking.price) if asking.price else None
    records = _read(asking)
    kept = asking.calls or out.with_name(out.name + CALLS_SUFFIX)
    if asking.dry_run:
        _show_plan(asking, step, records, kept, price)
    else:
        _run(asking, step, records, kept=kept, out=out, price=price)


def _run(asking: Asking, step: Step, records: Sequence[Record], *, kept: Path, out: Path, price: Price | None) -> None:
    from etalon.data.calls.remembered import Remembered
    from etalon.data.step_reports import StepLog
    from etalon.sampling.source import identity_of, name_of

    sampler = open_model(asking.teacher, key=asking.option, concurrency=asking.concurrency)
    started = time.monotonic()
    log = StepLog(step=step.name, inputs=asking.files, settings=_settings(asking) | dict(step.settings))
    for record in records:
        log.takes(record)
    with (
        _watching(step) as watch,
        Remembered(
            sampler, kept, name=name_of(asking.teacher), identity=identity_of(asking.teacher),
            retry_failed=asking.retry_failed, watch=watch,
        ) as teacher,
    ):  # fmt: skip
        gated, numbers = step.work(records, teacher)
    log.gates.append(gated.report)
    log.calls.append(priced(teacher.calls, price))
    log.settings = {**log.settings, **numbers}
    _write(out, gated, log, seconds=time.monotonic() - started)
    print(_summary(step.name, len(records), gated, log, numbers), file=sys.stderr)  # noqa: T201


@contextmanager
def _watching(step: Step) -> Iterator[Watch]:
    """A bar on a terminal; elsewhere a line every half a minute."""
    from etalon.show.progress import SILENT_SECONDS, Progress, show_numbers

    said = time.monotonic()

    def say(done: int, total: int, numbers: Mapping[str, float]) -> None:
        nonlocal said
        if time.monotonic() - said >= SILENT_SECONDS:
            said = time.monotonic()
            told = f"{step.name} {done}/{total}, {show_numbers(numbers)}".rstrip(", ")
            print(told, file=sys.stderr)  # noqa: T201

    if not sys.stderr.isatty():
        yield say
        return
    with Progress().stage(step.name, step.purpose, "2.1.1") as view:
        yield lambda done, total, numbers: view.update(done, total, **numbers)


def open_model(name: str, *, key: str, concurrency: int | None) -> Sampler:
    """The teacher, judge or reference model that an option names; InputError where its server does not answer."""
    from etalon.commands.run import require_train_extra
    from etalon.config.plugins import search_in
    from etalon.sampling.source import sampler_named

    search_in(Path.cwd())
    if Path(name).is_dir():
        require_train_extra()
    sampler = sampler_named(name, key=key, together=concurrency)
    if check := getattr(sampler, "check", None):
        check()
    return sampler


def priced(calls: Calls, price: Price | None) -> Calls:
    """The calls with what they cost; nobody knows without a price, or where nobody counted tokens."""
    if price is None or (calls.answered and not calls.tokens):
        return calls
    money = (calls.prompt_tokens * price.prompt + calls.tokens * price.completion) / 1e6
    return replace(calls, cost=round(money, 6))


def _price(text: str) -> Price:
    from etalon.commands.solving import read_price

    return read_price(text)


def _out_of(asking: Asking) -> Path:
    if asking.out is None:
        raise ConfigError("--out: name the file to write; calls of the teacher are kept beside it")
    check_place("--out", asking.out)
    for file in asking.files:
        refuse_same(str(file), asking.out)
    return asking.out


def _read(asking: Asking) -> list[Record]:
    from etalon.data.records import read_records
    from etalon.rows.mapping import ColumnMap

    columns = ColumnMap.read(list(asking.columns))
    return [one for file in asking.files for one in read_records(file, columns=columns, max_bad=asking.max_bad)]


def _settings(asking: Asking) -> dict[str, Any]:
    from etalon.sampling.source import name_of

    params = asking.params
    told = {"teacher": name_of(asking.teacher), "temperature": params.temperature, "top_p": params.top_p}
    return told | {"max_tokens": params.max_tokens, "seed": asking.seed}


def _write(out: Path, gated: Gated[Record], log: StepLog, *, seconds: float) -> None:
    from etalon.data.records import record_to_row
    from etalon.store import to_json, writing

    if not gated.kept:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in gated.report.reasons.items())
        raise RunError(f"{out}: not written, for no record is left ({reasons})")
    with writing(out):
        with written(out) as stream:
            for record in gated.kept:
                stream.write(to_json(record_to_row(record)) + b"\n")
                log.gives(record)
        log.write(out, seconds=seconds)


def _summary(name: str, read: int, gated: Gated[Record], log: StepLog, numbers: Mapping[str, float]) -> str:
    calls, report = log.calls[-1], gated.report
    told = [f"{name}: {read} records read, {len(gated.kept)} written"]
    told += [f"{key} {value}" for key, value in numbers.items() if value]
    told += [f"{count} {reason}" for reason, count in report.reasons.items()]
    told.append(f"{calls.asked} calls of {calls.model}, {calls.failed} failed, {calls.remembered} kept from before")
    tokens = calls.prompt_tokens + calls.tokens
    counted = f"{tokens:,} tokens" if tokens or not calls.answered else "its tokens counted by nobody"
    told.append(f"{counted}{'' if calls.cost is None else f', cost {calls.cost:g}'}")
    return "; ".join(told)


def _show_plan(asking: Asking, step: Step, records: Sequence[Record], kept: Path, price: Price | None) -> None:
    """How many calls, and what they come to at most, on standard output."""
    from etalon.data.calls.kept import KeptCalls
    from etalon.data.calls.remembered import keys_of
    from etalon.data.step_reports import CHARACTERS_PER_TOKEN
    from etalon.sampling.source import identity_of

    asked = step.asks(records)
    missing = list(range(len(asked)))
    if kept.exists():
        keys = keys_of(identity_of(asking.teacher), asked, params=asking.params, seed=asking.seed)
        with KeptCalls(kept, without_failed=asking.retry_failed) as there:
            missing = [place for place, key in enumerate(keys) if key not in there]
    characters = sum(len(message.content) for place in missing for message in asked[place][0])
    prompt, most = characters // CHARACTERS_PER_TOKEN, asking.params.max_tokens
    typer.echo(f"{step.name}: {len(records)} records, {len(asked)} calls, {len(asked) - len(missing)} of them kept")
    bound = f"at most {len(missing) * most:,}" if most else "no limit without --max-tokens"
    typer.echo(f"{len(missing)} calls to make: about {prompt:,} tokens of prompts; of answers {bound}")
    if price is not None and most:
        money = (prompt * price.prompt + len(missing) * most * price.completion) / 1e6
        typer.echo(f"cost: at most about {money:.2f}")
