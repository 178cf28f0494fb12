"""A response as the checks look at it: its thought, its final part, and what is known of its problem."""

from __future__ import annotations

import re
from dataclasses import dataclass

from etalon.types import Domain
from etalon.verifiers.text import final_part

OPEN, CLOSE = "<think>", "</think>"
SHOWN = 160  # characters of a passage that shows a fault
_FENCED = r"```[^`]*```|`[^`\n]{1,200}`"
_FENCES = re.compile(_FENCED)
_CODE = re.compile(_FENCED + r"|\[asy\][^\[]*(?:\[(?!/asy\])[^\[]*)*\[/asy\]")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with a response. kind: as it is counted. detail: the passage that shows it."""

    kind: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Response:
    """text: all of it. thought: None where none was opened or closed. final: what stands after it, or all.

    prompt, answer: "" and None where nobody knows. is_complete: False where it was cut, True where it ended by itself.
    """

    text: str
    thought: str | None
    final: str
    prompt: str = ""
    answer: str | None = None
    domain: Domain | None = None
    is_complete: bool | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The thought and the final part: a final part may repeat what the thought said."""
        return tuple(part for part in (self.thought, self.final) if part)

    def is_asked(self, passage: str) -> bool:
        """Whether the problem itself is about the passage: it stands in the prompt."""
        return passage.casefold() in self.prompt.casefold()


def thought_of(text: str) -> str | None:
    """What stands before the last `</think>`, or after a `<think>` never closed; None without any of them."""
    end, start = text.rfind(CLOSE), text.find(OPEN)
    if end < 0:
        return text[start + len(OPEN) :] if start >= 0 else None
    return text[start + len(OPEN) if 0 <= start < end else 0 : end]


def response_of(
    text: str,
    *,
    prompt: str = "",
    answer: str | None = None,
    domain: Domain | None = None,
    is_complete: bool | None = None,
) -> Response:
    """The parts of a text."""
    return Response(
        text=text,
        thought=thought_of(text),
        final=final_part(text),
        prompt=prompt,
        answer=answer,
        domain=domain,
        is_complete=is_complete,
    )


def around(text: str, start: int, end: int | None = None) -> str:
    """The passage of a text from start to end with a little of what stands before it, in one line."""
    low = max(0, start - SHOWN // 4)
    return " ".join(text[low : max(low + SHOWN, min(end or 0, low + 2 * SHOWN))].split())[: 2 * SHOWN]


def without_code(text: str) -> str:
    """The text with closed fences, inline code and drawings blanked out; every place stays where it was."""
    return _CODE.sub(lambda code: " " * len(code[0]), text)


def without_fences(text: str) -> str:
    """The same with drawings left: a sentence in one is no code."""
    return _FENCES.sub(lambda code: " " * len(code[0]), text)
