"""Stands in for verl's two trainers where there is no GPU: the same command line, config, logs, dumps and shards.

Config through hydra, metrics through verl's Tracking, dumps through verl's own writer; only the training is missing.
STAND_IN_DIES_AT: the step in which it is killed, before that step's shards are written.
STAND_IN_DIES_AFTER_SAVE, _AFTER_LOG: the step in which it is killed, its shards written, nothing (or no dump) logged.
STAND_IN_LOSES: the step that it does not log. STAND_IN_SAYS: what every rollout begins with. STAND_IN_DECIDES: is
"nothing" where no rollout has a score. STAND_IN_DUMPS_LATE: its dumps follow its log by half a second, as the thread
that writes them may.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
import torch.distributed as dist
from hydra import compose, initialize_config_dir
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from verl.trainer.ppo.v1.trainer_base import PPOTrainer
from verl.utils.tracking import Tracking


def save(config: Any, source: str, step: int, inner: str) -> None:
    """What verl's FSDP engine leaves of one rank, with weights that tell the step."""
    folder = Path(config.trainer.default_local_dir) / f"global_step_{step}" / inner
    (folder / "huggingface").mkdir(parents=True, exist_ok=True)
    mesh = init_device_mesh("cpu", (1,), mesh_dim_names=("fsdp",))
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    with torch.no_grad():
        model.lm_head.weight.fill_(float(step))
    state = {k: distribute_tensor(v.detach(), mesh, [Shard(0)]) for k, v in model.state_dict().items()}
    torch.save(state, folder / "model_world_size_1_rank_0.pt")
    for part in ("optim", "extra_state"):
        torch.save({}, folder / f"{part}_world_size_1_rank_0.pt")
    torch.save({}, folder.parent / "data.pt" if inner else folder / "data_0.pt")
    world = config.trainer.nnodes * config.trainer.n_gpus_per_node
    (folder / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 1, "world_size": world}))
    AutoConfig.from_pretrained(source).save_pretrained(folder / "huggingface")
    AutoTokenizer.from_pretrained(source).save_pretrained(folder / "huggingface")
    (folder.parent if inner else folder).parent.joinpath("latest_checkpointed_iteration.txt").write_text(str(step))


def dump(config: Any, step: int) -> None:
    """A step's rollouts: every other one right; the second prompt's last is undecided."""
    rows = pq.read_table(config.data.train_files).to_pylist()
    size, n = config.data.train_batch_size, config.actor_rollout_ref.rollout.n
    batch = rows[(step - 1) * size : step * size]
    entries = [(p, i, row) for p, row in enumerate(batch) for i in range(n)]
    decides = os.environ.get("STAND_IN_DECIDES") != "nothing"
    scores = [float(i % 2) if decides and (p, i) != (1, n - 1) else -1.0 for p, i, _ in entries]
    PPOTrainer._write_generations(
        [row["prompt"][-1]["content"] for *_, row in entries],
        [os.environ.get("STAND_IN_SAYS", "") + "7+5=12" * (1 + i) for _, i, _ in entries],
        [row["reward_model"]["ground_truth"] for *_, row in entries],
        scores,
        {"uid": [f"{step}x{p}_{i}_0" for p, i, _ in entries]},
        config.trainer.rollout_data_dir,
        step,
    )


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def dies(when: str, step: int) -> None:
    if str(step) == os.environ.get(f"STAND_IN_DIES_{when}"):
        say("CUDA error: an illegal memory access was encountered")
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config-dir")
    parser.add_argument("--config-name")
    asked, overrides = parser.parse_known_args()
    with initialize_config_dir(config_dir=asked.config_dir, version_base=None):
        config = compose(asked.config_name, overrides=["hydra.searchpath=[pkg://verl.trainer.config]", *overrides])
    is_rl = "actor_rollout_ref" in config
    source = config.actor_rollout_ref.model.path if is_rl else config.model.path
    dist.init_process_group(
        "gloo", init_method=f"file://{asked.config_dir}/rendezvous-{os.getpid()}", rank=0, world_size=1
    )
    tracker = Path(config.trainer.default_local_dir) / "latest_checkpointed_iteration.txt"
    done = int(tracker.read_text()) if tracker.exists() else 0
    say(f"starting after step {done}, Ray at {os.environ['RAY_ADDRESS']}")
    tracking = Tracking(config.trainer.project_name, config.trainer.experiment_name, default_backend=["file"])
    total = config.trainer.total_training_steps
    for step in range(done + 1, total + 1):
        dies("AT", step)
        if step % config.trainer.save_freq == 0 or step == total:
            save(config, source, step, "actor" if is_rl else "")
        dies("AFTER_SAVE", step)
        if str(step) == os.environ.get("STAND_IN_LOSES"):
            continue
        if is_rl:
            numbers = {"actor/pg_loss": 0.0, "actor/grad_norm": 1.5, "actor/lr": 1e-6, "perf/total_num_tokens": 99}
            tracking.log({**numbers, "response_length/mean": 12.0, "response_length/clip_ratio": 0.25}, step)
            dies("AFTER_LOG", step)
            time.sleep(0.5 if "STAND_IN_DUMPS_LATE" in os.environ else 0)
            dump(config, step)
        else:
            numbers = {"train/loss": 1 / step, "train/grad_norm": 1.5, "train/lr": 1e-6, "train/global_tokens": 50}
            tracking.log(numbers, step)
    tracking.finish()


if __name__ == "__main__":
    main()
