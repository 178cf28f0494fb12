"""What a recipe says of counts and lengths before anything has run; shared by the costs of all kinds.

Counts are upper bounds: as many problems as the recipe asks for, every sampled trace kept, every rollout with credit.
Lengths are the recipe's guesses (`[hardware]`), cut by the window where there is one. What is not counted: a teacher's
or a judge's sampling, running programs and checking answers (CPU), and the start of engines.
"""

from __future__ import annotations

from collections.abc import Mapping

from etalon.config.stages import Listed
from etalon.cost import work
from etalon.cost.work import Cost
from etalon.problems import nano
from etalon.recipe import Recipe
from etalon.types import REASONING_DOMAINS, Domain

WINDOW_SHARE = 0.55  # (ours) mean response over the window, when the window cuts many
HARD_SHARE = 0.25  # (ours) share of rated traces that are both long and hard
VERIFIED_SHARE = 0.7  # (ours) share of the RL checkpoints' rollouts that are correct
PUBLIC_DOMAINS = (*REASONING_DOMAINS, Domain.INSTRUCT)  # (ours) what problem files are taken to hold, unless mix says 0


def domains_of(recipe: Recipe) -> list[Domain]:
    """The domains that a run is taken to have problems of."""
    listed = recipe.problems.domains
    if listed:
        known = tuple(Domain(name) for name in listed)
    else:
        known = tuple(nano.MAX_LEVELS) if recipe.problems.source == "nano" else PUBLIC_DOMAINS
        known = (*known, Domain.FACTS) if recipe.problems.facts and recipe.problems.source == "nano" else known
    mix = recipe.problems.mix
    found = [d for d in Domain if (mix.get(d.value, 0.0) > 0 if d.value in mix else d in known)]
    return [d for d in found if not listed or d in known]


def as_found(recipe: Recipe, counts: Mapping[str, Mapping[str, int]]) -> Recipe:
    """The recipe with the domains and the numbers of problems that were found. counts: split -> domain -> problems."""
    domains = tuple(d.value for d in Domain if any(d.value in found for found in counts.values()))
    mix = {name: share for name, share in recipe.problems.mix.items() if name in domains}
    shares = {"train": {str(name): share for name, share in mix.items()}}  # the mix cuts no other split
    own = {Domain.FACTS.value} if recipe.problems.facts else set()  # facts are counted by a knob of theirs
    counted = {
        split: [n / shares.get(split, {}).get(domain, 1.0) for domain, n in found.items() if n and domain not in own]
        for split, found in counts.items()
    }
    sizes = {split: round(max(found)) for split, found in counted.items() if found}
    return recipe.model_copy(
        update={"problems": recipe.problems.model_copy(update={"domains": domains, "mix": mix, **sizes})}
    )


def mean_response(recipe: Recipe, window: int) -> float:
    """Tokens of a mean response in a window."""
    return min(recipe.hardware.response_tokens, WINDOW_SHARE * window)


def mean_trace(recipe: Recipe) -> float:
    """Tokens of a mean trace to learn from."""
    return min(recipe.hardware.trace_tokens, recipe.data.max_tokens)


def queries_of(recipe: Recipe, domain: Domain) -> float:
    """Training queries of one domain, before expansion."""
    if domain is Domain.FACTS and recipe.problems.facts:
        return float(recipe.problems.facts)
    return recipe.problems.train * recipe.problems.mix.get(domain.value, 1.0)


def traces(recipe: Recipe) -> float:
    """Traces to learn from, if every sampled one passes the gates."""
    asked = sum(queries_of(recipe, domain) for domain in domains_of(recipe)) * (
        1 + recipe.data.expand * recipe.data.expand_share
    )
    return asked * min(recipe.data.paths, recipe.data.max_paths) + recipe.data.claims


def sampling(recipe: Recipe, rollouts: float, window: int, *, batches: int = 1) -> Cost:
    """So many responses in a window."""
    return work.sampling(rollouts, mean_response(recipe, window), window, batches=batches)


def trained_domains(stage: Listed, recipe: Recipe) -> list[Domain]:
    """The domains of an rl stage that the recipe has problems of."""
    there = domains_of(recipe)
    return [domain for domain in there if not stage.spec.domains or domain.value in stage.spec.domains]
