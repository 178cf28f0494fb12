"""Linked lists and binary trees as LeetCode writes them, and the helpers that its tests use.

Functions in whose globals ListNode and TreeNode may be put by the program.
"""

from __future__ import annotations

import collections
import itertools
from typing import Any

MOST_ITEMS = 100_000  # (ours) taken from a linked list that may be a circle


class ListNode:
    def __init__(self, val: Any = 0, next: Any = None) -> None:
        self.val, self.next = val, next


class TreeNode:
    def __init__(self, val: Any = 0, left: Any = None, right: Any = None) -> None:
        self.val, self.left, self.right = val, left, right


def list_node(values: Any) -> Any:
    """A linked list of the values; None for none."""
    head: Any = None
    for value in reversed(values or []):
        node: Any = ListNode(value)  # a program's own class may take nothing else
        node.next, head = head, node
    return head


def list_values(node: Any) -> list[Any]:
    values: list[Any] = []
    while node is not None and len(values) < MOST_ITEMS:
        values.append(node.val)
        node = node.next
    return values


def tree_node(values: Any) -> Any:
    """A binary tree from its values level by level, None where there is no child (LeetCode's notation)."""
    if not values or values[0] is None:
        return None
    root = TreeNode(values[0])
    waiting, rest = collections.deque([root]), iter(values[1:])
    for left, right in itertools.zip_longest(rest, rest):
        if not waiting:
            break
        parent = waiting.popleft()
        for side, value in (("left", left), ("right", right)):
            if value is not None:
                setattr(parent, side, TreeNode(value))
                waiting.append(getattr(parent, side))
    return root


def tree_values(root: Any) -> list[Any]:
    values: list[Any] = []
    waiting = collections.deque([root])
    while waiting and len(values) < MOST_ITEMS:
        node = waiting.popleft()
        values.append(None if node is None else node.val)
        if node is not None:
            waiting.extend((node.left, node.right))
    while values and values[-1] is None:
        values.pop()
    return values


def is_same_list(left: Any, right: Any) -> bool:
    return list_values(left) == list_values(right)


def is_same_tree(left: Any, right: Any) -> bool:
    return tree_values(left) == tree_values(right)


HELPERS: dict[str, Any] = {
    "ListNode": ListNode,
    "TreeNode": TreeNode,
    "list_node": list_node,
    "tree_node": tree_node,
    "is_same_list": is_same_list,
    "is_same_tree": is_same_tree,
    "inf": float("inf"),
}


def etalon_helpers(namespace: dict[str, Any]) -> None:
    """Give a program the helpers that it does not have; those make nodes of the classes that it uses."""
    starter = namespace.get("__builtins__")
    for name, value in HELPERS.items():
        known = starter.get(name, value) if isinstance(starter, dict) else value
        globals()[name] = namespace.setdefault(name, known)
