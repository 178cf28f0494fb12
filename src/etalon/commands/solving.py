"""What `etalon solve` does: find the model, ask it, show how far it is, print the answer."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from etalon.clr.knobs import ClrSettings
from etalon.clr.live.result import ClrResult, NoAnswerError
from etalon.clr.live.run import CompletionSampler, LiveClr
from etalon.clr.live.watch import ClrEvent
from etalon.clr.record import judge
from etalon.clr.spend import Budget, Price
from etalon.commands.live_view import summary, told_of, view_of
from etalon.errors import ConfigError, EtalonError, InputError, StoppedError
from etalon.report.terminal import plain
from etalon.store import stable_hash, write_json_atomic
from etalon.types import Conversation, SamplingParams, Stop
from etalon.verifiers.text import final_part


def open_sampler(
    urls: Sequence[str], model: str | None, *, concurrency: int, journal: Path | None
) -> CompletionSampler:
    """A served model when there is a URL, else a local directory. One-line errors for what is not there."""
    if urls:
        return _served(urls, model, concurrency=concurrency, journal=journal)
    if model is None:
        raise ConfigError("name a server with --endpoint URL, or a local model with --model DIR")
    if not Path(model).is_dir():
        raise InputError(f"{model}: no such directory; a model of a server needs --endpoint URL beside --model")
    if journal is not None:
        raise ConfigError("--journal keeps requests to a server; there is none with --model DIR")
    from etalon.commands.run import require_train_extra

    require_train_extra()
    from etalon.clr.live.gathered import Gathered
    from etalon.model import loader
    from etalon.sampling.local import LocalSampler

    return Gathered(LocalSampler(loader.load(Path(model)), name=Path(model).name))


def _served(urls: Sequence[str], model: str | None, *, concurrency: int, journal: Path | None) -> CompletionSampler:
    from etalon.sampling.endpoint import EndpointSampler, EndpointSettings

    settings = EndpointSettings(urls=tuple(urls), model=model or "", concurrency=concurrency)
    if model is None:
        settings = EndpointSettings(urls=settings.urls, model=_only_model(settings), concurrency=concurrency)
    sampler = EndpointSampler(settings, journal=journal)
    if model is not None:
        sampler.check()
    return sampler


def _only_model(settings: Any) -> str:
    """The name of the one model that a server lists."""
    from etalon.sampling.endpoint import Client, UpstreamError
    from etalon.sampling.endpoint.sampler import model_names

    async def listed() -> list[str]:
        client = Client(settings)
        try:
            return model_names(await client.get_json("/models"))
        finally:
            await client.aclose()

    try:
        names = asyncio.run(listed())
    except UpstreamError as error:
        if error.status in (401, 403):
            raise InputError(f"endpoint {error}; the key is read from {settings.key_variable}") from None
        raise InputError(f"endpoint {error}; is it running there? --model NAME skips this question") from None
    if len(names) == 1:
        return names[0]
    known = f"it lists {', '.join(names[:8])}" if names else "it lists none"
    raise ConfigError(f"{settings.urls[0]}: name a model with --model; {known}")


def read_price(text: str) -> Price:
    """`0.1,0.4`: the price of a million prompt tokens, and of a million completion tokens."""
    try:
        prompt, completion = (float(part) for part in text.split(","))
        price = Price(prompt=prompt, completion=completion)
    except ValueError:
        raise ConfigError(f"--price {text}: expected PROMPT,COMPLETION per million tokens, such as 0.1,0.4") from None
    if not (0 <= prompt < float("inf") and 0 <= completion < float("inf")):
        raise ConfigError(f"--price {text}: a price is a finite number of at least 0")
    return price


async def _close(sampler: CompletionSampler) -> None:
    close = getattr(sampler, "aclose", None)
    if close is not None:
        await close()


def solve_once(sampler: CompletionSampler, conversation: Conversation, params: SamplingParams, *, seed: int) -> None:
    """One response: its final part on standard output, what it cost on standard error."""

    async def work() -> Any:
        try:
            return await sampler.complete(conversation, params, seed=seed)
        finally:
            await _close(sampler)

    started = time.monotonic()
    rollout = asyncio.run(work())
    if rollout.stop is Stop.ERROR:
        raise EtalonError(f"{sampler.name}: {rollout.error}")
    text = final_part(rollout.text).strip()
    if not text and rollout.stop is Stop.LENGTH:
        raise EtalonError(f"{sampler.name}: cut off inside its reasoning after {rollout.num_tokens:,} tokens")
    if not text:
        after = " after its reasoning" if rollout.text.strip() else ""
        raise EtalonError(f"{sampler.name}: the model answered nothing{after} ({rollout.num_tokens:,} tokens)")
    _print(text)
    cut = ", cut off" if rollout.stop is Stop.LENGTH else ""
    typer.echo(f"{rollout.num_tokens:,} tokens, {time.monotonic() - started:.1f} s{cut}", err=True)


def solve_clr(
    sampler: CompletionSampler,
    conversation: Conversation,
    settings: ClrSettings,
    budget: Budget,
    *,
    out: Path | None,
    reference: str | None,
) -> None:
    """The CLR answer on standard output, its record in a file. Ctrl-C ends it with the best answer so far."""
    path = out or Path("runs") / "solve" / f"{time.strftime('%Y%m%d-%H%M%S')}-{stable_hash(str(conversation))[:6]}.json"
    try:
        result = asyncio.run(_watched(sampler, conversation, settings, budget))
    except NoAnswerError as error:
        write_json_atomic(path, dict(error.record))
        if error.is_interrupted:
            raise _stopped(f"nothing yet, {error}", path) from None
        typer.echo(f"record: {path}", err=True)
        raise
    record = judge(result.record, reference) if reference is not None else dict(result.record)
    write_json_atomic(path, record)
    _print(result.text)
    if result.finish_reason == "interrupted":
        best = told_of(record) if result.fallback else "the best so far"
        raise _stopped(f"{best}, from {record['counts']['usable']} of {settings.k} trajectories", path)
    for line in summary(record):
        typer.echo(plain(line), err=True)
    typer.echo(f"record: {path} (etalon explain shows it)", err=True)


def _stopped(what: str, path: Path) -> StoppedError:
    return StoppedError(f"interrupted: {plain(' '.join(what.split()))}\nrecord: {path} (etalon explain shows it)")


async def _watched(
    sampler: CompletionSampler, conversation: Conversation, settings: ClrSettings, budget: Budget
) -> ClrResult:
    """Run a flow under a live view; the first Ctrl-C stops it, a second one gives it up."""
    with view_of(sys.stderr) as view:
        presses = 0

        def show(event: ClrEvent) -> None:
            if not presses:  # afterwards only what came of it is said
                view.show(event)

        flow = LiveClr(conversation, sampler, settings, on_event=show, budget=budget)
        task = asyncio.ensure_future(flow.run())

        def interrupt() -> None:
            nonlocal presses
            presses += 1
            if presses == 1:
                flow.stop()
            else:
                task.cancel()

        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):
            loop.add_signal_handler(signal.SIGINT, interrupt)
        try:
            return await task
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)
            await _close(sampler)


def _print(text: str) -> None:
    """A model's words on standard output; on a terminal without what would steer it."""
    typer.echo(plain(text) if sys.stdout.isatty() else text)
