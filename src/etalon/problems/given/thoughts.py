"""A thought and an answer as one response, <think>THOUGHT</think>ANSWER, from whatever form a data set keeps them in.

    two columns, or a message with reasoning_content       joined
    "... </think> answer"                                  the opening tag that templates leave out is put back
    <|begin_of_thought|> ... <|begin_of_solution|> ...     OpenThoughts, Sky-T1
    <think>...</think><answer>...</answer>                 AM: the tags around the answer go

A response without a thought stays without one: of "reasoning off" rows nobody knows what was thought.
"""

from __future__ import annotations

import re

OPEN, CLOSE = "<think>", "</think>"
_THOUGHT = re.compile(r"<\|begin_of_thought\|>(.*?)<\|end_of_thought\|>", re.DOTALL)
_SOLUTION = re.compile(r"<\|begin_of_solution\|>|<\|end_of_solution\|>")
_ANSWER = re.compile(r"\A(\s*)<answer>(.*?)(?:</answer>)?(\s*)\Z", re.DOTALL)


def joined(thought: str, answer: str) -> str:
    """The response of a thought and an answer; the answer alone where nothing was thought."""
    thought = thought.strip().removeprefix(OPEN).removesuffix(CLOSE)
    if not thought.strip():
        return mended(answer)
    _, closed, rest = answer.partition(CLOSE)  # some sets repeat the thought before the answer
    return f"{OPEN}{thought}{CLOSE}{_untagged(rest if closed and thought.strip() in answer else answer)}"


def mended(response: str) -> str:
    """A response with the tags that we use, opened where it closes; in everything else as it is."""
    if "<|begin_of_thought|>" in response:
        response = _SOLUTION.sub("", _THOUGHT.sub(lambda found: f"{OPEN}{found[1]}{CLOSE}", response, count=1))
    before, closed, answer = response.partition(CLOSE)
    if not closed:
        return response
    return f"{before if OPEN in before else OPEN + before}{CLOSE}{_untagged(answer)}"


def _untagged(answer: str) -> str:
    """An answer without the tags that stand around all of it."""
    found = _ANSWER.match(answer)
    return f"{found[1]}{found[2].strip()}{found[3]}" if found and "<answer>" not in found[2] else answer
