"""Kept samples and a file that was edited since: the same question is the same problem, whatever its reference says.

An id that a file states stays; one that is made of a row's content changes with the reference, and then the prompt that
a sample was asked tells whose it is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from etalon.errors import InputError
from etalon.evaluate.store import read_samples
from etalon.problems.options import as_asked
from etalon.sampling.single import prompt_hash
from etalon.types import Problem, ask

LOG = logging.getLogger(__name__)


def as_sampled(folder: Path, name: str, problems: Sequence[Problem], *, system: str) -> list[Problem]:
    """The problems under the ids that their samples have; InputError when no sample is of any of them."""
    ids = {problem.id for problem in problems}
    orphans: dict[str, tuple[str, tuple[str, ...] | None]] = {}
    known = set()
    for sample in read_samples(folder, name):
        if sample.id in ids:
            known.add(sample.id)
        elif sample.prompt_hash:
            orphans.setdefault(sample.id, (sample.prompt_hash, sample.order))
    by_prompt = {told: id_ for id_, told in orphans.items()}
    found, matched = [], 0
    for problem in problems:
        if problem.id in known:
            found.append(problem)
            continue
        orders = {order for _, order in by_prompt if order is None or sorted(order) == sorted(problem.options or ())}
        hashes = ((prompt_hash(ask(as_asked(problem, order).prompt, system=system)), order) for order in orders)
        id_ = next((by_prompt.pop(told) for told in hashes if told in by_prompt), problem.id)
        matched += id_ != problem.id
        found.append(replace(problem, id=id_))
    if not known and not matched:
        raise InputError(f"{name}: none of the kept samples in {folder} is of a problem of this file")
    if gone := len(orphans) - matched:
        LOG.warning("%s: samples of %d problems are left out: the file does not have them any more", name, gone)
    return found
