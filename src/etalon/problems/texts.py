"""The prompt and the response of a row, whatever their columns are called, as text or as a conversation.

A response stands in the first of the columns RESPONSES that holds exactly one text: as it is, in a list of one, as a
message, in what an API or an evaluation log keeps of it (choices, completion, content parts); else it is the last
message of a conversation that a model ends. Of several responses in one row none is the one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.problems.endings import Ending, ending_of, reason_in
from etalon.types import Stop

PROMPTS = ("prompt", "question", "problem", "query")
LISTS = ("responses", "completions", "generations", "outputs", "predictions")
RESPONSES = (
    *("response", "completion", "output", "generation", "generated_text", "generated_solution", "output_text"),
    *("model_output", "model_response", "model_answer", "prediction", "pred", "resps", "filtered_resps", *LISTS),
)
CONVERSATIONS = ("messages", "conversations")
TASKS = ("instruction", "input")  # Alpaca's: an order, and what it is about
INSIDE = (  # where the text of an answer stands in an object, the first that is there
    *("completion", "text", "content", "generated_text", "output_text", "message", "choices", "outputs", "output"),
    *("response", "body", "value"),
)
REASONS = ("finish_reason", "stop_reason", "finish_reasons")  # columns that say why a response ended
FAILED_STATUS = 400  # of HTTP, and above
ROLES = {"human": "user", "gpt": "assistant"}  # ShareGPT's
DEEPEST = 8  # (ours) of a text inside other values


def prompt_of(row: Mapping[str, Any]) -> str | None:
    """What a model is asked: the first text among the columns, or what the users of a conversation say."""
    named = (said(row.get(name), "user") for name in (*PROMPTS, *CONVERSATIONS))
    return next((text for text in named if text is not None), task_of(row))


def task_of(row: Mapping[str, Any]) -> str | None:
    """An instruction and the input that it is about, of which one is enough."""
    texts = [text for name in TASKS if (text := said(row.get(name), "user"))]
    return "\n\n".join(texts) if texts else None


def response_of(row: Mapping[str, Any]) -> str | None:
    """What a model answered: text, or the last message of a conversation that a model ends."""
    for name in RESPONSES:
        if name == "outputs" and "inputs" in row:  # those of tests
            continue
        value = row.get(name)
        is_one = name not in ("response", "completion") or not isinstance(value, list)
        if (text := one_text(value) if is_one else said(value, "assistant")) is not None:
            return text
    for name in CONVERSATIONS:
        messages = row.get(name)
        if isinstance(messages, list) and messages and _is_of(messages[-1], "assistant"):
            return said(messages[-1:], "assistant")
    return None


def one_text(value: Any, depth: int = DEEPEST) -> str | None:
    """The only text of an answer as APIs and logs hold it; None where there is none, or more than one."""
    if isinstance(value, str) or not depth:
        return value if isinstance(value, str) else None
    if isinstance(value, list):
        if (text := _joined(value)) is not None or (text := said(value, "assistant")) is not None:
            return text
        return one_text(value[0], depth - 1) if len(value) == 1 else None
    if isinstance(value, dict):
        return next((text for name in INSIDE if (text := one_text(value.get(name), depth - 1)) is not None), None)
    return None


def num_texts(value: Any) -> int:
    """How many responses stand in a value."""
    if one_text(value) is not None:
        return 1
    return sum(map(num_texts, value)) if isinstance(value, list) else 0


def stop_of(row: Mapping[str, Any]) -> Stop:
    """Why the response ended, by the row or by what an API or a log keeps of it; EOS where nothing says."""
    if (stop := _reason(row)) is not None:
        return stop
    if row.get("error") and not response_of(row):  # a call that failed
        return Stop.ERROR
    value: Any = next((row[name] for name in RESPONSES if row.get(name) is not None), None)
    for _ in range(DEEPEST):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict):
            break
        if (stop := _reason(value)) is not None:
            return stop
        if isinstance(value.get("status_code"), int) and value["status_code"] >= FAILED_STATUS:
            return Stop.ERROR
        value = value.get("choices") or value.get("outputs") or value.get("body")
    return Stop.EOS


def _reason(value: Mapping[str, Any]) -> Stop | None:
    for name in REASONS:
        told = value.get(name)
        told = told[0] if isinstance(told, list) and len(told) == 1 else told
        if reason := reason_in(told):
            ending = ending_of(reason)
            return Stop.EOS if ending is Ending.WHOLE else Stop.LENGTH if ending is Ending.CUT else Stop.ERROR
    return None


def said(value: Any, role: str) -> str | None:
    """A text as it is; of a conversation what its users say, or the last that its assistant does."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        return None
    contents = [message.get("content", message.get("value")) for message in value if _is_of(message, role)]
    texts = [text for content in contents if (text := _joined(content)) is not None]
    if not texts:
        return None
    return "\n".join(texts) if role == "user" else texts[-1]


def _joined(content: Any) -> str | None:
    """The content of a message: a text, or the texts of its parts; a part that thinks is none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) and "type" in part for part in content):
        return None
    texts = [part["text"] for part in content if isinstance(part.get("text"), str) and part["type"] != "thinking"]
    return "".join(texts) if texts else None


def _is_of(message: Any, role: str) -> bool:
    own = message.get("role", message.get("from")) if isinstance(message, dict) else None
    own = ROLES.get(own, own) if isinstance(own, str) else own
    return bool(own == role or (own is None and role == "user"))
