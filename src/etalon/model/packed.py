"""Sequences of many lengths in one forward pass, without padding and without cross-talk.

All sequences of a micro-batch lie end to end in one row of T tokens: every matrix product sees no padding.
Only attention is computed per sequence: in half precision on CUDA by the variable-length kernel of torch, otherwise on
(S, L) views gathered from the row. Registered with transformers as "etalon_packed", so any Hugging Face model that
takes an attention interface runs unchanged.

Axes: T packed tokens, S sequences, L longest sequence, H heads, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from inspect import signature
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from etalon.errors import UnsupportedModelError

LOGIT_CHUNK = 4_000_000  # (ours) logits held at once (tokens x vocabulary); larger batches are recomputed in chunks
CUDA_CHUNKS = 16  # (ours) times as many on a GPU: few launches count for more than memory
PADDED_CELLS = 131_072  # (ours) sequences x longest up to which attention pads; below it splitting saves nothing


@dataclass(frozen=True, kw_only=True)
class TokenRow:
    """One training row: prompt and response ids; only response tokens are predicted."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.response)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the sequences lie in the packed row.

    gathers: per block of sequences the packed positions of its (S, L) view; scatter_T: where each packed token is in
    the blocks, flattened and joined. starts: first position of every sequence, and T (int32). longest: in tokens.
    """

    gathers: tuple[torch.Tensor, ...]
    scatter_T: torch.Tensor
    starts: torch.Tensor
    longest: int


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
    assert all(s.prompt for s in sequences), "a sequence needs a prompt token to predict its first response token from"
    lengths = torch.tensor([len(s) for s in sequences])
    prompt_lengths = torch.tensor([len(s.prompt) for s in sequences])
    starts = torch.cumsum(lengths, 0) - lengths
    tokens_T = torch.tensor([t for s in sequences for t in (*s.prompt, *s.response)])
    owner_T = torch.repeat_interleave(lengths)
    positions_T = torch.arange(len(tokens_T)) - starts[owner_T]
    is_source_T = (positions_T >= prompt_lengths[owner_T] - 1) & (positions_T < lengths[owner_T] - 1)
    source_N = torch.nonzero(is_source_T).squeeze(1)
    send = partial(_send, device=torch.device(device))
    return PackedBatch(
        tokens_T=send(tokens_T),
        positions_T=send(positions_T),
        layout=_layout(lengths, starts, owner_T, positions_T, send),
        source_N=send(source_N),
        target_N=send(tokens_T[source_N + 1]),
        sequence_N=send(owner_T[source_N]),
        num_sequences=len(sequences),
    )


def _send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """To the device, without waiting for what it is busy with."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _layout(
    lengths: torch.Tensor,
    starts: torch.Tensor,
    owner_T: torch.Tensor,
    positions_T: torch.Tensor,
    send: Callable[[torch.Tensor], torch.Tensor],
) -> Layout:
    gathers, offset = [], 0
    base = torch.empty_like(starts)  # where each sequence begins in the joined blocks
    for block in blocks(lengths.tolist()):
        members = torch.tensor(block)
        longest = int(lengths[members].max())
        columns = torch.arange(longest)
        inside_SL = columns < lengths[members][:, None]
        first = starts[members][:, None]
        gathers.append(torch.where(inside_SL, first + columns, first))
        base[members] = offset + longest * torch.arange(len(block))
        offset += longest * len(block)
    return Layout(
        gathers=tuple(send(gather_SL) for gather_SL in gathers),
        scatter_T=send(base[owner_T] + positions_T),
        starts=send(torch.cat([starts, starts[-1:] + lengths[-1:]]).int()),
        longest=int(lengths.max()),
    )


def blocks(lengths: Sequence[int]) -> list[list[int]]:
    """Sequences whose attention is computed together, padded to their longest: one block while that is small.

    A large padded view is split where a sequence is less than half as long as the longest of its block, so at most
    half of every block is padding.
    """
    order = list(range(len(lengths)))
    if len(lengths) * max(lengths) <= PADDED_CELLS:
        return [order]
    found: list[list[int]] = []
    for index in sorted(order, key=lambda i: (-lengths[i], i)):
        if not found or 2 * lengths[index] < lengths[found[-1][0]]:
            found.append([])
        found[-1].append(index)
    return found


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
    longest = key.shape[2] if layout is None else layout.longest
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
    if dropout == 0 and (dtype := _kernel_dtype(query)):
        return _varlen(query.to(dtype), key.to(dtype), value.to(dtype), layout, scaling), None
    if grouped and query.is_cuda:  # torch has no kernel for grouped float32 heads but the one that stores all scores
        key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
        grouped = False

    def rows(packed: torch.Tensor, gather_SL: torch.Tensor) -> torch.Tensor:
        picked = packed[0].transpose(0, 1).index_select(0, gather_SL.flatten())
        return picked.view(*gather_SL.shape, *picked.shape[1:]).transpose(1, 2)

    parts = []
    for gather_SL in layout.gathers:
        query_SHLD, key_SKLD, value_SKLD = (rows(x, gather_SL) for x in (query, key, value))
        output_SHLD = F.scaled_dot_product_attention(
            query_SHLD, key_SKLD, value_SKLD, is_causal=True, scale=scaling, dropout_p=dropout, enable_gqa=grouped
        )
        parts.append(output_SHLD.transpose(1, 2).reshape(gather_SL.numel(), *output_SHLD.shape[1::2]))
    joined = parts[0] if len(parts) == 1 else torch.cat(parts)
    return joined.index_select(0, layout.scatter_T)[None], None


def _kernel_dtype(query: torch.Tensor) -> torch.dtype | None:
    """The type in which torch's variable-length kernel would compute this; None where it cannot."""
    if not query.is_cuda or query.shape[-1] % 8 or query.shape[-1] > 256 or not _has_kernel(query.device):
        return None
    dtype = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else query.dtype
    return dtype if dtype in (torch.bfloat16, torch.float16) else None


@cache
def _has_kernel(device: torch.device) -> bool:
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return False
    is_new = {"window_size", "enable_gqa"} <= set(signature(varlen_attn).parameters)
    return is_new and torch.cuda.get_device_capability(device) >= (8, 0)


def _varlen(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layout: Layout, scaling: float | None
) -> torch.Tensor:
    """(1, H, T, D) in, (1, T, H, D) out, nothing gathered or padded."""
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = (x[0].transpose(0, 1) for x in (query, key, value))
    ends, longest = layout.starts, layout.longest
    attended = varlen_attn(
        query, key, value, ends, ends, longest, longest, scale=scaling, window_size=(-1, 0), enable_gqa=True
    )
    assert isinstance(attended, torch.Tensor)
    return attended[None]


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
    most = LOGIT_CHUNK * (CUDA_CHUNKS if hidden_N.is_cuda else 1)
    chunk = max(1, most // head.weight.shape[0])
    if hidden_N.shape[0] <= chunk:
        return _head_logprobs(head, hidden_N, batch.target_N)
    parts = [
        checkpoint(_head_logprobs, head, h, t, use_reentrant=False)
        for h, t in zip(torch.split(hidden_N, chunk), torch.split(batch.target_N, chunk), strict=True)
    ]
    return torch.cat(parts)


def _head_logprobs(head: Any, hidden_N: torch.Tensor, target_N: torch.Tensor) -> torch.Tensor:
    # the head stays in float32 under autocast: a logit of 16 rounded to bfloat16 may be off by 0.06 nats
    with torch.autocast(hidden_N.device.type, enabled=False):
        logits = head(hidden_N.float())
    return -F.cross_entropy(logits, target_N, reduction="none")
