"""Who samples: a checkpoint of the run, through the sampler the recipe names; or a model of the user's own.

checkpoint -> LocalSampler, or a vLLM server for as long as the stage samples
"DIRECTORY" or "MODEL@http://HOST:PORT/v1" -> teacher, judge
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etalon.errors import ConfigError
from etalon.recipe import Recipe
from etalon.types import Sampler


@contextmanager
def sampling_from(checkpoint: Path, recipe: Recipe, *, folder: Path) -> Iterator[Sampler]:
    """A sampler over a checkpoint. folder: of the stage, for the log of a server."""
    if recipe.sampler.name == "vllm":
        from etalon.sampling.served import serve

        with serve(checkpoint, recipe.sampler, folder=folder) as sampler:
            yield sampler
        return
    from etalon.model import loader
    from etalon.sampling.local import LocalSampler

    yield LocalSampler(loader.load(checkpoint, device=recipe.device, autocast=recipe.autocast))


def is_endpoint(name: str) -> bool:
    """Whether a teacher or a judge is a model of a server."""
    return "@http" in name


def named_sampler(name: str, recipe: Recipe) -> Sampler:
    """A model directory, loaded here, or a model of a server; its key is read from ETALON_API_KEY."""
    if is_endpoint(name):
        from etalon.sampling.endpoint import EndpointSampler, EndpointSettings

        model, _, url = name.partition("@")
        if not model:
            raise ConfigError(f"{name}: names no model; write MODEL@http://HOST:PORT/v1")
        return EndpointSampler(EndpointSettings(urls=(url,), model=model))
    from etalon.model import loader
    from etalon.sampling.local import LocalSampler

    return LocalSampler(loader.load(Path(name), device=recipe.device, autocast=recipe.autocast), name=name)
