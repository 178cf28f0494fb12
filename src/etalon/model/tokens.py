"""Counts of tokens by the real tokenizer of a model directory (2.1.1), without torch or transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from etalon.errors import InputError

Counter = Callable[[Sequence[str]], list[int]]
FILE = "tokenizer.json"


def token_counter(directory: Path) -> Counter:
    """The function from texts to their lengths in tokens; special tokens are not added.

    Raises InputError for a directory without a tokenizer that can be read, or without the package `tokenizers`.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise InputError("counting tokens: needs tokenizers, which is not installed: pip install tokenizers") from None
    path = directory / FILE
    if not path.is_file():
        raise InputError(
            f"{directory}: has no {FILE}; name the directory of a model, whose tokenizer save_pretrained has written"
        )
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises Exception itself
        raise InputError(f"{path}: is no tokenizer: {str(error).splitlines()[0]}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(texts: Sequence[str]) -> list[int]:
        whole = [encodable(text) for text in texts]
        return [len(one.ids) for one in tokenizer.encode_batch(whole, add_special_tokens=False)]

    return count


def encodable(text: str) -> str:
    """The text as a tokenizer takes it: half of a surrogate pair, which models do emit, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
