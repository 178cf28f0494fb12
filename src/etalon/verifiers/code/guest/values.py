"""Python values as JSON and back, with nothing but data in between: what pickle would do, without its power.

None, bool, int, float, str   themselves (integers beyond 63 bits in hexadecimal: {"int": "0x.."})
list                          a list
anything else                 {tag: content}; an object that is no data: {"opaque": its type's name}

Equal values have equal texts, which are the keys of a table of results; no object of one side means anything to the
other. `sandbox.zygote.wire` is the codec of two processes that talk: there objects have numbers, and sets no order.
"""

from __future__ import annotations

import collections
import decimal
import fractions
import itertools
import json
from typing import Any

MOST_ITEMS = 100_000  # (ours) taken from an iterator, or from a linked list that may be a circle
MOST_DEPTH = 150  # (ours) deeper values are opaque
_VIEWS = {"dict_keys": "keys", "dict_values": "values", "dict_items": "items"}


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


def pack(value: Any, depth: int = 0) -> Any:
    """The value in JSON types; equal sets are packed alike."""
    if value is None or type(value) in (bool, float, str):
        return value
    if depth > MOST_DEPTH:
        return {"opaque": "too deep"}
    if isinstance(value, bool | int):
        value = bool(value) if isinstance(value, bool) else int(value)
        return value if -(1 << 63) < value < 1 << 63 else {"int": hex(value)}
    if isinstance(value, list):
        return [pack(element, depth + 1) for element in value]
    if isinstance(value, tuple | collections.deque):
        return {"tuple" if isinstance(value, tuple) else "deque": [pack(element, depth + 1) for element in value]}
    if isinstance(value, set | frozenset):
        packed = sorted((pack(element, depth + 1) for element in value), key=json.dumps)
        return {"set" if isinstance(value, set) else "frozenset": packed}
    if isinstance(value, dict):
        tag = next((kind.__name__ for kind in _DICTS if isinstance(value, kind)), "dict")
        return {tag: [[pack(key, depth + 1), pack(v, depth + 1)] for key, v in value.items()]}
    return _pack_rare(value, depth)


_DICTS = (collections.Counter, collections.OrderedDict, collections.defaultdict)


def _pack_rare(value: Any, depth: int) -> Any:
    name = type(value).__name__
    for kind in (float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, bytes | bytearray):
        return {"bytearray" if isinstance(value, bytearray) else "bytes": value.hex()}
    if type(value) is complex:
        return {"complex": [value.real, value.imag]}
    if type(value) is range:
        return {"range": [value.start, value.stop, value.step]}
    if type(value) in (decimal.Decimal, fractions.Fraction):
        return {name: str(value)}
    if name in _VIEWS and type(value).__module__ == "builtins":
        return {name: [pack(element, depth + 1) for element in value]}
    if name == "ListNode":
        return {"list_node": [pack(element, depth + 1) for element in list_values(value)]}
    if name == "TreeNode":
        return {"tree_node": [pack(element, depth + 1) for element in tree_values(value)]}
    if hasattr(type(value), "__next__"):
        return {"iterator": [pack(element, depth + 1) for element in itertools.islice(value, MOST_ITEMS)]}
    return {"opaque": name}


def unpack(packed: Any) -> Any:
    """The value that was packed, made of built-in types only."""
    if isinstance(packed, list):
        return [unpack(element) for element in packed]
    if not isinstance(packed, dict):
        return packed
    [(tag, content)] = packed.items()
    if tag in _SCALARS:
        return _SCALARS[tag](content)
    if tag in ("dict", "Counter", "OrderedDict", "defaultdict"):
        return _MAPPINGS[tag]((unpack(key), unpack(value)) for key, value in content)
    return _CONTAINERS[tag]([unpack(element) for element in content])


def _defaultdict(pairs: Any) -> Any:
    return collections.defaultdict(lambda: None, pairs)


_SCALARS: dict[str, Any] = {
    "int": lambda text: int(text, 16),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda parts: complex(*parts),
    "range": lambda parts: range(*parts),
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
    "opaque": lambda name: object(),
}
_MAPPINGS: dict[str, Any] = {
    "dict": dict,
    "Counter": lambda pairs: collections.Counter(dict(pairs)),
    "OrderedDict": collections.OrderedDict,
    "defaultdict": _defaultdict,
}
_CONTAINERS: dict[str, Any] = {
    "tuple": tuple,
    "deque": collections.deque,
    "set": set,
    "frozenset": frozenset,
    "dict_keys": lambda keys: dict.fromkeys(keys).keys(),
    "dict_values": lambda values: dict(enumerate(values)).values(),
    "dict_items": lambda items: dict(items).items(),
    "list_node": list_node,
    "tree_node": tree_node,
    "iterator": iter,
}
