"""Kind `fuse` (2.1.2): Pass@K of every checkpoint of an SFT stage per skill on the probing set, and the merge.

checkpoints of `from` -> probes/NAME.jsonl -> scores per skill -> choose, take -> one checkpoint, probe.json
checkpoints of `stages` -> their weighted mean, unprobed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from etalon.config.stages import PROBLEMS, no_stage
from etalon.cost.work import Cost
from etalon.errors import ConfigError
from etalon.pipeline import reckoning
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.pipeline.stages.training import evaluation_params, load_checkpoint, passed_through, response_logprobs
from etalon.problems.nano.models import UnknownPromptError, reference
from etalon.problems.rows import problem_from_row
from etalon.recipe import Recipe
from etalon.sampling import attempt
from etalon.sampling.source import sampling_from
from etalon.sft import probe as probing
from etalon.store import read_jsonl, write_json_atomic
from etalon.types import Problem, Trace

MERGED_KIND = "sft"  # the kind that leaves several checkpoints
References = Sequence[tuple[str, Trace]]  # reference solutions of probing problems, with the skill of each


@dataclass(frozen=True, kw_only=True)
class Fuse(Stage):
    """Probes Pass@K per skill and merges the specialists, takes one of them, or merges what stages left."""

    section: ClassVar[str] = "2.1.2"
    trains: ClassVar[bool] = False

    @property
    def purpose(self) -> str:
        """In words."""
        spec = self.spec
        if spec.stages:
            return f"merge the checkpoints of {', '.join(spec.stages)}"
        by = {"passk": "Pass@K", "pass1": "Pass@1", "loss": "loss"}[spec.choose]
        taken = {"merge": "merge the specialists", "best": f"take the best by {by}", "last": "take the last"}
        return f"probe {by if spec.take == 'merge' else 'Pass@K'} per skill, {taken[spec.take]}"

    @property
    def samples(self) -> bool:
        return not self.spec.stages

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*super().needs, *self.spec.stages)))

    @property
    def splits(self) -> frozenset[str]:
        return frozenset() if self.spec.stages else frozenset({"probe"})

    @property
    def knobs(self) -> Any:
        spec = self.recipe.eval
        return [self.spec.model_dump(), spec.temperature, spec.top_p, spec.max_tokens]

    def check(self) -> None:
        if self.spec.stages:
            self._check_stages()
            return
        if self.spec.weights and self.spec.take != "merge":
            raise ConfigError(
                f"{self.listed.key_of('weights')}: are of the specialists of a merge, and {self.name}.take is "
                f"{self.spec.take!r}; leave them out"
            )
        source = next(one for one in self.others if one.name == self.source)
        if not getattr(source.spec, "checkpoints", 0):
            raise ConfigError(
                f"{self.name}.from: {source.name!r} is of kind {source.kind!r}, and only a stage of kind "
                f"{MERGED_KIND!r} leaves several checkpoints to merge"
            )

    def _check_stages(self) -> None:
        models, key = [one.name for one in self.others if one.makes_model], self.listed.key_of("stages")
        for name in self.spec.stages:
            if name not in [one.name for one in self.others]:
                raise ConfigError(f"{key}: {no_stage(name, models)}")
            if name not in models:
                raise ConfigError(f"{key}: {name!r} leaves no checkpoint; name some of {', '.join(models)}")
            if name == self.name or self.spec.stages.count(name) > 1:
                raise ConfigError(f"{key}: {name!r} is {'the stage itself' if name == self.name else 'named twice'}")
        if unknown := sorted(self.spec.weights.keys() - {*self.spec.stages}):
            raise ConfigError(f"{self.listed.key_of('weights')}: {unknown[0]!r} is none of {key}")
        if own := sorted({"choose", "take", "k"} & self.listed.own.keys()):
            raise ConfigError(f"{self.name}.{own[0]}: is of checkpoints that are probed, and those of {key} are not")

    @property
    def cost(self) -> Cost:
        if self.spec.stages:
            return Cost()
        recipe = self.recipe
        source = next(one for one in self.others if one.name == self.source)
        probed = source.spec.checkpoints + 1
        rollouts = probed * len(reckoning.domains_of(recipe)) * recipe.problems.probe * self.spec.k
        return reckoning.sampling(recipe, rollouts, recipe.eval.max_tokens, batches=probed)

    def run(self, work: Work) -> Outputs:
        if self.spec.stages:
            return self._merged_stages(work)
        done = work.outputs(self.source)
        skills = {skill_of(p) for p in work.problems("probe")}
        if unknown := sorted(self.spec.weights.keys() - skills):
            raise ConfigError(f"{self.name}.weights: no skill {unknown[0]!r}; skills are {', '.join(sorted(skills))}")
        if "skipped" in done:
            return passed_through(work, self.source, f"{self.source} was skipped")
        root = work.directory.parent
        checkpoints = {Path(name).name: root / name for name in done["checkpoints"]}
        is_by_loss = self.spec.choose == "loss"
        references = references_of(work.problems("probe"), work.recipe, self.name) if is_by_loss else []
        return self._taken(work, checkpoints, _probed(work, checkpoints, references), references)

    def _taken(
        self, work: Work, checkpoints: Mapping[str, Path], scores: probing.Scores, references: References
    ) -> Outputs:
        """What `choose` and `take` make of the scores, as the stage's checkpoint."""
        from etalon.sft import fuse as merging

        spec = self.spec
        if spec.take == "merge":
            chosen = probing.choose_specialists(scores, spec.choose)
            weights = probing.merge_weights(chosen, spec.weights)
        else:
            taken = list(scores)[-1] if spec.take == "last" else probing.best_checkpoint(scores, spec.choose)
            chosen = dict.fromkeys(probing.choose_specialists(scores), taken)
            weights = {taken: 1.0}
        members = [(checkpoints[name], weight) for name, weight in weights.items()]
        fused = merging.fuse(members, work.directory / "checkpoint")
        if spec.take == "merge":
            [fused_scores] = work.spread(probe_checkpoint, [_arguments(work, "fused", fused, references)])
        else:
            fused_scores = scores[taken]
        record = {
            "choose": spec.choose,
            "take": spec.take,
            "k": spec.k,
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
        told = ", ".join(f"{weight:.2f} x {name}" for name, weight in weights.items())
        work.view.note(f"merged {told}" if spec.take == "merge" else f"took {taken}, the {spec.take}")
        return {"checkpoint": work.keep_checkpoint(fused), "weights": weights}

    def _merged_stages(self, work: Work) -> Outputs:
        """The weighted mean of what some stages left."""
        from etalon.sft import fuse as merging

        shares = self.spec.weights or dict.fromkeys(self.spec.stages, 1.0)
        whole = sum(shares.values())
        if not whole:
            raise ConfigError(f"{self.listed.key_of('weights')}: are all 0; give some stage a weight")
        weights = {name: shares.get(name, 0.0) / whole for name in self.spec.stages}
        weights = {name: weight for name, weight in weights.items() if weight}
        members = [(work.checkpoint(name), weight) for name, weight in weights.items()]
        merged = merging.fuse(members, work.directory / "checkpoint")
        work.view.note(f"merged {', '.join(f'{weight:.2f} x {name}' for name, weight in weights.items())}")
        return {"checkpoint": work.keep_checkpoint(merged), "weights": weights}


def skill_of(problem: Problem) -> str:
    """The skill that a problem probes; its domain where it names none."""
    return problem.skill or problem.domain.value


def references_of(problems: Sequence[Problem], recipe: Recipe, name: str) -> list[tuple[str, Trace]]:
    """(skill, reference solution) of the problems that have one: the first they came with, else the nano world's.

    ConfigError for a skill without any. name: of the stage.
    """
    found = [(skill_of(problem), _reference(problem, recipe)) for problem in problems]
    known = [(skill, trace) for skill, trace in found if trace is not None]
    if missing := sorted({skill for skill, _ in found} - {skill for skill, _ in known}):
        raise ConfigError(
            f"{name}.choose: 'loss' is measured on reference solutions, and no probing problem of {missing[0]!r} came "
            "with one; use 'passk' or 'pass1'"
        )
    return known


def _reference(problem: Problem, recipe: Recipe) -> Trace | None:
    text = problem.solutions[0] if problem.solutions else ""
    if not text and recipe.problems.source == "nano":
        try:
            text = reference(problem.prompt)
        except UnknownPromptError:
            return None
    if not text:
        return None
    return Trace(
        problem_id=problem.id, domain=problem.domain, prompt=problem.prompt, response=text,
        num_tokens=len(text.split()),
    )  # fmt: skip


def _probed(
    work: Work, checkpoints: Mapping[str, Path], references: References
) -> dict[str, dict[str, probing.ProbeScore]]:
    """Pass@K per skill of every checkpoint, and its losses where they choose, over this process and the workers."""
    arguments = [_arguments(work, name, path, references) for name, path in checkpoints.items()]
    results = []
    for scores in work.spread(probe_checkpoint, arguments):
        results.append(scores)
        work.view.update(len(results), len(arguments) + 1)
    return dict(zip(checkpoints, results, strict=True))


def _arguments(
    work: Work, name: str, checkpoint: Path, references: References
) -> tuple[str, str, Recipe, int, int, str, References]:
    problems, rollouts = work.directories[PROBLEMS] / "probe.jsonl", work.directory / "probes" / f"{name}.jsonl"
    return str(checkpoint), str(problems), work.recipe, work.stage.spec.k, work.seed, str(rollouts), references


def probe_checkpoint(
    checkpoint: str, problems: str, recipe: Recipe, k: int, seed: int, path: str,
    references: References = (),
) -> dict[str, probing.ProbeScore]:  # fmt: skip
    """Pass@K per skill of one checkpoint, and its loss on references, if there are any; its rollouts stay in `path`."""
    with sampling_from(Path(checkpoint), recipe, folder=Path(path).with_suffix("")) as sampler:
        groups = attempt(
            sampler,
            [problem_from_row(row) for row in read_jsonl(Path(problems))],
            n=k,
            params=evaluation_params(recipe),
            seed=seed,
            path=Path(path),
        )
    scores = probing.score_skills(groups, k)
    losses = reference_losses(Path(checkpoint), references, recipe) if references else {}
    return {skill: replace(score, loss=losses.get(skill)) for skill, score in scores.items()}


def reference_losses(
    checkpoint: Path, references: References, recipe: Recipe
) -> dict[str, float]:  # fmt: skip
    """Mean negative log-probability per token (nats) of the reference solutions of each skill under a checkpoint.

    ConfigError for one that does not fit the model's window: a loss without it would be of other problems.
    """
    from etalon.sft.rows import trace_row

    language_model = load_checkpoint(recipe, checkpoint)
    rows = [trace_row(trace, language_model) for _, trace in references]
    for row, (_, trace) in zip(rows, references, strict=True):
        if len(row) > language_model.window:
            raise ConfigError(
                f"fuse.choose: 'loss' needs the reference solution of {trace.problem_id} in the model's window of "
                f"{language_model.window} tokens, and it has {len(row)}; use 'passk' or 'pass1'"
            )
    logprobs = response_logprobs(language_model, rows, recipe.sft.micro_tokens)
    skills = [skill for skill, _ in references]
    return probing.skill_losses(list(zip(skills, logprobs, strict=True)))


def _score_rows(scores: Mapping[str, probing.ProbeScore]) -> dict[str, dict[str, float]]:
    """Pass@1, Pass@K and, where it was measured, the loss."""
    return {
        skill: {"pass1": score.pass1, "passk": score.passk} | ({} if score.loss is None else {"loss": score.loss})
        for skill, score in scores.items()
    }
