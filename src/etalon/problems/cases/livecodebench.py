"""LiveCodeBench's tests: public ones as JSON, private ones as base64(zlib(pickle(JSON))).

Of the pickle only the text is read: nothing in it is executed, no class of it is looked up.
"""

from __future__ import annotations

import base64
import io
import pickle
import zlib
from collections.abc import Mapping
from typing import Any

from etalon.problems.cases.reading import BadRowError, read_json

MAX_BYTES = 1 << 28  # (ours) 256 MB of unpacked tests: a bomb is not a test


class _TextOnly(pickle.Unpickler):
    """Refuses every class and function, so that loading can build plain values only."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise BadRowError(f"private_test_cases: the pickle asks for {module_name}.{global_name}")


def is_livecodebench(row: Mapping[str, Any]) -> bool:
    return "public_test_cases" in row or "private_test_cases" in row


def read_livecodebench(row: Mapping[str, Any]) -> dict[str, Any]:
    """{inputs, outputs, fn_name} with public and private tests in order; raises BadRowError."""
    cases: list[Any] = []
    for column in ("public_test_cases", "private_test_cases"):
        found = _livecodebench_cases(column, row.get(column))
        if not isinstance(found, list) or not all(isinstance(case, dict) for case in found):
            raise BadRowError(f"{column}: expected a list of {{input, output, testtype}}")
        cases += found
    metadata = read_json("metadata", row.get("metadata") or {})
    function = metadata.get("func_name") if isinstance(metadata, dict) else None
    is_call = any(case.get("testtype") == "functional" for case in cases)
    if is_call and not function:
        raise BadRowError("metadata: functional tests without func_name")
    starter = row.get("starter_code")
    return {
        **({"starter_code": starter} if is_call and isinstance(starter, str) and starter else {}),
        "inputs": [case.get("input") for case in cases],
        "outputs": [case.get("output") for case in cases],
        "fn_name": function if is_call else None,
    }


def _livecodebench_cases(column: str, value: Any) -> Any:
    if not value:
        return []
    if column == "private_test_cases" and isinstance(value, str) and not value.lstrip().startswith("["):
        value = _unpack(value)
    return read_json(column, value)


def _unpack(value: str) -> Any:
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(base64.b64decode(value, validate=True), MAX_BYTES)
        if unpacker.unconsumed_tail:
            raise BadRowError("private_test_cases: too large")
        return _TextOnly(io.BytesIO(content)).load()
    except BadRowError:
        raise
    except Exception as error:  # a malformed pickle raises anything
        raise BadRowError(f"private_test_cases: {error}") from error
