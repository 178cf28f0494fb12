"""A vLLM server for one checkpoint, started for as long as somebody samples from it.

    serve(checkpoint) -> Child: vllm.entrypoints.openai.api_server on 127.0.0.1 -> EndpointSampler

vLLM pins versions that no training engine can share, so it usually lives in an environment of its own: the recipe
names that environment's Python.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etalon.children import Child
from etalon.errors import RunError
from etalon.recipe import SamplerSpec
from etalon.sampling.endpoint import EndpointSampler, EndpointSettings
from etalon.types import Conversation, Rollout, Sampler, SamplingParams

NAME = "etalon"
LOOK_SECONDS = 0.5  # (ours)


@contextmanager
def serve(checkpoint: Path, spec: SamplerSpec, *, folder: Path) -> Iterator[Sampler]:
    """A sampler over a server of the checkpoint; the server ends with the block, or with this process.

    folder: gets vllm.log and the chat template. RunError with the log's last lines when it does not start.
    """
    template = folder / "chat_template.jinja"
    template.parent.mkdir(parents=True, exist_ok=True)
    template.write_text(_chat_template(checkpoint), encoding="utf-8")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with Child(command(checkpoint, spec, template=template, port=port), log=folder / "vllm.log") as server:
        _wait_until_ready(server, url, seconds=spec.start_seconds)
        settings = EndpointSettings(urls=(f"{url}/v1",), model=NAME, concurrency=spec.concurrency)
        yield ServedSampler(EndpointSampler(settings), server)


def command(checkpoint: Path, spec: SamplerSpec, *, template: Path, port: int) -> list[str]:
    """How the server is started. Sampling defaults come from vLLM, not from the checkpoint's generation config."""
    return [
        spec.python or sys.executable, "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(checkpoint), "--served-model-name", NAME, "--host", "127.0.0.1", "--port", str(port),
        "--generation-config", "vllm", "--chat-template", str(template), *spec.arguments,
    ]  # fmt: skip


@dataclass(frozen=True)
class ServedSampler:
    """An `EndpointSampler` that notices the death of its server."""

    inner: EndpointSampler
    server: Child

    @property
    def name(self) -> str:
        return self.inner.name

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """As of the endpoint; RunError once the server is gone, instead of rollouts that all failed."""
        for number, rollouts in self.inner.sample(conversations, n=n, params=params, seed=seed):
            if self.server.status is not None:
                raise RunError(f"the vLLM server {self.server.how_it_ended()}")
            yield number, rollouts


def _chat_template(checkpoint: Path) -> str:
    from etalon import models

    template: str = models.load_tokenizer(checkpoint).chat_template
    return template


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: Child, url: str, *, seconds: float) -> None:
    import httpx2

    deadline = time.monotonic() + seconds
    with httpx2.Client(trust_env=False, timeout=LOOK_SECONDS) as client:
        while time.monotonic() < deadline:
            if server.status is not None:
                raise RunError(f"the vLLM server {server.how_it_ended()}")
            try:
                if client.get(f"{url}/health").status_code == 200:
                    return
            except httpx2.TransportError:
                time.sleep(LOOK_SECONDS)
    raise RunError(f"the vLLM server did not answer within {seconds:g} s; see {server.log}, or raise start_seconds")
