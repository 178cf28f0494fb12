"""Why a response ended, in the words of any server: whole, cut by a limit, failed, or withheld by a filter.

Only five reasons are in OpenAI's specification. Others that were seen: MAX_TOKENS, SAFETY (Gemini), max_output_tokens
(the Responses API), model_length (Mistral), model_context_window_exceeded (Anthropic, Z.ai), network_error and
sensitive (Z.ai), insufficient_system_resource (DeepSeek), abort, repetition (vLLM), eos_token, end_turn.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

_LETTERS = re.compile(r"[^a-z]+")
_STILL_OPEN = frozenset(("", "null", "none", "undefined", "inprogress", "finishreasonunspecified"))
_WITHHELD = re.compile(
    r"filter|safety|sensitiv|blocked|blocklist|prohibit|recitation|spii|refus|guardrail|moderat|policy|harm|flagged"
)
_FAILED = re.compile(
    r"error|abort|cancel|fail|timeout|timedout|deadline|overload|insufficient|unavailable|network|interrupt|disconnect"
    r"|preempt|malformed|ratelimit|quota|exception|crash|outofmemory|shutdown|busy|killed|unreachable"
)
_CUT = re.compile(r"max|length|limit|window|truncat|incomplete|exceed|repetition")


class Ending(StrEnum):
    """What a reason comes to. A failure may pass when it is tried again, what a filter withholds stays withheld."""

    WHOLE = "whole"
    CUT = "cut"
    FAILED = "failed"
    WITHHELD = "withheld"


def reason_of(choice: dict[str, Any]) -> str:
    """The reason that a choice gives, as it is written; "" while the response goes on."""
    return reason_in(choice.get("finish_reason"))


def reason_in(value: Any) -> str:
    """The reason that a value says, as it is written; "" for one that says that the response goes on."""
    value = value.get("type") if isinstance(value, dict) else value  # SGLang's own: {"type": "length", "length": 9}
    return value if isinstance(value, str) and _letters(value) not in _STILL_OPEN else ""


def ending_of(reason: str) -> Ending:
    """What a reason means; one that nobody knows is an end like any other."""
    words = _letters(reason)
    for pattern, ending in ((_WITHHELD, Ending.WITHHELD), (_FAILED, Ending.FAILED), (_CUT, Ending.CUT)):
        if pattern.search(words):
            return ending
    return Ending.WHOLE


def _letters(reason: str) -> str:
    return _LETTERS.sub("", reason.lower())
