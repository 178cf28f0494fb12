"""The body of one chat request, with every sampling field spelled out, and what a server that refuses one is sent.

Servers differ in what they do with a missing field (llama.cpp: top_k 40 and min_p 0.05; Ollama: top_k 40), so none is
left to them. `n` is always 1: some servers ignore it, and single requests can be cancelled one by one.

What one server refuses is learned from its own error messages. A field may be left out only when that changes nothing
we asked for: an extension at its neutral value, the seed, the usage request, or a length cap beyond the window. What
was left out is logged once and stands in each rollout's detail.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from etalon.types import Conversation, SamplingParams

# Off for vLLM, SGLang and llama.cpp alike: SGLang refuses top_k 0, llama.cpp takes any negative number as off.
NEUTRAL: Mapping[str, Any] = {
    "top_k": -1,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repetition_penalty": 1.0,  # vLLM, SGLang
    "repeat_penalty": 1.0,  # llama.cpp, LM Studio
}
LOG = logging.getLogger("etalon")
CAP_REFUSED = re.compile(
    r"context (length|window|size)"
    r"|max_(completion_)?tokens.*(too (large|long|big|high)|maximum|at most|exceed|greater than|less than|<=)",
    re.IGNORECASE | re.DOTALL,
)


def body(
    conversation: Conversation,
    params: SamplingParams,
    *,
    model: str,
    seed: int,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A streamed request for one response; `extra` fields win."""
    request: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in conversation],
        "n": 1,
        "temperature": params.temperature,
        "top_p": params.top_p,
        **NEUTRAL,
        "seed": seed % 2**31,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if params.max_tokens is not None:  # servers take a missing one for whatever the window leaves
        request["max_tokens"] = params.max_tokens
    if params.stop:
        request["stop"] = list(params.stop)
    return request | dict(extra or {})


_told: set[tuple[str, str]] = set()  # (URL, field) of what was logged: once per process, whoever asks


class Dialect:
    """The fields one URL refused so far."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.left_out: set[str] = set()
        self._renames_cap = False

    def speak(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request as this server takes it."""
        spoken = {k: v for k, v in request.items() if k not in self.left_out or not _may_leave_out(k, v)}
        if self._renames_cap and "max_tokens" in spoken:
            spoken["max_completion_tokens"] = spoken.pop("max_tokens")
        return spoken

    def learn(self, message: str, sent: Mapping[str, Any]) -> dict[str, Any] | None:
        """What to send after the server refused `sent` with `message`; None when nothing can be changed.

        A cap beyond the window is taken off this one request only: the next may fit.
        """
        if "max_tokens" in sent and "max_completion_tokens" in message and "instead" in message:
            self._renames_cap = True
            return self.speak(sent)
        for cap in ("max_tokens", "max_completion_tokens"):
            if cap in sent and CAP_REFUSED.search(message):
                if self._is_news(cap):
                    LOG.warning("%s: %s %s is beyond its window; the window is the limit", self._url, cap, sent[cap])
                return {k: v for k, v in sent.items() if k != cap}
        named = {k for k in sent if _may_leave_out(k, sent[k]) and re.search(rf"\b{k}\b", message)}
        if not named:
            return None
        if news := [name for name in sorted(named) if self._is_news(name)]:
            LOG.warning("%s: refuses %s; left out from now on", self._url, ", ".join(news))
        self.left_out |= named
        return {k: v for k, v in sent.items() if k not in named}

    def _is_news(self, name: str) -> bool:
        """Whether nobody was told of this field yet: many requests under way are refused for it at once."""
        is_news = (self._url, name) not in _told
        _told.add((self._url, name))
        return is_news


def _may_leave_out(name: str, value: Any) -> bool:
    if name in ("seed", "stream_options"):
        return True
    return name in NEUTRAL and bool(value == NEUTRAL[name])
