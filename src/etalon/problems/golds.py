r"""What a reference asks for: data sets keep whole solutions in their answer column, and tables write nan for nothing.

    "... #### 18" -> "18"    "The answer is 5." -> "5"    r"so \boxed{7}" -> "7"    "nan" -> None

Compared as they are, such references would call every response wrong.

A reference of which any entry counts is the JSON list of its entries, two or more texts: '["1/2", "50\\%"]'.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence

MAX_ANSWER_CHARS = 4096  # (ours) a longer "answer" is not one, and would only feed the parser
MAX_ENDING = 1 << 20  # (ours) characters of a text in whose end the last "the answer is" is looked for
MAX_BOX_ATTEMPTS = 16  # (ours) a degenerate response can hold thousands of unclosed boxes
MARK = "####"  # GSM8K's

_BOXES = ("\\boxed", "\\fbox")
_BARE = re.compile(
    r"[ \t]*([-+]?\d+(?:\.\d+)?|[A-Za-z](?![A-Za-z]))(?=[\s$.,;)\\]|$)"
)  # what TeX takes without braces, and numbers
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
MAX_SENTINEL = 64  # characters
# what tables write for "there is no answer", in lower case
SENTINELS = frozenset(
    {"", "proof", "notfound", "not found", "not_found", "n/a", "none", "null", "nan", "<na>", "no answer", "[]", "{}"}
)
_MISSING = frozenset({"nan", "NaN", "NAN", "null", "NULL", "N/A", "n/a", "<NA>"})
_PHRASE = re.compile(
    r"(?:^|(?<=[.!?;\n])|\b(?:so|thus|hence|therefore),?)[\s*_>$-]{0,8}"
    r"(?:the |our |my )?(?:final |correct |right )?(?:answer|solution)[ \t]{0,4}[*_]{0,3}"
    r"(?:[ \t]{0,4}(?:is\b|[:：=])){1,2}[ \t]{0,4}[*_]{0,3}(?P<answer>[^\n]*)",
    re.IGNORECASE,
)


def last_boxed(text: str) -> str | None:
    r"""The content of the last balanced `\boxed{...}` or `\fbox{...}` of at most 4 KB, or of `\boxed 5`; or None."""
    position, boxes = len(text), _BOXES if _BOXES[1] in text else _BOXES[:1]
    for _ in range(MAX_BOX_ATTEMPTS):
        position, box = max((text.rfind(box, 0, position), box) for box in boxes)
        if position < 0:
            return None
        content = _braced(text, position + len(box))
        if content is None and (bare := _BARE.match(text, position + len(box))):
            content = bare[1]
        if content is not None:
            return content.strip()
    return None


def _braced(text: str, start: int) -> str | None:
    """The content of the brace group that opens at `start` (blanks before it allowed); None if it never closes."""
    limit = min(len(text), start + MAX_ANSWER_CHARS + 2)
    while start < limit and text[start] in " \t\n":
        start += 1
    if start >= limit or text[start] != "{":
        return None
    depth = 0
    for brace in _BRACES.finditer(text, start, limit):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[start + 1 : brace.start()]
    return None


def is_sentinel(value: object) -> bool:
    """Whether a value is text that says that there is no answer."""
    if not isinstance(value, str) or (len(value) > MAX_SENTINEL and not value.isspace()):
        return False
    return value.strip().lower() in SENTINELS


def any_of(answers: Sequence[str]) -> str:
    """The reference of which any of the answers counts; of one answer, that answer."""
    distinct = list(dict.fromkeys(answers))
    return distinct[0] if len(distinct) == 1 else json.dumps(distinct, ensure_ascii=False)


def alternatives(reference: str) -> tuple[str, ...]:
    """The answers of which any counts; the reference itself where it names one. Never empty."""
    if reference.lstrip().startswith('["'):
        try:
            listed = json.loads(reference)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list) and all(isinstance(one, str) for one in listed):
            return tuple(listed)
    return (reference,)


@functools.lru_cache(maxsize=20_000)
def final_reference(reference: str) -> str | None:
    """What a reference asks for, or None when it asks for nothing; a plain answer comes back as it is."""
    answer = reference.strip()
    if MARK in answer:
        answer = answer.rpartition(MARK)[2].strip()
    boxed = last_boxed(answer)
    if boxed and answer.count("\\boxed") == 1 and any(c.isalpha() for c in answer.partition("\\boxed")[0]):
        answer = boxed
    elif phrases := list(_PHRASE.finditer(answer, max(0, len(answer) - MAX_ENDING))):
        answer = phrases[-1]["answer"].strip(" \t*_")
    return None if answer in _MISSING or not any(not c.isspace() for c in answer) else answer
