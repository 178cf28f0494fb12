"""A chat request that asks for CLR: `model="clr-NAME"`, or a body field `clr` with {k, m, early, budgets}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from etalon.clr.flow import Early
from etalon.serve.api_error import ApiError
from etalon.serve.caps import ServeSettings
from etalon.types import Conversation, Message, SamplingParams

Body = TypeVar("Body", bound=BaseModel)
PREFIX = "clr-"
MAX_STOPS, MAX_STOP_CHARS = 16, 256  # (ours) strings that end a response, and the length of each
OWN_FIELDS = frozenset(
    ("model", "messages", "stream", "stream_options", "n", "clr", "temperature", "top_p", "max_tokens",
     "max_completion_tokens", "stop", "seed", "user", "metadata", "store", "response_format", "tool_choice",
     "parallel_tool_calls", "tools", "functions", "function_call", "logprobs", "best_of")
)  # fmt: skip
ROLES = {"developer": "system", "system": "system", "user": "user", "assistant": "assistant"}


class Budgets(BaseModel):
    """What one answer may cost at most; None is no limit."""

    model_config = ConfigDict(extra="forbid", strict=True)

    calls: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    money: float | None = Field(default=None, gt=0)


class PriceField(BaseModel):
    """Money per million tokens; needed for a budget of money."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)


class ClrField(BaseModel):
    """The body field `clr`; None for k and m is the proxy's own."""

    model_config = ConfigDict(extra="forbid", strict=True)

    k: int | None = Field(default=None, ge=2)
    m: int | None = Field(default=None, ge=1)
    early: Early = "exact"
    k_min: int = Field(default=2, ge=1)
    json_schema: bool = False
    budgets: Budgets = Budgets()
    price: PriceField | None = None


class ChatBody(BaseModel):
    """The fields of a chat request that CLR reads; servers' own extensions go to the upstream as they are."""

    model_config = ConfigDict(extra="allow", strict=True)

    messages: list[dict[str, Any]] = Field(min_length=1)
    temperature: float | None = Field(default=None, ge=0, le=100)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = None
    seed: int | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    n: int | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """What CLR is asked, checked. extra: sampling fields that go to the upstream untouched."""

    model: str
    conversation: Conversation
    params: SamplingParams
    seed: int
    k: int
    m: int
    clr: ClrField
    prompts: str
    streams: bool
    includes_usage: bool
    extra: Mapping[str, Any] = field(default_factory=dict)


def asks_for_clr(request: Mapping[str, Any]) -> bool:
    """Whether a chat request is for CLR; `"clr": false` and `"clr": null` are not. ApiError for any other value."""
    wanted = request.get("clr")
    if wanted is None:
        return str(request.get("model", "")).startswith(PREFIX)
    if not isinstance(wanted, bool | dict):
        raise ApiError(400, 'clr: use an object such as {"k": 16}, true or false', param="clr")
    return wanted is not False


def without_no_limit(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request without a cap of -1, which is how clients of llama.cpp write that there is none."""
    caps = ("max_tokens", "max_completion_tokens")
    return {name: value for name, value in request.items() if name not in caps or value != -1}


def read_question(request: Mapping[str, Any], settings: ServeSettings) -> Question:
    """The question in a chat request. ApiError that names the field when CLR cannot honour it."""
    request = without_no_limit(request)
    _refuse_unsupported(request)
    body = _validated(ChatBody, request, "")
    wanted = request.get("clr")
    clr = _validated(ClrField, wanted if isinstance(wanted, dict) else {}, "clr.")
    k, m = clr.k or settings.k, clr.m or settings.m
    for name, value, most in (("k", k, settings.max_k), ("m", m, settings.max_m)):
        if value > most:
            raise ApiError(400, f"clr.{name}: {value} is more than this proxy allows ({most})", param=f"clr.{name}")
    temperature = 1.0 if body.temperature is None else body.temperature
    if temperature == 0:
        raise ApiError(
            400, "temperature: 0 makes all trajectories the same; CLR compares different ones, use 1.0",
            param="temperature",
        )  # fmt: skip
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    if len(stop) > MAX_STOPS or any(len(text) > MAX_STOP_CHARS for text in stop):
        message = f"stop: use at most {MAX_STOPS} strings of at most {MAX_STOP_CHARS} characters"
        raise ApiError(400, message, param="stop")
    return Question(
        model=model_name(request, settings),
        conversation=_conversation(body.messages),
        params=SamplingParams(
            temperature=temperature,
            top_p=0.95 if body.top_p is None else body.top_p,  # 7: the paper's evaluation setting
            max_tokens=body.max_completion_tokens or body.max_tokens,
            stop=stop,
        ),
        seed=0 if body.seed is None else body.seed,
        k=k,
        m=m,
        clr=clr,
        prompts=settings.prompts,
        streams=bool(body.stream),
        includes_usage=bool((body.stream_options or {}).get("include_usage")),
        extra={name: value for name, value in request.items() if name not in OWN_FIELDS},
    )


def model_name(request: Mapping[str, Any], settings: ServeSettings) -> str:
    """The upstream's model of a request: without the prefix, the proxy's own when none is named."""
    name = request.get("model")
    if name is not None and not isinstance(name, str):
        raise ApiError(400, f"model: expected text, found {json.dumps(name)[:60]}", param="model")
    named = name.removeprefix(PREFIX) if name else ""
    if not named or named == PREFIX.rstrip("-"):
        named = settings.upstream.model
    if not named:
        raise ApiError(400, "model: none is named; see /v1/models, or start the proxy with --model", param="model")
    return named


def _refuse_unsupported(request: Mapping[str, Any]) -> None:
    reasons = {
        "tools": "CLR votes over whole answers and cannot call tools; leave them out, or use the model without clr-",
        "functions": "CLR cannot call functions; leave them out, or use the model without clr-",
        "logprobs": "a CLR answer is chosen among many and has no log-probabilities",
    }
    for name, reason in reasons.items():
        if request.get(name):
            raise ApiError(400, f"{name}: {reason}", param=name, code="unsupported_under_clr")
    for name in ("n", "best_of"):
        number = request.get(name)
        if isinstance(number, bool) or number not in (None, 1):
            message = f"{name}: CLR gives one answer per request, of clr.k trajectories"
            raise ApiError(400, message, param=name, code="unsupported_under_clr")
    form = request.get("response_format")
    if form is not None and not (isinstance(form, dict) and form.get("type") == "text"):
        raise ApiError(
            400, "response_format: under CLR the answer has a form of its own; leave it out",
            param="response_format", code="unsupported_under_clr",
        )  # fmt: skip


def _conversation(messages: list[dict[str, Any]]) -> Conversation:
    """All turns, system prompts included. ApiError for what is not text, or without a question at the end."""
    turns = tuple(_message(number, message) for number, message in enumerate(messages))
    if turns[-1].role != "user":
        raise ApiError(400, f"messages: the last one must be the user's question, not {turns[-1].role}'s")
    return turns


def _message(number: int, message: Mapping[str, Any]) -> Message:
    place = f"messages[{number}]"
    role = ROLES.get(str(message.get("role")))
    if role is None or message.get("tool_calls"):
        raise ApiError(400, f"{place}: CLR takes system, user and assistant texts only", param=place)
    content = message.get("content")
    if isinstance(content, list):
        parts = [
            part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content
        ]
        content = None if any(not isinstance(part, str) for part in parts) else "\n".join(map(str, parts))
    if not isinstance(content, str):
        raise ApiError(400, f"{place}.content: CLR takes text only", param=f"{place}.content")
    return Message(role=role, content=content)


def _validated(model: type[Body], value: Mapping[str, Any], prefix: str) -> Body:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = prefix + ".".join(map(str, first["loc"]))
        raise ApiError(400, f"{place}: {first['msg'].lower()}", param=place) from None
