"""CLR through the proxy, end to end over real sockets, with a scripted upstream."""

import json
import socket
import threading
import time
from collections.abc import Callable

import httpx2
import pytest

from clr_model import clr_reply
from etalon.errors import EtalonError
from test_serve import chat, error_of, metrics_with, post, proxy, stream, text_of
from upstream import Asked, Reply, Upstream, usage

pytestmark = pytest.mark.live


def deltas(events: list[str], field: str) -> str:
    chunks = [json.loads(data) for data in events if data != "[DONE]"]
    return "".join(c["choices"][0]["delta"].get(field) or "" for c in chunks if c.get("choices"))


def test_a_clr_answer_has_the_votes_and_the_true_cost() -> None:
    replies: list[Reply] = []

    def script(asked: Asked) -> Reply:
        replies.append(clr_reply(asked))
        return replies[-1]

    with Upstream(script) as upstream, proxy(upstream.url) as client:
        answer = post(client, chat("6*7?", "clr-toy", clr={"k": 8, "early": "off"}))
        metrics_with(client, 'etalon_clr_answers_total{finish_reason="stop"} 1')
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["model"] == "clr-toy"
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert "\\boxed{42}" in body["choices"][0]["message"]["content"]
    assert "claims" not in body["choices"][0]["message"]["content"]
    assert {asked.body["model"] for asked in upstream.requests} == {"toy"}
    assert len(upstream.requests) == sum(body["clr"]["calls"].values()) == 16
    assert body["usage"] == {
        name: sum(usage(reply)[name] for reply in replies)
        for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    }
    assert {cluster["answer"] for cluster in body["clr"]["clusters"]} == {"42", "41"}
    assert len(body["clr"]["trajectories"][0]["claims"]) == 5
    assert body["clr"]["counts"]["unreadable_verdicts"] == 0
    assert {cluster["answer"]: cluster["score"] > 0 for cluster in body["clr"]["clusters"]} == {"42": True, "41": False}


def test_the_early_decision_spends_fewer_calls_for_the_same_answer() -> None:
    calls = {}
    for early in ("exact", "off"):
        with Upstream(clr_reply) as upstream, proxy(upstream.url) as client:
            body = post(client, chat("6*7?", clr={"k": 16, "early": early}, seed=5)).json()
        assert "\\boxed{42}" in body["choices"][0]["message"]["content"]
        calls[early] = len(upstream.requests)
    assert calls["off"] == 32
    assert calls["exact"] < 28


def test_a_stream_shows_progress_then_the_answer_then_the_usage() -> None:
    script = lambda asked: clr_reply(asked, before=0.5)  # noqa: E731
    request = chat("6*7?", "clr-toy", clr={"k": 4}, stream_options={"include_usage": True})
    with Upstream(script) as upstream, proxy(upstream.url) as client:
        events = stream(client, request)
    assert events[-1] == "[DONE]"
    assert "/4 trajectories" in deltas(events, "reasoning")
    assert deltas(events, "reasoning") == deltas(events, "reasoning_content")
    assert "\\boxed{42}" in text_of(events)
    chunks = [json.loads(data) for data in events[:-1]]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] > 0


def test_a_silent_flow_is_kept_alive() -> None:
    script = lambda asked: clr_reply(asked, before=0.8)  # noqa: E731
    request = chat("6*7?", "clr-toy", clr={"k": 2}, stream=True)
    with (
        Upstream(script) as upstream,
        proxy(upstream.url, heartbeat_seconds=0.2) as client,
        client.stream("POST", "/v1/chat/completions", json=request) as response,
    ):
        lines = list(response.iter_lines())
    assert lines.count(": ping") >= 2


def test_system_prompts_and_turns_are_kept() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Let x be 6."},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "What is 7x?"}]},
    ]
    with Upstream(clr_reply) as upstream, proxy(upstream.url) as client:
        request = {
            "model": "clr-toy",
            "messages": messages,
            "clr": {"k": 2},
            "top_p": 0.5,
            "min_p": 0.1,
            "max_tokens": 77,
        }
        assert post(client, request).status_code == 200
    sent = next(asked.body for asked in upstream.requests if "<claims>" in asked.text)
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][0]["content"] == "Be brief."
    assert "What is 7x?" in sent["messages"][-1]["content"]
    assert (sent["top_p"], sent["min_p"], sent["max_tokens"]) == (0.5, 0.1, 77)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"functions": [{}]}, "functions"),
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"best_of": 4}, "best_of"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": "x" * 257}, "stop"),
        ({"max_tokens": True}, "max_tokens"),
        ({"clr": 0}, "clr"),
        ({"clr": 1}, "clr"),
        ({"clr": "yes"}, "clr"),
        ({"clr": [1]}, "clr"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"clr": {"k": 1000}}, "clr.k"),
        ({"clr": {"m": 1000}}, "clr.m"),
        ({"clr": {"k": 1}}, "clr.k"),
        ({"clr": {"kk": 4}}, "clr.kk"),
        ({"clr": {"budgets": {"calls": 0}}}, "clr.budgets.calls"),
        ({"clr": {"budgets": {"money": 1.0}}}, "clr"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]"),
    ],
)
def test_what_clr_cannot_honour_is_refused_by_name(fields: dict, named: str) -> None:
    with Upstream(clr_reply) as upstream, proxy(upstream.url) as client:
        answer = post(client, chat("6*7?", "clr-toy") | fields)
    assert answer.status_code == 400
    assert error_of(answer)["param"] == named
    assert not upstream.requests


def test_the_same_fields_pass_through_without_clr() -> None:
    with Upstream(clr_reply) as upstream, proxy(upstream.url) as client:
        request = chat("hi") | {"tools": [{"type": "function"}], "temperature": 0, "seed": 1}
        assert post(client, request | {"clr": False}).status_code == 200
    assert "clr" not in upstream.requests[0].body


def test_the_prompts_are_those_the_proxy_was_given(tmp_path) -> None:
    (tmp_path / "clr_generate.txt").write_text("{question} in my own words, with {m} <claims>")
    (tmp_path / "clr_verify.txt").write_text("<verdicts> {question} {claims}")
    (tmp_path / "clr_repair.txt").write_text("repair {m}")
    with Upstream(clr_reply) as upstream, proxy(upstream.url, prompts=str(tmp_path)) as client:
        post(client, chat("6*7?", "clr-toy", clr={"k": 2}))
    assert upstream.requests[0].text == "6*7? in my own words, with 5 <claims>"
    with pytest.raises(EtalonError, match="nowhere"), proxy("http://localhost:1/v1", prompts="nowhere"):
        pass


def test_a_budget_ends_with_the_best_answer_so_far() -> None:
    with Upstream(clr_reply) as upstream, proxy(upstream.url) as client:
        body = post(client, chat("6*7?", "clr-toy", clr={"k": 16, "budgets": {"calls": 6}})).json()
    assert body["choices"][0]["finish_reason"] == "budget"
    assert len(upstream.requests) == 6
    assert body["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("streams", [True, False])
def test_no_usable_trajectory_is_an_error_that_says_why(streams: bool) -> None:
    script = lambda asked: Reply(content="It may be", finish="length")  # noqa: E731
    with Upstream(script) as upstream, proxy(upstream.url) as client:
        answer = post(client, chat("6*7?", "clr-toy", clr={"k": 3}, stream=streams))
    assert answer.status_code == 502
    assert error_of(answer)["code"] == "no_answer"
    assert "3 truncated" in error_of(answer)["message"]


@pytest.mark.parametrize(("content", "fallback"), [("I do not know.", "plain"), ("\\boxed{4}", "majority")])
def test_what_clr_cannot_judge_is_answered_and_flagged(content: str, fallback: str) -> None:
    request = chat("6*7?", "clr-toy", clr={"k": 3})
    with Upstream(lambda asked: Reply(content=content)) as upstream, proxy(upstream.url) as client:
        answer = post(client, request)
        events = stream(client, request)
        metrics_with(client, f'etalon_clr_answers_total{{finish_reason="{fallback}"}} 2')
    body = answer.json()
    assert (answer.headers["x-etalon-fallback"], body["clr"]["fallback"]) == (fallback, fallback)
    assert body["choices"][0]["message"]["content"] == text_of(events) == content
    assert body["choices"][0]["finish_reason"] == "stop"
    assert f"fallback ({fallback}), not CLR: none of 3" in deltas(events, "reasoning")


def test_failed_trajectories_are_dropped_and_counted() -> None:
    refused = Reply(status=400, body=b'{"error": {"message": "no"}}')
    script = lambda asked: refused if asked.number in (1, 3) else clr_reply(asked)  # noqa: E731
    with Upstream(script) as upstream, proxy(upstream.url) as client:
        body = post(client, chat("6*7?", "clr-toy", clr={"k": 8})).json()
    assert "42" in body["choices"][0]["message"]["content"]
    assert body["clr"]["counts"]["failed"] == 2


@pytest.mark.parametrize("streams", [True, False])
def test_a_client_that_leaves_ends_all_calls_within_a_second(streams: bool) -> None:
    script = lambda asked: Reply(content="word " * 2000, between=0.02)  # noqa: E731
    with Upstream(script) as upstream, proxy(upstream.url) as client:
        content = json.dumps(chat("6*7?", "clr-toy", clr={"k": 12}, stream=streams)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(content)}\r\n\r\n"
        with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
            connection.sendall(head.encode() + content)
            wait_until(lambda: upstream.active == 12)
        left = time.monotonic()
        wait_until(lambda: upstream.active == 0)
        assert len(upstream.disconnects) == 12
        assert max(upstream.disconnects) - left < 1.0
        metrics_with(client, "etalon_clr_running 0")


def wait_until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_flows_are_capped_and_others_still_pass() -> None:
    script = lambda asked: clr_reply(asked, before=0.7 if "<claims>" in asked.text else 0.0)  # noqa: E731
    with Upstream(script) as upstream, proxy(upstream.url, max_flows=1) as client:
        answers: list[httpx2.Response] = []
        flow = threading.Thread(target=lambda: answers.append(post(client, chat("6*7?", "clr-toy", clr={"k": 2}))))
        flow.start()
        while not upstream.requests:
            time.sleep(0.01)
        refused = post(client, chat("6*7?", "clr-toy"))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert post(client, chat("hi", seed=1)).status_code == 200
        assert not answers
        flow.join()
    assert answers[0].status_code == 200


@pytest.mark.slow
def test_flows_at_the_same_time_keep_their_questions_apart() -> None:
    def script(asked: Asked) -> Reply:
        number = asked.text.split("question ")[1].split("?")[0]
        return clr_reply(asked, right=str(100 + int(number)), wrong=str(900 + int(number)), before=0.01)

    answers: dict[int, str] = {}

    def ask_one(client: httpx2.Client, number: int) -> None:
        body = post(client, chat(f"question {number}?", "clr-toy", clr={"k": 4}, seed=number)).json()
        answers[number] = body["choices"][0]["message"]["content"]

    with Upstream(script) as upstream, proxy(upstream.url) as client:
        threads = [threading.Thread(target=ask_one, args=(client, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == list(range(8))
    for number, answer in answers.items():
        assert f"{{{100 + number}}}" in answer or f"{{{900 + number}}}" in answer


def test_the_official_client_works_unmodified() -> None:
    openai = pytest.importorskip("openai")
    with Upstream(clr_reply) as upstream, proxy(upstream.url) as client:
        official = openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0)
        assert "clr-toy" in [model.id for model in official.models.list()]
        messages = [{"role": "user", "content": "6*7?"}]
        whole = official.chat.completions.create(model="clr-toy", messages=messages, extra_body={"clr": {"k": 4}})
        assert "42" in whole.choices[0].message.content
        assert whole.usage.total_tokens > 0
        parts = official.chat.completions.create(
            model="clr-toy", messages=messages, stream=True, stream_options={"include_usage": True},
            extra_body={"clr": {"k": 4}},
        )  # fmt: skip
        chunks = list(parts)
        assert "42" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert chunks[-1].usage.total_tokens > 0
        with pytest.raises(openai.BadRequestError, match="tools"):
            official.chat.completions.create(
                model="clr-toy", messages=messages, tools=[{"type": "function", "function": {"name": "f"}}]
            )
