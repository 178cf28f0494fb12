"""How much one stage of a recipe has to do: optimiser steps and tokens, before anything has run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from etalon.cost import compute


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Work of one stage. sampled, trained: tokens, prompts left out of the former; steps: of the optimiser.

    batches: how many times everything waits for a longest response, of `window` tokens.
    """

    steps: int = 0
    sampled: float = 0.0
    trained: float = 0.0
    sampled_mean: float = 1.0  # tokens of a mean response
    trained_mean: float = 1.0  # tokens of a mean training row
    prompt_mean: float = 0.0  # those of its prompt, where they are assumed
    batches: int = 0
    window: int = 0
    is_rl: bool = False  # samples and trains by turns, on the same GPUs


def sampling(rollouts: float, mean: float, window: int, *, batches: int = 1) -> Cost:
    """So many responses of `mean` tokens."""
    return Cost(sampled=rollouts * mean, sampled_mean=mean, batches=batches, window=window)


def fine_tuning(
    rows: float, epochs: int, mean: float, *, batch: int, max_steps: int = 0, prompt: float | None = None
) -> Cost:
    """Rows of `mean` response tokens, `epochs` times, or as many as `max_steps` hold.

    prompt: tokens before the response; None assumes PROMPT_TOKENS.
    """
    steps = math.ceil(rows / batch) * epochs
    if max_steps and max_steps < steps:
        steps, rows, epochs = max_steps, max_steps * batch, 1
    assumed = compute.PROMPT_TOKENS if prompt is None else 0.0
    length = mean + (prompt or assumed)
    return Cost(steps=steps, trained=rows * epochs * length, trained_mean=length, prompt_mean=assumed)


def both(sampled: Cost, trained: Cost) -> Cost:
    """A stage that samples and trains."""
    return replace(
        sampled, steps=trained.steps, trained=trained.trained, trained_mean=trained.trained_mean,
        prompt_mean=trained.prompt_mean,
    )  # fmt: skip
