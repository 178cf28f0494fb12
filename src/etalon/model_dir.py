"""What makes a directory a whole Hugging Face model, looked at without loading it."""

from __future__ import annotations

from pathlib import Path

from etalon.errors import InputError, UnsupportedModelError


def check_model_dir(path: Path) -> None:
    """Raise the one-line reason why this directory cannot be a full model, without importing torch."""
    if not path.is_dir():
        raise InputError(f"{path}: no such model directory")
    if (path / "adapter_config.json").exists():
        raise UnsupportedModelError(
            f"{path}: is a LoRA adapter, not a whole model; merge it into its base first (peft: merge_and_unload)"
        )
    if not (path / "config.json").exists():
        inside = path / "checkpoint"
        hint = f"; did you mean {inside}?" if (inside / "config.json").exists() else ""
        raise InputError(f"{path}: has no config.json, so it is not a Hugging Face model directory{hint}")
