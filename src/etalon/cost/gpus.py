"""GPU types: dense bf16 peak, memory and memory bandwidth, as the vendors' data sheets give them.

Data sheets of the SXM parts (NVIDIA A100 80GB, H100, H200, L40S; DGX B200 divided by its 8 GPUs; AMD MI300X; RTX 4090
from the Ada white paper, bf16 with fp32 accumulation). Peaks are without sparsity: half of what some sheets print. An
H800 is an H100 with less NVLink and fp64, which none of this counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from etalon.errors import ConfigError

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """flops: dense bf16 FLOP/s; memory: bytes; bandwidth: bytes/s between memory and cores."""

    name: str
    flops: float
    memory: float
    bandwidth: float


def _gpu(name: str, teraflops: float, gib: float, terabytes: float) -> Gpu:
    return Gpu(name=name, flops=teraflops * 1e12, memory=gib * GIB, bandwidth=terabytes * 1e12)


GPUS = {
    gpu.name: gpu
    for gpu in (
        _gpu("rtx4090", 165, 24, 1.008),
        _gpu("l40s", 362, 48, 0.864),
        _gpu("a100", 312, 80, 2.039),
        _gpu("h100", 989, 80, 3.35),
        _gpu("h800", 989, 80, 3.35),
        _gpu("h200", 989, 140, 4.8),
        _gpu("mi300x", 1307, 192, 5.3),
        _gpu("b200", 2250, 180, 8.0),
    )
}


def gpu_of(name: str, *, key: str = "hardware.gpu") -> Gpu:
    """The GPU type of that name; ConfigError names those there are."""
    known = name.strip().lower()
    if known in GPUS:
        return GPUS[known]
    close = get_close_matches(known, GPUS, 1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise ConfigError(f"{key}: no GPU type {name!r} in the table; {meant}there are {', '.join(GPUS)}")
