"""One small training loop for base, SFT, self-distillation and RL.

    make_batch(step) -> Batch(rows, objective) -> micro-batches by length -> backward -> clip -> optimiser step
                                                                               |
                        metrics.jsonl, one row a step  <-----------------------+--> resumable state every few steps

The objective turns log-probs of one micro-batch into its share of the batch's loss, so the sum over micro-batches
is the big-batch loss and gradient accumulation is exact.

Axes: N response tokens of a micro-batch.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from etalon.engines.jobs import timed
from etalon.engines.local import optim
from etalon.engines.local.passes import Objective, Pass, accumulate, casting
from etalon.errors import RunError
from etalon.model.activations import bytes_per_token
from etalon.model.crew import Crew
from etalon.model.loader import LanguageModel
from etalon.model.memory import free_bytes
from etalon.model.packed import PackedBatch, TokenRow, micro_batches
from etalon.recipe import OptimSpec, Recompute
from etalon.store import append_jsonl, hash_tree, read_json, truncate_jsonl, write_json_atomic, writing

GRADIENT_BYTES = 4  # per parameter, of every step
UPDATE_BYTES = 12  # per parameter: what the first update takes beside the weights, a gradient and two moments
SAVE_SECONDS = 300.0  # (ours) between two resumable states, however far apart they are asked for
SAVE_SHARE = 0.05  # (ours) of the time that such states may take: those of a large model are further apart
SHARE = 0.7  # (ours) of the memory that is free then, for activations


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of one optimiser step, the objective over them, and what to log beside the loss.

    A batch without rows (no prompt carried a signal) takes no optimiser step, and is logged all the same.
    """

    rows: Sequence[TokenRow]
    objective: Objective
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CrossEntropy:
    """Mean negative log-likelihood (nats) over all `tokens` response tokens of the batch."""

    tokens: int

    def __call__(self, logprobs_N: torch.Tensor, batch: PackedBatch, indices: list[int]) -> torch.Tensor:
        return -logprobs_N.sum() / self.tokens


def cross_entropy(rows: Sequence[TokenRow]) -> CrossEntropy:
    """The objective of these rows."""
    return CrossEntropy(sum(len(row.response) for row in rows))


class Trainer:
    """A model with its optimisers. `step` is one update; `save_state` and `load_state` make it resumable."""

    def __init__(
        self,
        language_model: LanguageModel,
        spec: OptimSpec,
        *,
        total_steps: int,
        micro_tokens: int,
        autocast: str = "off",
        recompute: Recompute = "off",
        crew: Crew | None = None,
    ) -> None:
        """crew: who shares the passes over the micro-batches of a step; None is this process alone."""
        self.language_model = language_model
        self.spec = spec
        self.total_steps = total_steps
        self.micro_tokens = micro_tokens
        self.autocast = autocast
        self.recompute = recompute
        self.recomputes = recompute == "on"
        self._judged = 0  # tokens of the largest pass that "auto" has looked at
        self.crew = crew or Crew(language_model)
        self.optimisers = optim.build(language_model.model, spec)

    def step(self, step: int, batch: Batch) -> dict[str, float]:
        """One update from one batch; returns loss, gradient norm before clipping, learning rate and tokens."""
        floor = self.spec.final_lr / self.spec.lr
        share = optim.schedule(step, self.total_steps, warmup=self.spec.warmup, floor=floor)
        tokens = sum(len(row) for row in batch.rows)
        if not batch.rows:
            return {"loss": 0.0, "grad_norm": 0.0, "lr": self.spec.lr * share, "tokens": 0}
        loss = self.backward(batch)
        if not math.isfinite(loss):
            raise RunError(
                f"the loss is {loss} at step {step + 1}: the base model holds such weights, or the learning rate "
                f"({self.spec.lr:g}) is too high"
            )
        parameters = [p for p in self.language_model.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.spec.clip)
        optim.set_lr(self.optimisers, share)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return {"loss": loss, "grad_norm": float(norm), "lr": self.spec.lr * share, "tokens": tokens}

    def backward(self, batch: Batch) -> float:
        """Accumulate the gradient of the whole batch; returns its loss."""
        found = micro_batches(batch.rows, self.micro_tokens)
        if self.recompute == "auto" and not self.recomputes:
            most = max(sum(len(batch.rows[i]) for i in indices) for indices in found)
            self.recomputes = self._is_tight(min(most, max(self.micro_tokens, *map(len, batch.rows))), batch.rows)
        parts = [
            Pass(rows=[batch.rows[i] for i in indices], indices=indices, objective=batch.objective,
                 autocast=self.autocast, recompute=self.recomputes)
            for indices in found
        ]  # fmt: skip
        return accumulate(self.crew, parts)

    def _is_tight(self, tokens: int, rows: Sequence[TokenRow]) -> bool:
        """Whether a pass over so many tokens, the largest so far, would keep more than the free memory allows."""
        if tokens <= self._judged:
            return False
        self._judged = tokens
        language_model = self.language_model
        parameters = sum(p.numel() for p in language_model.model.parameters() if p.requires_grad)
        to_come = (GRADIENT_BYTES if self.optimisers[0].state else UPDATE_BYTES) * parameters
        room = SHARE * (free_bytes(language_model.device) - to_come)
        with casting(language_model, self.autocast):
            needed = bytes_per_token(language_model.model, max(rows, key=len)) * tokens
        return bool(needed * self.crew.size > room)

    def save_state(self, directory: Path, step: int) -> None:
        """Everything the next step needs, in files that appear whole; the previous state goes last."""
        from safetensors.torch import save_file

        target = directory / f"step-{step:06d}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        with writing(target):
            save_file(_tensors(self.language_model.model.state_dict()), target / "model.safetensors")
            for index, optimiser in enumerate(self.optimisers):
                state = {
                    f"{parameter}.{name}": value
                    for parameter, entry in optimiser.state_dict()["state"].items()
                    for name, value in entry.items()
                }
                save_file(_tensors(state), target / f"optimiser-{index}.safetensors")
        write_json_atomic(directory / "state.json", {"step": step, "hash": hash_tree(target)})
        for old in directory.glob("step-*"):
            if old != target:
                shutil.rmtree(old)

    def load_state(self, directory: Path) -> int:
        """Restore the saved state, if there is one. Returns the number of steps already taken.

        SafetensorError when its files are not those that were saved: a flipped byte is still a number.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not (directory / "state.json").exists():
            return 0
        saved = read_json(directory / "state.json")
        step = int(saved["step"])
        source = directory / f"step-{step:06d}"
        if "hash" in saved and hash_tree(source) != saved["hash"]:
            raise SafetensorError(f"{source} is not what was saved")
        self.language_model.model.load_state_dict(load_file(source / "model.safetensors"))
        for index, optimiser in enumerate(self.optimisers):
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in load_file(source / f"optimiser-{index}.safetensors").items():
                parameter, name = key.split(".", 1)
                state.setdefault(int(parameter), {})[name] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        return step


def _tensors(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone().contiguous() for name, value in state.items()}


def run(
    trainer: Trainer,
    make_batch: Callable[[int], Batch],
    *,
    directory: Path,
    save_every: int,
    on_step: Callable[[int, dict[str, Any]], None],
    resume: Callable[[int], None] = lambda step: None,
    after_step: Callable[[int], None] = lambda steps: None,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Run all steps, or those that a killed run left over.

    save_every: steps between resumable states; there are others, about SAVE_SECONDS apart. on_step: shown the
    number of steps done and the row that was logged. resume: called once with the number of steps already taken, to cut
    other logs to it. after_step: called with the number of steps done, before the state is saved, so that a checkpoint
    it writes exists by the time the state says the step is past. is_over: asked before every step whether those that
    are logged are enough.
    """
    state = directory / "state"
    metrics = directory / "metrics.jsonl"
    done = trainer.load_state(state)
    truncate_jsonl(metrics, done)
    resume(done)
    saved, taken = time.monotonic(), 0.0
    for step in range(done, trainer.total_steps):
        if is_over():
            return
        started = time.perf_counter()
        batch = make_batch(step)
        untimed = {"step": step + 1, **trainer.step(step, batch), **batch.metrics}
        row = timed(untimed, time.perf_counter() - started)
        append_jsonl(metrics, [row])
        after_step(step + 1)
        is_due = (step + 1) % save_every == 0 or time.monotonic() - saved >= max(SAVE_SECONDS, taken / SAVE_SHARE)
        if is_due and step + 1 < trainer.total_steps:
            begun = time.monotonic()
            trainer.save_state(state, step + 1)
            saved = time.monotonic()
            taken = saved - begun
        on_step(step + 1, row)
