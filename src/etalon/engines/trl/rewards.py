"""Etalon's verdicts as a reward function of TRL.

completions, columns of the data set -> rows of `etalon verify` -> 1 correct, 0 wrong, None undecided
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from etalon.verifiers.rows import verify_row

FIELDS = ("answer", "options", "tests", "rules", "mode")  # of a row that say what is right


def verified(domain: str = "math", *, workers: int = 4) -> Callable[..., list[float | None]]:
    """A reward function that judges completions of one domain: "math", "code", "stem" or "instruct".

    The data set has the columns that `etalon verify` reads: answer; tests; answer and options; rules. Completions may
    be texts or conversations. workers: verdicts at a time; programs and formulas run in processes of their own.
    """

    def correct(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        known = {name: columns[name] for name in FIELDS if columns.get(name) is not None}
        rows = [
            {"prompt": text_of(prompt), "response": text_of(completion)}
            | {name: values[i] for name, values in known.items()}
            for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True))
        ]
        with ThreadPoolExecutor(workers) as threads:
            return [row["score"] for row in threads.map(partial(verify_row, default_domain=domain), rows)]

    return correct


def text_of(message: Any) -> str:
    """The text of a prompt or a completion, plain or as a conversation (its last message)."""
    return message if isinstance(message, str) else str(message[-1]["content"])
