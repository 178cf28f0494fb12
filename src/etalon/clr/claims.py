"""What the model is asked in the two stages of CLR, and how its claims are read (CLR paper, arXiv 2608.11994).

Stage 1 asks for the answer in \\boxed{} and M claims in a <claims> block at the end of the same response.
Stage 2 shows the question and the claims only: never the reasoning, never the answer.
The question is the last user message; stage 1 keeps the messages around it, stage 2 does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from etalon import prompts
from etalon.errors import InputError
from etalon.types import Conversation, ask
from etalon.verifiers.text import final_part

_PLACEHOLDER = re.compile(r"\{(question|m|claims|numbered_claims)\}")
_OPEN = r"<\s*claims\s*>"
_CLOSED_BLOCK = re.compile(rf"{_OPEN}((?:(?!{_OPEN}).)*?)<\s*/\s*claims\s*>", re.DOTALL | re.IGNORECASE)
_OPEN_BLOCK = re.compile(rf"{_OPEN}((?:(?!{_OPEN}).)*)\Z", re.DOTALL | re.IGNORECASE)
_MARKER = re.compile(
    r"""(?:[-*+•‣–—](?:\s+|$))?                                     # a bullet
        (?:\*{0,2}claim\s?\#?\s?\d+\*{0,2}\s?[.):–—-]\*{0,2}\s*      # "Claim 1:", "**Claim 2** -"
          |\*{0,2}c\d+\s?[.):]\*{0,2}\s+                            # "C1. "
          |\*{0,2}\d+\s*[.):]\*{0,2}(?:\s+|$)                     # "1. ", "2) ", "**3.** "
          |[(\[]\d+[)\]][.:]?\s+)?                                # "(1) ", "[2] "
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Templates:
    """The two prompts as texts with placeholders: {question} in both, {m}, and {claims} or {numbered_claims}."""

    generate: str
    verify: str


def load_templates(folder: str) -> Templates:
    """The prompts of a packaged folder ("default", "nano") or of a path; InputError when one cannot be used."""
    templates = Templates(generate=prompts.load("clr_generate", folder), verify=prompts.load("clr_verify", folder))
    shows_claims = "{claims}" in templates.verify or "{numbered_claims}" in templates.verify
    for name, template, is_complete in (
        ("clr_generate", templates.generate, True),
        ("clr_verify", templates.verify, shows_claims),
    ):
        if "{question}" not in template or not is_complete:
            needed = "{question}" if name == "clr_generate" else "{question} and {claims} or {numbered_claims}"
            raise InputError(f"prompts/{folder}/{name}.txt: a placeholder is missing; it needs {needed}")
    return templates


def question_of(conversation: Conversation) -> str | None:
    """The last user message, or None when there is none."""
    return next((message.content for message in reversed(conversation) if message.role == "user"), None)


def generation_conversation(conversation: Conversation, template: str, m: int) -> Conversation:
    """The conversation with its last user message wrapped in the stage-1 prompt; unchanged without a user message."""
    for position in range(len(conversation) - 1, -1, -1):
        message = conversation[position]
        if message.role == "user":
            asked = replace(message, content=_fill(template, message.content, m, ()))
            return (*conversation[:position], asked, *conversation[position + 1 :])
    return conversation


def verification_conversation(question: str, claims: Sequence[str], template: str) -> Conversation:
    """The stage-2 call: one user message made of the question and the claims, nothing else."""
    return ask(_fill(template, question, len(claims), claims))


def parse_claims(response: str, m: int) -> tuple[str, ...]:
    """The first `m` claims of a response in order, without numbering or bullets; fewer when fewer are there.

    Reads the last complete <claims> block after the last </think>, or one that the response left open. A line without
    a marker continues the claim above it when the block's first line has one.
    """
    final = final_part(response)
    closed = _CLOSED_BLOCK.findall(final)
    block = closed[-1] if closed else next(iter(_OPEN_BLOCK.findall(final)), "")
    return tuple(_split(block)[:m])


def without_claims(response: str) -> str:
    """The final part without its claim blocks: a claim that quotes \\boxed{} must not be taken for the answer."""
    return _OPEN_BLOCK.sub("", _CLOSED_BLOCK.sub("", final_part(response)))


def _split(block: str) -> list[str]:
    """The claims of a block: one per line, or one per marker when the lines are marked."""
    claims: list[str] = []
    is_marked = False
    for line in block.splitlines():
        text = line.strip()
        if not text or text.startswith("```"):
            continue
        marker = _MARKER.match(text)
        assert marker is not None  # every part of the pattern is optional
        if not claims:
            is_marked = marker.end() > 0
        if claims and is_marked and marker.end() == 0:
            claims[-1] = f"{claims[-1]} {text}".strip()
        else:
            claims.append(text[marker.end() :].strip())
    return [claim for claim in claims if claim]


def _fill(template: str, question: str, m: int, claims: Sequence[str]) -> str:
    """The template with its placeholders replaced in one pass: braces in the question or a claim stay as they are."""
    values = {
        "question": question,
        "m": str(m),
        "claims": "\n".join(claims),
        "numbered_claims": "\n".join(f"{number}. {claim}" for number, claim in enumerate(claims, start=1)),
    }
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)
