"""Tokens per second and model FLOPs utilisation of the local engine on one device, and how far its log-probs agree.

train      SFT steps on rows of random length, packed; a step is forward, backward, clip and AdamW
sample     rollouts that run to the limit, one prefill per prompt
mismatch   |sampler's log-prob - trainer's log-prob| (nats) of the same tokens, with nothing trained in between

Utilisation is model FLOPs over the dense bfloat16 peak of the card (PEAKS; a card it does not know gets none):

    6 N T + 6 L H D sum(length^2)     training
    2 N T + 4 L H D sum(positions)    sampling; positions: those that each new token attends to

N weights of matrix products (the embedding is looked up, the head multiplied), L layers, H heads, D head size, T
tokens. Causal attention counts half of the square; recomputation counts nothing. The median of the rounds is printed.
Weights are random: speed does not depend on them.

    python bench/gpu.py [--size one-gpu|0.5b|1.5b] [--device cuda|cpu] [--autocast bf16|off]
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from etalon.engines.local.trainer import Batch, Trainer, cross_entropy
from etalon.errors import EtalonError
from etalon.model import loader, packed
from etalon.model.loader import LanguageModel
from etalon.model.packed import TokenRow, pack, token_logprobs
from etalon.recipe import OptimSpec
from etalon.sampling.local import LocalSampler
from etalon.types import SamplingParams, ask

SIZES = {  # hidden, layers, heads, key-value heads, MLP, vocabulary
    "tiny": (64, 2, 4, 2, 128, 320),
    "one-gpu": (512, 8, 8, 2, 1536, 512),
    "0.5b": (896, 24, 14, 2, 4864, 151936),  # Qwen2.5-0.5B
    "1.5b": (1536, 28, 12, 2, 8960, 151936),  # Qwen2.5-1.5B
}
PEAKS = {  # dense bfloat16 TFLOP/s of the vendor's data sheets; the first name that the card's contains
    "H200": 989,
    "H100 PCIe": 756,
    "H100": 989,
    "B200": 2250,
    "A100": 312,
    "L40S": 362,
    "L4": 121,
}


def peak_tflops(card: str) -> float | None:
    """Dense bfloat16 peak of a card by its name, where the table has it."""
    return next((float(peak) for name, peak in PEAKS.items() if name in card), None)


def matrix_weights(model: Any) -> int:
    """Weights that multiply every token: matrices but the embedding table, which counts where it is the head too."""
    table = model.get_input_embeddings().weight
    head = model.get_output_embeddings().weight
    inside = sum(p.numel() for p in model.parameters() if p.ndim == 2 and p is not table and p is not head)
    return inside + int(head.numel())


def attention_size(config: Any) -> int:
    """L H D."""
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(config.num_hidden_layers * config.num_attention_heads * head_size)


def training_flops(model: Any, lengths: Sequence[int]) -> float:
    """Forward and backward of packed sequences."""
    squares = sum(length**2 for length in lengths)
    return 6.0 * matrix_weights(model) * sum(lengths) + 6.0 * attention_size(model.config) * squares


def sampling_flops(model: Any, prompt: int, response: int) -> float:
    """One rollout, its prefill left out: it is shared."""
    positions = sum(range(prompt + 1, prompt + response + 1))
    return 2.0 * matrix_weights(model) * response + 4.0 * attention_size(model.config) * positions


def build(size: str, window: int, device: str, autocast: str) -> LanguageModel:
    """A random Qwen2 that never ends a response."""
    tokenizer = loader.scratch_tokenizer(["7+5=12\n"], size=320)
    packed.register()
    target = loader.prepare_device(device, autocast)
    hidden, layers, heads, kv_heads, mlp, vocabulary = SIZES[size]
    config = Qwen2Config(
        vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv_heads, intermediate_size=mlp, max_position_embeddings=window,
        tie_word_embeddings=size not in ("tiny", "one-gpu"), bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, attn_implementation="etalon_packed",
    )  # fmt: skip
    torch.manual_seed(0)
    with target:
        model = Qwen2ForCausalLM(config).eval()
    return Endless(model=model, tokenizer=tokenizer, autocast=autocast)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endless(LanguageModel):
    """No token ends a response, and none has to be decoded."""

    @property
    def end_tokens(self) -> tuple[int, ...]:
        return (-1,)

    def decode(self, tokens: Sequence[int]) -> str:
        return ""


def timed(device: torch.device, act: Callable[[], Any], rounds: int) -> float:
    """Median seconds of a round, after one that is not counted."""
    seconds = []
    for _ in range(rounds + 1):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        act()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def random_rows(vocabulary: int, lengths: Sequence[int]) -> list[TokenRow]:
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randint(5, vocabulary, (length,), generator=generator).tolist() for length in lengths]
    return [TokenRow(prompt=tuple(ids[:8]), response=tuple(ids[8:])) for ids in drawn]


def report(name: str, tokens: int, seconds: float, flops: float, peak: float | None) -> None:
    share = f", {flops / seconds / 1e12 / peak:.1%} of {peak:.0f} TFLOP/s" if peak else ""
    print(f"{name:34} {tokens / seconds:12,.0f} tokens/s  {1000 * seconds:8.1f} ms{share}", flush=True)


def train(language_model: LanguageModel, args: argparse.Namespace, peak: float | None) -> None:
    generator = torch.Generator().manual_seed(0)
    longest = args.length
    for lengths_of in ("equal", "mixed"):
        equal = lengths_of == "equal"
        lengths = [
            longest if equal else int(torch.randint(16, longest + 1, (1,), generator=generator))
            for _ in range(max(1, args.batch_tokens // (longest if equal else (16 + longest) // 2)))
        ]
        rows = random_rows(language_model.model.config.vocab_size, lengths)
        trainer = Trainer(
            language_model, OptimSpec(lr=1e-6, final_lr=1e-6), total_steps=1000, micro_tokens=args.micro_tokens,
            autocast=args.autocast,
        )  # fmt: skip
        batch = Batch(rows=rows, objective=cross_entropy(rows))
        seconds = timed(language_model.device, lambda trainer=trainer, batch=batch: trainer.step(0, batch), args.rounds)
        flops = training_flops(language_model.model, lengths)
        report(f"train, {lengths_of} lengths to {longest}", sum(lengths), seconds, flops, peak)


def sample(language_model: LanguageModel, args: argparse.Namespace, peak: float | None) -> None:
    params = SamplingParams(max_tokens=args.max_tokens)
    for num_rows in args.rows:
        n = min(16, num_rows)
        sampler = LocalSampler(language_model, max_rows=num_rows)
        conversations = [ask(f"{i}+{i}=?") for i in range(max(1, num_rows // n))]
        prompt = len(language_model.render(conversations[-1]))

        def act(sampler: LocalSampler = sampler, conversations: Any = conversations, n: int = n) -> None:
            groups = list(sampler.sample(conversations, n=n, params=params, seed=0))
            assert all(rollout.num_tokens == args.max_tokens for _, group in groups for rollout in group)

        tokens = len(conversations) * n * args.max_tokens
        seconds = timed(language_model.device, act, args.rounds)
        flops = len(conversations) * n * sampling_flops(language_model.model, prompt, args.max_tokens)
        report(f"sample, {num_rows} rows of {args.max_tokens}", tokens, seconds, flops, peak)


@torch.no_grad()
def mismatch(language_model: LanguageModel, args: argparse.Namespace) -> None:
    params = SamplingParams(max_tokens=args.max_tokens)
    ((_, rollouts),) = LocalSampler(language_model).sample([ask("7+5=?")], n=16, params=params, seed=0)
    batch = pack(
        [TokenRow(prompt=r.prompt_tokens or (), response=r.tokens or ()) for r in rollouts], language_model.device
    )
    with torch.autocast(language_model.device.type, torch.bfloat16, enabled=args.autocast == "bf16"):
        trained = token_logprobs(language_model.model, batch)
    sampled = torch.tensor([x for r in rollouts for x in r.logprobs or ()], device=trained.device)
    gap = (sampled - trained).abs()
    ratio = (trained - sampled).exp().mean()
    print(f"mismatch of {len(gap)} tokens: mean {gap.mean():.5f}, largest {gap.max():.4f}, mean ratio {ratio:.5f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="one-gpu")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--autocast", choices=["bf16", "off"], default="bf16")
    parser.add_argument("--length", type=int, default=512, help="longest training row, in tokens")
    parser.add_argument("--batch-tokens", type=int, default=65536)
    parser.add_argument("--micro-tokens", type=int, default=32768)
    parser.add_argument("--rows", type=int, nargs="+", default=[256, 1024, 4096])
    parser.add_argument("--max-tokens", type=int, default=256, help="length of a rollout")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    window = max(args.length, args.max_tokens + 64)
    try:
        language_model = build(args.size, window, args.device, args.autocast)
    except EtalonError as error:
        raise SystemExit(str(error)) from None
    card = torch.cuda.get_device_name(language_model.device) if args.device == "cuda" else "CPU"
    peak = peak_tflops(card) if args.autocast == "bf16" else None
    print(f"{card}, torch {torch.__version__}, {args.size}, autocast {args.autocast}")
    mismatch(language_model, args)
    sample(language_model, args, peak)
    train(language_model, args, peak)
    if args.device == "cuda":
        print(f"most memory: {torch.cuda.max_memory_allocated() / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
