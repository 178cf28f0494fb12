"""Rows of published sets whose question or reference stands inside another column: `arranged` brings them out.

    messages: [{role: user, content, info: {reference_answer, test_case, source}}, ...]        AM-DeepSeek-R1-Distilled
    conversations: [{from: human, value}, {from: assistant, ground_truth: {value, pass_at_n}}]  ORZ
    verification_info, metadata: an object as JSON text, or as a Python literal                SYNTHETIC-1 and -2, s1K
    reward_model, extra_info: an object as zlib-compressed JSON                                 guru

A row is told by its columns, never by the name of its file; a column that has a value already keeps it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from etalon.problems import syntax
from etalon.problems.golds import is_sentinel
from etalon.problems.texts import CONVERSATIONS
from etalon.rows.packed import inflated

Row = Mapping[str, Any]

INFO = {"answer": "reference_answer", "tests": "test_case", "source": "source"}  # our columns, AM's
LITERALS = ("verification_info", "metadata")
PACKED = ("reward_model", "extra_info")
_ZLIB = ("eJ", "eN", "eA")  # how base64 of a zlib stream begins
_RAW_ZLIB = ("x\x9c", "x\xda", "x\x01", "x^")


def arranged(row: Row) -> Row:
    """The row with what stands inside other columns in columns of its own."""
    found: dict[str, Any] = {}
    for name in LITERALS:
        if isinstance(value := row.get(name), str) and (read := literal(value)) is not None:
            found[name] = read
    for name in PACKED:
        if isinstance(value := row.get(name), str) and (text := unzipped(value)) and (read := _object(text)):
            found[name] = read
    for name in CONVERSATIONS:
        if isinstance(messages := row.get(name), list):
            found |= {key: value for key, value in _of_messages(messages).items() if row.get(key) is None}
    return {**row, **found} if found else row


def literal(text: str) -> dict[str, Any] | None:
    """The object that a text writes as a Python literal; None for anything else. Nothing is executed."""
    value = syntax.literal(text) if text.lstrip().startswith("{") else None
    return value if isinstance(value, dict) else None


def unzipped(text: str) -> str | None:
    """The text in a zlib stream that is written as base64, or byte for byte as characters; None where it is none."""
    if not text.startswith((*_ZLIB, *_RAW_ZLIB)):
        return None
    try:
        packed = base64.b64decode(text, validate=True) if text.startswith(_ZLIB) else text.encode("latin-1")
        return inflated(packed)
    except (ValueError, binascii.Error, UnicodeEncodeError):
        return None


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _of_messages(messages: list[Any]) -> dict[str, Any]:
    """The reference that stands in a message."""
    found: dict[str, Any] = {}
    for message in messages:
        if not isinstance(message, dict):
            return {}
        truth = message.get("ground_truth")
        if isinstance(truth, dict):
            found |= {"answer": truth.get("value"), "pass_at_n": truth.get("pass_at_n")}
        elif truth is not None:
            found["answer"] = truth
        if isinstance(info := message.get("info"), dict):
            told = {field: info.get(name) for field, name in INFO.items()}
            found = {field: value for field, value in told.items() if value and not is_sentinel(value)} | found
    return {name: value for name, value in found.items() if value is not None}
