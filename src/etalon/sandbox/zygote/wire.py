"""Messages between the checks and the program of a functional test: frames of JSON. Standard library only.

    value      JSON as it is: null, true, numbers, text, lists
    others     {tag: content}, see Codec; a mapping of the program is {"d": [[key, value], ...]}
    objects    {"theirs": number} of the sender, {"yours": number} of the reader, {"record": number} by value

Nothing that arrives is code, and nothing is imported for it but names of `SHARED` modules that the reader has anyway.
Results in a table, without a process to ask, have a codec of their own (`verifiers.code.guest.values`), for reasons in
docs/verifiers.md.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections import Counter, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any

MANY_BITS = 13_000  # (ours) below the 4300 digits that an interpreter converts to text
TIMES = ("date", "time", "datetime", "timedelta")
SHARED = frozenset(
    {
        "bisect", "builtins", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq",
        "itertools", "math", "operator", "random", "re", "statistics", "string", "typing",
    }
)  # fmt: skip

MOST_ITEMS = 1_000_000  # (ours) taken from an iterator that is returned
_SEQUENCES: Any = (range, deque, type({}.keys()), type({}.values()), type({}.items()))

_dumps, _loads, _read, _write, _pack, _unpack = json.dumps, json.loads, os.read, os.write, struct.pack, struct.unpack


class WireError(Exception):
    """A value that cannot be sent, or a message that makes no sense."""


class Channel:
    """Frames of bytes over a socket: four bytes of length, then as many bytes."""

    def __init__(self, descriptor: int, most_bytes: int) -> None:
        self._descriptor, self._most_bytes = descriptor, most_bytes

    def send(self, content: bytes) -> None:
        frame = memoryview(_pack("=I", len(content)) + content)
        while frame:
            frame = frame[_write(self._descriptor, frame) :]

    def receive(self) -> bytes:
        """Raises EOFError when the other side is gone, WireError when it sends too much."""
        (size,) = _unpack("=I", self._exactly(4))
        if size > self._most_bytes:
            raise WireError("the message is too long")
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        chunks = []
        while size > 0:
            try:
                chunk = _read(self._descriptor, min(size, 1 << 20))
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise EOFError
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)


class Codec:
    """Values to JSON documents and back. A subclass says how objects that JSON lacks are named and found."""

    def encode_object(self, value: Any) -> Any:
        """A document for anything that has no plain form."""
        raise WireError(f"a {type(value).__name__} cannot be sent")

    def decode_object(self, tag: str, content: Any) -> Any:
        raise WireError(f"unknown tag {tag}")

    def encode(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is float or kind is str:
            return value
        if kind is int:
            return value if value.bit_length() < MANY_BITS else {"int": hex(value)}
        if kind is list:
            return [self.encode(element) for element in value]
        encoder = _ENCODERS.get(kind)
        if encoder is not None:
            return encoder(self, value)
        return self._encode_other(value)

    def _encode_other(self, value: Any) -> Any:
        if type(value).__module__.partition(".")[0] == "numpy" and "numpy" in sys.modules:
            return self._encode_array(value)
        bases: tuple[Any, ...] = (bool, int, float, str, bytes, list, tuple)
        for base in bases:  # of named tuples, and numbers with a name
            if isinstance(value, base):
                return self.encode(base(value))
        if isinstance(value, dict):
            return self.encode(dict(value))
        if type(value).__module__ == "datetime" and type(value).__name__ in TIMES:
            return _encode_time(value)
        return self.encode_object(value)

    def _encode_array(self, value: Any) -> Any:
        numpy = sys.modules["numpy"]
        if isinstance(value, numpy.generic):
            return self.encode(value.item())
        if isinstance(value, numpy.ndarray) and value.dtype.kind in "biufc":
            return {"array": [self.encode(value.tolist()), str(value.dtype)]}
        return self.encode_object(value)

    def decode(self, document: Any) -> Any:
        if isinstance(document, list):
            return [self.decode(element) for element in document]
        if not isinstance(document, dict):
            return document
        if len(document) != 1:
            raise WireError("a tag must stand alone")
        ((tag, content),) = document.items()
        decoder = _DECODERS.get(tag)
        try:
            return decoder(self, content) if decoder else self.decode_object(tag, content)
        except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise WireError(f"{tag}: {error}") from None

    def dumps(self, document: Any) -> bytes:
        try:
            return _dumps(document).encode()
        except (TypeError, ValueError) as error:
            raise WireError(str(error)) from None

    def loads(self, content: bytes) -> Any:
        try:
            return _loads(content)
        except (ValueError, RecursionError) as error:
            raise WireError(f"no JSON: {type(error).__name__}") from None


def _encode_time(value: Any) -> dict[str, list[Any]]:
    kind = type(value).__name__
    if kind == "timedelta":
        return {"time": [kind, [value.days, value.seconds, value.microseconds]]}
    return {"time": [kind, value.isoformat()]}


def _time(codec: Codec, content: Any) -> Any:
    import datetime  # a library of its own, that few programs need

    kind, parts = content
    if kind not in TIMES:
        raise WireError(f"no time {kind}")
    found = getattr(datetime, kind)
    return found(*parts) if kind == "timedelta" else found.fromisoformat(parts)


def _pairs(codec: Codec, value: Any) -> list[Any]:
    return [[codec.encode(key), codec.encode(content)] for key, content in value.items()]


def _mapping(codec: Codec, content: Any) -> list[tuple[Any, Any]]:
    return [(codec.decode(key), codec.decode(value)) for key, value in content]


def _array(codec: Codec, content: Any) -> Any:
    numpy = sys.modules.get("numpy")
    values, dtype = codec.decode(content[0]), content[1]
    return values if numpy is None else numpy.array(values, dtype=numpy.dtype(str(dtype)))


_ENCODERS: dict[type, Any] = {
    tuple: lambda codec, value: {"tuple": [codec.encode(element) for element in value]},
    set: lambda codec, value: {"set": [codec.encode(element) for element in value]},
    frozenset: lambda codec, value: {"frozenset": [codec.encode(element) for element in value]},
    dict: lambda codec, value: {"d": _pairs(codec, value)},
    Counter: lambda codec, value: {"counter": _pairs(codec, value)},
    defaultdict: lambda codec, value: {"d": _pairs(codec, value)},
    deque: lambda codec, value: {"deque": [codec.encode(element) for element in value]},
    bytes: lambda codec, value: {"bytes": value.decode("latin-1")},
    bytearray: lambda codec, value: {"bytearray": value.decode("latin-1")},
    complex: lambda codec, value: {"complex": [value.real, value.imag]},
    range: lambda codec, value: {"range": [value.start, value.stop, value.step]},
    Fraction: lambda codec, value: {"fraction": [codec.encode(value.numerator), codec.encode(value.denominator)]},
    Decimal: lambda codec, value: {"decimal": str(value)},
    type(Ellipsis): lambda codec, value: {"ellipsis": 0},
}

_DECODERS: dict[str, Any] = {
    "int": lambda codec, content: int(content, 16),
    "tuple": lambda codec, content: tuple(codec.decode(element) for element in content),
    "set": lambda codec, content: {codec.decode(element) for element in content},
    "frozenset": lambda codec, content: frozenset(codec.decode(element) for element in content),
    "d": lambda codec, content: dict(_mapping(codec, content)),
    "counter": lambda codec, content: Counter(dict(_mapping(codec, content))),
    "deque": lambda codec, content: deque(codec.decode(element) for element in content),
    "bytes": lambda codec, content: content.encode("latin-1"),
    "bytearray": lambda codec, content: bytearray(content.encode("latin-1")),
    "complex": lambda codec, content: complex(*content),
    "range": lambda codec, content: range(*content),
    "fraction": lambda codec, content: Fraction(*map(codec.decode, content)),
    "decimal": lambda codec, content: Decimal(content),
    "array": _array,
    "time": _time,
    "ellipsis": lambda codec, content: ...,
}


def to_json(value: Any, depth: int = 0) -> Any:
    """The value in JSON types: tuples, iterators and views as lists; what else JSON lacks is a TypeError."""
    if depth > 200:
        raise TypeError("the result is nested too deeply")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (list, tuple)):
        return [to_json(element, depth + 1) for element in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _dumps(key): to_json(v, depth + 1) for key, v in value.items()}
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return to_json(value.tolist(), depth + 1)
    if isinstance(value, _SEQUENCES) or hasattr(type(value), "__next__"):
        return [to_json(element, depth + 1) for element in islice(value, MOST_ITEMS)]
    raise TypeError(f"the result holds a {type(value).__name__}, which is not JSON")
