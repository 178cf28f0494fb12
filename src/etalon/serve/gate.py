"""Who may call the proxy: whoever has the key; without a key, this machine only, and no foreign web page."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from etalon.serve.errors import ApiError
from etalon.serve.settings import PROXY_KEY_VARIABLE, is_local


def admit(headers: Mapping[str, str], key: str) -> None:
    """ApiError unless the request may be served. With an empty `key` the proxy is bound to this machine.

    A page of another site can make a browser on this machine send requests here, under its own name (DNS rebinding)
    or across origins: neither `Host` nor `Origin` may then be foreign.
    """
    if key:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), key.encode()):
            raise ApiError(
                401, f"the proxy needs its key, {PROXY_KEY_VARIABLE}, as a bearer token", code="invalid_api_key"
            )
        return
    if not is_local(_host_of(f"//{headers.get('host', '')}")):
        raise ApiError(403, "the proxy has no key and answers requests to localhost only", code="foreign_host")
    origin = headers.get("origin")
    if origin is not None and not is_local(_host_of(origin)):
        raise ApiError(403, "the proxy has no key and answers no web pages of other sites", code="foreign_origin")


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
