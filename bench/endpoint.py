"""Client CPU per streamed chunk: EndpointSampler.complete against the official openai SDK, in one run.

burst    the server sends as fast as it can, so that many chunks come in one read
paced    one chunk per stream every few milliseconds, as a model sends them: one read per chunk

The server is a process of its own; only the CPU seconds of the client count, so that a busy machine does not decide.
The two sides take turns over several rounds; both read every chunk and put the text together. The ratio comes last.
Needs the SDK: pip install openai

    python bench/endpoint.py [--streams 8] [--chunks 2000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

import openai

from etalon.sampling.endpoint import EndpointSampler, EndpointSettings
from etalon.types import SamplingParams, Stop, ask

TARGET = 0.5  # of the SDK's CPU per chunk
PACE_SECONDS = 0.004
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(number: int) -> bytes:
    choice = {"index": 0, "delta": {"content": f"word{number} "}, "logprobs": None, "finish_reason": None}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "toy", "choices": [choice]}
    return framed(b"data: " + json.dumps(body).encode() + b"\n\n")


def framed(block: bytes) -> bytes:
    return f"{len(block):x}\r\n".encode() + block + b"\r\n"


def ending(num_chunks: int) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "toy"}
    stop = head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"prompt_tokens": 5, "completion_tokens": num_chunks, "total_tokens": 5 + num_chunks}
    events = [json.dumps(stop), json.dumps(head | {"choices": [], "usage": usage}), "[DONE]"]
    return b"".join(framed(f"data: {event}\n\n".encode()) for event in events) + b"0\r\n\r\n"


def run_server(port: Connection, num_chunks: int) -> None:
    """Answer every request with `num_chunks` chunks; the model's name says at what pace."""
    chunks, tail = [chunk(number) for number in range(num_chunks)], ending(num_chunks)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
                request = json.loads(await reader.readexactly(length))
                writer.write(HEAD)
                for block in chunks:
                    writer.write(block)
                    await (asyncio.sleep(PACE_SECONDS) if request["model"] == "paced" else writer.drain())
                writer.write(tail)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


async def ours(url: str, model: str, num_streams: int) -> list[int]:
    """Characters of each response through EndpointSampler."""
    sampler = EndpointSampler(EndpointSettings(urls=(url,), model=model))
    params = SamplingParams(max_tokens=None)
    rollouts = await asyncio.gather(*(sampler.complete(ask("hi"), params, seed=i) for i in range(num_streams)))
    await sampler.aclose()
    assert all(rollout.stop is Stop.EOS for rollout in rollouts)
    return [len(rollout.text) for rollout in rollouts]


async def theirs(url: str, model: str, num_streams: int) -> list[int]:
    """Characters of each response through the SDK."""
    client = openai.AsyncOpenAI(base_url=url, api_key="none")

    async def one(seed: int) -> int:
        parts = []
        stream = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hi"}], seed=seed, stream=True,
            stream_options={"include_usage": True},
        )  # fmt: skip
        async for event in stream:
            if event.choices and event.choices[0].delta.content:
                parts.append(event.choices[0].delta.content)
        return len("".join(parts))

    sizes = await asyncio.gather(*(one(seed) for seed in range(num_streams)))
    await client.close()
    return list(sizes)


Side = Callable[[str, str, int], Awaitable[list[int]]]


def measure(url: str, model: str, args: argparse.Namespace) -> float:
    """Print microseconds of CPU per chunk of both sides; returns ours over theirs."""
    sides: dict[str, Side] = {"EndpointSampler": ours, "openai SDK": theirs}
    seconds = dict.fromkeys(sides, 0.0)
    sizes: set[int] = set()
    for side in sides.values():  # imports and caches, outside the clock
        asyncio.run(side(url, model, 1))
    for number in range(args.rounds):
        for name, side in sides.items():
            started = time.process_time()
            sizes.update(asyncio.run(side(url, model, args.streams)))
            taken = time.process_time() - started
            seconds[name] += taken
            print(
                f"{model:5} round {number + 1} {name:15} {1e6 * taken / args.streams / args.chunks:6.1f} us per chunk"
            )
    assert len(sizes) == 1, "every response is the same text, whole"
    return seconds["EndpointSampler"] / seconds["openai SDK"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--chunks", type=int, default=2000, help="per stream")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=run_server, args=(there, args.chunks), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    try:
        ratios = {model: measure(url, model, args) for model in ("burst", "paced")}
    finally:
        server.kill()
    for model, ratio in ratios.items():
        print(f"{model}: {ratio:.2f} of the SDK's CPU per chunk (target {TARGET:.2f})")


if __name__ == "__main__":
    main()
