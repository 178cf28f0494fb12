"""One process of a job: python -m etalon.engines.trl.worker JOB.json, or several of them under torch's launcher."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from etalon.config.plugins import search_in
from etalon.engines.trl import wire
from etalon.errors import ConfigError, EtalonError
from etalon.sandbox import connect
from etalon.store import write_json_atomic
from etalon.verifiers.math.engine.symbolic import judge_by_cpu_time


def main(path: Path) -> int:
    """Do the job; 2 when the user can fix what went wrong, which is written down for the process that started it."""
    settings = wire.read(path)
    try:
        work(settings)
    except EtalonError as error:
        write_json_atomic(path.with_name(wire.ERROR), {"kind": type(error).__name__, "message": str(error)})
        return 2
    return 0


def work(settings: wire.Settings) -> None:
    """Train as the job says. Raises ConfigError when the device runs out of memory."""
    import torch

    torch.set_num_threads(settings.threads)
    if torch.cuda.is_available() and settings.device != "cpu":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    search_in(*map(Path, settings.searched))
    judge_by_cpu_time()
    sandbox = settings.sandbox
    connect(
        sandbox.url, concurrency=sandbox.concurrency, key_env=sandbox.key_env, isolation=sandbox.isolation
    )  # fmt: skip
    try:
        if settings.kind == "rl":
            from etalon.engines.trl.reinforcement import reinforce

            reinforce(wire.rl_job(settings), settings)
        else:
            from etalon.engines.trl.supervised import supervise

            supervise(wire.supervised_job(settings), settings)
    except torch.OutOfMemoryError as error:
        raise ConfigError(
            f"{Path(settings.job['directory']).name}: the model does not fit on the device: lower the stage's "
            "micro_tokens (of a base, sft.micro_tokens), or set trl.lora_rank or trl.gradient_checkpointing "
            f"({str(error).splitlines()[0]})"
        ) from error


def leave(status: int) -> NoReturn:
    """End the process with its group taken down; threads of the backend that still run would abort it otherwise."""
    import torch.distributed as dist

    if status == 0 and dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    leave(main(Path(sys.argv[1])))
