"""Conversations in a chat template, also one that knows no system message or wants content in parts.

    as it is -> system text before the first question -> content as parts -> both        the first that shows every text

A template that leaves a text out without a word would have a model answer nothing, or train on it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from typing import Any

from jinja2 import TemplateError

from etalon.errors import InputError

LOG = logging.getLogger("etalon.model")
Messages = list[dict[str, Any]]
FOLDED = "its chat template shows no system message; that text begins the first question"


class RefusedError(Exception):
    """No way to write the conversation in the template; the message says why."""


def render(tokenizer: Any, messages: Messages, *, name: str) -> str:
    """The text of the prompt, up to where the assistant's response starts; RefusedError.

    name: of the model, in what is said once to the log.
    """
    refusal = ""
    for told, written in _ways(messages):
        try:
            text = _apply(tokenizer, written)
            left_out = _left_out(tokenizer, written, text)
        except (TemplateError, TypeError) as error:
            refusal = refusal or str(error)
            continue
        if not left_out:
            if told:
                _tell(name, told)
            return text
        refusal = refusal or f"it leaves out the text of the {left_out} message"
    raise RefusedError(refusal)


def _ways(messages: Messages) -> Iterator[tuple[str, Messages]]:
    """The conversation in every way that a template may want it, and what is told of that way."""
    yield "", messages
    has_system = any(message["role"] == "system" for message in messages)
    if has_system:
        yield FOLDED, folded(messages)
    yield "", _in_parts(messages)
    if has_system:
        yield FOLDED, _in_parts(folded(messages))


def folded(messages: Messages) -> Messages:
    """The same words without a system message: its text begins the first message of the user."""
    system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
    others = [dict(message) for message in messages if message["role"] != "system"]
    first = next((message for message in others if message["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": system}, *others]
    first["content"] = f"{system}\n\n{first['content']}"
    return others


def _in_parts(messages: Messages) -> Messages:
    return [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in messages]


def _apply(tokenizer: Any, messages: Messages) -> str:
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return text


def _left_out(tokenizer: Any, messages: Messages, text: str) -> str:
    """The role whose text the prompt does not show, of the system and the last question; "" if none is missing."""
    last = {message["role"]: place for place, message in enumerate(messages)}
    for role, place in ((role, last[role]) for role in ("user", "system") if role in last):
        content = _text(messages[place])
        if content.strip() in text:
            continue
        other = [*messages]
        other[place] = _with_text(messages[place], "Another.")
        if _apply(tokenizer, other) == text:
            return role
    return ""


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else str(content[0]["text"])


def _with_text(message: dict[str, Any], text: str) -> dict[str, Any]:
    is_plain = isinstance(message["content"], str)
    return {**message, "content": text if is_plain else [{"type": "text", "text": text}]}


@cache
def _tell(name: str, what: str) -> None:
    LOG.warning("%s: %s", name, what)


def settle(tokenizer: Any, *, name: str) -> None:
    """Make a template the default where a tokenizer has several by name; InputError where nothing says which."""
    templates = tokenizer.chat_template
    if not isinstance(templates, dict) or "default" in templates:
        return
    if len(templates) != 1:
        raise InputError(
            f"{name}: its tokenizer has chat templates named {', '.join(sorted(templates)) or 'nothing'} and none is "
            'the default; name the one to use "default" in its tokenizer_config.json'
        )
    [(only, tokenizer.chat_template)] = templates.items()
    _tell(name, f"its only chat template, {only!r}, is used for every conversation")
