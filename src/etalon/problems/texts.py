"""The prompt and the response of a row, whatever their columns are called, as text or as a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROMPTS = ("prompt", "question", "problem", "query")
RESPONSES = ("response", "completion")
CONVERSATION = "messages"


def prompt_of(row: Mapping[str, Any]) -> str | None:
    """What a model is asked: the first text among the columns, or what the users of a conversation say."""
    return next((text for name in (*PROMPTS, CONVERSATION) if (text := said(row.get(name), "user")) is not None), None)


def response_of(row: Mapping[str, Any]) -> str | None:
    """What a model answered: text, or the last message of a conversation that a model ends."""
    for name in RESPONSES:
        if (text := said(row.get(name), "assistant")) is not None:
            return text
    messages = row.get(CONVERSATION)
    if not isinstance(messages, list) or not messages or not _is_of(messages[-1], "assistant"):
        return None
    return said(messages[-1:], "assistant")


def said(value: Any, role: str) -> str | None:
    """A text as it is; of a conversation what its users say, or the last that its assistant does."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        return None
    contents = [message.get("content") for message in value if _is_of(message, role)]
    texts = [content for content in contents if isinstance(content, str)]
    if not texts:
        return None
    return "\n".join(texts) if role == "user" else texts[-1]


def _is_of(message: Any, role: str) -> bool:
    own = message.get("role") if isinstance(message, dict) else None
    return own == role or (own is None and role == "user")
