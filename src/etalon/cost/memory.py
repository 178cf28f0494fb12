"""Bytes that one GPU holds while a model trains and while it samples, part by part, and what would do.

Training holds float32 weights, gradients and the two moments of AdamW, shared out over the GPUs when the engine shards
(FSDP, ZeRO-3); a bf16 copy of what is being computed with; and activations: with gradient checkpointing the input
of every layer and one layer's inside, without it every layer's inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from etalon.cost.compute import WIDTH
from etalon.cost.gpus import Gpu
from etalon.cost.shapes import ModelShape

USABLE = 0.92  # (ours) share of a GPU's memory; the rest is the CUDA context, communication buffers, fragmentation
ALIVE = 1.5  # (ours) a layer's activations and those of its gradients that are alive at once, over the former
STAYS = 12  # bytes a parameter that training keeps between steps: float32 weights and the two moments
MAX_GPUS = 1024


@dataclass(frozen=True, kw_only=True)
class Logits:
    """The logits that an engine holds at a time: at most so many tokens, columns and numbers, of so many bytes each.

    head: bytes per weight of the output layer that their gradient takes on top of the shared one.
    """

    width: int
    head: int = 0
    tokens: int = 1 << 40
    columns: int = 1 << 40
    numbers: int = 1 << 40


LOCAL_LOGITS = Logits(width=8, numbers=64_000_000)  # `etalon.model.head` on a GPU: float32, and their exponentials
TRL_LOGITS = Logits(width=4, head=4, tokens=4096, columns=32768)  # TRL 1.16, trl.kernels.chunked_logprob
VERL_LOGITS = Logits(width=20, head=4, tokens=512)  # verl 0.9.1, FusedLinearForPPO: five float32 copies


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How a model is trained.

    gpus: GPUs that share weights, gradients and moments. longest: tokens of the longest sequence, prompt included.
    micro_tokens: packed tokens of a forward pass; a longer sequence is one pass all the same.
    sequence_parallel: GPUs that share the tokens of a pass. logits: how the engine makes them.
    """

    gpus: int
    longest: int
    micro_tokens: int
    sequence_parallel: int = 1
    is_checkpointed: bool = True
    logits: Logits = LOCAL_LOGITS

    @property
    def tokens(self) -> int:
        """Tokens of one pass on one GPU."""
        return -(-max(self.longest, self.micro_tokens) // self.sequence_parallel)


def usable(gpu: Gpu) -> float:
    """Bytes of a GPU that weights and data may take."""
    return USABLE * gpu.memory


def layer_activations(shape: ModelShape) -> float:
    """Bytes per token of what one layer keeps for its backward pass, with fused attention, in bf16."""
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    return WIDTH * (4.0 * shape.hidden + 2 * queries + 2 * keys + 4 * shape.mlp)


def training_memory(shape: ModelShape, setup: Setup) -> dict[str, float]:
    """Part -> bytes per GPU at the peak of training. The sum is what the GPU must hold."""
    whole = shape.parameters
    gathered = shape.embedding + 2 * shape.layer_parameters  # FSDP gathers the root and the layer ahead
    insides = 1 if setup.is_checkpointed else shape.layers
    return {
        "weights (fp32)": 4.0 * whole / setup.gpus,
        "gradients (fp32)": 4.0 * whole / setup.gpus,
        "AdamW moments (fp32)": 8.0 * whole / setup.gpus,
        "weights in use (bf16)": float(WIDTH * (gathered if setup.gpus > 1 else whole)),
        "activations": setup.tokens
        * (WIDTH * shape.hidden * shape.layers + (ALIVE + insides - 1) * layer_activations(shape)),
        "logits, in chunks": logit_memory(shape, setup),
    }


def logit_memory(shape: ModelShape, setup: Setup) -> float:
    """Bytes of the logits that are there at a time, and of what their gradient needs."""
    made = setup.logits
    count = min(made.numbers, min(made.tokens, setup.tokens) * min(made.columns, shape.vocabulary))
    return float(made.width * count + made.head * shape.vocabulary * shape.hidden)


def sampling_memory(shape: ModelShape, *, sequences: int, context: float, held: float = 0.0) -> dict[str, float]:
    """Part -> bytes per GPU while it samples. held: bytes of training that stay on the GPU meanwhile."""
    return {
        "held by training": held,
        "weights (bf16)": float(WIDTH * shape.parameters),
        "key-value cache": WIDTH * shape.cache_elements * sequences * context,
    }


def cache_room(shape: ModelShape, gpu: Gpu, *, held: float = 0.0, share: float = 1.0) -> float:
    """Bytes that are left for the key-value cache; not below 0.

    held: bytes of training that stay on the GPU. share: of the GPU's memory, for weights and cache of the sampler.
    """
    return max(0.0, min(usable(gpu) - held, share * gpu.memory) - WIDTH * shape.parameters)


def fits(parts: Mapping[str, float], gpu: Gpu) -> bool:
    """Whether the sum of the parts is within what is usable of the GPU."""
    return sum(parts.values()) <= usable(gpu)


def remedies(shape: ModelShape, setup: Setup, gpu: Gpu, *, can_shard: bool) -> Iterator[str]:
    """Single changes, each the smallest of its kind, that make training fit."""
    shorter = replace(setup, micro_tokens=setup.longest)
    if setup.micro_tokens > setup.longest and fits(training_memory(shape, shorter), gpu):
        yield f"micro_tokens of {setup.longest:,} (now {setup.micro_tokens:,})"
    if not setup.is_checkpointed and fits(training_memory(shape, replace(setup, is_checkpointed=True)), gpu):
        yield 'activations computed again (recompute = "auto", trl.gradient_checkpointing = true)'
    if can_shard:
        yield from _more_gpus(shape, setup, gpu)
    longest = _longest(shape, setup, gpu)
    if longest >= 1024:
        yield f"a window of {longest:,} tokens"


def _more_gpus(shape: ModelShape, setup: Setup, gpu: Gpu) -> Iterator[str]:
    counts = [2**power for power in range(MAX_GPUS.bit_length()) if 2**power > setup.gpus]
    enough = next((n for n in counts if fits(training_memory(shape, replace(setup, gpus=n)), gpu)), None)
    if enough:
        yield f"{enough} GPUs that share the weights"
    for degree in range(setup.sequence_parallel + 1, shape.heads + 1):
        wider = replace(setup, sequence_parallel=degree, gpus=max(setup.gpus, degree))
        if shape.heads % degree == 0 and wider.gpus % degree == 0 and fits(training_memory(shape, wider), gpu):
            more = f" on {wider.gpus} GPUs" if wider.gpus > setup.gpus else ""
            yield f"sequence_parallel = {degree}{more}"
            return


def _longest(shape: ModelShape, setup: Setup, gpu: Gpu) -> int:
    """The longest sequence, in whole thousands of tokens (1024), at which training fits."""
    far = 1 << 20  # where logits have reached their chunk, and memory grows with the tokens alone
    fixed, grown = (
        sum(training_memory(shape, replace(setup, longest=tokens, micro_tokens=1)).values())
        for tokens in (far, 2 * far)
    )
    return int(((usable(gpu) - fixed) / (grown - fixed) + 1) * far) // 1024 * 1024
