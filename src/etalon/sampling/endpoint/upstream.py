"""Where an endpoint is and how it is used. The API key itself is read from the environment, at each connection."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from etalon.errors import ConfigError
from etalon.redact import Redactor

KEY_VARIABLE = "ETALON_API_KEY"  # environment variable of the upstream's key
CHAT = "/chat/completions"


@dataclass(frozen=True, kw_only=True)
class EndpointSettings:
    """How to reach a model. Numbers are (ours).

    urls: bases that end in /v1, all serving `model`; requests go to the least loaded.
    concurrency: requests at the same time per URL.
    deadline_seconds: of one request with all its retries, counted from its first free slot.
    retries: further attempts after a failure that may pass.
    extra: further body fields, sent as they are ({"top_k": 20}); they win over ours.
    stop_loops: cut a response that repeats one block for ever; it counts as truncated.
    """

    urls: tuple[str, ...]
    model: str
    concurrency: int = 32
    connect_seconds: float = 10.0
    deadline_seconds: float = 3600.0
    retries: int = 5
    extra: Mapping[str, Any] = field(default_factory=dict)
    stop_loops: bool = True
    key_variable: str = KEY_VARIABLE

    def __post_init__(self) -> None:
        object.__setattr__(self, "urls", read_urls(self.urls))
        if self.concurrency < 1:
            raise ConfigError(f"concurrency: {self.concurrency}; at least 1 request at a time is needed")
        if self.retries < 0:
            raise ConfigError(f"retries: {self.retries}; use 0 or more")
        if self.deadline_seconds <= 0:
            raise ConfigError(f"deadline_seconds: {self.deadline_seconds}; use a time above 0")

    def headers(self) -> dict[str, str]:
        """Headers of every request; the key is taken from the environment now and kept nowhere else."""
        key = self._key()
        return {"authorization": f"Bearer {key}"} if key else {}

    def redactor(self) -> Redactor:
        """What takes the key out of a server's words."""
        return Redactor(self._key())

    def _key(self) -> str:
        return os.environ.get(self.key_variable, "").strip()


def read_urls(urls: Sequence[str]) -> tuple[str, ...]:
    """Base URLs that end in the API's folder, duplicates removed. ConfigError for what is not an HTTP URL."""
    found = tuple(dict.fromkeys(_read_url(part) for url in urls for part in url.split(",") if part.strip()))
    if not found:
        raise ConfigError("no endpoint URL; name one such as http://localhost:8000/v1")
    return found


def _read_url(url: str) -> str:
    """`http://host:8000` and `http://host:8000/v1/chat/completions` both mean `http://host:8000/v1`."""
    text = url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{_without_user(url)!r}: not an HTTP URL; write it like http://localhost:8000/v1")
    if parts.username or parts.password:
        raise ConfigError(f"{parts.scheme}://...@{host}: holds credentials; put the key into {KEY_VARIABLE} instead")
    if parts.query or parts.fragment:
        raise ConfigError(f"{text.split('?')[0]}: has a query or a fragment; name the folder of the API only")
    path = parts.path.removesuffix(CHAT).rstrip("/") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _without_user(url: str) -> str:
    return url.rpartition("@")[2]


def is_loopback(url: str) -> bool:
    """Whether a URL stays on this machine: then no proxy of the environment stands between."""
    return (urlsplit(url).hostname or "") in ("localhost", "127.0.0.1", "::1")
