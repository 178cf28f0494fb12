"""How one CLR answer is made: the knobs of the live flow, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from etalon.clr.flow import Early
from etalon.clr.reliability import Exponent
from etalon.clr.spend import Price
from etalon.errors import ConfigError
from etalon.types import SamplingParams


@dataclass(frozen=True, kw_only=True)
class ClrSettings:
    """Knobs of one flow. Defaults are those of CLR and of section 3.1, or (ours).

    k: trajectories. m: claims per trajectory. params: of generation; verification shares all but the temperature
    when `verify_temperature` is given. early: "exact" stops once the answer can no longer change, "off" verifies
    everything. prior: reliability of a trajectory without a claim; CLR reports 1. exponent: of the mean of its
    verdicts, M or 1. k_min: usable trajectories below which the majority of them answers, flagged. repair: ask a
    usable trajectory without a readable claim for them, once. json_schema: constrain both stages to JSON, for servers
    that enforce response_format; a server that constrains the reasoning too must not be asked for it. prompts:
    packaged folder ("default", "nano") or a path. concurrency: calls of this flow under way at the same time, None is
    k. prices: by model name, "*" is any; needed for a budget of money.
    """

    k: int = 32
    m: int = 5
    params: SamplingParams = field(  # no cap below the model's maximum (3.1)
        default_factory=lambda: SamplingParams(temperature=1.0, top_p=0.95, max_tokens=None)
    )
    verify_temperature: float | None = None
    early: Early = "exact"
    prior: float = 0.5
    exponent: Exponent = "m"
    k_min: int = 2
    repair: bool = True
    json_schema: bool = False
    prompts: str = "default"
    concurrency: int | None = None
    seed: int = 0
    prices: Mapping[str, Price] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.k, self.m, self.prior, self.early, self.exponent)
        refuse_greedy(self.params, self.k)
        if not 1 <= self.k_min <= self.k:
            raise ConfigError(f"clr.k_min: {self.k_min}; use 1 to {self.k}, the number of trajectories")
        if self.concurrency is not None and self.concurrency < 1:
            raise ConfigError(f"clr.concurrency: {self.concurrency}; at least 1 call at a time is needed")


def check(k: int, m: int, prior: float, early: str, exponent: str = "m") -> None:
    """ConfigError for values that cannot be run."""
    if k < 2:
        raise ConfigError(f"clr.k: {k} trajectories cannot be compared; use at least 2 (the paper uses 32)")
    if m < 1:
        raise ConfigError(f"clr.m: {m}; at least 1 claim per trajectory is needed (the paper uses 5)")
    if not 0.0 <= prior <= 1.0:
        raise ConfigError(f"clr.prior: {prior}; a reliability lies between 0 and 1")
    if early not in ("exact", "off"):
        raise ConfigError(f"clr.early: {early!r}; use 'exact' or 'off'")
    if exponent not in ("m", "one"):
        raise ConfigError(f"clr.exponent: {exponent!r}; use 'm' or 'one'")


def refuse_greedy(params: SamplingParams, k: int) -> None:
    """ConfigError at temperature 0: the K trajectories would be one and the same."""
    if params.temperature <= 0:
        raise ConfigError(
            f"temperature: {params.temperature}; CLR compares {k} different trajectories of one problem, and "
            "greedy sampling repeats one; use a temperature above 0 (the paper uses 1.0)"
        )
