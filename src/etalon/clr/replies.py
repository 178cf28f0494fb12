"""Replies that are not quite in the form that was asked for: JSON, a heading instead of a block, verdicts in prose.

Every reader returns what it can read for sure and nothing else: an ambiguous verdict is None, not a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from etalon.verifiers.claims import parse_verdicts
from etalon.verifiers.text import final_part

MAX_JSON_CHARS = 2**18  # (ours) a longer reply is no list of claims

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)
# in JSON a model writes \frac where \\frac is meant, and \f is a form feed; a real line break is \n without a command
_BACKSLASH = re.compile(r'\\(\\|"|/|u[0-9a-fA-F]{4}|n(?!(?:abla|e|eq|ot|u|mid|i|leq|geq|earrow|ewline)\b))|\\')
_NUMBERED = re.compile(r"^\W*(?:claim|verdict)?\W*(\d{1,3})\W*[.):\-–—](.*)$", re.IGNORECASE)
_WORD = re.compile(r"\b(not\s+|isn't\s+)?(valid|true|correct|refuted|false|invalid|incorrect|wrong)\b", re.IGNORECASE)
_POSITIVE = frozenset({"valid", "true", "correct"})
_VERDICTS = re.compile(r"<\s*verdicts\s*>", re.IGNORECASE)


def json_reply(final: str, key: str) -> Mapping[str, Any] | None:
    """The object with `key` that a final part consists of, or that its last such fenced block holds."""
    for text in [final, *reversed(_FENCE.findall(final))] if len(final) <= MAX_JSON_CHARS else []:
        value = _json(text)
        if isinstance(value, dict) and key in value:
            return value
    return None


def json_claims(text: str) -> tuple[str, ...]:
    """The claims in a JSON list of texts, or of objects with a text; empty for anything else."""
    return claim_texts(_json(text)) if text.lstrip()[:1] == "[" else ()


def claim_texts(value: object) -> tuple[str, ...]:
    """The claims in the value of a JSON list."""
    rows = value if isinstance(value, list) else []
    texts = [row.get("claim", row.get("text")) if isinstance(row, dict) else row for row in rows]
    return tuple(text.strip() for text in texts if isinstance(text, str) and text.strip())


def read_verdicts(text: str, count: int) -> list[bool | None]:
    """One verdict per claim; None where none can be read.

    As `parse_verdicts` reads them; what that leaves open is looked for in JSON, then in lines that begin with the
    number of a claim and hold one verdict word (a reason may follow it).
    """
    strict = parse_verdicts(text, count)
    if None not in strict:
        return strict
    final = final_part(text)
    reply = json_reply(final, "verdicts")
    loose = _listed(reply["verdicts"], count) if reply else _numbered(final, count)
    return [ours if ours is not None else other for ours, other in zip(strict, loose, strict=True)]


def _listed(value: object, count: int) -> list[bool | None]:
    rows: Sequence[object] = value if isinstance(value, list) and len(value) == count else [None] * count
    words = [row.get("verdict") if isinstance(row, dict) else row for row in rows]
    return [bool(word) if word in (0, 1) else _polarity(word) if isinstance(word, str) else None for word in words]


def _numbered(final: str, count: int) -> list[bool | None]:
    """The last line of each number decides."""
    found: list[bool | None] = [None] * count
    for line in _VERDICTS.split(final)[-1].splitlines():
        match = _NUMBERED.match(line[:2000])
        if match and 1 <= int(match[1]) <= count:
            found[int(match[1]) - 1] = _polarity(match[2])
    return found


def _polarity(words: str) -> bool | None:
    """What the verdict words of a line agree on; None when there is none or they disagree."""
    said = {(match[2].lower() in _POSITIVE) != bool(match[1]) for match in _WORD.finditer(words)}
    return said.pop() if len(said) == 1 else None


def _json(text: str) -> Any:
    try:
        return json.loads(_BACKSLASH.sub(lambda match: match[0] if match[1] else "\\\\", text.strip()))
    except (ValueError, RecursionError):
        return None
