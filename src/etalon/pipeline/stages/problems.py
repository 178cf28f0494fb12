"""Stage `problems` (2.1.1): draw them from the nano world or read them from files, and cut them into splits."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from etalon.config.stages import listed
from etalon.data import gates
from etalon.data.curriculum.split import split_problems
from etalon.data.ngrams import normalise
from etalon.errors import ConfigError, InputError
from etalon.pipeline import held_out
from etalon.pipeline.stage import SPLITS, Outputs, Stage, Work, known
from etalon.problems import nano
from etalon.problems.clusters import CLUSTERS, clusters_of, distinct
from etalon.problems.files import read_problems
from etalon.problems.formats import Reading
from etalon.problems.nano import facts
from etalon.problems.rows import problem_to_row
from etalon.recipe import Recipe, RlSpec
from etalon.rows.mapping import ColumnMap
from etalon.store import append_jsonl, hash_file, write_json_atomic
from etalon.types import Domain, Problem

FACT_DOCUMENTS = 0.15  # (ours) share of the scratch model's documents that are facts, where there are some


@dataclass(frozen=True, kw_only=True)
class Problems(Stage):
    """Writes problems/{split}.jsonl, and documents.jsonl when a base model is to be pretrained.

    wanted: the splits that some stage reads; files are cut into no others. documents: of the scratch model.
    """

    purpose: ClassVar[str] = "draw or read problems and cut them into train, probe, RL and test"
    section: ClassVar[str] = "2.1.1"
    makes_model: ClassVar[bool] = False
    trains: ClassVar[bool] = False

    wanted: frozenset[str] = frozenset(SPLITS)
    documents: int = 0

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    @property
    def samples(self) -> bool:
        return False

    @property
    def cut(self) -> frozenset[str]:
        """The splits that files are cut into: none where traces come from elsewhere and what is held out is named."""
        return self.wanted - {"test"} if self.recipe.problems.test_files else self.wanted

    def check(self) -> None:
        spec = self.recipe.problems
        if spec.source == "files" and not spec.files and self.cut:
            raise ConfigError(
                f"problems.files: is empty, and {', '.join(sorted(self.cut))} problems are cut from it; name a file"
            )

    @property
    def knobs(self) -> Any:
        recipe = self.recipe
        is_from_files = recipe.problems.source == "files"
        cut = sorted(self.wanted) if is_from_files else []
        needs_reference = not is_from_files or reading_of(recipe).needs_reference
        spec = recipe.problems.model_dump(exclude={"max_bad"})
        return [spec, self.documents, recipe.clr.m, recipe.prompts, cut, needs_reference, *held_out.rule_of(recipe)]

    @property
    def outside(self) -> Mapping[str, str]:
        spec = self.recipe.problems
        named = {file: hash_file(Path(file)) for file in (*spec.files, *spec.test_files)}
        return named | held_out.files_of(self.recipe)

    def run(self, work: Work) -> Outputs:
        recipe = work.recipe
        splits = _nano_splits(recipe) if recipe.problems.source == "nano" else _file_splits(work, self.cut)
        splits["rl"] = self._kept_apart(work, splits)
        counts: dict[str, dict[str, int]] = {}
        for split, members in splits.items():
            path = work.directory / f"{split}.jsonl"
            path.unlink(missing_ok=True)
            append_jsonl(path, [problem_to_row(p) for p in members])
            counts[split] = {
                d.value: sum(p.domain is d for p in members) for d in Domain if any(p.domain is d for p in members)
            }
        if self.documents:
            path = work.directory / "documents.jsonl"
            path.unlink(missing_ok=True)
            append_jsonl(path, [{"text": text} for text in _documents(recipe, splits["train"], self.documents)])
        for split, found in counts.items():
            if found and (split == "train" or "train" not in self.wanted):
                work.view.note(f"{split}: {', '.join(f'{count} {domain}' for domain, count in found.items())}")
        self._cluster(work, splits["test"])
        return {"counts": counts}

    def _kept_apart(self, work: Work, splits: Mapping[str, Sequence[Problem]]) -> list[Problem]:
        """The rl problems without those that overlap with a held-out one, by the gate that train problems pass.

        What reads them (rl, distillation, own claims, the look at a model) reads them from here.
        """
        recipe = work.recipe
        forbidden = held_out.index_of(recipe, splits, common=(problem.prompt for problem in splits["rl"]))
        gated = gates.overlap_gate(splits["rl"], forbidden, drop_near=recipe.data.drop_near)
        write_json_atomic(work.directory / "gates.json", [gated.report.to_row()])
        if splits["rl"] and not gated.kept:
            raise InputError(
                f"problems: each of {len(splits['rl'])} rl problems overlaps with a held-out one, such as "
                f"{gated.report.to_row()['examples']!r:.300}; name other files, or problems.test_files"
            )
        if gated.report.dropped:
            work.view.note(f"rl: {gated.report.dropped} left out: they overlap with held-out ones (gates.json)")
        return list(gated.kept)

    def _cluster(self, work: Work, test: Sequence[Problem]) -> None:
        """Keep which held-out problems are near copies: intervals are clustered by them."""
        clusters = clusters_of(test)
        write_json_atomic(work.directory / CLUSTERS, clusters)
        if clusters:
            work.view.note(f"test: {len(test)} problems are {distinct(test, clusters)} when near copies count as one")


def _nano_splits(recipe: Recipe) -> dict[str, list[Problem]]:
    domains = known(recipe.problems.domains) or tuple(nano.MAX_LEVELS)
    splits: dict[str, list[Problem]] = {
        split: [
            problem
            for domain in nano.MAX_LEVELS
            if domain in domains
            for problem in nano.problems(
                domain,
                split,
                wanted(recipe, split, domain),
                seed=recipe.seed,
                m=recipe.clr.m,
                operations=recipe.problems.operations,
            )
        ]
        for split in nano.SPLITS
    }
    if Domain.INSTRUCT in domains:
        splits["rl"] += nano.open_problems("rl", recipe.problems.open)
    known_by_heart = facts.facts(_facts_of(recipe), seed=recipe.seed)
    for split, members in splits.items():  # the same in all of them: a fact that was never seen cannot be known
        members += known_by_heart if split == "train" else known_by_heart[: getattr(recipe.problems, split)]
    return splits


def _facts_of(recipe: Recipe) -> int:
    """How many facts the nano world is asked for; ConfigError for a domain of them without any."""
    spec = recipe.problems
    if Domain.FACTS.value in spec.domains and not spec.facts:
        raise ConfigError("problems.domains: names facts, and problems.facts is 0; say how many")
    if spec.facts > facts.NAMES:
        raise ConfigError(f"problems.facts: {spec.facts}; the nano world has {facts.NAMES}")
    return spec.facts if not spec.domains or Domain.FACTS.value in spec.domains else 0


def wanted(recipe: Recipe, split: str, domain: Domain) -> int:
    """How many problems of a domain a split is asked for."""
    count: int = getattr(recipe.problems, split)
    return round(count * recipe.problems.mix.get(domain.value, 1.0)) if split == "train" else count


def _file_splits(work: Work, cut_into: Collection[str]) -> dict[str, list[Problem]]:
    recipe = work.recipe
    spec = recipe.problems
    held_out = _read(recipe, spec.test_files)
    if spec.test_files and not held_out:
        raise InputError(f"problems.test_files: hold no problem of {', '.join(spec.domains)}")
    if not cut_into:
        return {split: [] for split in SPLITS} | {"test": held_out}
    found = _read(recipe, spec.files)
    if held_out:
        taken = {normalise(problem.prompt) for problem in held_out}
        found = [problem for problem in found if normalise(problem.prompt) not in taken]
    if not found:
        asked = f" of {', '.join(spec.domains)}" if spec.domains else ""
        rest = " that is not held out by problems.test_files" if held_out else ""
        raise InputError(f"problems.files: hold no problem{asked}{rest}")
    sizes = {name: getattr(spec, name) if name in cut_into else 0 for name in SPLITS}
    cut = split_problems(found, seed=recipe.seed, **sizes)
    if cut.parted:
        work.view.note(
            f"{', '.join(cut.parted)}: near copies (the same words, other numbers) are in several splits: too few "
            "templates to keep them apart; problems.test_files would hold out what you choose"
        )
    splits = {
        split: at_most(getattr(cut, split), {domain: wanted(recipe, split, domain) for domain in Domain})
        for split in SPLITS
    }
    return splits | ({"test": held_out} if held_out else {})


def reading_of(recipe: Recipe) -> Reading:
    """What a recipe asks of a row: with a reward of the user's own, a question is enough."""
    rewards = [stage.spec.reward for stage in listed(recipe) if isinstance(stage.spec, RlSpec)]
    domains = recipe.problems.domains
    alone = Domain(domains[0]) if domains and Domain.MATH not in domains else Domain.MATH
    return Reading(prompts=recipe.prompts, alone=alone, needs_reference=not any(rewards))


def read_file(recipe: Recipe, file: str) -> list[Problem]:
    """The problems of one of a recipe's files."""
    spec, reading = recipe.problems, reading_of(recipe)
    columns = ColumnMap.of(spec.map, key="problems.map")
    try:
        return read_problems(Path(file), columns=columns, max_bad=spec.max_bad, reading=reading)
    except InputError as error:
        if reading.needs_reference and "answer: missing" in str(error):
            raise InputError(f"{error}; questions alone do where an rl stage has a `reward` of your own") from None
        raise


def _read(recipe: Recipe, files: Sequence[str]) -> list[Problem]:
    """The problems of all files that are of the recipe's domains, each once."""
    spec = recipe.problems
    found = _distinct([(Path(file), read_file(recipe, file)) for file in files])
    if spec.domains:
        found = [problem for problem in found if problem.domain.value in spec.domains]
    return found if spec.shuffle else [replace(problem, shuffle=False) for problem in found]


def _distinct(files: Sequence[tuple[Path, Sequence[Problem]]]) -> list[Problem]:
    """The problems of all files, exact copies once; an id that two files use for two problems gets the file's name."""
    found: dict[str, Problem] = {}
    for path, members in files:
        for problem in members:
            if problem.id in found and found[problem.id] != problem:
                problem = replace(problem, id=f"{path.stem}-{problem.id}")
            found.setdefault(problem.id, problem)
    return list(found.values())


def at_most(members: Sequence[Problem], counts: Mapping[Domain, int]) -> list[Problem]:
    """The first problems of each domain, as many as its count."""
    taken: Counter[Domain] = Counter()
    kept = []
    for problem in members:
        taken[problem.domain] += 1
        if taken[problem.domain] <= counts[problem.domain]:
            kept.append(problem)
    return kept


def _documents(recipe: Recipe, train: Sequence[Problem], count: int) -> list[str]:
    from etalon.problems.nano.documents import document

    rng = random.Random(f"documents-{recipe.seed}")
    if recipe.problems.source == "nano":
        known_by_heart = [problem for problem in train if nano.is_memorised(problem)]
        learned = facts.documents(known_by_heart, round(count * FACT_DOCUMENTS), rng=rng)
        texts = [document(rng, nano.is_train) for _ in range(count - len(learned))]
        return rng.sample([*texts, *learned], count) if learned else texts
    texts = [f"{p.prompt}\n{s}" for p in train for s in p.solutions or ("",)]
    return [rng.choice(texts) for _ in range(count)]
