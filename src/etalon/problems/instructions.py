"""The sentence that tells a model how to give its answer: one prompt file per domain, appended to the question."""

from __future__ import annotations

from etalon.prompts import load
from etalon.types import Domain

# What a prompt that already says how to answer contains.
MARKERS = {Domain.MATH: r"\boxed", Domain.STEM: r"\boxed", Domain.CODE: "```python"}


def instruction(domain: Domain, *, has_options: bool = False, prompts: str = "default") -> str:
    """The answer instruction of a domain, "" when it has none; a STEM question without options is asked like math."""
    if domain not in MARKERS:
        return ""
    asked_as = Domain.MATH if domain is Domain.STEM and not has_options else domain
    return load(asked_as.value, folder=prompts).strip()


def with_instruction(question: str, domain: Domain, *, has_options: bool = False, prompts: str = "default") -> str:
    """The complete prompt: the question, and the instruction unless the question already says how to answer."""
    marker = MARKERS.get(domain)
    if marker is None or marker in question:
        return question.strip()
    separator = "\n\n" if domain is Domain.CODE or has_options else " "  # " " as in VibeThinker's evaluation files
    return question.strip() + separator + instruction(domain, has_options=has_options, prompts=prompts)


def without_instruction(prompt: str, domain: Domain, *, has_options: bool = False, prompts: str = "default") -> str:
    """The question alone, when the prompt ends in the instruction of its domain."""
    return prompt.removesuffix(instruction(domain, has_options=has_options, prompts=prompts)).strip()


def instructions(prompts: str = "default") -> list[str]:
    """Every answer instruction: the boilerplate that the overlap gate must not match on."""
    return [load(domain.value, folder=prompts).strip() for domain in MARKERS]
