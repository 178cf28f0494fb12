"""The local engine on a real pretrained model, beside transformers, vLLM and TRL on the same machine, in one run.

sampling   32 prompts x 4 x 128 tokens, two threads                                    transformers `generate`, vLLM
training   forward and backward of 16 rows of 200 tokens in one pass                   transformers on padded rows
step       an RL step of 16 prompts of about 100 tokens x 8 answers of at most 60      TRL's GRPOTrainer (GRPO)

    HF_HUB_OFFLINE=1 python bench/pretrained.py DIR [--only sampling] [--threads 2] [--rounds 2]
        [--vllm PYTHON]   an interpreter with vLLM         [--trl PYTHON]   an interpreter with Etalon and TRL

Every side of every part is a process of its own, one after the other, so that its peak memory is its own (of vLLM the
larger of its two processes).
Only tokens up to the end of a response count. Wall seconds: nothing else should be busy. Ratios come last.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROMPTS, ROLLOUTS, MAX_TOKENS = 32, 4, 128
TRAIN_ROWS, TRAIN_PROMPT, TRAIN_RESPONSE = 16, 100, 100
STEP_PROMPTS, STEP_ROLLOUTS, STEP_TOKENS = 16, 8, 60
# part -> sides, the first is what the others are measured against
SIDES = {
    "sampling": ("transformers", "transformers-bf16", "vllm", "local", "local-bf16"),
    "training": ("transformers", "local", "local-recompute", "local-bf16", "local-bf16-recompute"),
    "step": ("trl", "local", "local-bf16"),
}
Numbers = dict[str, float]


def questions(count: int, steps: tuple[int, int] = (1, 3)) -> list[str]:
    """Word problems of our own, with the usual instruction."""
    from etalon.problems.instructions import with_instruction
    from etalon.problems.made.stories import stories
    from etalon.types import Domain

    return [with_instruction(row["question"], Domain.MATH) for row in stories(count, seed=0, steps=steps)]


def loaded(args: argparse.Namespace) -> Any:
    """The model for the local engine."""
    from etalon.model import loader

    return loader.load(args.model, device="cpu", autocast="bf16" if "bf16" in args.side else "off")


def hugging_face(args: argparse.Namespace) -> tuple[Any, Any]:
    """Model and tokenizer as transformers has them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = torch.bfloat16 if "bf16" in args.side else torch.float32
    return AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype), AutoTokenizer.from_pretrained(args.model)


def timed(work: Callable[[int], int], rounds: int) -> Numbers:
    """Tokens per second over all rounds; the first is outside the clock."""
    work(0)
    started, tokens = time.perf_counter(), 0
    for seed in range(1, rounds + 1):
        tokens += work(seed)
    return {"rate": tokens / (time.perf_counter() - started)}


# ---- sampling


def sampling_local(args: argparse.Namespace) -> Numbers:
    from etalon.sampling.local import LocalSampler
    from etalon.types import SamplingParams, ask

    sampler = LocalSampler(loaded(args))
    asked = [ask(question) for question in questions(PROMPTS)]

    def work(seed: int) -> int:
        params = SamplingParams(max_tokens=MAX_TOKENS if seed else 4)
        found = sampler.sample(asked, n=ROLLOUTS, params=params, seed=seed)
        return sum(rollout.num_tokens for _, rollouts in found for rollout in rollouts)

    return timed(work, args.rounds)


def sampling_transformers(args: argparse.Namespace) -> Numbers:
    import torch

    model, tokenizer = hugging_face(args)
    rendered = [rendered_by(tokenizer, question) for question in questions(PROMPTS)]
    longest, pad = max(map(len, rendered)), tokenizer.pad_token_id or tokenizer.eos_token_id
    prompts = torch.tensor([[pad] * (longest - len(ids)) + ids for ids in rendered])
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in rendered])

    @torch.no_grad()
    def work(seed: int) -> int:
        torch.manual_seed(seed)
        generated = model.generate(
            prompts, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, pad_token_id=pad,
            num_return_sequences=ROLLOUTS, max_new_tokens=MAX_TOKENS if seed else 4,
        )[:, longest:]  # fmt: skip
        is_end = generated == tokenizer.eos_token_id
        return int(((is_end.cumsum(1) == 0).sum(1) + is_end.any(1)).sum())

    return timed(work, args.rounds)


def rendered_by(tokenizer: Any, question: str) -> list[int]:
    """Token ids of a question in the model's chat template."""
    messages = [{"role": "user", "content": question}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def sampling_vllm(args: argparse.Namespace) -> Numbers:
    """Run by an interpreter that has vLLM and not Etalon: the questions come along as a file."""
    from vllm import LLM, SamplingParams

    model = LLM(str(args.model), dtype="float32" if args.float32 else "bfloat16", max_model_len=1024)
    tokenizer = model.get_tokenizer()
    asked = json.loads(Path(args.questions).read_text())
    prompts = [{"prompt_token_ids": rendered_by(tokenizer, question)} for question in asked]

    def work(seed: int) -> int:
        params = SamplingParams(n=ROLLOUTS, temperature=1.0, top_p=1.0, max_tokens=MAX_TOKENS if seed else 4)
        found = model.generate(prompts, params, use_tqdm=False)
        return sum(len(one.token_ids) for request in found for one in request.outputs)

    return timed(work, args.rounds)


# ---- training


def rows_of(vocabulary: int) -> list[Any]:
    import torch

    from etalon.model.packed import TokenRow

    generator = torch.Generator().manual_seed(0)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(5, vocabulary, (count,), generator=generator).tolist())

    return [TokenRow(prompt=ids(TRAIN_PROMPT), response=ids(TRAIN_RESPONSE)) for _ in range(TRAIN_ROWS)]


def training_local(args: argparse.Namespace) -> Numbers:
    from etalon.engines.local.trainer import Batch, Trainer, cross_entropy
    from etalon.recipe import OptimSpec

    language_model = loaded(args)
    rows = rows_of(language_model.model.config.vocab_size)
    trainer = Trainer(
        language_model, OptimSpec(), total_steps=10**6, micro_tokens=10**6,
        autocast=language_model.autocast, recompute="on" if "recompute" in args.side else "off",
    )  # fmt: skip

    def work(seed: int) -> int:
        trainer.backward(Batch(rows=rows, objective=cross_entropy(rows)))
        language_model.model.zero_grad(set_to_none=True)
        return sum(map(len, rows))

    return timed(work, args.rounds)


def training_transformers(args: argparse.Namespace) -> Numbers:
    import torch

    model, _ = hugging_face(args)
    model.train()
    rows = rows_of(model.config.vocab_size)
    tokens = torch.tensor([[*row.prompt, *row.response] for row in rows])
    labels = tokens.clone()
    labels[:, :TRAIN_PROMPT] = -100

    def work(seed: int) -> int:
        torch.autograd.backward(model(input_ids=tokens, labels=labels, use_cache=False).loss)
        model.zero_grad(set_to_none=True)
        return tokens.numel()

    return timed(work, args.rounds)


# ---- an RL step


def step_local(args: argparse.Namespace) -> Numbers:
    from dataclasses import replace

    from etalon.engines.local.reinforcement import rl_batch
    from etalon.engines.local.trainer import Trainer
    from etalon.recipe import OptimSpec
    from etalon.rl.credit import CreditSpec
    from etalon.sampling.local import LocalSampler
    from etalon.types import Domain, Group, Problem, SamplingParams, Verdict, ask
    from grpo import STILL, chance

    language_model = loaded(args)
    asked = questions(STEP_PROMPTS, (2, 3))
    trainer = Trainer(
        language_model, OptimSpec(lr=STILL, final_lr=STILL, warmup=0.0), total_steps=10**6,
        micro_tokens=args.micro_tokens, autocast=language_model.autocast,
    )  # fmt: skip
    sampler, spec = LocalSampler(language_model), CreditSpec(gamma=0.0, std_ddof=1, std_epsilon=1e-4)

    def work(seed: int) -> int:
        params = SamplingParams(max_tokens=STEP_TOKENS)
        found = dict(sampler.sample([ask(text) for text in asked], n=STEP_ROLLOUTS, params=params, seed=seed))
        groups = []
        for index, text in enumerate(asked):
            problem = Problem(id=str(index), domain=Domain.MATH, prompt=text, answer="1")
            scores = chance([rollout.tokens or () for rollout in found[index]])
            verdicts = tuple(Verdict(score=score, reason="by chance") for score in scores)
            rollouts = tuple(replace(rollout, problem_id=problem.id) for rollout in found[index])
            groups.append(Group(problem=problem, rollouts=rollouts, verdicts=verdicts))
        trainer.step(0, rl_batch(groups, spec))
        return sum(rollout.num_tokens for group in groups for rollout in group.rollouts)

    return timed(work, args.rounds)


def step_trl(args: argparse.Namespace) -> Numbers:
    import tempfile

    from transformers import TrainerCallback

    from grpo import grpo_trainer

    model, tokenizer = hugging_face(args)
    prompts = [tokenizer.decode(rendered_by(tokenizer, text)) for text in questions(STEP_PROMPTS, (2, 3))]
    seconds: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.started = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds.append(time.perf_counter() - self.started)

    with tempfile.TemporaryDirectory() as folder:
        trainer, tokens = grpo_trainer(
            model, tokenizer, prompts, n=STEP_ROLLOUTS, max_tokens=STEP_TOKENS, rows=args.rows,
            steps=args.rounds + 1, folder=Path(folder), watch=Clock(),
        )  # fmt: skip
        trainer.train()
    return {"rate": sum(tokens[1:]) / sum(seconds[1:])}


# ---- all of it

WORK = {
    "sampling": {"transformers": sampling_transformers, "vllm": sampling_vllm, "local": sampling_local},
    "training": {"transformers": training_transformers, "local": training_local},
    "step": {"trl": step_trl, "local": step_local},
}


def one_side(args: argparse.Namespace) -> None:
    """In a process of its own: one JSON line, the last of its output."""
    if args.side != "vllm":
        import torch

        torch.set_num_threads(args.threads)
    found = WORK[args.part][args.side.partition("-")[0]](args)
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    found["peak_mb"] = max(peaks) / 1024
    print(json.dumps(found), flush=True)


def measured(args: argparse.Namespace, part: str, side: str, asked: Path) -> Numbers | None:
    """The numbers of one side; None where its interpreter was not named."""
    python = {"vllm": args.vllm, "trl": args.trl}.get(side, sys.executable)
    if python is None:
        return None
    command = [
        python, str(Path(__file__).resolve()), str(args.model), "--part", part, "--side", side, "--rounds",
        str(args.rounds), "--threads", str(args.threads), "--rows", str(args.rows), "--micro-tokens",
        str(args.micro_tokens), "--questions", str(asked), *(["--float32"] if args.float32 else []),
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{part} {side}: {done.stderr[-2000:]}")
    found: Numbers = json.loads(done.stdout.splitlines()[-1])
    print(f"{part:9} {side:22} {found['rate']:8.0f} tokens/s   peak {found['peak_mb']:7,.0f} MB", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--only", choices=list(SIDES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2, help="after one outside the clock")
    parser.add_argument("--rows", type=int, default=16, help="rollouts per forward pass of GRPOTrainer")
    parser.add_argument("--micro-tokens", type=int, default=2048, help="tokens per forward pass of our RL step")
    parser.add_argument("--vllm", metavar="PYTHON")
    parser.add_argument("--trl", metavar="PYTHON")
    parser.add_argument("--float32", action="store_true", help="vLLM in float32")
    for hidden in ("--part", "--side", "--questions"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        one_side(args)
        return
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "questions.json"
        asked.write_text(json.dumps(questions(PROMPTS)))
        for part in [args.only] if args.only else SIDES:
            found = {side: measured(args, part, side, asked) for side in SIDES[part]}
            against = found[SIDES[part][0]]
            for side, numbers in found.items():
                if numbers and against and numbers is not against:
                    print(f"{part}: {side} is {numbers['rate'] / against['rate']:.2f}x {SIDES[part][0]}")


if __name__ == "__main__":
    main()
