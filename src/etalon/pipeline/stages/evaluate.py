"""The evaluation beside a checkpoint: Pass@1 and Pass@K on held-out problems (3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from etalon import stats
from etalon.cost.work import Cost
from etalon.pipeline import reckoning
from etalon.pipeline.stage import Outputs, Stage, Work, is_evaluated
from etalon.pipeline.stages.training import evaluation_params
from etalon.recipe import Recipe
from etalon.sampling import Judged, Review, attempt
from etalon.sampling.source import contents_of, is_endpoint, is_program, named_sampler, sampling_from
from etalon.store import hash_tree, seed_from, write_json_atomic
from etalon.types import Group, Verdict
from etalon.verifiers.judges import Judge, review_rubrics, second_opinions

MOST_SETS = 8  # (ours) data sets of a domain that are told apart


def evaluation_seed(recipe: Recipe) -> int:
    """One seed for every checkpoint: the same weights give the same answers, and pairs differ by the weights alone."""
    return seed_from({"seed": recipe.seed, "stage": "evaluation"})


@dataclass(frozen=True, kw_only=True)
class Evaluation(Stage):
    """Pass@1 and Pass@K per domain on the test split; per-problem means are kept for paired differences."""

    section: ClassVar[str] = "3.1"
    makes_model: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    is_background: ClassVar[bool] = True

    @property
    def purpose(self) -> str:
        """In words."""
        return f"Pass@1 and Pass@K of {self.source} on held-out problems"

    @property
    def splits(self) -> frozenset[str]:
        return frozenset({"test"})

    @property
    def knobs(self) -> Any:
        recipe = self.recipe
        return [recipe.eval.model_dump(exclude={"after"}), recipe.prompts]

    @property
    def outside(self) -> Mapping[str, str]:
        judge = self.recipe.eval.judge
        if is_program(judge):
            return contents_of(judge)
        return {judge: _model_hash(judge)} if judge and not is_endpoint(judge) and Path(judge).is_dir() else {}

    @property
    def cost(self) -> Cost:
        spec, recipe = self.recipe.eval, self.recipe
        rollouts = len(reckoning.domains_of(recipe)) * recipe.problems.test * spec.n
        return reckoning.sampling(recipe, rollouts, spec.max_tokens)

    @property
    def shown(self) -> tuple[str, str]:
        return "", f"{self.recipe.problems.test * self.recipe.eval.n} a domain"

    def stands(self, outputs: Outputs) -> bool:
        """Not where it names another evaluation that nobody asks for any more."""
        return "as" not in outputs or is_evaluated(self.recipe, outputs["as"])

    def run(self, work: Work) -> Outputs:
        same = work.outputs(self.source).get("same_as")
        if same is not None and is_evaluated(work.recipe, same):  # the very same weights, the very same answers
            return {"as": same}
        recipe = work.recipe
        with sampling_from(work.source, recipe, folder=work.directory) as sampler:
            groups = attempt(
                sampler,
                work.problems("test"),
                n=recipe.eval.n,
                params=evaluation_params(recipe),
                seed=evaluation_seed(recipe),
                path=work.directory / "rollouts.jsonl",
                watch=work.watch,
                on_part=work.watch,
                review=_review(recipe) if recipe.eval.judge else None,
            )
        found: Outputs = {}
        for name, file, parts in (("scores", "means.json", by_domain(groups)), ("sets", "sets.json", by_set(groups))):
            if parts or name == "scores":
                means = {part: stats.problem_means(members) for part, members in parts.items()}
                write_json_atomic(work.directory / file, means)
                k = min(recipe.eval.k, recipe.eval.n)
                found[name] = {part: asdict(stats.score_groups(members, k)) for part, members in parts.items()}
        return found


def by_domain(groups: Sequence[Group]) -> dict[str, list[Group]]:
    """Groups of each domain."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.problem.domain.value, []).append(group)
    return found


def by_set(groups: Sequence[Group]) -> dict[str, list[Group]]:
    """Groups of each data set, as DOMAIN/SOURCE, of domains whose problems come from several, up to MOST_SETS."""
    found: dict[str, list[Group]] = {}
    for domain, members in by_domain(groups).items():
        sources = {group.problem.source for group in members}
        if 1 < len(sources) <= MOST_SETS and "" not in sources:
            for group in members:
                found.setdefault(f"{domain}/{group.problem.source}", []).append(group)
    return found


@cache
def _model_hash(path: str) -> str:
    return hash_tree(Path(path))


def _review(recipe: Recipe) -> Review:
    """The judge of the evaluation protocol: rules and a model together (3.1); rubrics by the model alone."""
    judge = Judge(named_sampler(recipe.eval.judge, recipe), folder=recipe.prompts, seed=evaluation_seed(recipe))

    def reviewed(judged: list[Judged]) -> list[Verdict]:
        verdicts = review_rubrics(judge, judged)
        pairs = [(one.problem, verdict) for one, verdict in zip(judged, verdicts, strict=True)]
        return second_opinions(judge, pairs)

    return reviewed
