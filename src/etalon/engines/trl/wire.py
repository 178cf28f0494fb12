"""A job as files, for the processes that do it: job.json, and rows.safetensors for supervised runs.

Rows are three flat arrays: tokens of all rows one after the other, and how many of each are prompt and response. torch
loads only where rows are read or written.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from etalon.config.plugins import searched
from etalon.problems.rows import problem_from_row, problem_to_row
from etalon.recipe import OptimSpec, Recipe, RlSpec, SandboxSpec, TrlSpec
from etalon.store import read_json, write_json_atomic

if TYPE_CHECKING:
    from etalon.engines.jobs import RlJob, SupervisedJob

FOLDER = "trl"  # inside the directory of the job
JOB = "job.json"
ROWS = "rows.safetensors"
ERROR = "error.json"  # what the user can fix, as a worker found it
STATE = "state"  # resumable states
DONE = "state.json"  # beside them: the steps of the last one that is whole


class Settings(BaseModel):
    """What a worker takes from the recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["supervised", "rl"]
    device: str
    autocast: Literal["off", "bf16"]
    threads: int
    sandbox: SandboxSpec
    trl: TrlSpec
    searched: tuple[str, ...] = ()  # folders in which a reward of the user's is looked for
    job: dict[str, Any]


def write_supervised(job: SupervisedJob, recipe: Recipe) -> None:
    """The files of a supervised run."""
    import torch
    from safetensors.torch import save_file

    folder = job.directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "tokens": [token for row in job.rows for token in (*row.prompt, *row.response)],
        "prompts": [len(row.prompt) for row in job.rows],
        "responses": [len(row.response) for row in job.rows],
        "steps": [index for step in job.steps for index in step],
        "sizes": [len(step) for step in job.steps],
    }
    save_file({name: torch.tensor(values, dtype=torch.int32) for name, values in arrays.items()}, folder / ROWS)
    fields = {
        "source": str(job.source),
        "optim": job.optim.model_dump(),
        "micro_tokens": job.micro_tokens,
        "num_checkpoints": job.num_checkpoints,
        "directory": str(job.directory),
    }
    _write(folder, "supervised", recipe, fields)


def write_rl(job: RlJob, recipe: Recipe) -> None:
    """The file of an RL phase."""
    folder = job.directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        "source": str(job.source),
        "prompts": [problem_to_row(problem) for problem in job.prompts],
        "spec": job.spec.model_dump_json(by_alias=True),  # text, so that its tuples can be told from lists
        "credit": asdict(job.credit),
        "seed": job.seed,
        "directory": str(job.directory),
        "system": job.system,
        "prompts_folder": job.prompts_folder,
        "name": job.name,
        "workers": job.workers,
    }
    _write(folder, "rl", recipe, fields)


def _write(folder: Path, kind: Literal["supervised", "rl"], recipe: Recipe, fields: dict[str, Any]) -> None:
    settings = Settings(
        kind=kind, device=recipe.device, autocast=recipe.autocast, threads=recipe.threads, sandbox=recipe.sandbox,
        trl=recipe.trl, searched=searched(), job=fields,
    )  # fmt: skip
    write_json_atomic(folder / JOB, settings.model_dump())


def read(path: Path) -> Settings:
    """What `write_supervised` or `write_rl` wrote."""
    return Settings.model_validate(read_json(path))


def supervised_job(settings: Settings) -> SupervisedJob:
    """The supervised run of a job file."""
    from safetensors.torch import load_file

    from etalon.engines.jobs import SupervisedJob
    from etalon.model.packed import TokenRow

    fields = settings.job
    directory = Path(fields["directory"])
    arrays = {name: values.tolist() for name, values in load_file(directory / FOLDER / ROWS).items()}
    tokens, indices = iter(arrays["tokens"]), iter(arrays["steps"])
    rows = [
        TokenRow(prompt=tuple(next(tokens) for _ in range(p)), response=tuple(next(tokens) for _ in range(r)))
        for p, r in zip(arrays["prompts"], arrays["responses"], strict=True)
    ]
    return SupervisedJob(
        source=Path(fields["source"]),
        rows=rows,
        steps=[[next(indices) for _ in range(size)] for size in arrays["sizes"]],
        optim=OptimSpec.model_validate(fields["optim"]),
        micro_tokens=fields["micro_tokens"],
        num_checkpoints=fields["num_checkpoints"],
        directory=directory,
    )


def rl_job(settings: Settings) -> RlJob:
    """The RL phase of a job file."""
    from etalon.engines.jobs import RlJob
    from etalon.rl.credit import CreditSpec

    fields = settings.job
    return RlJob(
        source=Path(fields["source"]),
        prompts=[problem_from_row(row) for row in fields["prompts"]],
        spec=RlSpec.model_validate_json(fields["spec"]),
        credit=CreditSpec(**fields["credit"]),
        seed=fields["seed"],
        directory=Path(fields["directory"]),
        system=fields["system"],
        prompts_folder=fields["prompts_folder"],
        name=fields["name"],
        workers=fields["workers"],
    )
