"""Which problems are near copies of one another: the clusters over which chance is counted (ours).

nano problems    the family of their question
other problems   the same words around other numbers, or nearly the same words: `near`
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from etalon.problems import nano
from etalon.problems.instructions import instructions
from etalon.store import read_json
from etalon.types import Problem

CLUSTERS = "clusters.json"  # beside the problems, or the rollouts, that it is about

SHINGLE = 3  # (ours) words in a row
NEAR = 0.7  # (ours) shared share of the shingles of two texts from which one is a near copy of the other
FEWEST_WORDS = 8  # (ours) a shorter text is a near copy of nothing but its own words and numbers
COMMON, FEWEST_TEXTS = 0.9, 5  # (ours) a shingle of more than this share of so many texts is an instruction to all
MOST_PER_SHINGLE = 200  # (ours) texts remembered of a shingle: one that is everywhere tells nothing
Tokens = tuple[str, ...]
TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*|[^\w\s]")


def clusters_of(problems: Sequence[Problem]) -> dict[str, str]:
    """Problem id -> an id that its near copies share; problems without any are left out."""
    of_world = {p.id: nano.family_of(nano.question_of(p)) for p in problems if p.source == "nano"}
    others = [p for p in problems if p.source != "nano"]
    told = instructions()
    texts = [reduce(lambda text, sentence: text.replace(sentence, ""), told, p.prompt) for p in others]
    found = of_world | dict(zip((p.id for p in others), near(texts), strict=True))
    sizes = Counter(found.values())
    return {name: cluster for name, cluster in found.items() if sizes[cluster] > 1}


def read_clusters(folder: Path, part: str = "") -> dict[str, str]:
    """What a folder's CLUSTERS says, or says of one file in it; nothing without one."""
    path = folder / CLUSTERS
    found: dict[str, Any] = read_json(path) if path.exists() else {}
    clusters: dict[str, str] = found.get(part, {}) if part else found
    return clusters


def near(texts: Sequence[str]) -> list[str]:
    """A number for each text, as a string; near copies, and copies of those, have the same."""
    leader = list(range(len(texts)))

    def root(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    first: dict[Tokens, int] = {}
    holders: dict[Tokens, list[int]] = defaultdict(list)
    shingles: dict[int, frozenset[Tokens]] = {}
    for index, tokens in enumerate(_own_words([tuple(TOKEN.findall(text.casefold())) for text in texts])):
        earlier = first.setdefault(tokens, index)
        if earlier != index:
            leader[index] = root(earlier)
            continue
        if sum(token.isalpha() for token in tokens) < FEWEST_WORDS:
            continue
        own = shingles[index] = frozenset(_shingles(tokens))
        shared = Counter(other for one in own for other in holders[one])
        for other, count in shared.items():
            if count >= NEAR * (len(own) + len(shingles[other]) - count):
                leader[root(index)] = root(other)
        for one in own:
            if len(holders[one]) < MOST_PER_SHINGLE:
                holders[one].append(index)
    return [str(root(index)) for index in range(len(texts))]


def _shingles(tokens: Tokens) -> Iterator[Tokens]:
    return zip(*(tokens[start:] for start in range(SHINGLE)), strict=False)


def _own_words(texts: Sequence[Tokens]) -> Iterator[Tokens]:
    """The tokens of each text without the instructions to all; where words are left, every number is the same."""
    counts = Counter(one for tokens in texts for one in set(_shingles(tokens)))
    common = {one for one, count in counts.items() if count >= FEWEST_TEXTS and count > COMMON * len(texts)}
    for tokens in texts:
        told = {place + i for place, one in enumerate(_shingles(tokens)) if one in common for i in range(SHINGLE)}
        own = tuple(token for place, token in enumerate(tokens) if place not in told)
        if sum(token.isalpha() for token in own) < FEWEST_WORDS:
            yield own
        else:
            yield tuple("0" if token[0].isdecimal() else token for token in own if token[0].isalnum())


def distinct(problems: Iterable[Problem], clusters: dict[str, str]) -> int:
    """How many problems there are when near copies count as one."""
    return len({clusters.get(problem.id, problem.id) for problem in problems})
