"""A CLR answer as a chat completion: progress as reasoning while it is made, then the answer, then what it cost.

Question -> clr_answer over the shared connection -> { events: role, progress..., content, finish, usage | JSON }
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from etalon.clr.knobs import ClrSettings
from etalon.clr.live.result import ClrResult, NoAnswerError
from etalon.clr.live.run import clr_answer
from etalon.clr.live.watch import ClrEvent, line
from etalon.clr.spend import Budget, Price
from etalon.errors import EtalonError
from etalon.sampling.endpoint import Client, EndpointSampler
from etalon.serve.api_error import ApiError
from etalon.serve.call import Call
from etalon.serve.metrics import Metrics
from etalon.serve.question import Question

PROGRESS_SECONDS = 1.0  # (ours) between two lines of progress
FALLBACK_HEADER = "x-etalon-fallback"  # "majority" or "plain" where CLR could not answer; also in the field `clr`
NOT_SENT = ("conversation", "question", "settings", "text")  # of the record: the client has them


async def answer_clr(call: Call, question: Question, client: Client, metrics: Metrics, *, heartbeat: float) -> None:
    """Answer `call` with the CLR answer to `question`. ApiError when there is none."""
    if not question.streams:
        result = await _answer(question, client, metrics, on_event=None)
        completion = Completion(model=f"clr-{question.model}")
        await call.answer_json(
            200,
            completion.whole(
                result.text, finish_reason=result.finish_reason, usage=usage_of(result), extension=extension_of(result)
            ),
            headers={FALLBACK_HEADER: result.fallback} if result.fallback else None,
        )
        return
    async with call.heartbeat(heartbeat):
        await _stream(call, question, client, metrics)
    await call.end_events()


async def _stream(call: Call, question: Question, client: Client, metrics: Metrics) -> None:
    """Nothing is sent before the first line of progress, so that a refusal still has its own status."""
    completion = Completion(model=f"clr-{question.model}")
    teller = _Teller(call, completion)
    async with teller.telling():
        result = await _answer(question, client, metrics, on_event=teller.hear)
    await teller.begin()
    if result.fallback:
        await call.event_json(completion.reasoning(f"fallback ({result.fallback}), not CLR: {result.reason}\n"))
    await call.event_json(completion.content(result.text))
    await call.event_json(completion.finish(result.finish_reason, extension_of(result)))
    if question.includes_usage:
        await call.event_json(completion.usage(usage_of(result)))


class _Teller:
    """Sends the newest line of progress once in a while; what came in between is left out."""

    def __init__(self, call: Call, completion: Completion) -> None:
        self._call = call
        self._completion = completion
        self._line = ""
        self._has_begun = False

    def hear(self, event: ClrEvent) -> None:
        self._line = line(event.progress)

    async def begin(self) -> None:
        """Send the chunk with the role, once."""
        if not self._has_begun:
            self._has_begun = True
            await self._call.event_json(self._completion.role())

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell within the block."""
        task = asyncio.create_task(self._tell())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _tell(self) -> None:
        told = ""
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            if self._line != told:
                told = self._line
                await self.begin()
                await self._call.event_json(self._completion.reasoning(f"{told}\n"))


async def _answer(
    question: Question, client: Client, metrics: Metrics, *, on_event: Callable[[ClrEvent], None] | None
) -> ClrResult:
    endpoint = replace(client.settings, model=question.model, extra={**client.settings.extra, **question.extra})
    sampler = EndpointSampler(endpoint, client=client)
    try:
        result = await clr_answer(
            question.conversation, sampler, _settings(question), on_event=on_event, budget=_budget(question)
        )
    except NoAnswerError as error:
        metrics.count("etalon_clr_answers_total", finish_reason="error")
        _count(metrics, error.record)
        raise ApiError(502, f"no answer: {error}", code="no_answer") from None
    except EtalonError as error:
        raise ApiError(400, str(error), param="clr") from None
    metrics.count("etalon_clr_answers_total", finish_reason=result.fallback or result.finish_reason)
    _count(metrics, result.record)
    return result


def _settings(question: Question) -> ClrSettings:
    price = question.clr.price
    return ClrSettings(
        k=question.k,
        m=question.m,
        params=question.params,
        early=question.clr.early,
        k_min=min(question.clr.k_min, question.k),
        json_schema=question.clr.json_schema,
        prompts=question.prompts,
        seed=question.seed,
        prices={} if price is None else {"*": Price(prompt=price.prompt, completion=price.completion)},
    )


def _budget(question: Question) -> Budget:
    budgets = question.clr.budgets
    return Budget(calls=budgets.calls, tokens=budgets.tokens, seconds=budgets.seconds, money=budgets.money)


def _count(metrics: Metrics, record: Mapping[str, Any]) -> None:
    for name in ("calls", "tokens"):
        for stage, amount in record[name].items():
            metrics.count(f"etalon_clr_{name}_total", int(amount), stage=stage)
    saved = int(record["calls_full"]) - sum(record["calls"].values())
    metrics.count("etalon_clr_calls_saved_total", max(0, saved))


def usage_of(result: ClrResult) -> dict[str, int]:
    """Tokens of all calls of the answer, of both stages and of those whose result was not used."""
    usage = result.usage
    total = usage.prompt_tokens + usage.completion_tokens
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": total,
    }


def extension_of(result: ClrResult) -> dict[str, Any]:
    """The record of the vote: clusters, claims, verdicts, counts, calls."""
    return {name: value for name, value in result.record.items() if name not in NOT_SENT}


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One completion: its id, time and model stay the same over all chunks."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(
        self, content: str, *, finish_reason: str, usage: Mapping[str, Any], extension: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The answer of a request that does not stream."""
        message = {"role": "assistant", "content": content}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        return self._head("chat.completion") | {"choices": [choice], "usage": dict(usage), "clr": dict(extension)}

    def role(self) -> dict[str, Any]:
        """The first chunk."""
        return self._chunk({"role": "assistant", "content": ""})

    def reasoning(self, text: str) -> dict[str, Any]:
        """Reasoning under both names: clients read one or the other."""
        return self._chunk({"reasoning": text, "reasoning_content": text})

    def content(self, text: str) -> dict[str, Any]:
        return self._chunk({"content": text})

    def finish(self, finish_reason: str, extension: Mapping[str, Any]) -> dict[str, Any]:
        """The last chunk with a choice."""
        return self._chunk({}, finish_reason) | {"clr": dict(extension)}

    def usage(self, usage: Mapping[str, Any]) -> dict[str, Any]:
        """The chunk without choices that `stream_options.include_usage` asks for."""
        return self._head("chat.completion.chunk") | {"choices": [], "usage": dict(usage)}

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": finish_reason}
        return self._head("chat.completion.chunk") | {"choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}
