"""Which token comes next: uniform numbers of every rollout's own, and the distribution inverted at them.

Axes: R rows, V vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial

import torch

from etalon.types import SamplingParams

SMALL = 4096  # (ours) tokens over which one running sum is as fast
BLOCK = 256  # (ours) tokens whose weights are summed first: about the square root of a large vocabulary
LEAST, FEW = 32, 256  # (ours) likeliest tokens among which a nucleus is looked for first: an eighth of all
SORTED_ROWS = 64  # (ours) rows that are sorted whole at once, for their memory
TINY = 1e-30  # (ours) share below which a log-prob is taken of the logits
LARGEST = 1 - 2**-24  # the largest number below 1 that a uniform one can be


class Draws:
    """Uniform numbers that depend on (seed, prompt, rollout, step) only, so a rollout is the same in any batch."""

    BLOCK = 128

    def __init__(self, prompts: Sequence[Sequence[int]], own: range, seed: int) -> None:
        """own: indices of the rollouts of each prompt."""
        self.keys = [stream_key(seed, prompt, index) for prompt in prompts for index in own]
        self.block = -1
        self.uniform_RS = torch.empty(0)

    @classmethod
    def of_keys(cls, keys: Sequence[int]) -> Draws:
        """Draws of one stream per row."""
        draws = cls((), range(0), 0)
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
    if params.temperature == 0:
        token_R = logits_RV[:, :num_ids].argmax(-1)
        return token_R, logits_RV.log_softmax(-1).gather(1, token_R[:, None]).squeeze(1)
    share_RV = logits_RV.softmax(-1)
    weights_RV = share_RV if params.temperature == 1 else (logits_RV / params.temperature).softmax(-1)
    drawn = _drawn if params.top_p == 1 else partial(_drawn_from_nucleus, top_p=params.top_p)
    token_R = drawn(weights_RV[:, :num_ids], uniform_R)
    share_R = share_RV.gather(1, token_R[:, None]).squeeze(1)
    if bool((share_R < TINY).any()):  # drawn at a high temperature: its share is no number float32 knows well
        return token_R, logits_RV.log_softmax(-1).gather(1, token_R[:, None]).squeeze(1)
    return token_R, share_R.log()


def _drawn(weights_RV: torch.Tensor, uniform_R: torch.Tensor) -> torch.Tensor:
    """The token at which the sum of the weights passes `uniform_R` of their total.

    The block of BLOCK tokens first, then the token in it: sums of blocks are many at a time, a running sum over the
    whole vocabulary is one after the other.
    """
    vocabulary = weights_RV.shape[1]
    if vocabulary <= SMALL:
        return _inverted(weights_RV, uniform_R)[0]
    whole = vocabulary // BLOCK * BLOCK
    sums = [weights_RV[:, :whole].view(-1, whole // BLOCK, BLOCK).sum(-1)] if whole else []
    if whole < vocabulary:
        sums.append(weights_RV[:, whole:].sum(-1, keepdim=True))
    block_R, rest_R = _inverted(torch.cat(sums, 1), uniform_R)
    column_RB = block_R[:, None] * BLOCK + torch.arange(BLOCK, device=weights_RV.device)
    inside_RB = weights_RV.gather(1, column_RB.clamp(max=vocabulary - 1))
    token_R, _ = _inverted(inside_RB.masked_fill_(column_RB >= vocabulary, 0.0), rest_R)
    return block_R * BLOCK + token_R


def _inverted(weights_RN: torch.Tensor, uniform_R: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the sum of the weights passes `uniform_R` of their total, and how far into that weight, in [0, 1)."""
    mass_RN = weights_RN.cumsum(-1)
    # the largest uniform number is 1 - 2**-24, whose product with the total rounds to less than the total in float32:
    # the draw never falls past the last one that has any weight
    target_R1 = uniform_R[:, None] * mass_RN[:, -1:]
    place_R1 = torch.searchsorted(mass_RN, target_R1, right=True)
    weight_R1 = weights_RN.gather(1, place_R1)
    before_R1 = mass_RN.gather(1, (place_R1 - 1).clamp(min=0)).masked_fill_(place_R1 == 0, 0.0)
    rest_R1 = ((target_R1 - before_R1) / weight_R1).clamp_(0.0, LARGEST)
    return place_R1.squeeze(1), rest_R1.squeeze(1)


def _drawn_from_nucleus(weights_RV: torch.Tensor, uniform_R: torch.Tensor, *, top_p: float) -> torch.Tensor:
    """`_drawn` from the smallest set of tokens whose share of the weights reaches top_p, likeliest first.

    Nearly always it is among the FEW likeliest; only the other rows are sorted whole, with the same result.
    """
    limit_R = top_p * weights_RV.sum(-1)
    few = min(FEW, max(LEAST, weights_RV.shape[1] // 8), weights_RV.shape[1])
    token_R, is_whole_R = _among(*weights_RV.topk(few), limit_R, uniform_R)
    if few < weights_RV.shape[1] and not bool(is_whole_R.all()):
        for left in torch.split(torch.nonzero(~is_whole_R).squeeze(1), SORTED_ROWS):
            ordered = weights_RV[left].sort(-1, descending=True)
            token_R[left], _ = _among(*ordered, limit_R[left], uniform_R[left])
    return token_R


def _among(
    ordered_RN: torch.Tensor, id_RN: torch.Tensor, limit_R: torch.Tensor, uniform_R: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The token drawn from the nucleus among these, and whether the whole nucleus is there."""
    mass_RN = ordered_RN.cumsum(-1)
    outside_RN = mass_RN - ordered_RN >= limit_R[:, None]
    place_R, _ = _inverted(ordered_RN.masked_fill(outside_RN, 0.0), uniform_R)
    return id_RN.gather(1, place_R[:, None]).squeeze(1), mass_RN[:, -1] >= limit_R
