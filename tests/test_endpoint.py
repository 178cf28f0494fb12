"""The endpoint sampler against real servers on loopback that are slow, refuse, break off or talk nonsense."""

import asyncio
import json
import threading
import time

import pytest

from etalon.errors import ConfigError, InputError
from etalon.sampling.endpoint import EndpointSampler, EndpointSettings, retry
from etalon.types import Message, Rollout, SamplingParams, Stop, ask
from upstream import Asked, Reply, Upstream, dead_port, event

pytestmark = pytest.mark.live

PARAMS = SamplingParams(max_tokens=64)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BASE_SECONDS", 0.01)


def sampler(*urls: str, **settings) -> EndpointSampler:
    return EndpointSampler(EndpointSettings(urls=urls, model="toy", **settings))


def one(script, **settings) -> tuple[Rollout, Upstream]:
    """The rollout of one request to a scripted server."""
    with Upstream(script) as upstream:
        ((_, (rollout,)),) = sampler(upstream.url, **settings).sample([ask("2+2?")], n=1, params=PARAMS, seed=3)
    return rollout, upstream


def test_every_sampling_field_is_sent_and_requests_are_single() -> None:
    with Upstream(lambda asked: Reply(content="4")) as upstream:
        params = SamplingParams(temperature=0.7, top_p=0.9, max_tokens=99, stop=("END",))
        conversation = ask("2+2?", system="be brief")
        groups = dict(sampler(upstream.url).sample([conversation], n=3, params=params, seed=3))
    assert [rollout.index for rollout in groups[0]] == [0, 1, 2]
    assert len(upstream.requests) == 3
    sent = upstream.requests[0].body
    assert sent["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "2+2?"}]
    expected = {
        "model": "toy", "n": 1, "temperature": 0.7, "top_p": 0.9, "top_k": -1, "min_p": 0.0, "max_tokens": 99,
        "presence_penalty": 0.0, "frequency_penalty": 0.0, "repetition_penalty": 1.0, "repeat_penalty": 1.0,
        "stop": ["END"], "stream": True,
    }  # fmt: skip
    assert expected.items() <= sent.items()
    seeds = {asked.body["seed"] for asked in upstream.requests}
    assert len(seeds) == 3
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_seeds_depend_on_the_seed_and_the_index_only() -> None:
    seen: list[list[int]] = []
    for conversations in ([ask("a"), ask("b")], [ask("b")]):
        with Upstream(lambda asked: Reply(content="4")) as upstream:
            dict(sampler(upstream.url).sample(conversations, n=2, params=PARAMS, seed=5))
            seen.append([asked.body["seed"] for asked in upstream.requests if asked.text == "b"])
    assert sorted(seen[0]) == sorted(seen[1])


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_of_either_field_stands_before_the_answer(field: str) -> None:
    rollout, _ = one(lambda asked: Reply(reasoning="two and two", content="4", reasoning_field=field))
    assert rollout.text == "<think>two and two</think>4"
    assert rollout.stop is Stop.EOS
    assert rollout.num_tokens == 4
    assert rollout.detail == {"prompt_tokens": 7}


@pytest.mark.parametrize("opening", ["<think>", ""])
def test_reasoning_inside_the_content_is_found_also_without_an_opening_tag(opening: str) -> None:
    rollout, _ = one(lambda asked: Reply(content=f"{opening}two and two</think>4"))
    assert rollout.text == "<think>two and two</think>4"


def test_a_response_cut_while_it_reasons_holds_no_answer() -> None:
    rollout, _ = one(lambda asked: Reply(reasoning=r"maybe \boxed{5}", finish="length"))
    assert rollout.stop is Stop.LENGTH
    assert rollout.text == r"<think>maybe \boxed{5}"


def test_missing_usage_is_estimated_and_says_so() -> None:
    rollout, _ = one(lambda asked: Reply(content="one two three", has_usage=False))
    assert rollout.num_tokens == 3
    assert rollout.detail == {"estimated": True}


def test_a_server_that_does_not_stream_is_read_all_the_same() -> None:
    answer = {"choices": [{"message": {"content": "4", "reasoning": "hm"}, "finish_reason": "stop"}]}
    rollout, _ = one(lambda asked: Reply(body=json.dumps(answer).encode()))
    assert rollout.text == "<think>hm</think>4"


def test_events_come_through_whatever_the_blocks_they_are_cut_into() -> None:
    stream = b": hello\r\n\r\n" + event({"content": "ü 4"}).replace(b"\n", b"\r\n") + event({}, finish="stop")
    blocks = tuple(stream[i : i + 3] for i in range(0, len(stream), 3))
    rollout, _ = one(lambda asked: Reply(raw=blocks))
    assert rollout.text == "ü 4"
    assert rollout.stop is Stop.EOS


@pytest.mark.parametrize("choices", ["null", "[]"])
def test_usage_chunks_without_choices_are_accepted(choices: str) -> None:
    tail = f'data: {{"choices": {choices}, "usage": {{"completion_tokens": 11}}}}\n\n'.encode()
    rollout, _ = one(lambda asked: Reply(raw=(event({"content": "4"}), event({}, finish="stop"), tail)))
    assert rollout.num_tokens == 11


@pytest.mark.parametrize(
    "failure",
    [
        Reply(status=429, headers={"retry-after": "0"}),
        Reply(status=408),
        Reply(status=500, body=b"<html>oops</html>"),
        Reply(status=503),
        Reply(content="a b c d e f", cut_after=3),
        Reply(content="half", finish=None, has_usage=False, closes=False),
        Reply(raw=(b'data: {"choices": [{"del',)),
        Reply(raw=(b"data: <html>\n\n",)),
        Reply(raw=(b'data: {"error": {"message": "engine died", "code": 500}}\n\n',)),
        Reply(raw=(b"data: [DONE]\n\n",)),
        Reply(body=b"not json"),
    ],
    ids=["429", "408", "500", "503", "cut", "no end", "half json", "html", "error event", "empty", "no json"],
)
def test_a_failure_that_may_pass_is_tried_again(failure: Reply) -> None:
    rollout, upstream = one(lambda asked: failure if asked.number < 2 else Reply(content="4"))
    assert (rollout.text, rollout.stop, rollout.error) == ("4", Stop.EOS, "")
    assert len(upstream.requests) == 3
    assert rollout.detail is not None
    assert rollout.detail["retries"] == 2


def test_attempts_that_the_model_began_count_as_calls() -> None:
    cut, refused = Reply(content="a b c d", cut_after=3), Reply(status=429)
    rollout, _ = one(lambda asked: [cut, refused, Reply(content="4")][asked.number])
    assert rollout.calls == 2


def test_a_failure_that_stays_is_an_error_with_its_reason() -> None:
    rollout, upstream = one(lambda asked: Reply(status=503, body=b'{"error": {"message": "loading"}}'), retries=2)
    assert rollout.stop is Stop.ERROR
    assert len(upstream.requests) == 3
    assert "HTTP 503: loading (3 attempts)" in rollout.error


def test_a_refusal_is_not_tried_again() -> None:
    rollout, upstream = one(lambda asked: Reply(status=401, body=b'{"error": {"message": "bad key"}}'))
    assert rollout.stop is Stop.ERROR
    assert "HTTP 401: bad key" in rollout.error
    assert len(upstream.requests) == 1


def test_retry_after_is_waited_for() -> None:
    times: list[float] = []

    def script(asked: Asked) -> Reply:
        times.append(time.monotonic())
        return Reply(status=429, headers={"retry-after": "0.6"}) if asked.number == 0 else Reply(content="4")

    one(script)
    assert times[1] - times[0] >= 0.6


def test_a_failed_call_never_loses_the_others() -> None:
    with Upstream(lambda asked: Reply(status=400) if asked.text == "bad" else Reply(content="4")) as upstream:
        groups = dict(sampler(upstream.url).sample([ask("good"), ask("bad")], n=2, params=PARAMS, seed=0))
    assert [rollout.stop for rollout in groups[0]] == [Stop.EOS, Stop.EOS]
    assert [rollout.stop for rollout in groups[1]] == [Stop.ERROR, Stop.ERROR]


def test_a_refused_extension_is_left_out_and_told_once(caplog) -> None:
    def script(asked: Asked) -> Reply:
        if "top_k" in asked.body:
            return Reply(status=400, body=b'{"error": {"message": "Unrecognized request argument: top_k"}}')
        return Reply(content="4")

    with Upstream(script) as upstream:
        ((_, rollouts),) = sampler(upstream.url, concurrency=1).sample([ask("x")], n=3, params=PARAMS, seed=0)
        assert [rollout.text for rollout in rollouts] == ["4"] * 3
        assert len(upstream.requests) == 4  # it is learned once
        for _ in range(2):  # and said once, also where many requests of several samplers are refused at once
            dict(sampler(upstream.url).sample([ask("x")], n=8, params=PARAMS, seed=0))
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "refuses top_k; left out from now on"
    ]
    assert all(rollout.detail and rollout.detail["left_out"] == ["top_k"] for rollout in rollouts)


def test_a_value_the_user_chose_is_never_left_out() -> None:
    refusal = Reply(status=400, body=b'{"error": {"message": "Unrecognized request argument: top_k"}}')
    rollout, upstream = one(lambda asked: refusal, extra={"top_k": 20})
    assert rollout.stop is Stop.ERROR
    assert len(upstream.requests) == 1


def test_a_cap_beyond_the_window_becomes_the_window() -> None:
    message = (
        b'{"error": {"message": "max_tokens is too large: 64. This model\'s maximum context length is 32 tokens"}}'
    )
    rollout, upstream = one(
        lambda asked: Reply(status=400, body=message) if "max_tokens" in asked.body else Reply(content="4")
    )
    assert rollout.text == "4"
    assert len(upstream.requests) == 2


def test_no_cap_is_said_by_leaving_it_out() -> None:
    with Upstream(lambda asked: Reply(content="4")) as upstream:
        list(sampler(upstream.url).sample([ask("x")], n=1, params=SamplingParams(max_tokens=None), seed=0))
    assert "max_tokens" not in upstream.requests[0].body


def test_concurrency_is_bounded_and_used() -> None:
    with Upstream(lambda asked: Reply(content="4", before=0.05)) as upstream:
        ((_, rollouts),) = sampler(upstream.url, concurrency=4).sample([ask("x")], n=16, params=PARAMS, seed=0)
    assert len(rollouts) == 16
    assert upstream.peak == 4


def test_several_urls_share_the_load() -> None:
    script = lambda asked: Reply(content="4", before=0.05)  # noqa: E731
    with Upstream(script) as first, Upstream(script) as second:
        list(sampler(first.url, second.url, concurrency=4).sample([ask("x")], n=16, params=PARAMS, seed=0))
    assert len(first.requests) + len(second.requests) == 16
    assert min(len(first.requests), len(second.requests)) >= 5


def test_a_dead_url_does_not_stop_the_others() -> None:
    with dead_port() as dead, Upstream(lambda asked: Reply(content="4")) as upstream:
        ((_, rollouts),) = sampler(dead, upstream.url).sample([ask("x")], n=6, params=PARAMS, seed=0)
    assert [rollout.stop for rollout in rollouts] == [Stop.EOS] * 6


def test_the_deadline_ends_a_server_that_never_ends() -> None:
    started = time.monotonic()
    rollout, _ = one(lambda asked: Reply(content="word " * 1000, between=0.05), deadline_seconds=0.5)
    assert rollout.stop is Stop.ERROR
    assert "within 0.5 s" in rollout.error
    assert time.monotonic() - started < 10


def test_a_slow_response_has_no_read_timeout() -> None:
    rollout, _ = one(lambda asked: Reply(content="4", before=1.0), connect_seconds=0.2)
    assert rollout.text == "4"


def test_a_server_that_never_closes_after_its_reason_to_end_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr("etalon.sampling.endpoint.client.FINISH_SECONDS", 0.2)
    blocks = (event({"content": "4"}) + event({}, finish="length"), *[b": ping\n\n"] * 100)
    rollout, _ = one(lambda asked: Reply(raw=blocks, between=0.1), deadline_seconds=5)
    assert (rollout.text, rollout.stop) == ("4", Stop.LENGTH)


def test_a_response_that_repeats_itself_is_cut_and_counts_as_truncated() -> None:
    rollout, upstream = one(lambda asked: Reply(content="I will start. " + "but we " * 20000, between=0.0001))
    assert rollout.stop is Stop.LENGTH
    assert rollout.detail is not None
    assert "but we" in rollout.detail["loop"]
    assert rollout.detail["estimated"] is True
    assert len(rollout.text) < 60_000
    assert len(upstream.requests) == 1


def test_leaving_early_cancels_what_is_under_way() -> None:
    with Upstream(
        lambda asked: Reply(content="4") if asked.text == "fast" else Reply(content="slow " * 400, between=0.05)
    ) as upstream:
        samples = sampler(upstream.url).sample([ask("fast"), ask("slow")], n=1, params=PARAMS, seed=0)
        assert next(samples)[0] == 0
        samples.close()
        deadline = time.monotonic() + 5
        while upstream.active and time.monotonic() < deadline:
            time.sleep(0.01)
        assert upstream.active == 0
        assert len(upstream.disconnects) == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "etalon-endpoint"]


def test_a_cancelled_completion_ends_its_request() -> None:
    async def cancel_after_first_delta(upstream: Upstream) -> float:
        began = asyncio.Event()
        own = sampler(upstream.url)
        task = asyncio.create_task(own.complete(ask("x"), PARAMS, seed=1, on_delta=lambda delta: began.set()))
        await began.wait()
        task.cancel()
        cancelled = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        while not upstream.disconnects:
            await asyncio.sleep(0.01)
        await own.aclose()
        return upstream.disconnects[0] - cancelled

    with Upstream(lambda asked: Reply(content="slow " * 400, between=0.05)) as upstream:
        assert asyncio.run(asyncio.wait_for(cancel_after_first_delta(upstream), 10)) < 1.0


def test_complete_streams_its_deltas_and_starts_again_after_a_cut() -> None:
    seen: list[tuple[int, str]] = []

    async def ask_once(url: str) -> Rollout:
        own = sampler(url)
        rollout = await own.complete(
            ask("x"), PARAMS, seed=17, on_delta=lambda delta: seen.append((delta.attempt, delta.content))
        )
        await own.aclose()
        return rollout

    script = lambda asked: Reply(content="a b c", cut_after=2 if asked.number == 0 else None)  # noqa: E731
    with Upstream(script) as upstream:
        rollout = asyncio.run(ask_once(upstream.url))
    assert upstream.requests[0].body["seed"] == 17
    assert rollout.text == "a b c"
    assert seen == [(0, "a "), (1, "a "), (1, "b "), (1, "c")]


def test_a_journal_asks_only_for_what_is_missing(tmp_path) -> None:
    path = tmp_path / "calls.jsonl"

    def draw(n: int, seed: int = 0) -> list[str]:
        settings = EndpointSettings(urls=(upstream.url,), model="toy", retries=0)
        own = EndpointSampler(settings, journal=path)
        ((_, rollouts),) = own.sample([ask("x")], n=n, params=PARAMS, seed=seed)
        return [rollout.text for rollout in rollouts]

    with Upstream(
        lambda asked: Reply(status=500) if asked.number == 1 else Reply(content=str(asked.number))
    ) as upstream:
        first = draw(3)
        assert first.count("") == 1  # the failed one is not kept
        second = draw(4)
        assert len(upstream.requests) == 3 + 2
        assert [text for text in first if text] == [a for a, b in zip(second, first, strict=False) if b]
        assert draw(4) == second
        assert len(upstream.requests) == 5
        draw(1, seed=1)
        assert len(upstream.requests) == 6


def test_the_key_comes_from_the_environment_and_is_kept_nowhere(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setenv("ETALON_API_KEY", "sk-secret")
    path = tmp_path / "calls.jsonl"
    with Upstream(lambda asked: Reply(status=400) if asked.number else Reply(content="4")) as upstream:
        settings = EndpointSettings(urls=(upstream.url,), model="toy", concurrency=1)
        own = EndpointSampler(settings, journal=path)
        ((_, rollouts),) = own.sample([ask("x")], n=2, params=PARAMS, seed=0)
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-secret"
    shown = repr(settings) + repr(vars(own)) + repr(rollouts) + path.read_text() + caplog.text
    assert "secret" not in shown


def test_check_names_the_models_that_are_served() -> None:
    with (
        Upstream(lambda asked: Reply(content="4"), models=("nano", "big")) as upstream,
        pytest.raises(InputError, match="serves no model 'toy'; it lists nano, big"),
    ):
        sampler(upstream.url).check()
    with dead_port() as dead, pytest.raises(InputError, match="cannot be reached"):
        sampler(dead).check()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("https://host/api/v3/chat/completions", "https://host/api/v3"),
    ],
)
def test_urls_are_read_as_people_write_them(given: str, meant: str) -> None:
    assert EndpointSettings(urls=(given,), model="toy").urls == (meant,)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "", "http://", "http://user:sk-1@host/v1"])
def test_what_is_no_url_is_refused_without_showing_credentials(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EndpointSettings(urls=(url,), model="toy")
    assert "sk-1" not in str(caught.value)


def test_connections_are_used_again() -> None:
    with Upstream(lambda asked: Reply(content="4")) as upstream:
        list(sampler(upstream.url, concurrency=1).sample([ask("x")], n=5, params=PARAMS, seed=0))
    assert len({asked.client for asked in upstream.requests}) == 1


def test_several_turns_are_sent_as_they_are() -> None:
    conversation = (
        Message(role="system", content="s"), Message(role="user", content="a"),
        Message(role="assistant", content="b"), Message(role="user", content="c"),
    )  # fmt: skip
    with Upstream(lambda asked: Reply(content="4")) as upstream:
        list(sampler(upstream.url).sample([conversation], n=1, params=PARAMS, seed=0))
    assert [message["role"] for message in upstream.requests[0].body["messages"]] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip
