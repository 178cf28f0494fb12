"""In place of a program: something that agrees with all that checks ask, to see whether they fail by themselves."""

from __future__ import annotations

import signal
import sys
import types
from typing import Any

SECONDS = 4.0  # (ours) CPU time of the checks
MOST_TRUTHS = 1000  # (ours) `while node: node = node.next` would never end otherwise
FORGIVEN = (AssertionError, NameError)  # of checks that a program would have led elsewhere


class Slow(BaseException):
    """The checks took too long."""


class Anything:
    """A function, a class, a result: whatever it is asked, it agrees, and notes that it was asked."""

    touched = False
    truths = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def _itself(self, *arguments: Any, **named: Any) -> Any:
        Anything.touched = True
        return self

    def _yes(self, *arguments: Any) -> bool:
        Anything.touched = True
        return True

    def _zero(self, *arguments: Any) -> int:
        Anything.touched = True
        return 0

    def _nothing(self, *arguments: Any) -> Any:
        Anything.touched = True
        return iter(())

    def __bool__(self) -> bool:
        Anything.touched = True
        Anything.truths += 1
        return Anything.truths <= MOST_TRUTHS

    def __getattr__(self, name: str) -> Any:
        Anything.touched = True
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __mro_entries__(self, bases: Any) -> Any:
        Anything.touched = True
        return (Anything,)

    def __float__(self) -> float:
        Anything.touched = True
        return 0.0

    def __str__(self) -> str:
        Anything.touched = True
        return ""

    async def _awaited(self) -> Any:
        return self

    def __await__(self) -> Any:
        Anything.touched = True
        return self._awaited().__await__()

    __call__ = __enter__ = __getitem__ = __setitem__ = __delitem__ = __next__ = _itself
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _itself
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __matmul__ = __neg__ = __abs__ = __round__ = _itself
    __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = __lshift__ = __rshift__ = __invert__ = _itself
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __exit__ = _yes
    __hash__ = __len__ = __int__ = __index__ = _zero
    __iter__ = _nothing


def etalon_alone(order: dict[str, Any]) -> str:
    """{code, names} -> how the checks fail before they ask anything, or whatever they ask; "" if they do not."""

    def stop(*_: Any) -> None:
        raise Slow

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    sys.modules["solution"] = Solution("solution")
    namespace: dict[str, Any] = {name: value for name, value in globals().items() if name.startswith("etalon_")}
    namespace |= {"__name__": "solution", **{name: Anything() for name in order["names"]}}
    try:
        exec(compile(order["code"], "tests.py", "exec"), namespace)  # noqa: S102
    except ImportError as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    except BaseException as error:
        if Anything.touched or isinstance(error, FORGIVEN):
            return ""
        return f"{type(error).__name__}: {str(error)[:200]}" if not isinstance(error, Slow) else "timeout"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


class Solution(types.ModuleType):
    __all__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()
