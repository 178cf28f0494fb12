"""The five probes, each a few short requests, and what they observed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from etalon.errors import InputError
from etalon.sampling.endpoint import Client, EndpointSettings, UpstreamError
from etalon.sampling.endpoint.answer import texts_of
from etalon.sampling.endpoint.sampler import model_names
from etalon.sampling.endpoint.upstream import KEY_VARIABLE
from etalon.serve.doctor.findings import Report, judge, no_answer
from etalon.serve.doctor.identify import Identity, identify
from etalon.serve.doctor.parallel import at_once
from etalon.serve.doctor.patient import Patient, WatchedReply

OPEN_QUESTION = "Invent a village. Give its name and one sentence about it."
REASONING_QUESTION = "What is 17 * 23? Think step by step, then put the final answer in \\boxed{}."
LONG_REQUEST = "Write the whole numbers from 1 to 3000, one per line, without any other text."
Form = Literal["kept", "blanks", "cut", "other"]  # of an answer under a schema
COLOURS = ["red", "green", "blue"]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": COLOURS}},
    "required": ["colour"],
    "additionalProperties": False,
}
REASONING_CAP = 2048  # (ours) tokens
LONG_CAP = 8192  # asked for
LONG_ENOUGH = 4200  # (ours) chunks after which a cap at 4,096 would have shown
DRAWS = 3


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What the probes saw. None: it could not be asked. Texts that ended in an error are left out."""

    choices: int | None = None  # answers to n = 2
    has_logprobs: bool = False
    fields_error: str = ""
    form: Form = "other"
    schema_error: str = ""
    free: tuple[str, ...] = ()  # different seeds, nothing cut off
    same_seed: tuple[str, ...] = ()
    top_k_1: tuple[str, ...] = ()
    top_p_0: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)  # field -> what the server said
    reasoning: WatchedReply
    length: WatchedReply
    parallel: int = 0  # requests that ran at the same time, at least; 0 cannot be told
    parallel_error: str = ""  # why it cannot be told


async def probe(url: str, *, model: str, seconds: float) -> Report:
    """Ask everything, and say what it means. InputError when the server cannot be reached or has no such model."""
    client = Client(EndpointSettings(urls=(url,), model=model or "unknown", retries=0))
    try:
        listed, model = await _model(client, url, model)
        patient = Patient(client, model, seconds=seconds)
        identity = await identify(client, url, model, listed)
        cap = min(REASONING_CAP, (identity.window or REASONING_CAP) // 2)
        reasoning = await patient.watch(REASONING_QUESTION, max_tokens=cap, temperature=1.0, top_p=0.95)
        if reasoning.error:  # it answers nothing, so nothing else can be asked
            return Report(url=url, model=model, identity=identity, findings=(no_answer(reasoning.error),))
        if identity.window is None:
            identity = await identify(client, url, model, listed)  # Ollama knows it once the model is loaded
        return judge(url, model, identity, await _observe(patient, reasoning, identity))
    finally:
        await client.aclose()


async def _model(client: Client, url: str, model: str) -> tuple[Any, str]:
    try:
        listed = await client.get_json("/models")
    except UpstreamError as error:
        if error.status in (404, 405) and model:
            return {}, model
        hint = f"; the key is read from {KEY_VARIABLE}" if error.status in (401, 403) else ""
        raise InputError(f"--upstream {error}{hint}") from None
    names = model_names(listed)
    if model and names and model not in names:
        raise InputError(f"--model {model}: {url} lists {', '.join(names[:8])}")
    if not model and not names:
        raise InputError(f"--upstream {url}: lists no model; name one with --model")
    return listed, model or names[0]


async def _observe(patient: Patient, reasoning: WatchedReply, identity: Identity) -> Observed:
    fields = await _fields(patient)
    sampling = await _sampling(patient)
    length = await patient.watch(
        LONG_REQUEST, enough=LONG_ENOUGH, stop_loops=False,
        max_tokens=LONG_CAP, temperature=1.0, ignore_eos=True, min_tokens=LONG_ENOUGH,
    )  # fmt: skip
    if length.error and not length.answer.num_chunks:  # without the extensions, which some refuse
        length = await patient.watch(
            LONG_REQUEST, enough=LONG_ENOUGH, stop_loops=False, max_tokens=LONG_CAP, temperature=1.0
        )
    parallel, error = (identity.slots, "") if identity.slots else await at_once(patient, LONG_REQUEST)
    return Observed(**fields, **sampling, reasoning=reasoning, length=length, parallel=parallel, parallel_error=error)


async def _fields(patient: Patient) -> dict[str, Any]:
    """n and logprobs in one request, one by one if that is refused; then a schema."""
    short = {"max_tokens": 16, "temperature": 1.0}
    both, error = await patient.ask(OPEN_QUESTION, n=2, logprobs=True, **short)
    told = both
    if error:
        both, _ = await patient.ask(OPEN_QUESTION, n=2, **short)
        told, error = await patient.ask(OPEN_QUESTION, logprobs=True, **short)
    form = {"type": "json_schema", "json_schema": {"name": "colour", "schema": SCHEMA, "strict": True}}
    shaped, schema_error = await patient.ask(
        "Which colour has the sky?", response_format=form, max_tokens=256, temperature=1.0
    )
    first = _choices(told)[:1]
    return {
        "choices": len(_choices(both)) or None,
        "has_logprobs": bool(first and first[0].get("logprobs")),
        "fields_error": error,
        "form": _form(shaped),
        "schema_error": schema_error,
    }


async def _sampling(patient: Patient) -> dict[str, Any]:
    """The same question under different seeds and cuts: which of them change how much the texts differ."""
    settings: dict[str, list[dict[str, Any]]] = {
        "free": [{"seed": 100 + i} for i in range(DRAWS)],
        "same_seed": [{"seed": 7}] * 2,
        "top_k_1": [{"seed": 200 + i, "top_k": 1} for i in range(DRAWS)],
        "top_p_0": [{"seed": 300 + i, "top_p": 1e-6} for i in range(DRAWS)],
    }
    found: dict[str, Any] = {"refused": {}}
    for name, draws in settings.items():
        # one after the other: the arithmetic of a larger batch may round differently
        base = {"max_tokens": 24, "temperature": 1.0, "top_p": 1.0}
        told = [await patient.ask(OPEN_QUESTION, **(base | draw)) for draw in draws]
        found[name] = tuple(_text(answer, with_reasoning=True) for answer, error in told if not error)
        if errors := [error for _, error in told if error]:
            found["refused"][name] = errors[0]
    return found


def _choices(answer: Any) -> list[dict[str, Any]]:
    choices = answer.get("choices") if isinstance(answer, dict) else None
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _text(answer: Any, *, with_reasoning: bool = False) -> str:
    message = next((choice.get("message") for choice in _choices(answer)), None)
    if not isinstance(message, dict):
        return ""
    reasoning, content = texts_of(message)
    return reasoning + content if with_reasoning else content


def _form(answer: Any) -> Form:
    """What became of the schema. A grammar allows blanks anywhere, and a weak model may write nothing else."""
    text = _text(answer).rpartition("</think>")[2]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        is_cut = any(choice.get("finish_reason") == "length" for choice in _choices(answer)[:1])
        written = "".join(text.split())
        is_begun = any(f'{{"colour":"{colour}"}}'.startswith(written) for colour in COLOURS)
        if not is_cut or not (is_begun or "<think>" in text):
            return "other"
        return "blanks" if is_begun and len(text) > 2 * len(written) else "cut"
    return "kept" if isinstance(value, dict) and list(value) == ["colour"] and value["colour"] in COLOURS else "other"
