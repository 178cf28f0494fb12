"""What the proxy serves, where, and what one client may ask of it. Numbers are (ours)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from etalon.errors import ConfigError
from etalon.sampling.endpoint import EndpointSettings

PROXY_KEY_VARIABLE = "ETALON_PROXY_KEY"  # environment variable of the key that clients of the proxy must send


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The proxy's upstream, address and caps.

    upstream: its `model` is used when a request names none ("" then is an error of the request).
    prompts: folder of the CLR prompts, packaged or a path.
    max_k, max_m: the largest K and M of one request. max_flows: CLR answers under way at the same time.
    max_requests: requests of any kind under way. body_seconds: how long a client may take to send its body.
    heartbeat_seconds: the longest silence on a stream.
    """

    upstream: EndpointSettings
    host: str = "127.0.0.1"
    port: int = 8799
    k: int = 32
    m: int = 5
    prompts: str = "default"
    max_k: int = 64
    max_m: int = 16
    max_flows: int = 16
    max_requests: int = 1024
    max_body_bytes: int = 8 * 2**20
    body_seconds: float = 60.0
    heartbeat_seconds: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.port < 2**16:
            raise ConfigError(f"--port {self.port}: use a number from 0 to 65535")
        if not 2 <= self.k <= self.max_k:
            raise ConfigError(f"-k {self.k}: use 2 to {self.max_k}")
        if not 1 <= self.m <= self.max_m:
            raise ConfigError(f"-m {self.m}: use 1 to {self.max_m}")


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    name = host.strip("[]").lower()
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_key(host: str, key: str) -> None:
    """ConfigError when other machines could reach the proxy without a key."""
    if not key and not is_local(host):
        raise ConfigError(
            f"--host {host}: other machines could use it; set {PROXY_KEY_VARIABLE} to the key they must send, "
            "or bind 127.0.0.1"
        )
