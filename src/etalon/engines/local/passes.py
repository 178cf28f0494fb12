"""Forward and backward over the micro-batches of a step, here or shared with a crew: the same bits either way.

Pass ... Pass -> gradient of each, by whoever is free -> their sum in order -> .grad of the parameters
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from etalon.model.activations import is_recomputed, recompute_activations
from etalon.model.crew import SLOTS, Crew, Held
from etalon.model.loader import LanguageModel
from etalon.model.packed import PackedBatch, TokenRow, pack, token_logprobs

# (log-probs of the micro-batch's response tokens, the micro-batch, indices of its rows in the batch) -> loss share
Objective = Callable[[torch.Tensor, PackedBatch, list[int]], torch.Tensor]
GRADIENTS = "gradients"  # under which a process keeps the shared ones


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One micro-batch. indices: of its rows in the batch of the step."""

    rows: Sequence[TokenRow]
    indices: list[int]
    objective: Objective
    autocast: str = "off"
    recompute: bool = False


def casting(language_model: LanguageModel, autocast: str) -> contextlib.AbstractContextManager[object]:
    """The block computes matrix products in bfloat16 where `autocast` is "bf16"."""
    device = language_model.device.type
    return torch.autocast(device, torch.bfloat16) if autocast == "bf16" else contextlib.nullcontext()


def accumulate(crew: Crew, passes: Sequence[Pass]) -> float:
    """Leave the sum of the gradients of all passes, in their order, in the parameters; returns that of their losses."""
    language_model = crew.held.language_model
    if crew.size == 1 or len(passes) < 2:
        language_model.model.train()
        losses = [_backward(language_model, one) for one in passes]
        language_model.model.eval()
        return sum(map(float, losses))  # read once at the end: each reading waits for the device
    parameters = [p for p in language_model.model.parameters() if p.requires_grad]
    assert all(p.grad is None for p in parameters), "gradients of an earlier step are still there"
    slots = _slots(crew, sum(p.numel() for p in parameters))
    whole, loss = slots[0], 0.0
    for start in range(0, len(passes), len(slots)):
        together = passes[start : start + len(slots)]
        losses_here = crew.map(gradient, [(one, place) for place, one in enumerate(together)])
        for place, one_loss in enumerate(losses_here):
            loss += one_loss
            whole = slots[0].clone() if start + place == 0 else whole.add_(slots[place])
    for parameter, own in zip(parameters, _parts(whole, parameters), strict=True):
        parameter.grad = own.view_as(parameter)
    return loss


def gradient(held: Held, one: Pass, place: int) -> float:
    """The gradient of one pass in its slot, all parameters end to end; returns its loss."""
    slot = held.memo[GRADIENTS][place]
    model = held.language_model.model
    parameters = [p for p in model.parameters() if p.requires_grad]
    before = [p.grad for p in parameters]
    for parameter in parameters:
        parameter.grad = None
    model.train()
    loss = float(_backward(held.language_model, one))
    model.eval()
    for parameter, own, kept in zip(parameters, _parts(slot, parameters), before, strict=True):
        assert parameter.grad is not None, "a parameter that no row reaches cannot be trained with helpers"
        own.copy_(parameter.grad.flatten())
        parameter.grad = kept
    return loss


def _backward(language_model: LanguageModel, one: Pass) -> torch.Tensor:
    model = language_model.model
    if one.recompute and not is_recomputed(model):
        recompute_activations(model)
    batch = pack(one.rows, language_model.device)
    with casting(language_model, one.autocast):
        logprobs_N = token_logprobs(model, batch)
    loss = one.objective(logprobs_N, batch, one.indices)
    torch.autograd.backward(loss)
    return loss.detach()


def _slots(crew: Crew, size: int) -> torch.Tensor:
    """Shared memory for the gradients of a few passes, (SLOTS, size); made once."""
    found: torch.Tensor | None = crew.held.memo.get(GRADIENTS)
    if found is None:
        found = torch.empty(SLOTS, size)
        found.share_memory_()  # type: ignore[no-untyped-call]
        crew.tell(_keep, found)
    return found


def _parts(whole: torch.Tensor, parameters: Sequence[torch.nn.Parameter]) -> Sequence[torch.Tensor]:
    """The places of the parameters in a gradient of all of them, as views."""
    return torch.split(whole, [p.numel() for p in parameters])


def _keep(held: Held, slots: torch.Tensor) -> None:
    held.memo[GRADIENTS] = slots
