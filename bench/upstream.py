"""CLR over a real server with a nano checkpoint: against Cons@K and Cons@2K, early decision against every call.

    python bench/upstream.py widen runs/nano/stages/instruct/checkpoint wide      # once, needs the train extra
    VLLM_CPU_KVCACHE_SPACE=1 python -m vllm.entrypoints.openai.api_server --model wide --served-model-name nano \\
        --dtype float32 --enforce-eager --max-num-batched-tokens 65536
    python bench/upstream.py compare http://localhost:8000/v1

The nano model's heads have 16 channels and vLLM's CPU kernels start at 32, so `widen` pads them with zeros: the same
function, as a Llama, whose configuration may state the width of a head. Without the large token batch vLLM 0.32 splits
prompts, and its CPU sampler then dies on requests with a seed ("set_offset").
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from pathlib import Path

WIDTH = 32


def widen(source: Path, target: Path) -> None:
    """Write the checkpoint with heads of WIDTH channels. Rotary pair i of d/2 becomes pair i * WIDTH/d: same angle."""
    import torch
    from safetensors.torch import load_file, save_file

    config = json.loads((source / "config.json").read_text())
    hidden, heads, kv_heads = (config[k] for k in ("hidden_size", "num_attention_heads", "num_key_value_heads"))
    width = hidden // heads
    step = WIDTH // width
    places = [step * i for i in range(width // 2)] + [WIDTH // 2 + step * i for i in range(width // 2)]

    def padded(rows: torch.Tensor, count: int, scale: float = 1.0) -> torch.Tensor:
        wide = torch.zeros(count, WIDTH, *rows.shape[1:])
        wide[:, places] = rows.reshape(count, width, *rows.shape[1:]) * scale
        return wide.reshape(count * WIDTH, *rows.shape[1:])

    weights: dict[str, torch.Tensor] = {}
    for name, tensor in load_file(source / "model.safetensors").items():
        if ".q_proj." in name:  # attention divides by the root of the width
            tensor = padded(tensor, heads, math.sqrt(WIDTH / width))
        elif ".k_proj." in name or ".v_proj." in name:
            tensor = padded(tensor, kv_heads)
        elif name.endswith(".o_proj.weight"):
            tensor = padded(tensor.T.contiguous(), heads).T
            weights[name.replace("weight", "bias")] = torch.zeros(hidden)
        weights[name] = tensor.contiguous()
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            shutil.copy(file, target / file.name)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    kept = {k: v for k, v in config.items() if "sliding" not in k and k not in ("max_window_layers", "layer_types")}
    own = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "head_dim": WIDTH, "attention_bias": True}
    (target / "config.json").write_text(json.dumps(kept | own, indent=2))


def compare(url: str, args: argparse.Namespace) -> None:
    """Print correct answers and calls of CLR with and without early decision, and of both majority votes."""
    from etalon import stats
    from etalon.clr.batch import ClrSampler
    from etalon.problems import nano
    from etalon.sampling.endpoint import EndpointSampler, EndpointSettings
    from etalon.types import Domain, Problem, SamplingParams, ask
    from etalon.verifiers import VERIFIERS, cluster
    from etalon.verifiers.text import extract_answer

    problems = [p for p in nano.problems(Domain.MATH, "test", 40 * args.problems, seed=0) if p.level >= args.level]
    problems = problems[: args.problems]
    sampler = EndpointSampler(EndpointSettings(urls=(url,), model=args.model, concurrency=64))
    conversations = [ask(problem.prompt) for problem in problems]
    params = SamplingParams(max_tokens=200)

    def report(method: str, answers: list[str | None], calls: int, seconds: float) -> None:
        right = [is_right(problem, answer) for problem, answer in zip(problems, answers, strict=True)]
        interval = stats.share_interval(right)
        shown = f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
        print(f"{method:10} {shown} {calls:6,} calls {seconds:4.0f} s", flush=True)

    def is_right(problem: Problem, answer: str | None) -> float:
        return float(VERIFIERS[Domain.MATH](problem, f"\\boxed{{{answer}}}").is_correct)

    answers: dict[str, list[str | None]] = {}
    for early in ("off", "exact"):
        started = time.monotonic()
        clr = ClrSampler(sampler, k=args.k, m=5, early=early, prompts="nano", verify_temperature=0.3)
        flows = dict(clr.sample(conversations, n=1, params=params, seed=1))
        details = [flows[i][0].detail or {} for i in range(len(problems))]
        answers[early] = [detail.get("answer") for detail in details]
        calls = sum(flows[i][0].calls for i in range(len(problems)))
        report(f"CLR {early}", answers[early], calls, time.monotonic() - started)
        if early == "off":
            report("Cons@K", [detail.get("majority") for detail in details], args.k * len(problems), 0.0)
        else:
            print(f"{calls / (2 * args.k * len(problems)):.0%} of the 2K calls")
    started = time.monotonic()
    votes = dict(sampler.sample(conversations, n=2 * args.k, params=params, seed=1))
    majority = [voted(votes[i], extract_answer, cluster) for i in range(len(problems))]
    report("Cons@2K", majority, 2 * args.k * len(problems), time.monotonic() - started)
    print(f"identical answers: {answers['off'] == answers['exact']}")


def voted(rollouts, extract, cluster) -> str | None:  # type: ignore[no-untyped-def]
    """The answer with the most votes, the earliest of several."""
    found = [extract(rollout.text) for rollout in rollouts]
    numbers = [number for number in cluster(found) if number is not None]
    if not numbers:
        return None
    most = max(numbers, key=lambda number: (numbers.count(number), -numbers.index(number)))
    return next(answer for answer, number in zip(found, cluster(found), strict=True) if number == most)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    widening = parts.add_parser("widen")
    widening.add_argument("source", type=Path)
    widening.add_argument("target", type=Path)
    comparing = parts.add_parser("compare")
    comparing.add_argument("url")
    comparing.add_argument("--model", default="nano")
    comparing.add_argument("--problems", type=int, default=50)
    comparing.add_argument("--level", type=int, default=4, help="lowest difficulty")
    comparing.add_argument("-k", type=int, default=32)
    args = parser.parse_args()
    if args.part == "widen":
        widen(args.source, args.target)
    else:
        compare(args.url, args)


if __name__ == "__main__":
    main()
