"""What both kinds of run share: the model (with or without an adapter), the recipe's optimisers, logs and states.

Policy      the model that is trained, and its plain weights for sampling and checkpoints
Joined      the recipe's optimisers as the one that a `Trainer` expects
Follow      a row per step to metrics.jsonl; marks a state as whole once everything of it is written
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from etalon.engines.jobs import timed
from etalon.engines.local import optim
from etalon.engines.trl import wire
from etalon.engines.trl.launch import whole_state
from etalon.errors import RunError
from etalon.model import loader
from etalon.model.loader import LanguageModel
from etalon.recipe import OptimSpec
from etalon.store import append_jsonl, write_json_atomic


class Policy:
    """The checkpoint that is trained. With LoRA, `plain` is a second copy that the adapter is added to.

    system: message before every prompt that it is asked.
    """

    def __init__(self, source: Path, settings: wire.Settings, *, system: str = "") -> None:
        spec = settings.trl
        self.trained = loader.load(source, device=settings.device, attention=spec.attention, system=system)
        self.copy = loader.load(source, device=settings.device, system=system) if spec.lora_rank else None
        self.peft_config: Any = None
        if spec.lora_rank:
            from peft import LoraConfig

            self.peft_config = LoraConfig(
                r=spec.lora_rank, lora_alpha=spec.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
            )

    def plain(self, model: Any) -> LanguageModel:
        """The weights of the trainer's model as an ordinary language model."""
        if self.copy is None:
            return self.trained
        prefix = "base_model.model."
        with torch.no_grad():
            for name, module in model.named_modules():
                if hasattr(module, "get_delta_weight") and "default" in module.lora_A:
                    target = self.copy.model.get_submodule(name.removeprefix(prefix)).weight
                    target.copy_(module.base_layer.weight + module.get_delta_weight("default"))
        return self.copy


class Joined(torch.optim.Optimizer):
    """Several optimisers in one. A batch without any gradient moves nothing, not even by momentum."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        assert closure is None
        if any(p.grad is not None and bool(p.grad.any()) for group in self.param_groups for p in group["params"]):
            for part in self.parts:
                part.step()

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


class OwnOptimiser:
    """Mixed into a `Trainer`: the optimisers and the schedule of the local engine. Set `own` before training."""

    own: OptimSpec
    model: Any
    optimizer: Any
    lr_scheduler: Any

    def create_optimizer(self, model: Any = None) -> Any:
        """The optimisers, over the parameters that are trained."""
        if self.optimizer is None:
            self.optimizer = Joined(optim.build(self.model if model is None else model, self.own))
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The schedule of the learning rate, per step."""
        if self.lr_scheduler is None:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                self.optimizer if optimizer is None else optimizer,
                lambda step: share(self.own, step, num_training_steps),
            )
        return self.lr_scheduler


def share(spec: OptimSpec, step: int, total: int) -> float:
    """Share of the peak learning rate at a step (0-based)."""
    return optim.schedule(step, total, warmup=spec.warmup, floor=spec.final_lr / spec.lr)


class Follow(TrainerCallback):  # type: ignore[misc]
    """Keeps the logs of a job, on its first process.

    row: what a step logs beside loss, gradient norm and learning rate. is_over: asked on every process, with the rows
    that this call has logged, whether the run ends here; it leaves no state then. after_step: called with the steps
    done and the trainer's model, before the state is saved, so that a checkpoint it writes exists once the state is
    past it.
    """

    def __init__(
        self,
        directory: Path,
        spec: OptimSpec,
        *,
        row: Callable[[int], Mapping[str, Any]],
        after_step: Callable[[int, Any], None] = lambda done, model: None,
        is_over: Callable[[Sequence[Mapping[str, Any]]], bool] = lambda rows: False,
    ) -> None:
        self.directory = directory
        self.spec = spec
        self.row = row
        self.after_step = after_step
        self.is_over = is_over
        self.rows: list[Mapping[str, Any]] = []
        self.started = time.perf_counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.is_world_process_zero:
            self.after_step(state.global_step, getattr(model, "module", model))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" not in logs:
            return
        step = state.global_step
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise RunError(
                f"the loss is {loss} at step {step}: the base model holds such weights, or the learning rate "
                f"({self.spec.lr:g}) is too high"
            )
        own = {
            "step": step,
            "loss": loss,
            "grad_norm": float(logs["grad_norm"]),
            "lr": self.spec.lr * share(self.spec, step - 1, state.max_steps),
        }
        row = timed({**own, **self.row(step)}, time.perf_counter() - self.started)
        if state.is_world_process_zero:
            append_jsonl(self.directory / "metrics.jsonl", [row])
        self.rows.append(row)
        if self.is_over(self.rows):
            control.should_training_stop, control.should_save = True, False

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            write_json_atomic(self.directory / wire.STATE / wire.DONE, {"step": state.global_step})


def arguments(directory: Path, settings: wire.Settings, spec: OptimSpec, *, save_every: int) -> dict[str, Any]:
    """Arguments that both trainers take."""
    on_cpu = loader.choose_device(settings.device).type == "cpu"
    return {
        "output_dir": str(directory / wire.STATE),
        "use_cpu": on_cpu,
        "bf16": settings.autocast == "bf16",
        "learning_rate": spec.lr,
        "max_grad_norm": spec.clip,
        "gradient_checkpointing": settings.trl.gradient_checkpointing,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": save_every,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": not on_cpu,
    }


def train(trainer: Any, directory: Path) -> None:
    """All steps, or those after the last whole state."""
    done = whole_state(directory)
    state = str(directory / wire.STATE / f"checkpoint-{done}") if done else None
    trainer.train(resume_from_checkpoint=state)
