"""`etalon serve`: CLR in front of any OpenAI-compatible server."""

from __future__ import annotations

from typing import Annotated

import typer

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
    from etalon.serve.server import serve as run
    from etalon.serve.startup import look

    endpoint = EndpointSettings(urls=tuple(upstream), model=model, concurrency=concurrency, deadline_seconds=deadline)
    settings = ServeSettings(
        upstream=endpoint, host=host, port=port, k=k, m=m, prompts=prompts, max_k=max_k, max_flows=max_flows
    )

    def announce(url: str) -> None:
        seen = look(endpoint)
        for warning in seen.warnings:
            typer.echo(f"warning: {warning}", err=True)
        typer.echo(f"{url} -> {', '.join(endpoint.urls)}; ask for {seen.names}")

    run(settings, announce=announce)
