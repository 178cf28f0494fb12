"""What an evaluation costs beside the model: samples per second of `etalon eval` and of inspect-ai on one local server.

    python bench/eval_overhead.py --inspect PYTHON      # an interpreter that has inspect-ai and openai
    python bench/eval_overhead.py --only etalon --problems 500      # memory at 32,000 samples

The server is a process of its own that answers every request with the same kind of reasoning, 60 KB, and right on a
share of the seeds: streamed in blocks of CHUNK characters to who asks for a stream, whole to who does not. Each peer
asks as it does by default, 32 requests at a time, scores and keeps everything. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CHUNK = 1000
CONCURRENCY = 32
INSPECT = """
import json, sys, time
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate
rows = [json.loads(line) for line in open(sys.argv[1])]
data = MemoryDataset([Sample(input=r["question"], target=r["answer"], id=i) for i, r in enumerate(rows)])
task = Task(dataset=data, solver=generate(), scorer=match(location="end"), epochs=int(sys.argv[2]))
started = time.perf_counter()
[log] = eval(task, model="openai-api/local/toy", log_dir=sys.argv[3], max_connections=32, max_samples=64,
             display="none", max_retries=0)
assert log.status == "success", log.error
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


def reasoning(size: int) -> str:
    """A text of so many characters that repeats nothing exactly."""
    lines, length, number = [], 0, 0
    while length < size:
        line = f"Step {number}: if x = {number * 7919 % 10007} then the remainder is {number * 104729 % 997}. "
        lines.append(line)
        length += len(line)
        number += 1
    return "".join(lines)[:size]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, thought: str) -> None:
    """One connection, kept alive."""
    blocks = [thought[i : i + CHUNK] for i in range(0, len(thought), CHUNK)]
    usage = {"prompt_tokens": 20, "completion_tokens": len(thought) // 4, "total_tokens": len(thought) // 4 + 20}
    streamed = b"".join(
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"reasoning_content": one}}]}).encode() + b"\n\n"
        for one in blocks
    )
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                         if line.lower().startswith(b"content-length")), 0)  # fmt: skip
            body = json.loads(await reader.readexactly(size)) if size else {}
            if not body:
                content = json.dumps({"object": "list", "data": [{"id": "toy", "max_model_len": 40960}]}).encode()
                kind = b"application/json"
            else:
                number = int(body["messages"][-1]["content"].split()[2])
                final = f"\nThe answer is \\boxed{{{2 * number}}}" if body.get("stream") else f"\n{2 * number}"
                if body.get("stream"):
                    last = {"choices": [{"index": 0, "delta": {"content": final}, "finish_reason": "stop"}]}
                    told = json.dumps({"choices": [], "usage": usage}).encode()
                    content = b"".join(
                        [streamed, b"data: ", json.dumps(last).encode(), b"\n\ndata: ", told, b"\n\ndata: [DONE]\n\n"]
                    )
                    kind = b"text/event-stream"
                else:
                    message = {"role": "assistant", "content": final, "reasoning_content": thought}
                    choice = {"index": 0, "message": message, "finish_reason": "stop"}
                    whole = {"id": "x", "object": "chat.completion", "created": 0, "model": "toy"}
                    content = json.dumps(whole | {"choices": [choice], "usage": usage}).encode()
                    kind = b"application/json"
            lines = (b"HTTP/1.1 200 OK", b"content-type: " + kind, b"content-length: %d" % len(content), b"", b"")
            writer.write(b"\r\n".join(lines) + content)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def serve(ports: Any, size: int) -> None:
    """The server's process."""

    async def main() -> None:
        thought = reasoning(size)
        server = await asyncio.start_server(lambda r, w: answer(r, w, thought), "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """(seconds, MB at its peak, what it printed) of a process."""
    started = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    printed = child.stdout.read() if child.stdout else ""
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} ended with status {status}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024, printed


def size_of(folder: Path, pattern: str = "*") -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())


def ours(file: Path, url: str, folder: Path, n: int, size: int) -> dict[str, float]:
    """`etalon eval`, then its rescoring."""
    out = folder / "etalon"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = [str(Path(sys.executable).with_name("etalon")), "eval"]
    served = ["--endpoint", url, "--model", "toy", "-n", str(n), "--concurrency", str(CONCURRENCY)]
    seconds, memory, _ = measured([*run, str(file), *served, "--out", str(out), "--format", "json"], environment)
    samples = len(file.read_text().splitlines()) * n
    again, memory_again, printed = measured([*run, "--rescore", str(out), "--format", "json"], environment)
    [row] = json.loads(printed)["benchmarks"]
    assert (row["samples"], row["avg"]) == (samples, 1.0), row
    return {
        "seconds": seconds,
        "samples_per_second": samples / seconds,
        "memory_mb": memory,
        "disk_over_text": size_of(out, "*.json*") / (samples * size),
        "page_mb": size_of(out, "report.html") / 1e6,
        "rescore_seconds": again,
        "rescore_memory_mb": memory_again,
    }


def theirs(python: str, file: Path, url: str, folder: Path, n: int, size: int) -> dict[str, float]:
    """inspect-ai on the same problems; its own seconds, imports left out."""
    environment = {**os.environ, "LOCAL_API_KEY": "none", "LOCAL_BASE_URL": url, "OMP_NUM_THREADS": "1"}
    logs = folder / "inspect"
    command = [python, "-c", INSPECT, str(file), str(n), str(logs)]
    _, memory, printed = measured(command, environment)
    seconds = json.loads(printed.splitlines()[-1])["seconds"]
    samples = len(file.read_text().splitlines()) * n
    return {
        "seconds": seconds,
        "samples_per_second": samples / seconds,
        "memory_mb": memory,
        "disk_over_text": size_of(logs) / (samples * size),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inspect", metavar="PYTHON", help="an interpreter that has inspect-ai and openai")
    parser.add_argument("--only", choices=("etalon", "inspect"))
    parser.add_argument("--problems", type=int, default=30)
    parser.add_argument("-n", type=int, default=64)
    parser.add_argument("--size", type=int, default=60_000, help="characters of a response")
    asked = parser.parse_args()
    if asked.only != "etalon" and not asked.inspect:
        parser.error("name an interpreter with --inspect, or --only etalon")
    ports: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(ports, asked.size), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ports.get()}/v1"
    with tempfile.TemporaryDirectory(prefix="etalon-bench-") as name:
        folder = Path(name)
        file = folder / "sums.jsonl"
        rows = [
            {"question": f"What is {i} + {i} and nothing else?", "answer": str(2 * i)} for i in range(asked.problems)
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found: dict[str, Any] = {"samples": asked.problems * asked.n, "characters": asked.size}
        if asked.only != "inspect":
            found["etalon"] = ours(file, url, folder, asked.n, asked.size)
        if asked.only != "etalon":
            found["inspect"] = theirs(asked.inspect, file, url, folder, asked.n, asked.size)
    server.terminate()
    if not asked.only:
        found["ratio"] = found["etalon"]["samples_per_second"] / found["inspect"]["samples_per_second"]
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
