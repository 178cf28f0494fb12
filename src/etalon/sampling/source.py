"""Who samples: a checkpoint of the run, through the sampler the recipe names; or a model of the user's own.

checkpoint -> LocalSampler, or a vLLM server for as long as the stage samples
"DIRECTORY" or "MODEL@http://HOST:PORT/v1" -> teacher, judge
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from etalon.errors import ConfigError
from etalon.recipe import Recipe
from etalon.types import Conversation, Message, Rollout, Sampler, SamplingParams


@contextmanager
def sampling_from(checkpoint: Path, recipe: Recipe, *, folder: Path) -> Iterator[Sampler]:
    """A sampler over a checkpoint. folder: of the stage, for the log of a server."""
    if recipe.sampler.name == "vllm":
        from etalon.sampling.served import serve

        with serve(checkpoint, recipe.sampler, folder=folder) as sampler:
            yield WithSystem(sampler, recipe.model.system) if recipe.model.system else sampler
        return
    from etalon.model import loader
    from etalon.sampling.local import LocalSampler

    loaded = loader.load(
        checkpoint, device=recipe.device, autocast=recipe.autocast, system=recipe.model.system
    )  # fmt: skip
    yield LocalSampler(loaded)


class WithSystem:
    """A sampler whose conversations begin with a system message, unless they bring one."""

    def __init__(self, inner: Sampler, system: str) -> None:
        self.inner, self.name = inner, inner.name
        self._message = Message(role="system", content=system)

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """As the inner sampler does, with the message before each conversation."""
        whole = [one if one[0].role == "system" else (self._message, *one) for one in conversations]
        return self.inner.sample(whole, n=n, params=params, seed=seed)


def is_endpoint(name: str) -> bool:
    """Whether a teacher or a judge is a model of a server."""
    return "@http" in name


JUDGES = ("nano",)  # programs of ours that judge: the nano world's


def named_sampler(name: str, recipe: Recipe) -> Sampler:
    """`sampler_named` on the recipe's device."""
    return sampler_named(name, device=recipe.device, autocast=recipe.autocast)


def sampler_named(name: str, *, device: str = "auto", autocast: str = "off") -> Sampler:
    """A model directory, loaded here; a model of a server, whose key is read from ETALON_API_KEY; or a program."""
    if name in JUDGES:
        from etalon.problems.nano.models import NanoJudge

        return NanoJudge()
    if is_endpoint(name):
        from etalon.sampling.endpoint import EndpointSampler, EndpointSettings

        model, _, url = name.partition("@")
        if not model:
            raise ConfigError(f"{name}: names no model; write MODEL@http://HOST:PORT/v1")
        return EndpointSampler(EndpointSettings(urls=(url,), model=model))
    from etalon.model import loader
    from etalon.sampling.local import LocalSampler

    return LocalSampler(loader.load(Path(name), device=device, autocast=autocast), name=name)
