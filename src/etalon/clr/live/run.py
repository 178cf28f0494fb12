"""One CLR answer while it is made: calls are sent, verified and cancelled one by one.

    question -> K generations ---- each as it ends ----> Flow -> repair? -> verification -> Flow -> settled -> ClrResult
                     ^------------- what is still open is cancelled -------------------------------------'

`clr_answer` is the whole of it; `LiveClr` is for a caller that wants to look at it or stop it on the way. It works on
any object with `complete` (`CompletionSampler`), and needs no server.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Protocol

from etalon import __version__
from etalon.clr.claims import parse_claims, question_of, system_messages
from etalon.clr.flow import Flow
from etalon.clr.knobs import ClrSettings
from etalon.clr.live.requests import CallStage, Requests
from etalon.clr.live.result import ClrResult, FinishReason, conclude, snapshot, verifications_ahead
from etalon.clr.live.watch import ClrEvent, ClrProgress, EventKind, OnEvent, TimeLeft
from etalon.clr.replies import read_verdicts
from etalon.clr.spend import Budget, price_of, room
from etalon.clr.trajectory import prompt_tokens_of, read_trajectory
from etalon.errors import ConfigError, InputError
from etalon.types import Conversation, Rollout, SamplingParams, ask

TICK_SECONDS = 1.0  # (ours) longest silence towards a watcher


class CompletionSampler(Protocol):
    """Anything that answers one conversation asynchronously; cancelling the task ends the request.

    A failed call is a rollout with `Stop.ERROR`. on_delta is called with every piece that streams in. One that can be
    told a form of the reply (`ClrSettings.json_schema`) takes it as `extra`, further fields of the request.
    """

    @property
    def name(self) -> str: ...

    async def complete(
        self,
        conversation: Conversation,
        params: SamplingParams,
        *,
        seed: int,
        on_delta: Callable[[Any], None] | None = None,
    ) -> Rollout: ...


async def clr_answer(
    question: str | Conversation,
    sampler: CompletionSampler,
    settings: ClrSettings,
    *,
    on_event: OnEvent | None = None,
    budget: Budget | None = None,
) -> ClrResult:
    """The CLR answer to a question or to the last user message of a conversation.

    Cancelling the task cancels every request that is under way. Raises NoAnswerError when no response
    is whole (`conclude` says what answers where CLR cannot), ConfigError or InputError for what cannot be run.
    """
    return await LiveClr(question, sampler, settings, on_event=on_event, budget=budget).run()


@dataclass(kw_only=True)
class _Call:
    """A request under way; num_deltas stands for its tokens until it ends."""

    stage: CallStage
    index: int
    started: float
    num_deltas: int = 0


class LiveClr:
    """One flow. `run` it once; `stop` ends it early with the best answer so far, `progress` looks at it."""

    def __init__(
        self,
        question: str | Conversation,
        sampler: CompletionSampler,
        settings: ClrSettings,
        *,
        on_event: OnEvent | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.conversation = ask(question) if isinstance(question, str) else question
        asked = question_of(self.conversation)
        if asked is None or not asked.strip():
            raise InputError("the conversation has no user message to answer")
        self.sampler = sampler
        self.settings = settings
        self.budget = budget or Budget()
        self.price = price_of(sampler.name, settings.prices)
        if self.budget.money is not None and self.price is None:
            raise ConfigError(
                f"budget.money: no price is known for the model {sampler.name}; add it to the price table"
            )
        if settings.json_schema and "extra" not in inspect.signature(sampler.complete).parameters:
            raise ConfigError(f"clr.json_schema: it takes a server to enforce a form, and {sampler.name} is none")
        self.requests = Requests(self.conversation, settings)
        self.flow = Flow(
            question=asked,
            system=system_messages(self.conversation),
            k=settings.k,
            m=settings.m,
            early=settings.early,
            prior=Fraction(str(settings.prior)),
            exponent=settings.exponent,
            repairs=settings.repair,
        )
        self._on_event = on_event
        self._calls: dict[asyncio.Task[Rollout], _Call] = {}
        self._unsent = list(range(settings.k))
        self._stopped: FinishReason | None = None
        self._wake = asyncio.Event()
        self._started = time.monotonic()
        self._room = math.inf  # tokens that may still stream in
        self._prompt_sizes: dict[CallStage, int] = {}  # of the last finished call, for those that are cancelled
        self._pace = TimeLeft(limit=settings.concurrency or settings.k)

    def stop(self, reason: FinishReason = "interrupted") -> None:
        """End with the best answer so far; call it in the event loop that runs the flow."""
        self._stopped = self._stopped or reason
        self._wake.set()

    def progress(self) -> ClrProgress:
        """How far it is."""
        now = time.monotonic()
        eta = self._pace.seconds_left(
            [(call.stage, now - call.started) for call in self._calls.values()],
            unsent=len(self._unsent),
            unverified=verifications_ahead(self.flow),
        )
        return snapshot(
            self.flow,
            seconds=now - self._started,
            calls_open=len(self._calls),
            tokens_open=sum(call.num_deltas for call in self._calls.values()),
            eta_seconds=eta,
        )

    async def run(self) -> ClrResult:
        """The answer; see `clr_answer`."""
        self._started = time.monotonic()
        try:
            while not self._is_over():
                self._send()
                if not self._calls:  # nothing is open and nothing may be sent
                    assert self.budget.calls is not None
                    self._stopped = "budget"
                    break
                await self._take(await self._next_ended())
        finally:
            await self._cancel()
        result = conclude(
            self.flow,
            finish_reason=self._stopped or "stop",
            k_min=self.settings.k_min,
            unsent=len(self._unsent),
            price=self.price,
            facts=self._facts(),
        )
        self._tell("finish", None)
        return result

    def _is_over(self) -> bool:
        flow = self.flow
        if flow.settled(self.settings.k_min):
            self._stopped = None  # what came last made it final
            return True
        if self._stopped is None and self._is_spent():
            self._stopped = "budget"
        return self._stopped is not None or (self._is_hopeless() and not self._is_generating())

    def _is_hopeless(self) -> bool:
        """Whether too few trajectories are left to reach k_min: then only those under way are waited for."""
        return len(self.flow.usable) + len(self.flow.pending) < self.settings.k_min

    def _is_generating(self) -> bool:
        return any(call.stage == "generate" for call in self._calls.values())

    def _is_spent(self) -> bool:
        """Whether time, tokens or money are used up, what streams in included; notes how much may still stream in."""
        budget, ledger = self.budget, self.flow.ledger
        if budget.seconds is not None and time.monotonic() - self._started >= budget.seconds:
            return True
        asked = ledger.prompt_tokens + sum(self._prompt_sizes.get(call.stage, 0) for call in self._calls.values())
        streamed = ledger.completion_tokens + sum(call.num_deltas for call in self._calls.values())
        self._room = room(budget, self.price, prompt_tokens=asked, tokens=streamed)
        return self._room <= 0

    def _send(self) -> None:
        """Fill the free slots: verifications that can settle the answer first, then generations."""
        if self._is_hopeless():
            return
        limit = self.settings.concurrency or self.settings.k
        started = {call.index for call in self._calls.values() if call.stage != "generate"}
        wanted = list(self.flow.wanted(started, unsent=len(self._unsent)))
        while len(self._calls) < limit and (wanted or self._unsent):
            if self.budget.calls is not None and self.flow.ledger.calls + len(self._calls) >= self.budget.calls:
                return
            if wanted:
                index = wanted.pop(0)
                self._start("repair" if self.flow.needs_repair(index) else "verify", index)
            else:
                self._start("generate", self._unsent.pop(0))

    def _start(self, stage: CallStage, index: int) -> None:
        call = _Call(stage=stage, index=index, started=time.monotonic())

        def count(_: Any) -> None:  # once per chunk of every stream: keep it this short
            call.num_deltas += 1
            self._room -= 1
            if self._room <= 0:
                self._wake.set()

        request = self.requests.of(stage, index, self.flow)
        work = self.sampler.complete(
            request.conversation, request.params, seed=request.seed, on_delta=count, **request.further
        )
        self._calls[asyncio.ensure_future(work)] = call

    async def _next_ended(self) -> list[asyncio.Task[Rollout]]:
        """Calls that ended, by stage and index; none when something else wants attention."""
        self._wake.clear()
        waker = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait([*self._calls, waker], timeout=self._patience(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waker.cancel()
        ended = [task for task in self._calls if task.done()]
        if not ended:
            self._tell("tick", None)
        return sorted(ended, key=lambda task: (self._calls[task].stage, self._calls[task].index))

    def _patience(self) -> float | None:
        """Seconds until the watcher wants to hear something, or the time is up."""
        waits = [TICK_SECONDS] if self._on_event else []
        if self.budget.seconds is not None:
            waits.append(max(0.0, self._started + self.budget.seconds - time.monotonic()))
        return min(waits, default=None)

    async def _take(self, tasks: Sequence[asyncio.Task[Rollout]]) -> None:
        """Book calls that ended. Reading and comparing answers may take a while, so it happens in a thread."""
        flow, generated = self.flow, dict[int, Rollout]()
        for task in tasks:
            call = self._calls.pop(task)
            rollout, index = task.result(), call.index
            self._pace.add(call.stage, time.monotonic() - call.started)
            if (size := prompt_tokens_of(rollout)) is not None:
                self._prompt_sizes[call.stage] = size
            if call.stage == "generate":
                flow.ledger.add("generate", rollout)
                generated[index] = rollout
            elif call.stage == "repair":
                flow.record_repair(index, rollout, parse_claims(rollout.text, flow.m))
                self._tell("repair", index)
            else:
                flow.record_verdicts(index, rollout, read_verdicts(rollout.text, len(flow.trajectories[index].claims)))
                self._tell("verdicts", index)
        if generated:
            await asyncio.to_thread(lambda: flow.add([read_trajectory(r, i, flow.m) for i, r in generated.items()]))
            for index in generated:
                self._tell("trajectory", index)

    async def _cancel(self) -> None:
        """End what is still open, and book what had come of it."""
        tasks, self._calls = self._calls, {}
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for call, outcome in zip(tasks.values(), ended, strict=True):
            if isinstance(outcome, Rollout):  # it had ended, and nobody needed it any more
                self.flow.ledger.add("cancelled", outcome)
            else:
                size = self._prompt_sizes.get(call.stage, 0)
                self.flow.ledger.book("cancelled", calls=1, prompt_tokens=size, tokens=call.num_deltas)

    def _tell(self, kind: EventKind, index: int | None) -> None:
        if self._on_event:
            self._on_event(ClrEvent(kind=kind, index=index, progress=self.progress()))

    def _facts(self) -> dict[str, Any]:
        """What the record says beside the flow itself."""
        settings = asdict(self.settings)
        return {
            "etalon": __version__,
            "model": self.sampler.name,
            "question": self.flow.question,
            "conversation": [asdict(message) for message in self.conversation],
            "seconds": time.monotonic() - self._started,
            "budget": asdict(self.budget),
            "settings": settings,
        }
