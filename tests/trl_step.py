"""One step of MGPOTrainer on the stored rollouts: python -m torch.distributed.run ... trl_step.py FOLDER LAMBDA LOSS.

Writes what the first process saw: gradients.safetensors, credits.json (one per rollout, all processes) and log.json.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import save_file
from transformers import TrainerCallback

from etalon.engines.trl import MGPOConfig, MGPOTrainer
from etalon.engines.trl.worker import leave
from trl_cases import GAMMA, GROUP_SIZE, language_model, stored_groups


class Gradients(TrainerCallback):  # type: ignore[misc]
    """Keeps the gradient as it is before the optimiser's step."""

    def __init__(self) -> None:
        self.kept: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        plain = getattr(model, "module", model)
        self.kept = {n: p.grad.detach().clone() for n, p in plain.named_parameters() if p.grad is not None}


def score(completions: list[str], score: list[float | None], **_: Any) -> list[float | None]:
    return score


def main(folder: Path, brevity: float, loss_type: str) -> None:
    own = language_model()
    groups = stored_groups(own.model)
    rollouts = [(r, v) for group in groups for r, v in zip(group.rollouts, group.verdicts, strict=True)]

    def rollout_func(prompts: list[str], trainer: Any) -> dict[str, Any]:
        first = trainer.accelerator.process_index * len(prompts)
        chosen = rollouts[first : first + len(prompts)]
        assert prompts == [r.problem_id for r, _ in chosen], "a slice of whole groups in order"
        return {
            "prompt_ids": [list(r.prompt_tokens) for r, _ in chosen],
            "completion_ids": [list(r.tokens) for r, _ in chosen],
            "logprobs": None,
            "score": [v.score for _, v in chosen],
        }

    processes = int(os.environ.get("WORLD_SIZE", "1"))
    gradients = Gradients()
    config = MGPOConfig(
        output_dir=str(folder / "trainer"), mgpo_gamma=GAMMA, loss_type=loss_type, long2short_lambda=brevity,
        num_generations=GROUP_SIZE,
        per_device_train_batch_size=3, gradient_accumulation_steps=4 // processes, max_steps=1, learning_rate=1e-3,
        max_grad_norm=0.0, shuffle_dataset=False, bf16=False, use_cpu=True, gradient_checkpointing=False,
        report_to="none", save_strategy="no", logging_steps=1, disable_tqdm=True,
    )  # fmt: skip
    trainer = MGPOTrainer(
        model=own.model,
        processing_class=own.tokenizer,
        reward_funcs=score,
        args=config,
        train_dataset=Dataset.from_dict({"prompt": [group.problem.id for group in groups]}),
        rollout_func=rollout_func,
        callbacks=[gradients],
    )
    trainer.train()
    if trainer.accelerator.is_main_process:
        save_file(gradients.kept, folder / "gradients.safetensors")
        (folder / "credits.json").write_text(json.dumps(list(trainer._logs["advantages"])))
        (folder / "log.json").write_text(json.dumps(trainer.state.log_history))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
    leave(0)
