"""The in-process sampler: shared prefill per group, rows that finish are compacted away, log-probs included.

conversations -> prompts of similar length together -> prefill -> decode until every row ended -> Rollouts
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from etalon.errors import ConfigError
from etalon.model.crew import Crew, Held
from etalon.model.loader import LanguageModel
from etalon.model.memory import memory_bytes
from etalon.sampling.decoder import Decoder
from etalon.sampling.draws import Draws, choose, stream_key
from etalon.types import Conversation, Rollout, SamplingParams, Stop

MAX_ROWS = 512  # (ours) rollouts decoded together on a CPU, if the cache fits
CPU_SHARE = 0.1  # (ours) share of the machine's memory that one sampler's cache may take
CUDA_ROWS = 4096  # (ours) and on a GPU, where a step costs its launches whatever the rows, if the cache fits
CUDA_SHARE = 0.25  # (ours) share of a GPU's memory that one sampler's cache may take: several processes use the card
SMALL_ROWS = 128  # (ours) rollouts decoded together of a model so small that helpers share them, with or without any
DECODER = "decoder"  # under which a process of a crew keeps its decoder
SINGLE_ROWS = 128  # (ours) single samples decoded together
COMPACT_BELOW = 0.8  # (ours) share of live rows under which the cache is compacted
CUDA_LOOK = 8  # (ours) steps between looks at which rows live on a GPU: each look waits for it


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """One finished row: response ids (end token included) and their log-probs."""

    tokens: list[int]
    logprobs: list[float]
    stop: Stop


class LocalSampler:
    """A `Sampler` over a model in this process (Qwen2, Qwen3, Llama; CPU or one GPU)."""

    def __init__(
        self, language_model: LanguageModel, *, name: str = "local", max_rows: int | None = None,
        crew: Crew | None = None,
    ) -> None:  # fmt: skip
        """crew: who shares the batches of `sample`; None is this process alone."""
        self.language_model = language_model
        self.crew = crew
        self.name = name
        self.max_rows = max_rows
        self.decoder = Decoder(language_model.model, _dtype(language_model))
        self.watch: Callable[[int], None] | None = None  # told of the tokens of every step
        self.together = SINGLE_ROWS  # single samples under way at once, where memory allows
        self._lock = threading.Lock()  # the decoder holds one batch at a time

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """Yield each conversation's n rollouts; prompts longer than the window come back as `Stop.ERROR`."""
        prompts = [self.language_model.render(c) for c in conversations]
        window = self.language_model.window
        for index, prompt in enumerate(prompts):
            if not prompt or len(prompt) >= window:
                error = f"the prompt has {len(prompt)} tokens, the model's window is {window}"
                yield index, tuple(_failed(i, error) for i in range(n))
        usable = [i for i, p in enumerate(prompts) if p and len(p) < window]
        usable.sort(key=lambda i: (len(prompts[i]), i))  # similar lengths together: little padding
        longest = max((len(prompts[i]) for i in usable), default=0)
        most = self._rows(params, longest, shared_by=n)
        per_batch = max(1, most // n)
        batches = [
            (usable[start : start + per_batch], range(first, min(first + most, n)))
            for start in range(0, len(usable), per_batch)
            for first in range(0, n, most)  # one prompt's rollouts, where memory does not hold all of them
        ]
        decoded = self._decoded([([prompts[i] for i in batch], own, params, seed) for batch, own in batches])
        found: dict[int, list[Decoded]] = {}
        for (batch, own), rows in zip(batches, decoded, strict=True):
            for position, index in enumerate(batch):
                found.setdefault(index, []).extend(rows[position * len(own) : (position + 1) * len(own)])
                if own.stop == n:
                    done = enumerate(found.pop(index))
                    yield index, tuple(self._rollout(i, row, prompts[index]) for i, row in done)

    def _decoded(self, asked: Sequence[tuple[list[list[int]], range, SamplingParams, int]]) -> Iterator[list[Decoded]]:
        """The rows of every batch (prompts, indices of the rollouts of each, params, seed), in order."""
        if self.crew is not None and self.crew.size > 1:
            with self._lock:
                found = list(self.crew.map(decode_batch, asked))
            yield from found
            return
        for prompts, own, params, seed in asked:
            draws = Draws(prompts, own, seed)
            with self._lock:
                rows = decode(prompts, len(own), self.language_model, self.decoder, params, draws)
            yield rows

    def sample_single(
        self, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, Rollout]]:
        """Yield each sample (conversation, index): the rollout that `sample` gives at that index.

        Samples of one conversation share its prefill; a batch has SINGLE_ROWS rows at most, so that a killed run
        loses little.
        """
        window = self.language_model.window
        places: dict[Conversation, list[int]] = {}
        for place, (conversation, _) in enumerate(asked):
            places.setdefault(conversation, []).append(place)
        prompts = {conversation: self.language_model.render(conversation) for conversation in places}
        by_count: dict[int, list[tuple[list[int], list[int]]]] = {}
        for conversation, own in places.items():
            prompt = prompts[conversation]
            if not prompt or len(prompt) >= window:
                error = f"the prompt has {len(prompt)} tokens, the model's window is {window}"
                yield from ((place, _failed(asked[place][1], error)) for place in own)
                continue
            for start in range(0, len(own), SINGLE_ROWS):
                part = own[start : start + SINGLE_ROWS]
                by_count.setdefault(len(part), []).append((prompt, part))
        for count, members in by_count.items():
            members.sort(key=lambda one: (len(one[0]), one[1]))
            per_batch = max(1, min(SINGLE_ROWS, self._rows(params, len(members[-1][0]), shared_by=count)) // count)
            for start in range(0, len(members), per_batch):
                yield from self._single_batch(members[start : start + per_batch], asked, params, seed)

    def _single_batch(
        self,
        members: Sequence[tuple[list[int], list[int]]],
        asked: Sequence[tuple[Conversation, int]],
        params: SamplingParams,
        seed: int,
    ) -> Iterator[tuple[int, Rollout]]:
        """Samples of several prompts, as many of each."""
        count, prompts = len(members[0][1]), [prompt for prompt, _ in members]
        keys = [stream_key(seed, prompt, asked[place][1]) for prompt, own in members for place in own]
        started = time.monotonic()
        with self._lock:
            rows = decode(
                prompts, count, self.language_model, self.decoder, params, Draws.of_keys(keys), watch=self.watch
            )
        seconds = time.monotonic() - started
        flat = [(place, prompt) for prompt, own in members for place in own]
        for (place, prompt), row in zip(flat, rows, strict=True):
            yield place, replace(self._rollout(asked[place][1], row, prompt), seconds=seconds)

    def sample_each(
        self, conversations: Sequence[Conversation], *, params: SamplingParams, seeds: Sequence[int]
    ) -> list[Rollout]:
        """One rollout per conversation, in order; each depends on its conversation and its own seed only."""
        prompts = [self.language_model.render(c) for c in conversations]
        window = self.language_model.window
        found = {
            i: _failed(0, f"the prompt has {len(p)} tokens, the model's window is {window}")
            for i, p in enumerate(prompts)
            if not p or len(p) >= window
        }
        usable = sorted((i for i in range(len(prompts)) if i not in found), key=lambda i: (len(prompts[i]), i))
        max_rows = self._rows(params, max((len(prompts[i]) for i in usable), default=0))
        for start in range(0, len(usable), max_rows):
            batch = usable[start : start + max_rows]
            own = [prompts[i] for i in batch]
            draws = Draws.of_keys([stream_key(seeds[i], prompts[i], 0) for i in batch])
            with self._lock:
                rows = decode(own, 1, self.language_model, self.decoder, params, draws)
            found |= {i: self._rollout(0, row, prompts[i]) for i, row in zip(batch, rows, strict=True)}
        return [found[i] for i in range(len(prompts))]

    def _rows(self, params: SamplingParams, longest: int, *, shared_by: int = 1) -> int:
        """Rollouts decoded together after prompts of at most `longest` tokens: what memory holds at full length.

        shared_by: rollouts of each prompt, which hold it together where prompts are large.
        """
        if self.max_rows is not None:
            return self.max_rows
        device = self.language_model.device
        columns = longest + params.most_tokens(self.language_model.window - longest)
        is_shared = self.decoder.is_shared(longest, MAX_ROWS // shared_by, shared_by)
        per_row = self.decoder.bytes_per_row(longest, columns, shared_by=shared_by if is_shared else 1)
        if device.type != "cuda":
            most = SMALL_ROWS if self.crew is not None and self.crew.is_small else MAX_ROWS
            return max(1, min(most, int(CPU_SHARE * memory_bytes() / per_row)))
        memory = torch.cuda.get_device_properties(device).total_memory
        return max(1, min(CUDA_ROWS, int(CUDA_SHARE * memory / per_row)))

    def _rollout(self, index: int, row: Decoded, prompt: list[int]) -> Rollout:
        is_closed = row.tokens and row.tokens[-1] in self.language_model.end_tokens
        visible = row.tokens[:-1] if is_closed else row.tokens
        return Rollout(
            index=index,
            text=self.language_model.decode(visible),
            stop=row.stop,
            num_tokens=len(row.tokens),
            tokens=tuple(row.tokens),
            logprobs=tuple(row.logprobs),
            prompt_tokens=tuple(prompt),
        )


def _failed(index: int, error: str) -> Rollout:
    return Rollout(index=index, text="", stop=Stop.ERROR, num_tokens=0, error=error)


def decode_batch(held: Held, prompts: list[list[int]], own: range, params: SamplingParams, seed: int) -> list[Decoded]:
    """`decode` in any process of a crew."""
    language_model = held.language_model
    if DECODER not in held.memo:
        held.memo[DECODER] = Decoder(language_model.model, _dtype(language_model))
    return decode(prompts, len(own), language_model, held.memo[DECODER], params, Draws(prompts, own, seed))


def _dtype(language_model: LanguageModel) -> torch.dtype:
    """Of matrix products and the cache."""
    return torch.bfloat16 if language_model.autocast == "bf16" else torch.float32


@torch.no_grad()
def decode(
    prompts: list[list[int]],
    n: int,
    language_model: LanguageModel,
    decoder: Decoder,
    params: SamplingParams,
    draws: Draws,
    *,
    watch: Callable[[int], None] | None = None,
) -> list[Decoded]:
    """Decode n rows per prompt, prompt by prompt in the result. watch: told how many tokens a step has given."""
    batch = Decoding(prompts, n, language_model, params, draws)
    logits = decoder.prefill(prompts, n)
    for _ in range(batch.most_steps):
        token_R = batch.step(logits)
        live = batch.count()
        if watch is not None:
            watch(len(token_R))
        if live == 0:
            break
        if live < COMPACT_BELOW * len(token_R):
            kept = batch.compact()
            decoder.keep(kept)
            token_R = token_R[kept]
        logits = decoder.step(token_R)
    decoder.release()
    return batch.finish()


class Decoding:
    """Rows that are decoded together, numbered once. R are those that the decoder holds.

    row_R: their numbers. live_R: which of them go on. On a GPU rows that ended between two looks are decoded on, and
    what they draw is dropped.
    """

    def __init__(
        self, prompts: list[list[int]], n: int, language_model: LanguageModel, params: SamplingParams, draws: Draws
    ) -> None:
        device = language_model.device
        rooms = [params.most_tokens(language_model.window - len(p)) for p in prompts for _ in range(n)]
        self.most_steps = max(rooms)
        self._shortest, self._rooms = min(rooms), torch.tensor(rooms, device=device)
        self._params, self._draws = params, draws
        self._ends, self._num_ids = language_model.end_tokens, language_model.num_ids
        self._stop_strings = StopStrings(params.stop, language_model)
        self._look = CUDA_LOOK if device.type == "cuda" else 1
        self._steps: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []  # row or -1, token, log-prob
        self.row_R = torch.arange(len(rooms), device=device)
        self.live_R = torch.ones(len(rooms), dtype=torch.bool, device=device)

    def step(self, logits_RV: torch.Tensor) -> torch.Tensor:
        """Draw the next token of every row; rows that end with it are live no more."""
        uniform_R = self._draws.at(len(self._steps), self.row_R)
        token_R, logprob_R = choose(logits_RV, self._params, uniform_R, num_ids=self._num_ids)
        row_R = torch.where(self.live_R, self.row_R, -1)
        self._steps.append((row_R, token_R, logprob_R))
        for end in self._ends:
            self.live_R = self.live_R & (token_R != end)
        if len(self._steps) >= self._shortest:
            self.live_R = self.live_R & (self._rooms[self.row_R] > len(self._steps))
        if self._params.stop:
            self.live_R = self.live_R & ~self._stop_strings.hit(row_R, token_R)
        return token_R

    def count(self) -> int:
        """How many rows are live, as far as the last look at the device told."""
        return int(self.live_R.sum()) if len(self._steps) % self._look == 0 else len(self.live_R)

    def compact(self) -> torch.Tensor:
        """Forget the rows that ended; the positions, among those there were, of the rows that stay."""
        kept = torch.nonzero(self.live_R).squeeze(1)
        self.row_R = self.row_R[kept]
        self.live_R = torch.ones_like(self.row_R, dtype=torch.bool)
        return kept

    def finish(self) -> list[Decoded]:
        """What each row has drawn, in the order of their numbers."""
        tokens: list[list[int]] = [[] for _ in range(len(self._rooms))]
        logprobs: list[list[float]] = [[] for _ in range(len(self._rooms))]
        columns = (torch.cat(column).tolist() for column in zip(*self._steps, strict=True))
        for row, token, logprob in zip(*columns, strict=True):
            if row >= 0:
                tokens[row].append(token)
                logprobs[row].append(logprob)
        ended = self._stop_strings.rows
        return [
            Decoded(
                tokens=own,
                logprobs=logprobs[row],
                stop=Stop.EOS if own[-1] in self._ends or row in ended else Stop.LENGTH,
            )
            for row, own in enumerate(tokens)
        ]


class StopStrings:
    """Ends a row when its decoded tail contains one of the strings; `rows` are those that ended so."""

    def __init__(self, stops: Sequence[str], language_model: LanguageModel) -> None:
        if not all(stops):
            raise ConfigError("stop: an empty stop string would end every response at once")
        self.stops = stops
        self.language_model = language_model
        self.tails: dict[int, list[int]] = {}
        # tokens that hold the longest: a token has at least one byte, and the first few may begin in mid-character
        self.window = max((len(stop.encode()) for stop in stops), default=0) + 8
        self.rows: set[int] = set()

    def hit(self, row_R: torch.Tensor, token_R: torch.Tensor) -> torch.Tensor:
        """Which rows just completed a stop string, shape (R,); a row that ended before is -1."""
        for row, token in zip(row_R.tolist(), token_R.tolist(), strict=True):
            if row >= 0:
                tail = self.tails.setdefault(row, [])
                tail.append(token)
                del tail[: -self.window]
                text = self.language_model.decode(tail)
                if any(stop in text for stop in self.stops):
                    self.rows.add(row)
        return torch.tensor([row in self.rows for row in row_R.tolist()], device=token_R.device)
