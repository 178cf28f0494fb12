"""A server that echoes its key tells nobody: not the client of the proxy, the log, a record or a verdict."""

import json
import logging

import pytest

from clr_model import clr_reply
from etalon.redact import Redactor
from etalon.sampling.endpoint import EndpointSampler, EndpointSettings
from etalon.sandbox import Limits, Status, StdinTests
from etalon.sandbox.remote import RemoteSandbox
from etalon.types import Message, SamplingParams
from test_serve import chat, post, proxy
from upstream import Asked, Reply, Upstream, serving

pytestmark = pytest.mark.live

KEY = 'sk-upstream/secret+"0123"=='


def echo(asked: Asked) -> bytes:
    return json.dumps({"error": {"message": f"bad key: {asked.headers['authorization']}"}}).encode()


REPLIES = {
    "refusal": lambda asked: Reply(status=401, body=echo(asked)),
    "bad request": lambda asked: Reply(status=400, body=echo(asked)),
    "slashes escaped": lambda asked: Reply(status=400, body=echo(asked).replace(b"/", b"\\/")),
    "plain text": lambda asked: Reply(status=403, body=asked.headers["authorization"].encode()),
    "cut in the middle": lambda asked: Reply(status=400, body=b"x" * 590 + asked.headers["authorization"].encode()),
    "no JSON": lambda asked: Reply(body=asked.headers["authorization"].encode()),
    "an answer": lambda asked: Reply(content=asked.headers["authorization"]),
    "an event": lambda asked: Reply(raw=(b"data: " + echo(asked) + b"\n\n",)),
}


@pytest.mark.parametrize("name", REPLIES)
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", ["toy", "clr-toy"])
def test_the_key_never_comes_back(name, streams, model, monkeypatch, caplog) -> None:
    caplog.set_level(logging.DEBUG, "etalon")
    monkeypatch.setenv("ETALON_API_KEY", KEY)
    with Upstream(REPLIES[name]) as upstream, proxy(upstream.url) as client:
        answer = post(client, chat("6*7?", model, stream=streams, **({"clr": {"k": 2}} if model != "toy" else {})))
    shown = answer.text.replace("\\/", "/").replace('\\\\"', '"').replace('\\"', '"') + caplog.text
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "sk-upstr" not in shown
    assert answer.text


def test_a_failed_rollout_has_no_key(monkeypatch) -> None:
    monkeypatch.setenv("ETALON_API_KEY", KEY)
    conversation = (Message(role="user", content="6*7?"),)
    with Upstream(REPLIES["bad request"]) as upstream:
        sampler = EndpointSampler(EndpointSettings(urls=(upstream.url,), model="toy"))
        ((_, (rollout,)),) = sampler.sample([conversation], n=1, params=SamplingParams(), seed=0)
    assert rollout.error is not None
    assert "bad key: Bearer [key]" in rollout.error


def test_a_placeholder_for_a_key_leaves_answers_alone(monkeypatch) -> None:
    monkeypatch.setenv("ETALON_API_KEY", "e")
    with Upstream(clr_reply) as upstream, proxy(upstream.url) as client:
        assert "e" in post(client, chat("hello")).text
    assert Redactor("e")(b"Bearer e: the end") == b"Bearer [key]: the end"
    assert Redactor("")(b"Bearer e") == b"Bearer e"


def test_a_sandbox_service_that_echoes_its_key_does_not_show_it() -> None:
    async def app(scope, receive, send) -> None:
        key = dict(scope["headers"])[b"authorization"]
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b"bad key " + key})

    with serving(app) as url:
        sandbox = RemoteSandbox(url, key="sandbox-secret-0123")
        outcome = sandbox.run("print(1)", StdinTests(inputs=("",)), Limits())[0]
        sandbox.close()
    assert outcome.status is Status.INFRASTRUCTURE
    assert "bad key" in outcome.detail
    assert "secret" not in outcome.detail
