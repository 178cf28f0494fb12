"""A lean decoding forward over the weights of a Hugging Face model: prefill once per prompt, then one token a step.

The cache holds keys and values of R rows at the same column: prompts are padded on the left, so a step writes one
slice. Finished rows are compacted away by `keep`. The same arithmetic as the model's own forward, fewer dispatches.

Axes: P prompts, R rows (rollouts), C cache columns, H heads, K key-value heads, D head size, E hidden.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from etalon.errors import UnsupportedModelError

SUPPORTED = ("qwen2", "qwen3", "llama")
GROWTH = 64  # (ours) cache columns added at first; doubles afterwards


def check_supported(model: Any) -> None:
    """Raise UnsupportedModelError for what this forward does not compute."""
    config = model.config
    if config.model_type not in SUPPORTED:
        raise UnsupportedModelError(
            f"model type {config.model_type!r}: the local sampler decodes {', '.join(SUPPORTED)}; "
            "serve other models with vLLM and sample through an endpoint"
        )
    if getattr(config, "use_sliding_window", False):
        raise UnsupportedModelError(
            f"{config.model_type}: sliding-window attention is not supported by the local sampler"
        )
    if config.hidden_act != "silu":
        raise UnsupportedModelError(
            f"{config.model_type}: activation {config.hidden_act!r} is not supported, only 'silu'"
        )


class Decoder:
    """Weights of one model, read at every call: an optimiser step between two calls is seen at once."""

    def __init__(self, model: Any) -> None:
        check_supported(model)
        self.model = model
        self.body = model.base_model
        config = model.config
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(config.num_key_value_heads)
        self.head_size = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        self.scale = self.head_size**-0.5
        self.epsilon = float(config.rms_norm_eps)
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []
        self.columns = 0
        self.pad_R: torch.Tensor = torch.empty(0)
        self.mask_RC: torch.Tensor | None = None

    def prefill(self, prompts: list[list[int]], repeat: int) -> torch.Tensor:
        """Run every prompt once, then give each `repeat` rows. Returns the logits (R, V) of the first token."""
        device = next(self.model.parameters()).device
        longest = max(map(len, prompts))
        tokens = torch.tensor([[0] * (longest - len(p)) + p for p in prompts], device=device)
        pad_P = torch.tensor([longest - len(p) for p in prompts], device=device)
        columns = torch.arange(longest, device=device)
        real_PC = columns >= pad_P[:, None]
        causal_CC = columns[:, None] >= columns
        # a padded query sees itself: a row of -inf would make NaN
        mask = (real_PC[:, None, :] & causal_CC) | torch.eye(longest, dtype=torch.bool, device=device)
        self.keys, self.values = [], []
        hidden = F.embedding(tokens, self.body.embed_tokens.weight)
        cos, sin = self.body.rotary_emb(hidden, (columns - pad_P[:, None]).clamp(min=0))
        for layer in self.body.layers:
            query, key, value = self._project(layer, hidden, cos[:, None], sin[:, None])
            attended = F.scaled_dot_product_attention(
                query, key, value, attn_mask=mask[:, None], scale=self.scale, enable_gqa=True
            )
            hidden = self._finish_layer(layer, hidden, attended.transpose(1, 2).flatten(2))
            self.keys.append(_with_room(key.repeat_interleave(repeat, 0), GROWTH))
            self.values.append(_with_room(value.repeat_interleave(repeat, 0), GROWTH))
        self.columns = longest
        self.pad_R = pad_P.repeat_interleave(repeat)
        real_RC = real_PC.repeat_interleave(repeat, 0)
        self.mask_RC = (
            None
            if bool(real_RC.all())
            else torch.zeros_like(real_RC, dtype=hidden.dtype).masked_fill_(~real_RC, float("-inf"))
        )
        logits = self._logits(hidden[:, -1])
        return logits.repeat_interleave(repeat, 0)

    def step(self, token_R: torch.Tensor) -> torch.Tensor:
        """Append one token to every row; returns the logits (R, V) of the next."""
        column = self.columns
        if column == self.keys[0].shape[2]:
            room = column  # doubling keeps the copies to a constant share of the work
            self.keys = [_with_room(k, room) for k in self.keys]
            self.values = [_with_room(v, room) for v in self.values]
        hidden = F.embedding(token_R, self.body.embed_tokens.weight)[:, None]
        cos, sin = self.body.rotary_emb(hidden, (column - self.pad_R)[:, None])
        cos, sin = cos[:, None], sin[:, None]
        rows = token_R.shape[0]
        for index, layer in enumerate(self.body.layers):
            query, key, value = self._project(layer, hidden, cos, sin)
            self.keys[index][:, :, column] = key[:, :, 0]
            self.values[index][:, :, column] = value[:, :, 0]
            keys, values = self.keys[index][:, :, : column + 1], self.values[index][:, :, : column + 1]
            query = query.view(rows, self.kv_heads, self.heads // self.kv_heads, self.head_size)
            scores = torch.matmul(query * self.scale, keys.transpose(-1, -2))
            if self.mask_RC is not None:
                scores[..., : self.mask_RC.shape[1]] += self.mask_RC[:, None, None]
            attended = torch.matmul(scores.softmax(-1), values)
            hidden = self._finish_layer(layer, hidden, attended.reshape(rows, 1, -1))
        self.columns += 1
        return self._logits(hidden[:, 0])

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these (indices, ascending)."""
        self.keys = [k.index_select(0, rows) for k in self.keys]
        self.values = [v.index_select(0, rows) for v in self.values]
        self.pad_R = self.pad_R.index_select(0, rows)
        if self.mask_RC is not None:
            self.mask_RC = self.mask_RC.index_select(0, rows)

    def _project(
        self, layer: Any, hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        attention = layer.self_attn
        normed = self._norm(layer.input_layernorm, hidden)
        shape = (*hidden.shape[:2], -1, self.head_size)
        query, key = attention.q_proj(normed).view(shape), attention.k_proj(normed).view(shape)
        if hasattr(attention, "q_norm"):  # Qwen3
            query, key = self._norm(attention.q_norm, query), self._norm(attention.k_norm, key)
        query, key = query.transpose(1, 2), key.transpose(1, 2)
        value = attention.v_proj(normed).view(shape).transpose(1, 2)
        return _rotate(query, cos, sin), _rotate(key, cos, sin), value

    def _finish_layer(self, layer: Any, hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        hidden = hidden + layer.self_attn.o_proj(attended)
        normed = self._norm(layer.post_attention_layernorm, hidden)
        mlp = layer.mlp
        output: torch.Tensor = hidden + mlp.down_proj(F.silu(mlp.gate_proj(normed)) * mlp.up_proj(normed))
        return output

    def _norm(self, norm: Any, hidden: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(hidden, norm.weight.shape, norm.weight, self.epsilon)

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model.get_output_embeddings()(self._norm(self.body.norm, hidden))
        return logits.float()


def _rotate(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = states.shape[-1] // 2
    turned = torch.cat((-states[..., half:], states[..., :half]), dim=-1)
    return states * cos + turned * sin


def _with_room(cache: torch.Tensor, columns: int) -> torch.Tensor:
    rows, heads, used, size = cache.shape
    larger = cache.new_empty(rows, heads, used + columns, size)
    larger[:, :, :used] = cache
    return larger
