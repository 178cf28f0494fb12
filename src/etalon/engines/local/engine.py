"""`engine = "local"`: this process trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from etalon.engines.fit import check_fits
from etalon.engines.jobs import CHECKPOINT, OnStep, RlJob, SupervisedJob
from etalon.recipe import Recipe


@dataclass(frozen=True)
class LocalEngine:
    """One process, CPU or one GPU."""

    recipe: Recipe

    def check(self) -> None:
        """It honours every Spec; ConfigError when a base of the user's alone exceeds the device."""
        check_fits(self.recipe, remedy="use a smaller base, or an engine that shards (verl) or has adapters (trl)")

    def plan(self, run_dir: Path) -> list[str]:
        """It starts nothing else."""
        return []

    def supervise(self, job: SupervisedJob, on_step: OnStep) -> list[Path]:
        """The checkpoints of one supervised run."""
        from etalon.engines.local.supervised import supervise
        from etalon.model import loader
        from etalon.model.crew import crew_of

        recipe = self.recipe
        language_model = loader.load(job.source, device=recipe.device, autocast=recipe.autocast)
        with crew_of(language_model, jobs=recipe.jobs, threads=recipe.threads) as crew:
            return supervise(crew, job, autocast=recipe.autocast, recompute=recipe.recompute, on_step=on_step)

    def reinforce(self, job: RlJob, on_step: OnStep) -> Path:
        """The weights after all steps of one RL phase."""
        from etalon.engines.local.reinforcement import train_phase
        from etalon.model import loader
        from etalon.model.crew import crew_of

        recipe = self.recipe
        language_model = loader.load(
            job.source, device=recipe.device, autocast=recipe.autocast, system=job.system
        )  # fmt: skip
        with crew_of(language_model, jobs=recipe.jobs, threads=recipe.threads) as crew:
            train_phase(crew, job, autocast=recipe.autocast, recompute=recipe.recompute, on_step=on_step)
        return loader.save(language_model, job.directory / CHECKPOINT)


def engine(recipe: Recipe) -> LocalEngine:
    """The engine of this recipe."""
    return LocalEngine(recipe)
