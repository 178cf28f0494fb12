"""A model behind `complete` that answers as a table says, and takes as long as it says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from etalon.types import Conversation, Rollout, SamplingParams, Stop


def said(text: str, stop: Stop = Stop.EOS, tokens: int = 10, error: str = "", prompt: int = 5) -> Rollout:
    detail = {"prompt_tokens": prompt} if prompt else None
    return Rollout(problem_id="", index=0, text=text, stop=stop, num_tokens=tokens, error=error, detail=detail)


def trace(answer: str, *claims: str, tokens: int = 100) -> Rollout:
    block = "\n".join(claims)
    return said(f"<think>SECRET</think>So \\boxed{{{answer}}}\n<claims>\n{block}\n</claims>", tokens=tokens)


def judged(prompt: str) -> Rollout:
    """Refutes the claims that contain the word "false"."""
    claims = prompt.split("<claims>\n")[1].split("\n</claims>")[0].splitlines()
    return said("<verdicts>\n" + "\n".join("x" if "false" in claim else "v" for claim in claims) + "\n</verdicts>")


@dataclass
class Model:
    """`traces[i]` is what the i-th generation says; `verify` answers stage 2, `repair` a request for claims.

    delay: seconds of a call by (stage, number within the stage); deltas stream in evenly before its end.
    """

    traces: list[Rollout]
    verify: Callable[[str], Rollout] = judged
    repair: Callable[[Conversation], Rollout] = lambda _: said("")
    delay: Callable[[str, int], float] = lambda stage, number: 0.0
    name: str = "scripted"
    begun: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[str, Conversation, SamplingParams, int]] = field(default_factory=list)
    running: int = 0
    peak: int = 0

    async def complete(
        self,
        conversation: Conversation,
        params: SamplingParams,
        *,
        seed: int,
        on_delta: Callable[[Any], None] | None = None,
    ) -> Rollout:
        prompt = conversation[-1].content
        stage = "verify" if prompt.endswith("<verify>") else "repair" if "lacks the claims" in prompt else "generate"
        number = self.begun[stage]
        self.begun[stage] += 1
        self.asked.append((stage, conversation, params, seed))
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            return await self._answer(stage, number, conversation, on_delta)
        except asyncio.CancelledError:
            self.cancelled[stage] += 1
            raise
        finally:
            self.running -= 1

    async def _answer(
        self, stage: str, number: int, conversation: Conversation, on_delta: Callable[[Any], None] | None
    ) -> Rollout:
        rollout = (
            self.verify(conversation[-1].content)
            if stage == "verify"
            else self.repair(conversation)
            if stage == "repair"
            else self.traces[number % len(self.traces)]
        )
        pieces, seconds = 5, self.delay(stage, number)
        for _ in range(pieces):
            await asyncio.sleep(seconds / pieces)
            if on_delta and rollout.stop is not Stop.ERROR:
                on_delta(None)
        return rollout
