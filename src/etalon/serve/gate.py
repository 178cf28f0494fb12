"""Who may call the proxy or the sandbox: whoever has the key; without one, this machine, and no foreign web page."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from etalon.serve.api_error import ApiError
from etalon.serve.caps import PROXY_KEY_VARIABLE, is_local


def admit(headers: Mapping[str, str], key: str, *, name: str = "the proxy", key_name: str = PROXY_KEY_VARIABLE) -> None:
    """ApiError unless the request may be served. With an empty `key` the service is bound to this machine.

    name, key_name: of the service and of its key, for the messages.
    A page of another site can make a browser on this machine send requests here, under its own name (DNS rebinding)
    or across origins: neither `Host` nor `Origin` may then be foreign.
    """
    if key:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), key.encode()):
            raise ApiError(401, f"{name} needs its key, {key_name}, as a bearer token", code="invalid_api_key")
        return
    if not is_local(_host_of(f"//{headers.get('host', '')}")):
        raise ApiError(403, f"{name} has no key and answers requests to localhost only", code="foreign_host")
    origin = headers.get("origin")
    if origin is not None and not is_local(_host_of(origin)):
        raise ApiError(403, f"{name} has no key and answers no web pages of other sites", code="foreign_origin")


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
