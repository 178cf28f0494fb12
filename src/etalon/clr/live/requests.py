"""What a live flow sends: the conversation, the parameters, the seed of each call, and its reply as a JSON schema."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from etalon.clr.claims import (
    Templates,
    generation_conversation,
    load_templates,
    repair_conversation,
    verification_conversation,
)
from etalon.clr.flow import Flow
from etalon.clr.knobs import ClrSettings
from etalon.store import seed_from
from etalon.types import Conversation, SamplingParams

CallStage = Literal["generate", "repair", "verify"]


@dataclass(frozen=True, kw_only=True)
class ClrRequest:
    """One call. further: keyword arguments of `complete` beside these, such as the fields of a JSON schema."""

    conversation: Conversation
    params: SamplingParams
    seed: int
    further: dict[str, Any] = field(default_factory=dict)


class Requests:
    """The requests of one flow. A call depends on its stage and trajectory only: "exact" and "off" ask the same."""

    def __init__(self, conversation: Conversation, settings: ClrSettings) -> None:
        self.conversation = conversation
        self.settings = settings
        self.templates: Templates = load_templates(settings.prompts)

    def of(self, stage: CallStage, index: int, flow: Flow) -> ClrRequest:
        """The request of one stage of trajectory `index`."""
        settings = self.settings
        seed = seed_from([settings.seed, stage, index])
        if stage == "generate":
            asked = generation_conversation(self.conversation, self.templates.generate, settings.m)
            schema = generation_schema(settings.m) if settings.json_schema else {}
            return ClrRequest(conversation=asked, params=settings.params, seed=seed, further=schema)
        trajectory = flow.trajectories[index]
        if stage == "repair":
            asked = repair_conversation(self.conversation, trajectory.text, self.templates, settings.m)
            return ClrRequest(conversation=asked, params=settings.params, seed=seed)
        asked = verification_conversation(flow.question, trajectory.claims, self.templates.verify, system=flow.system)
        params = settings.params
        if settings.verify_temperature is not None:
            params = replace(params, temperature=settings.verify_temperature)
        schema = verification_schema(len(trajectory.claims)) if settings.json_schema else {}
        return ClrRequest(conversation=asked, params=params, seed=seed, further=schema)


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
