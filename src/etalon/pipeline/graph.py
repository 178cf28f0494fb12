"""The recipe as a graph of stages, in the order of the paper, and the content key of each.

problems -> base -> data -> sft-broad -> sft-broad-fused -> sft-hard -> sft-hard-fused
         -> rl-math -> rl-long2short -> rl-code -> rl-stem -> distill -> instruct;  eval-X beside each;  clr at the end
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from etalon.config import PATHS
from etalon.pipeline.stage import Stage
from etalon.problems import nano
from etalon.prompts import PACKAGED
from etalon.recipe import Recipe, RlSpec, RlStageSpec
from etalon.store import hash_file, hash_tree, stable_hash

TRAINS = ("train:", "reinforce:", "self_distill:")
SAMPLES = ("probe:", "train:sft_hard", "reinforce:", "self_distill:", "measure:")


def _rl(recipe: Recipe, phase: str) -> Any:
    phases = {name for name, field in RlSpec.model_fields.items() if field.annotation is RlStageSpec}
    unused = phases | (set() if phase == "long2short" else {"lambda_"})
    return recipe.rl.model_dump(exclude=unused) | {"phase": getattr(recipe.rl, phase).model_dump()}


def _sft(recipe: Recipe, part: str) -> Any:
    return recipe.sft.model_dump(exclude={"broad", "hard"}) | {"part": getattr(recipe.sft, part).model_dump()}


def _common(recipe: Recipe, stage: Stage) -> Any:
    """What every stage depends on, with how it trains and samples where it does; not where and how fast that is."""
    shared: dict[str, Any] = {"seed": recipe.seed, "world": nano.FINGERPRINT}
    if stage.work.startswith(TRAINS + SAMPLES):
        shared |= {"device": recipe.device, "autocast": recipe.autocast}
    if stage.work.startswith(TRAINS):
        adapter = recipe.trl.model_dump(include={"lora_rank", "lora_alpha"}) if recipe.engine == "trl" else {}
        overrides = {"overrides": recipe.verl.overrides} if recipe.engine == "verl" else {}
        shared |= {"engine": recipe.engine, **adapter, **overrides}
    if stage.work.startswith(SAMPLES):
        shared["sampler"] = recipe.sampler.name
    return shared


PIPELINE = (
    Stage(
        name="problems",
        purpose="draw or read problems and cut them into train, probe, RL and test",
        section="2.1.1",
        needs=(),
        knobs=lambda r: [r.problems.model_dump(), r.model.base, r.base.documents, r.clr.m, r.prompts],
        work="construct:problems",
    ),
    Stage(
        name="base",
        purpose="a base model: pretrain a tiny one, or take the user's",
        section="3.1",
        needs=("problems",),
        knobs=lambda r: [r.model.model_dump(), r.base.model_dump(), r.sft.micro_tokens],
        work="train:base",
    ),
    Stage(
        name="data",
        purpose="label queries, distil several traces per query, gate them",
        section="2.1.1",
        needs=("problems", "base"),
        knobs=lambda r: [r.data.model_dump(exclude={"difficulty_attempts"}), r.clr.m, r.prompts],
        work="construct:data",
    ),
    Stage(
        name="sft-broad",
        purpose="supervised fine-tuning on everything, many checkpoints",
        section="2.1.2, stage 1",
        needs=("base", "data"),
        knobs=lambda r: _sft(r, "broad"),
        work="train:sft_broad",
    ),
    Stage(
        name="sft-broad-fused",
        purpose="probe Pass@K per skill, merge the specialists",
        section="2.1.2",
        needs=("problems", "sft-broad"),
        knobs=lambda r: [r.probe.model_dump(), r.eval.temperature, r.eval.top_p, r.eval.max_tokens],
        work="probe:probe_and_fuse",
        arguments={"source": "sft-broad"},
    ),
    Stage(
        name="sft-hard",
        purpose="fine-tune on long traces of hard queries only",
        section="2.1.2, stage 2",
        needs=("problems", "data", "sft-broad-fused"),
        knobs=lambda r: [_sft(r, "hard"), r.data.difficulty_attempts, r.rl.max_tokens],
        work="train:sft_hard",
    ),
    Stage(
        name="sft-hard-fused",
        purpose="probe Pass@K per skill, merge the specialists",
        section="2.1.2",
        needs=("problems", "sft-hard"),
        knobs=lambda r: [r.probe.model_dump(), r.eval.temperature, r.eval.top_p, r.eval.max_tokens],
        work="probe:probe_and_fuse",
        arguments={"source": "sft-hard"},
    ),
    Stage(
        name="rl-math",
        purpose="MGPO on math",
        section="2.2",
        needs=("problems", "sft-hard-fused"),
        knobs=lambda r: _rl(r, "math"),
        work="reinforce:reinforce",
        arguments={"source": "sft-hard-fused", "domain": "math", "phase": "math"},
    ),
    Stage(
        name="rl-long2short",
        purpose="MGPO on math with a zero-sum bonus for short correct answers",
        section="2.2",
        needs=("problems", "rl-math"),
        knobs=lambda r: _rl(r, "long2short"),
        work="reinforce:reinforce",
        arguments={"source": "rl-math", "domain": "math", "phase": "long2short"},
    ),
    Stage(
        name="rl-code",
        purpose="MGPO on code, judged by running it",
        section="2.2",
        needs=("problems", "rl-long2short"),
        knobs=lambda r: _rl(r, "code"),
        work="reinforce:reinforce",
        arguments={"source": "rl-long2short", "domain": "code", "phase": "code"},
    ),
    Stage(
        name="rl-stem",
        purpose="MGPO on STEM, judged by option",
        section="2.2",
        needs=("problems", "rl-code"),
        knobs=lambda r: _rl(r, "stem"),
        work="reinforce:reinforce",
        arguments={"source": "rl-code", "domain": "stem", "phase": "stem"},
    ),
    Stage(
        name="distill",
        purpose="one student learns from the verified traces of all RL checkpoints",
        section="2.3",
        needs=("problems", "data", "sft-hard-fused", "rl-long2short", "rl-code", "rl-stem"),
        knobs=lambda r: [r.distill.model_dump(), r.rl.max_tokens, r.clr.m, r.clr.max_tokens, r.prompts],
        work="self_distill:self_distill",
    ),
    Stage(
        name="instruct",
        purpose="RL on rule-checked instructions, mixed with the other domains",
        section="2.4",
        needs=("problems", "distill"),
        knobs=lambda r: [_rl(r, "math"), r.instruct.model_dump()],
        work="reinforce:instruct",
    ),
)
MODEL_STAGES = tuple(stage.name for stage in PIPELINE if stage.name not in ("problems", "data"))


@cache
def _model_hash(path: str) -> str:
    return hash_tree(Path(path)) if Path(path).is_dir() and path else ""


def _evaluation(name: str) -> Stage:
    return Stage(
        name=f"eval-{name}",
        purpose=f"Pass@1 and Pass@K of {name} on held-out problems",
        section="3.1",
        needs=("problems", name),
        knobs=lambda r: [r.eval.model_dump(), r.prompts, _model_hash(r.eval.judge)],
        work="measure:evaluate",
        is_background=True,
        arguments={"source": name},
    )


CLR = Stage(
    name="clr",
    purpose="claim-level reliability against majority vote at the same number of calls",
    section="3.1; CLR",
    needs=("problems", "instruct"),
    knobs=lambda r: [r.clr.model_dump(), r.eval.temperature, r.eval.top_p, r.prompts],
    work="measure:clr",
    is_background=True,
)
STAGES = (*PIPELINE, *(_evaluation(name) for name in MODEL_STAGES), CLR)
BY_NAME = {stage.name: stage for stage in STAGES}


def directories(run_dir: Path) -> dict[str, Path]:
    """Stage name -> runs/<name>/stages/NN-<stage>."""
    return {stage.name: run_dir / "stages" / f"{number:02d}-{stage.name}" for number, stage in enumerate(STAGES)}


def fingerprints(recipe: Recipe) -> dict[str, str]:
    """Hashes of what lies outside the run: problem files, models of the user's own, the prompts."""
    found = {file: hash_file(Path(file)) for file in recipe.problems.files}
    folders = {
        ("model", "base"): recipe.model.base,
        ("data", "teacher"): recipe.data.teacher,
        ("data", "judge"): recipe.data.judge,
    }
    for path, name in folders.items():
        if name not in PATHS[path] and Path(name).is_dir():
            found[name] = hash_tree(Path(name))
    for folder in prompt_folders(recipe.prompts):
        found[str(folder)] = hash_tree(folder)
    return found


def prompt_folders(name: str) -> list[Path]:
    """The folders that prompts are read from: the named one, and the packaged default that fills its gaps."""
    packaged = Path(str(resources.files("etalon.prompts")))
    return [packaged / name if name in PACKAGED else Path(name), packaged / "default"]


def keys(recipe: Recipe) -> dict[str, str]:
    """The content key of every stage: its version and knobs, the keys of what it needs, and outside inputs."""
    outside = sorted(fingerprints(recipe).values())
    found: dict[str, str] = {}
    for stage in STAGES:
        found[stage.name] = stable_hash(
            {
                "stage": stage.name,
                "version": stage.version,
                "common": _common(recipe, stage),
                "knobs": stage.knobs(recipe),
                "needs": [found[name] for name in stage.needs],
                "outside": outside if not stage.needs else [],
            }
        )
    return found
