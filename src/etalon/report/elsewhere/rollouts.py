"""A trainer's rollouts as numbers: what is right, its groups, its steps; texts are read again for those that are shown.

files -> Seen, one a rollout -> Measure (which reward counts, and what of it is right) -> Period, one a step
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from etalon.errors import InputError
from etalon.report.elsewhere.reading import Kind, Written, read_written
from etalon.report.files import Step

VERL_RIGHT, VERL_SCORE = "acc", "score"  # what verl's reward functions call right, and what every dump has


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One rollout without its texts. group, prompt: digests; place: its file and its row there."""

    step: int
    group: bytes
    prompt: bytes
    rewards: Mapping[str, float]
    advantage: float | None
    characters: int
    tokens: int | None
    is_cut: bool | None
    place: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Log:
    """All rollouts of some files. columns: of numbers, in their order; notes: what was left out.

    has_tokens: of every rollout, so that a length is theirs; otherwise it is in characters.
    """

    kind: Kind
    files: tuple[Path, ...]
    columns: tuple[str, ...]
    seen: tuple[Seen, ...]
    notes: tuple[str, ...]
    has_tokens: bool

    @property
    def unit(self) -> str:
        return "tokens" if self.has_tokens else "characters"

    def length(self, one: Seen) -> int:
        """In that unit."""
        return one.tokens if self.has_tokens and one.tokens is not None else one.characters


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Which reward counts. columns: those that are added up; top: the value that is right; values: how many there are.

    learnt: the columns that the trainer learns from, which may say more than what is right: verl's score beside its acc
    is also lower for what is too long. at_top: the share of the decided rollouts that have the highest.
    """

    columns: tuple[str, ...]
    learnt: tuple[str, ...]
    top: float
    values: int
    at_top: float

    def reward(self, one: Seen) -> float | None:
        """None where no reward function could tell."""
        return _sum(one, self.columns)

    def learnt_from(self, one: Seen) -> float | None:
        """The reward that the trainer learns from."""
        return _sum(one, self.learnt)

    def is_right(self, one: Seen) -> bool | None:
        reward = self.reward(one)
        return None if reward is None else reward >= self.top


def _sum(one: Seen, columns: Sequence[str]) -> float | None:
    found = [one.rewards[name] for name in columns if name in one.rewards]
    return sum(found) if found else None


@dataclass(frozen=True, kw_only=True)
class Period:
    """Some steps, or one. Shares are of decided rollouts, and of groups of two or more; length: the mean.

    reward: the mean of what the trainer learns from; rewards: of each column. alike: the share of groups whose rewards
    are all the same, which have no advantage and teach nothing. accuracies: p(q) of each group.
    """

    first: int
    last: int
    rollouts: int
    undecided: int
    accuracy: float | None
    reward: float | None
    rewards: Mapping[str, float | None]
    length: float
    cut: float | None
    all_right: float | None
    all_wrong: float | None
    alike: float | None
    accuracies: tuple[float, ...]

    def as_step(self) -> Step:
        """As a line of our own metrics, which the charts of an RL phase show."""
        return Step.model_validate(
            {
                "step": self.first, "accuracy": self.accuracy, "mean_tokens": self.length, "truncated": self.cut,
                "undecided": self.undecided, "accuracies": list(self.accuracies),
            }
        )  # fmt: skip


def read_log(files: Sequence[Path]) -> Log:
    """Every rollout of these files; InputError where there is none, which says why of the first.

    A file whose rollouts are those of the one before it is left out: TRL writes one at every log, also where it has
    sampled nothing since.
    """
    seen: list[Seen] = []
    kinds: set[Kind] = set()
    columns: dict[str, None] = {}
    words: set[str] = set()
    bad: list[str] = []
    unread: list[str] = []
    before, num_again = b"", 0
    for at, file in enumerate(files):
        own: list[Seen] = []
        texts = blake2b()
        try:
            for place, (row, kind, told) in enumerate(read_written(file)):
                if kind is None or isinstance(told, str):
                    bad.append(f"{file}: {row.place}: {told}")
                    continue
                kinds.add(kind)
                columns |= dict.fromkeys(told.rewards)
                words |= told.words
                own.append(_seen(told, (at, place)))
                texts.update(f"{told.prompt}\0{told.text}\0{told.rewards}\0{told.advantage}".encode(errors="replace"))
        except InputError as error:
            unread.append(str(error))
        is_again = bool(own) and kinds == {"TRL"} and texts.digest() == before
        num_again += is_again
        seen += [] if is_again else own
        before = texts.digest()
    _check(files, seen, kinds, [*unread, *bad])
    notes = [f"{len(bad)} rows that cannot be read ({bad[0]})"] if bad else []
    notes += unread
    notes += [f"{num_again} files that repeat the rollouts of the one before"] if num_again else []
    return Log(
        kind=kinds.pop(),
        files=tuple(files),
        columns=tuple(name for name in columns if name not in words),
        seen=tuple(seen),
        notes=tuple(notes),
        has_tokens=all(one.tokens is not None for one in seen),
    )


def _check(files: Sequence[Path], seen: Sequence[Seen], kinds: set[Kind], why: Sequence[str]) -> None:
    if not seen:
        raise InputError(f"{why[0]}; there are no rollouts of TRL or verl" if why else f"{files[0]}: is empty")
    if len(kinds) > 1:
        raise InputError(f"{files[0].parent}: rows of TRL and of verl are mixed; name the directory of one of them")
    if not any(one.rewards for one in seen):
        raise InputError(f"{files[0]}: no row has a reward: a column of numbers beside step and advantage")


def _seen(told: Written, place: tuple[int, int]) -> Seen:
    return Seen(
        step=told.step,
        group=_digest(told.group),
        prompt=_digest(told.prompt),
        rewards=told.rewards,
        advantage=told.advantage,
        characters=len(told.text),
        tokens=told.length,
        is_cut=told.is_cut,
        place=place,
    )


def _digest(words: str) -> bytes:
    return blake2b(words.encode(errors="surrogatepass"), digest_size=12).digest()


def measure_of(log: Log, wanted: str = "") -> Measure:
    """What is right in a log: the highest value of one reward, or of the sum of all.

    wanted: the column that counts. Left out, it is verl's acc where it has one and its score otherwise; of several
    reward functions of TRL the first that has two values, as a verdict has, or their sum. InputError for a column that
    is not there. Where every rollout has the same reward, it is right when it is above 0.
    """
    if wanted and wanted not in log.columns:
        raise InputError(f"--reward {wanted}: no column of numbers has that name; there are {', '.join(log.columns)}")
    columns = (wanted,) if wanted else _columns(log)
    counts = _values(log, columns)
    highest = max(counts, default=0.0)
    top = highest if len(counts) > 1 or highest > 0 else highest + 1.0
    learnt = (VERL_SCORE,) if log.kind == "verl" and VERL_SCORE in log.columns else columns
    at_top = counts[top] / max(counts.total(), 1)
    return Measure(columns=columns, learnt=learnt, top=top, values=len(counts), at_top=at_top)


def _columns(log: Log) -> tuple[str, ...]:
    if log.kind == "verl":
        has_right = all(VERL_RIGHT in one.rewards for one in log.seen)
        return (VERL_RIGHT,) if has_right else (VERL_SCORE,) if VERL_SCORE in log.columns else log.columns[:1]
    verdicts = [name for name in log.columns if len(_values(log, (name,))) == 2]
    return tuple(verdicts[:1]) if len(log.columns) > 1 and verdicts else log.columns


def _values(log: Log, columns: tuple[str, ...]) -> Counter[float]:
    """How many rollouts have each reward."""
    return Counter(reward for one in log.seen if (reward := _sum(one, columns)) is not None)


def periods(log: Log, measure: Measure, *, num: int | None = None) -> list[Period]:
    """One for every step, or at most `num` of about as many steps each."""
    by_step: dict[int, list[Seen]] = {}
    for one in log.seen:
        by_step.setdefault(one.step, []).append(one)
    steps = sorted(by_step)
    size = 1 if num is None else -(-len(steps) // num)
    parts = [steps[start : start + size] for start in range(0, len(steps), size)]
    return [_period(log, measure, part, [one for step in part for one in by_step[step]]) for part in parts]


def _period(log: Log, measure: Measure, steps: Sequence[int], seen: Sequence[Seen]) -> Period:
    rewards = [reward for one in seen if (reward := measure.reward(one)) is not None]
    groups = groups_of(seen, measure)
    rates = [sum(bool(measure.is_right(one)) for one in group) / len(group) for group in groups]
    return Period(
        first=steps[0],
        last=steps[-1],
        rollouts=len(seen),
        undecided=len(seen) - len(rewards),
        accuracy=mean([reward >= measure.top for reward in rewards]),
        reward=mean([reward for one in seen if (reward := measure.learnt_from(one)) is not None]),
        rewards={name: mean([one.rewards[name] for one in seen if name in one.rewards]) for name in log.columns},
        length=sum(map(log.length, seen)) / len(seen),
        cut=mean([one.is_cut for one in seen if one.is_cut is not None]),
        all_right=mean([rate == 1.0 for rate in rates]),
        all_wrong=mean([rate == 0.0 for rate in rates]),
        alike=mean([_is_alike(group, measure) for group in groups]),
        accuracies=tuple(rates),
    )


def groups_of(seen: Sequence[Seen], measure: Measure) -> list[list[Seen]]:
    """The decided rollouts of each prompt at each step, where there are two at least."""
    found: dict[tuple[int, bytes], list[Seen]] = {}
    for one in seen:
        if measure.reward(one) is not None:
            found.setdefault((one.step, one.group), []).append(one)
    return [group for group in found.values() if len(group) > 1]


def _is_alike(group: Sequence[Seen], measure: Measure) -> bool:
    """A group without an advantage: the trainer's own word where the file has it, else that its rewards are one."""
    if all(one.advantage is not None for one in group):
        return all(one.advantage == 0 for one in group)
    return len({measure.learnt_from(one) for one in group}) == 1


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
