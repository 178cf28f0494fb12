"""Tokens per second of LocalSampler against transformers `generate`, in one run: same model, prompts and settings.

uniform    no response can end early: every row runs to the limit
skewed     a bias on the end token makes lengths geometric, with a mean of an eighth of the limit

Defaults: 32 prompts of mixed length, 8 rollouts each, in one batch on both sides, at most 160 tokens (about what RL in
recipes/nano.toml allows) and at most 512. Only useful tokens count: those up to the end of each response. One thread,
and CPU seconds, so that a busy machine does not decide. The two take turns; a side's rate is over all rounds (with
skewed lengths the longest response of a batch is luck, so the best round would be too); the ratios come last.
LocalSampler also returns the log-prob of every token; `--logprobs` asks `generate` for the same.

    HF_HUB_OFFLINE=1 python bench/sampler.py [--size nano|small|medium]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from functools import partial

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from etalon.model import loader
from etalon.model.loader import LanguageModel
from etalon.problems import nano
from etalon.sampling.local import LocalSampler
from etalon.types import Conversation, Domain, SamplingParams, Stop, ask

SIZES = {  # hidden, layers, heads, key-value heads, MLP
    "nano": (96, 3, 6, 2, 288),
    "small": (256, 6, 8, 2, 768),
    "medium": (512, 12, 8, 4, 1536),
}
TARGETS = {"uniform": 3.0, "skewed": 8.0}
NEVER = -1e9  # bias of an end token that cannot be drawn


def build(size: str, window: int) -> LanguageModel:
    """A random Qwen2 whose output head has a bias, through which the end token is made likely or impossible."""
    tokenizer = loader.scratch_tokenizer(["7+5=12\n", "(3+4)*2=14\n"], size=320)
    hidden, layers, heads, kv_heads, mlp = SIZES[size]
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv_heads, intermediate_size=mlp, max_position_embeddings=window,
        tie_word_embeddings=False, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, attn_implementation="sdpa",
    )  # fmt: skip
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(config).eval()
    head = torch.nn.Linear(hidden, len(tokenizer))
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.zeros_(head.bias)
    model.lm_head = head
    return LanguageModel(model=model, tokenizer=tokenizer)


def set_end(language_model: LanguageModel, lengths: str, max_tokens: int) -> None:
    """Bias of the end token: impossible, or so likely that a response has a mean of max_tokens / 8 tokens."""
    head = language_model.model.lm_head
    chance = 8 / max_tokens
    likely = math.log((head.out_features - 1) * chance / (1 - chance))
    with torch.no_grad():
        head.bias[language_model.end_token] = NEVER if lengths == "uniform" else likely


def ours(
    language_model: LanguageModel, conversations: list[Conversation], n: int, max_tokens: int, seed: int
) -> list[int]:
    """Lengths of all responses of LocalSampler."""
    sampler = LocalSampler(language_model, max_rows=len(conversations) * n)
    params = SamplingParams(max_tokens=max_tokens)
    groups = dict(sampler.sample(conversations, n=n, params=params, seed=seed))
    rollouts = [rollout for rollouts in groups.values() for rollout in rollouts]
    assert all(rollout.stop is not Stop.ERROR for rollout in rollouts)
    return [rollout.num_tokens for rollout in rollouts]


@torch.no_grad()
def theirs(
    language_model: LanguageModel,
    conversations: list[Conversation],
    n: int,
    max_tokens: int,
    seed: int,
    *,
    with_logprobs: bool = False,
) -> list[int]:
    """Lengths of all responses of `generate`."""
    rendered = [language_model.render(c) for c in conversations]
    longest = max(map(len, rendered))
    pad = language_model.tokenizer.pad_token_id
    prompts = torch.tensor([[pad] * (longest - len(ids)) + ids for ids in rendered])
    torch.manual_seed(seed)
    generated = language_model.model.generate(
        prompts, attention_mask=(prompts != pad).long(), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
        use_cache=True, num_return_sequences=n, max_new_tokens=max_tokens, return_dict_in_generate=True,
        output_logits=with_logprobs,
    )  # fmt: skip
    responses = generated.sequences[:, longest:]
    if with_logprobs:
        for step, logits in enumerate(generated.logits):
            logits.log_softmax(-1).gather(1, responses[:, step, None]).tolist()
    is_end = responses == language_model.end_token
    before = (is_end.cumsum(1) == 0).sum(1)
    return (before + is_end.any(1)).tolist()


Side = Callable[[LanguageModel, list[Conversation], int, int, int], list[int]]


def measure(args: argparse.Namespace, language_model: LanguageModel, lengths: str, max_tokens: int) -> float:
    """Print tokens/s of both sides on one kind of lengths; returns the ratio."""
    set_end(language_model, lengths, max_tokens)
    problems = nano.problems(Domain.MATH, "rl", args.prompts, seed=0)
    conversations = [ask(problem.prompt) for problem in problems]
    sides: dict[str, Side] = {"LocalSampler": ours, "generate": partial(theirs, with_logprobs=args.logprobs)}
    tokens, seconds = dict.fromkeys(sides, 0), dict.fromkeys(sides, 0.0)
    for side in sides.values():  # caches and lazy imports, outside the clock
        side(language_model, conversations[:2], 2, 4, 0)
    for seed in range(args.rounds):
        for name, side in sides.items():
            started = time.process_time()
            sizes = side(language_model, conversations, args.n, max_tokens, seed)
            taken = time.process_time() - started
            tokens[name] += sum(sizes)
            seconds[name] += taken
            print(
                f"{lengths:8} at most {max_tokens}: round {seed + 1} {name:12} {sum(sizes) / taken:9.0f} tokens/s   "
                f"mean {sum(sizes) / len(sizes):5.1f}  longest {max(sizes)}",
                flush=True,
            )
    rates = {name: tokens[name] / seconds[name] for name in sides}
    return rates["LocalSampler"] / rates["generate"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="nano")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--n", type=int, default=8, help="rollouts per prompt")
    parser.add_argument("--max-tokens", type=int, nargs="+", default=[160, 512], help="limits, one after the other")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--logprobs", action="store_true", help="ask generate for log-probs too")
    parser.add_argument("--lengths", choices=["uniform", "skewed", "both"], default="both")
    args = parser.parse_args()
    torch.set_num_threads(1)
    language_model = build(args.size, window=max(args.max_tokens) + 64)
    kinds = list(TARGETS) if args.lengths == "both" else [args.lengths]
    settings = [(lengths, limit) for lengths in kinds for limit in args.max_tokens]
    ratios = {setting: measure(args, language_model, *setting) for setting in settings}
    for (lengths, limit), ratio in ratios.items():
        print(f"{lengths}, at most {limit} tokens: {ratio:.1f}x (target {TARGETS[lengths]:.0f}x)")


if __name__ == "__main__":
    main()
