"""Calls of a teacher, a judge or a reference model that are paid once: `Remembered`, a Sampler around a Sampler.

    asked = [(conversation, index of the sample), ...]
    remembered.fill(asked, ...)            asks for what is not in the file; each answer is written as it comes
    remembered.rollout(conversation, ...)  the answer, read from the file

What was answered is never asked again with the same model, conversation, parameters, seed and index: after SIGKILL the
same calls end in the same answers, whatever order they came in. A call that failed is an answer, too, unless it is to
be tried again. Only offsets into the file are in memory, so a step may ask more than memory holds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from etalon.data.calls.kept import KeptCalls, Key, rollout_from_row, rollout_to_row
from etalon.data.step_reports import Calls
from etalon.errors import InputError, RunError
from etalon.sampling import Watch
from etalon.sampling.single import Ask, SingleSampler, gathered, prompt_hash, sample_singly
from etalon.store import stable_hash
from etalon.types import Conversation, Rollout, Sampler, SamplingParams, Stop

GIVE_UP = 64  # (ours) failed calls without a single answer after which nothing more is asked
CHECK_SECONDS = 1.0  # (ours) between two questions to a server whether it is still there


@runtime_checkable
class TellingSampler(Protocol):
    """A sampler of single samples that tells of each, in its own thread, before it asks for another."""

    on_sample: Callable[[int, Rollout], None] | None


class Remembered:
    """A sampler that keeps every answer in a file and asks for nothing twice. Token ids are not kept.

    name: what the model is called in data, default the sampler's.
    identity: what answers depend on beside what is asked (`sampling.source.identity_of`); default the name.
    retry_failed: ask again where a call failed before.
    watch: told (calls done, calls in all, {"tokens/s", "failed"}) while `fill` asks.
    Raises RunError where another process uses the file, the disk is full, the server is gone, or only failures come.
    """

    def __init__(
        self,
        sampler: Sampler,
        path: Path,
        *,
        name: str = "",
        identity: str = "",
        retry_failed: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self.inner, self.name = sampler, name or sampler.name
        self.watch = watch
        self._identity = identity or self.name
        self._again = "the same command asks again" if retry_failed else "ask again with --retry-failed"
        self._kept = KeptCalls(path, without_failed=retry_failed)
        self._counted: set[Key] = set()
        self._counts: Counter[str] = Counter()
        self._error = ""  # of the last call that failed
        self._checked = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._kept.close()

    @property
    def calls(self) -> Calls:
        """What was used of the model since this object is there: all answers, of which some were remembered."""
        return Calls(model=self.name, **self._counts)

    def fill(self, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int) -> None:
        """Ask for the samples (conversation, index) that are not kept yet.

        Raises RunError where not one of them has an answer then: what came is kept, failures as well.
        """
        keys = keys_of(self._identity, asked, params=params, seed=seed)
        wanted = set(keys)
        pace = _Pace(self.watch, done=sum(key in self._kept for key in wanted), total=len(wanted))
        for _, rollout in self._ask(keys, asked, params, seed):
            pace.came(rollout)
        if wanted and wanted <= self._kept.failed:
            self._read(keys[0])  # for the reason
            raise RunError(
                f"{self.name}: none of {len(wanted)} calls gave an answer (the last: {self._error}); failed calls are "
                f"kept in {self._kept.path}: mend the cause, then {self._again}"
            )

    def rollout(self, conversation: Conversation, index: int, *, params: SamplingParams, seed: int) -> Rollout:
        """The sample that `fill` has got. KeyError where it was not asked for."""
        (key,) = keys_of(self._identity, [(conversation, index)], params=params, seed=seed)
        return self._read(key)

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """As the inner sampler does, with what is kept first. Equal conversations get equal answers."""
        asked = [(conversation, index) for conversation in conversations for index in range(n)]
        return gathered(self.sample_single(asked, params=params, seed=seed), n)

    def sample_single(
        self, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, Rollout]]:
        """Yield (place among `asked`, its rollout): what is kept first, the rest as it comes."""
        keys = keys_of(self._identity, asked, params=params, seed=seed)
        waiting: dict[Key, list[int]] = {}
        for place, key in enumerate(keys):
            if key in self._kept:
                yield place, self._read(key)
            else:
                waiting.setdefault(key, []).append(place)
        for key, rollout in self._ask(keys, asked, params, seed):
            yield from ((place, rollout) for place in waiting[key])

    def _ask(
        self, keys: Sequence[Key], asked: Sequence[tuple[Conversation, int]], params: SamplingParams, seed: int
    ) -> Iterator[tuple[Key, Rollout]]:
        """Every call that is not kept, once it is. A sampler without single samples is kept conversation by
        conversation: what it gives depends on how many it is asked for."""
        places = {key: place for place, key in reversed([*enumerate(keys)]) if key not in self._kept}
        asks = [
            Ask(problem_id=keys[place][0], index=keys[place][1], conversation=asked[place][0])
            for place in sorted(places.values())
        ]
        together = Counter(ask.problem_id for ask in asks)
        is_single = isinstance(self.inner, SingleSampler)
        came: dict[str, list[Rollout]] = {}
        with self._keeping(asks), closing(sample_singly(self.inner, asks, params=params, seed=seed)) as stream:
            for place, rollout in stream:
                key = asks[place].problem_id
                came.setdefault(key, []).append(rollout)
                if is_single or len(came[key]) == together[key]:
                    yield from self._keep(key, came.pop(key))
        if missing := sum(key not in self._kept for key in places):
            raise RunError(
                f"{self.name}: said nothing at all to {missing} of {len(asks)} calls; a sampler owes each one"
            )

    @contextmanager
    def _keeping(self, asks: Sequence[Ask]) -> Iterator[None]:
        """Let a server's sampler write its answers itself, before it asks for more: a kill then loses the least."""
        model = self.inner
        if not isinstance(model, TellingSampler):
            yield
            return

        def keep(place: int, rollout: Rollout) -> None:
            if rollout.stop is not Stop.ERROR:
                self._kept.keep(asks[place].problem_id, [rollout], model=self.name)

        model.on_sample = keep
        try:
            yield
        finally:
            model.on_sample = None

    def _keep(self, key: str, rollouts: Sequence[Rollout]) -> Iterator[tuple[Key, Rollout]]:
        if any(rollout.stop is Stop.ERROR for rollout in rollouts):
            self._check()
        if (key, rollouts[0].index) not in self._kept:
            self._kept.keep(key, rollouts, model=self.name)
        for rollout in rollouts:
            self._count((key, rollout.index), rollout, "fresh")
            yield (key, rollout.index), rollout_from_row(rollout_to_row(rollout))  # as it will be read again
        if len(self._kept.failed) >= GIVE_UP and not self._kept.num_answered:
            raise RunError(
                f"{self.name}: the first {len(self._kept.failed)} calls all failed (the last: {self._error}); they are "
                f"kept in {self._kept.path}: mend the cause, then {self._again}"
            )

    def _read(self, key: Key) -> Rollout:
        rollout = self._kept.find(key)
        self._count(key, rollout, "remembered")
        return rollout

    def _count(self, key: Key, rollout: Rollout, how: str) -> None:
        has_failed = rollout.stop is Stop.ERROR
        self._error = rollout.error if has_failed else self._error
        if key in self._counted:
            return
        self._counted.add(key)
        self._counts["asked"] += 1
        self._counts["failed" if has_failed else "answered"] += 1
        self._counts["remembered"] += how == "remembered"
        self._counts["tokens"] += rollout.num_tokens
        self._counts["prompt_tokens"] += prompt_tokens_of(rollout)

    def _check(self) -> None:
        """RunError where a call failed because its server is gone: that is no answer to keep."""
        check = getattr(_innermost(self.inner), "check", None)
        if check is None or time.monotonic() - self._checked < CHECK_SECONDS:
            return
        try:
            check()
        except InputError as error:
            told = f"what it answered is kept in {self._kept.path}, and the same command asks for the rest"
            raise RunError(f"{self.name}: the server is gone: {error}; {told}") from None
        self._checked = time.monotonic()


def keys_of(
    identity: str, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int
) -> list[Key]:
    """Under what the answers to `asked` are kept."""
    found: dict[Conversation, str] = {}
    for conversation, _ in asked:
        if conversation not in found:
            found[conversation] = stable_hash([identity, prompt_hash(conversation), asdict(params), seed])
    return [(found[conversation], index) for conversation, index in asked]


def prompt_tokens_of(rollout: Rollout) -> int:
    """Tokens of the prompt; 0 where nobody told."""
    if rollout.prompt_tokens is not None:
        return len(rollout.prompt_tokens)
    told = (rollout.detail or {}).get("prompt_tokens")
    return told if isinstance(told, int) else 0


def _innermost(sampler: Any) -> Any:
    inner = getattr(sampler, "inner", None)
    return sampler if inner is None else _innermost(inner)


class _Pace:
    """Tells how many calls are done and how fast tokens come."""

    def __init__(self, watch: Watch | None, *, done: int, total: int) -> None:
        self._watch, self._done, self._total = watch, done, total
        self._tokens = self._failed = 0
        self._started = time.monotonic()
        self._tell({})

    def came(self, rollout: Rollout) -> None:
        self._done += 1
        self._tokens += rollout.num_tokens
        self._failed += rollout.stop is Stop.ERROR
        numbers: dict[str, float] = {"failed": self._failed} if self._failed else {}
        if self._tokens:
            numbers["tokens/s"] = round(self._tokens / max(1e-3, time.monotonic() - self._started))
        self._tell(numbers)

    def _tell(self, numbers: Mapping[str, float]) -> None:
        if self._watch:
            self._watch(self._done, self._total, numbers)
