"""The thought of a response: whole, one, closed, and something behind it.

<think>T</think>A     as most write it           T</think>A     as R1's template leaves it
<think>T              never closed               <think>T</think>      nothing behind it
<think></think>A      empty: "reasoning off"     A              no thought; a fault where one is needed
"""

from __future__ import annotations

import re
from typing import Literal

from etalon.data.traces.response import Fault, Response, around
from etalon.types import Domain
from etalon.verifiers.text import answer_line, last_boxed

Thoughts = Literal["any", "whole", "needed"]  # any: may be empty; whole: none, or one with something in it

_TAG = re.compile(r"</?(think|thinking|thought|reasoning)>", re.IGNORECASE)
_OPENING, _CLOSING = tuple("`'\"“‘«"), tuple("`'\"”’»")
_BROKEN = re.compile(
    r"<(?:\s+/?\s*|/\s+|\\/?\s*|/{2,})think(?:ing)?\s*>|</?think(?:ing)?(?:\s+/?|/|\s*\\)>|(?<![<`\"'\w/])/think>"
    r"|</think(?=\s*\n)|\[/think(?:ing)?\]|</?think(?:ing)?>{2,}|<{2,}/?think(?:ing)?>",
    re.IGNORECASE,
)
_SAYS_SOMETHING = re.compile(r"[^\W_]")
_NOTHING = re.compile(r"\W*(?:none|null|n/a|empty)\W*", re.IGNORECASE)
_NUMBER = re.compile(r"\d")


def broken_thought(response: Response, thoughts: Thoughts = "whole") -> Fault | None:
    """What is wrong with the tags, the thought or what stands behind it."""
    text = response.text
    if not _SAYS_SOMETHING.search(text):
        return Fault(kind="empty", detail=repr(text[:80]))
    if (broken := _BROKEN.search(text)) and not response.is_asked(broken[0]):
        return Fault(kind="broken thought", detail=around(text, broken.start()))
    tags, kind = _tags(response)
    if kind:
        return Fault(kind=kind, detail=around(text, tags[-1].start()))
    if not tags:
        is_missing = thoughts == "needed"
        return Fault(kind="no thought", detail=around(text, 0)) if is_missing else None
    start = tags[0].end() if "/" not in tags[0][0] else 0
    inside, behind = text[start : tags[-1].start()], text[tags[-1].end() :]
    if (not _SAYS_SOMETHING.search(inside) or _NOTHING.fullmatch(inside)) and thoughts != "any":
        return Fault(kind="empty thought", detail=around(text, 0))
    if not _SAYS_SOMETHING.search(behind):
        return Fault(kind="nothing after the thought", detail=around(text, max(0, len(text) - 120)))
    return _answer_only_inside(response)


def _tags(response: Response) -> tuple[list[re.Match[str]], str | None]:
    """The tags, and what is wrong with their order. A tag may be a word of a sentence about tags, and is taken as one
    where that makes sense of the others: one in quotes, and one among words where the problem has it.
    """
    tags = list(_TAG.finditer(response.text))
    unquoted = [tag for tag in tags if not _is_quoted(response, tag)]
    plain = [tag for tag in unquoted if not _is_among_words(response, tag)]
    readings = [
        (reading, _order([(tag[1].lower(), "/" not in tag[0]) for tag in reading]))
        for reading in (tags, unquoted, plain)
    ]
    return next((reading for reading in readings if reading[1] is None), readings[0])


def _is_quoted(response: Response, tag: re.Match[str]) -> bool:
    text = response.text
    marks = (tag.start() > 0 and text[tag.start() - 1] in _OPENING, text[tag.end() : tag.end() + 1] in _CLOSING)
    return all(marks) or (any(marks) and response.is_asked(tag[0]))


def _is_among_words(response: Response, tag: re.Match[str]) -> bool:
    text = response.text
    before, after = text[: tag.start()][-1:], text[tag.end() : tag.end() + 1]
    return before in (" ", "(") and after in tuple(" ,.;:)?") and response.is_asked(tag[0])


def _order(tags: list[tuple[str, bool]]) -> str | None:
    """What is wrong with tags in this order: (name, opens). A close without an open is how R1 writes."""
    if len({name for name, _ in tags}) > 1:
        opened = [name for name, opens in tags if opens]
        closed = [name for name, opens in tags if not opens]
        return None if opened == closed and len(opened) == len(tags) // 2 else "broken thought"
    opens = [is_open for _, is_open in tags]
    if opens in ([], [False], [True, False]):
        return None
    if opens[-1] and not any(not one for one in opens):
        return "unclosed thought" if len(opens) == 1 else "broken thought"
    return "two thoughts" if opens.count(False) > 1 or opens.count(True) > 1 else "broken thought"


def _answer_only_inside(response: Response) -> Fault | None:
    """A box in the thought, and a final part that has neither it, nor any number or letter to take for an answer."""
    if response.domain is not Domain.MATH or response.thought is None:
        return None
    boxed, final = last_boxed(response.thought), response.final
    if boxed is None or last_boxed(final) is not None or answer_line(final) or boxed in final:
        return None
    if _NUMBER.search(final) or "$" in final or "\\" in final:
        return None
    return Fault(kind="answer only in the thought", detail=around(final, 0))
