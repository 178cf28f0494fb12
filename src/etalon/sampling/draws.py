"""Which token comes next: uniform numbers of every rollout's own, and the distribution inverted at them.

Axes: R rows, V vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from etalon.types import SamplingParams


class Draws:
    """Uniform numbers that depend on (seed, prompt, rollout, step) only, so a rollout is the same in any batch."""

    BLOCK = 128

    def __init__(self, prompts: Sequence[Sequence[int]], n: int, seed: int) -> None:
        self.keys = [stream_key(seed, prompt, index) for prompt in prompts for index in range(n)]
        self.block = -1
        self.uniform_RS = torch.empty(0)

    @classmethod
    def of_keys(cls, keys: Sequence[int]) -> Draws:
        """Draws of one stream per row."""
        draws = cls((), 0, 0)
        draws.keys = list(keys)
        return draws

    def at(self, step: int, alive: torch.Tensor) -> torch.Tensor:
        """One number in [0, 1) per live row, on the device of `alive`."""
        block, column = divmod(step, self.BLOCK)
        if block != self.block:
            self.block = block
            self.uniform_RS = torch.zeros(len(self.keys), self.BLOCK, device=alive.device)
            rows = alive.tolist()
            fresh = torch.stack([
                torch.rand(self.BLOCK, generator=torch.Generator().manual_seed((self.keys[r] + block) % 2**63))
                for r in rows
            ])  # fmt: skip
            self.uniform_RS[alive] = fresh.to(alive.device)
        return self.uniform_RS[alive, column]


def stream_key(seed: int, prompt: Sequence[int], index: int) -> int:
    """A number for one rollout's stream; torch's CPU generator uses its low 32 bits."""
    digest = hashlib.blake2b(f"{seed} {index} {','.join(map(str, prompt))}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def choose(
    logits_RV: torch.Tensor, params: SamplingParams, uniform_R: torch.Tensor, *, num_ids: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token per row by inverting the distribution at `uniform_R`.

    The log-prob is the model's own (temperature 1, no top_p), whatever was drawn from. num_ids: ids that have a token,
    the others are not drawn.
    """
    all_logprobs_RV = logprobs_RV = logits_RV.log_softmax(-1)
    if num_ids is not None and num_ids < logits_RV.shape[-1]:
        logits_RV = logits_RV[:, :num_ids]
        logprobs_RV = logits_RV.log_softmax(-1)
    if params.temperature == 0:
        token_R = logprobs_RV.argmax(-1)
    else:
        scaled = logprobs_RV if params.temperature == 1 else (logits_RV / params.temperature).log_softmax(-1)
        probs_RV = nucleus(scaled.exp(), params.top_p) if params.top_p < 1 else scaled.exp()
        mass_RV = probs_RV.cumsum(-1)
        # the largest uniform number is 1 - 2**-24, whose product with the total rounds to less than the total in
        # float32: the draw never falls past the last token that has any mass
        target_R1 = uniform_R[:, None] * mass_RV[:, -1:]
        token_R = torch.searchsorted(mass_RV, target_R1, right=True).squeeze(1)
    return token_R, all_logprobs_RV.gather(1, token_R[:, None]).squeeze(1)


def nucleus(probs_RV: torch.Tensor, top_p: float) -> torch.Tensor:
    """Zero everything outside the smallest set of tokens whose mass reaches top_p; not renormalised."""
    ordered, order = probs_RV.sort(-1, descending=True)
    outside = ordered.cumsum(-1) - ordered >= top_p
    return probs_RV.masked_fill(torch.zeros_like(outside).scatter(1, order, outside), 0.0)
