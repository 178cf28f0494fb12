"""Log-probabilities at the end of a model, without ever holding the logits of a whole micro-batch.

    hidden (N, E) -> chunks of tokens -> logits (n, V) -> log-probs of the targets (N,)

A tiny vocabulary takes the ordinary way. A large one is computed in chunks, and again in backward, where the logits
become their own gradient in place: one buffer of a chunk is all that is held, instead of autograd's four.

Axes: N response tokens, E hidden size, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

LOGIT_CHUNK = 4_000_000  # (ours) logits held at once (tokens x vocabulary); larger batches go in chunks
CUDA_CHUNKS = 16  # (ours) times as many on a GPU: few launches count for more than memory


def head_logprobs(head: torch.nn.Linear, hidden_NE: torch.Tensor, target_N: torch.Tensor) -> torch.Tensor:
    """Log-probability (nats) of each target, shape (N,), float32, differentiable.

    The head stays in float32 under autocast: a logit of 16 rounded to bfloat16 may be off by 0.06 nats.
    """
    most = LOGIT_CHUNK * (CUDA_CHUNKS if hidden_NE.is_cuda else 1)
    chunk = max(1, most // head.weight.shape[0])
    with torch.autocast(hidden_NE.device.type, enabled=False):
        if hidden_NE.shape[0] <= chunk:
            return -F.cross_entropy(head(hidden_NE.float()), target_N, reduction="none")
        found: torch.Tensor = _Chunked.apply(hidden_NE.float(), head.weight, head.bias, target_N, chunk)  # type: ignore[no-untyped-call]
        return found


class _Chunked(torch.autograd.Function):
    """`head_logprobs` a chunk at a time: d log p(target) / d logits = one-hot(target) - softmax."""

    @staticmethod
    def forward(
        ctx: Any, hidden_NE: torch.Tensor, weight_VE: torch.Tensor, bias_V: torch.Tensor | None,
        target_N: torch.Tensor, chunk: int,
    ) -> torch.Tensor:  # fmt: skip
        normaliser_N = hidden_NE.new_empty(len(target_N))
        logprob_N = hidden_NE.new_empty(len(target_N))
        for start in range(0, len(target_N), chunk):
            part = slice(start, start + chunk)
            logits = F.linear(hidden_NE[part], weight_VE, bias_V)
            normaliser_N[part] = torch.logsumexp(logits, -1)
            logprob_N[part] = logits.gather(1, target_N[part, None]).squeeze(1) - normaliser_N[part]
        ctx.save_for_backward(hidden_NE, weight_VE, bias_V, target_N, normaliser_N)
        ctx.chunk = chunk
        return logprob_N

    @staticmethod
    def backward(ctx: Any, grad_N: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden_NE, weight_VE, bias_V, target_N, normaliser_N = ctx.saved_tensors
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        grad_hidden = torch.empty_like(hidden_NE) if wants_hidden else None
        grad_weight = torch.zeros_like(weight_VE) if wants_weight else None
        grad_bias = torch.zeros_like(bias_V) if wants_bias else None
        for start in range(0, len(target_N), ctx.chunk):
            part = slice(start, start + ctx.chunk)
            scale = grad_N[part, None]
            logits = F.linear(hidden_NE[part], weight_VE, bias_V)
            by_logits = logits.sub_(normaliser_N[part, None]).exp_().mul_(-scale)
            by_logits.scatter_add_(1, target_N[part, None], scale)
            if grad_hidden is not None:
                torch.mm(by_logits, weight_VE, out=grad_hidden[part])
            if grad_weight is not None:
                grad_weight.addmm_(by_logits.T, hidden_NE[part])
            if grad_bias is not None:
                grad_bias += by_logits.sum(0)
        return grad_hidden, grad_weight, grad_bias, None, None
