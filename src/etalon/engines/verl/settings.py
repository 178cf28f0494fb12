"""One verl config per stage: every value that differs from verl's defaults, with the reason beside it.

    recipe + where files are -> rl_settings / sft_settings -> to_yaml -> DIR/config.yaml -> verl's own hydra loader

Light: a dry run writes the same files without verl, torch or a cluster.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.config.plugins import searched
from etalon.engines.jobs import rl_optim
from etalon.errors import ConfigError
from etalon.recipe import OptimSpec, Recipe, RlSpec, SandboxSpec, VerlSpec

UNDECIDED = -1.0  # (ours) reward of a response without a score: scores are in [0, 1], a float32 tensor holds -1 exactly
ESTIMATORS = ("mgpo", "mgpo_long2short")  # the names under which `plugin` registers
PACKAGE = Path(__file__).parent
NO_DUAL_CLIP = 1e9  # verl clamps log rho to 20, so rho <= e^20 = 4.9e8: a bound above it never acts


@dataclass(frozen=True)
class Setting:
    """One dotted key of verl's config. why: the paper section, or what goes wrong otherwise."""

    key: str
    value: Any
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stage reads and writes; every path is seen by all nodes."""

    name: str  # of the run
    stage: str
    source: str  # Hugging Face directory
    data: Path
    order: Path | None
    shards: Path
    metrics: Path
    rollouts: Path
    hydra: Path


def rl_settings(
    place: Place, spec: RlSpec, recipe: Recipe, *, prompts: int, prompt_tokens: int, seed: int
) -> list[Setting]:  # fmt: skip
    """The config of one RL phase for `python -m verl.trainer.main_ppo`. prompts: of one step."""
    cluster = recipe.verl
    phase = phase_json(place.stage, spec, prompts_folder=recipe.prompts, seed=seed)
    return [
        *_algorithm(spec),
        *_rl_data(place, spec, prompts, prompt_tokens, seed),
        *_actor(spec, cluster, prompts, prompt_tokens),
        *_rollout(spec, cluster, prompt_tokens, seed),
        *_reward(cluster, recipe.sandbox, phase),
        *_model("actor_rollout_ref.model", place),
        *_rl_trainer(place, spec, cluster),
    ]


def phase_json(name: str, spec: RlSpec, *, prompts_folder: str, seed: int) -> str:
    """What a reward worker must know of a stage that has a reward or a judge of its own; "" for any other."""
    if not (spec.reward or spec.judge):
        return ""
    keys = {"domains": spec.domains, "reward": spec.reward, "judge": spec.judge}
    told = {"name": name, "keys": keys, "prompts": prompts_folder, "seed": seed, "searched": searched()}
    return json.dumps(told)


def _algorithm(spec: RlSpec) -> list[Setting]:
    here = "algorithm"
    truncated = spec.importance == "token-truncate"
    return [
        Setting(f"{here}.adv_estimator", ESTIMATORS[bool(spec.lambda_)], "2.2; registered by etalon's plug-in"),
        Setting(f"{here}.etalon.gamma", spec.gamma, "2.2: w(q) = exp(-gamma D_ME)"),
        Setting(f"{here}.etalon.std_ddof", spec.std_ddof, "1.5B section 2"),
        Setting(f"{here}.etalon.std_epsilon", spec.std_epsilon),
        Setting(f"{here}.etalon.brevity", spec.lambda_, "2.2: lambda of Long2Short"),
        Setting(f"{here}.etalon.aggregation", spec.aggregation),
        Setting(f"{here}.use_kl_in_reward", False, "2.2 has no KL term; it would also shift the scores"),
        Setting(f"{here}.filter_groups.enable", False, "would drop all-correct groups, which Long2Short learns from"),
        Setting(f"{here}.rollout_correction.rollout_is", "token" if truncated else None, "2.2: token by token"),
        Setting(
            f"{here}.rollout_correction.rollout_is_threshold", spec.importance_cap, "min(pi_train / pi_sample, cap)"
        ),
        Setting(f"{here}.rollout_correction.rollout_rs", None, "sequence masks kill the gradient at 64K"),
        Setting(
            f"{here}.rollout_correction.bypass_mode", not truncated, "true: the sampler's log-probs are the old ones"
        ),
    ]


def _rl_data(place: Place, spec: RlSpec, prompts: int, prompt_tokens: int, seed: int) -> list[Setting]:
    return [
        Setting("data.train_files", str(place.data), "the prompts of every step, in order"),
        Setting("data.val_files", str(place.data), "verl wants a file; etalon evaluates"),
        Setting("data.val_max_samples", 1),
        Setting("data.train_batch_size", prompts, "prompts of one step"),
        Setting("data.shuffle", False, "the file is in the order of the steps, the same as with engine = 'local'"),
        Setting("data.seed", seed),
        Setting("data.max_prompt_length", prompt_tokens, "the longest prompt there is"),
        Setting("data.max_response_length", spec.max_tokens, "2.2.2: one long window from the start"),
        Setting("data.truncation", "error", "a prompt that was cut would be another problem"),
        Setting("data.return_raw_chat", True),
    ]


def _actor(spec: RlSpec, cluster: VerlSpec, prompts: int, prompt_tokens: int) -> list[Setting]:
    here = "actor_rollout_ref.actor"
    mode = "seq-mean-token-mean" if spec.aggregation == "sequence-mean-token-mean" else "token-mean"
    tokens = tokens_per_gpu(spec.micro_tokens, prompt_tokens + spec.max_tokens, cluster)
    return [
        Setting(f"{here}.policy_loss.loss_mode", "vanilla", "2.2: the clipped surrogate, token by token"),
        Setting(f"{here}.loss_agg_mode", mode, "2.2: mean over rollouts of the mean over tokens"),
        Setting(f"{here}.ppo_mini_batch_size", prompts, "2.2: one update per batch, strictly on-policy"),
        Setting(f"{here}.ppo_epochs", 1, "2.2"),
        Setting(f"{here}.shuffle", False),
        Setting(f"{here}.clip_ratio", spec.clip_epsilon),
        Setting(f"{here}.clip_ratio_low", spec.clip_epsilon),
        Setting(f"{here}.clip_ratio_high", spec.clip_epsilon),
        Setting(f"{here}.clip_ratio_c", NO_DUAL_CLIP, "the objective of 2.2 has no second clip; this one never acts"),
        Setting(f"{here}.entropy_coeff", 0),
        Setting(f"{here}.use_kl_loss", False, "2.2 has no KL term"),
        Setting(f"{here}.use_dynamic_bsz", True, "micro-batches by tokens: no padding, the same gradient"),
        Setting(f"{here}.ppo_max_token_len_per_gpu", tokens, "at least one whole sequence over its GPUs"),
        Setting(f"{here}.ulysses_sequence_parallel_size", cluster.sequence_parallel, "64K windows"),
        Setting(f"{here}.fsdp_config.ulysses_sequence_parallel_size", cluster.sequence_parallel),
        Setting(f"{here}.fsdp_config.param_offload", cluster.offload),
        Setting(f"{here}.fsdp_config.optimizer_offload", cluster.offload),
        Setting(f"{here}.grad_clip", spec.clip),
        *_optim(f"{here}.optim", rl_optim(spec)),
        Setting(f"{here}.optim.lr_scheduler_type", "constant", "RL has no schedule (ours)"),
        Setting(f"{here}.checkpoint.save_contents", ["model", "optimizer", "extra"], "all that a resume needs"),
    ]


def _rollout(spec: RlSpec, cluster: VerlSpec, prompt_tokens: int, seed: int) -> list[Setting]:
    here = "actor_rollout_ref.rollout"
    return [
        Setting(f"{here}.name", "vllm"),
        Setting(f"{here}.mode", "async"),
        Setting(f"{here}.n", spec.group_size),
        Setting(f"{here}.temperature", 1.0, "2.2: the model's own distribution"),
        Setting(f"{here}.top_p", 1.0, "top_p < 1 biases every ratio"),
        Setting(f"{here}.top_k", -1),
        Setting(f"{here}.calculate_log_probs", True, "for the correction"),
        Setting(f"{here}.seed", seed),
        Setting(f"{here}.max_model_len", prompt_tokens + spec.max_tokens),
        Setting(f"{here}.tensor_model_parallel_size", cluster.tensor_parallel),
        Setting(f"{here}.gpu_memory_utilization", cluster.rollout_memory),
    ]


def _reward(cluster: VerlSpec, sandbox: SandboxSpec, phase: str) -> list[Setting]:
    here = "reward.custom_reward_function"
    return [
        Setting("reward.num_workers", cluster.reward_workers, "processes that verify"),
        Setting(f"{here}.path", str(PACKAGE / "reward.py"), "etalon's verifiers; the same path on every node"),
        Setting(f"{here}.name", "compute_score"),
        Setting(f"{here}.reward_kwargs.sandbox_url", sandbox.url),
        Setting(f"{here}.reward_kwargs.sandbox_concurrency", sandbox.concurrency),
        Setting(f"{here}.reward_kwargs.sandbox_key_env", sandbox.key_env, "its value must be set on every node"),
        Setting(f"{here}.reward_kwargs.sandbox_isolation", sandbox.isolation),
        Setting(f"{here}.reward_kwargs.phase", phase, "the stage's own reward and judge, if it has any"),
    ]


def _rl_trainer(place: Place, spec: RlSpec, cluster: VerlSpec) -> list[Setting]:
    return [
        *_trainer(place, cluster),
        Setting("trainer.use_v1", True),
        Setting("trainer.v1.trainer_mode", "sync", "2.2: no rollout of an older policy"),
        Setting("trainer.total_epochs", 1),
        Setting("trainer.total_training_steps", spec.steps),
        Setting("trainer.save_freq", spec.save_every),
        Setting("trainer.max_actor_ckpt_to_keep", 2, "the newest may be torn by a crash"),
        Setting("trainer.test_freq", -1, "etalon evaluates"),
        Setting("trainer.val_before_train", False),
        Setting("trainer.rollout_data_dir", str(place.rollouts)),
        Setting("ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH", str(place.metrics)),
    ]


def sft_settings(
    place: Place, optim: OptimSpec, cluster: VerlSpec, *, batch: int, steps: int, save_every: int, warmup_steps: int,
    micro_tokens: int, longest: int, seed: int,
) -> list[Setting]:  # fmt: skip
    """The config of one supervised run for `python -m verl.trainer.sft_trainer_ray`. longest: row, in tokens."""
    return [
        Setting("data.train_files", str(place.data), "token ids: no chat template is applied again"),
        Setting("data.custom_cls.path", str(PACKAGE / "dataset.py"), "the same path on every node"),
        Setting("data.custom_cls.name", "TokenRows"),
        Setting("data.order_file", str(place.order), "which rows make each step, the same as with engine = 'local'"),
        Setting("data.train_batch_size", batch, "2.1.2"),
        Setting("data.pad_mode", "no_padding", "2.1.2: packing"),
        Setting("data.use_dynamic_bsz", True),
        Setting("data.max_token_len_per_gpu", tokens_per_gpu(micro_tokens, longest, cluster)),
        Setting("data.max_length", longest),
        Setting("data.truncation", "error", "rows are never cut"),
        *_model("model", place),
        Setting("engine.ulysses_sequence_parallel_size", cluster.sequence_parallel, "64K windows"),
        Setting("engine.param_offload", cluster.offload),
        Setting("engine.optimizer_offload", cluster.offload),
        Setting("engine.seed", seed),
        *_optim("optim", optim),
        Setting("optim.lr_scheduler_type", "cosine", "2.1.2"),
        Setting("optim.lr_warmup_steps", warmup_steps, "2.1.2: 5% of all steps"),
        Setting("optim.min_lr_ratio", optim.final_lr / optim.lr, "2.1.2: 8e-8 of 5e-5"),
        Setting("optim.zero_indexed_step", False, "the first step is not at rate 0"),
        Setting("checkpoint.save_contents", ["model", "optimizer", "extra"], "all that a resume needs"),
        *_trainer(place, cluster),
        Setting("trainer.total_epochs", 1, "the order file holds all epochs"),
        Setting("trainer.total_training_steps", steps),
        Setting("trainer.save_freq", save_every, "2.1.2: every k steps, for a fuse stage to choose from"),
        Setting("trainer.test_freq", -1, "etalon evaluates"),
        Setting("trainer.seed", seed),
    ]


def _optim(here: str, optim: OptimSpec) -> list[Setting]:
    return [
        Setting(f"{here}.optimizer", "AdamW"),
        Setting(f"{here}.lr", optim.lr),
        Setting(f"{here}.betas", [optim.beta1, optim.beta2]),
        Setting(f"{here}.weight_decay", optim.weight_decay),
        Setting(f"{here}.clip_grad", optim.clip),
    ]


def _model(here: str, place: Place) -> list[Setting]:
    return [
        Setting(f"{here}.path", place.source),
        Setting(f"{here}.use_remove_padding", True, "tokens end to end, no padding"),
        Setting(f"{here}.use_fused_kernels", True, "log-probs in chunks of tokens: whole logits would be gigabytes"),
        Setting(f"{here}.enable_gradient_checkpointing", True),
        Setting(f"{here}.trust_remote_code", False),
    ]


def _trainer(place: Place, cluster: VerlSpec) -> list[Setting]:
    return [
        Setting("trainer.project_name", place.name),
        Setting("trainer.experiment_name", place.stage),
        Setting("trainer.logger", ["console", "file"], "plain files; nothing leaves the cluster"),
        Setting("trainer.default_local_dir", str(place.shards), "seen by all nodes"),
        Setting("trainer.resume_mode", "auto"),
        Setting("trainer.nnodes", cluster.nodes),
        Setting("trainer.n_gpus_per_node", cluster.gpus_per_node),
        Setting("hydra.run.dir", str(place.hydra)),
        Setting("hydra.output_subdir", None),
    ]


def tokens_per_gpu(micro_tokens: int, longest: int, cluster: VerlSpec) -> int:
    """A GPU's part of one forward pass, in tokens: verl multiplies it by the GPUs that share a sequence."""
    return -(-max(micro_tokens, longest) // cluster.sequence_parallel)


def to_yaml(settings: Sequence[Setting], *, base: str) -> str:
    """A hydra config on top of verl's `base`; nested tables, one value a line, its reason behind it.

    Values are JSON, which YAML contains; verl interpolates ${...}, so no value may hold one.
    """
    lines = [f"defaults: [{base}, _self_]"]
    open_tables: list[str] = []
    for setting in _sorted(settings):
        *tables, key = setting.key.split(".")
        shared = 0
        while shared < min(len(tables), len(open_tables)) and tables[shared] == open_tables[shared]:
            shared += 1
        lines += ["  " * depth + f"{tables[depth]}:" for depth in range(shared, len(tables))]
        open_tables = tables
        why = f"  # {setting.why}" if setting.why else ""
        lines.append("  " * len(tables) + f"{key}: {_value(setting)}{why}")
    return "\n".join(lines) + "\n"


def _sorted(settings: Sequence[Setting]) -> list[Setting]:
    """Keys of one table together, tables in the order in which they first appear, values before inner tables."""
    tables: dict[str, int] = {}
    for setting in settings:
        parts = setting.key.split(".")
        for depth in range(1, len(parts)):
            tables.setdefault(".".join(parts[:depth]), len(tables) + 1)
    assert len({s.key for s in settings}) == len(settings), "a key is set twice"

    def place(setting: Setting) -> list[int]:
        parts = setting.key.split(".")
        return [tables[".".join(parts[:depth])] for depth in range(1, len(parts))] + [0]

    return sorted(settings, key=place)


def _value(setting: Setting) -> str:
    text = json.dumps(setting.value)
    if "${" in text:
        raise ConfigError(f"{setting.key}: {setting.value}: verl's configs take ${{ for a reference; rename the path")
    return text
