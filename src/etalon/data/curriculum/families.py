"""Which problems come of one seed: what a teacher made of a question is never parted from it by a split.

id, parent of every row -> problems joined by (domain, id of the parent) -> one cluster for a whole family
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from etalon.data.records import Record
from etalon.problems.near import Leaders

NOBODY = 0  # the parent of what was found and not made


class Families:
    """Takes records one by one, in the order of the rows; keeps two numbers of each."""

    def __init__(self) -> None:
        self._own, self._parents = array("q"), array("q")

    def add(self, record: Record) -> None:
        """The next row."""
        domain = record.problem.domain
        self._own.append(hash((domain, record.problem.id)))
        self._parents.append(hash((domain, record.parent)) if record.parent else NOBODY)

    def joined(self, clusters: Sequence[str], nodes: Sequence[int]) -> list[str]:
        """The clusters of the problems, those of parents and children as one; nodes: row -> its problem.

        Siblings are together also where their seed is not among the rows. Of several problems under the id of a
        parent, as the files of several sets may have them, all are.
        """
        names = sorted(set(clusters))
        place = {name: number for number, name in enumerate(names)}
        leaders, first = Leaders(len(names)), dict[int, int]()
        made = set(self._parents) - {NOBODY}
        for keys in (self._own, self._parents):
            for key, node in zip(keys, nodes, strict=True):
                if key in made:
                    own = place[clusters[node]]
                    leaders.join(own, first.setdefault(key, own))
        least: dict[int, str] = {}
        for number, name in enumerate(names):
            least.setdefault(leaders.of(number), name)
        return [least[leaders.of(place[name])] for name in clusters]
