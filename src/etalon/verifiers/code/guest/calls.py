"""Beside a program: makes the calls that the checks need and packs what they return.

call {ref, path, args, kwargs} -> {ok: result, after?: arguments that changed} or {error: exception's name, text}

path: a name of the program, or "#ref" of an earlier result, then attributes. An argument {"ref": ..} is that result.
"""

from __future__ import annotations

from typing import Any

from etalon.verifiers.code.guest.values import pack, unpack

program: dict[str, Any] = {}  # its names; set from outside
_results: dict[str, Any] = {}


def etalon_call(call: dict[str, Any]) -> dict[str, Any]:
    arguments = [_argument(packed) for packed in call["args"]]
    named = {name: _argument(packed) for name, packed in call["kwargs"].items()}
    try:
        target = _target(call["path"])
        result = _results[call["ref"]] = target(*arguments, **named)
        packed = pack(result)
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)[:200]}
    after = [pack(argument) for argument in arguments]
    changed = {str(k): now for k, (now, before) in enumerate(zip(after, call["args"], strict=True)) if now != before}
    return {"ok": packed, "after": changed} if changed else {"ok": packed}


def _argument(packed: Any) -> Any:
    return _results[packed["ref"]] if isinstance(packed, dict) and "ref" in packed else unpack(packed)


def _target(path: list[str]) -> Any:
    first, *attributes = path
    if not first.startswith("#") and first not in program:
        raise NameError(f"name {first!r} is not defined")
    target = _results[first[1:]] if first.startswith("#") else program[first]
    for attribute in attributes:
        target = getattr(target, attribute)
    return target
