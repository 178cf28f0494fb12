"""Which problems are near copies of one another: the clusters over which chance is counted (ours).

nano problems    the family of their question
other problems   the same words around other numbers, or nearly the same words: `near`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, reduce
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.problems import nano
from etalon.problems.instructions import instructions
from etalon.problems.near import near
from etalon.store import read_json
from etalon.types import Domain, Problem

CLUSTERS = "clusters.json"  # beside the problems, or the rollouts, that it is about


def clusters_of(problems: Sequence[Problem]) -> dict[str, str]:
    """Problem id -> an id that its near copies share; problems without any are left out."""
    found = {p.id: cluster for p, cluster in zip(problems, clustered(problems), strict=True)}
    sizes = Counter(found.values())
    return {name: cluster for name, cluster in found.items() if sizes[cluster] > 1}


def clustered(problems: Sequence[Problem]) -> list[str]:
    """The name of each problem's cluster, in order. Near copies are of one domain."""
    found = [f"nano {nano.family_of(nano.question_of(p))}" if p.source == "nano" else "" for p in problems]
    for domain in Domain:
        places = [place for place, p in enumerate(problems) if p.domain is domain and p.source != "nano"]
        numbers = near([question_alone(problems[place].prompt) for place in places])
        for place, number in zip(places, numbers, strict=True):
            found[place] = f"{domain} {number}"
    return found


def question_alone(prompt: str) -> str:
    """A prompt without our own answer instructions."""
    return reduce(lambda text, sentence: text.replace(sentence, ""), _told(), prompt).strip()


@cache
def _told() -> tuple[str, ...]:
    return tuple(instructions())


def read_clusters(folder: Path, part: str = "") -> dict[str, str]:
    """What a folder's CLUSTERS says, or says of one file in it; nothing without one. InputError for something else."""
    path = folder / CLUSTERS
    found: Any = read_json(path) if path.exists() else {}
    clusters: Any = found.get(part, {}) if part and isinstance(found, dict) else found
    if not isinstance(clusters, dict) or not all(isinstance(name, str) for name in clusters.values()):
        raise InputError(f"{path}: does not name a cluster for each problem; delete it to count every problem alone")
    return clusters


def distinct(problems: Iterable[Problem], clusters: Mapping[str, str]) -> int:
    """How many problems there are when near copies count as one."""
    return len({clusters.get(problem.id, problem.id) for problem in problems})
