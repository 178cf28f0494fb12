"""A language model as judge, through any Sampler: are two answers equivalent, is a query usable?

    prompt file + texts -> one sample at temperature 0 -> strict Yes or No -> Verdict

The last line of the final part must be Yes or No. An unreadable reply is asked for once more, then it is undecided;
so is a failed call. A judge never turns its own failure into a wrong answer.
"""

from __future__ import annotations

import re

from etalon import prompts
from etalon.types import Sampler, SamplingParams, Stop, Verdict, ask
from etalon.verifiers.text import final_part

ATTEMPTS = 2
PARAMS = SamplingParams(temperature=0.0, max_tokens=4096)

_YES_NO = re.compile(r"\W*(yes|no)\W*", re.IGNORECASE)


def equivalence_judge(
    sampler: Sampler, *, question: str, reference: str, answer: str, seed: int = 0, folder: str = "default"
) -> Verdict:
    """1.0 when the judge says that `answer` means the same as `reference`, 0.0 when it denies it."""
    texts = {"question": question, "reference": reference, "answer": answer}
    return _judge(sampler, "judge_equivalence", texts, seed=seed, folder=folder)


def query_quality_judge(sampler: Sampler, *, query: str, seed: int = 0, folder: str = "default") -> Verdict:
    """1.0 when the judge finds the query complete, reasonable and able to test something (2.1.1), else 0.0."""
    return _judge(sampler, "judge_query_quality", {"query": query}, seed=seed, folder=folder)


def _judge(sampler: Sampler, name: str, texts: dict[str, str], *, seed: int, folder: str) -> Verdict:
    prompt = fill(prompts.load(name, folder), texts)
    reason = "judge_unreachable: no reply"
    for attempt in range(ATTEMPTS):
        for _, rollouts in sampler.sample([ask(prompt)], n=1, params=PARAMS, seed=seed + attempt):
            rollout = rollouts[0]
            if rollout.stop is Stop.ERROR:
                reason = f"judge_unreachable: {rollout.error}"
                continue
            is_yes = read_yes_no(rollout.text)
            if is_yes is not None:
                return Verdict(score=float(is_yes), reason="judge", extracted="Yes" if is_yes else "No")
            reason = "judge_unreadable"
    return Verdict(score=None, reason=reason)


def fill(template: str, texts: dict[str, str]) -> str:
    """The template with each `{name}` replaced, in one pass: braces inside the texts stay as they are."""
    return re.sub(r"\{(\w+)\}", lambda found: texts.get(found[1], found[0]), template)


def read_yes_no(reply: str) -> bool | None:
    """The last non-blank line of the final part as Yes or No; None when it is anything else."""
    lines = [line for line in final_part(reply).splitlines() if line.strip()]
    found = _YES_NO.fullmatch(lines[-1]) if lines else None
    return found[1].lower() == "yes" if found else None
