"""The sentence that tells a model how to give its answer: one prompt file per domain, appended to the question."""

from __future__ import annotations

import re

from etalon.prompts import load
from etalon.types import Domain

# What a prompt that already says how to answer contains.
MARKERS = {Domain.MATH: r"\boxed", Domain.STEM: r"\boxed", Domain.CODE: "```python"}

# a block of code that a question shows, which asks for nothing
_SHOWN = re.compile(r"```python[ \t]*\n(?=\s*\S)(?!\s*#?\s*[<(\[]?your\b)[^`]*+```", re.IGNORECASE)


def instruction(domain: Domain, *, has_options: bool = False, prompts: str = "default") -> str:
    """The answer instruction of a domain, "" when it has none; a STEM question without options is asked like math."""
    if domain not in MARKERS:
        return ""
    asked_as = Domain.MATH if domain is Domain.STEM and not has_options else domain
    return load(asked_as.value, folder=prompts).strip()


def with_instruction(
    question: str,
    domain: Domain,
    *,
    has_options: bool = False,
    prompts: str = "default",
    name: str = "",
    starter: str = "",
) -> str:
    """The complete prompt: the question, and the instruction unless the question already says how to answer.

    name: the prompt file in place of the domain's; a template is filled in. starter: code to complete, which only
    a template has a place for.
    """
    question, marker = question.strip(), MARKERS.get(domain)
    is_own = name not in ("", domain)
    if marker and is_own and is_template(name, prompts=prompts):
        return _filled(load(f"{name}_starter" if starter else name, folder=prompts), question, starter)
    if marker is None or marker in (_SHOWN.sub("", question) if domain is Domain.CODE else question):
        return question
    if is_own:
        return f"{question}\n\n{load(name, folder=prompts).strip()}"
    told = instruction(domain, has_options=has_options, prompts=prompts)
    separator = "\n\n" if domain is Domain.CODE or has_options else " "  # " " as in VibeThinker's evaluation files
    return question + separator + told if told else question


def is_template(name: str, *, prompts: str = "default") -> bool:
    """Whether a prompt file stands around the question, at {question}, and not behind it.

    One for programs has a twin, NAME_starter, for problems with code to complete, at {starter}.
    """
    return "{question}" in load(name, folder=prompts)


def _filled(template: str, question: str, starter: str) -> str:
    before, _, after = template.partition("{question}")  # a question is not searched for marks
    return before + question + after.replace("{starter}", starter.rstrip())


def without_instruction(prompt: str, domain: Domain, *, has_options: bool = False, prompts: str = "default") -> str:
    """The question alone, when the prompt ends in the instruction of its domain."""
    return prompt.removesuffix(instruction(domain, has_options=has_options, prompts=prompts)).strip()


def instructions(prompts: str = "default") -> list[str]:
    """Every answer instruction: the boilerplate that the overlap gate must not match on."""
    return [text for domain in MARKERS if (text := load(domain.value, folder=prompts).strip())]
