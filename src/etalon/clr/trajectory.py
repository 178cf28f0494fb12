"""One stage-1 response as CLR keeps it: its answer, its claims, what it cost; no reasoning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from etalon.clr.claims import parse_claims, without_claims
from etalon.types import Rollout, Stop
from etalon.verifiers.text import extract_answer, final_part, is_cut_thought

CLAIMS = "<claims>"  # what begins behind a thought
Dropped = Literal["failed", "truncated", "unparsed"]


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """What a stage-1 response said.

    answer: None when it was dropped; `dropped` then says why: the call failed, it hit the token limit before an
    answer, or it ended without one.
    claims: at most M. text: the final part without the claims; with them where it was dropped and holds nothing else.
    """

    index: int
    stop: Stop
    num_tokens: int
    calls: int
    answer: str | None
    dropped: Dropped | None
    claims: tuple[str, ...]
    text: str = ""
    error: str = ""


def read_trajectory(rollout: Rollout, index: int, m: int) -> Trajectory:
    """The answer and the claims of one response."""
    failed = rollout.stop is Stop.ERROR
    text = "" if failed else without_claims(rollout.text)
    is_thought = is_cut_thought(rollout) and CLAIMS not in rollout.text
    answer = None if failed or is_thought else extract_answer(text)
    text = text.strip() or final_part(rollout.text).strip()
    dropped: Dropped | None = None
    if answer is None:
        dropped = "failed" if failed else "truncated" if rollout.stop is Stop.LENGTH else "unparsed"
    return Trajectory(
        index=index,
        stop=rollout.stop,
        num_tokens=rollout.num_tokens,
        calls=rollout.calls,
        answer=answer,
        dropped=dropped,
        claims=() if dropped else parse_claims(rollout.text, m),
        text=text,
        error=rollout.error,
    )


def prompt_tokens_of(rollout: Rollout) -> int | None:
    """Tokens of the prompt: its ids, or what a server said (`detail`); None when nobody knows."""
    if rollout.prompt_tokens is not None:
        return len(rollout.prompt_tokens)
    told = (rollout.detail or {}).get("prompt_tokens")
    return told if isinstance(told, int) else None
