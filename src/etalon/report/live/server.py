"""The report of a run on 127.0.0.1, for this machine alone.

GET /        the page as of the last change; its script asks /state and loads the page again when that has another etag
GET /state   {"etag": ..., "lines": [[name, words], ...]}

A page is built when somebody asks, in a thread of the pool, at most every PACE_SECONDS and never twice at once.
Requests that name another host (a foreign site whose name was pointed at this machine) are refused.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from etalon.errors import ConfigError, EtalonError
from etalon.report import LIVE
from etalon.report import page as report_page
from etalon.report.html import Html, document, join, tag
from etalon.report.live.now import Line, fingerprint, has_begun, lines
from etalon.report.load import load_run
from etalon.store import to_json

HOST, PORT = "127.0.0.1", 8790
MOST_PORTS = 20  # (ours) tried from PORT on
PACE_SECONDS = 3.0  # (ours) between two builds at least, and four times as long as the last took
GRACE_SECONDS = 2
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@dataclass(frozen=True, kw_only=True)
class Built:
    """A page, and the state of the files it shows."""

    etag: str
    content: str


class Follower:
    """The newest page of a run; safe to ask from several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._built: Built | None = None
        self._due = 0.0

    def page(self) -> Built:
        """As of now, or as of the last build where that was a moment ago or another is under way."""
        if self._lock.acquire(blocking=self._built is None):
            try:
                if self._built is None or time.monotonic() >= self._due:
                    self._build()
            finally:
                self._lock.release()
        assert self._built is not None
        return self._built

    def now(self) -> list[Line]:
        return lines(self._directory, fingerprint(self._directory)[1])

    def _build(self) -> None:
        started = time.monotonic()
        etag, newest = fingerprint(self._directory)
        if self._built is None or etag != self._built.etag:
            self._built = Built(etag=etag, content=page(self._directory, etag, lines(self._directory, newest)))
        took = time.monotonic() - started
        self._due = time.monotonic() + max(PACE_SECONDS, 4 * took)


def page(directory: Path, etag: str, now: list[Line]) -> str:
    """The report of a run under what it does now; what cannot be shown yet is said."""
    panel = _panel(etag, now)
    if has_begun(directory):
        try:
            return report_page(load_run(directory), directory, live=panel)
        except (EtalonError, OSError) as error:
            panel = join([panel, tag("p", f"Its report cannot be shown now: {error}", class_="note")])
    name = directory.resolve().name
    body = tag("body", tag("header", tag("h1", name)), panel)
    return document(f"{name}: Etalon report", body, scripts=(LIVE,), asks=True)


def _panel(etag: str, now: list[Line]) -> Html:
    rows = [tag("div", tag("dt", name), tag("dd", words)) for name, words in now]
    return tag("section", tag("dl", *rows), tag("p", class_="note"), id_="live", data_etag=etag)


def create_app(directory: Path) -> Starlette:
    """The two routes over one run."""
    follower = Follower(directory)

    def show(request: Request) -> Response:
        built = follower.page()
        headers = {**HEADERS, "etag": f'"{built.etag}"'}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(built.content.encode(errors="replace"), headers=headers)

    def state(_: Request) -> Response:
        told = to_json({"etag": follower.page().etag, "lines": follower.now()})
        return Response(told, headers=HEADERS, media_type="application/json")

    return Starlette(
        routes=[Route("/", show, methods=["GET"]), Route("/state", state, methods=["GET"])],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
    )


def follow(directory: Path, port: int | None, *, announce: Callable[[str], None]) -> None:
    """Serve the report of a run until interrupted. announce: called with its address once it listens.

    port: 0 takes any; None takes PORT, or the next one that is free. ConfigError where it cannot be had.
    """
    listener = listen(port)
    announce(f"http://{HOST}:{listener.getsockname()[1]}/")
    config = uvicorn.Config(
        create_app(directory), log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        lifespan="off", ws="none", timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()


def listen(port: int | None) -> socket.socket:
    """A listening socket of this machine alone."""
    wanted = range(PORT, PORT + MOST_PORTS) if port is None else (port,)
    reason = ""
    for one in wanted:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, one))
            listener.listen()
        except OSError as error:
            listener.close()
            reason = (error.strerror or str(error)).lower()
            continue
        return listener
    raise ConfigError(f"--port {wanted[0]}: {reason}; name another port, or 0 for any free one")
