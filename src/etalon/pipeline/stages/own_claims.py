"""Verification taught on the student's own mistakes (ours): its claims, the teacher's verdicts, as traces.

math queries -> claims as the student makes them -> verification prompts of CLR -> teacher's votes -> Traces
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from etalon.clr.claims import generation_conversation, load_templates, parse_claims, verification_conversation
from etalon.pipeline.stage import Work
from etalon.pipeline.teachers import teacher_of
from etalon.sampling.source import sampling_from
from etalon.types import Conversation, Domain, Rollout, SamplingParams, Stop, Trace, ask
from etalon.verifiers import parse_verdicts

Verdicts = tuple[bool | None, ...]


def own_claim_traces(work: Work, checkpoint: Path) -> list[Trace]:
    """One trace per distinct list of claims on which the teacher agrees; lists with a refuted claim weigh half.

    A teacher that cannot answer such prompts (the reference solutions) makes none.
    """
    recipe = work.recipe
    asked = _claims(work, checkpoint)
    if not asked:
        return []
    votes = recipe.data.label_votes
    conversations = [conversation for conversation, _ in asked]
    params = SamplingParams(max_tokens=recipe.data.max_tokens)
    answered = dict(teacher_of(work, recipe.data).sample(conversations, n=votes, params=params, seed=work.seed + 3))
    sound: list[Trace] = []
    refuted: list[Trace] = []
    for index, (conversation, count) in enumerate(asked):
        agreed = _majority(answered[index], count, round(recipe.data.agreement * votes))
        if agreed is not None:
            response, verdicts = agreed
            (sound if all(verdicts) else refuted).append(_trace(conversation, response))
    return [*refuted, *sound[: len(refuted)]]


def _claims(work: Work, checkpoint: Path) -> list[tuple[Conversation, int]]:
    """Verification conversations over the student's claims, each with the number of claims, without repetitions."""
    recipe = work.recipe
    templates = load_templates(recipe.prompts)
    questions = [p.prompt for p in work.problems("rl", Domain.MATH)[: work.stage.spec.own_claims]]
    if not questions:
        return []
    conversations = [generation_conversation(ask(q), templates.generate, recipe.clr.m) for q in questions]
    params = SamplingParams(max_tokens=recipe.clr.max_tokens)
    with sampling_from(checkpoint, recipe, folder=work.directory, has_helpers=True) as sampler:
        sampled = dict(sampler.sample(conversations, n=work.stage.spec.n, params=params, seed=work.seed + 4))
    found: dict[Conversation, int] = {}
    for index, question in enumerate(questions):
        for rollout in sampled[index]:
            claims = parse_claims(rollout.text, recipe.clr.m)
            if claims and rollout.stop is Stop.EOS:
                found[verification_conversation(question, claims, templates.verify)] = len(claims)
    return list(found.items())


def _majority(rollouts: tuple[Rollout, ...], count: int, needed: int) -> tuple[str, Verdicts] | None:
    """A response with the verdicts that at least `needed` responses share, all of them readable."""
    read = [tuple(parse_verdicts(r.text, count)) for r in rollouts if r.stop is Stop.EOS]
    shared = Counter(verdicts for verdicts in read if None not in verdicts).most_common(1)
    if not shared or shared[0][1] < needed:
        return None
    verdicts = shared[0][0]
    return next(r.text for r in rollouts if tuple(parse_verdicts(r.text, count)) == verdicts), verdicts


def _trace(conversation: Conversation, response: str) -> Trace:
    prompt = conversation[-1].content
    return Trace(
        problem_id=f"own-claims-{prompt}",
        domain=Domain.CLAIMS,
        prompt=prompt,
        response=response,
        num_tokens=len(response.split()),
        source="own-claims",
    )
