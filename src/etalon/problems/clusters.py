"""Which problems are near copies of one another: the clusters over which chance is counted (ours).

nano problems    the family of their question
other problems   the same words around other numbers, or nearly the same words: `near`
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from etalon.problems import nano
from etalon.problems.instructions import instructions
from etalon.store import read_json
from etalon.types import Domain, Problem

CLUSTERS = "clusters.json"  # beside the problems, or the rollouts, that it is about

SHINGLE = 3  # (ours) words in a row
NEAR = 0.7  # (ours) shared share of the shingles of two texts from which one is a near copy of the other
FEWEST_WORDS = 8  # (ours) a shorter text is a near copy of nothing but its own words and numbers
# (ours) words that begin or end more than this share of the texts of a domain, and no fewer of them, are an instruction
COMMON, FEWEST_TEXTS = 0.3, 5
MOST_PER_SHINGLE = 200  # (ours) texts remembered of a shingle: one that is everywhere tells nothing
Tokens = tuple[str, ...]
CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # written without spaces: every character counts as a word
TOKEN = re.compile(rf"[{CJK}]|[^\W\d_{CJK}]+|\d+(?:[.,]\d+)*|[^\w\s]")


def clusters_of(problems: Sequence[Problem]) -> dict[str, str]:
    """Problem id -> an id that its near copies share; problems without any are left out."""
    of_world = {p.id: nano.family_of(nano.question_of(p)) for p in problems if p.source == "nano"}
    found = dict(of_world)
    told = instructions()
    for domain in Domain:
        members = [p for p in problems if p.domain is domain and p.source != "nano"]
        texts = [reduce(lambda text, sentence: text.replace(sentence, ""), told, p.prompt) for p in members]
        found |= {p.id: f"{domain} {number}" for p, number in zip(members, near(texts), strict=True)}
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
    masked = [tuple("0" if token[0].isdecimal() else token for token in tokens) for tokens in texts]
    start = _told_at_the_start(masked)
    end = _told_at_the_start([tokens[::-1] for tokens in masked])
    for tokens, same, before, after in zip(texts, masked, start, end, strict=True):
        is_one_template = before + after >= len(tokens)  # an instruction, and nothing that it is about
        begin, stop = (0, len(tokens)) if is_one_template else (before, len(tokens) - after)
        own = tokens[begin:stop]
        if sum(token.isalpha() for token in own) < FEWEST_WORDS:
            yield own
        else:
            yield tuple(token for token in same[begin:stop] if token[0].isalnum())


def _told_at_the_start(texts: Sequence[Tokens]) -> list[int]:
    """How many tokens each text begins with that more than a COMMON share of all begin with, too."""
    few = max(FEWEST_TEXTS, COMMON * len(texts))
    counts = [0] * len(texts)
    groups: list[list[int]] = [list(range(len(texts)))]
    while groups:
        by_next: dict[str, list[int]] = defaultdict(list)
        group = groups.pop()
        for index in group:
            if counts[index] < len(texts[index]):
                by_next[texts[index][counts[index]]].append(index)
        for members in by_next.values():
            if len(members) >= few:
                groups.append(members)
                for index in members:
                    counts[index] += 1
    return counts


def distinct(problems: Iterable[Problem], clusters: Mapping[str, str]) -> int:
    """How many problems there are when near copies count as one."""
    return len({clusters.get(problem.id, problem.id) for problem in problems})
