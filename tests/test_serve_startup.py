"""What `etalon serve` says when it starts: the names to ask for, and what is wrong with the upstream by now."""

from __future__ import annotations

import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from etalon.cli import app
from etalon.sampling.endpoint import EndpointSettings
from etalon.serve.server import look
from test_cli import MAIN
from upstream import Reply, Upstream, dead_port, serving

pytestmark = pytest.mark.live


def settings(*urls: str, model: str = "") -> EndpointSettings:
    return EndpointSettings(urls=urls, model=model)


def answers(status: int, body: bytes) -> Callable[..., Any]:
    """An application that answers every request alike."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": body})

    return application


def test_a_model_that_is_known_is_announced_by_name() -> None:
    with Upstream(lambda asked: Reply(content="x"), models=("tiny",)) as upstream:
        seen = look(settings(upstream.url))
        assert (seen.names, seen.warnings) == ("clr-tiny", ())
        seen = look(settings(upstream.url, model="large"))
        assert seen.names == "clr-large"
        assert seen.warnings == (f"{upstream.url} serves no model 'large'; it lists tiny",)


def test_several_models_are_a_warning_unless_one_is_named() -> None:
    with Upstream(lambda asked: Reply(content="x"), models=("a", "b", "c", "d", "e")) as upstream:
        seen = look(settings(upstream.url))
        assert seen.names == "clr-a, clr-b, clr-c, clr-d, ..."
        assert seen.warnings == (
            "several models are served (a, b, c, d, ...); --model NAME sets the one of requests without",
        )
        assert look(settings(upstream.url, model="b")).warnings == ()


def test_what_is_wrong_with_an_upstream_is_a_line_and_the_others_count() -> None:
    with dead_port() as dead, Upstream(lambda asked: Reply(content="x"), models=("tiny",)) as upstream:
        seen = look(settings(dead, upstream.url))
        assert seen.names == "clr-tiny"
        (line,) = seen.warnings
        assert line.startswith(f"{dead}/models cannot be reached")
        assert line.endswith("requests fail until it answers")
        assert look(settings(dead)).names == "clr-NAME"


@pytest.mark.parametrize(
    ("status", "body", "end"),
    [
        (401, b'{"error": {"message": "no key"}}', "HTTP 401: no key; the key is read from ETALON_API_KEY"),
        (500, b"", "HTTP 500: no explanation; requests fail until it answers"),
        (200, b"<html>", "answered no JSON; requests fail until it answers"),
        (404, b"", ""),
    ],
)
def test_every_answer_but_a_list_is_understood(status: int, body: bytes, end: str) -> None:
    with serving(answers(status, body)) as url:
        seen = look(settings(f"{url}/v1"))
    assert seen.names == "clr-NAME"
    assert [line.endswith(end) for line in seen.warnings] == ([True] if end else []), seen.warnings


def test_a_dead_upstream_is_a_warning_and_the_proxy_serves_all_the_same() -> None:
    with dead_port() as dead:
        command = [*MAIN, "serve", "--upstream", dead, "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            said = process.stdout.readline()
            url = said.split(" ")[0]
            for path in ("models?key=sk-1", "no%0Asuch"):
                with pytest.raises(urllib.error.HTTPError):
                    urllib.request.urlopen(f"{url}/{path}")
            warning, *access = (process.stderr.readline().rstrip("\n") for _ in range(3))  # written after the answers
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    assert said.endswith(f" -> {dead}; ask for clr-NAME\n")
    assert warning.startswith(f"warning: {dead}/models cannot be reached")
    shown = [re.sub(r"^[\d:]{8} 127\.0\.0\.1 (.*) [\d.]+ s$", r"\1", line) for line in access]
    assert shown == ["GET /v1/models 502", "GET /v1/no%0Asuch 404"]


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        ("solve", "ETALON_API_KEY"), ("eval", "ETALON_API_KEY"), ("doctor", "ETALON_API_KEY"),
        ("serve", "ETALON_API_KEY"), ("serve", "ETALON_PROXY_KEY"), ("sandbox", "ETALON_SANDBOX_KEY"),
    ],
)  # fmt: skip
def test_the_help_names_the_variable_of_a_key(command: str, variable: str) -> None:
    assert variable in CliRunner().invoke(app, [command, "--help"]).output
