"""Who judges the nano world's open-ended prompts: a program that reads a criterion and answers Yes or No.

It is asked as any judge is, through `judges.Judge`, so the path of a rubric is the same as with a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from etalon.types import Conversation, Rollout, SamplingParams, Stop

_PART = re.compile(r"<(?P<name>response|criterion)-(?P<mark>\w+)>\n(?P<text>.*?)\n</(?P=name)-(?P=mark)>", re.DOTALL)

# What the program understands: a sentence with a number or a word in it -> whether a response meets it
CRITERIA: Mapping[str, Callable[[str, str], bool]] = {
    r"says the word (\w+)": lambda response, word: word in response.lower().split(),
    r"has at least (\d+) words": lambda response, count: len(response.split()) >= int(count),
    r"has at most (\d+) words": lambda response, count: len(response.split()) <= int(count),
    r"says a word (\w+)": lambda response, how: _repeats(response) == (how == "twice"),
}


def _repeats(response: str) -> bool:
    words = response.lower().split()
    return len(set(words)) < len(words)


class NanoJudge:
    """A `Sampler` whose replies are verdicts on criteria; what it does not understand gets no verdict."""

    name = "nano-judge"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """One reply, n times: a program has no temperature."""
        for index, conversation in enumerate(conversations):
            text = reply(conversation[-1].content)
            yield index, tuple(
                Rollout(index=i, text=text, stop=Stop.EOS, num_tokens=len(text.split()))
                for i in range(n)
            )  # fmt: skip


def reply(prompt: str) -> str:
    """A reason and a last line of Yes or No, or an apology."""
    parts = {found["name"]: found["text"] for found in _PART.finditer(prompt)}
    for pattern, holds in CRITERIA.items():
        found = re.search(pattern, parts.get("criterion", ""))
        if found is not None:
            return "It does.\nYes" if holds(parts.get("response", ""), found[1]) else "It does not.\nNo"
    return "This criterion is beyond me."
