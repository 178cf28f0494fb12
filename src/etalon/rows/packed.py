"""The bytes of a file as they were before packing; gzip and zstd are told by their first bytes, not by a name."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from pathlib import Path
from typing import Any, cast

from etalon.errors import InputError

GZIP, ZSTD, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
MARK = b"\xef\xbb\xbf"  # UTF-8's byte order mark, which Windows writes
OTHERS = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"ARROW1": "an Arrow file",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
EXPECTED = "expected JSONL, a JSON array, CSV or parquet, plain or packed by gzip or zstd"
BLOCK = 1 << 17
MOST_INFLATED = 1 << 28  # (ours) 256 MB of text in one cell: a bomb is no row


def name_of(file: str | Path) -> str:
    """What messages call a file; "-" is standard input."""
    return "standard input" if str(file) == "-" else str(file)


def opened(file: str | Path) -> io.BufferedReader:
    """The bytes of a file, or of standard input for "-", as they are; InputError when they cannot be had."""
    try:
        return open(sys.stdin.fileno() if str(file) == "-" else file, "rb", closefd=str(file) != "-")
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{file}: is a directory; name a JSONL file") from None


def inflated(packed: bytes) -> str | None:
    """The text in a zlib stream; None where it is none, or more than MOST_INFLATED bytes."""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, MOST_INFLATED)
        return content.decode() if stream.eof else None
    except (zlib.error, UnicodeDecodeError):
        return None


def start_of(stream: io.BufferedReader) -> bytes:
    """The first bytes of what is still to be read, as many as are there; they stay."""
    return stream.peek(64)[:64]


def unpacked(name: str, stream: io.BufferedReader) -> io.BufferedReader:
    """The stream itself, or what is packed in it; InputError for what is no file of rows."""
    start = start_of(stream)
    if start.startswith(GZIP):
        stream = io.BufferedReader(_Gzip(stream), BLOCK)
    elif start.startswith(ZSTD):
        stream = io.BufferedReader(_Zstd(name, stream), BLOCK)
    start = start_of(stream)
    if found := next((kind for magic, kind in OTHERS.items() if start.startswith(magic)), None):
        raise InputError(f"{name}: is {found}; {EXPECTED}")
    if start.startswith((GZIP, ZSTD)):
        raise InputError(f"{name}: is packed twice; unpack it once")
    return stream


class _Gzip(io.RawIOBase):
    """What is packed in a gzip stream; all that is in front of a damage is read before the error comes."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._file = gzip.GzipFile(fileobj=stream, mode="rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read1(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class _Zstd(io.RawIOBase):
    """What is packed in a zstd stream, all its frames; EOFError where it is cut, which the library passes over."""

    def __init__(self, name: str, stream: io.BufferedReader) -> None:
        try:
            import zstandard
        except ImportError:
            raise InputError(f"{name}: packed by zstd, which needs zstandard; run: pip install zstandard") from None
        self._new_frame = zstandard.ZstdDecompressor().decompressobj
        self._error: type[Exception] = zstandard.ZstdError
        self._stream, self._frame = stream, cast(Any, None)
        self._packed, self._ready = b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            packed = self._packed or self._stream.read1(BLOCK)
            self._packed = b""
            if not packed:
                if self._frame is not None:
                    raise EOFError("the last zstd frame is cut")
                return 0
            self._frame = self._frame or self._new_frame()
            try:
                self._ready = self._frame.decompress(packed)
            except self._error as error:
                raise EOFError(str(error)) from None
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size
