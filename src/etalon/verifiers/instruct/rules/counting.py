"""How counts are compared."""

from __future__ import annotations

from etalon.verifiers.instruct.rules.arguments import Relation


def holds(count: int, relation: Relation, bound: int) -> bool:
    """`less than` and `at least` are the data set's relations; `at most` is a common addition."""
    if relation == "less than":
        return count < bound
    return count >= bound if relation == "at least" else count <= bound
