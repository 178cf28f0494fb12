"""Stage `*-fused`: Pass@K of every checkpoint per skill on the probing set, and the merge of the best (2.1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from etalon.errors import ConfigError
from etalon.pipeline.samplers import sampling_from
from etalon.pipeline.stage import Outputs, Work
from etalon.pipeline.train import evaluation_params, passed_through
from etalon.problems.rows import problem_from_row
from etalon.recipe import Recipe
from etalon.sampling import attempt
from etalon.sft import fuse as merging
from etalon.sft import probe as probing
from etalon.store import read_jsonl, write_json_atomic


def probe_and_fuse(work: Work) -> Outputs:
    """Pass@K of every checkpoint per skill on the probing set; merge the specialists (2.1.2)."""
    source = work.stage.arguments["source"]
    done = work.outputs(source)
    skills = {p.skill or p.domain.value for p in work.problems("probe")}
    if unknown := sorted(work.recipe.probe.weights.keys() - skills):
        raise ConfigError(f"probe.weights: no skill {unknown[0]!r}; skills are {', '.join(sorted(skills))}")
    if "skipped" in done:
        return passed_through(work, source, f"{source} was skipped")
    root = work.directory.parent
    checkpoints = {Path(name).name: root / name for name in done["checkpoints"]}
    problems = str(work.directories["problems"] / "probe.jsonl")
    folder = work.directory / "probes"
    arguments = [
        (str(path), problems, work.recipe, work.seed, str(folder / f"{name}.jsonl"))
        for name, path in checkpoints.items()
    ]
    results = []
    for group_scores in work.spread(probe_checkpoint, arguments):
        results.append(group_scores)
        work.view.update(len(results), len(arguments) + 1)
    scores = dict(zip(checkpoints, results, strict=True))
    chosen = probing.choose_specialists(scores)
    weights = probing.merge_weights(chosen, work.recipe.probe.weights)
    fused = merging.fuse(
        [(checkpoints[name], weight) for name, weight in weights.items()], work.directory / "checkpoint"
    )
    [fused_scores] = work.spread(
        probe_checkpoint, [(str(fused), problems, work.recipe, work.seed, str(folder / "fused.jsonl"))]
    )
    record = {
        "k": work.recipe.probe.k,
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


def probe_checkpoint(
    checkpoint: str, problems: str, recipe: Recipe, seed: int, path: str
) -> dict[str, probing.ProbeScore]:
    """Pass@K per skill of one checkpoint; its rollouts stay in `path`."""
    with sampling_from(Path(checkpoint), recipe, folder=Path(path).with_suffix("")) as sampler:
        groups = attempt(
            sampler,
            [problem_from_row(row) for row in read_jsonl(Path(problems))],
            n=recipe.probe.k,
            params=evaluation_params(recipe),
            seed=seed,
            path=Path(path),
        )
    return probing.score_skills(groups, recipe.probe.k)


def _score_rows(scores: Mapping[str, probing.ProbeScore]) -> dict[str, dict[str, float]]:
    return {skill: {"pass1": score.pass1, "passk": score.passk} for skill, score in scores.items()}
