"""`Judge`: a sampler that answers Yes or No questions, in batches, with a second try and a memory.

    prompt file with {name} + texts -> each text between tags with a mark of its own -> prompt
    prompts not remembered -> one batch at temperature 0 -> unreadable or failed ones again -> Verdicts
    reply -> its last line, exactly Yes or No -> True, False or None

The texts under judgement are written by the model that is being trained, and it will find what makes a judge say Yes.
So a text cannot close its own tags (their mark is a hash of the texts), cannot start a new turn (chat tokens are
broken up), and cannot be read as the verdict when the judge quotes it (only the last line counts, whole).

A judge never turns its own failure into a wrong answer: what it cannot decide is undecided, and says why.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from etalon import prompts
from etalon.types import Rollout, Sampler, SamplingParams, Stop, Verdict, ask
from etalon.verifiers.memo import Memo

ATTEMPTS = 2  # (ours)
PARAMS = SamplingParams(temperature=0.0, max_tokens=4096)
RETRY_TEMPERATURE = 0.6  # (ours) at 0 a model would say the same unreadable thing again
REMEMBERED = 10_000  # (ours)

_YES_NO = re.compile(r"[\s*_`\"'.]*(yes|no)[\s*_`\"'.!]*", re.IGNORECASE)
_PLACE = re.compile(r"\{(\w+)\}")
_CHAT_TOKEN = re.compile(
    r"<(?=[|｜][^<>\n]{1,60}[|｜]>)|<(?=/?(?:s|bos|eos|think|start_of_turn|end_of_turn)>)|\[(?=/?(?:INST|SYS)\])",
    re.IGNORECASE,
)


def fill(template: str, texts: Mapping[str, str]) -> str:
    """The template with each `{name}` replaced by its text between tags, in one pass: braces in texts stay as they are.

    `{mark}` becomes what the tags end in, so that the template can say how the texts are told from the instructions.
    """
    mark = hashlib.sha256(
        "\0".join(f"{name}\0{text}" for name, text in texts.items()).encode(errors="replace")
    ).hexdigest()[:12]
    marked = {name: f"<{name}-{mark}>\n{defused(text)}\n</{name}-{mark}>" for name, text in texts.items()}
    return _PLACE.sub(lambda found: (marked | {"mark": mark}).get(found[1], found[0]), template)


def defused(text: str) -> str:
    """The text with its chat tokens broken up: `<|im_end|>` would end the user's turn for some tokenizers."""
    return _CHAT_TOKEN.sub(lambda found: f"{found[0]} ", text)


def read_yes_no(reply: str) -> bool | None:
    """The last line that is not blank, after any reasoning, as Yes or No; None when it is anything else.

    A line above it never counts, so a verdict that was quoted, or withdrawn, is not taken. Only a line feed ends a
    line: a quoted text can hold other separators.
    """
    _, _, said = reply.rpartition("</think>")
    lines = [line for line in said.split("\n") if line.strip()]
    if not lines or said.lstrip().startswith("<think>"):
        return None
    found = _YES_NO.fullmatch(lines[-1])
    return found[1].lower() == "yes" if found else None


@dataclass
class JudgeUsage:
    """What a judge was asked and what that cost. Questions from memory cost nothing and are not counted again."""

    questions: int = 0
    undecided: int = 0
    calls: int = 0
    tokens: int = 0  # of its replies
    seconds: float = 0.0
    looked_twice: int = 0
    agreed: int = 0  # of those, with the same verdict

    def __add__(self, other: JudgeUsage) -> JudgeUsage:
        """Of two judges that share the work of one."""
        mine, theirs = asdict(self), asdict(other)
        return JudgeUsage(**{name: mine[name] + theirs[name] for name in mine})

    def record(self) -> dict[str, float | int | None]:
        """As JSON values; agreement is the share of second looks that said the same, None without any."""
        agreement = self.agreed / self.looked_twice if self.looked_twice else None
        return {**asdict(self), "seconds": round(self.seconds, 2), "agreement": agreement}


class Judge:
    """Questions to one sampler. Safe to call from any thread; calls to the sampler are made one after the other.

    Args:
        folder: prompt files, a packaged folder's name or a path.
        remember: decided replies kept, by the sampler's name and the prompt's hash; 0 keeps none.
        second_looks: share of the decided questions that is asked twice, to see whether the judge agrees with itself.
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
        second_looks: float = 0.0,
    ) -> None:
        self.sampler = sampler
        self.folder = folder
        self.seed = seed
        self.attempts = attempts
        self.params = params
        self.second_looks = second_looks
        self.usage = JudgeUsage()
        self._memory: Memo[Verdict] = Memo(remember)
        self._lock = threading.Lock()

    def decide(self, prompt: str, texts: Sequence[Mapping[str, str]]) -> list[Verdict]:
        """One verdict per set of texts for the prompt file `prompt`: 1.0 is Yes, 0.0 is No, in order."""
        template = prompts.load(prompt, self.folder)
        asked = [fill(template, one) for one in texts]
        with self._lock:
            found = {text: known for text in asked if (known := self._memory.get(self._key(text)))}
            fresh = self._ask(list(dict.fromkeys(text for text in asked if text not in found)))
            self._ask_again(fresh)
        found |= fresh
        return [found[text] for text in asked]

    def _ask(self, asked: Sequence[str]) -> dict[str, Verdict]:
        found = dict.fromkeys(asked, Verdict(score=None, reason="judge_unreachable: no reply"))
        for attempt in range(self.attempts):
            open_ = [text for text in asked if found[text].is_undecided]
            if not open_:
                break
            params = self.params if attempt == 0 else replace(self.params, temperature=RETRY_TEMPERATURE)
            for text, verdict in self._replies(open_, params, self.seed + attempt).items():
                found[text] = verdict
        for text, verdict in found.items():
            if not verdict.is_undecided:
                self._memory.put(self._key(text), verdict)
        self.usage.questions += len(found)
        self.usage.undecided += sum(verdict.is_undecided for verdict in found.values())
        return found

    def _replies(self, asked: Sequence[str], params: SamplingParams, seed: int) -> dict[str, Verdict]:
        started = time.perf_counter()
        found = {}
        conversations = [ask(text) for text in asked]
        for index, rollouts in self.sampler.sample(conversations, n=1, params=params, seed=seed):
            found[asked[index]] = read_reply(rollouts[0])
            self.usage.calls += 1
            self.usage.tokens += rollouts[0].num_tokens
        self.usage.seconds += time.perf_counter() - started
        return found

    def _ask_again(self, decided: Mapping[str, Verdict]) -> None:
        """Some decided questions once more, with another seed, at a temperature: how far the judge agrees with itself.

        Which ones depends on their text alone. The second reply changes no verdict.
        """
        if not self.second_looks:
            return
        chosen = [
            text
            for text, verdict in decided.items()
            if not verdict.is_undecided and int(self._key(text)[1][:8], 16) < self.second_looks * 2**32
        ]
        if not chosen:
            return
        params = replace(self.params, temperature=RETRY_TEMPERATURE)
        for text, verdict in self._replies(chosen, params, self.seed + self.attempts).items():
            if not verdict.is_undecided:
                self.usage.looked_twice += 1
                self.usage.agreed += verdict.score == decided[text].score

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


def query_quality_judge(sampler: Sampler, *, query: str, seed: int = 0, folder: str = "default") -> Verdict:
    """1.0 when the judge finds the query fit for training and testing, else 0.0; undecided when it does not say.

    Fit is complete, reasonable, valid, and able to test something (2.1.1).
    """
    return judge_queries(Judge(sampler, folder=folder, seed=seed), [query])[0]


def judge_queries(judge: Judge, queries: Sequence[str]) -> list[Verdict]:
    """`query_quality_judge` for many, in one batch."""
    return judge.decide("judge_query_quality", [{"query": query} for query in queries])


def judge_traces(judge: Judge, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
    """For each (question, response): 1.0 when the judge finds the reasoning fit to learn from, else 0.0, in one batch.

    It is asked for what rules cannot see: whether the reasoning is of this question, holds together and carries its
    answer (2.1.1 step 4). Prose without a last line of Yes or No is undecided.
    """
    return judge.decide("judge_trace", [{"question": question, "response": text} for question, text in pairs])
