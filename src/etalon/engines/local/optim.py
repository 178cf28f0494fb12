"""Optimisers and the schedule of the local engine: AdamW as in the papers, Muon for tiny models.

Muon orthogonalises the momentum of each hidden matrix (K. Jordan et al., 2024, "Muon"); everything else is AdamW.
This one runs the Newton-Schulz iteration on all matrices of one shape at once, which at small sizes is several
times faster than one by one (torch.optim.Muon) and equal to it up to rounding.
"""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from etalon.recipe import OptimSpec

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # quintic coefficients of the reference implementation
MUON_MOMENTUM = 0.95
PART = 2**22  # (ours) numbers on which a step of AdamW is timed


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; 2-D parameters only."""

    def __init__(self, params: list[torch.nn.Parameter], *, lr: float, momentum: float = MUON_MOMENTUM) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        assert closure is None
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                gradient = torch.stack([p.grad for p in parameters if p.grad is not None])
                state = self.state[parameters[0]]
                momentum = state.setdefault("momentum_buffer", torch.zeros_like(gradient))
                momentum.lerp_(gradient, 1 - group["momentum"])
                update = orthogonalise(gradient.lerp(momentum, group["momentum"]))
                scale = group["lr"] * math.sqrt(max(1.0, shape[0] / shape[1]))
                for parameter, direction in zip(parameters, update, strict=True):
                    parameter.sub_(direction, alpha=scale)


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Newton-Schulz: (B, m, n) with singular values moved close to 1, directions kept."""
    a, b, c = NEWTON_SCHULZ
    is_tall = matrices.shape[1] > matrices.shape[2]
    result = matrices.transpose(1, 2) if is_tall else matrices
    result = result / result.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = result @ result.transpose(1, 2)
        result = torch.baddbmm(result, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), result, beta=a)
    return result.transpose(1, 2) if is_tall else result


def divided(model: Any, spec: OptimSpec) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """What Muon moves, and what AdamW does."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    hidden = [p for n, p in named if spec.name == "muon" and p.ndim == 2 and ".layers." in n]
    held = {id(p) for p in hidden}
    return hidden, [p for _, p in named if id(p) not in held]


def build(model: Any, spec: OptimSpec) -> list[torch.optim.Optimizer]:
    """The optimisers of one training run; together they hold every trainable parameter once."""
    hidden, rest = divided(model, spec)
    decayed = [p for p in rest if p.ndim >= 2]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": spec.weight_decay},
                {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
            ],
            lr=spec.lr,
            betas=(spec.beta1, spec.beta2),
            foreach=True,
        )
    ]
    if hidden:
        optimisers.append(Muon(hidden, lr=spec.muon_lr))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak_lr"] = group["lr"]
    return optimisers


def step_seconds(model: Any, spec: OptimSpec) -> float:
    """What a step of this optimiser takes here, without its gradient: timed on a part of it, the model left alone."""
    hidden, rest = divided(model, spec)
    part = torch.nn.Parameter(torch.zeros(PART, device=next(model.parameters()).device))
    part.grad = torch.ones_like(part)
    adamw = torch.optim.AdamW([part], foreach=True)
    adamw.step()  # makes its state
    seconds = _seconds(adamw.step) / PART * sum(p.numel() for p in rest)
    for shape, count in Counter(p.shape for p in hidden).items():
        seconds += count * _seconds(partial(orthogonalise, torch.randn(1, *shape, device=part.device)))
    return seconds


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def schedule(step: int, total: int, *, warmup: float, floor: float) -> float:
    """Share of the peak learning rate at `step` (0-based): linear warmup, then cosine to `floor` (2.1.2).

    warmup: share of all steps. floor: final over peak learning rate.
    """
    warm = round(warmup * total)
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, total - 1 - warm)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def set_lr(optimisers: list[torch.optim.Optimizer], share: float) -> None:
    """Scale every group to `share` of its peak learning rate."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group["peak_lr"] * share
