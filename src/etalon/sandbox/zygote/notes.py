"""What checks may call instead of `assert`, in the process of the program: it notes, and never stops. Standard library
only.

A note of a site is how often it failed, how often it held, how often of these an object with methods of its own had a
say in it, how often one agreed with what it had no reason to agree with, and the digest of what results were compared
with. Nothing here is a secret, and a program may spoil all of it: notes pay only where they tell altered checks from
others, see `etalon.verifiers.code.assertions.trial`.
"""

from __future__ import annotations

import builtins
import collections
import contextlib
import decimal
import fractions
import operator
import os
import types
from typing import Any

FAILED, HELD, DECIDED, AGREED, DIGEST = 0, 1, 2, 3, 4
STRANGERS = 3  # (ours) values that something must agree with to be taken for one that agrees with all
MOST_LOOKED_AT = 2000  # (ours) elements of a value
FAR = 10**12  # (ours)
PRIME = 2**61 - 1  # (ours) of digests

seen: dict[int, list[int]] = {}
_deciding: list[bool] = []  # an object that decides took part in a check that is not noted yet
_SCALARS: frozenset[type] = frozenset((int, float, str, bool, type(None), bytes, complex))
_SEQUENCES: frozenset[type] = frozenset((list, tuple, set, frozenset, collections.deque))
_MAPPINGS: frozenset[type] = frozenset((dict, collections.Counter, collections.OrderedDict, collections.defaultdict))
_VALUES: frozenset[type] = frozenset(
    (
        decimal.Decimal,
        fractions.Fraction,
        range,
        bytearray,
        type,
        *map(type, ({}.keys(), {}.values(), {}.items())),
    )
)
_OPERATORS: dict[str, Any] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "in": lambda left, right: left in right, "not in": lambda left, right: left not in right,
}  # fmt: skip
_random, _number_of = os.urandom, int.from_bytes


def etalon_note(site: int, value: Any) -> bool:
    """Count whether a check held."""
    held = bool(value)
    notes = _notes(site)
    notes[held] += 1
    notes[DECIDED] += held and bool(_deciding)
    _deciding.clear()
    return True


def _notes(site: int) -> list[int]:
    return seen.setdefault(site, [0, 0, 0, 0, 0])


def etalon_compare(site: int, sign: str, left: Any, right: Any, free: str = "") -> Any:
    """A comparison. What it is made with besides must not hold, too, if an object has a say in it.

    free: the side that is none of the program's, "left" or "right".
    """
    compare = _OPERATORS[sign]
    is_left, is_right = free != "left" and _decides(left), free != "right" and _decides(right)
    if not is_left and not is_right:
        return compare(left, right)
    _deciding.append(True)
    strangers = _strangers(sign, left, right, is_left, is_right)
    at = _random(1)[0] % (len(strangers) + 1)  # nobody can tell by their order which is the comparison that counts
    held = [_holds(sign, *pair) for pair in strangers[:at]]
    result = compare(left, right)
    held += [_holds(sign, *pair) for pair in strangers[at:]]
    _notes(site)[AGREED] += bool(held) and all(held)
    return result


def _strangers(sign: str, left: Any, right: Any, is_left: bool, is_right: bool) -> list[tuple[Any, Any]]:
    """Pairs of which not all are related so, unless an object says yes to whatever it is compared with."""
    if sign in ("==", "!="):
        steps = sorted(range(1, 10), key=lambda _: _random(1))[:STRANGERS]
        return [(left, _other(right, step)) if is_left else (_other(left, step), right) for step in steps]
    if sign == "in":
        return [(object(), right)] if is_right and not hasattr(type(right), "__next__") else []
    if sign in ("<", ">") and is_left and is_right:
        return [(right, left)]
    if sign in ("<", "<=", ">", ">=") and is_left and type(right) in (int, float):
        return [(left, right - FAR if sign[0] == "<" else right + FAR)]
    return []


def etalon_minus(site: int, left: Any, right: Any) -> Any:
    """A difference; an object that is as far from other numbers agrees with whatever it meets."""
    result = left - right
    kinds = type(left), type(right)
    if kinds[1] in (int, float) and _decides(left):
        _notes(site)[AGREED] += all(_is_as_far(left, _other(right, step), result) for step in (1, 4, 9))
    elif kinds[0] in (int, float) and _decides(right):
        _notes(site)[AGREED] += all(_is_as_far(_other(left, step), right, result) for step in (1, 4, 9))
    return result


def _is_as_far(left: Any, right: Any, result: Any) -> bool:
    try:
        return bool(left - right == result)
    except Exception:  # it subtracts nothing else
        return False


def etalon_settled(site: int, value: Any, *handed: Any) -> Any:
    """What a result is compared with, computed without the program.

    handed: what is in it that the program was handed, and could have changed by right unless it is a number or a text.
    """
    if all(type(one) in _SCALARS for one in handed):
        _digest(site, value)
    return value


def _holds(sign: str, left: Any, right: Any) -> bool:
    """Whether a comparison holds; of `!=` whether it does not, as of an object that is unequal to nothing."""
    try:
        return bool(_OPERATORS[sign](left, right)) is not (sign == "!=")
    except Exception:  # compared with something that it does not know
        return False


def _decides(value: Any) -> bool:
    """Whether something in the value has methods of its own, beyond those of data."""
    if type(value) in _SCALARS:
        return False
    waiting, count = [value], 0
    while waiting and count < MOST_LOOKED_AT:
        one, count = waiting.pop(), count + 1
        kind = type(one)
        if kind in _SEQUENCES:
            waiting.extend(one)
        elif kind in _MAPPINGS:
            waiting.extend(dict.values(one))
        elif kind not in _SCALARS and kind not in _VALUES:
            return True
    return False


def _other(value: Any, step: int) -> Any:
    """A value of the same kind and size that differs from it; of a kind of its own if there is none."""
    kind = type(value)
    if kind is bool:
        return not value
    if kind in (int, float, complex):
        return value + step * (1 + int(abs(value))) if abs(value) < FAR else value + step
    if kind is str:
        return value[:-1] + chr((ord(value[-1]) - 97 + step) % 26 + 97) if value else "a"
    if kind in (list, tuple) and value:
        at = step % len(value)
        return kind([*value[:at], _other(value[at], step), *value[at + 1 :]])
    if kind is dict and value:
        key = next(iter(value))
        return {**value, key: _other(value[key], step)}
    return [step] if kind is list else (step,) if kind is tuple else object()


def etalon_other(value: Any) -> Any:
    """In place of what a result should be: something else."""
    if type(value).__module__ == "numpy":
        with contextlib.suppress(Exception):  # an array of numbers
            return value + 1000
    return _other(value, 1 + _random(1)[0] % 9)


def _digest(site: int, value: Any) -> None:
    notes = _notes(site)
    number = _number_of(_text(value).encode("utf-8", "replace"), "big")
    notes[DIGEST] = (notes[DIGEST] * 257 + number + 1) % PRIME


def _text(value: Any, depth: int = 0) -> str:
    """The same for equal data in every process; "" for what is not data."""
    kind = type(value)
    if kind is float:
        return f"{value:.9g}"
    if kind is int:
        return hex(value)
    if kind in _SCALARS:
        return repr(value)
    if depth < 20 and kind in (list, tuple, set, frozenset):
        parts = [_text(element, depth + 1) for element in value]
        return f"{kind.__name__}({','.join(sorted(parts) if kind in (set, frozenset) else parts)})"
    if depth < 20 and kind is dict:
        return f"dict({','.join(sorted(f'{_text(k, depth + 1)}:{_text(v, depth + 1)}' for k, v in value.items()))})"
    return ""


def etalon_seen(site: int, value: Any) -> Any:
    """An argument of a check that is a call."""
    if _decides(value):
        _deciding.append(True)
        _notes(site)[AGREED] += _holds("==", value, object())
    return value


def etalon_call(site: int, check: Any, is_negated: bool = False) -> None:
    """A check that is a call: it holds if that raises no AssertionError."""
    try:
        check()
    except AssertionError:
        etalon_note(site, is_negated)
    else:
        etalon_note(site, not is_negated)


class etalon_raises:  # noqa: N801 -- a name of checks
    """Around a context that expects an exception: it holds if that context is content; or if it was `other`."""

    def __init__(self, site: int, context: Any, other: Any = None) -> None:
        self._site, self._context, self._other = site, context, other

    def __enter__(self) -> Any:
        return self._context.__enter__()

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        try:
            held = bool(self._context.__exit__(kind, error, traceback)) or kind is None
        except BaseException:  # nothing was raised, or not what was expected
            held = False
        if self._other is not None:
            held = kind is not None and issubclass(kind, self._other)
        etalon_note(self._site, held)
        return True


class etalon_tries:  # noqa: N801
    """Around a statement that ends without an exception if it holds."""

    def __init__(self, site: int) -> None:
        self._site = site

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        etalon_note(self._site, kind is None)
        return kind is None or issubclass(kind, Exception)


_repr = repr
etalon_builtins = types.SimpleNamespace(**vars(builtins))  # whatever a program calls so, or makes of them


def written() -> bytes:
    """What was noted, as JSON: by site, the counts. By hand, because the encoder would touch pages of its own."""
    return b"{" + b", ".join(b'"%d": %s' % (site, _repr(counts).encode()) for site, counts in seen.items()) + b"}"


NAMES = {name: value for name, value in globals().items() if name.startswith("etalon_")}
