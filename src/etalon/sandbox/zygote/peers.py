"""The two sides of a functional test, and how objects of one are named by the other. Standard library only.

    checks   (ChecksSide)   hold the expected values and the nonce; call the program by messages
    program  (ProgramSide)  holds nothing but itself; answers with values

What is not a plain value crosses as a name: `Remote` stands for an object of the other side. A remote object takes no
part in comparisons or arithmetic with values of the checks, so that none can equal whatever it is compared with.
Instances of classes that the checks define (list and tree nodes) cross by value, as records.
"""

from __future__ import annotations

import builtins
import signal
import types
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from etalon.sandbox.zygote.wire import SHARED, Channel, Codec, WireError
else:  # a sibling file of the zygote, see forkserver
    from wire import SHARED, Channel, Codec, WireError

NOT_RAISED_AGAIN = (StopIteration, StopAsyncIteration, GeneratorExit, Warning)
_setattr = object.__setattr__


class GoneError(BaseException):
    """The program ended, or talks nonsense: nothing that checks could catch by accident."""


class ProgramError(Exception):
    """An exception of the program whose class the checks do not know."""


class UnsendableError(WireError):
    """The checks hand the program something that has no form here: undecided."""


class Remote:
    """An object of the program, as the checks see it."""

    __slots__ = ("_number", "_peer")

    def __init__(self, peer: Peer, number: int) -> None:
        _setattr(self, "_peer", peer)
        _setattr(self, "_number", number)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._peer.ask("call", self, list(arguments), named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__name__":
            raise AttributeError(name)
        return self._peer.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._peer.ask("set", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._peer.ask("item", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._peer.ask("set_item", self, key, value)

    def __len__(self) -> int:
        return int(self._peer.ask("len", self))

    def __iter__(self) -> Any:
        iterator = self._peer.ask("iter", self)
        while found := self._peer.ask("next", iterator):
            yield found[0]

    def __next__(self) -> Any:
        found = self._peer.ask("next", self)
        if not found:
            raise StopIteration
        return found[0]

    def __contains__(self, value: Any) -> bool:
        return any(element == value for element in self)  # compared here: the program must not learn the value

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return str(self._peer.ask("str", self))

    def __repr__(self) -> str:
        return str(self._peer.ask("repr", self))

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, Remote) and self._peer.ask("instance", self, value) is True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and self._peer.ask("equal", self, other) is True

    def __hash__(self) -> int:
        return hash(self._number)


class Peer(Codec):
    """One side: sends requests, and serves those of the other side while it waits."""

    operations: ClassVar[dict[str, Any]] = {}
    takes_shared = False  # whether functions of the standard library may arrive by name

    def __init__(self, channel: Channel, namespace: dict[str, Any]) -> None:
        self.channel, self.namespace = channel, namespace
        self._own: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._records: list[Any] = []
        self._record_numbers: dict[int, int] = {}

    def pack(self, *values: Any) -> bytes:
        """Values and the records they hold; a record may hold others, so the list grows while it is read."""
        self._records, self._record_numbers = [], {}
        documents, fields, at = [self.encode(value) for value in values], [], 0
        while at < len(self._records):
            record = self._records[at]
            fields.append([type(record).__name__, [[k, self.encode(v)] for k, v in _fields(record)]])
            at += 1
        return self.dumps([documents, fields])

    def unpack(self, content: bytes) -> list[Any]:
        message = self.loads(content)
        try:
            documents, fields = message
            self._records = [self.new_record(name) for name, _ in fields]
            for record, (_, pairs) in zip(self._records, fields, strict=True):
                for name, document in pairs:
                    _setattr(record, str(name), self.decode(document))
            return [self.decode(document) for document in documents]
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise WireError(f"{type(error).__name__} in a message") from None

    def new_record(self, name: str) -> Any:
        raise WireError(f"no record {name}")

    def export(self, value: Any) -> dict[str, int]:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._own)
            self._own.append(value)  # keeps it alive, so its id stays its own
        return {"theirs": number}

    def encode_record(self, value: Any) -> dict[str, int]:
        number = self._record_numbers.setdefault(id(value), len(self._records))
        if number == len(self._records):
            self._records.append(value)
        return {"record": number}

    def encode_object(self, value: Any) -> Any:
        if isinstance(value, Remote):
            return {"yours": value._number}
        return self.export(value)

    def decode_object(self, tag: str, content: Any) -> Any:
        if type(content) is int and content >= 0:
            if tag == "theirs":
                return Remote(self, content)
            if tag == "yours" and content < len(self._own):
                return self._own[content]
            if tag == "record" and content < len(self._records):
                return self._records[content]
        if tag == "shared" and self.takes_shared:
            return shared_name(*content)
        raise WireError(f"{tag}: {str(content)[:50]}")

    def ask(self, operation: str, *arguments: Any) -> Any:
        """The answer of the other side, raising what it raised."""
        sent = self.pack("ask", operation, *arguments)
        self.channel.send(sent)
        while True:
            kind, *rest = self.unpack(self.channel.receive())
            if kind == "ask":
                self.serve(rest)
            elif kind == "answer" and len(rest) == 2:
                if rest[1] is not None:
                    merged(list(arguments), rest[1])
                return rest[0]
            elif kind == "raise" and len(rest) == 2:
                raise _exception(str(rest[0]), str(rest[1]))
            else:
                raise WireError("neither a question nor an answer")

    def serve(self, question: list[Any]) -> None:
        """Answer one question; what its operation raises is the answer."""
        name, *arguments = question
        before = self.pack(arguments) if name == "call" and self._can_change(arguments) else None
        try:
            value = self.operations[name](self, *arguments)
            answer = self.pack("answer", value, self._changed(before, arguments))
        except Exception as error:
            answer = self.pack("raise", type(error).__name__, _words(error))
        self.channel.send(answer)

    def _changed(self, before: bytes | None, arguments: list[Any]) -> list[Any] | None:
        """The arguments, if the call changed any: the caller's own are given the same content."""
        return None if before is None or self.pack(arguments) == before else arguments

    def _can_change(self, arguments: list[Any]) -> bool:
        _, positional, named = arguments
        return not all(map(_is_plain, (*positional, *named.values())))


class ProgramSide(Peer):
    """The side of the untrusted program: whoever runs here can answer anything, and knows no expected value."""

    takes_shared = True

    def __init__(self, channel: Channel, namespace: dict[str, Any]) -> None:
        super().__init__(channel, namespace)
        self._shared_classes: frozenset[str] = frozenset()

    def encode_object(self, value: Any) -> Any:
        if type(value).__name__ in self._shared_classes and not isinstance(value, (Remote, type)):
            return self.encode_record(value)
        return super().encode_object(value)

    def new_record(self, name: str) -> Any:
        kind = self.namespace.get(name)
        if not isinstance(kind, type):
            kind = self.namespace[name] = type(name, (), {})
        return object.__new__(kind)

    def names(self, names: list[str], records: list[str]) -> dict[str, Any]:
        """What the program calls by these names: ("module", name), ("shared", module, name) or ("value", value)."""
        self._shared_classes = frozenset(records)
        found: dict[str, Any] = {}
        for name in names:
            if name not in self.namespace:
                continue
            value = self.namespace[name]
            if isinstance(value, types.ModuleType):
                found[name] = ("module", value.__name__)
            elif (shared := _shared_as(value)) is not None:
                found[name] = ("shared", *shared)
            else:
                found[name] = ("value", value)
        return found

    operations: ClassVar[dict[str, Any]] = {
        "names": names,
        "call": lambda peer, function, arguments, named: function(*arguments, **named),
        "get": lambda peer, value, name: getattr(value, name),
        "set": lambda peer, value, name, content: setattr(value, name, content),
        "item": lambda peer, value, key: value[key],
        "set_item": lambda peer, value, key, content: value.__setitem__(key, content),
        "len": lambda peer, value: len(value),
        "iter": lambda peer, value: iter(value),
        "next": lambda peer, iterator: next(([element] for element in iterator), []),
        "str": lambda peer, value: str(value),
        "repr": lambda peer, value: repr(value),
        "equal": lambda peer, one, other: one == other,
        "instance": lambda peer, kind, value: isinstance(value, kind),
    }


class ChecksSide(Peer):
    """The side of the checks.

    failure: what these messages cannot express. is_gone: the program ended or broke the rules.
    Either may be swallowed by an `except` of the checks, and must not become a pass by that.
    has_content: they hold values that the program chose, so that an error of theirs may come from those.
    """

    failure: UnsendableError | None = None
    is_gone = False
    has_content = False
    _raised: BaseException | None = None

    def has_raised(self, error: BaseException) -> bool:
        """Whether the program raised this, or led to it while it ran."""
        seen: BaseException | None = error
        while seen is not None and seen is not self._raised:
            seen = seen.__cause__ or seen.__context__
        return seen is not None

    def ask(self, operation: str, *arguments: Any) -> Any:
        """As of Peer, but once the program is gone or talks nonsense every question raises GoneError."""
        if operation != "names" and not self.has_content:
            self.has_content = True
            signal.setitimer(signal.ITIMER_PROF, 0)
        try:
            return super().ask(operation, *arguments)
        except (EOFError, BrokenPipeError, ConnectionResetError, WireError) as error:
            if isinstance(error, UnsendableError):
                raise
            self.is_gone = True
            raise GoneError(str(error)) from None
        except Exception as error:
            self._raised = error
            raise

    def encode_object(self, value: Any) -> Any:
        if isinstance(value, Remote):
            return super().encode_object(value)
        if isinstance(value, (types.FunctionType, types.MethodType)):
            return self.export(value)
        shared = _shared_as(value)
        if shared is not None:
            return {"shared": list(shared)}
        if self.namespace.get(type(value).__name__) is type(value):
            return self.encode_record(value)
        self.failure = UnsendableError(f"the checks pass a {type(value).__name__}")
        raise self.failure

    def new_record(self, name: str) -> Any:
        kind = self.namespace.get(name)
        if not isinstance(kind, type) or kind.__module__ != self.namespace["__name__"]:
            raise WireError(f"no record {name}")
        return object.__new__(kind)

    def call(self, function: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        if not isinstance(function, (types.FunctionType, types.MethodType)):
            raise TypeError("not a function of the checks")
        return function(*arguments, **named)

    operations: ClassVar[dict[str, Any]] = {"call": call}


def _shared_as(value: Any) -> tuple[str, str] | None:
    """Module and name of a function or class of the standard library."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if module not in SHARED or not isinstance(name, str):
        return None
    return (module, name) if getattr(__import__(module), name, None) is value else None


def shared_name(module: str, name: str) -> Any:
    """A function or class of the standard library, as both sides have it."""
    found = getattr(__import__(module), str(name), None) if module in SHARED else None
    if found is None:
        raise WireError(f"{module}.{name} is not shared")
    return found


def _fields(record: Any) -> list[tuple[str, Any]]:
    if hasattr(record, "__dict__"):
        return list(vars(record).items())
    names = [name for kind in type(record).__mro__ for name in getattr(kind, "__slots__", ())]
    return [(name, getattr(record, name)) for name in names if hasattr(record, name)]


def _is_plain(value: Any) -> bool:
    """Whether a call cannot change the value in place."""
    return isinstance(value, (type(None), bool, int, float, complex, str, bytes, range, Remote)) or callable(value)


def merged(old: Any, new: Any) -> Any:
    """`old` with the content of `new`, in place where both are of one kind; else `new`."""
    if type(old) is not type(new):
        return new
    if isinstance(old, list):
        old[:] = [merged(old[at], value) if at < len(old) else value for at, value in enumerate(new)]
    elif isinstance(old, dict):
        content = {key: merged(old.get(key), value) for key, value in new.items()}
        old.clear()
        old.update(content)
    elif isinstance(old, (set, deque)):
        old.clear()
        old.extend(new) if isinstance(old, deque) else old.update(new)
    elif isinstance(old, bytearray):
        old[:] = new
    elif not _is_plain(old) and not isinstance(old, tuple):
        for name, value in _fields(new):
            _setattr(old, name, value)
    else:
        return new
    return old


def _exception(name: str, words: str) -> BaseException:
    kind = getattr(builtins, name, None)
    is_known = isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, NOT_RAISED_AGAIN)
    if not is_known or kind in (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError):
        return ProgramError(f"{name}: {words}")
    assert kind is not None
    return kind(words)  # type: ignore[no-any-return]


def _words(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except BaseException:  # an untrusted __str__
        return ""
