"""What makes a directory a whole Hugging Face model that the local engine runs, looked at without loading it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etalon.cost.shapes import FAMILIES
from etalon.errors import InputError, UnsupportedModelError

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size")


THREADED_BYTES = 50_000_000  # (ours) weights above which a second torch thread pays; below, processes do


def useful_threads(path: Path) -> int:
    """Torch threads that a model of this size can use on this machine: all cores, or one for a tiny model."""
    size = sum(file.stat().st_size for file in path.glob("*.safetensors"))
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return num_cores if size > THREADED_BYTES else 1


def check_model_dir(path: Path) -> None:
    """Raise the one-line reason why this directory cannot be a full model, without importing torch."""
    if not path.is_dir():
        raise InputError(f"{path}: no such model directory")
    if (path / "adapter_config.json").exists():
        raise UnsupportedModelError(
            f"{path}: is a LoRA adapter, not a whole model; merge it into its base first (peft: merge_and_unload)"
        )
    if not (path / "config.json").exists():
        inside = path / "checkpoint"
        hint = f"; did you mean {inside}?" if (inside / "config.json").exists() else ""
        raise InputError(f"{path}: has no config.json, so it is not a Hugging Face model directory{hint}")


def check_runnable(path: Path) -> None:
    """`check_model_dir`, and the architecture in config.json is one that the local engine trains and samples."""
    check_model_dir(path)
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path / 'config.json'}: cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path / 'config.json'}: is not a JSON object")
    if reason := unsupported(config):
        raise UnsupportedModelError(f"{path}: {reason}")


def unsupported(config: Mapping[str, Any]) -> str:
    """Why the local engine does not compute a model of this config.json; empty when it does."""
    family = config.get("model_type")
    if family not in FAMILIES:
        kind = " (a mixture of experts)" if any(config.get(name) for name in EXPERTS) else ""
        return (
            f"model type {family!r}{kind}: the local sampler decodes {', '.join(FAMILIES)}; "
            "serve other models with vLLM and sample through an endpoint"
        )
    heads = [str(name) for name in config.get("architectures") or ()]
    if heads and not any(name.endswith("ForCausalLM") for name in heads):
        return f"{family}: is a {heads[0]}, not a causal language model"
    if window := _sliding_window(config):
        return f"{family}: sliding-window attention ({window} tokens) is not supported by the local sampler"
    if (activation := config.get("hidden_act", "silu")) != "silu":
        return f"{family}: activation {activation!r} is not supported, only 'silu'"
    if config.get("attention_dropout"):
        return f"{family}: attention dropout would make training and sampling disagree; set attention_dropout to 0"
    if config.get("quantization_config"):
        return f"{family}: its weights are quantised; take the model in bfloat16 or float32"
    return _rotary(family, config)


def _rotary(family: str, config: Mapping[str, Any]) -> str:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind in ("dynamic", "longrope"):  # their frequencies depend on the length of the whole sequence
        return f"{family}: rotary embedding {kind!r} is not supported by the local sampler"
    partial = rope.get("partial_rotary_factor", config.get("partial_rotary_factor"))
    if partial not in (None, 1, 1.0):
        return f"{family}: rotary embedding of a part of each head ({partial}) is not supported by the local sampler"
    return ""


def _sliding_window(config: Mapping[str, Any]) -> int:
    """Size of the sliding window (tokens) where some layer has one that a sequence can outgrow; else 0."""
    window = config.get("sliding_window")
    if not config.get("use_sliding_window") or not window:
        return 0
    kinds = config.get("layer_types")
    if kinds is None:  # files of older versions: layers from max_window_layers on
        is_sliding = config.get("max_window_layers", 28) < config.get("num_hidden_layers", 32)  # Qwen2Config's defaults
    else:
        is_sliding = "sliding_attention" in kinds
    return int(window) if is_sliding and window < config.get("max_position_embeddings", 32768) else 0
