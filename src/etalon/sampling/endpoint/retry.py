"""Which failures are tried again and after how long: exponential back-off with jitter, and never before Retry-After."""

from __future__ import annotations

import email.utils
import json
import random
import time
from collections.abc import Mapping
from typing import Any

BASE_SECONDS = 0.5  # (ours)
MAX_SECONDS = 30.0  # (ours) of our own back-off; a server may ask for more
RETRIED = frozenset((408, 409, 425, 429))
MAX_MESSAGE = 600  # (ours) characters of a server's words that are shown


class UpstreamError(Exception):
    """A request that failed. The message says what the server did, and never holds a header.

    may_pass: trying again may help. calls: attempts in which the model had begun to answer, so that they cost.
    retry_after: seconds the server asked us to wait. status: of HTTP, when there was an answer.
    """

    def __init__(
        self,
        message: str,
        *,
        may_pass: bool,
        calls: int = 0,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.may_pass = may_pass
        self.calls = calls
        self.retry_after = retry_after
        self.status = status


def from_status(status: int, headers: Mapping[str, str], content: bytes) -> UpstreamError:
    """The error of an HTTP answer that is not a success."""
    return UpstreamError(
        f"HTTP {status}: {error_message(content)}",
        may_pass=status in RETRIED or status >= 500,
        retry_after=read_retry_after(headers),
        status=status,
    )


def error_in(chunk: Mapping[str, Any]) -> Any:
    """The error that a chunk, or a body with a status of success, holds in place of an answer; None without one."""
    if chunk.get("error"):
        return chunk["error"]
    if "error" in (chunk.get("object"), chunk.get("type")):
        return chunk
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("error") if isinstance(first, dict) else None


def from_error_object(error: Any) -> UpstreamError:
    """The error of an event in a stream: {"message", "type", "code"}, or any other JSON value."""
    fields = error if isinstance(error, dict) else {}
    code = fields.get("code")
    status = code if isinstance(code, int) and not isinstance(code, bool) else None
    message = str(fields.get("message") or fields.get("detail") or error)[:MAX_MESSAGE]
    is_refusal = status is not None and 400 <= status < 500 and status not in RETRIED
    return UpstreamError(f"sent an error: {message}", may_pass=not is_refusal, calls=1, status=status)


def error_message(content: bytes) -> str:
    """The words of an error body: OpenAI's shape, FastAPI's, or the start of whatever it is."""
    text = content[: 4 * MAX_MESSAGE].decode(errors="replace").strip()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return " ".join(text.split())[:MAX_MESSAGE] or "no explanation"
    value = value[0] if isinstance(value, list) and value else value  # Gemini: [{"error": ...}]
    if isinstance(value, dict):
        error = value.get("error", value)
        value = (error.get("message") or error.get("detail") or error) if isinstance(error, dict) else error
    return " ".join((value if isinstance(value, str) else json.dumps(value)).split())[:MAX_MESSAGE]


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, of `retry-after-ms` or `Retry-After` (a number or a date); None when absent or unreadable."""
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    for text, unit in ((milliseconds, 1000.0), (value, 1.0)):
        try:
            seconds = float(text) / unit if text else -1.0
        except ValueError:
            continue
        if 0.0 <= seconds < 1e9:
            return seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time()) if value else None
    except (ValueError, TypeError, OverflowError):
        return None


def delay(attempt: int, retry_after: float | None, rng: random.Random) -> float:
    """Seconds before the attempt after number `attempt` (from 0): half fixed, half by chance."""
    backoff = min(MAX_SECONDS, BASE_SECONDS * 2.0**attempt) * (0.5 + 0.5 * rng.random())
    return backoff if retry_after is None else max(backoff, retry_after + 0.25 * BASE_SECONDS * rng.random())
