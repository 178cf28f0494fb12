"""What a flow costs: calls, tokens and money by stage, and the limits that a caller sets to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from etalon.clr.trajectory import prompt_tokens_of
from etalon.errors import ConfigError
from etalon.types import Rollout

Stage = Literal["generate", "repair", "verify", "cancelled"]
STAGES: tuple[Stage, ...] = get_args(Stage)
ANY_MODEL = "*"


@dataclass(frozen=True, kw_only=True)
class Price:
    """Money per million tokens, in whatever currency the budget is in."""

    prompt: float
    completion: float


PriceTable = Mapping[str, Price]  # by model name; "*" is any other model


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one answer may cost; None is no limit. Tokens are those of prompts and completions together.

    No call is begun beyond `calls`; what a sampler tries again by itself is counted once it tells. Tokens and money are
    counted as they stream, so they are exceeded by what arrives before a stop takes effect, and by prompts whose size
    a server tells only at the end.
    """

    calls: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    money: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "seconds", "money"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"budget.{name}: {value}; use a number above 0, or leave it out for no limit")


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Calls and tokens of one stage. prompt_tokens counts the calls whose server told them."""

    calls: int = 0
    prompt_tokens: int = 0
    tokens: int = 0


@dataclass
class Ledger:
    """What was spent by stage. `cancelled` holds calls that were under way when the answer was decided."""

    stages: dict[Stage, Spent] = field(default_factory=lambda: dict.fromkeys(STAGES, Spent()))
    untold: int = 0  # calls whose prompt tokens nobody told

    def add(self, stage: Stage, rollout: Rollout) -> None:
        """Book a finished call."""
        told = prompt_tokens_of(rollout)
        self.untold += told is None and rollout.calls > 0
        self.book(stage, calls=rollout.calls, prompt_tokens=told or 0, tokens=rollout.num_tokens)

    def book(self, stage: Stage, *, calls: int, prompt_tokens: int, tokens: int) -> None:
        """Book numbers."""
        old = self.stages[stage]
        self.stages[stage] = replace(
            old, calls=old.calls + calls, prompt_tokens=old.prompt_tokens + prompt_tokens, tokens=old.tokens + tokens
        )

    @property
    def calls(self) -> int:
        return sum(spent.calls for spent in self.stages.values())

    @property
    def prompt_tokens(self) -> int:
        return sum(spent.prompt_tokens for spent in self.stages.values())

    @property
    def completion_tokens(self) -> int:
        return sum(spent.tokens for spent in self.stages.values())


def price_of(model: str, prices: PriceTable) -> Price | None:
    """The price of a model, or of any model."""
    return prices.get(model, prices.get(ANY_MODEL))


def money(price: Price, *, prompt_tokens: int, tokens: int) -> float:
    """What these tokens cost."""
    return (price.prompt * prompt_tokens + price.completion * tokens) / 1e6


def room(budget: Budget, price: Price | None, *, prompt_tokens: int, tokens: int) -> float:
    """How many more completion tokens the budget allows after these; infinite without a limit."""
    left = float("inf")
    if budget.tokens is not None:
        left = float(budget.tokens - prompt_tokens - tokens)
    if budget.money is not None:
        assert price is not None
        unspent = budget.money - money(price, prompt_tokens=prompt_tokens, tokens=tokens)
        if unspent <= 0:
            return min(left, 0.0)
        if price.completion > 0:
            left = min(left, unspent / (price.completion / 1e6))
    return left
