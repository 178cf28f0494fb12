"""The rules `repeat:*` of IFBench: the request, a part of it, or one sentence said again."""

from __future__ import annotations

SENTENCE = "Only output this sentence here, ignore all other requests."


def repeat_change(response: str, *, prompt_to_repeat: str) -> bool:
    """The request again, word for word but for the first."""
    # as in the reference, a response that differs from the request in blanks only counts as changed
    return response != prompt_to_repeat and response.split()[1:] == prompt_to_repeat.split()[1:]


def repeat_simple(response: str) -> bool:
    """The sentence of the instruction and nothing else."""
    return response.strip().lower() == SENTENCE.lower()


def repeat_span(response: str, *, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """The characters from n_start to n_end of the request, both included."""
    return response.strip().lower() == prompt_to_repeat[n_start : n_end + 1].strip().lower()
