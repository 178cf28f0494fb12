"""A lean decoding forward over the weights of a Hugging Face model: prefill once per prompt, then one token a step.

What the tokens before have left is in a cache (cache.py). The same arithmetic as the model's own forward, fewer
dispatches.

In bfloat16 it rounds where training under autocast does: projections, attention and cache are bfloat16; the residual
stream, norms, rotation, softmax and head are float32.

Axes: P prompts, R rows (rollouts), C columns of prompts, H heads, K key-value heads, D head size, E hidden, L layers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from etalon.errors import UnsupportedModelError
from etalon.model.directory import unsupported
from etalon.sampling.cache import Prompts, Rows, Shared, is_shared

PREFILL_TOKENS = 8192  # (ours) of prompts that are run together
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
        self.cache: Rows | Shared | None = None

    def prefill(self, prompts: list[list[int]], repeat: int) -> torch.Tensor:
        """Run every prompt once, then give each `repeat` rows. Returns the logits (R, V) of the first token."""
        longest = max(map(len, prompts))
        self.layers = [self._read(layer) for layer in self.body.layers]
        together = max(1, PREFILL_TOKENS // longest)
        parts = [
            self._prefilled(prompts[start : start + together], longest) for start in range(0, len(prompts), together)
        ]
        found = Prompts.joined([left for left, _ in parts])
        kind = Shared if self.is_shared(longest, len(prompts), repeat) else Rows
        self.cache = kind(found, repeat, self.scale)
        return self._logits(torch.cat([last_P for _, last_P in parts])).repeat_interleave(repeat, 0)

    def _prefilled(self, prompts: list[list[int]], longest: int) -> tuple[Prompts, torch.Tensor]:
        """What prompts leave, padded to `longest`, and the hidden state of their last token."""
        device = next(self.model.parameters()).device
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
        keys, values = [], []
        for layer in self.layers:
            query, key, value = (s.transpose(1, 2) for s in self._project(layer, hidden, cos, sin))
            attended = _masked_attention(query, key, value, mask[:, None], self.scale)
            hidden = self._finish_layer(layer, hidden, attended.transpose(1, 2).flatten(2))
            keys.append(key.transpose(2, 3).contiguous())
            values.append(value.contiguous())
        return Prompts(keys_L=keys, values_L=values, pad_P=pad_P), hidden[:, -1]

    def release(self) -> None:
        """Let go of the cache and of folded weights: what trains next has their memory."""
        self.layers, self.cache = [], None

    def step(self, token_R: torch.Tensor) -> torch.Tensor:
        """Append one token to every row; returns the logits (R, V) of the next."""
        cache = self.cache
        assert cache is not None
        cache.grow()
        hidden = F.embedding(token_R, self.body.embed_tokens.weight)
        cos, sin = self.body.rotary_emb(hidden, (cache.columns - cache.pad_R)[:, None])
        sin = _signed(sin)
        for index, layer in enumerate(self.layers):
            attended = cache.attend(index, *self._project(layer, hidden, cos, sin))
            hidden = self._finish_layer(layer, hidden, attended)
        cache.columns += 1
        return self._logits(hidden)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these (indices, ascending)."""
        assert self.cache is not None
        self.cache.keep(rows)

    def is_shared(self, longest: int, prompts: int, repeat: int) -> bool:
        """Whether prompts of at most `longest` tokens are held once for `repeat` rows each."""
        return is_shared(float(self._column_bytes * longest * prompts * repeat), repeat)

    def bytes_per_row(self, longest: int, columns: int, *, shared_by: int = 1) -> int:
        """Memory of one row: the cache and its copy while it grows, and the draw of a token.

        shared_by: rows that hold a prompt together.
        """
        prompt, own = 2 * self._column_bytes * longest / shared_by, 2 * self._column_bytes * (columns - longest)
        drawn = 4 * 4 * int(self.model.config.vocab_size)  # logits, shares, scaled logits, weights
        return int(prompt + own) + drawn

    @property
    def _column_bytes(self) -> int:
        """Keys and values of one token."""
        return 2 * len(self.body.layers) * self.kv_heads * self.head_size * self.dtype.itemsize

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
