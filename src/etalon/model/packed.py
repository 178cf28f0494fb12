"""Sequences of many lengths in one forward pass, without padding and without cross-talk.

All sequences of a micro-batch lie end to end in one row of T tokens: every matrix product sees no padding. A prompt
that several of them begin with lies there once, before the responses to it:

    prompt A | response | response | response | prompt B | response | ...

Only attention is computed per sequence: in half precision on CUDA by the variable-length kernel of torch, otherwise on
(S, L) views gathered from the row. Registered with transformers as "etalon_packed", so any Hugging Face model that
takes an attention interface runs unchanged.

Axes: T packed tokens, S sequences, L longest sequence, U tokens of all sequences (a shared prompt as often as it is
used), H heads, D head size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from inspect import signature
from typing import Any

import torch
import torch.nn.functional as F

from etalon.errors import UnsupportedModelError
from etalon.model.head import head_logprobs

GATHERED = 0.125  # (ours) memory of a token that is only gathered for attention, of one that goes through all layers
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
    the blocks, flattened and joined. starts: first token of every sequence among all U, and U (int32). longest: in
    tokens. shared: where prompts are shared, the packed position of each of the U tokens, and where among them each
    packed token is first; else None.
    """

    gathers: tuple[torch.Tensor, ...]
    scatter_T: torch.Tensor
    starts: torch.Tensor
    longest: int
    shared: tuple[torch.Tensor, torch.Tensor] | None = None


@dataclass(frozen=True, kw_only=True)
class PackedBatch:
    """A micro-batch.

    source_N: packed positions whose next token is a response token; target_N: those tokens; sequence_N: which sequence
    of the micro-batch each belongs to. N response tokens, sequence by sequence.
    """

    tokens_T: torch.Tensor
    positions_T: torch.Tensor
    layout: Layout
    source_N: torch.Tensor
    target_N: torch.Tensor
    sequence_N: torch.Tensor


def pack(sequences: Sequence[TokenRow], device: torch.device | str = "cpu") -> PackedBatch:
    """Lay sequences end to end, a common prompt once. Each needs at least one prompt and one response token."""
    assert all(s.prompt and s.response for s in sequences), "a sequence needs a prompt token and a response token"
    tokens, positions, places = _lay(sequences)
    lengths = torch.tensor([len(s) for s in sequences])
    prompts = torch.tensor([len(s.prompt) for s in sequences])
    starts = torch.cumsum(lengths, 0) - lengths
    owner_U = torch.repeat_interleave(lengths)
    column_U = torch.arange(len(owner_U)) - starts[owner_U]
    place_U = torch.tensor(places)
    is_source_U = (column_U >= prompts[owner_U] - 1) & (column_U < lengths[owner_U] - 1)
    source_U = torch.nonzero(is_source_U).squeeze(1)
    tokens_T = torch.tensor(tokens)
    send = partial(_send, device=torch.device(device))
    return PackedBatch(
        tokens_T=send(tokens_T),
        positions_T=send(torch.tensor(positions)),
        layout=_layout(lengths, starts, owner_U, column_U, place_U, send),
        source_N=send(place_U[source_U]),
        target_N=send(tokens_T[place_U[source_U + 1]]),
        sequence_N=send(owner_U[source_U]),
    )


def _lay(sequences: Sequence[TokenRow]) -> tuple[list[int], list[int], list[int]]:
    """Tokens and positions of the packed row, and where in it each token of each sequence is."""
    tokens: list[int] = []
    positions: list[int] = []
    starts: dict[tuple[int, ...], int] = {}
    responses: list[int] = [0] * len(sequences)
    for members in families(sequences):
        prompt = sequences[members[0]].prompt
        starts[prompt] = len(tokens)
        tokens += prompt
        positions += range(len(prompt))
        for index in members:
            responses[index] = len(tokens)
            tokens += sequences[index].response
            positions += range(len(prompt), len(sequences[index]))
    places: list[int] = []
    for sequence, first in zip(sequences, responses, strict=True):
        start = starts[sequence.prompt]
        places += [*range(start, start + len(sequence.prompt)), *range(first, first + len(sequence.response))]
    return tokens, positions, places


def families(sequences: Sequence[TokenRow]) -> list[list[int]]:
    """Indices of the sequences with the same prompt, in the order in which the prompts come."""
    found: dict[tuple[int, ...], list[int]] = {}
    for index, sequence in enumerate(sequences):
        found.setdefault(sequence.prompt, []).append(index)
    return list(found.values())


def _send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """To the device, without waiting for what it is busy with."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _layout(
    lengths: torch.Tensor,
    starts: torch.Tensor,
    owner_U: torch.Tensor,
    column_U: torch.Tensor,
    place_U: torch.Tensor,
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
        gathers.append(place_U[torch.where(inside_SL, first + columns, first)])
        base[members] = offset + longest * torch.arange(len(block))
        offset += longest * len(block)
    first_T = _first_of_each(place_U)
    return Layout(
        gathers=tuple(send(gather_SL) for gather_SL in gathers),
        scatter_T=send((base[owner_U] + column_U)[first_T]),
        starts=send(torch.cat([starts, starts[-1:] + lengths[-1:]]).int()),
        longest=int(lengths.max()),
        shared=None if len(first_T) == len(place_U) else (send(place_U), send(first_T)),
    )


def _first_of_each(place_U: torch.Tensor) -> torch.Tensor:
    """Where among all tokens of the sequences each packed token is first, (T,)."""
    first_T = torch.full((int(place_U.max()) + 1,), len(place_U))
    return first_T.scatter_reduce(0, place_U, torch.arange(len(place_U)), "amin")


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


def micro_batches(rows: Sequence[TokenRow], max_tokens: int) -> list[list[int]]:
    """Split the indices of rows into micro-batches of the memory of at most `max_tokens` (one longer row stays alone).

    They are no more than the limit asks for, and as even as that allows: processes that share them end together. Rows
    of one prompt stay together, because it is packed once for all of them; otherwise they are sorted by length.
    """
    grouped = sorted(families(rows), key=lambda own: (max(len(rows[i]) for i in own), own[0]))
    order = [index for own in grouped for index in sorted(own, key=lambda i: (len(rows[i]), i))]
    found = _filled(order, rows, max_tokens)
    low, high = 1, max_tokens
    while len(found) > 1 and low < high:  # the smallest limit that makes as few
        middle = (low + high) // 2
        smaller = _filled(order, rows, middle)
        if len(smaller) == len(found):
            found, high = smaller, middle
        else:
            low = middle + 1
    return found


def _filled(order: Sequence[int], rows: Sequence[TokenRow], limit: int) -> list[list[int]]:
    """One micro-batch after the other, each as full as `limit` allows."""
    batches: list[list[int]] = []
    total, prompt = 0, None
    for index in order:
        row = rows[index]
        again = math.ceil(GATHERED * len(row.prompt))  # what attention gathers of a prompt that is there already
        added = len(row.response) + (again if row.prompt == prompt else len(row.prompt))
        if not batches or total + added > limit:
            batches.append([])
            total, added = 0, len(row)
        batches[-1].append(index)
        total, prompt = total + added, row.prompt
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
    """(1, H, T, D) in, (1, T, H, D) out, nothing padded, and nothing gathered but where prompts are shared."""
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = (x[0].transpose(0, 1) for x in (query, key, value))
    if layout.shared is not None:
        query, key, value = (x.index_select(0, layout.shared[0]) for x in (query, key, value))
    ends, longest = layout.starts, layout.longest
    attended = varlen_attn(
        query, key, value, ends, ends, longest, longest, scale=scaling, window_size=(-1, 0), enable_gqa=True
    )
    assert isinstance(attended, torch.Tensor)
    return (attended if layout.shared is None else attended.index_select(0, layout.shared[1]))[None]


def _no_mask(*_: Any, **__: Any) -> None:
    return None


def register() -> None:
    """Make `attn_implementation="etalon_packed"` known to transformers; safe to call again."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register("etalon_packed", packed_attention)
    AttentionMaskInterface.register("etalon_packed", _no_mask)


def token_logprobs(model: Any, batch: PackedBatch) -> torch.Tensor:
    """Log-probability (nats) of every response token, shape (N,), float32, differentiable."""
    hidden = last_hidden(model, batch)
    return head_logprobs(model.get_output_embeddings(), hidden.index_select(0, batch.source_N), batch.target_N)


def last_hidden(model: Any, batch: PackedBatch) -> torch.Tensor:
    """What the head sees of every packed token, shape (T, hidden)."""
    hidden: torch.Tensor = model.base_model(
        input_ids=batch.tokens_T[None],
        position_ids=batch.positions_T[None],
        use_cache=False,
        layout=batch.layout,
    ).last_hidden_state[0]
    return hidden
