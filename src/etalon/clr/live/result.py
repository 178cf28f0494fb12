"""What a live flow ends with: the answer, why it ended, the whole record; and a snapshot of it while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from etalon.clr.decision import next_to_verify
from etalon.clr.flow import Flow
from etalon.clr.live.watch import ClrProgress, Rank
from etalon.clr.record import answer_of, detail, stated, why_unusable
from etalon.clr.reliability import majority
from etalon.clr.spend import STAGES, Price, money
from etalon.errors import EtalonError
from etalon.store import write_json_atomic

# stop: the answer is final; budget, interrupted: the best of what there was
FinishReason = Literal["stop", "budget", "interrupted"]
Fallback = Literal["majority", "plain"]  # what answers where CLR cannot: the most votes, or the first whole response


@dataclass(frozen=True, kw_only=True)
class Usage:
    """True totals of all calls of a flow, those included whose result was not used."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, kw_only=True)
class ClrResult:
    """The answer of one flow.

    answer: in the words of the winning cluster's earliest trajectory. text: the final part of the cluster's most
    reliable trajectory, without reasoning and claims. record: everything, JSON values only (`record.detail`).
    fallback: what answered in place of CLR, None for CLR itself; `reason` then says why. A plain answer has text only.
    """

    answer: str
    text: str
    finish_reason: FinishReason
    usage: Usage
    record: Mapping[str, Any]
    fallback: Fallback | None = None
    reason: str = ""

    def save(self, path: Path) -> Path:
        """Write the record; the file appears whole or not at all."""
        write_json_atomic(path, dict(self.record))
        return path


class NoAnswerError(EtalonError):
    """No response was whole; the message says why, and `record` holds what there was.

    is_interrupted: nothing went wrong but the flow was stopped.
    """

    def __init__(self, message: str, record: Mapping[str, Any], usage: Usage, *, is_interrupted: bool = False) -> None:
        super().__init__(message)
        self.record = record
        self.usage = usage
        self.is_interrupted = is_interrupted


def snapshot(
    flow: Flow, *, seconds: float, calls_open: int, tokens_open: int, eta_seconds: float | None
) -> ClrProgress:
    """How far a flow is; `tokens_open` are those of calls under way."""
    leader, rival = _ranks(flow)
    ledger = flow.ledger
    return ClrProgress(
        k=flow.k,
        ended=len(flow.trajectories),
        dropped=len(flow.trajectories) - len(flow.usable),
        verified=sum(map(bool, flow.verdicts.values())),
        calls_open=calls_open,
        calls=ledger.calls + calls_open,
        tokens=ledger.prompt_tokens + ledger.completion_tokens + tokens_open,
        seconds=seconds,
        eta_seconds=eta_seconds,
        leader=leader,
        rival=rival,
    )


def verifications_ahead(flow: Flow) -> int:
    """How many more verifications the answer needs at least, if nothing more is generated."""
    if not flow.clusters:
        return 0
    table = flow.table()
    if flow.early == "off":
        return sum(len(standing.unverified) for standing in table)
    return len(next_to_verify(table))


def _ranks(flow: Flow) -> tuple[Rank | None, Rank | None]:
    """The cluster in front, and the one that could still reach the highest score beside it."""
    table, front = flow.table(), flow.leader
    if front is None:
        return None, None
    ranks = [
        Rank(
            answer=answer_of(flow, position) or "",
            votes=len(flow.clusters[position]),
            score=float(standing.lower),
            score_max=float(standing.upper),
        )
        for position, standing in enumerate(table)
    ]
    others = [position for position in range(len(table)) if position != front]
    second = max(others, key=lambda p: (table[p].upper, table[p].lower, -table[p].earliest), default=None)
    return ranks[front], None if second is None else ranks[second]


def conclude(
    flow: Flow, *, finish_reason: FinishReason, k_min: int, unsent: int, price: Price | None, facts: Mapping[str, Any]
) -> ClrResult:
    """The result of a flow that has ended. `facts` go into the record, in front of what the flow itself says.

    unsent: generations that were never sent. With fewer than `k_min` usable trajectories (after a budget or an
    interruption one is enough) or without a claim to judge, the majority of their answers is the answer; without any
    the first whole response; without that it is a NoAnswerError.
    """
    usage = Usage(
        calls=flow.ledger.calls,
        prompt_tokens=flow.ledger.prompt_tokens,
        completion_tokens=flow.ledger.completion_tokens,
    )
    needed = k_min if finish_reason == "stop" else 1
    fallback, why = _fallback(flow, needed)
    text = "" if flow.usable else _first_whole(flow)
    has_answer = bool(flow.usable or text)
    record = {
        "kind": "clr",
        "version": 1,
        **facts,
        "finish_reason": finish_reason if has_answer else "error",
        **detail(flow),
        **_costs(flow, usage, unsent=unsent, price=price),
    }
    if not has_answer:
        raise _no_answer(flow, record, usage, needed=needed, finish_reason=finish_reason)
    answer = None
    if flow.usable:
        front = majority(flow.clusters) if fallback else flow.leader
        assert front is not None
        answer = answer_of(flow, front)
        assert answer is not None
        text = _text_of(flow, front) or stated(answer)
    told = {"fallback": fallback, "error": why} if fallback else {}
    return ClrResult(
        answer=answer or "",
        text=text,
        finish_reason=finish_reason,
        usage=usage,
        record=record | {"answer": answer, "text": text} | told,
        fallback=fallback,
        reason=why,
    )


def _costs(flow: Flow, usage: Usage, *, unsent: int, price: Price | None) -> dict[str, Any]:
    """What the record says of costs beside those by stage."""
    prompts, tokens = usage.prompt_tokens, usage.completion_tokens
    return {
        "saved": _saved(flow, unsent),
        "prompt_tokens": {stage: flow.ledger.stages[stage].prompt_tokens for stage in STAGES},
        "prompt_tokens_unknown": flow.ledger.untold,
        "usage": {
            "calls": usage.calls,
            "prompt_tokens": prompts,
            "completion_tokens": tokens,
            "total_tokens": prompts + tokens,
        },
        "money": None if price is None else money(price, prompt_tokens=prompts, tokens=tokens),
    }


def _fallback(flow: Flow, needed: int) -> tuple[Fallback | None, str]:
    """What answers in place of CLR, and why: (None, "") when CLR can."""
    if not flow.usable:
        return "plain", why_unusable(flow, needed)
    if len(flow.usable) < needed:
        return "majority", why_unusable(flow, needed)
    if not any(trajectory.claims for trajectory in flow.usable):
        return "majority", f"none of {len(flow.usable)} usable trajectories has a readable claim"
    if flow.verdicts and not any(flow.verdicts.values()):
        return "majority", f"all of {len(flow.verdicts)} verifications failed"
    return None, ""


def _first_whole(flow: Flow) -> str:
    """The first response that ended by itself and said something, though no answer can be read from it."""
    return next((one.text for one in flow.ended if one.dropped == "unparsed" and one.text), "")


def _no_answer(
    flow: Flow, record: dict[str, Any], usage: Usage, *, needed: int, finish_reason: FinishReason
) -> NoAnswerError:
    reason = why_unusable(flow, needed) if flow.trajectories else "no trajectory had ended"
    spent = "the budget was used up: " if finish_reason == "budget" else ""
    is_interrupted = finish_reason == "interrupted"
    error = ("interrupted: " if is_interrupted else spent) + reason
    return NoAnswerError(
        spent + reason, record | {"answer": None, "error": error}, usage, is_interrupted=is_interrupted
    )


def _saved(flow: Flow, unsent: int) -> dict[str, int]:
    """What was not done of a full CLR: generations never sent or cut off, verifications never asked for."""
    pending = len(flow.pending)
    unverified = sum(trajectory.index not in flow.reliabilities for trajectory in flow.usable)
    return {"generations": unsent, "generations_cut": pending - unsent, "verifications": unverified + pending}


def _text_of(flow: Flow, position: int) -> str:
    """The final part of a cluster's most reliable trajectory, the earliest of several."""
    best = max(flow.clusters[position], key=lambda index: (flow.reliabilities.get(index, flow.prior), -index))
    return flow.trajectories[best].text
