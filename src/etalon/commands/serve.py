"""`etalon serve` and `etalon sandbox`: the CLR proxy and the sandbox, as services over HTTP."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Annotated

import typer

from etalon.commands.options import IsolationOption, isolation_of
from etalon.errors import ConfigError

UpstreamOption = Annotated[
    list[str],
    typer.Option("--upstream", metavar="URL", help="Base URL such as http://localhost:8000/v1; repeat for several."),
]
ModelOption = Annotated[str, typer.Option(metavar="NAME", help="The upstream's model.")]


def serve(
    upstream: UpstreamOption,
    model: ModelOption = "",
    host: Annotated[str, typer.Option(help="Other addresses need the key in ETALON_PROXY_KEY.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any free one.")] = 8799,
    k: Annotated[int, typer.Option("-k", help="Trajectories per answer, unless a request says otherwise.")] = 32,
    m: Annotated[int, typer.Option("-m", help="Claims per trajectory.")] = 5,
    prompts: Annotated[str, typer.Option(metavar="NAME|DIR", help="Folder of the CLR prompts.")] = "default",
    concurrency: Annotated[int, typer.Option(help="Requests at the same time per upstream URL.")] = 32,
    max_k: Annotated[int, typer.Option(help="Largest K a request may ask for.")] = 64,
    max_flows: Annotated[int, typer.Option(min=1, help="CLR answers under way at the same time.")] = 16,
    deadline: Annotated[float, typer.Option(metavar="SECONDS", help="Of one request to the upstream.")] = 3600.0,
) -> None:
    """Serve CLR as an OpenAI-compatible API in front of another server. Ask model clr-NAME for it.

    Requests for NAME are passed through. The upstream's key is read from ETALON_API_KEY, the key that clients of the
    proxy must send from ETALON_PROXY_KEY. An upstream that does not answer yet is a warning: it may come up later.
    """
    from etalon.sampling.endpoint import EndpointSettings
    from etalon.serve.caps import ServeSettings
    from etalon.serve.server import look
    from etalon.serve.server import serve as run

    endpoint = EndpointSettings(urls=tuple(upstream), model=model, concurrency=concurrency, deadline_seconds=deadline)
    settings = ServeSettings(
        upstream=endpoint, host=host, port=port, k=k, m=m, prompts=prompts, max_k=max_k, max_flows=max_flows
    )

    def announce(url: str) -> None:
        seen = look(endpoint)
        for warning in seen.warnings:
            typer.echo(f"warning: {warning}", err=True)
        typer.echo(f"{url} -> {', '.join(endpoint.urls)}; ask for {seen.names}")

    def show(line: str) -> None:
        with suppress(OSError):  # a console that was closed ends no request
            typer.echo(line, err=True)

    run(settings, announce=announce, show=show)


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8798,
    host: Annotated[str, typer.Option(help="Where to listen; anything but this machine needs a key.")] = "127.0.0.1",
    key_env: Annotated[
        str, typer.Option(metavar="NAME", help="Environment variable with the key that senders must show.")
    ] = "ETALON_SANDBOX_KEY",
    workers: Annotated[int, typer.Option(min=1, help="Programs at a time.")] = os.cpu_count() or 1,
    waiting: Annotated[int, typer.Option(min=0, help="Requests kept waiting; more are told to come back.")] = 256,
    request_mb: Annotated[int, typer.Option(min=1, max=1024, help="Largest request.")] = 64,
    isolation: IsolationOption = None,
) -> None:
    """Serve SandboxFusion's POST /run_code from the sandbox of this machine (Python, and C++ with a compiler).

    Point a trainer's sandbox_fusion url at it. `stdins`, a list in place of `stdin`, runs one program on many inputs.
    """
    key = os.environ.get(key_env, "")
    if key and len(key) < 16:
        raise ConfigError(f"{key_env}: the key is shorter than 16 characters")
    from etalon.sandbox import LocalSandbox, SandboxPool, read_way
    from etalon.serve.sandbox import SandboxService, ServiceLimits, bind
    from etalon.serve.sandbox import serve as run

    way = read_way(isolation_of(isolation))
    listener = bind(host, port, key=key, key_env=key_env)
    limits = ServiceLimits(workers=workers, waiting=waiting, request_mb=request_mb)
    with listener, SandboxPool(workers=workers, isolation=way) as pool:
        address = f"[{host}]" if ":" in host else host
        typer.echo(f"http://{address}:{listener.getsockname()[1]}/run_code")
        run(SandboxService(LocalSandbox(pool), limits, key=key), listener)
