"""Whether a model can be trained on the device at all: its weights, gradients and moments against what there is."""

from __future__ import annotations

import math
from pathlib import Path

from etalon.config.stages import base_model, base_of, listed
from etalon.errors import ConfigError
from etalon.model.memory import memory_bytes
from etalon.recipe import DistillSpec, Recipe, RlSpec, SftSpec

TRAINING_BYTES = 16  # per parameter: float32 weights, gradients and two moments of AdamW


def check_fits(recipe: Recipe, *, bytes_per_parameter: int = TRAINING_BYTES, processes: int = 1, remedy: str) -> None:
    """ConfigError when a base of the user's that a stage trains exceeds the device alone; activations are not counted.

    processes: that each hold so much; on a GPU each has one of its own.
    """
    for key, model in trained_bases(recipe).items():
        parameters = count_parameters(Path(model), key=key)
        held, is_shared = device_bytes(recipe.device)
        needed = parameters * bytes_per_parameter * (processes if is_shared else 1)
        if needed > held:
            raise ConfigError(
                f"{key}: {parameters / 1e9:.1f}B parameters take {needed / 2**30:.0f} GiB to train, the device has "
                f"{held / 2**30:.0f}; {remedy}"
            )


def trained_bases(recipe: Recipe) -> dict[str, str]:
    """Key -> directory of the models of the user's that some stage goes on to train."""
    stages = listed(recipe)
    trains = [one for one in stages if isinstance(one.spec, SftSpec | DistillSpec | RlSpec)]
    found = dict(base_model(base_of(one, stages), recipe) for one in trains if getattr(one.spec, "steps", 1))
    return {key: model for key, model in found.items() if model != "scratch"}


def device_bytes(device: str) -> tuple[int, bool]:
    """Memory of one GPU; or that of the machine, which all processes share."""
    from etalon.model.loader import choose_device

    if choose_device(device).type == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(0).total_memory), False
    return memory_bytes(), True


def count_parameters(path: Path, *, key: str = "model.base") -> int:
    """Parameters of a model directory, by the headers of its safetensors files. key: of the recipe, that names it."""
    from safetensors import SafetensorError, safe_open

    total = 0
    for file in sorted(path.glob("*.safetensors")):
        try:
            with safe_open(file, framework="numpy") as tensors:
                total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ConfigError(f"{key}: {file}: cannot be read ({error}); copy the model again") from error
    return total
