"""Which problems are for SFT, which for RL, and which are held out: clusters of near copies and of seeds, cut by lot.

    cluster -> probe and test, until each has as many problems as asked for
            -> rl: has no right trace, or is of the share that is kept for RL although it has traces
            -> train: the others

A cluster is never parted, so what is held out was not trained on with other numbers, and RL does not begin with
questions whose answers were learnt by heart. A domain of too few templates for that is cut by problem, and is named.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from etalon.data.curriculum.split import MIN_PROBLEMS
from etalon.types import Domain

MOST_HELD_OUT = 5  # (ours) at most a fifth of a domain's problems are held out as probe, and as test


class Part(StrEnum):
    """What a problem is for; the name of a file, or of the files, that it is written to."""

    TRAIN = "train"
    RL = "rl"
    PROBE = "probe"
    TEST = "test"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What decides a problem's part. text: the same for every order of the files."""

    text: str
    domain: Domain
    cluster: str
    has_reference: bool
    has_trace: bool


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Problems of each domain for `probe` and `test`; rl: share of those with both traces and a reference for RL."""

    probe: int = 64
    test: int = 200
    rl: float = 1 / 3
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The part of each candidate, in order. parted: domains whose near copies are in several parts."""

    of: Sequence[Part]
    parted: tuple[Domain, ...] = field(default=())


def cut(candidates: Sequence[Candidate], sizes: Sizes) -> Parts:
    """The part of every problem; it depends on the problems and the seed alone."""
    found = [Part.TRAIN] * len(candidates)
    by_domain: dict[Domain, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, one in enumerate(candidates):
        by_domain[one.domain][one.cluster].append(place)
    parted = []
    for domain, clusters in sorted(by_domain.items()):
        places = [place for members in clusters.values() for place in members]
        together = list(clusters.values())
        if len(together) < MIN_PROBLEMS <= len(places):
            parted.append(domain)
            together = [[place] for place in places]
        for place, part in _of_domain(candidates, together, sizes).items():
            found[place] = part
    return Parts(of=found, parted=tuple(parted))


def _of_domain(candidates: Sequence[Candidate], clusters: Sequence[Sequence[int]], sizes: Sizes) -> Mapping[int, Part]:
    lots = sorted((min(_lot(candidates[place].text, sizes.seed) for place in members), members) for members in clusters)
    fifth = sum(one.has_reference for members in clusters for one in _of(candidates, members)) // MOST_HELD_OUT
    room = {Part.PROBE: min(sizes.probe, fifth), Part.TEST: min(sizes.test, fifth)}
    parts: dict[int, Part] = {}
    trained: list[Sequence[int]] = []
    for _, members in lots:
        checkable = sum(one.has_reference for one in _of(candidates, members))
        held_out = next((part for part, left in room.items() if 0 < checkable <= left), None)
        if held_out is None:
            trained.append(members)
        else:
            room[held_out] -= checkable
            parts |= dict.fromkeys(members, held_out)
    for members, part in _trained(candidates, trained, sizes.rl):
        parts |= dict.fromkeys(members, part)
    return parts


def _trained(
    candidates: Sequence[Candidate], clusters: Sequence[Sequence[int]], share: float
) -> list[tuple[Sequence[int], Part]]:
    """The clusters that are trained on, each for SFT or for RL."""
    both = [sum(one.has_trace and one.has_reference for one in _of(candidates, members)) for members in clusters]
    left = round(share * sum(both))
    found = []
    for members, count in zip(clusters, both, strict=True):
        has_trace = any(one.has_trace for one in _of(candidates, members))
        is_for_rl = not has_trace or 0 < count <= left
        left -= count if has_trace and is_for_rl else 0
        found.append((members, Part.RL if is_for_rl else Part.TRAIN))
    return found


def _of(candidates: Sequence[Candidate], members: Sequence[int]) -> list[Candidate]:
    return [candidates[place] for place in members]


def _lot(text: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{text}".encode("utf-8", "surrogatepass")).digest()
