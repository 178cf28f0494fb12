"""Fresh problems of reasoning-gym (https://github.com/open-thought/reasoning-gym, Apache-2.0), where it is installed.

    data set -> row -> can our verifier decide it? -> Problem of domain math, its answer asked for in a box

A row is used when its own answer is right by our verifier and by the data set's own scorer, and the two agree on
answers near it. Where the scorer takes the row's answer for right although another one stands in its place, a program
decides (does this plan solve the puzzle?) and other answers may be right as well: such a row is used only if its
answer is one value. Rows that are left out are counted.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from difflib import get_close_matches
from typing import Any

from etalon.errors import InputError
from etalon.problems.instructions import with_instruction
from etalon.types import Domain, Problem
from etalon.verifiers import verify

LOG = logging.getLogger(__name__)
SPARE_ROWS = 8  # (ours) rows drawn beyond twice the number wanted: where most cannot be used, the data set cannot
MOST_LEFT_OUT = 1 / 3  # (ours) share of rows: what is left of more is a selection, not the data set
NUMBERS_OF_A_QUESTION = 2  # (ours) at either end, as answers to try

_VALUE = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|True|False|[Yy]es|[Nn]o")
_PARTS = re.compile(r"[^\s,;\[\](){}'\"]+")
_FRACTION = re.compile(r"([-+]?\d+)/(\d+)")
_NUMBER = re.compile(r"\d+")


def reasoning_gym_problems(name: str, count: int, *, seed: int) -> list[Problem]:
    """`count` different problems of a data set of reasoning-gym whose answers our math verifier decides.

    Raises InputError where the package is missing, the name is unknown, or more than a third of the rows
    cannot be used.
    """
    dataset = _dataset(name, size=2 * count + SPARE_ROWS, seed=seed)
    found: dict[str, Problem] = {}
    num_left_out = 0
    with redirect_stdout(sys.stderr):  # one of its generators prints
        for row in dataset:
            problem = _problem(row, name=name, number=len(found) + 1, seed=seed)
            if not can_decide(problem, row, dataset):
                num_left_out += 1
            else:
                found.setdefault(problem.prompt, problem)
            if len(found) == count:
                break
    if len(found) < count or _is_selection(len(found), num_left_out):
        raise InputError(_too_few(name, count, len(found), num_left_out))
    if num_left_out:
        LOG.warning("reasoning-gym %s: %d rows are left out, whose answers we cannot decide", name, num_left_out)
    return list(found.values())


def _is_selection(num_found: int, num_left_out: int) -> bool:
    return num_left_out > MOST_LEFT_OUT * (num_found + num_left_out)


def _too_few(name: str, count: int, num_found: int, num_left_out: int) -> str:
    if _is_selection(num_found, num_left_out):
        return (
            f"reasoning-gym {name}: is scored by a program of its own or has answers of several lines (our verifier "
            f"decides {num_found} of {num_left_out + num_found} rows); take another data set, such as chain_sum"
        )
    return f"reasoning-gym {name}: found {num_found} different problems, asked for {count}; ask for fewer"


def _dataset(name: str, *, size: int, seed: int) -> Any:
    try:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS
    except ImportError:
        raise InputError(f"{name}: reasoning-gym is not installed; pip install reasoning-gym") from None
    if name not in DATASETS:
        close = get_close_matches(name, DATASETS, n=3)
        told = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(sorted(DATASETS))}"
        raise InputError(f"reasoning-gym {name}: no such data set; {told}")
    try:
        return reasoning_gym.create_dataset(name, size=size, seed=seed)
    except (AssertionError, TypeError, ValueError) as error:  # composite needs a list of data sets
        raise InputError(f"reasoning-gym {name}: {error}; take another data set") from None


def _problem(row: Mapping[str, Any], *, name: str, number: int, seed: int) -> Problem:
    return Problem(
        id=f"reasoning-gym-{name}-{seed}-{number}",
        domain=Domain.MATH,
        prompt=with_instruction(row["question"], Domain.MATH),
        answer=str(row["answer"]),
        skill=f"reasoning-gym/{name}",
        source="reasoning-gym",
    )


def can_decide(problem: Problem, row: Mapping[str, Any], dataset: Any) -> bool:
    """Whether our verifier and the data set's scorer say the same of the row's answer and of answers near it.

    row: {question, answer, ...}; dataset: has score_answer(answer, row) -> float, 1 is right.
    """
    gold = row["answer"]
    if not isinstance(gold, str) or "\n" in gold.strip():  # a grid is not what a model writes into a box
        return False
    if not _is_right(problem, gold) or not _scores(dataset, gold, row):
        return False
    for other in near(gold, row["question"]):
        is_right = _is_right(problem, other)
        if is_right is None or is_right != _scores(dataset, other, row):
            return False
        if not is_right and not _VALUE.fullmatch(gold) and _scores(dataset, gold, {**row, "answer": other}):
            return False
    return True


def _is_right(problem: Problem, answer: str) -> bool | None:
    verdict = verify(problem, f"\\boxed{{{answer}}}")
    return None if verdict.is_undecided else verdict.is_correct


def _scores(dataset: Any, answer: str, row: Mapping[str, Any]) -> bool:
    try:
        return float(dataset.score_answer(answer, row)) >= 1
    except Exception:  # a scorer of theirs may raise anything on an answer that it cannot read
        return False


def near(gold: str, question: str) -> Iterator[str]:
    """Answers near one that are not written like it.

    Other words; the last number plus one; a decimal number to three digits; the tokens in another order; a fraction
    not in lowest terms; the first and the last numbers of the question, which may be what is to be rewritten.
    """
    yield "no such answer"
    if numbers := list(_NUMBER.finditer(gold)):
        last = numbers[-1]
        yield f"{gold[: last.start()]}{int(last[0]) + 1}{gold[last.end() :]}"
    if "." in gold and _VALUE.fullmatch(gold):
        yield f"{float(gold):.3g}"
    tokens = [found[0] for found in _PARTS.finditer(gold)]
    if len(set(tokens)) > 1:
        turned = iter([*tokens[1:], tokens[0]])
        yield _PARTS.sub(lambda _: next(turned), gold)
    if fraction := _FRACTION.fullmatch(gold):
        yield f"{2 * int(fraction[1])}/{2 * int(fraction[2])}"
    asked = _NUMBER.findall(question)
    yield from dict.fromkeys([*asked[:NUMBERS_OF_A_QUESTION], *asked[-NUMBERS_OF_A_QUESTION:]])
