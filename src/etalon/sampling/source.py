"""Who samples: a checkpoint of the run, through the sampler the recipe names; or a model of the user's own.

checkpoint -> LocalSampler, or a vLLM server for as long as the stage samples
"DIRECTORY", "MODEL@http://HOST:PORT/v1" or "FILE.py:NAME" -> teacher, judge, reference model
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from etalon.config.plugins import bare, file_of, fingerprint, is_named_code
from etalon.errors import ConfigError, InputError
from etalon.recipe import Recipe
from etalon.store import hash_tree
from etalon.types import Conversation, Message, Rollout, Sampler, SamplingParams


@contextmanager
def sampling_from(checkpoint: Path, recipe: Recipe, *, folder: Path, has_helpers: bool = False) -> Iterator[Sampler]:
    """A sampler over a checkpoint. folder: of the stage, for the log of a server.

    has_helpers: where a tiny model is sampled here, the recipe's other processes take a share of it.
    """
    if recipe.sampler.name == "vllm":
        from etalon.sampling.served import serve

        with serve(checkpoint, recipe.sampler, folder=folder) as sampler:
            yield WithSystem(sampler, recipe.model.system) if recipe.model.system else sampler
        return
    from etalon.model import loader
    from etalon.model.crew import crew_of
    from etalon.sampling.local import LocalSampler

    loaded = loader.load(
        checkpoint, device=recipe.device, autocast=recipe.autocast, system=recipe.model.system
    )  # fmt: skip
    if not has_helpers:
        yield LocalSampler(loaded)
        return
    with crew_of(loaded, jobs=recipe.jobs, threads=recipe.threads) as crew:
        yield LocalSampler(loaded, crew=crew)


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


FORMS = "MODEL@http://HOST:PORT/v1, a model directory, or FILE.py:NAME"


def sampler_named(
    name: str, *, device: str = "auto", autocast: str = "off", key: str = "model", together: int | None = None
) -> Sampler:
    """A model directory, loaded here; a model of a server, whose key is read from ETALON_API_KEY; or a program.

    key: the option or knob that errors name. together: calls at the same time, of a server or a program.
    """
    if name in JUDGES:
        from etalon.problems.nano.models import NanoJudge

        return NanoJudge()
    if is_endpoint(name):
        from etalon.sampling.endpoint import EndpointSampler, EndpointSettings

        model, _, url = name.partition("@")
        if not model:
            raise ConfigError(f"{name}: names no model; write MODEL@http://HOST:PORT/v1")
        settings = EndpointSettings(urls=(url,), model=model)
        return EndpointSampler(settings if together is None else replace(settings, concurrency=together))
    if is_program(name):
        from etalon.sampling.program import program_named

        return program_named(name, key=key, together=together or 1)
    from etalon.model import loader
    from etalon.sampling.local import LocalSampler

    return LocalSampler(loader.load(Path(name), device=device, autocast=autocast), name=name)


def is_program(name: str) -> bool:
    """Whether a teacher or a judge is code of the user's own; nothing is loaded."""
    return is_named_code(name) and not is_endpoint(name) and not Path(name).is_dir()


def check_named(name: str, *, key: str) -> None:
    """ConfigError or InputError where `sampler_named` would find no model, before anything is loaded or asked."""
    if name in JUDGES or is_endpoint(name) or Path(name).is_dir():
        return
    if not is_program(name):
        raise InputError(f"{key} {name}: no such directory; name {FORMS}")
    path = file_of(name)
    if path is not None and not path.is_file():
        raise ConfigError(f"{key} {name}: no such file {path}")


def name_of(name: str) -> str:
    """What a model is called in data: without the machine or the folder where it is."""
    if is_endpoint(name):
        return name.partition("@")[0]
    return bare(name) if is_program(name) else Path(name).absolute().name


def identity_of(name: str) -> str:
    """What the answers of a model depend on: its name, and what lies in its directory or in its program's file."""
    return " ".join([name_of(name), *contents_of(name).values()])


def contents_of(*names: str) -> dict[str, str]:
    """Hash of what of each teacher or judge lies on this machine: a model's directory, a program's file."""
    found = {name: fingerprint(name) for name in names if is_program(name)}
    directories = [name for name in names if name and name not in JUDGES and not is_endpoint(name)]
    return found | {name: hash_tree(Path(name)) for name in directories if Path(name).is_dir()}
