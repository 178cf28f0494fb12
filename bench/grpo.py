"""TRL's GRPOTrainer as the benches measure it: GRPO's loss, its own generation, weights that do not move."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

STILL = 1e-12  # learning rate, ours as well


def chance(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
    """Right or wrong by chance, the same for the same tokens."""
    return [float(sum(ids) % 3 == 0) for ids in completion_ids]


def grpo_trainer(
    model: Any, tokenizer: Any, prompts: Sequence[str], *, n: int, max_tokens: int, rows: int, steps: int,
    folder: Path, watch: Any, rollout_func: Any = None, max_grad_norm: float = 1.0,
) -> tuple[Any, list[int]]:  # fmt: skip
    """A trainer that takes `steps` steps on all prompts x n, and the list that it fills with the tokens of each.

    rows: rollouts per forward pass. watch: a TrainerCallback. rollout_func: gives the rollouts in place of its own
    generation, which then counts nothing. TRL is loaded here alone: our own side runs where there is none.
    """
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import GRPOConfig, GRPOTrainer

    config = GRPOConfig(
        output_dir=str(folder), num_generations=n, max_completion_length=max_tokens, loss_type="grpo",
        per_device_train_batch_size=rows, gradient_accumulation_steps=len(prompts) * n // rows, max_steps=steps,
        learning_rate=STILL, lr_scheduler_type="constant", shuffle_dataset=False, top_k=0, bf16=False, use_cpu=True,
        gradient_checkpointing=False, report_to="none", save_strategy="no", disable_tqdm=True, logging_steps=10**6,
        max_grad_norm=max_grad_norm,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=model, processing_class=tokenizer, reward_funcs=chance, args=config,
        train_dataset=Dataset.from_dict({"prompt": list(prompts)}), rollout_func=rollout_func, callbacks=[watch],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    tokens: list[int] = []
    generate = trainer._generate

    def counted(asked: list[Any]) -> Any:
        found = generate(asked)
        tokens.append(sum(map(len, found[1])))
        return found

    if rollout_func is None:
        trainer._generate = counted
    return trainer, tokens
