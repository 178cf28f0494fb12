"""What a forward pass keeps for its backward pass: measured, and left out where memory is short.

kept_bytes, bytes_per_token   of one forward pass, by what autograd saves
recompute_activations         a model keeps only the input of every layer, and computes the inside again in backward
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from etalon.model.packed import TokenRow, pack, token_logprobs

MEASURED_TOKENS = 128  # (ours) of prompt, and of response, at most


def kept_bytes(model: Any, forward: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, int]:
    """What `forward` returns, and the bytes that autograd has saved for its backward pass; weights are not counted."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}  # address -> bytes: a tensor that two operations keep is there once

    def count(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()  # a saved output that is itself would hold its graph for good

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        found = forward()
    return found, sum(size for address, size in kept.items() if address not in weights)


def bytes_per_token(model: Any, row: TokenRow) -> float:
    """Of activations, by two forward passes in training mode over the row's end, as model and autocast are set now.

    Two, because some bytes are kept once whatever the length: under autocast, copies of the weights.
    """
    long = TokenRow(prompt=row.prompt[-MEASURED_TOKENS:], response=row.response[:MEASURED_TOKENS])
    short = TokenRow(prompt=long.prompt[: -(len(long.prompt) // 2) or None],
                     response=long.response[: -(len(long.response) // 2) or None])  # fmt: skip
    device = next(model.parameters()).device
    model.train()
    more, fewer = (kept_bytes(model, partial(token_logprobs, model, pack([one], device)))[1] for one in (long, short))
    model.eval()
    return (more - fewer) / (len(long) - len(short)) if len(long) > len(short) else more / len(long)


def recompute_activations(model: Any) -> None:
    """Keep the input of every layer alone from here on; the same bits, for about a third more time."""
    if hasattr(model, "activation_checkpointing_enable"):  # the name from transformers 5.20 or so on
        model.activation_checkpointing_enable({"use_reentrant": False})
    else:
        model.gradient_checkpointing_enable({"use_reentrant": False})


def is_recomputed(model: Any) -> bool:
    """Whether `recompute_activations` was called."""
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
