"""Merge the parameters of specialists: M = sum_i w_i M_i, w_i >= 0, sum 1, uniform by default (1.5B report).

Works on safetensors files directly, accumulating in float32 one tensor at a time: memory is one model, not all.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from etalon.errors import ConfigError, InputError
from etalon.model.directory import check_model_dir
from etalon.store import write_json_atomic, writing


def fuse(checkpoints: Sequence[tuple[Path, float]], out: Path) -> Path:
    """Write the weighted mean of the checkpoints to `out`; tokenizer and config come from the first.

    Weights are normalised to sum 1. Raises InputError when tensors differ in name or shape, ConfigError for weights
    that cannot be normalised, UnsupportedModelError for LoRA adapters.
    """
    from safetensors.torch import save_file

    total = sum(weight for _, weight in checkpoints)
    if not (0 < total < math.inf) or any(weight < 0 for _, weight in checkpoints):
        raise ConfigError("fuse: weights must be finite, at least 0 and not all 0")
    for path, _ in checkpoints:
        check_model_dir(path)
    _check_out(out, [path for path, _ in checkpoints])
    first = checkpoints[0][0]
    shapes = _shapes(first)
    for path, _ in checkpoints[1:]:
        _check_same(shapes, _shapes(path), first, path)
    merged = _weighted_mean([(path, weight / total) for path, weight in checkpoints], list(shapes))
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with writing(partial):
        for file in first.iterdir():
            if file.is_file() and not file.name.startswith("model") and file.suffix != ".safetensors":
                shutil.copy(file, partial / file.name)
        save_file(merged, partial / "model.safetensors", metadata={"format": "pt"})
        _sync(partial)
    write_json_atomic(
        partial / "fused.json",
        {"members": [{"path": f"{p.parent.name}/{p.name}", "weight": w / total} for p, w in checkpoints]},
    )
    if out.exists():
        shutil.rmtree(out)
    partial.rename(out)
    return out


def _check_out(out: Path, members: Sequence[Path]) -> None:
    """Only an empty directory or an earlier merge may be replaced."""
    if any(path.resolve().is_relative_to(out.resolve()) for path in members):
        raise ConfigError(f"{out}: holds a checkpoint that is to be merged; write the result elsewhere")
    if out.exists() and not (out.is_dir() and ((out / "fused.json").exists() or not any(out.iterdir()))):
        raise ConfigError(f"{out}: exists and is not an earlier merge; choose another directory for the result")


def _files(path: Path) -> list[Path]:
    index = path / "model.safetensors.index.json"
    if index.exists():
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        files = [path / name for name in names]
    else:
        files = [path / "model.safetensors"]
    for file in files:
        if not file.exists():
            raise InputError(f"{file}: no such file; a checkpoint is merged from its safetensors weights")
    return files


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for file in _files(path):
        try:
            with safe_open(file, "pt") as tensors:
                shapes |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise InputError(f"{file}: damaged weights ({error}); copy or make the checkpoint again") from error
    return shapes


def _check_same(one: dict[str, tuple[int, ...]], other: dict[str, tuple[int, ...]], first: Path, path: Path) -> None:
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            raise InputError(
                f"{path}: cannot be merged with {first}: tensor {name} is {other.get(name, 'missing')} here "
                f"and {one.get(name, 'missing')} there; merge checkpoints of one training run"
            )


def _weighted_mean(members: Sequence[tuple[Path, float]], names: Sequence[str]) -> dict[str, object]:
    import torch
    from safetensors import safe_open

    merged: dict[str, torch.Tensor] = {}
    dtypes: dict[str, torch.dtype] = {}
    for path, weight in members:
        for file in _files(path):
            with safe_open(file, "pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118
                    tensor = tensors.get_tensor(name)
                    dtypes.setdefault(name, tensor.dtype)
                    scaled = tensor.float() * weight
                    merged[name] = merged[name] + scaled if name in merged else scaled
    return {name: merged[name].to(dtypes[name]).contiguous() for name in names}


def _sync(directory: Path) -> None:
    for file in directory.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
