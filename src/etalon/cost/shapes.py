"""The shape of a causal language model, and how many parameters that makes.

Qwen2, Qwen3 and Llama: embedding, then per layer grouped-query attention and a gated MLP, each behind an RMSNorm.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.errors import InputError, UnsupportedModelError

FAMILIES = ("qwen2", "qwen3", "llama")


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """Sizes of a model, in elements; window: tokens its positions were made for.

    has_bias: q, k and v projections have one. has_qk_norm: queries and keys are normalised per head.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    vocabulary: int
    window: int
    is_tied: bool
    has_bias: bool = False
    has_qk_norm: bool = False

    @property
    def layer_parameters(self) -> int:
        """Parameters of one layer."""
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        attention = self.hidden * (2 * queries + 2 * keys) + (queries + 2 * keys if self.has_bias else 0)
        norms = 2 * self.hidden + (2 * self.head_size if self.has_qk_norm else 0)
        return attention + 3 * self.hidden * self.mlp + norms

    @property
    def embedding(self) -> int:
        """Parameters of the embedding; a head that is not tied has as many again."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.layers * self.layer_parameters + self.embedding * (1 if self.is_tied else 2) + self.hidden

    @property
    def active(self) -> int:
        """Parameters that a token is multiplied by: all but the embedding, which is a look-up, with the head."""
        return self.layers * self.layer_parameters + self.embedding

    @property
    def cache_elements(self) -> int:
        """Elements of the key-value cache per token."""
        return 2 * self.layers * self.kv_heads * self.head_size


# config.json as published by Qwen on the Hugging Face hub
KNOWN = {
    "Qwen2.5-Math-1.5B": ModelShape(
        layers=28, hidden=1536, heads=12, kv_heads=2, head_size=128, mlp=8960, vocabulary=151936, window=4096,
        is_tied=True, has_bias=True,
    ),
    "Qwen2.5-Coder-3B": ModelShape(
        layers=36, hidden=2048, heads=16, kv_heads=2, head_size=128, mlp=11008, vocabulary=151936, window=32768,
        is_tied=True, has_bias=True,
    ),
}  # fmt: skip


def read_shape(path: Path) -> ModelShape:
    """The shape that a model directory's config.json describes.

    Raises InputError when it cannot be read, UnsupportedModelError for a family that is counted otherwise.
    """
    file = path / "config.json"
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        family = config["model_type"]
        if family not in FAMILIES:
            raise UnsupportedModelError(f"{file}: model_type is {family!r}; costs are known for {', '.join(FAMILIES)}")
        heads = int(config["num_attention_heads"])
        return ModelShape(
            layers=int(config["num_hidden_layers"]),
            hidden=int(config["hidden_size"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_size=int(config.get("head_dim") or config["hidden_size"] // heads),
            mlp=int(config["intermediate_size"]),
            vocabulary=int(config["vocab_size"]),
            window=int(config["max_position_embeddings"]),
            is_tied=bool(config.get("tie_word_embeddings", False)),
            has_bias=bool(config.get("attention_bias", family == "qwen2")),
            has_qk_norm=family == "qwen3",
        )
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(f"{file}: does not describe a model ({type(error).__name__}: {error})") from None
