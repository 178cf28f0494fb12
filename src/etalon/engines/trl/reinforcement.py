"""One RL phase by `MGPOTrainer`: our rollouts and verdicts, TRL's processes, loss and update.

    prompts of a step -> every process samples and verifies whole groups of its own -> all groups known to all
                      -> each process hands its slice to the trainer -> credit over all -> one update

Which process samples what changes nothing: rollouts depend on the seed, the prompt and their number in the group.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from accelerate.utils import gather_object
from datasets import Dataset

from etalon.engines.jobs import CHECKPOINT, RlJob
from etalon.engines.trl import wire
from etalon.engines.trl.internals import ask_vllm, correct_in_process
from etalon.engines.trl.mgpo import AGGREGATIONS, MGPOConfig, MGPOTrainer
from etalon.engines.trl.training import Follow, OwnOptimiser, Policy, arguments, train
from etalon.model import loader
from etalon.model.loader import LanguageModel
from etalon.rl.credit import credit
from etalon.rl.metrics import step_metrics
from etalon.rl.pool import prompts_of_step, prompts_per_step
from etalon.rl.rewards import Rewards
from etalon.sampling import by_problem, group_to_row, sample, to_ask, verify_groups
from etalon.sampling.local import LocalSampler
from etalon.store import append_jsonl, read_jsonl
from etalon.types import Group, Problem, Rollout, Stop


class Reinforced(OwnOptimiser, MGPOTrainer):
    """`MGPOTrainer` with the recipe's optimiser."""


class Rollouts:
    """The `rollout_func` of the trainer; `groups` are those of the step under way, on every process.

    judged: what the judges of all processes were asked so far, and cost.
    """

    def __init__(self, job: RlJob, policy: Policy, *, use_vllm: bool) -> None:
        self.job = job
        self.policy = policy
        self.use_vllm = use_vllm
        self.rewards = Rewards.of(job)
        self.groups: list[Group] = []
        self.judged: Mapping[str, Any] = {}

    def __call__(self, prompts: Sequence[str], trainer: Any) -> dict[str, list[Any]]:
        """The slice of this process: ids, log-probs of the sampler, and scores for the reward function."""
        job, accelerator = self.job, trainer.accelerator
        step = trainer.state.global_step
        problems = prompts_of_step(job.prompts, step, job.spec.prompts_per_step, job.seed)
        own = list(range(accelerator.process_index, len(problems), accelerator.num_processes))
        verified = verify_groups(
            self.sampled([problems[i] for i in own], step, trainer), workers=job.workers,
            verifier=self.rewards.verifier, review=self.rewards.review,
        )  # fmt: skip
        found = dict(gather_object(list(zip(own, verified, strict=True))))
        self.groups = [found[i] for i in range(len(problems))]
        self.rewards.check(self.groups)  # of all processes, so that all of them end here or none
        if self.rewards.judge is not None:
            self.judged = reduce(operator.add, gather_object([self.rewards.judge.usage])).record()
        if accelerator.is_main_process:
            rows = [{"step": step + 1, **group_to_row(group)} for group in self.groups]
            append_jsonl(job.directory / "rollouts.jsonl", rows)
        pairs = [pair for group in self.groups for pair in zip(group.rollouts, group.verdicts, strict=True)]
        first = accelerator.process_index * len(prompts)
        pairs = pairs[first : first + len(prompts)]
        assert list(prompts) == [rollout.problem_id for rollout, _ in pairs]
        end = self.policy.trained.end_token
        return {
            "prompt_ids": [list(r.prompt_tokens or (end,)) for r, _ in pairs],
            "completion_ids": [list(r.tokens or (end,)) for r, _ in pairs],  # undecided when there is none
            "logprobs": [list(r.logprobs or (0.0,)) for r, _ in pairs],
            "score": [v.score for _, v in pairs],
        }

    def sampled(
        self, problems: Sequence[Problem], step: int, trainer: Any
    ) -> list[tuple[Problem, tuple[Rollout, ...]]]:
        """Whole groups under the weights that the trainer has now."""
        job, model = self.job, trainer.accelerator.unwrap_model(trainer.model)
        n, seed = job.spec.group_size, job.seed_of(step)
        if self.use_vllm:
            rollouts = from_vllm(trainer, self.policy.trained, problems, n=n, seed=seed)
        else:
            rollouts = sample(LocalSampler(self.policy.plain(model)), problems, n=n, params=job.params, seed=seed)
        return list(zip(problems, rollouts, strict=True))

    def row(self, step: int) -> Mapping[str, Any]:
        """What the step logs about its groups, as the local engine does."""
        weights = [credit(group, self.job.credit)[0].weight for group in self.groups]
        tokens = sum(len(r.prompt_tokens or ()) + r.num_tokens for group in self.groups for r in group.rollouts)
        judged = {"judge": self.judged} if self.judged else {}
        return {"tokens": tokens, **step_metrics(self.groups, weights), **judged}


def from_vllm(
    trainer: Any, language_model: LanguageModel, problems: Sequence[Problem], *, n: int, seed: int
) -> list[tuple[Rollout, ...]]:
    """n rollouts per problem by the vLLM that the trainer keeps in step with its weights, all of them in one call.

    The trainer's generation carries the sampling parameters and the seed of vLLM decides the draws: rollouts of a
    continued run are not those of an uninterrupted one.
    """
    asked = to_ask(problems, n=n, seed=seed)
    prompts = [language_model.render(one.conversation) for one in asked for _ in one.samples]
    answers = iter(zip(prompts, ask_vllm(trainer, prompts), strict=True))
    ends = language_model.end_tokens

    def answer() -> Rollout:
        prompt, (tokens, logprobs) = next(answers)
        has_ended = bool(tokens) and tokens[-1] in ends
        return Rollout(
            index=0,
            text=language_model.decode(tokens[:-1] if has_ended else tokens),
            stop=Stop.EOS if has_ended else Stop.LENGTH,
            num_tokens=len(tokens),
            tokens=tuple(tokens),
            logprobs=tuple(logprobs),
            prompt_tokens=tuple(prompt),
        )

    return by_problem(asked, [tuple(answer() for _ in one.samples) for one in asked])


def score(completions: Sequence[Any], score: list[float | None], **_: Any) -> list[float | None]:
    """The reward function: what the verifier said."""
    return score


def reinforce(job: RlJob, settings: wire.Settings) -> None:
    """All steps of the phase, or those that its budget of tokens allows; leaves its checkpoint."""
    policy = Policy(job.source, settings, system=job.system)
    rollouts = Rollouts(job, policy, use_vllm=settings.trl.vllm != "off")
    before = read_jsonl(job.directory / "metrics.jsonl")  # of the steps that a killed run has left
    trainer = Reinforced(
        model=policy.trained.model,
        processing_class=policy.trained.tokenizer,
        reward_funcs=score,
        args=config(job, settings, policy.trained.window),
        train_dataset=Dataset.from_dict({"prompt": prompt_ids_of(job)}),
        rollout_func=rollouts,
        peft_config=policy.peft_config,
        callbacks=[
            Follow(job.directory, job.optim, row=rollouts.row, is_over=lambda rows: job.is_over([*before, *rows]))
        ],
    )
    trainer.own = job.optim
    if settings.trl.vllm == "off" and settings.autocast != "off":
        correct_in_process(trainer)
    train(trainer, job.directory)
    if trainer.accelerator.is_main_process:
        plain = policy.plain(trainer.accelerator.unwrap_model(trainer.model))
        loader.save(plain, job.directory / CHECKPOINT)


def prompt_ids_of(job: RlJob) -> list[str]:
    """Problem ids of all steps, one after the other: the order in which the trainer asks for rollouts."""
    count = job.spec.prompts_per_step
    return [p.id for step in range(job.steps) for p in prompts_of_step(job.prompts, step, count, job.seed)]


def config(job: RlJob, settings: wire.Settings, window: int) -> MGPOConfig:
    """The job as TRL's arguments."""
    spec, trl = job.spec, settings.trl
    rollouts = prompts_per_step(len(job.prompts), spec.prompts_per_step) * spec.group_size
    own = rollouts // trl.processes
    rows = rows_per_pass(own, trl.rows or spec.micro_tokens // min(spec.max_tokens, window))
    vllm: dict[str, Any] = {
        "use_vllm": True,
        "vllm_mode": trl.vllm,
        "vllm_server_base_url": trl.vllm_server or None,
        "vllm_gpu_memory_utilization": trl.vllm_memory,
        "vllm_max_model_length": window,
    }
    return MGPOConfig(
        **arguments(job.directory, settings, job.optim, save_every=spec.save_every),
        **(vllm if trl.vllm != "off" else {}),
        max_steps=job.steps,
        num_generations=spec.group_size,
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=own // rows,
        max_completion_length=spec.max_tokens,
        shuffle_dataset=False,
        epsilon=spec.clip_epsilon,
        mgpo_gamma=job.credit.gamma,
        long2short_lambda=job.credit.brevity,
        std_ddof=job.credit.std_ddof,
        std_epsilon=job.credit.std_epsilon,
        loss_type={name: loss for loss, name in AGGREGATIONS.items()}[job.credit.aggregation],
        vllm_importance_sampling_clip_max=job.credit.importance_cap,
    )


def rows_per_pass(rollouts: int, at_most: int) -> int:
    """The largest divisor of the rollouts that is not above `at_most`, at least 1."""
    return max(n for n in range(1, rollouts + 1) if rollouts % n == 0 and n <= max(1, at_most))
