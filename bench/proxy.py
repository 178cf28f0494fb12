"""The proxy under load: 200 clients at once over an upstream that is slow, refuses, cuts off and talks nonsense.

alone    one client, request after request, straight to the upstream and through the proxy in turns
latency  all clients, whose upstream takes 5 seconds, in the same way: added latency, p50 and p99
load     every client asks question after question; every answer must be its own, every failure well-formed;
         the proxy's memory after the first tenth and at the end

Upstream, proxy and clients are three processes. On a machine that is busy with other work the latency of all three
is the scheduler's: the added CPU per request, printed too, is what the proxy itself takes.

    python bench/proxy.py [--clients 200] [--seconds 30]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

TARGET_MS = 15.0
THINK_SECONDS = 5.0  # of the upstream per request in the latency part
FAULTS = ("none", "none", "none", "429", "503", "cut", "garbage", "half", "slow", "html")


async def respond(writer: asyncio.StreamWriter, status: str, content: bytes, kind: str = "application/json") -> None:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    await writer.drain()


def said(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "x", "object": "chat.completion", "model": "toy", "choices": [choice]}).encode()


def events(text: str) -> list[bytes]:
    deltas = [{"content": word} for word in text.split()]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    bodies = [json.dumps({"id": "x", "model": "toy", "choices": [choice]}) for choice in choices]
    return [f"data: {body}\n\n".encode() for body in [*bodies, "[DONE]"]]


async def stream(writer: asyncio.StreamWriter, text: str, fault: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for number, block in enumerate(events(text)):
        if fault == "cut" and number == 3:
            raise ConnectionError
        if fault == "half" and number == 2:
            block = block[: len(block) // 2] + b"\n\n"
        writer.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.05 if fault == "slow" else 0.002)
    writer.write(b"0\r\n\r\n")


def run_upstream(port: Connection) -> None:
    """Echoes the question, after as long and with the fault that the question names."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length")), 0)
                request = json.loads(await reader.readexactly(length))
                question = request["messages"][-1]["content"]
                fault, seconds = question.split()[:2]
                await asyncio.sleep(float(seconds))
                if fault in ("429", "503"):
                    await respond(writer, f"{fault} No", b'{"error": {"message": "no"}}')
                elif fault == "html" or (fault == "garbage" and request.get("stream")):
                    await respond(writer, "502 Bad", b"<html>bad gateway</html>", "text/html")
                elif request.get("stream"):
                    await stream(writer, question, fault)
                elif fault == "cut":
                    raise ConnectionError
                elif fault in ("garbage", "half"):
                    await respond(writer, "200 OK", said(question)[:-20])
                else:
                    await respond(writer, "200 OK", said(question))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def run_proxy(port: Connection, upstream: str) -> None:
    from etalon.sampling.endpoint import EndpointSettings
    from etalon.serve.caps import ServeSettings
    from etalon.serve.server import serve

    settings = ServeSettings(upstream=EndpointSettings(urls=(upstream,), model="toy"), port=0)
    serve(settings, announce=port.send)


class Side:
    """One connection of one client: as little as HTTP needs, so that the clients do not slow the measurement down."""

    def __init__(self, base: str) -> None:
        self.host, port = base.removeprefix("http://").removesuffix("/v1").split(":")
        self.port = int(port)
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def ask(self, question: str, *, streams: bool) -> tuple[str, str]:
        """(the text, ""), or ("", the kind of well-formed error); AssertionError for anything else."""
        status, body = await self._post(question, streams)
        if status != 200:
            assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}, body
            return "", str(status)
        if not streams:
            return str(json.loads(body)["choices"][0]["message"]["content"]), ""
        lines = [line.removeprefix("data: ") for line in body.decode().splitlines() if line.startswith("data: ")]
        assert lines[-1] == "[DONE]", body
        chunks: list[dict[str, Any]] = [json.loads(line) for line in lines[:-1]]
        if "error" in chunks[-1]:
            return "", "error event"
        return " ".join(c["choices"][0]["delta"].get("content") or "" for c in chunks).strip(), ""

    async def _post(self, question: str, streams: bool) -> tuple[int, bytes]:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        assert self.reader is not None
        request = {"model": "toy", "stream": streams, "messages": [{"role": "user", "content": question}]}
        content = json.dumps(request).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(content)}\r\n\r\n"
        self.writer.write(head.encode() + content)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length")), None)
        if length is not None:
            return int(lines[0].split()[1]), await self.reader.readexactly(length)
        blocks = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            blocks.append((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readexactly(2)
        return int(lines[0].split()[1]), b"".join(blocks)


async def latency(direct: str, proxied: str, args: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each request beyond the upstream's own time, of both sides, with all clients spread over a second."""
    bases = {"direct": direct, "proxy": proxied}
    taken: dict[str, list[float]] = {name: [] for name in bases}

    async def one(number: int, rounds: int) -> None:
        sides = {name: Side(base) for name, base in bases.items()}
        await asyncio.sleep(THINK_SECONDS * number / args.clients)
        for turn in range(rounds):
            for name, side in sides.items():
                question = f"none {THINK_SECONDS} {number} {turn}"
                started = time.perf_counter()
                text, error = await side.ask(question, streams=False)
                assert (text, error) == (question, "")
                if turn:  # the first opens the connections
                    taken[name].append(time.perf_counter() - started - THINK_SECONDS)

    await asyncio.gather(*(one(number, args.rounds + 1) for number in range(args.clients)))
    return taken


async def alone(direct: str, proxied: str, count: int) -> dict[str, list[float]]:
    """Seconds of one client's requests, one after the other, to both sides in turns."""
    sides = {"direct": Side(direct), "proxy": Side(proxied)}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(count):
        for name, side in sides.items():
            question = f"none 0 {turn}"
            started = time.perf_counter()
            assert await side.ask(question, streams=False) == (question, "")
            taken[name].append(time.perf_counter() - started)
    return taken


async def load(proxied: str, args: argparse.Namespace, memory: Callable[[], float]) -> None:
    """Ask with faults for a while; print what came of it."""
    outcomes: Counter[str] = Counter()
    sizes: list[float] = []
    end = time.monotonic() + args.seconds

    async def one(number: int) -> None:
        rng, side = random.Random(number), Side(proxied)
        turn = 0
        while time.monotonic() < end:
            turn += 1
            question = f"{rng.choice(FAULTS)} {rng.choice((0, 0.01, 0.2))} client {number} turn {turn}"
            text, error = await side.ask(question, streams=rng.random() < 0.5)
            assert text == question or error, (question, text)
            outcomes[error or "answered"] += 1

    async def watch() -> None:
        while time.monotonic() < end:
            await asyncio.sleep(args.seconds / 20)
            sizes.append(memory())

    await asyncio.gather(watch(), *(one(number) for number in range(args.clients)))
    print(f"load: {sum(outcomes.values()):,} requests of {args.clients} clients, each answered or a well-formed error")
    print("     " + ", ".join(f"{kind} {count:,}" for kind, count in outcomes.most_common()))
    print(f"memory: {sizes[1]:.1f} MB after a tenth, {sizes[-1]:.1f} MB at the end, ratio {sizes[-1] / sizes[1]:.2f}")


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def measure(upstream: str, proxy: str, pid: int, args: argparse.Namespace) -> None:
    before = cpu_seconds(pid)
    single = await alone(upstream, proxy, args.alone)
    print(f"proxy CPU: {1e3 * (cpu_seconds(pid) - before) / args.alone:.2f} ms per request")
    taken = await latency(upstream, proxy, args)
    await load(proxy, args, lambda: memory_mb(pid))
    show("one client", single)
    show(f"{args.clients} clients", taken)


def show(title: str, taken: dict[str, list[float]]) -> None:
    """Print both sides' quantiles and what the proxy adds to each."""
    cuts = {name: statistics.quantiles(values, n=100) for name, values in taken.items()}
    for name, own in cuts.items():
        print(f"{title}, {name}: p50 {1e3 * own[49]:.1f} ms, p99 {1e3 * own[98]:.1f} ms over the upstream's own time")
    added = [1e3 * (cuts["proxy"][at] - cuts["direct"][at]) for at in (49, 98)]
    print(f"{title}, added: p50 {added[0]:.1f} ms, p99 {added[1]:.1f} ms (target {TARGET_MS:.0f} ms)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3, help="requests per client and side in the latency part")
    parser.add_argument("--alone", type=int, default=500, help="requests of the part with one client")
    parser.add_argument("--seconds", type=float, default=30, help="of the load part")
    args = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    processes = []
    try:
        here, there = multiprocessing.Pipe()
        processes.append(spawn.Process(target=run_upstream, args=(there,), daemon=True))
        processes[-1].start()
        upstream = f"http://127.0.0.1:{here.recv()}/v1"
        here, there = multiprocessing.Pipe()
        processes.append(spawn.Process(target=run_proxy, args=(there, upstream), daemon=True))
        processes[-1].start()
        asyncio.run(measure(upstream, here.recv(), processes[-1].pid or 0, args))
    finally:
        for process in processes:
            process.kill()


if __name__ == "__main__":
    main()
