"""Which server answers, from pages only it has, and what those say of its window and its slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from etalon.sampling.endpoint import Client, UpstreamError

PAGES = {  # where each server tells about itself, beside the API's own folder
    "vllm": "/version",
    "llamacpp": "/props",
    "ollama": "/api/version",
    "lmstudio": "/api/v0/models",
    "sglang": "/server_info",
    "sglang_old": "/get_server_info",
}


class Server(StrEnum):
    VLLM = "vLLM"
    SGLANG = "SGLang"
    LLAMACPP = "llama.cpp"
    OLLAMA = "Ollama"
    LMSTUDIO = "LM Studio"
    OTHER = "unknown server"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who answers. window: tokens of prompt and response together; slots: requests at once; None when not told."""

    server: Server
    version: str = ""
    window: int | None = None
    slots: int | None = None


async def identify(client: Client, url: str, model: str, listed: Any) -> Identity:
    """Ask for the pages and read them. A page that is not there says nothing."""
    root = url.rsplit("/", 1)[0] if url.endswith("/v1") else url
    pages = {name: await _page(client, root, path) for name, path in PAGES.items()}
    row = next((row for row in _dicts(listed, "data") if row.get("id") == model), {})
    owner = str(row.get("owned_by", "")).lower()
    sglang = pages["sglang"] or pages["sglang_old"]
    if owner == "sglang" or "tp_size" in sglang:
        return Identity(
            server=Server.SGLANG, version=_text(sglang.get("version")),
            window=_number(row.get("max_model_len")) or _number(sglang.get("context_length")),
            slots=_number(sglang.get("max_running_requests")),
        )  # fmt: skip
    if "default_generation_settings" in pages["llamacpp"] or owner == "llamacpp":
        return _llamacpp(pages["llamacpp"])
    if owner == "vllm":
        return Identity(
            server=Server.VLLM, version=_text(pages["vllm"].get("version")), window=_number(row.get("max_model_len"))
        )
    if loaded := _lmstudio_row(pages["lmstudio"], model):
        return Identity(
            server=Server.LMSTUDIO,
            window=_number(loaded.get("loaded_context_length")) or _number(loaded.get("max_context_length")),
        )
    if "version" in pages["ollama"]:
        running = await _page(client, root, "/api/ps")
        own = next((row for row in _dicts(running, "models") if model in (row.get("name"), row.get("model"))), {})
        version = _text(pages["ollama"].get("version"))
        return Identity(server=Server.OLLAMA, version=version, window=_number(own.get("context_length")))
    return Identity(server=Server.OTHER, window=_number(row.get("max_model_len")))


async def _page(client: Client, root: str, path: str) -> dict[str, Any]:
    try:
        page = await client.get_json(path, url=root)
    except UpstreamError:
        return {}
    return page if isinstance(page, dict) else {}


def _llamacpp(props: Mapping[str, Any]) -> Identity:
    settings = props.get("default_generation_settings")
    window = settings.get("n_ctx") if isinstance(settings, dict) else None
    return Identity(
        server=Server.LLAMACPP, version=_text(props.get("build_info")), window=_number(window),
        slots=_number(props.get("total_slots")),
    )  # fmt: skip


def _lmstudio_row(page: Mapping[str, Any], model: str) -> dict[str, Any] | None:
    return next((row for row in _dicts(page, "data") if row.get("id") == model and "max_context_length" in row), None)


def _dicts(page: Any, key: str) -> list[dict[str, Any]]:
    rows = page.get(key) if isinstance(page, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
