"""The nouns of the pipeline, in the order data moves. Standard library only.

    Problem -> Rollouts -> Verdicts -> Group -> { Credit -> RL step | Trace -> SFT row | Score -> Report }

`Sampler` and `Verifier` are the two extension points: a plain function is a `Verifier`, and any object
with `name` and `sample` is a `Sampler` (a local model, an endpoint, the nano teacher, CLR around another).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

ISOLATION_ENV = "ETALON_ISOLATION"  # environment variable: how programs run where no recipe or option says it


class Domain(StrEnum):
    """What kind of check decides a problem; `VERIFIERS` maps each to its verifier."""

    MATH = "math"
    CODE = "code"
    STEM = "stem"
    INSTRUCT = "instruct"
    CLAIMS = "claims"  # judge a list of claims: the second call of CLR (3.1; CLR)
    FACTS = "facts"  # recall of arbitrary facts (sections 1 and 4)


REASONING_DOMAINS = (Domain.MATH, Domain.CODE, Domain.STEM)


class Stop(StrEnum):
    """Why a rollout ended. `LENGTH` is truncation: neither right nor wrong, and always counted."""

    EOS = "eos"
    LENGTH = "length"
    ERROR = "error"


class Answers(StrEnum):
    """How responses state their answers (`verifiers.conventions`); BOXED is strict, the default."""

    BOXED = "boxed"
    LAST_LINE = "last-line"
    HASH = "hash"
    SENTENCE = "sentence"
    LETTER_SENTENCE = "letter-sentence"


@dataclass(frozen=True, kw_only=True)
class Message:
    role: str  # "system", "user" or "assistant"
    content: str


Conversation = tuple[Message, ...]


def ask(text: str, *, system: str = "") -> Conversation:
    """A one-turn conversation: an optional system message and the user's text."""
    user = Message(role="user", content=text)
    return (Message(role="system", content=system), user) if system else (user,)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One instruction constraint with the id and kwargs of the public IFEval / IFBench data sets."""

    id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One thing that a response does or does not do. weight: at most what it adds; below 0 what it costs."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One checkable query. Exactly the reference fields of its domain are set.

    prompt: the user message, complete (instructions about the answer format included).
    skill: sub-domain used for probing (algebra, geometry, ...); the domain's name when unknown.
    solutions: reference responses that came with the data (GSM8K rationales), never shown to a model.
    """

    id: str
    domain: Domain
    prompt: str
    answer: str | None = None  # math, facts: the reference; stem: the letter; claims: "1 0 1"
    options: Mapping[str, str] | None = None  # stem: letter -> content
    shuffle: bool = False  # stem: every sample is shown the options in an order of its own
    tests: Mapping[str, Any] | None = None  # code: {inputs, outputs, fn_name?, ...} or {assert_code}
    rules: tuple[Rule, ...] = ()  # instruct
    rubric: tuple[Criterion, ...] = ()  # instruct: criteria for a judge; with rules, both must be met
    skill: str = ""
    level: int = 0  # difficulty as the source states it; 0 is unknown
    source: str = ""
    solutions: tuple[str, ...] = ()
    date: str = ""  # when it became public: an ISO date, or date and time


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How to sample. Defaults are the RL setting (2.2): the model's own distribution, untouched."""

    temperature: float = 1.0  # 0 is greedy
    top_p: float = 1.0
    max_tokens: int | None = 1024  # None: whatever the model's window leaves
    stop: tuple[str, ...] = ()

    def most_tokens(self, left: int) -> int:
        """The longest response where `left` tokens of the window are left."""
        return left if self.max_tokens is None else min(self.max_tokens, left)


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """One sampled response.

    tokens, logprobs: ids of the response and their log-probabilities (nats, temperature 1, no top_p) when the
    sampler knows them; both have length `num_tokens`, the end-of-sequence token included.
    prompt_tokens: ids of the rendered prompt, when known.
    calls: model calls this rollout cost (1, or more for a sampler such as CLR that wraps another).
    detail: what a wrapping sampler wants to keep (claims, clusters); JSON values only.
    order: the problem's letters in the order in which this sample saw their contents, when that is not the problem's
        own: ("C", "A", "B") showed the content of C as option A. Scoring reads it; nothing is ever shuffled twice.
    seconds: wall time of its request, or of the batch it was decoded in; None where nobody measured.
    """

    problem_id: str = ""
    index: int
    text: str
    stop: Stop
    num_tokens: int
    tokens: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    prompt_tokens: tuple[int, ...] | None = None
    calls: int = 1
    error: str = ""
    detail: Mapping[str, Any] | None = None
    order: tuple[str, ...] | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of one check. `score` is in [0, 1]; None means undecided, and `reason` says why.

    Undecided (a bad reference, a crashed grader, a timeout of ours) is never counted as wrong.
    """

    score: float | None
    reason: str
    extracted: str | None = None
    seconds: float = 0.0

    @property
    def is_correct(self) -> bool:
        return self.score is not None and self.score >= 1.0

    @property
    def is_undecided(self) -> bool:
        return self.score is None

    @property
    def gave_none(self) -> bool:
        """The response ended by itself and holds no answer."""
        return self.reason.partition(":")[0] == "no_answer"


@dataclass(frozen=True, kw_only=True)
class Group:
    """All rollouts of one problem, with their verdicts in the same order."""

    problem: Problem
    rollouts: tuple[Rollout, ...]
    verdicts: tuple[Verdict, ...]

    def __post_init__(self) -> None:
        assert len(self.rollouts) == len(self.verdicts)

    @property
    def scores(self) -> list[float]:
        """Scores of the decided rollouts only."""
        return [v.score for v in self.verdicts if v.score is not None]

    @property
    def accuracy(self) -> float | None:
        """p(q): the share of decided rollouts that are fully correct; None when nothing was decided."""
        decided = [v.is_correct for v in self.verdicts if not v.is_undecided]
        return sum(decided) / len(decided) if decided else None


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A prompt with a response to learn from: one SFT row.

    error_rate: share of wrong attempts of a reference model on this query (difficulty), None if unmeasured.
    learning_potential: mean negative log-probability per token under the student (2.3), None if unmeasured.
    """

    problem_id: str
    domain: Domain
    prompt: str
    response: str
    num_tokens: int
    error_rate: float | None = None
    learning_potential: float | None = None
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Credit:
    """One scalar per rollout, and what it was made of. `advantage` already carries the weight."""

    advantage: float
    weight: float
    reward: float


class Sampler(Protocol):
    """Anything that answers conversations: a local model, an endpoint, a program, CLR around another."""

    @property
    def name(self) -> str: ...

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """Yield (index of the conversation, its n rollouts) as each is complete, in any order.

        Whose rollouts these are is not the sampler's business: `sampling.sample` fills in `problem_id`.
        A failed call is a rollout with `Stop.ERROR` and a reason, never an exception that loses the others.
        """
        ...


class Verifier(Protocol):
    """Decides one response. Must be callable from any thread, must end by a deadline, must not raise on input."""

    def __call__(self, problem: Problem, response: str) -> Verdict: ...
