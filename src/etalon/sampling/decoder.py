"""A lean decoding forward over the weights of a Hugging Face model: prefill once per prompt, then one token a step.

The cache holds keys and values of R rows at the same column: prompts are padded on the left, so a step writes one
slice. Finished rows are compacted away by `keep`. The same arithmetic as the model's own forward, fewer dispatches.

In bfloat16 it rounds where training under autocast does: projections, attention and cache are bfloat16; the residual
stream, norms, rotation, softmax and head are float32.

Axes: P prompts, R rows (rollouts), C cache columns, H heads, K key-value heads, D head size, E hidden, L layers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from etalon.errors import UnsupportedModelError
from etalon.model.directory import unsupported

GROWTH = 64  # (ours) cache columns added when it is full; one copy per so many steps costs next to nothing
Linear = tuple[torch.Tensor, torch.Tensor | None]  # weight and bias


def check_supported(model: Any) -> None:
    """Raise UnsupportedModelError for what this forward does not compute."""
    if reason := unsupported(model.config.to_dict()):
        raise UnsupportedModelError(reason)


class Layer(NamedTuple):
    """Weights of one layer: projections of the same input are joined.

    In float32 the norm before them is multiplied in; in bfloat16 that would round other numbers than training rounds.
    """

    input_norm: torch.Tensor | None  # None where it is multiplied in
    middle_norm: torch.Tensor | None
    query_key_value: Linear
    head_norm: torch.Tensor | None  # Qwen3, one row per query and key head
    output: Linear
    gate_up: Linear
    down: Linear


class Decoder:
    """One model's forward. Weights are read at every prefill: an optimiser step between two batches is seen."""

    def __init__(self, model: Any, dtype: torch.dtype = torch.float32) -> None:
        check_supported(model)
        self.model = model
        self.dtype = dtype  # of matrix products and the cache
        self.body = model.base_model
        config = model.config
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(config.num_key_value_heads)
        self.head_size = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        self.scale = self.head_size**-0.5
        self.epsilon = float(config.rms_norm_eps)
        self.layers: list[Layer] = []
        self.keys_LRKDC = self.values_LRKCD = self.pad_R = torch.empty(0)
        self.mask_RC: torch.Tensor | None = None  # prompt columns only; None without padding
        self.columns = 0

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
        hidden = F.embedding(tokens, self.body.embed_tokens.weight)
        cos, sin = self.body.rotary_emb(hidden, (columns - pad_P[:, None]).clamp(min=0))
        cos, sin = cos[:, :, None], _signed(sin)[:, :, None]
        self.layers = [self._read(layer) for layer in self.body.layers]
        keys, values = [], []
        for layer in self.layers:
            query, key, value = (s.transpose(1, 2) for s in self._project(layer, hidden, cos, sin))
            attended = _masked_attention(query, key, value, mask[:, None], self.scale)
            hidden = self._finish_layer(layer, hidden, attended.transpose(1, 2).flatten(2))
            keys.append(key.transpose(2, 3).repeat_interleave(repeat, 0))
            values.append(value.repeat_interleave(repeat, 0))
        self.keys_LRKDC, self.values_LRKCD = torch.stack(keys), torch.stack(values)
        self.columns = longest
        self.pad_R = pad_P.repeat_interleave(repeat)
        self.mask_RC = None
        if not bool(real_PC.all()):
            padded_RC = ~real_PC.repeat_interleave(repeat, 0)
            self.mask_RC = torch.zeros_like(padded_RC, dtype=hidden.dtype).masked_fill_(padded_RC, float("-inf"))
        return self._logits(hidden[:, -1]).repeat_interleave(repeat, 0)

    def step(self, token_R: torch.Tensor) -> torch.Tensor:
        """Append one token to every row; returns the logits (R, V) of the next."""
        column, rows = self.columns, token_R.shape[0]
        if column == self.values_LRKCD.shape[3]:
            self.keys_LRKDC = _wider(self.keys_LRKDC, 4)
            self.values_LRKCD = _wider(self.values_LRKCD, 3)
        hidden = F.embedding(token_R, self.body.embed_tokens.weight)
        cos, sin = self.body.rotary_emb(hidden, (column - self.pad_R)[:, None])
        sin = _signed(sin)
        per_kv_head = (rows * self.kv_heads, self.heads // self.kv_heads, self.head_size)
        nothing = hidden.new_empty(1, 1, 1)
        for layer, keys, values in zip(self.layers, self.keys_LRKDC, self.values_LRKCD, strict=True):
            query, key, value = self._project(layer, hidden, cos, sin)
            keys[..., column] = key
            values[:, :, column] = value
            seen_keys = keys.flatten(0, 1)[..., : column + 1]
            scores = self._scores(query.reshape(per_kv_head), seen_keys, nothing)
            if self.mask_RC is not None:
                scores.view(rows, self.heads, -1)[..., : self.mask_RC.shape[1]] += self.mask_RC[:, None]
            attended = torch.bmm(scores.softmax(-1).to(self.dtype), values.flatten(0, 1)[:, : column + 1])
            hidden = self._finish_layer(layer, hidden, attended.view(rows, -1))
        self.columns += 1
        return self._logits(hidden)

    def bytes_per_row(self, longest: int, columns: int) -> int:
        """Memory of one row: the cache and its copy while it grows, the draw of a token, the mask of its prompt."""
        cache = 2 * len(self.body.layers) * self.kv_heads * self.head_size * self.dtype.itemsize
        drawn = 6 * 4 * int(self.model.config.vocab_size)  # logits, log-probs, probabilities, their order and sums
        return 2 * cache * columns + drawn + 4 * longest**2

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these (indices, ascending)."""
        self.keys_LRKDC = self.keys_LRKDC.index_select(1, rows)
        self.values_LRKCD = self.values_LRKCD.index_select(1, rows)
        self.pad_R = self.pad_R.index_select(0, rows)
        if self.mask_RC is not None:
            self.mask_RC = self.mask_RC.index_select(0, rows)

    def _read(self, layer: Any) -> Layer:
        attention, mlp, head_norm = layer.self_attn, layer.mlp, None
        is_folded = self.dtype == torch.float32
        if hasattr(attention, "q_norm"):
            query_norm, key_norm = attention.q_norm.weight, attention.k_norm.weight
            head_norm = torch.cat([query_norm.expand(self.heads, -1), key_norm.expand(self.kv_heads, -1)])
        return Layer(
            input_norm=None if is_folded else layer.input_layernorm.weight,
            middle_norm=None if is_folded else layer.post_attention_layernorm.weight,
            query_key_value=self._cast(
                _joined(attention.q_proj, attention.k_proj, attention.v_proj), layer.input_layernorm
            ),
            head_norm=head_norm,
            output=self._cast((attention.o_proj.weight, attention.o_proj.bias)),
            gate_up=self._cast(_joined(mlp.gate_proj, mlp.up_proj), layer.post_attention_layernorm),
            down=self._cast((mlp.down_proj.weight, mlp.down_proj.bias)),
        )

    def _cast(self, linear: Linear, norm: Any = None) -> Linear:
        weight, bias = linear
        if norm is not None and self.dtype == torch.float32:
            weight = weight * norm.weight
        return weight.to(self.dtype), None if bias is None else bias.to(self.dtype)

    def _scores(self, query: torch.Tensor, keys: torch.Tensor, nothing: torch.Tensor) -> torch.Tensor:
        """Scaled attention scores in float32, as the kernels of training keep them."""
        if self.dtype == torch.float32:
            return torch.baddbmm(nothing, query, keys, beta=0, alpha=self.scale)
        if query.is_cuda:
            return torch.bmm(query, keys, out_dtype=torch.float32).mul_(self.scale)
        return torch.bmm(query.float(), keys.float()).mul_(self.scale)

    def _project(
        self, layer: Layer, hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries (..., H, D), keys and values (..., K, D)."""
        joined = F.linear(self._input(hidden, layer.input_norm), *layer.query_key_value)
        joined = joined.view(*hidden.shape[:-1], -1, self.head_size)
        rotated, value = torch.split(joined, [self.heads + self.kv_heads, self.kv_heads], -2)
        rotated = rotated.float()
        if layer.head_norm is not None:
            rotated = self._normed(rotated).to(self.dtype) * layer.head_norm
        # sin has the sign of the rotation, so the halves only change places
        rotated = torch.addcmul(rotated * cos, rotated.roll(self.head_size // 2, -1), sin)
        query, key = torch.split(rotated.to(self.dtype), [self.heads, self.kv_heads], -2)
        return query, key, value

    def _finish_layer(self, layer: Layer, hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        hidden = F.linear(attended, *layer.output).float().add_(hidden)
        gate, up = F.linear(self._input(hidden, layer.middle_norm), *layer.gate_up).chunk(2, -1)
        return F.linear(F.silu(gate).mul_(up), *layer.down).float().add_(hidden)

    def _input(self, hidden: torch.Tensor, norm: torch.Tensor | None) -> torch.Tensor:
        """What the projections of a layer see."""
        normed = self._normed(hidden)
        return normed if norm is None else (normed * norm).to(self.dtype)

    def _normed(self, hidden: torch.Tensor) -> torch.Tensor:
        """RMSNorm without its weight."""
        return hidden * hidden.square().mean(-1, keepdim=True).add_(self.epsilon).rsqrt_()

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model.get_output_embeddings()(self._normed(hidden) * self.body.norm.weight)
        return logits


def _masked_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float
) -> torch.Tensor:
    """Attention under a mask; on CUDA with heads repeated, because only kernels without a mask take grouped ones."""
    if query.is_cuda:
        key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
    grouped = not query.is_cuda
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale, enable_gqa=grouped)


def _signed(sin: torch.Tensor) -> torch.Tensor:
    half = sin.shape[-1] // 2
    return torch.cat((-sin[..., :half], sin[..., half:]), -1)


def _joined(*linears: Any) -> Linear:
    """One product for several of one normalised input."""
    bias = None if linears[0].bias is None else torch.cat([x.bias for x in linears])
    return torch.cat([x.weight for x in linears]), bias


def _wider(cache: torch.Tensor, axis: int) -> torch.Tensor:
    shape = list(cache.shape)
    shape[axis] += GROWTH
    wider = cache.new_empty(shape)
    wider.narrow(axis, 0, cache.shape[axis]).copy_(cache)
    return wider
