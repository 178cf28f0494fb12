"""Random schedules of faults, clients and departures: everything ends, as an answer or a well-formed error.

Times are virtual seconds; a schedule is played SPEED times as fast. The slow test plays an hour.
"""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from clr_model import clr_reply
from etalon.sampling.endpoint import EndpointSettings, retry
from etalon.serve.app import create_app
from etalon.serve.caps import ServeSettings
from upstream import Asked, Reply, Upstream, event, serving

pytestmark = pytest.mark.live

SPEED = 100.0
DEADLINE = 120.0  # of one request to the upstream
FAULTS = (
    "none", "none", "none", "none", "429", "503", "400", "cut", "half", "garbage", "loris", "hang", "silent cut",
    "error event", "html", "empty", "truncated", "gibberish",
)  # fmt: skip
QUIET = settings(deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class Visit:
    """One client's request. at, leaves: virtual seconds; None stays to the end. faults: of the upstream, in turns."""

    at: float
    leaves: float | None
    is_clr: bool
    streams: bool
    k: int
    seed: int
    faults: tuple[str, ...]


VISITS = st.lists(
    st.builds(
        Visit,
        at=st.floats(0, 30),
        leaves=st.none() | st.none() | st.floats(0, 40),
        is_clr=st.booleans(),
        streams=st.booleans(),
        k=st.integers(2, 6),
        seed=st.integers(0, 2**20),
        faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=8).map(tuple),
    ),
    min_size=4,
    max_size=16,
)


class World:
    """A proxy over an upstream that finds its faults written in the questions."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.played = 0.0  # virtual seconds
        self._asked: Counter[str] = Counter()
        self._visitors = 0

    def script(self, asked: Asked) -> Reply:
        messages = [message["content"] for message in asked.body["messages"]]
        head = next(text for text in messages if "visit:" in text).split("visit:")[1].split(";")[0]
        number, _, faults = head.partition(" ")
        names = faults.split(",")
        fault = names[self._asked[number] % len(names)]
        self._asked[number] += 1
        return reply(fault, asked, answer=str(1000 + int(number)))

    async def app(self, scope, receive, send) -> None:
        if scope["type"] == "http":
            self.loop = asyncio.get_running_loop()
        await self._app(scope, receive, send)

    def run(self) -> Iterator["World"]:
        with Upstream(self.script) as self.upstream:
            endpoint = EndpointSettings(
                urls=(self.upstream.url,), model="toy", concurrency=8, deadline_seconds=DEADLINE / SPEED, retries=3
            )
            self._app = create_app(ServeSettings(upstream=endpoint, heartbeat_seconds=10 / SPEED))
            with serving(self.app) as self.base:
                yield self

    def play(self, visits: list[Visit]) -> None:
        """Every visit ends as it should, and nothing of it stays behind."""
        started = time.monotonic()
        asyncio.run(self._play(visits))
        self.played += (time.monotonic() - started) * SPEED

    async def _play(self, visits: list[Visit]) -> None:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(
            base_url=self.base, timeout=60, trust_env=False, verify=False, limits=limits
        ) as client:
            await client.get("/health")
            first = self._visitors
            self._visitors += len(visits)
            await asyncio.gather(*(self._visit(client, first + i, visit) for i, visit in enumerate(visits)))
            await self._settle(client)

    async def _visit(self, client: httpx2.AsyncClient, number: int, visit: Visit) -> None:
        await asyncio.sleep(visit.at / SPEED)
        try:
            async with asyncio.timeout(None if visit.leaves is None else visit.leaves / SPEED):
                outcome = await ask_proxy(client, number, visit)
        except TimeoutError:
            outcome = "left"
        self.outcomes[outcome] += 1

    async def _settle(self, client: httpx2.AsyncClient) -> None:
        """All work has ended: nothing runs in the proxy or upstream, and the proxy's loop has no task left over."""
        deadline = time.monotonic() + 20
        while True:
            page = (await client.get("/metrics")).text
            tasks = [task for task in asyncio.all_tasks(self.loop) if not task.done()]
            is_idle = "etalon_requests_running 0" in page and "etalon_clr_running 0" in page
            if is_idle and self.upstream.active == 0 and len(tasks) <= 3:  # the server, its lifespan, this request
                return
            assert time.monotonic() < deadline, (page, self.upstream.active, tasks)
            await asyncio.sleep(0.02)


async def ask_proxy(client: httpx2.AsyncClient, number: int, visit: Visit) -> str:
    """How a request ended; AssertionError when that is neither an answer to it nor a well-formed error."""
    request = {
        "model": "clr-toy" if visit.is_clr else "toy",
        "messages": [{"role": "user", "content": f"visit:{number} {','.join(visit.faults)}; 6*7?"}],
        "stream": visit.streams,
        "seed": visit.seed,
    } | ({"clr": {"k": visit.k}} if visit.is_clr else {})
    response = await client.post("/v1/chat/completions", json=request)
    if response.status_code != 200:
        return check_error(response.json())
    if not visit.streams:
        return check_answer(json.dumps(response.json()), number)
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    if "error" in chunks[-1]:
        return check_error(chunks[-1])
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    return check_answer("".join(delta.get("content") or "" for delta in deltas), number)


def reply(fault: str, asked: Asked, *, answer: str) -> Reply:
    """What the upstream does with one request."""
    good = clr_reply(asked, right=answer, wrong=answer, between=0.05 / SPEED)
    streams = bool(asked.body.get("stream"))
    start = event({"content": "so "})
    died = (
        event({"content": "so "}) + b'data: {"error": {"message": "died", "type": "x", "param": null, "code": 500}}\n\n'
    )
    replies = {
        "none": good,
        "429": Reply(status=429, headers={"retry-after": "0"}),
        "503": Reply(status=503, body=b"<html>busy</html>"),
        "400": Reply(status=400, body=b'{"error": {"message": "no"}}'),
        "cut": Reply(content=good.content, cut_after=2) if streams else Reply(status=502, body=b""),
        "half": Reply(raw=(start, b'data: {"choices": [{"del\n\n')) if streams else Reply(body=b'{"choices": ['),
        "garbage": Reply(raw=(start, b"data: \xff\xfe\x00\n\n")) if streams else Reply(body=b"\xff\xfe\x00"),
        "loris": Reply(content=good.content, between=3 / SPEED, before=3 / SPEED),
        "hang": Reply(content=good.content, before=10 * DEADLINE / SPEED),
        "silent cut": Reply(raw=(start,)) if streams else Reply(body=b""),
        "error event": Reply(raw=(died,)) if streams else Reply(status=500),
        "html": Reply(body=b"<html>hello</html>", headers={"content-type": "text/html"}),
        "empty": Reply(raw=()) if streams else Reply(status=500, body=b"{}"),
        "truncated": Reply(content="I think that", finish="length"),
        "gibberish": Reply(content="<claims> 1 " + "x" * 50),
    }
    return replies[fault]


def check_error(body: dict) -> str:
    assert set(body["error"]) == {"message", "type", "param", "code"}, body
    assert body["error"]["message"]
    return f"error: {body['error']['code']}"


def check_answer(text: str, number: int) -> str:
    """An answer in a box is the one to its own question: none was mixed up."""
    if "boxed{" in text:
        assert f"boxed{{{1000 + number}}}" in text
    return "answered"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(retry, "BASE_SECONDS", 0.5 / SPEED)
    yield from World().run()


def test_random_faults_end_in_an_answer_or_a_well_formed_error(world: World) -> None:
    @seed(7)
    @settings(QUIET, max_examples=3)
    @given(VISITS)
    def played(visits: list[Visit]) -> None:
        world.play(visits)

    played()
    assert sum(world.outcomes.values()) >= 12


@pytest.mark.slow
def test_an_hour_of_random_faults_leaves_nothing_behind(world: World) -> None:
    files: list[int] = []

    @seed(7)
    @settings(QUIET, max_examples=300)
    @given(VISITS)
    def played(visits: list[Visit]) -> None:
        if world.played < 3600:
            world.play(visits)
            files.append(len(os.listdir("/proc/self/fd")))

    played()
    assert world.played >= 3600
    assert world.outcomes["answered"] > 20
    assert world.outcomes["left"] > 3  # how many leave in time depends on the machine
    assert max(files[-5:]) <= max(files[:5]) + 40  # idle connections to the upstream are kept for a while
    print(world.outcomes, files)  # noqa: T201
