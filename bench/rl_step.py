"""One RL step of the local engine against TRL's GRPOTrainer with its own generation, in one run.

Same model, prompts, reward, objective (GRPO: the sample standard deviation and epsilon of TRL, mean over tokens, then
over rollouts) and optimiser; a step is sampling, reward, credit, forward, backward and update.

uniform    no response can end early: every row runs to the limit
skewed     a bias on the end token makes lengths geometric, with a mean of an eighth of the limit

The weights do not move (a learning rate next to nothing), so every step has the same lengths to deal with. One thread,
and CPU seconds, so that a busy machine does not decide. Tokens are those of responses, up to their ends. Printed last:
the ratio of tokens per CPU second, and the largest difference between the two gradients on the same rollouts, relative
to the largest entry of its tensor.

    HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 python bench/rl_step.py [--size nano|small|medium]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from etalon.engines.local.reinforcement import rl_batch
from etalon.engines.local.trainer import Trainer
from etalon.model import packed
from etalon.model.loader import LanguageModel
from etalon.problems import nano
from etalon.recipe import OptimSpec
from etalon.rl.credit import CreditSpec
from etalon.sampling.local import LocalSampler
from etalon.types import Domain, Group, Problem, Rollout, SamplingParams, Verdict, ask
from grpo import STILL, chance, grpo_trainer
from sampler import SIZES, TARGETS, build, set_end

SPEC = CreditSpec(gamma=0.0, std_ddof=1, std_epsilon=1e-4)


def twin(language_model: LanguageModel) -> LanguageModel:
    """The same weights under the attention of the local engine."""
    packed.register()
    config = type(language_model.model.config)(**language_model.model.config.to_dict())
    config._attn_implementation = "etalon_packed"
    model = type(language_model.model)(config).eval()
    head = language_model.model.lm_head
    model.lm_head = torch.nn.Linear(head.in_features, head.out_features)
    model.load_state_dict(language_model.model.state_dict())
    return LanguageModel(model=model, tokenizer=language_model.tokenizer)


class Local:
    """The local engine."""

    def __init__(self, language_model: LanguageModel, problems: list[Problem], args: argparse.Namespace) -> None:
        self.problems, self.args = problems, args
        spec = OptimSpec(lr=STILL, final_lr=STILL, warmup=0.0)
        self.trainer = Trainer(language_model, spec, total_steps=10**6, micro_tokens=args.micro_tokens)
        self.sampler = LocalSampler(language_model, max_rows=len(problems) * args.n)

    def groups(self, seed: int, max_tokens: int) -> list[Group]:
        conversations = [ask(problem.prompt) for problem in self.problems]
        params = SamplingParams(max_tokens=max_tokens)
        found = dict(self.sampler.sample(conversations, n=self.args.n, params=params, seed=seed))
        return [self.judged(problem, found[i]) for i, problem in enumerate(self.problems)]

    def judged(self, problem: Problem, rollouts: Sequence[Rollout]) -> Group:
        scores = chance([rollout.tokens or () for rollout in rollouts])
        verdicts = tuple(Verdict(score=score, reason="by chance") for score in scores)
        named = tuple(replace(rollout, problem_id=problem.id) for rollout in rollouts)
        return Group(problem=problem, rollouts=named, verdicts=verdicts)

    def step(self, seed: int, max_tokens: int) -> int:
        """Tokens of one step."""
        groups = self.groups(seed, max_tokens)
        self.trainer.step(0, rl_batch(groups, SPEC))
        return sum(rollout.num_tokens for group in groups for rollout in group.rollouts)


class Steps(TrainerCallback):  # type: ignore[misc]
    """CPU seconds of every step, and the gradient of the last one."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.gradients: dict[str, torch.Tensor] = {}

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.started = time.process_time()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.process_time() - self.started)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self.gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def rendered(language_model: LanguageModel, problems: Sequence[Problem]) -> list[str]:
    return [language_model.tokenizer.decode(language_model.render(ask(problem.prompt))) for problem in problems]


def theirs(
    language_model: LanguageModel, problems: list[Problem], args: argparse.Namespace, max_tokens: int, folder: Path
) -> list[tuple[int, float]]:
    """(tokens, CPU seconds) of each step of GRPOTrainer."""
    watch = Steps()
    trainer, tokens = grpo_trainer(
        language_model.model, language_model.tokenizer, rendered(language_model, problems), n=args.n,
        max_tokens=max_tokens, rows=args.rows, steps=args.rounds + 1, folder=folder, watch=watch,
    )  # fmt: skip
    trainer.train()
    return list(zip(tokens, watch.seconds, strict=True))[1:]  # the first is outside the clock


def gradient_difference(
    language_model: LanguageModel, local: Local, args: argparse.Namespace, max_tokens: int, folder: Path
) -> float:
    """Largest difference of any entry on the same rollouts, relative to the largest of its tensor."""
    groups = local.groups(99, max_tokens)
    rollouts = [rollout for group in groups for rollout in group.rollouts]

    def stored(prompts: list[str], trainer: Any) -> dict[str, Any]:
        return {
            "prompt_ids": [list(rollout.prompt_tokens or ()) for rollout in rollouts],
            "completion_ids": [list(rollout.tokens or ()) for rollout in rollouts],
            "logprobs": None,
        }

    watch = Steps()
    trainer, _ = grpo_trainer(
        language_model.model, language_model.tokenizer, rendered(language_model, local.problems), n=args.n,
        max_tokens=max_tokens, rows=args.rows, steps=1, folder=folder, watch=watch, rollout_func=stored,
        max_grad_norm=0.0,
    )  # fmt: skip
    trainer.train()
    local.trainer.backward(rl_batch(groups, SPEC))
    own = {name: p.grad for name, p in local.trainer.language_model.model.named_parameters() if p.grad is not None}
    assert own.keys() == watch.gradients.keys()
    difference = max(
        float((own[name] - g).abs().max() / g.abs().max())
        for name, g in watch.gradients.items()
        if not name.endswith("k_proj.bias")  # softmax does not see it: its gradient is rounding alone
    )
    local.trainer.language_model.model.zero_grad(set_to_none=True)
    return difference


def measure(args: argparse.Namespace, lengths: str, max_tokens: int, folder: Path) -> tuple[float, float]:
    """Print both sides on one kind of lengths; returns (ratio, gradient difference)."""
    language_model = build(args.size, window=max_tokens + 64)
    set_end(language_model, lengths, max_tokens)
    problems = nano.problems(Domain.MATH, "rl", args.prompts, seed=0)
    local = Local(twin(language_model), problems, args)
    local.step(0, 4)  # caches and lazy imports, outside the clock
    sides: dict[str, list[tuple[int, float]]] = {"local": []}
    for seed in range(1, args.rounds + 1):
        started = time.process_time()
        tokens = local.step(seed, max_tokens)
        sides["local"].append((tokens, time.process_time() - started))
    sides["GRPOTrainer"] = theirs(language_model, problems, args, max_tokens, folder)
    rates = {}
    for name, steps in sides.items():
        tokens, seconds = (sum(values) for values in zip(*steps, strict=True))
        rates[name] = tokens / seconds
        each = ", ".join(f"{s:.2f}" for _, s in steps)
        print(
            f"{lengths:8} at most {max_tokens}: {name:12} {rates[name]:8.0f} tokens/s   mean "
            f"{tokens / args.rounds / args.prompts / args.n:5.1f} tokens   CPU seconds a step {each}",
            flush=True,
        )
    return rates["local"] / rates["GRPOTrainer"], gradient_difference(language_model, local, args, max_tokens, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="nano")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--n", type=int, default=8, help="rollouts per prompt")
    parser.add_argument("--max-tokens", type=int, nargs="+", default=[160, 512], help="limits, one after the other")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=32, help="rollouts per forward pass of GRPOTrainer")
    parser.add_argument("--micro-tokens", type=int, default=4096, help="tokens per forward pass of the local engine")
    parser.add_argument("--lengths", choices=["uniform", "skewed", "both"], default="both")
    args = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"  # it warns of rollout_func
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    kinds = list(TARGETS) if args.lengths == "both" else [args.lengths]
    with tempfile.TemporaryDirectory() as folder:
        found = {(k, limit): measure(args, k, limit, Path(folder)) for k in kinds for limit in args.max_tokens}
    for (lengths, limit), (ratio, difference) in found.items():
        print(
            f"{lengths}, at most {limit} tokens: {ratio:.1f}x (target {TARGETS[lengths]:.0f}x), gradients differ by "
            f"{difference:.1e} at most"
        )


if __name__ == "__main__":
    main()
