"""One supervised run by `SFTTrainer`: the optimiser steps of the job, packed best-fit-decreasing and padding-free.

    rows of a step -> bins of at most micro_tokens tokens -> one bin a micro-batch -> loss over response tokens

Every step has as many bins on every process; a step with fewer is filled up with bins that no loss is taken of. The
loss is the mean over the response tokens of the whole step, so bins change neither it nor its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from trl import SFTConfig, SFTTrainer, pack_dataset

from etalon.engines.jobs import CHECKPOINTS, SupervisedJob
from etalon.engines.trl import wire
from etalon.engines.trl.internals import InOrder
from etalon.engines.trl.training import Follow, OwnOptimiser, Policy, arguments, train
from etalon.model import loader
from etalon.model.packed import TokenRow
from etalon.sft.rows import checkpoint_steps

IGNORED = -100  # label without loss
SAVE_EVERY = 200  # (ours) steps between resumable states, where checkpoints are further apart

Bin = dict[str, list[int]]  # input_ids, labels, seq_lengths


class Supervised(InOrder, OwnOptimiser, SFTTrainer):  # type: ignore[misc]
    """`SFTTrainer` that takes its rows in order, with the recipe's optimiser."""


def supervise(job: SupervisedJob, settings: wire.Settings) -> None:
    """Train on the rows of the job; leaves its checkpoints."""
    policy = Policy(job.source, settings)
    marks = checkpoint_steps(len(job.steps), job.num_checkpoints)

    def keep(done: int, model: Any) -> None:
        if done in marks:
            loader.save(policy.plain(model), job.directory / CHECKPOINTS / f"step-{done:06d}")

    args = SFTConfig(
        **arguments(job.directory, settings, job.optim, save_every=max(1, min(marks[0], SAVE_EVERY))),
        max_steps=len(job.steps),
        per_device_train_batch_size=1,
        packing=True,
        packing_strategy="bfd",
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        eos_token=policy.trained.tokenizer.eos_token,
    )
    bins = [pack_step([job.rows[i] for i in step], job.micro_tokens) for step in job.steps]
    per_process = -(-max(map(len, bins)) // args.world_size)
    args.gradient_accumulation_steps = per_process
    empty = blank(policy.trained.end_token)
    rows = [one for step in bins for one in step + [empty] * (per_process * args.world_size - len(step))]
    trainer = Supervised(
        model=policy.trained.model,
        processing_class=policy.trained.tokenizer,
        args=args,
        train_dataset=Dataset.from_list(rows),
        peft_config=policy.peft_config,
        callbacks=[
            Follow(
                job.directory,
                job.optim,
                row=lambda step: {"tokens": sum(len(job.rows[i]) for i in job.steps[step - 1])},
                after_step=keep,
            )
        ],
    )
    trainer.own = job.optim
    train(trainer, job.directory)


def pack_step(rows: Sequence[TokenRow], micro_tokens: int) -> list[Bin]:
    """The rows of one step in bins, each row whole; a longer one gets bins of its length."""
    dataset = Dataset.from_list([
        {"input_ids": [*row.prompt, *row.response], "labels": [IGNORED] * len(row.prompt) + list(row.response)}
        for row in rows
    ])  # fmt: skip
    longest = max(map(len, rows))
    packed = pack_dataset(dataset, max(micro_tokens, longest), "bfd")
    return [{name: one[name] for name in ("input_ids", "labels", "seq_lengths")} for one in packed]


def blank(token: int) -> Bin:
    """A bin that no loss is taken of."""
    return {"input_ids": [token, token], "labels": [IGNORED, IGNORED], "seq_lengths": [2]}
