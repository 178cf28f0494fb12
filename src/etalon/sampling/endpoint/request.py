"""The body of one chat request, with every sampling field spelled out.

Servers differ in what they do with a missing field (llama.cpp: top_k 40 and min_p 0.05; Ollama: top_k 40), so none is
left to them. `n` is always 1: some servers ignore it, and single requests can be cancelled one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.types import Conversation, SamplingParams

NO_CAP = 2**30  # from here on max_tokens means "whatever the window leaves", which is said by leaving it out

# Off for vLLM, SGLang and llama.cpp alike: SGLang refuses top_k 0, llama.cpp takes any negative number as off.
NEUTRAL: Mapping[str, Any] = {
    "top_k": -1,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repetition_penalty": 1.0,  # vLLM, SGLang
    "repeat_penalty": 1.0,  # llama.cpp, LM Studio
}


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
    if params.max_tokens < NO_CAP:
        request["max_tokens"] = params.max_tokens
    if params.stop:
        request["stop"] = list(params.stop)
    return request | dict(extra or {})
