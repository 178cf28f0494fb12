"""What checks may call instead of `assert`, in the process of the program: it notes, and never stops. Standard library
only.

Nothing here is a secret, and a program may spoil all of it: the notes pay only where they tell altered checks from
others, see `etalon.verifiers.code.assertions.trial`.
"""

from __future__ import annotations

from typing import Any

seen: dict[int, list[int]] = {}


def etalon_note(site: int, value: Any) -> bool:
    """Count whether a check held."""
    held = bool(value)
    seen.setdefault(site, [0, 0])[held] += 1
    return True


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


def etalon_equals_other(left: Any, right: Any) -> bool:
    """Whether `left` equals something that differs from `right`, too."""
    try:
        return bool(left == etalon_other(right))
    except Exception:  # compared with something that it does not know
        return False


def etalon_other(value: Any) -> Any:
    """A value of the same kind that differs from it; of a kind of its own if there is none."""
    kind = type(value)
    if kind is bool:
        return not value
    if kind in (int, float, complex):
        return value + 7
    if kind is str:
        return value + "s"
    if kind in (list, tuple):
        return kind([*value, object()])
    if kind is dict:
        return {**value, object(): 0}
    return kind([*value, object()]) if kind in (set, frozenset) else object()


NAMES = {name: value for name, value in globals().items() if name.startswith("etalon_")}
