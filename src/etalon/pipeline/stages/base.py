"""Kind `base` (3.1): the model that a path starts from, given or pretrained here on plain documents."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from etalon.config.stages import PROBLEMS, SCRATCH, base_model
from etalon.cost.work import Cost
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.store import hash_tree, read_jsonl


@dataclass(frozen=True, kw_only=True)
class Base(Stage):
    """A base model: pretrain a tiny one, or take the user's."""

    purpose: ClassVar[str] = "a base model: pretrain a tiny one, or take the user's"
    section: ClassVar[str] = "3.1"

    @property
    def model(self) -> str:
        """The directory it takes, or "scratch"."""
        return base_model(self.listed, self.recipe)[1]

    @property
    def is_scratch(self) -> bool:
        return self.model == SCRATCH

    @property
    def samples(self) -> bool:
        return False

    @property
    def splits(self) -> frozenset[str]:
        return frozenset({"train"}) if self.is_scratch else frozenset()

    @property
    def knobs(self) -> Any:
        recipe = self.recipe
        spec = self.spec.model_dump(exclude={"model"})
        return [recipe.model.model_dump() | {"base": self.model}, spec, recipe.sft.micro_tokens]

    @property
    def outside(self) -> Mapping[str, str]:
        return {} if self.is_scratch or not Path(self.model).is_dir() else {self.model: hash_tree(Path(self.model))}

    @property
    def cost(self) -> Cost:
        return Cost(steps=-(-self.spec.documents // self.spec.batch)) if self.is_scratch else Cost()

    @property
    def shown(self) -> tuple[str, str]:
        return (str(self.cost.steps), "") if self.is_scratch else ("", "")

    def run(self, work: Work) -> Outputs:
        from etalon.model import loader
        from etalon.pipeline.stages.training import fit, kept
        from etalon.sampling.local import LocalSampler
        from etalon.sft.rows import document_row

        recipe, spec = work.recipe, self.spec
        if not self.is_scratch:
            path = Path(self.model).resolve()
            # a directory that cannot be loaded, or not be sampled from, fails here and not hours later
            LocalSampler(loader.load(path, device=recipe.device, autocast=recipe.autocast))
            work.view.note(f"base model: {path.name}")
            return {"checkpoint": str(path)}
        rows = read_jsonl(work.directories[PROBLEMS] / "documents.jsonl")[: spec.documents]
        texts = [row["text"] for row in rows]
        language_model = loader.scratch(recipe.model, texts, seed=recipe.seed, device=recipe.device)
        start = loader.save(language_model, work.directory / "start")
        [checkpoint] = fit(
            work, start, [document_row(text, language_model) for text in texts], epochs=1, batch=spec.batch,
            micro_tokens=recipe.sft.micro_tokens, optim=spec.optim, num_checkpoints=1,
        )  # fmt: skip
        shutil.rmtree(start)
        return kept(work, checkpoint)
