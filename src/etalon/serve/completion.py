"""Chat completions and their chunks, as OpenAI's clients read them. Pure: values in, JSON values out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
