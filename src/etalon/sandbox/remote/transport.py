"""JSON over HTTP to a sandbox service: kept connections, and another attempt after a failure."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from etalon.errors import ConfigError
from etalon.redact import Redactor

PATH = "/run_code"
MOST_PAUSE_SECONDS = 10.0  # (ours) however long the service asks to wait
MOST_REPLY_BYTES = 1 << 28  # (ours)
BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504})  # worth another attempt


class TransportError(Exception):
    """The service did not answer as it should; the text says how, for the verdict's reason."""


class Transport:
    """The address of a service. attempts: per request, the first included; the pause doubles after every one."""

    def __init__(self, url: str, *, key: str, attempts: int, pause_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"sandbox.url: found {url!r}, expected http://HOST:PORT or https://HOST")
        self._parts, self._attempts, self._pause_seconds = parts, max(1, attempts), pause_seconds
        self._path = parts.path.rstrip("/").removesuffix(PATH) + PATH
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self._redact = Redactor(key)
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def post(self, body: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        """The JSON object that the service answers; raises TransportError after the last attempt."""
        content = json.dumps(body).encode()
        failure, wait = "", 0.0
        for attempt in range(self._attempts):
            if attempt:
                time.sleep(min(MOST_PAUSE_SECONDS, max(wait, self._pause_seconds * 2**attempt * random.random())))
            wait = 0.0
            try:
                status, headers, text = self._send(content, seconds)
            except (OSError, http.client.HTTPException) as error:
                failure = self._redact.text(f"{self._parts.netloc}: {type(error).__name__}: {error}")
                continue
            if status == 200:
                reply = _object(text)
                if reply is not None and reply.get("status") != "SandboxError":
                    return reply
                failure = f"{self._parts.netloc}: " + (
                    str(reply.get("message"))[:200] if reply else f"no JSON object: {text[:80]!r}"
                )
                continue
            failure = f"{self._parts.netloc}: HTTP {status} {text[:200].decode('utf-8', 'replace')}"
            if status not in BUSY:
                break
            wait = _seconds(headers.get("Retry-After"))
        raise TransportError(failure)

    def failure(self, body: dict[str, Any], *, seconds: float) -> str:
        """Why the service cannot be used, from a single attempt; "" if it answers, be it that it is busy."""
        try:
            status, _, text = self._send(json.dumps(body).encode(), seconds)
        except (OSError, http.client.HTTPException) as error:
            return f"no answer ({type(error).__name__}: {error})"
        if status == 200:
            return "" if _object(text) is not None else f"no sandbox: it answered {text[:80]!r}"
        return "" if status in BUSY - {500, 502, 504} else f"HTTP {status} {text[:200].decode('utf-8', 'replace')}"

    def _send(self, content: bytes, seconds: float) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self._take()
        try:
            connection.timeout = seconds
            if connection.sock is not None:
                connection.sock.settimeout(seconds)
            connection.request("POST", self._path, content, self._headers)
            response = connection.getresponse()
            text = response.read(MOST_REPLY_BYTES + 1)
            if len(text) > MOST_REPLY_BYTES:
                raise OSError("the reply is too large")
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._is_closed:
                self._idle.append(connection)
                return response.status, response.headers, self._redact(text)
        connection.close()
        return response.status, response.headers, self._redact(text)

    def _take(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        assert self._parts.hostname
        return kind(self._parts.hostname, self._parts.port)

    def close(self) -> None:
        """Close the connections, those in use as soon as they are not."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return reply if isinstance(reply, dict) else None


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0
