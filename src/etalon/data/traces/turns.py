"""More than one turn in one response: it goes on as the user, plays both sides, or begins with somebody's prompt.

What the problem brings or asks for passes: a dialogue, a chat program, its own "Q:" and "A:". Code passes, too.
"""

from __future__ import annotations

import re

from etalon.data.traces.response import Fault, Response, around, without_code
from etalon.verifiers.conventions import after_hash, in_sentence
from etalon.verifiers.text import extract_answer

_MARKS = r"(?:^|\n)[ \t]*(?:\*\*|#{1,4} ?|[<\[(])?"
_ENDS = r"(?:\*\*)?(?:[:>\])]|：)(?:\*\*)?[ \t]*"
_USER = re.compile(rf"{_MARKS}(?:user|human|instruction|prompter){_ENDS}\S?|\n(?:user|human)[ \t]*\n", re.IGNORECASE)
_MODEL = re.compile(
    rf"{_MARKS}(?:assistant|ai|bot|gpt|model|response){_ENDS}|\n(?:assistant|model)[ \t]*\n", re.IGNORECASE
)
_QUESTION = re.compile(
    rf"{_MARKS}(?:(?:next |new |another )?(?:question|problem|exercise)|Q)(?: ?\d+)?{_ENDS}(?P<asked>\S.{{9,}})",
    re.IGNORECASE,
)
_REPLY = re.compile(rf"{_MARKS}(?:answer|solution|A)(?: ?\d+)?{_ENDS}\S", re.IGNORECASE)
_ASKED_FOR = re.compile(
    r"\b(?:dialog\w*|conversation\w*|chat\w*|transcript|interview|script|scene|skit|role\w*|users?|humans?|assistants?"
    r"|customer|bots?|robots?|turns?|prompts?|instruct\w*|quiz|flash ?cards?|faq|q ?& ?a|Q:|questions|problems"
    r"|exercises)\b",
    re.IGNORECASE,
)
_PROMPTS = re.compile(
    r"A chat between a curious (?:user|human)|Below is an instruction that describes a task"
    r"|(?:^|\n)[ \t]*(?:(?:system|user|human)\W{1,4})?You are (?:an? (?:helpful|honest|AI|expert)\b[^.\n]{0,60}"
    r"\bassistant|Qwen|ChatGPT|Claude|DeepSeek|Llama)\b"
    r"|\{%-? (?:for|if) \w+|\{\{ ?(?:prompt|messages?|instruction|question|input|bos_token) ?\}\}"
    r"|(?:^|\n)[ \t]*(?:Please )?(?:reason|think) step by step, and put your final answer within \\boxed\{\}",
)


def other_turns(response: Response) -> Fault | None:
    """A turn of the user in a response, a second question behind the answer, or a pasted prompt."""
    final = without_code(response.final)
    if (pasted := _PROMPTS.search(final)) and not response.is_asked(pasted[0].strip()):
        return Fault(kind="pasted prompt", detail=around(response.final, pasted.start(), pasted.start() + 160))
    if _ASKED_FOR.search(response.prompt):
        return None
    user = _USER.search(final)
    if user is None and (said := _USER.search(response.thought or "")):
        user = said if _MODEL.search(response.thought or "", said.end()) else None
        final = response.thought or ""
    if user is not None:
        return Fault(kind="two roles", detail=around(final, user.start(), user.start() + 160))
    return _next_question(response, final)


def _next_question(response: Response, final: str) -> Fault | None:
    """A question that the prompt does not have, and its answer, behind the answer of this one."""
    for found in _QUESTION.finditer(final):
        before = final[: found.start()]
        if response.is_asked(found["asked"][:40]) or not _REPLY.search(final, found.end()):
            continue
        if any(say(before) is not None for say in (extract_answer, after_hash, in_sentence)):
            return Fault(kind="two roles", detail=around(final, found.start(), found.start() + 160))
    return None
