"""What the engine touches of TRL and transformers beyond their public interface, all of it, with the reason.

    CreditedTrainer     _calculate_rewards, _metrics                 the one place where whole groups are known
    InOrder             _get_train_sampler                           rows lie in the order of their steps already
    correct_in_process  use_vllm, vllm_generation, _last_loaded_step TRL corrects the log-probs of its own vLLM only
    ask_vllm            vllm_generation.generate                     rollouts of our prompts by the vLLM that it keeps

A new series of TRL is looked at here first; `engine.OLDEST` and `NEXT` name those that were.

Axes: B rollouts of the generation batch over all processes, F reward functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from trl import GRPOTrainer


class CreditedTrainer(GRPOTrainer):  # type: ignore[misc]
    """A `GRPOTrainer` whose rewards, gathered over all processes, pass through `credited` before it uses them."""

    def credited(self, rewards_BF: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
        """What the trainer takes for the rewards, shape (B, F)."""
        raise NotImplementedError

    def note(self, name: str, value: float) -> None:
        """Log a number of the generation batch with the next step."""
        self._metrics["train"][name].append(value)

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Sequence[Sequence[int]]
    ) -> torch.Tensor:
        rewards_BF: torch.Tensor = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        own_lengths = torch.tensor([len(ids) for ids in completion_ids_list], device=rewards_BF.device)
        return self.credited(rewards_BF, self.accelerator.gather(own_lengths))


class InOrder:
    """Mixed into a `Trainer`: its rows are taken in order, every process its share of each batch."""

    train_dataset: Any

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset if dataset is None else dataset)


class OwnWeights:
    """Stands where a trainer keeps its vLLM."""

    def sync_weights(self) -> None:
        """The local sampler reads the trainer's own weights."""


def correct_in_process(trainer: Any) -> None:
    """Apply TRL's correction of vLLM's log-probs to those of the local sampler.

    Under autocast the two differ as vLLM's do; in float32 they are the same up to rounding, and this is not called.
    """
    trainer.use_vllm, trainer.vllm_generation, trainer._last_loaded_step = True, OwnWeights(), -1


def ask_vllm(trainer: Any, prompts: Sequence[Sequence[int]]) -> list[tuple[list[int], list[float]]]:
    """(token ids, log-probs) of one response per prompt.

    With a server every process has to make as many calls as the others.
    """
    _, responses, by_token, _ = trainer.vllm_generation.generate(
        prompts=[list(prompt) for prompt in prompts], images=None, num_generations=1
    )
    return [(ids, [one[0] for one in tokens]) for ids, tokens in zip(responses, by_token, strict=True)]
