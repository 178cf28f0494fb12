"""Query expansion (2.1.1 step 1): a teacher rewrites seeds along four dimensions into new queries without labels.

    seed -> its question in prompts/expand_<dimension>.txt -> Sampler -> <query>...</query> -> Problem (answer None)
    record of a seed -> the record, and those of its new queries: parent, dimension, the licence of the seed

Only questions with a final answer are expanded: a majority vote can label those, and no others.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from etalon.data.calls.remembered import Remembered
from etalon.data.gates import KEEP, Decision, Gated, Sieve, drop
from etalon.data.ngrams import normalise
from etalon.data.records import Record
from etalon.errors import InputError, RunError
from etalon.problems.instructions import with_instruction, without_instruction
from etalon.prompts import load
from etalon.types import Conversation, Domain, Problem, Rollout, SamplingParams, Stop, ask
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


@dataclass(frozen=True, kw_only=True)
class Grown:
    """One query in a teacher's response, or the seed where there was none; `decision` says whether it is kept."""

    request: Request
    problem: Problem
    decision: Decision


def expand_records(
    records: Sequence[Record],
    teacher: Remembered,
    *,
    count: int,
    params: SamplingParams,
    seed: int,
    prompts: str = "default",
) -> Gated[Record]:
    """Every record, each followed by up to `count` unlabelled ones that a teacher made of it, copies left out.

    The report counts queries of the teacher, and responses without one by reason. A record of a domain without a
    final answer to vote on is no seed. Raises RunError where not one query came, InputError where there is no seed.
    """
    by_id = {id(record.problem): place for place, record in enumerate(records)}
    asked = _asked([record.problem for record in records], count, prompts)
    if not asked:
        domains = ", ".join(EXPANDABLE)
        raise InputError(f"expand: no query to start from: only questions of {domains} have an answer to vote on")
    teacher.fill([(one.request.conversation, one.index) for one in asked], params=params, seed=seed)
    answered = (
        (one.request, teacher.rollout(one.request.conversation, one.index, params=params, seed=seed)) for one in asked
    )
    sieve, children = Sieve("expand"), defaultdict[int, list[Record]](list)
    for one in new_queries(answered, known=(record.problem.prompt for record in records), prompts=prompts):
        place = by_id[id(one.request.seed)]
        if sieve.passes(one.decision, records[place].group):
            children[place].append(_child(records[place], one))
    report = sieve.report()
    if not report.kept:
        raise RunError(f"{teacher.name}: wrote no new query in {len(asked)} calls: {next(iter(report.reasons))}")
    kept = [one for place, record in enumerate(records) for one in (record, *children[place])]
    return Gated(kept=tuple(kept), report=report)


def calls_of(records: Sequence[Record], count: int, *, prompts: str = "default") -> list[tuple[Conversation, int]]:
    """What `expand_records` asks its teacher: conversation, index of the sample."""
    return [
        (one.request.conversation, one.index) for one in _asked([record.problem for record in records], count, prompts)
    ]


def _child(parent: Record, grown: Grown) -> Record:
    return Record(
        problem=grown.problem, license=parent.license, parent=parent.problem.id, dimension=grown.request.dimension
    )  # fmt: skip


def new_queries(
    answered: Iterable[tuple[Request, Rollout]], *, known: Iterable[str], prompts: str = "default"
) -> Iterator[Grown]:
    """What the responses hold, in their order: what counts as a copy must not depend on timing. known: prompts."""
    seen = {normalise(prompt) for prompt in known}
    for request, rollout in answered:
        for problem, decision in read_queries(request, rollout, prompts=prompts):
            key = normalise(problem.prompt)
            is_copy = decision is KEEP and key in seen
            seen.add(key)
            yield Grown(
                request=request,
                problem=problem,
                decision=drop("copy of another query", problem.prompt) if is_copy else decision,
            )


@dataclass(frozen=True, kw_only=True)
class _Asked:
    request: Request
    index: int  # of the sample among those of its conversation


def _asked(seeds: Sequence[Problem], count: int, prompts: str) -> list[_Asked]:
    """Every request, with the number of times that it was made before."""
    batches = requests(seeds, count, prompts=prompts)
    return [_Asked(request=request, index=turn) for turn, batch in enumerate(batches) for request in batch]


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
    digest = hashlib.sha256(query.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return Problem(
        id=f"{request.seed.id}+{request.dimension}-{digest}",
        domain=request.seed.domain,
        prompt=with_instruction(query, request.seed.domain, prompts=prompts),
        skill=request.seed.skill,
        source=f"expanded from {request.seed.source}".strip() if request.seed.source else "expanded",
    )
