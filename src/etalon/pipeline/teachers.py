"""Who plays the teacher: the nano world's program, the solutions that came with the problems, or a model directory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etalon.pipeline.stage import Work
from etalon.problems.nano.models import NanoTeacher
from etalon.recipe import DataSpec
from etalon.sampling.source import named_sampler
from etalon.types import Conversation, Problem, Rollout, Sampler, SamplingParams, Stop

REFERENCE = "reference"
TEACHERS = ("nano", REFERENCE)  # words that are never taken for a model directory


class ReferenceTeacher:
    """Answers a prompt with the solutions its problem came with; says so where there are none."""

    name = REFERENCE

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.solutions = {p.prompt: p.solutions for p in problems}

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """The i-th rollout is the i-th solution; with fewer solutions than n the others are failed calls."""
        for index, conversation in enumerate(conversations):
            solutions = self.solutions.get(conversation[-1].content, ())
            yield index, tuple(_given(i, solutions) for i in range(n))


def _given(index: int, solutions: Sequence[str]) -> Rollout:
    if index >= len(solutions):
        error = f"the problem came with only {len(solutions)}" if solutions else "no solution came with the query"
        return Rollout(problem_id="", index=index, text="", stop=Stop.ERROR, num_tokens=0, error=error)
    text = solutions[index]
    return Rollout(problem_id="", index=index, text=text, stop=Stop.EOS, num_tokens=len(text.split()))


def teacher_of(work: Work, spec: DataSpec) -> Sampler:
    """The sampler that `teacher` of a data stage, or of its table, names."""
    recipe = work.recipe
    if spec.teacher == "nano":
        assert recipe.problems.source == "nano", "checked before the run"
        return NanoTeacher(m=recipe.clr.m)
    if spec.teacher == REFERENCE:
        return ReferenceTeacher(work.problems("train"))
    return named_sampler(spec.teacher, recipe)
