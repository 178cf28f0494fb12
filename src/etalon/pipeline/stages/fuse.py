"""Kind `fuse` (2.1.2): Pass@K of every checkpoint of an SFT stage per skill on the probing set, and the merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from etalon.config.stages import PROBLEMS
from etalon.cost.work import Cost
from etalon.errors import ConfigError
from etalon.pipeline import reckoning
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.pipeline.stages.training import evaluation_params, passed_through
from etalon.problems.rows import problem_from_row
from etalon.recipe import Recipe
from etalon.sampling import attempt
from etalon.sampling.source import sampling_from
from etalon.sft import probe as probing
from etalon.store import read_jsonl, write_json_atomic

MERGED_KIND = "sft"  # the kind that leaves several checkpoints


@dataclass(frozen=True, kw_only=True)
class Fuse(Stage):
    """Probes Pass@K per skill, merges the specialists."""

    purpose: ClassVar[str] = "probe Pass@K per skill, merge the specialists"
    section: ClassVar[str] = "2.1.2"
    trains: ClassVar[bool] = False

    @property
    def splits(self) -> frozenset[str]:
        return frozenset({"probe"})

    @property
    def knobs(self) -> Any:
        spec = self.recipe.eval
        return [self.spec.model_dump(), spec.temperature, spec.top_p, spec.max_tokens]

    def check(self) -> None:
        source = next(one for one in self.others if one.name == self.source)
        if not getattr(source.spec, "checkpoints", 0):
            raise ConfigError(
                f"{self.name}.from: {source.name!r} is of kind {source.kind!r}, and only a stage of kind "
                f"{MERGED_KIND!r} leaves several checkpoints to merge"
            )

    @property
    def cost(self) -> Cost:
        recipe = self.recipe
        source = next(one for one in self.others if one.name == self.source)
        probed = source.spec.checkpoints + 1
        rollouts = probed * len(reckoning.domains_of(recipe)) * recipe.problems.probe * self.spec.k
        return reckoning.sampling(recipe, rollouts, recipe.eval.max_tokens, batches=probed)

    def run(self, work: Work) -> Outputs:
        from etalon.sft import fuse as merging

        done = work.outputs(self.source)
        skills = {p.skill or p.domain.value for p in work.problems("probe")}
        if unknown := sorted(self.spec.weights.keys() - skills):
            raise ConfigError(f"{self.name}.weights: no skill {unknown[0]!r}; skills are {', '.join(sorted(skills))}")
        if "skipped" in done:
            return passed_through(work, self.source, f"{self.source} was skipped")
        root = work.directory.parent
        checkpoints = {Path(name).name: root / name for name in done["checkpoints"]}
        scores = _probed(work, checkpoints)
        chosen = probing.choose_specialists(scores)
        weights = probing.merge_weights(chosen, self.spec.weights)
        fused = merging.fuse(
            [(checkpoints[name], weight) for name, weight in weights.items()], work.directory / "checkpoint"
        )
        [fused_scores] = work.spread(probe_checkpoint, [_arguments(work, "fused", fused)])
        record = {
            "k": self.spec.k,
            "skills": sorted(chosen),
            "checkpoints": [
                {"name": name, "step": int(name.rpartition("-")[2]), "scores": _score_rows(by_skill)}
                for name, by_skill in scores.items()
            ],
            "chosen": chosen,
            "weights": weights,
            "fused": _score_rows(fused_scores),
        }
        write_json_atomic(work.directory / "probe.json", record)
        work.view.note(f"merged {', '.join(f'{weight:.2f} x {name}' for name, weight in weights.items())}")
        return {"checkpoint": work.keep_checkpoint(fused), "weights": weights}


def _probed(work: Work, checkpoints: Mapping[str, Path]) -> dict[str, dict[str, probing.ProbeScore]]:
    """Pass@K per skill of every checkpoint, over this process and the workers."""
    arguments = [_arguments(work, name, path) for name, path in checkpoints.items()]
    results = []
    for scores in work.spread(probe_checkpoint, arguments):
        results.append(scores)
        work.view.update(len(results), len(arguments) + 1)
    return dict(zip(checkpoints, results, strict=True))


def _arguments(work: Work, name: str, checkpoint: Path) -> tuple[str, str, Recipe, int, int, str]:
    problems, rollouts = work.directories[PROBLEMS] / "probe.jsonl", work.directory / "probes" / f"{name}.jsonl"
    return str(checkpoint), str(problems), work.recipe, work.stage.spec.k, work.seed, str(rollouts)


def probe_checkpoint(
    checkpoint: str, problems: str, recipe: Recipe, k: int, seed: int, path: str
) -> dict[str, probing.ProbeScore]:
    """Pass@K per skill of one checkpoint; its rollouts stay in `path`."""
    with sampling_from(Path(checkpoint), recipe, folder=Path(path).with_suffix("")) as sampler:
        groups = attempt(
            sampler,
            [problem_from_row(row) for row in read_jsonl(Path(problems))],
            n=k,
            params=evaluation_params(recipe),
            seed=seed,
            path=Path(path),
        )
    return probing.score_skills(groups, k)


def _score_rows(scores: Mapping[str, probing.ProbeScore]) -> dict[str, dict[str, float]]:
    return {skill: {"pass1": score.pass1, "passk": score.passk} for skill, score in scores.items()}
