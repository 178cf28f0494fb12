"""A vLLM server for one checkpoint, started for as long as somebody samples from it.

    serve(checkpoint) -> Child: vllm.entrypoints.openai.api_server on 127.0.0.1 -> EndpointSampler

vLLM pins versions that no training engine can share, so it usually lives in an environment of its own: the recipe
names that environment's Python.
"""

from __future__ import annotations

import secrets
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etalon.errors import InputError, RunError
from etalon.processes.children import Child
from etalon.recipe import SamplerSpec
from etalon.sampling.endpoint import EndpointSampler, EndpointSettings
from etalon.types import Conversation, Rollout, Sampler, SamplingParams, Stop

LOOK_SECONDS = 0.5  # (ours)
DEATH_SECONDS = 15.0  # (ours) until the end of a server that does not answer is known


@contextmanager
def serve(checkpoint: Path, spec: SamplerSpec, *, folder: Path) -> Iterator[Sampler]:
    """A sampler over a server of the checkpoint; the server ends with the block, or with this process.

    folder: gets vllm.log and the chat template. RunError with the log's last lines when it does not start.
    """
    template = folder / "chat_template.jinja"
    template.parent.mkdir(parents=True, exist_ok=True)
    template.write_text(_chat_template(checkpoint), encoding="utf-8")
    port, name = _free_port(), f"etalon-{secrets.token_hex(4)}"  # whoever else takes the port serves no such model
    url = f"http://127.0.0.1:{port}"
    parts = command(checkpoint, spec, template=template, port=port, name=name)
    with Child(parts, log=folder / "vllm.log") as server:
        _wait_until_ready(server, url, seconds=spec.start_seconds)
        sampler = EndpointSampler(
            EndpointSettings(urls=(f"{url}/v1",), model=name, concurrency=spec.concurrency, key_variable="")
        )
        sampler.check()
        yield ServedSampler(sampler, server)


def command(checkpoint: Path, spec: SamplerSpec, *, template: Path, port: int, name: str) -> list[str]:
    """How the server is started. Sampling defaults come from vLLM, not from the checkpoint's generation config."""
    return [
        spec.python or sys.executable, "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(checkpoint), "--served-model-name", name, "--host", "127.0.0.1", "--port", str(port),
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
            if any(rollout.stop is Stop.ERROR for rollout in rollouts):
                self._wait_for_its_end()
            if self.server.status is not None:
                raise RunError(f"the vLLM server {self.server.how_it_ended()}")
            yield number, rollouts

    def _wait_for_its_end(self) -> None:
        """A request failed for good: give a server that died the time to be seen dead, unless it still answers."""
        deadline = time.monotonic() + DEATH_SECONDS
        while self.server.status is None and time.monotonic() < deadline:
            try:
                self.inner.check()
            except InputError:
                time.sleep(LOOK_SECONDS)
            else:
                return


def _chat_template(checkpoint: Path) -> str:
    from etalon.model import loader

    template: str | dict[str, str] = loader.load_tokenizer(checkpoint).chat_template
    return template if isinstance(template, str) else template["default"]


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
