"""Traces as token rows, and the order in which a supervised run sees them."""

from __future__ import annotations

import itertools
import math
import random

from etalon.model.loader import LanguageModel
from etalon.model.packed import TokenRow
from etalon.types import Trace, ask


def trace_row(trace: Trace, language_model: LanguageModel) -> TokenRow:
    """The trace as ids: rendered prompt, then response and end token (the only predicted ones)."""
    response = (*language_model.encode(trace.response), language_model.end_token)
    return TokenRow(prompt=tuple(language_model.render(ask(trace.prompt))), response=response)


def document_row(text: str, language_model: LanguageModel) -> TokenRow:
    """Plain text for pretraining: every token of it is predicted."""
    end = language_model.end_token
    return TokenRow(prompt=(end,), response=(*language_model.encode(text), end))


def order_of(num_rows: int, *, epochs: int, batch: int, max_steps: int, seed: int) -> list[list[int]]:
    """Row indices of every step: each epoch is one shuffled pass, cut into steps of at most `batch`, as even as can be.

    No step reaches into the next epoch: it would hold rows twice.
    """
    steps: list[list[int]] = []
    for epoch in range(epochs):
        shuffled = list(range(num_rows))
        random.Random(f"{seed}-{epoch}").shuffle(shuffled)
        count = math.ceil(num_rows / batch)
        cuts = [round(num_rows * place / count) for place in range(count + 1)]
        steps += [shuffled[start:end] for start, end in itertools.pairwise(cuts)]
    return steps[:max_steps] if max_steps else steps


def checkpoint_steps(total: int, count: int) -> list[int]:
    """`count` evenly spaced step numbers, the last one being `total`."""
    return sorted({max(1, round(total * (i + 1) / count)) for i in range(count)})
