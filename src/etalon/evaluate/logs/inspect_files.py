"""The bytes of inspect's logs: its header, and its samples one at a time, from a zip of JSON or from one JSON object.

    header.json               {version, status, eval, plan, results, ...}
    _journal/start.json       {version, eval, plan}, of a run that has not ended
    samples/ID_epoch_N.json   one sample

    {"version": 2, ..., "samples": [...], ...}

Members are read in memory, one at a time, and never written. inspect packs them by zstd, which needs `zstandard`.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from etalon.errors import InputError
from etalon.evaluate.logs.log import UnreadableLogError
from etalon.rows import arrays
from etalon.rows.bad import shown
from etalon.rows.files import Row, row_of

VERSION = 2
MAX_MEMBER_BYTES = 256 << 20  # (ours) of one member, packed or unpacked: a sample with its events
MAX_TOTAL_BYTES = 64 << 30  # (ours) of all members, unpacked
MAX_HEADER_BYTES = 64 << 20  # (ours) of what stands before the samples of a .json
ZSTD = 93  # the method's number in a zip
HEADERS = ("header.json", "_journal/start.json")
_BEFORE_SAMPLES = b'\n  "samples": '
_LOCAL = struct.Struct("<4s22xHH")  # of a zip's member: signature, lengths of name and extra field


def is_inspect(path: Path) -> bool:
    """Whether a file is a log of inspect, of whatever version; UnreadableLogError for a zip that cannot be read."""
    if _is_zip(path):
        with _archive(path) as (archive, _):
            return not set(HEADERS).isdisjoint(archive.namelist())
    with open(path, "rb") as stream:
        start = stream.read(4096)
    return start.lstrip().startswith(b"{") and b'"version"' in start[:64] and b'"eval"' in start


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def rows(path: Path) -> Iterator[Row]:
    """The samples of a log, one after the other, each as a row."""
    return _eval_rows(path) if _is_zip(path) else _json_rows(path)


def header(path: Path) -> Mapping[str, Any]:
    """What a log says before its samples; InputError for another version than 2."""
    found = _eval_header(path) if _is_zip(path) else _json_header(path)
    if not isinstance(found, dict) or not isinstance(found.get("eval"), dict):
        raise UnreadableLogError(f"{path}: its header has no eval, as a log of inspect has")
    if found.get("version") != VERSION:
        raise UnreadableLogError(
            f"{path}: is an inspect log of version {shown(found.get('version'))}; version {VERSION} is read: "
            "let inspect log convert write it again"
        )
    return found


def _eval_header(path: Path) -> Any:
    with _archive(path) as (archive, stream):
        name = next((name for name in HEADERS if name in archive.NameToInfo), None)
        if name is None:
            raise UnreadableLogError(f"{path}: has no {HEADERS[0]}, as a log of inspect has")
        return _parsed(path, name, _member(path, archive, stream, name))


def _eval_rows(path: Path) -> Iterator[Row]:
    with _archive(path) as (archive, stream):
        for name in archive.namelist():
            if name.startswith("samples/") and name.endswith(".json"):
                try:
                    content = _member(path, archive, stream, name)
                except UnreadableLogError:
                    raise
                except InputError as error:
                    yield Row(name, None, str(error))
                else:
                    yield row_of(name, content)


@contextmanager
def _archive(path: Path) -> Iterator[tuple[zipfile.ZipFile, BinaryIO]]:
    """A zip and its bytes; refused where its members come to more than a log does."""
    with open(path, "rb") as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise UnreadableLogError(f"{path}: is a damaged zip: {error}") from None
        total = sum(info.file_size for info in archive.infolist())
        if total > MAX_TOTAL_BYTES:
            raise UnreadableLogError(f"{path}: unpacks to {total:,} bytes; logs of up to {MAX_TOTAL_BYTES:,} are read")
        yield archive, stream


def _member(path: Path, archive: zipfile.ZipFile, stream: BinaryIO, name: str) -> bytes:
    """The content of a member; InputError where it is damaged, UnreadableLogError where no sample is that large."""
    info = archive.NameToInfo[name]
    if (size := max(info.file_size, info.compress_size)) > MAX_MEMBER_BYTES:
        raise UnreadableLogError(f"{path}: {name} has {size:,} bytes; members of up to {MAX_MEMBER_BYTES:,} are read")
    try:
        content = _unzstd(path, stream, info) if info.compress_type == ZSTD else archive.read(info)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        struct.error,
    ) as error:
        raise InputError(f"damaged: {error}") from None
    if len(content) != info.file_size:
        raise InputError(f"damaged: does not unpack to the {info.file_size:,} bytes that it says")
    return content


def _unzstd(path: Path, stream: BinaryIO, info: zipfile.ZipInfo) -> bytes:
    """A member that zipfile cannot unpack, and one byte more than it says at most."""
    try:
        import zstandard
    except ImportError:
        raise UnreadableLogError(f"{path}: packed by zstd, which needs zstandard; run: pip install zstandard") from None
    stream.seek(info.header_offset)
    _, name_length, extra_length = _LOCAL.unpack(stream.read(_LOCAL.size))
    stream.seek(name_length + extra_length, io.SEEK_CUR)
    packed = io.BytesIO(stream.read(info.compress_size))
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
            return bytes(reader.read(info.file_size + 1))
    except zstandard.ZstdError as error:
        raise EOFError(str(error)) from None


def _json_header(path: Path) -> Any:
    with open(path, "rb") as stream:
        before = _before_samples(stream)
    if before is None:
        return _whole_json(path)
    return _parsed(path, "what stands before its samples", before.rstrip().rstrip(b",") + b"}")


def _json_rows(path: Path) -> Iterator[Row]:
    with open(path, "rb") as stream:
        before = _before_samples(stream)
        if before is None:
            listed = _whole_json(path).get("samples")
            for number, sample in enumerate(listed if isinstance(listed, list) else [], start=1):
                yield row_of(f"row {number}", json.dumps(sample).encode())
            return
        stream.seek(len(before) + len(_BEFORE_SAMPLES))
        try:
            for number, (_, element) in enumerate(arrays.elements(stream), start=1):
                yield row_of(f"row {number}", element)
        except EOFError as error:
            raise UnreadableLogError(f"{path}: is cut: {error}") from None
        except ValueError:  # the rest of the object stands behind the array
            return


def _before_samples(stream: BinaryIO) -> bytes | None:
    """What stands before the list of samples as inspect writes it, indented by two; None where there is no such."""
    before = b""
    while len(before) < MAX_HEADER_BYTES and (block := stream.read(1 << 16)):
        before += block
        if (at := before.find(_BEFORE_SAMPLES + b"[")) >= 0:
            return before[:at]
    return None


def _whole_json(path: Path) -> Mapping[str, Any]:
    size = path.stat().st_size
    if size > MAX_MEMBER_BYTES:
        raise UnreadableLogError(f"{path}: {size:,} bytes of JSON that is not indented as inspect does; use .eval")
    found = _parsed(path, "it", path.read_bytes())
    return found if isinstance(found, dict) else {}


def _parsed(path: Path, what: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableLogError(f"{path}: {what} is not valid JSON: {error}") from None
