"""`Judge`: a sampler that answers Yes or No questions, in batches, with a second try and a memory.

    prompts not remembered -> one batch at temperature 0 -> unreadable or failed ones again -> Verdicts

A judge never turns its own failure into a wrong answer: what it cannot decide is undecided, and says why.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from etalon import prompts
from etalon.types import Rollout, Sampler, SamplingParams, Stop, Verdict, ask
from etalon.verifiers.judges.contract import fill, read_yes_no
from etalon.verifiers.memo import Memo

ATTEMPTS = 2  # (ours)
PARAMS = SamplingParams(temperature=0.0, max_tokens=4096)
RETRY_TEMPERATURE = 0.6  # (ours) at 0 a model would say the same unreadable thing again
REMEMBERED = 10_000  # (ours)


class Judge:
    """Questions to one sampler. Safe to call from any thread; calls to the sampler are made one after the other.

    Args:
        folder: prompt files, a packaged folder's name or a path.
        remember: decided replies kept, by the sampler's name and the prompt's hash; 0 keeps none.
    """

    def __init__(
        self,
        sampler: Sampler,
        *,
        folder: str = "default",
        seed: int = 0,
        attempts: int = ATTEMPTS,
        params: SamplingParams = PARAMS,
        remember: int = REMEMBERED,
    ) -> None:
        self.sampler = sampler
        self.folder = folder
        self.seed = seed
        self.attempts = attempts
        self.params = params
        self._memory: Memo[Verdict] = Memo(remember)
        self._lock = threading.Lock()

    def decide(self, prompt: str, texts: Sequence[Mapping[str, str]]) -> list[Verdict]:
        """One verdict per set of texts for the prompt file `prompt`: 1.0 is Yes, 0.0 is No, in order."""
        template = prompts.load(prompt, self.folder)
        asked = [fill(template, one) for one in texts]
        with self._lock:
            found = {text: known for text in asked if (known := self._memory.get(self._key(text)))}
            found |= self._ask(list(dict.fromkeys(text for text in asked if text not in found)))
        return [found[text] for text in asked]

    def _ask(self, asked: Sequence[str]) -> dict[str, Verdict]:
        found = dict.fromkeys(asked, Verdict(score=None, reason="judge_unreachable: no reply"))
        for attempt in range(self.attempts):
            open_ = [text for text in asked if found[text].is_undecided]
            if not open_:
                break
            params = self.params if attempt == 0 else replace(self.params, temperature=RETRY_TEMPERATURE)
            conversations = [ask(text) for text in open_]
            for index, rollouts in self.sampler.sample(conversations, n=1, params=params, seed=self.seed + attempt):
                found[open_[index]] = read_reply(rollouts[0])
        for text, verdict in found.items():
            if not verdict.is_undecided:
                self._memory.put(self._key(text), verdict)
        return found

    def _key(self, text: str) -> tuple[str, str]:
        return self.sampler.name, hashlib.sha256(text.encode(errors="replace")).hexdigest()


def read_reply(rollout: Rollout) -> Verdict:
    """The verdict in a judge's reply; a failed call, a cut reply and one without Yes or No are undecided."""
    if rollout.stop is Stop.ERROR:
        return Verdict(score=None, reason=f"judge_unreachable: {rollout.error}")
    is_yes = None if rollout.stop is Stop.LENGTH else read_yes_no(rollout.text)
    if is_yes is None:
        return Verdict(score=None, reason="judge_unreadable")
    return Verdict(score=float(is_yes), reason="judge", extracted="Yes" if is_yes else "No")
