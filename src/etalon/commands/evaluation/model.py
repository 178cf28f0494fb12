"""Who is asked: a model of a server, or a model directory in this process; with --clr whole flows over it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.commands.evaluation.options import Asked
from etalon.errors import ConfigError, InputError
from etalon.evaluate import Evaluation, Prices
from etalon.types import Sampler


def check_model(asked: Asked) -> None:
    """One line for a model that is not named, or not there, before any file is read."""
    if asked.model is None:
        raise ConfigError("--model: name a model directory, or a model of --endpoint URL")
    if not asked.endpoint and not Path(asked.model).is_dir():
        told = "no such directory; --model takes a model directory, or with --endpoint URL a name"
        raise InputError(f"{asked.model}: {told}")
    prices_of(asked)
    if not asked.endpoint and asked.extra:
        raise ConfigError("--extra: fields of requests to a server; there is none without --endpoint")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The model that is asked. identity: what its samples depend on; told: what results say of it."""

    sampler: Sampler
    model: str
    identity: dict[str, Any]
    told: dict[str, Any]

    def evaluation(self, asked: Asked) -> Evaluation:
        """How it is asked."""
        return Evaluation(
            model=self.model, identity=self.identity, seed=asked.seed, system=asked.system,
            metric="clr" if asked.clr else "avg", ks=asked.wanted_ks(), prices=prices_of(asked), told=self.told,
        )  # fmt: skip


def open_model(asked: Asked) -> Opened:
    """A model of a server, or a model directory in this process; with --clr whole flows over it."""
    model = asked.model or ""
    opened = _served(asked, model) if asked.endpoint else _local(Path(model))
    if not asked.clr:
        return opened
    from etalon.clr.batch import ClrSampler

    clr = {"k": asked.k, "m": asked.m}
    return Opened(
        sampler=ClrSampler(opened.sampler, k=asked.k, m=asked.m), model=opened.model,
        identity=opened.identity | {"clr": clr}, told=opened.told | {"clr": clr},
    )  # fmt: skip


def _served(asked: Asked, model: str) -> Opened:
    """A model of a server. The requests of CLR flows are kept in the directory, for a sample is many of them."""
    from etalon.sampling.endpoint import EndpointSampler, EndpointSettings

    extra = asked.request_fields()
    urls = tuple(asked.endpoint or ())
    settings = EndpointSettings(urls=urls, model=model, concurrency=asked.concurrency, extra=extra)
    sampler = EndpointSampler(settings, journal=asked.out / "requests.jsonl" if asked.out and asked.clr else None)
    sampler.check()
    facts = sampler.facts()
    told = (
        {"endpoint": list(settings.urls)} | ({"server": facts} if facts else {}) | ({"extra": extra} if extra else {})
    )
    return Opened(
        sampler=sampler, model=model, identity={"served": model} | ({"extra": extra} if extra else {}), told=told
    )


def _local(model: Path) -> Opened:
    """A model directory, loaded into this process."""
    from etalon.commands.run import require_train_extra

    require_train_extra()
    from etalon.model import loader
    from etalon.sampling.local import LocalSampler
    from etalon.store import hash_tree

    sampler = LocalSampler(loader.load(model), name=str(model))
    return Opened(sampler=sampler, model=str(model), identity={"directory": hash_tree(model)}, told={})


def prices_of(asked: Asked) -> Prices | None:
    """What --price says; ConfigError for what is no pair of numbers."""
    if asked.price is None:
        return None
    prompt, _, completion = asked.price.partition("/")
    try:
        prices = Prices(prompt=float(prompt), completion=float(completion))
    except ValueError:
        prices = Prices(prompt=-1, completion=-1)
    if not all(math.isfinite(one) and one >= 0 for one in (prices.prompt, prices.completion)):
        raise ConfigError(f"--price {asked.price}: expected money for a million tokens, asked and answered: 0.15/0.60")
    return prices
