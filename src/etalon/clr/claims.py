"""What the model is asked in the two stages of CLR, and how its claims are read (CLR paper, arXiv 2608.11994).

Stage 1 asks for the answer in \\boxed{} and M claims in a <claims> block at the end of the same response.
Stage 2 shows the question and the claims only: never the reasoning, never the answer.
The question is the last user message, with the turns before it if there are any; a system message stays in place.
A response without a readable claim may be asked for its claims once more ("repair"): it sees its own final part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from etalon import prompts
from etalon.clr.replies import claim_texts, json_claims, json_reply
from etalon.errors import InputError
from etalon.types import Conversation, Message, ask
from etalon.verifiers.text import final_part, last_boxed

_OPEN = r"<\s*claims\s*>"
_CLOSED_BLOCK = re.compile(rf"{_OPEN}((?:(?!{_OPEN}).)*?)<\s*/\s*claims\s*>", re.DOTALL | re.IGNORECASE)
_OPEN_BLOCK = re.compile(rf"{_OPEN}((?:(?!{_OPEN}).)*)\Z", re.DOTALL | re.IGNORECASE)
_HEADING = re.compile(
    r"^[ \t]*(?:#+|\*\*)?[ \t]*(?:(?:key|main|decision-relevant)[ \t]+)?claims[ \t]*:?[ \t]*(?:\*\*)?[ \t]*:?[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
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
    """The prompts as texts with placeholders: {question} in the first two, {m}, {claims} or {numbered_claims}."""

    generate: str
    verify: str
    repair: str


def load_templates(folder: str) -> Templates:
    """The prompts of a packaged folder ("default", "nano") or of a path; InputError when one cannot be used."""
    generate, verify, repair = (prompts.load(f"clr_{name}", folder) for name in ("generate", "verify", "repair"))
    templates = Templates(generate=generate, verify=verify, repair=repair)
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
    """The last user message, after the turns before it when there are any; None without a user message."""
    turns = [message for message in conversation if message.role != "system"]
    while turns and turns[-1].role != "user":
        turns.pop()
    if len(turns) < 2:
        return turns[0].content if turns else None
    return "\n\n".join(f"{turn.role.capitalize()}: {turn.content}" for turn in turns)


def generation_conversation(conversation: Conversation, template: str, m: int) -> Conversation:
    """The conversation with its last user message wrapped in the stage-1 prompt; unchanged without a user message."""
    for position in range(len(conversation) - 1, -1, -1):
        message = conversation[position]
        if message.role == "user":
            asked = replace(message, content=_fill(template, message.content, m, ()))
            return (*conversation[:position], asked, *conversation[position + 1 :])
    return conversation


def verification_conversation(
    question: str, claims: Sequence[str], template: str, *, system: Conversation = ()
) -> Conversation:
    """The stage-2 call: one user message made of the question and the claims, after the system messages if any."""
    return (*system, *ask(_fill(template, question, len(claims), claims)))


def repair_conversation(conversation: Conversation, response: str, templates: Templates, m: int) -> Conversation:
    """The call that asks for missing claims: stage 1, the response's final part, and what it lacks."""
    asked = generation_conversation(conversation, templates.generate, m)
    given = Message(role="assistant", content=response)
    return (*asked, given, Message(role="user", content=_fill(templates.repair, "", m, ())))


def system_messages(conversation: Conversation) -> Conversation:
    """The system messages: they may switch a model's reasoning on, so the verifier gets them too."""
    return tuple(message for message in conversation if message.role == "system")


def parse_claims(response: str, m: int) -> tuple[str, ...]:
    """The first `m` claims of a response in order, without numbering or bullets; fewer when fewer are there.

    Reads the last complete <claims> block after the last </think>, or one that the response left open; without a
    block a JSON object with `claims`, or the list below a heading "Claims". A line without a marker continues the
    claim above it when the block's first line has one.
    """
    final = final_part(response)
    closed = _CLOSED_BLOCK.findall(final)
    block = closed[-1] if closed else next(iter(_OPEN_BLOCK.findall(final)), "")
    if not block and (reply := json_reply(final, "claims")):
        return claim_texts(reply["claims"])[:m]
    return (json_claims(block) or tuple(_split(block or _headed(final)[1])))[:m]


def without_claims(response: str) -> str:
    """The final part without its claim blocks: a claim that quotes \\boxed{} must not be taken for the answer."""
    final = final_part(response)
    if reply := json_reply(final, "claims"):
        answer, solution = reply.get("answer"), reply.get("solution")
        told = f"{solution}\n\n" if isinstance(solution, str) and solution else ""
        return f"{told}\\boxed{{{answer}}}" if isinstance(answer, str | int | float) else told
    bare = _OPEN_BLOCK.sub("", _CLOSED_BLOCK.sub("", final))
    above = _headed(bare)[0]
    return above if bare == final and last_boxed(above) else bare


def _headed(final: str) -> tuple[str, str]:
    """The text before the last heading "Claims" and the marked lines below it; without such lines all is text."""
    headings = list(_HEADING.finditer(final))
    if not headings:
        return final, ""
    below = final[headings[-1].end() :]
    first = next((line.strip() for line in below.splitlines() if line.strip()), "")
    marker = _MARKER.match(first)
    assert marker is not None  # every part of the pattern is optional
    return (final[: headings[-1].start()], below) if marker.end() > 0 else (final, "")


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
    listed = {"claims": "\n".join(claims), "numbered_claims": prompts.numbered(claims)}
    return prompts.filled(template, question=question, m=str(m), **listed)
