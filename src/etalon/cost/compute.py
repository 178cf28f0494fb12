"""How much work training and sampling are, and how long a GPU takes for it.

Training counts 6 FLOPs per active parameter and token (2 forward, 4 backward; Kaplan et al., 2020, arXiv 2001.08361)
plus attention; a token that attends to c positions costs 4 c FLOPs per layer and head element, and three times that
with its backward. Sampling one token of many sequences at once reads the weights once and every sequence's key-value
cache; the slower of reading and computing decides. Efficiencies are (ours).
"""

from __future__ import annotations

from etalon.cost.gpus import Gpu
from etalon.cost.shapes import ModelShape

MFU = 0.3  # (ours) share of the peak that training reaches, at the FLOPs counted here; recomputation is not counted
DECODE_BANDWIDTH = 0.5  # (ours) share of the memory bandwidth that sampling reaches
DECODE_COMPUTE = 0.4  # (ours) share of the peak that sampling reaches
MAX_SEQUENCES = 256  # (ours) responses that one GPU samples at a time, memory permitting
BUSY = 0.5  # (ours) mean share of those that are going while a batch thins out
MIN_STEP_SECONDS = 0.005  # (ours) no step of sampling is shorter: kernel launches, scheduling
LENGTH_SPREAD = 1.5  # (ours) mean squared length over squared mean length
PROMPT_TOKENS = 300  # (ours) mean length of a prompt
LONGEST_PROMPT = 2048  # (ours) tokens of the longest prompt that a window leaves room for
WIDTH = 2  # bytes of a bf16 number


def attention_flops(shape: ModelShape, context: float) -> float:
    """FLOPs of one token that attends to `context` positions, forward."""
    return 4.0 * context * shape.layers * shape.heads * shape.head_size


def training_flops(shape: ModelShape, *, tokens: float, mean_tokens: float) -> float:
    """FLOPs of forward and backward over `tokens` tokens in sequences of `mean_tokens` tokens."""
    context = LENGTH_SPREAD * mean_tokens / 2  # of a mean token: half of its sequence, and long ones have more tokens
    return tokens * (6.0 * shape.active + 3.0 * attention_flops(shape, context))


def training_seconds(shape: ModelShape, gpu: Gpu, *, tokens: float, mean_tokens: float) -> float:
    """GPU-seconds of training; any number of GPUs shares them."""
    return training_flops(shape, tokens=tokens, mean_tokens=mean_tokens) / (MFU * gpu.flops)


def mean_context(response: float) -> float:
    """Positions in the cache of a response, averaged over its tokens."""
    return PROMPT_TOKENS + LENGTH_SPREAD * response / 2


def sequences_at_a_time(shape: ModelShape, *, room: float, response: float) -> int:
    """Responses of `response` tokens whose caches fit into `room` bytes; at least 1, at most MAX_SEQUENCES."""
    cache = WIDTH * shape.cache_elements * mean_context(response)
    return int(max(1, min(MAX_SEQUENCES, room // cache)))


def decode_step_seconds(shape: ModelShape, gpu: Gpu, *, sequences: float, context: float) -> float:
    """Seconds in which one GPU samples one token for each of `sequences` responses of `context` positions."""
    read = WIDTH * (shape.active + sequences * context * shape.cache_elements)
    computed = sequences * (2.0 * shape.active + attention_flops(shape, context))
    return max(MIN_STEP_SECONDS, read / (DECODE_BANDWIDTH * gpu.bandwidth), computed / (DECODE_COMPUTE * gpu.flops))


def generation_seconds(shape: ModelShape, gpu: Gpu, *, tokens: float, response: float, room: float) -> float:
    """GPU-seconds of sampling `tokens` tokens in responses of `response` tokens.

    room: bytes of a GPU that the cache may take. Prompts are shared by a group and left out.
    """
    sequences = BUSY * sequences_at_a_time(shape, room=room, response=response)
    step = decode_step_seconds(shape, gpu, sequences=sequences, context=mean_context(response))
    return tokens / sequences * step


def longest_seconds(shape: ModelShape, gpu: Gpu, *, window: int) -> float:
    """Seconds for one response as long as the window, alone on a GPU: no number of GPUs makes a step shorter."""
    return window * decode_step_seconds(shape, gpu, sequences=1, context=PROMPT_TOKENS + window / 2)
