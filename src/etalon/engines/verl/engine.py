"""`engine = "verl"`: each stage is one run of verl on a Ray cluster, and comes back as Hugging Face directories."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.engines.jobs import CHECKPOINT, CHECKPOINTS, OnStep, RlJob, SupervisedJob
from etalon.engines.verl.plan import RL_BASE, RL_MODULE, SFT_BASE, SFT_MODULE, Files, write_plan
from etalon.engines.verl.refusals import check_installed, check_recipe
from etalon.errors import InputError
from etalon.recipe import Recipe
from etalon.store import append_jsonl, read_json, write_atomic
from etalon.types import Problem


@dataclass(frozen=True)
class VerlEngine:
    """verl's trainers, started from here, one after the other."""

    recipe: Recipe

    @property
    def ranks(self) -> int:
        """Data-parallel ranks: what a batch is spread over."""
        spec = self.recipe.verl
        return spec.nodes * spec.gpus_per_node // spec.sequence_parallel

    def check(self) -> None:
        """ConfigError for a value it cannot honour, a missing package, a cluster or GPU that is not there."""
        check_recipe(self.recipe)
        check_installed()
        from etalon.engines.verl.cluster import check_cluster

        check_cluster(self.recipe.verl)

    def plan(self, run_dir: Path) -> list[str]:
        """Writes the config of every stage beside the run directory, and says the commands."""
        check_recipe(self.recipe)
        return write_plan(self.recipe, run_dir.with_name(f"{run_dir.name}.verl"), run_dir)

    def supervise(self, job: SupervisedJob, on_step: OnStep) -> list[Path]:
        """The checkpoints of one supervised run; a step smaller than the others, at the end, is left out."""
        from etalon.engines.verl import launch
        from etalon.engines.verl.checkpoints import nearest_saved, save_every
        from etalon.engines.verl.export import write_order, write_token_rows
        from etalon.engines.verl.settings import sft_settings
        from etalon.engines.verl.steps import supervised_row
        from etalon.sft.rows import checkpoint_steps

        files = Files(job.directory)
        batch = len(job.steps[0]) // self.ranks * self.ranks
        if not batch:
            raise InputError(f"{files.directory.name}: {len(job.rows)} rows for {self.ranks} data-parallel ranks")
        steps = [step[:batch] for step in job.steps if len(step) >= batch]
        tell_left_out(job, batch * len(steps), self.ranks)
        wanted = checkpoint_steps(len(steps), job.num_checkpoints)
        every = save_every(wanted)
        follower = launch.Follower(files, lambda _, logged: supervised_row(logged), on_step)
        if follower.resume() < len(steps):
            write_token_rows(files.data, job.rows)
            write_order(files.order, steps)
            settings = sft_settings(
                files.place(self.recipe, job.source), job.optim, self.recipe.verl, batch=batch, steps=len(steps),
                save_every=every, warmup_steps=round(job.optim.warmup * len(steps)), micro_tokens=job.micro_tokens,
                longest=max(map(len, job.rows)), seed=self.recipe.seed,
            )  # fmt: skip
            write_config(files, settings, SFT_BASE)
            launch.run_driver(self.recipe, SFT_MODULE, files, follower)
        follower.finish(len(steps))
        target = job.directory / CHECKPOINTS
        return [
            launch.merged(files.shards / f"global_step_{step}", target / f"step-{step:06d}", files)
            for step in nearest_saved(wanted, every)
        ]

    def reinforce(self, job: RlJob, on_step: OnStep) -> Path:
        """The weights after all steps of one RL phase."""
        from etalon.engines.verl import launch
        from etalon.engines.verl.export import write_problems
        from etalon.rl.pool import prompts_of_step

        files = Files(job.directory)
        count = prompts_per_step(len(job.prompts), job.spec.prompts_per_step, job.spec.group_size, self.ranks)
        if not count:
            raise InputError(
                f"{job.name}: {len(job.prompts)} prompts x {job.spec.group_size} rollouts do not spread "
                f"over {self.ranks} data-parallel ranks; give it more problems, or fewer GPUs"
            )
        tokenizer = load_tokenizer(job.source)
        follower = launch.Follower(files, self._rl_rows(files, job, count, tokenizer), on_step)
        if follower.resume() < job.steps:
            prompts = [p for s in range(job.steps) for p in prompts_of_step(job.prompts, s, count, job.seed)]
            write_problems(files.data, prompts, seed=job.seed, system=job.system)
            longest = longest_prompt(tokenizer, prompts, seed=job.seed, system=job.system)
            self._write_rl_config(files, job, count, longest)
            launch.run_driver(self.recipe, RL_MODULE, files, follower)
        follower.finish(job.steps)
        shards = files.shards / f"global_step_{job.steps}" / "actor"
        return launch.merged(shards, job.directory / CHECKPOINT, files)

    def _write_rl_config(self, files: Files, job: RlJob, count: int, prompt_tokens: int) -> None:
        from etalon.engines.verl.settings import rl_settings

        window = read_json(job.source / "config.json").get("max_position_embeddings", 0)
        if window and prompt_tokens + job.spec.max_tokens > window:
            raise InputError(
                f"{job.name}: prompts of up to {prompt_tokens} tokens and max_tokens = {job.spec.max_tokens} do not "
                f"fit the model's window of {window}; lower {job.name}.max_tokens"
            )
        settings = rl_settings(
            files.place(self.recipe, job.source), job.spec, self.recipe, prompts=count, prompt_tokens=prompt_tokens,
            seed=job.seed % 2**31,
        )  # fmt: skip
        write_config(files, settings, RL_BASE)

    def _rl_rows(self, files: Files, job: RlJob, count: int, tokenizer: Any) -> Any:
        from etalon.engines.verl.launch import dumped
        from etalon.engines.verl.steps import RlSteps, group_rows
        from etalon.rl.rewards import Rewards

        rewards = Rewards.of(job)  # verl's reward workers have their own; this one counts what they left undecided
        reader = RlSteps(
            problems={p.id: p for p in job.prompts},
            credit=job.credit,
            max_tokens=job.spec.max_tokens,
            count_tokens=lambda text: len(tokenizer.encode(text, add_special_tokens=False)) + 1,
        )

        def to_row(step: int, logged: Mapping[str, Any]) -> dict[str, Any] | None:
            dump = dumped(files.rollouts / f"{step}.jsonl")
            if len(dump) < count * job.spec.group_size:
                return None  # verl writes it beside the next step
            groups = reader.groups(dump)
            rewards.check(groups)
            append_jsonl(files.directory / "rollouts.jsonl", group_rows(step, groups))
            return reader.row(logged, groups)

        return to_row


def tell_left_out(job: SupervisedJob, used: int, ranks: int) -> None:
    """Say how many rows do not fill a step of all ranks; a row counts once in every epoch."""
    asked = sum(map(len, job.steps))
    if used < asked:
        sys.stderr.write(
            f"  {job.directory.name}: {asked - used} of {asked} rows, over all epochs, left out: verl takes steps of "
            f"one size, spread over {ranks} data-parallel ranks\n"
        )


def prompts_per_step(available: int, wanted: int, group_size: int, ranks: int) -> int:
    """Prompts of one step: as many as wanted and there, and so that all rollouts spread evenly over the ranks."""
    multiple = ranks // math.gcd(ranks, group_size)
    return min(available, wanted) // multiple * multiple


def load_tokenizer(source: Path) -> Any:
    """The tokenizer of a checkpoint as verl reads it, which must know how to render a conversation."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    if tokenizer.chat_template is None:  # `etalon.model.loader` would fall back on one that verl does not know
        raise InputError(f"{source}: its tokenizer has no chat template, and verl needs one; set one")
    return tokenizer


def longest_prompt(tokenizer: Any, prompts: Sequence[Problem], *, seed: int, system: str = "") -> int:
    """Tokens of the longest rendered prompt among the rows that `write_problems` writes, options in their order."""
    from etalon.engines.verl.export import problem_row

    rows = [problem_row(problem, index, seed=seed, system=system) for index, problem in enumerate(prompts)]
    by_text = {row["prompt"][-1]["content"]: row["prompt"] for row in rows}  # a problem comes again in later steps
    texts = [
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        for messages in by_text.values()
    ]
    return max(len(tokenizer.encode(text, add_special_tokens=False)) for text in texts)


def write_config(files: Files, settings: Any, base: str) -> None:
    """config.yaml of a stage."""
    from etalon.engines.verl.settings import to_yaml

    write_atomic(files.config, to_yaml(settings, base=base))


def engine(recipe: Recipe) -> VerlEngine:
    """The engine of this recipe."""
    return VerlEngine(recipe)
