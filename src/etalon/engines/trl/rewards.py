"""Etalon's verdicts as a reward function of TRL. Loads without TRL.

completions, columns of the data set -> rows of `etalon verify` -> 1 correct, 0 wrong, None undecided
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from etalon.errors import ConfigError
from etalon.problems.cases import COLUMNS as TESTS
from etalon.problems.formats.columns import ANSWERS
from etalon.rows.mapping import SYNONYMS
from etalon.verifiers.rows import verify_row

LOG = logging.getLogger("etalon.trl")
OWN_FIELDS = ("answer", "options", "tests", "rules")  # of a row that say what is right, in any domain
FIELDS = (*OWN_FIELDS, "mode")
# Columns of the field by domain: one of the first kind says what is right, those of the second belong to it.
_ANSWERS, _OPTIONS = (*ANSWERS, "solution"), ("options", "choices")
DECIDING: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("math", "facts", "claims"), _ANSWERS),
    "stem": _ANSWERS,
    "code": ("tests", *sorted(TESTS)),
    "instruct": ("rules", "instruction_id_list"),
}
BESIDE: dict[str, tuple[str, ...]] = {
    "stem": _OPTIONS,
    "code": (
        *("entry_point", "starter_code", "fn_name", "metadata", "time_limit", "memory_limit", "generated_checker"),
        *("test_setup_code", "test_imports", "challenge_test_list", "code"),  # MBPP
    ),
    "instruct": ("kwargs", "mode"),
}
OF_TRL = ("prompt", "completion", "completion_ids", "trainer_state", "log_extra", "log_metric", "environments")


def verified(domain: str = "math", *, workers: int = 4) -> Callable[..., list[float | None]]:
    """A reward function that judges completions of one domain: "math", "code", "stem" or "instruct".

    The data set has the columns that `etalon verify` reads: answer; tests, or those of MBPP and others; answer and
    options; rules, or those of IFEval. Completions may be texts or conversations; an empty one is an empty text.
    workers: verdicts at a time; programs and formulas run in processes of their own.
    ConfigError for another domain, and for a data set without any column that says what is right: `MGPOTrainer` asks
    before it trains, any other trainer hears of it with the first rewards.
    """
    if domain not in DECIDING:
        raise ConfigError(f"verified({domain!r}): unknown domain; choose one of {', '.join(DECIDING)}")
    read = tuple(dict.fromkeys((*FIELDS, *DECIDING[domain], *BESIDE.get(domain, ()))))

    def correct(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        if len(completions):
            _check(domain, columns)
        known = {name: columns[name] for name in read if columns.get(name) is not None}
        rows = [
            {"prompt": text_of(prompt), "response": text_of(completion)}
            | {name: values[i] for name, values in known.items()}
            for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True))
        ]
        with ThreadPoolExecutor(workers) as threads:
            return [row["score"] for row in threads.map(partial(verify_row, default_domain=domain), rows)]

    vars(correct)["check_columns"] = partial(_check, domain)
    return correct


def _check(domain: str, names: Collection[str]) -> None:
    """ConfigError when no column of these names says what is right."""
    if not set(DECIDING[domain]).isdisjoint(names) or not set(OWN_FIELDS).isdisjoint(names):
        return
    found = [name for name in names if name not in OF_TRL]
    field = DECIDING[domain][0]
    other = next((name for name in SYNONYMS.get(field, ()) if name in found), "")
    hint = f"; rename_column({other!r}, {field!r}) would do" if other else ""
    raise ConfigError(
        f"verified({domain!r}): no column says what is right (such as {field}); "
        f"columns found: {', '.join(found) or 'none'}{hint}"
    )


def check_dataset(reward_funcs: Sequence[Any], dataset: Any, tokenizer: Any) -> None:
    """Before training: ConfigError for a column that a function of `verified` misses; a warning for plain prompts.

    tokenizer: None for prompts that are no texts. A data set that does not know its columns is looked at when the first
    rewards are asked for.
    """
    names = getattr(dataset, "column_names", None)
    if not names:
        return
    for function in reward_funcs:
        if check := getattr(function, "check_columns", None):
            check(names)
    first = next(iter(dataset), None)
    if first and isinstance(first.get("prompt"), str) and getattr(tokenizer, "chat_template", None):
        LOG.warning(
            "prompts are plain texts, which no chat template is put around, but the model has one; make them "
            '[{"role": "user", "content": ...}], unless it is trained as a base model'
        )


def text_of(message: Any) -> str:
    """The text of a prompt or a completion: plain, or the last message of a conversation; "" where it says nothing."""
    if isinstance(message, str):
        return message
    content = message[-1].get("content") if message else None
    if isinstance(content, str):
        return content
    parts = [part.get("text") for part in content or () if isinstance(part, dict)]
    return "".join(part for part in parts if isinstance(part, str))
