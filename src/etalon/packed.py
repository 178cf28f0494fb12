"""Sequences of many lengths in one forward pass, without padding and without cross-talk.

All sequences of a micro-batch lie end to end in one row of T tokens: every matrix product sees no padding.
Only attention is computed per sequence, on a (S, L) view gathered from the row. Registered with transformers
as "etalon_packed", so any Hugging Face model that takes an attention interface runs unchanged.

Axes: T packed tokens, S sequences, L longest sequence, H heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from etalon.errors import UnsupportedModelError

LOGIT_CHUNK = 4_000_000  # (ours) logits held at once (tokens x vocabulary); larger batches are recomputed in chunks


@dataclass(frozen=True, kw_only=True)
class TokenRow:
    """One training row: prompt and response ids; only response tokens are predicted."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.response)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the packed row maps to (S, L): `gather_SL` picks packed positions, `scatter_T` goes back."""

    gather_SL: torch.Tensor
    scatter_T: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class PackedBatch:
    """A micro-batch.

    source_N: packed positions whose next token is a response token; target_N: those tokens;
    sequence_N: which sequence of the micro-batch each belongs to. N response tokens, in packed order.
    """

    tokens_T: torch.Tensor
    positions_T: torch.Tensor
    layout: Layout
    source_N: torch.Tensor
    target_N: torch.Tensor
    sequence_N: torch.Tensor
    num_sequences: int


def pack(sequences: Sequence[TokenRow], device: torch.device | str = "cpu") -> PackedBatch:
    """Lay sequences end to end. Each needs at least one prompt and one response token."""
    lengths = torch.tensor([len(s) for s in sequences])
    starts = torch.cumsum(lengths, 0) - lengths
    longest = int(lengths.max())
    columns = torch.arange(longest)
    inside_SL = columns < lengths[:, None]
    gather_SL = torch.where(inside_SL, starts[:, None] + columns, starts[:, None])
    scatter_T = torch.nonzero(inside_SL.flatten()).squeeze(1)
    tokens = [t for s in sequences for t in (*s.prompt, *s.response)]
    tokens_T = torch.tensor(tokens)
    positions_T = torch.cat([torch.arange(n) for n in lengths.tolist()])
    source: list[int] = []
    owner: list[int] = []
    for index, (start, sequence) in enumerate(zip(starts.tolist(), sequences, strict=True)):
        assert sequence.prompt, "a sequence needs a prompt token to predict its first response token from"
        first = start + len(sequence.prompt) - 1
        source.extend(range(first, first + len(sequence.response)))
        owner.extend([index] * len(sequence.response))
    source_N = torch.tensor(source)
    return PackedBatch(
        tokens_T=tokens_T.to(device),
        positions_T=positions_T.to(device),
        layout=Layout(gather_SL=gather_SL.to(device), scatter_T=scatter_T.to(device)),
        source_N=source_N.to(device),
        target_N=tokens_T[source_N + 1].to(device),
        sequence_N=torch.tensor(owner).to(device),
        num_sequences=len(sequences),
    )


def micro_batches(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Split indices into length-sorted micro-batches of at most `max_tokens` (one longer sequence stays alone)."""
    batches: list[list[int]] = []
    total = 0
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if not batches or total + lengths[index] > max_tokens:
            batches.append([])
            total = 0
        batches[-1].append(index)
        total += lengths[index]
    return batches


def packed_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    layout: Layout | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention inside each packed sequence; (1, H, T, D) in, (1, T, H, D) out.

    Without a layout the batch is ordinary rows, each one sequence without padding. Raises UnsupportedModelError for
    what it would leave out: a sliding window shorter than the sequences, soft-capped scores, attention sinks.
    """
    longest = key.shape[2] if layout is None else layout.gather_SL.shape[1]
    left_out = [name for name in ("softcap", "s_aux") if others.get(name) is not None]
    if sliding_window is not None and sliding_window < longest:
        left_out.append(f"a sliding window of {sliding_window} tokens")
    if left_out:
        raise UnsupportedModelError(f"packed attention does not compute {', '.join(left_out)}, which this model needs")
    grouped = query.shape[1] != key.shape[1]
    if layout is None:
        assert attention_mask is None, "etalon_packed attention takes no mask: pack instead of padding"
        output = F.scaled_dot_product_attention(
            query, key, value, is_causal=query.shape[2] > 1, scale=scaling, dropout_p=dropout, enable_gqa=grouped
        )
        return output.transpose(1, 2), None
    num_sequences = layout.gather_SL.shape[0]
    flat = layout.gather_SL.flatten()

    def rows(packed: torch.Tensor) -> torch.Tensor:
        picked = packed[0].transpose(0, 1).index_select(0, flat)
        return picked.view(num_sequences, longest, *picked.shape[1:]).transpose(1, 2)

    output_SHLD = F.scaled_dot_product_attention(
        rows(query), rows(key), rows(value), is_causal=True, scale=scaling, dropout_p=dropout, enable_gqa=grouped
    )
    output_T = output_SHLD.transpose(1, 2).reshape(num_sequences * longest, *output_SHLD.shape[1::2])
    return output_T.index_select(0, layout.scatter_T)[None], None


def _no_mask(*_: Any, **__: Any) -> None:
    return None


def register() -> None:
    """Make `attn_implementation="etalon_packed"` known to transformers; safe to call again."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register("etalon_packed", packed_attention)
    AttentionMaskInterface.register("etalon_packed", _no_mask)


def token_logprobs(model: Any, batch: PackedBatch) -> torch.Tensor:
    """Log-probability (nats) of every response token, shape (N,), float32, differentiable."""
    hidden = model.base_model(
        input_ids=batch.tokens_T[None],
        position_ids=batch.positions_T[None],
        use_cache=False,
        layout=batch.layout,
    ).last_hidden_state[0]
    hidden_N = hidden.index_select(0, batch.source_N)
    head = model.get_output_embeddings()
    chunk = max(1, LOGIT_CHUNK // head.weight.shape[0])
    if hidden_N.shape[0] <= chunk:
        return _head_logprobs(head, hidden_N, batch.target_N)
    parts = [
        checkpoint(_head_logprobs, head, h, t, use_reentrant=False)
        for h, t in zip(torch.split(hidden_N, chunk), torch.split(batch.target_N, chunk), strict=True)
    ]
    return torch.cat(parts)


def _head_logprobs(head: Any, hidden_N: torch.Tensor, target_N: torch.Tensor) -> torch.Tensor:
    logits = head(hidden_N).float()
    return -F.cross_entropy(logits, target_N, reduction="none")
