"""How long a program may run and how much memory it may take, as data sets state it.

time_limit    2.0 | "2.0 seconds" (TACO) | {seconds: 1, nanos: 500000000} (CodeContests)
memory_limit  256 | "256.0 megabytes";   memory_limit_bytes  256000000
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TIMES = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "min": 60.0, "minute": 60.0} | {
    "minutes": 60.0, "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
}  # fmt: skip
SIZES = {"b": 1e-6, "bytes": 1e-6, "kb": 1e-3, "kib": 1e-3, "kilobytes": 1e-3, "mb": 1.0, "mib": 1.0, "m": 1.0} | {
    "megabyte": 1.0, "megabytes": 1.0, "gb": 1024.0, "gib": 1024.0, "gigabyte": 1024.0, "gigabytes": 1024.0,
}  # fmt: skip
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def limits_of(row: Mapping[str, Any]) -> dict[str, float]:
    """{time_limit_s, memory_limit_mb} of a row, without what it does not state; 0 states nothing."""
    megabytes = _stated(row.get("memory_limit"), SIZES)
    if not megabytes and (size := _number(row.get("memory_limit_bytes"))):
        megabytes = size / (1 << 20) if size % (1 << 20) == 0 else size / 1e6
    stated = {"time_limit_s": _seconds(row.get("time_limit")), "memory_limit_mb": megabytes}
    return {name: int(value) if value == int(value) and name[0] == "m" else value for name, value in stated.items()
            if value}  # fmt: skip


def _seconds(value: Any) -> float:
    if isinstance(value, Mapping):
        return _number(value.get("seconds")) + _number(value.get("nanos")) / 1e9
    return _stated(value, TIMES)


def _stated(value: Any, units: Mapping[str, float]) -> float:
    if isinstance(value, str):
        found = _QUANTITY.match(value)
        factor = units.get(found[2].lower(), 0.0 if found[2] else 1.0) if found else 0.0
        return float(found[1]) * factor if found else 0.0
    return _number(value)


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0
