"""Both replies as JSON schemas, for servers that enforce `response_format`. Each is a set of further body fields."""

from __future__ import annotations

from typing import Any


def generation_schema(m: int) -> dict[str, Any]:
    """The solution, then the answer, then M claims: in the order in which they are thought."""
    properties = {
        "solution": {"type": "string"},
        "answer": {"type": "string"},
        "claims": {"type": "array", "items": {"type": "string"}, "minItems": m, "maxItems": m},
    }
    return _response_format("clr_answer", properties)


def verification_schema(count: int) -> dict[str, Any]:
    """The examination, then one verdict per claim."""
    verdict = {"type": "string", "enum": ["valid", "refuted"]}
    properties = {
        "examination": {"type": "string"},
        "verdicts": {"type": "array", "items": verdict, "minItems": count, "maxItems": count},
    }
    return _response_format("clr_verdicts", properties)


def _response_format(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "extra": {
            "response_format": {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
        }
    }
