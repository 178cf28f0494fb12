"""The proxy's pass-through, gate and errors, against real servers on loopback and through real sockets."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from etalon.errors import ConfigError
from etalon.sampling.endpoint import EndpointSettings
from etalon.serve.app import create_app
from etalon.serve.caps import ServeSettings
from etalon.serve.upstreams import FRESH_SECONDS
from upstream import Reply, Upstream, dead_port, dropping_first, event, serving, whole

pytestmark = pytest.mark.live


@contextmanager
def proxy(*urls: str, model: str = "", deadline: float = 60.0, **settings) -> Iterator[httpx2.Client]:
    """A client of a running proxy in front of `urls`."""
    upstream = EndpointSettings(urls=urls, model=model, deadline_seconds=deadline, connect_seconds=2, retries=2)
    with (
        serving(create_app(ServeSettings(upstream=upstream, **settings))) as base,
        httpx2.Client(base_url=base, timeout=30, trust_env=False, verify=False) as client,
    ):
        yield client


def chat(text: str = "hi", model: str = "toy", **fields) -> dict:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def post(client: httpx2.Client, request: dict, **headers: str) -> httpx2.Response:
    return client.post("/v1/chat/completions", json=request, headers=headers)


def stream(client: httpx2.Client, request: dict) -> list[str]:
    """Data of all events of a streamed answer."""
    with client.stream("POST", "/v1/chat/completions", json=request | {"stream": True}) as response:
        assert response.status_code == 200, response.read()
        return [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]


def text_of(events: list[str]) -> str:
    chunks = [json.loads(data) for data in events if data != "[DONE]"]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c.get("choices"))


def error_of(response: httpx2.Response) -> dict:
    """The error of an answer, whose shape is OpenAI's."""
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def metrics_with(client: httpx2.Client, line: str) -> httpx2.Response:
    """The metrics once they hold `line`: a request is counted just after its answer is sent."""
    deadline = time.monotonic() + 10
    while line not in (page := client.get("/metrics")).text:
        assert time.monotonic() < deadline, page.text
        time.sleep(0.01)
    return page


def test_what_is_not_for_clr_passes_through_unchanged() -> None:
    fields = {"temperature": 0, "tools": [{"type": "function"}], "n": 2, "my_field": [1]}
    with Upstream(lambda asked: Reply(content="4")) as upstream, proxy(upstream.url) as client:
        answer = post(client, chat(**fields))
    assert answer.json()["choices"][0]["message"]["content"] == "4"
    assert upstream.requests[0].body == chat(**fields)


def test_a_stream_passes_through_as_it_comes() -> None:
    times: list[float] = []
    with (
        Upstream(lambda asked: Reply(content="a b c d", between=0.1)) as upstream,
        proxy(upstream.url) as client,
        client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as response,
    ):
        for line in response.iter_lines():
            if "content" in line:
                times.append(time.monotonic())
    assert times[-1] - times[0] > 0.25
    assert response.headers["content-type"].startswith("text/event-stream")


def test_every_event_of_the_upstream_arrives_and_done_comes_last() -> None:
    script = lambda asked: Reply(reasoning="hm hm", content="4 ü")  # noqa: E731
    with Upstream(script) as upstream, proxy(upstream.url) as client:
        events = stream(client, chat())
    assert events[-1] == "[DONE]"
    assert [json.loads(data) for data in events[:-1]][-1]["usage"]["total_tokens"] == 11
    assert text_of(events) == "4 ü"


def test_health_names_no_upstream_and_answers_no_foreign_page(monkeypatch: pytest.MonkeyPatch) -> None:
    with Upstream(lambda asked: Reply()) as upstream:
        with proxy(upstream.url) as client:
            assert client.get("/health").json() == {
                "status": "ok",
                "upstreams": [{"requests": 0, "unreachable": False}],
            }
            for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
                assert client.get("/health", headers=headers).status_code == 403
        monkeypatch.setenv("ETALON_PROXY_KEY", "open-sesame")
        with proxy(upstream.url) as client:
            assert client.get("/health", headers={"host": "etalon.example"}).status_code == 200


def test_health_and_readiness_tell_what_is_true_now() -> None:
    with proxy("http://127.0.0.1:1/v1") as client:
        assert (client.get("/health").status_code, client.get("/ready").status_code) == (200, 503)
        down = {"requests": 0, "unreachable": True, "error": "does not answer"}
        assert client.get("/ready").json() == {"status": "down", "upstreams": [down]}
    pages = {"is_up": True}

    async def upstream(scope, receive, send) -> None:
        if scope["type"] == "http":
            status, body = (200, b'{"data": []}') if pages["is_up"] else (503, b"")
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": body})

    with serving(upstream) as url, dead_port() as dead, proxy(f"{url}/v1", dead) as client:
        for is_up, status, code in ((True, "degraded", 200), (False, "down", 503), (True, "degraded", 200)):
            pages["is_up"] = is_up
            time.sleep(FRESH_SECONDS)
            health, ready = client.get("/health"), client.get("/ready")
            assert (health.status_code, health.json()["status"], ready.status_code) == (200, status, code)
            assert health.json()["upstreams"][0].get("error") == (None if is_up else "HTTP 503")


@pytest.mark.parametrize("model", ["gpt-9", "clr-gpt-9", "clr-clr-toy"])
def test_a_model_that_nobody_serves_is_a_404_without_a_call(model: str) -> None:
    with Upstream(lambda asked: Reply(content="4"), models=("toy", "llama:latest")) as upstream:
        with proxy(upstream.url) as client:
            for streams in (False, True):
                answer = post(client, chat(model=model, stream=streams))
                error = error_of(answer)
                assert (answer.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
                assert "served are llama:latest, toy" in error["message"]
            assert client.post("/v1/completions", json={"model": model, "prompt": "x"}).status_code == 404
            assert not upstream.requests
            assert post(client, chat(model="llama")).status_code == 200  # as Ollama takes it
        with proxy(upstream.url, model="alias") as client:  # what the proxy was told is not looked up
            assert post(client, chat(model="alias")).status_code == 200


def test_a_cap_of_minus_one_is_no_cap() -> None:
    with Upstream(lambda asked: Reply(content="4")) as upstream, proxy(upstream.url) as client:
        for model, cap in (("toy", "max_tokens"), ("clr-toy", "max_tokens"), ("clr-toy", "max_completion_tokens")):
            assert post(client, chat(model=model, **{cap: -1})).status_code == 200
        assert not any({"max_tokens", "max_completion_tokens"} & asked.body.keys() for asked in upstream.requests)
        assert post(client, chat(model="clr-toy", max_tokens=-2)).status_code == 400


def test_models_are_listed_with_their_clr_twins() -> None:
    with Upstream(lambda asked: Reply(), models=("a", "b")) as upstream, proxy(upstream.url) as client:
        listed = client.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [row["id"] for row in listed["data"]] == ["a", "b", "clr-a", "clr-b"]


def test_the_model_of_the_proxy_is_used_when_none_is_named() -> None:
    request = {"messages": [{"role": "user", "content": "hi"}]}
    with Upstream(lambda asked: Reply(content="4")) as upstream, proxy(upstream.url, model="toy") as client:
        assert post(client, request).status_code == 200
        assert upstream.requests[0].body["model"] == "toy"
    with Upstream(lambda asked: Reply(content="4")) as upstream, proxy(upstream.url) as client:
        for named in ({}, {"model": 7}, {"model": ["a"]}):
            answer = post(client, request | named)
            assert (answer.status_code, error_of(answer)["param"]) == (400, "model")


@pytest.mark.parametrize(
    ("reply", "status", "words_of_it"),
    [
        (Reply(status=429, headers={"retry-after": "7"}), 429, "scripted"),
        (Reply(status=503, body=b"<html>down</html>"), 503, "down"),
        (Reply(status=400, body=b'{"error": {"message": "bad field"}}'), 400, "bad field"),
        (Reply(status=401, body=b'{"error": "no"}'), 502, "ETALON_API_KEY"),
        (Reply(body=b"<html>"), 502, "not JSON"),
        (Reply(body=b'{"choices": [{"mess'), 502, "not JSON"),
        (Reply(body=b"[1]"), 502, "not an object"),
    ],
)
def test_what_goes_wrong_upstream_is_an_error_in_openais_shape(reply: Reply, status: int, words_of_it: str) -> None:
    with Upstream(lambda asked: reply) as upstream, proxy(upstream.url) as client:
        answer = post(client, chat())
    assert answer.status_code == status
    assert words_of_it in error_of(answer)["message"]
    assert answer.headers.get("retry-after") == reply.headers.get("retry-after")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(content="a b c d", cut_after=3),
        Reply(content="a b", finish=None, closes=False, has_usage=False),
        Reply(raw=(event({"content": "a"}), b'data: {"choices": [{"de\n\n')),
        Reply(raw=(event({"content": "a"}), b"data: 17\n\n")),
    ],
    ids=["cut", "no end", "half json", "no object"],
)
def test_a_stream_that_goes_wrong_ends_in_an_error_event(reply: Reply) -> None:
    with Upstream(lambda asked: reply) as upstream, proxy(upstream.url) as client:
        events = stream(client, chat())
    assert text_of(events[:-2]).startswith("a")
    assert set(json.loads(events[-2])["error"]) == {"message", "type", "param", "code"}
    assert events[-1] == "[DONE]"


def test_an_upstream_refusal_of_a_stream_has_its_own_status() -> None:
    with Upstream(lambda asked: Reply(status=429)) as upstream, proxy(upstream.url) as client:
        assert post(client, chat(stream=True)).status_code == 429


def test_a_dead_upstream_is_a_502_and_the_next_one_is_asked() -> None:
    with dead_port() as dead, proxy(dead) as client:
        answer = post(client, chat())
        assert (answer.status_code, error_of(answer)["code"]) == (502, "upstream_unreachable")
        assert client.get("/v1/models").status_code == 502
        assert client.get("/health").json()["upstreams"][0]["unreachable"] is True
    with (
        dead_port() as dead,
        Upstream(lambda asked: Reply(content="4")) as upstream,
        proxy(dead, upstream.url) as client,
    ):
        assert [post(client, chat()).status_code for _ in range(4)] == [200] * 4


def test_a_connection_dropped_before_any_answer_is_tried_once_more() -> None:
    with dropping_first(json.dumps(whole(Reply(content="4"))).encode()) as url, proxy(url) as client:
        answer = post(client, chat())
        assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "4")


def test_a_silent_upstream_is_a_504_and_blocks_nobody() -> None:
    script = lambda asked: Reply(content="4", before=60 if asked.text == "hang" else 0)  # noqa: E731
    with Upstream(script) as upstream, proxy(upstream.url, deadline=1.5) as client:
        answers: list[httpx2.Response] = []
        hung = [threading.Thread(target=lambda: answers.append(post(client, chat("hang")))) for _ in range(8)]
        for thread in hung:
            thread.start()
        quick = post(client, chat("quick"))
        assert not answers
        for thread in hung:
            thread.join()
    assert quick.status_code == 200
    assert [answer.status_code for answer in answers] == [504] * 8


def test_a_silent_stream_is_kept_alive_by_comments() -> None:
    script = lambda asked: Reply(content="4", before=0.7)  # noqa: E731
    with (
        Upstream(script) as upstream,
        proxy(upstream.url, heartbeat_seconds=0.2) as client,
        client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as response,
    ):
        lines = list(response.iter_lines())
    assert lines.count(": ping") >= 2
    assert text_of([line.removeprefix("data: ") for line in lines if line.startswith("data: ")]) == "4"


@pytest.mark.parametrize("streams", [True, False])
def test_a_client_that_leaves_ends_the_work_upstream(streams: bool) -> None:
    script = lambda asked: Reply(content="word " * 500, between=0.02, before=0 if streams else 20)  # noqa: E731
    with Upstream(script) as upstream, proxy(upstream.url) as client:
        timeout = httpx2.Timeout(10, read=0.3)
        left = 0.0
        if streams:
            with client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as response:
                next(response.iter_bytes())
        else:
            with pytest.raises(httpx2.ReadTimeout):
                client.post("/v1/chat/completions", json=chat(), timeout=timeout)
        left = time.monotonic()
        while not upstream.disconnects and time.monotonic() - left < 5:
            time.sleep(0.01)
        assert upstream.disconnects, "the upstream was not told"
        assert upstream.disconnects[0] - left < 1.0
        metrics_with(client, 'status="499"')


def test_many_clients_at_once_get_their_own_answers() -> None:
    script = lambda asked: Reply(content=f"echo of {asked.text}", before=0.02)  # noqa: E731
    answers: dict[int, str] = {}

    def ask_one(client: httpx2.Client, number: int) -> None:
        request = chat(f"question {number}")
        answers[number] = (
            text_of(stream(client, request))
            if number % 2
            else post(client, request).json()["choices"][0]["message"]["content"]
        )

    with Upstream(script) as upstream, proxy(upstream.url) as client:
        threads = [threading.Thread(target=ask_one, args=(client, number)) for number in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {number: f"echo of question {number}" for number in range(60)}


def test_the_key_is_needed_and_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETALON_PROXY_KEY", "open-sesame")
    with Upstream(lambda asked: Reply(content="4")) as upstream, proxy(upstream.url) as client:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "open-sesame"}):
            refused = post(client, chat(), **headers)
            assert (refused.status_code, error_of(refused)["code"]) == (401, "invalid_api_key")
            assert client.get("/v1/models", headers=headers).status_code == 401
        assert client.get("/health").status_code == 200
        assert post(client, chat(), authorization="Bearer open-sesame").status_code == 200
    assert "authorization" not in upstream.requests[0].headers


def test_another_address_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETALON_PROXY_KEY", raising=False)
    upstream = EndpointSettings(urls=("http://localhost:1/v1",), model="toy")
    for host in ("0.0.0.0", "::", "192.168.0.7", "example.org"):
        with pytest.raises(ConfigError, match="ETALON_PROXY_KEY"):
            create_app(ServeSettings(upstream=upstream, host=host))


def test_web_pages_of_other_sites_are_refused_without_a_key() -> None:
    with Upstream(lambda asked: Reply(content="4")) as upstream, proxy(upstream.url) as client:
        for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}):
            assert post(client, chat(), **headers).status_code == 403
        assert post(client, chat(), origin="http://localhost:3000").status_code == 200
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"[1]", 400), (b"", 400), (b"[" * 100_000, 400), (b'{"a": "' + b"x" * 3000 + b'"}', 413)],
)
def test_a_body_that_cannot_be_used_is_refused(content: bytes, status: int) -> None:
    with Upstream(lambda asked: Reply()) as upstream, proxy(upstream.url, max_body_bytes=2048) as client:
        limit = status if len(content) <= 2048 or status == 413 else 413
        answer = client.post("/v1/chat/completions", content=content)
        assert answer.status_code == limit
        error_of(answer)
        parts = client.post("/v1/chat/completions", content=iter([content]))  # without a stated length
        assert parts.status_code == limit
    assert not upstream.requests


def test_a_body_that_never_ends_is_refused() -> None:
    def slowly() -> Iterator[bytes]:
        yield b"{"
        time.sleep(1.0)
        yield b"}"

    with Upstream(lambda asked: Reply()) as upstream, proxy(upstream.url, body_seconds=0.3) as client:
        answer = client.post("/v1/chat/completions", content=slowly())
    assert answer.status_code == 408


def test_too_many_requests_at_once_are_told_to_wait() -> None:
    script = lambda asked: Reply(content="4", before=1.0)  # noqa: E731
    with Upstream(script) as upstream, proxy(upstream.url, max_requests=2) as client:
        waiting = [threading.Thread(target=post, args=(client, chat())) for _ in range(2)]
        for thread in waiting:
            thread.start()
        while len(upstream.requests) < 2:
            time.sleep(0.01)
        answer = post(client, chat())
        for thread in waiting:
            thread.join()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")


def test_unknown_routes_are_errors_in_openais_shape() -> None:
    with Upstream(lambda asked: Reply()) as upstream, proxy(upstream.url) as client:
        for answer in (client.get("/v1/nothing"), client.get("/v1/chat/completions"), client.post("/health")):
            assert answer.status_code in (404, 405)
            error_of(answer)


def test_metrics_count_requests_in_prometheus_format() -> None:
    with Upstream(lambda asked: Reply(content="4")) as upstream, proxy(upstream.url) as client:
        post(client, chat())
        page = metrics_with(client, 'etalon_requests_total{route="chat",status="200"} 1')
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'etalon_request_seconds_count{route="chat"} 1' in page.text
    for line in page.text.splitlines():
        assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2


def test_the_upstreams_key_is_sent_and_never_shown(monkeypatch, caplog) -> None:
    monkeypatch.setenv("ETALON_API_KEY", "sk-upstream")
    with Upstream(lambda asked: Reply(status=500)) as upstream, proxy(upstream.url) as client:
        shown = post(client, chat()).text + client.get("/metrics").text + client.get("/health").text + caplog.text
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-upstream"
    assert "sk-upstream" not in shown
