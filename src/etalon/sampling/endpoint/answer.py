"""Deltas of one response put together: reasoning, content, why it ended, what it cost.

Servers put reasoning in `reasoning` (vLLM, Ollama), in `reasoning_content` (SGLang, llama.cpp, LM Studio) or leave it
in the content before `</think>`, with or without an opening tag. `Answer.text` has one form for all of them:
`<think>reasoning</think>content`, where a reasoning that was cut off stays open, so that nothing in it is an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etalon.problems.endings import Ending, ending_of, reason_of
from etalon.sampling.endpoint.events import parsed, shown
from etalon.sampling.endpoint.retry import UpstreamError, error_in, from_error_object
from etalon.types import Stop

MAX_TOKENS = 10**9  # (ours) a server that says more of one response is not believed
MAX_CHARS = 2**24  # (ours) a longer response is a server that does not end
OPEN, CLOSE = "<think>", "</think>"
REASONING_FIELDS = ("reasoning", "reasoning_content", "thinking", "reasoning_details")  # the last two: OpenRouter's
PART_FIELDS = ("thinking", "reasoning", "text", "content", "summary", "value", "refusal")  # where a part has its text
MAX_DEPTH = 8  # (ours) of parts in parts
# (ours) A loop is at least so long and holds its block so many times, letter by letter. A model that counts or writes a
# table never repeats a block exactly; rows of dashes are shorter.
LOOP_CHARS, LOOP_REPEATS = 4000, 8
LOOP_BLOCK = 1200  # (ours) characters of the longest block looked for
LOOK_CHARS = 1024  # (ours) new characters between two looks
PROBE = 48


@dataclass(frozen=True, kw_only=True)
class Delta:
    """What one chunk added. `attempt` counts from 0; a higher one than before starts the response again."""

    reasoning: str = ""
    content: str = ""
    attempt: int = 0


class Answer:
    """One response while it comes in. `add` takes a chunk, `finish` checks that it is whole."""

    def __init__(self, *, attempt: int = 0, stop_loops: bool = True) -> None:
        self.attempt = attempt
        self.finish_reason = ""
        self.usage: Mapping[str, Any] = {}
        self.loop: str | None = None  # the block the response was stuck in
        self.num_chunks = 0
        self._without_choice = ""
        self._has_streamed = False
        self._reasoning: list[str] = []
        self._content: list[str] = []
        self._size = 0
        self._watch = LoopWatch() if stop_loops else None

    def add_event(self, data: bytes) -> Delta | None:
        """Take in the data of one event; None when it added no text. UpstreamError for garbage or an error event."""
        chunk = parsed(data)
        if chunk is None:
            raise UpstreamError(f"sent what is not JSON: {shown(data)}", may_pass=True)
        if not isinstance(chunk, dict):
            raise UpstreamError(f"sent what is not a chunk: {shown(data)}", may_pass=True)
        if not chunk.get("choices"):
            self._without_choice = shown(data)
        return self.add(chunk)

    def add(self, chunk: Mapping[str, Any]) -> Delta | None:
        """Take in one chunk, or a whole response of a server that does not stream."""
        if error := error_in(chunk):
            raise from_error_object(error)
        if isinstance(usage := chunk.get("usage"), dict):
            self.usage = usage
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return None
        choice = choices[0]
        if len(choices) > 1:  # of several the one that was asked for
            choice = next((one for one in choices if isinstance(one, dict) and not one.get("index")), choice)
        if (reason := reason_of(choice)) and self.ending is Ending.WHOLE:  # a limit or a failure is never taken back
            self.finish_reason = reason
        delta, message = choice.get("delta"), choice.get("message")
        self._has_streamed |= isinstance(delta, dict)
        if isinstance(delta, dict):
            return self._add_text(delta)
        if isinstance(message, dict) and not self._has_streamed:  # the whole of what has streamed, once more
            return self._add_text(message)
        return self._add_text({"content": choice["text"]}) if isinstance(choice.get("text"), str) else None

    def _add_text(self, delta: Mapping[str, Any]) -> Delta | None:
        reasoning, content = texts_of(delta)
        if not reasoning and not content:
            return None
        self.num_chunks += 1
        if reasoning:
            self._reasoning.append(reasoning)
        if content:
            self._content.append(content)
        self._size += len(reasoning) + len(content)
        if self._size > MAX_CHARS:
            raise UpstreamError(f"sent more than {MAX_CHARS:,} characters in one response", may_pass=False)
        if self._watch is not None and self.loop is None:
            self.loop = self._watch.add(reasoning + content)
        return Delta(reasoning=reasoning, content=content, attempt=self.attempt)

    def finish(self, *, was_closed: bool) -> None:
        """The stream is over. UpstreamError unless it said so: `was_closed` is its [DONE]."""
        if self.ending in (Ending.FAILED, Ending.WITHHELD):
            message = f"ended the response with finish_reason {self.finish_reason!r}"
            raise UpstreamError(message, may_pass=self.ending is Ending.FAILED, calls=1)
        if not self.finish_reason and not was_closed:
            raise UpstreamError(f"cut the stream after {self.num_chunks} chunks", may_pass=True, calls=1)
        if not self.finish_reason and not self.num_chunks:
            found = f"answered without a choice: {self._without_choice}"
            raise UpstreamError(found if self._without_choice else "sent an empty response", may_pass=True, calls=1)

    @property
    def ending(self) -> Ending:
        return ending_of(self.finish_reason)

    @property
    def stop(self) -> Stop:
        return Stop.LENGTH if self.loop is not None or self.ending is Ending.CUT else Stop.EOS

    @property
    def reasoning(self) -> str:
        return joined(self._reasoning) if self._reasoning else split_reasoning(self.raw_content)[0]

    @property
    def content(self) -> str:
        return self.raw_content if self._reasoning else split_reasoning(self.raw_content)[1]

    @property
    def raw_content(self) -> str:
        """The content as the server sent it, think tags included."""
        return joined(self._content)

    @property
    def text(self) -> str:
        """The response as one text: `<think>reasoning</think>content`, or the content alone without reasoning."""
        content = self.raw_content
        reasoning = joined(self._reasoning)
        if not reasoning:
            return content if CLOSE not in content or OPEN in content else f"{OPEN}{content}"
        is_cut = not content.strip() and self.stop is Stop.LENGTH
        return f"{OPEN}{reasoning}" if is_cut else f"{OPEN}{reasoning}{CLOSE}{content}"

    @property
    def num_tokens(self) -> int:
        """Tokens of the response as the server counts them; its chunks when it does not tell (then `is_estimated`)."""
        told = count_in(self.usage, "completion_tokens")
        return self.num_chunks if told is None or self.is_estimated else told

    @property
    def is_estimated(self) -> bool:
        return count_in(self.usage, "completion_tokens") is None or self.loop is not None

    @property
    def prompt_tokens(self) -> int | None:
        return count_in(self.usage, "prompt_tokens")

    @property
    def reasoning_tokens(self) -> int | None:
        details = self.usage.get("completion_tokens_details")
        return count_in(details, "reasoning_tokens") if isinstance(details, dict) else None


def count_in(usage: Mapping[str, Any], name: str) -> int | None:
    """A number of tokens that a server tells; None where it tells none, or one that cannot be."""
    count = usage.get(name)
    is_count = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MAX_TOKENS
    return count if is_count else None


def texts_of(message: Mapping[str, Any]) -> tuple[str, str]:
    """(reasoning, content) of a delta or a message; each may be a text or a list of parts."""
    thoughts = next((message[name] for name in REASONING_FIELDS if message.get(name)), "")
    content = message.get("content")
    if isinstance(thoughts, str) and isinstance(content, str | None):  # nearly always: once per chunk
        return thoughts, content or ""
    found = [*_parts(thoughts, is_thought=True), *_parts(content)]
    reasoning = "".join(text for is_thought, text in found if is_thought)
    return reasoning, "".join(text for is_thought, text in found if not is_thought)


def _parts(value: Any, *, is_thought: bool = False, depth: int = 0) -> Iterator[tuple[bool, str]]:
    """(is a thought, text) of each part. Mistral: {"type": "thinking", "thinking": [{"type": "text", "text": ...}]}."""
    if isinstance(value, str):
        yield is_thought, value
    elif isinstance(value, list) and depth < MAX_DEPTH:
        for part in value:
            yield from _parts(part, is_thought=is_thought, depth=depth + 1)
    elif isinstance(value, dict) and depth < MAX_DEPTH:
        name = next((name for name in PART_FIELDS if value.get(name)), "")
        thinks = any(word in f"{value.get('type')} {name}" for word in ("think", "reason"))
        yield from _parts(value.get(name), is_thought=is_thought or thinks, depth=depth + 1)


def joined(pieces: Sequence[str]) -> str:
    """The pieces as one text that can be written: halves of a character put together, one without its other replaced.

    A server that escapes a token's UTF-16 code units sends an emoji as two halves, sometimes in two chunks.
    """
    text = "".join(pieces)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def split_reasoning(text: str) -> tuple[str, str]:
    """(reasoning, the rest) of a raw text: what stands before the last `</think>`, the opening tag optional."""
    before, closed, after = text.rpartition(CLOSE)
    if closed:
        return before.lstrip().removeprefix(OPEN).strip(), after.lstrip()
    if text.lstrip().startswith(OPEN):  # cut off while it reasoned
        return text.lstrip().removeprefix(OPEN).strip(), ""
    return "", text


def looping_block(text: str) -> str | None:
    """The block that the end of `text` repeats, None when it does not. Looks at the last LOOP_BLOCK * LOOP_REPEATS."""
    tail = text[-LOOP_BLOCK * LOOP_REPEATS :]
    if len(tail) < LOOP_CHARS:
        return None
    probe = tail[-PROBE:]
    found = tail.rfind(probe, len(tail) - PROBE - LOOP_BLOCK, len(tail) - 1)
    if found < 0:
        return None
    period = len(tail) - PROBE - found
    span = max(LOOP_CHARS, LOOP_REPEATS * period)
    if len(tail) < span or tail[-span + period :] != tail[-span:-period]:
        return None
    return tail[-period:]


class LoopWatch:
    """Looks at a growing text every LOOK_CHARS characters; only its end is kept."""

    def __init__(self) -> None:
        self._tail = ""
        self._fresh: list[str] = []
        self._size = 0

    def add(self, piece: str) -> str | None:
        """The looping block once there is one."""
        self._fresh.append(piece)
        self._size += len(piece)
        if self._size < LOOK_CHARS:
            return None
        self._tail = (self._tail + "".join(self._fresh))[-LOOP_BLOCK * LOOP_REPEATS :]
        self._fresh, self._size = [], 0
        return looping_block(self._tail)
