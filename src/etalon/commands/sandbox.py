"""`etalon sandbox`: offer the sandbox of this machine as a service."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from etalon.errors import ConfigError


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8798,
    host: Annotated[str, typer.Option(help="Where to listen; anything but this machine needs a key.")] = "127.0.0.1",
    key_env: Annotated[
        str, typer.Option(metavar="NAME", help="Environment variable with the key that senders must show.")
    ] = "ETALON_SANDBOX_KEY",
    workers: Annotated[int, typer.Option(min=1, help="Programs at a time.")] = os.cpu_count() or 1,
    waiting: Annotated[int, typer.Option(min=0, help="Requests kept waiting; more are told to come back.")] = 256,
    request_mb: Annotated[int, typer.Option(min=1, max=1024, help="Largest request.")] = 64,
) -> None:
    """Serve SandboxFusion's POST /run_code from the sandbox of this machine (Python, and C++ with a compiler).

    Point a trainer's sandbox_fusion url at it. `stdins`, a list in place of `stdin`, runs one program on many inputs.
    """
    key = os.environ.get(key_env, "")
    if key and len(key) < 16:
        raise ConfigError(f"{key_env}: the key is shorter than 16 characters")
    from etalon.sandbox import SandboxPool
    from etalon.sandbox.choice import LocalSandbox
    from etalon.serve.sandbox import SandboxService, ServiceLimits, bind, serve

    listener = bind(host, port, key=key, key_env=key_env)
    limits = ServiceLimits(workers=workers, waiting=waiting, request_mb=request_mb)
    with listener, SandboxPool(workers=workers) as pool:
        address = f"[{host}]" if ":" in host else host
        typer.echo(f"http://{address}:{listener.getsockname()[1]}/run_code")
        serve(SandboxService(LocalSandbox(pool), limits, key=key), listener)
