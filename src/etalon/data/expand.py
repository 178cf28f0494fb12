"""Query expansion (2.1.1 step 1): a teacher rewrites seeds along four dimensions into new queries without labels.

    seed -> its question in prompts/expand_<dimension>.txt -> Sampler -> <query>...</query> -> Problem (answer None)

Only questions with a final answer are expanded: a majority vote can label those, and no others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etalon.data.gates import KEEP, Decision, Gated, drop, sift
from etalon.data.ngrams import normalise
from etalon.problems.instructions import with_instruction, without_instruction
from etalon.prompts import load
from etalon.types import Conversation, Domain, Problem, Rollout, Sampler, SamplingParams, Stop, ask
from etalon.verifiers.text import final_part

DIMENSIONS = ("concepts", "skeleton", "constraints", "target")
EXPANDABLE = (Domain.MATH, Domain.STEM)
QUERY = re.compile(r"<query>(.*?)</query>", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One new query asked of the teacher."""

    seed: Problem
    dimension: str
    conversation: Conversation


def expand(
    seeds: Sequence[Problem],
    sampler: Sampler,
    *,
    count: int,
    params: SamplingParams,
    seed: int,
    prompts: str = "default",
) -> Gated[Problem]:
    """Up to `count` new unlabelled problems per seed, and how many responses made none, with the reasons."""
    decided: list[tuple[Problem, Decision]] = [
        (problem, drop(f"seed of domain {problem.domain} has no final answer to vote on", problem.prompt))
        for problem in seeds
        if problem.domain not in EXPANDABLE
    ]
    seen = {normalise(problem.prompt) for problem in seeds}
    for turn, batch in enumerate(requests(seeds, count, prompts=prompts)):
        conversations = [request.conversation for request in batch]
        answered = dict(sampler.sample(conversations, n=1, params=params, seed=seed + turn))
        for index, request in enumerate(batch):  # in order: what counts as a copy must not depend on timing
            for problem, decision in read_queries(request, answered[index][0], prompts=prompts):
                key = normalise(problem.prompt)
                is_copy = decision is KEEP and key in seen
                seen.add(key)
                decided.append((problem, drop("copy of another query", problem.prompt) if is_copy else decision))
    return sift("expand", decided)


def requests(seeds: Sequence[Problem], count: int, *, prompts: str = "default") -> Iterator[list[Request]]:
    """`count` requests per expandable seed, in batches without two equal ones; dimensions take turns."""
    expandable = [problem for problem in seeds if problem.domain in EXPANDABLE]
    for first in range(0, count, len(DIMENSIONS)):
        turns = range(first, min(first + len(DIMENSIONS), count))
        yield [
            request(problem, DIMENSIONS[(number + turn) % len(DIMENSIONS)], prompts=prompts)
            for number, problem in enumerate(expandable)
            for turn in turns
        ]


def request(seed: Problem, dimension: str, *, prompts: str = "default") -> Request:
    """The conversation that asks for one new query; the seed is shown without its answer instruction."""
    question = without_instruction(seed.prompt, seed.domain, has_options=seed.options is not None, prompts=prompts)
    text = load(f"expand_{dimension}", folder=prompts).replace("{query}", question)
    return Request(seed=seed, dimension=dimension, conversation=ask(text))


def read_queries(request: Request, rollout: Rollout, *, prompts: str = "default") -> Iterator[tuple[Problem, Decision]]:
    """The new problems in a response, each to be kept; or the seed once, dropped with what was wrong."""
    queries = parse_queries(rollout.text)
    if rollout.stop is Stop.ERROR:
        yield request.seed, drop("sampler failed", rollout.error)
    elif not queries:
        reason = "truncated" if rollout.stop is Stop.LENGTH else "no <query> in the response"
        yield request.seed, drop(reason, rollout.text)
    else:
        for query in queries:
            yield new_problem(request, query, prompts=prompts), KEEP


def parse_queries(text: str) -> list[str]:
    """The queries in a response, those that it drafted while thinking left out."""
    return [query.strip() for query in QUERY.findall(final_part(text)) if query.strip()]


def new_problem(request: Request, query: str, *, prompts: str = "default") -> Problem:
    """An unlabelled problem in the domain of its seed, asked like any question with a final answer."""
    digest = hashlib.sha256(query.encode()).hexdigest()[:8]
    return Problem(
        id=f"{request.seed.id}+{request.dimension}-{digest}",
        domain=request.seed.domain,
        prompt=with_instruction(query, request.seed.domain, prompts=prompts),
        skill=request.seed.skill,
        source=f"expanded from {request.seed.source}".strip() if request.seed.source else "expanded",
    )
