"""A program of the user's own as a model: "FILE.py:NAME" or "package.module:NAME", a teacher, a judge, a reference.

    an object, or a class, with `sample`      a Sampler as it is
    a function (prompt, index, seed) -> text  asked once per sample; None or an exception is a failed call

prompt is what the user says last, index the number of the sample, seed a number of that sample's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

from etalon.config.plugins import bare, load_named
from etalon.errors import ConfigError, EtalonError
from etalon.sampling.single import gathered
from etalon.store import seed_from
from etalon.types import Conversation, Rollout, Sampler, SamplingParams, Stop

Program = Callable[[str, int, int], str | None]
MAX_REASON = 300  # (ours) characters of an exception


def program_named(name: str, *, key: str, together: int = 1) -> Sampler:
    """The sampler that named code is. ConfigError with `key` for code that is not there, or is neither form.

    together: calls of a function at the same time, each in a thread.
    """
    found = load_named(name, key=key)
    if isinstance(found, type) and hasattr(found, "sample"):
        found = found()
    if hasattr(found, "sample"):
        if not isinstance(getattr(found, "name", None), str):
            raise ConfigError(f"{key}: {name}: a sampler needs a text `name` beside `sample`")
        sampler: Sampler = found
        return sampler
    if not callable(found):
        raise ConfigError(f"{key}: {name}: is neither a function (prompt, index, seed) nor an object with `sample`")
    try:
        inspect.signature(found).bind("", 0, 0)
    except TypeError:
        raise ConfigError(f"{key}: {name}: does not take (prompt, index, seed)") from None
    except ValueError:  # a builtin without a signature
        pass
    return ProgramSampler(found, name=bare(name), together=together)


class ProgramSampler:
    """A `Sampler` over a function. Nobody counts its tokens: `num_tokens` is 0.

    together: threads that call it; with 1 it is called where the answers are read, one by one.
    """

    def __init__(self, program: Program, *, name: str, together: int = 1) -> None:
        self.program, self.name, self.together = program, name, together

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """n calls per conversation. params: a program has none."""
        asked = [(conversation, index) for conversation in conversations for index in range(n)]
        return gathered(self.sample_single(asked, params=params, seed=seed), n)

    def sample_single(
        self, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, Rollout]]:
        """Each sample alone, in order with one thread, as they come with more."""
        if self.together <= 1:
            yield from ((place, self._call(*one, seed)) for place, one in enumerate(asked))
            return
        waiting = enumerate(asked)
        under_way: dict[Future[Rollout], int] = {}
        with ThreadPoolExecutor(self.together, thread_name_prefix="program") as threads:
            try:
                while True:
                    for place, one in islice(waiting, self.together - len(under_way)):
                        under_way[threads.submit(self._call, *one, seed)] = place
                    if not under_way:
                        return
                    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                    for call in done:
                        yield under_way.pop(call), call.result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _call(self, conversation: Conversation, index: int, seed: int) -> Rollout:
        try:
            said = self.program(conversation[-1].content, index, seed_from([seed, index]))
        except EtalonError:  # for the user, who can mend it
            raise
        except (Exception, SystemExit) as error:
            return _failed(index, f"{type(error).__name__}: {error}"[:MAX_REASON])
        if said is None:
            return _failed(index, "the program gave no answer")
        if not isinstance(said, str):
            return _failed(index, f"the program gave a {type(said).__name__}, a text was expected")
        return Rollout(index=index, text=said, stop=Stop.EOS, num_tokens=0)


def _failed(index: int, error: str) -> Rollout:
    return Rollout(index=index, text="", stop=Stop.ERROR, num_tokens=0, error=error)
