"""Whether a model can be trained on the device at all: its weights, gradients and moments against what there is."""

from __future__ import annotations

import math
from pathlib import Path

from etalon.errors import ConfigError
from etalon.model.directory import memory_bytes
from etalon.recipe import Recipe

TRAINING_BYTES = 16  # per parameter: float32 weights, gradients and two moments of AdamW


def check_fits(recipe: Recipe, *, bytes_per_parameter: int = TRAINING_BYTES, processes: int = 1, remedy: str) -> None:
    """ConfigError when the user's base model alone exceeds the device; activations are not counted.

    processes: that each hold so much; on a GPU each has one of its own.
    """
    if recipe.model.base == "scratch":
        return
    parameters = count_parameters(Path(recipe.model.base))
    held, is_shared = device_bytes(recipe.device)
    needed = parameters * bytes_per_parameter * (processes if is_shared else 1)
    if needed > held:
        raise ConfigError(
            f"model.base: {parameters / 1e9:.1f}B parameters take {needed / 2**30:.0f} GiB to train, the device has "
            f"{held / 2**30:.0f}; {remedy}"
        )


def device_bytes(device: str) -> tuple[int, bool]:
    """Memory of one GPU; or that of the machine, which all processes share."""
    from etalon.model.loader import choose_device

    if choose_device(device).type == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(0).total_memory), False
    return memory_bytes(), True


def count_parameters(path: Path) -> int:
    """Parameters of a model directory, by the headers of its safetensors files."""
    from safetensors import SafetensorError, safe_open

    total = 0
    for file in sorted(path.glob("*.safetensors")):
        try:
            with safe_open(file, framework="numpy") as tensors:
                total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ConfigError(f"model.base: {file}: cannot be read ({error}); copy the model again") from error
    return total
