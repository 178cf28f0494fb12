"""Problems and a base model that nobody here wrote: the same recipe runs on them, stage by stage, and is honest."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import shrunk

BENCHMARKS = Path(__file__).resolve().parents[2] / "shared" / "benchmarks"
NANO = Path(__file__).resolve().parents[1] / "recipes" / "nano.toml"
QUICK = (  # fewer and shorter rollouts than nano.toml: the test is about what runs, not about what is learned
    "jobs=1", "eval.n=2", "eval.max_tokens=32", "fuse.k=2", "sft.checkpoints=2", "sft-hard.difficulty_attempts=1",
    "rl.max_tokens=32", "rl.prefilter_attempts=4", "rl.group_size=4", "rl.prompts_per_step=8", "instruct.steps=3",
    "distill.n=1", "clr.k=2", "clr.max_tokens=48", "sft-broad.epochs=4", "rl.when_empty=skip",
)  # fmt: skip

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the benchmark files are not here"),
]


@dataclass(frozen=True, kw_only=True)
class RealRun:
    """A run on GSM8K, HumanEval and IFEval rows with a user's own base model."""

    base: Path
    run: Path
    command: tuple[str, ...]
    printed: CompletedProcess[str]


def first_rows(name: str, count: int) -> list[str]:
    path = BENCHMARKS / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        return [line for _, line in zip(range(count), lines, strict=False)]


def build_base(folder: Path, texts: Sequence[str]) -> Path:
    """A small random Qwen2 with a byte-level BPE, made and saved as anybody would; it has no chat template."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    learner = ByteLevelBPETokenizer()
    learner.train_from_iterator(texts, vocab_size=600, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=learner._tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    )
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=128,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def simple_rule(number: int) -> str:
    """An IFEval row that even a random model follows now and then."""
    rule = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    return json.dumps({"key": 10_000 + number, "prompt": f"Say {number} things without a comma."} | rule) + "\n"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> RealRun:
    folder = tmp_path_factory.mktemp("real")
    questions = first_rows("gsm8k_train_2000.jsonl", 100)
    rows = {"gsm8k": questions, "humaneval": first_rows("humaneval.jsonl.gz", 24)}
    rows["ifeval"] = first_rows("ifeval.jsonl", 60) + [simple_rule(number) for number in range(40)]
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(lines))
    texts = [text for line in questions for text in json.loads(line).values()]
    base = build_base(folder / "base", texts)
    files = [str(folder / f"{name}.jsonl") for name in rows]
    overrides = [f"problems.files={json.dumps(files)}", f"model.base={base}"]  # what a user says
    flags = [part for override in (*overrides, *QUICK) for part in ("--set", override)]
    command = ("run", str(NANO), "--run", str(folder / "run"), *flags)
    printed = shrunk.etalon(*command)
    assert printed.returncode == 0, printed.stderr
    return RealRun(base=base, run=folder / "run", command=command, printed=printed)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def weights(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(path / "model.safetensors"))


def test_every_stage_runs_or_says_why_it_was_skipped(real: RealRun) -> None:
    done = shrunk.done(real.run)
    skipped = {name: one["outputs"]["skipped"] for name, one in done.items() if "skipped" in one["outputs"]}
    assert skipped["rl-stem"] == "there are no problems of its domain"
    assert re.match(r"none of \d+ prompts has an accuracy strictly between 0 and 1 \(0% right, ", skipped["rl-math"])
    assert skipped["distill"] == "no checkpoint solved any of its problems"
    told = {stage["name"]: stage["skipped"] for stage in shrunk.summary(real.run)["stages"] if "skipped" in stage}
    assert told == skipped
    for name, reason in skipped.items():
        assert f"skipped: {reason}\n" in real.printed.stderr
        assert name in real.printed.stdout
    rows = {stage["name"]: stage for stage in shrunk.summary(real.run)["stages"]}
    assert rows["rl-math"]["as"] == rows["sft-hard-fused"].get("as", "sft-hard-fused")  # skipped: the same weights
    assert "rl-math.max_tokens" in real.printed.stderr or "an sft stage before this one" in real.printed.stderr


def test_the_model_that_was_brought_is_looked_at_before_it_is_trained(real: RealRun) -> None:
    record = json.loads((shrunk.stage_dir(real.run, "preflight") / "preflight.json").read_text())
    assert record["prompts"] == 16
    assert record["rollouts"] == 64
    shares = ("right", "partial", "wrong", "no_answer", "truncated", "undecided")
    assert sum(record[name] for name in shares) == pytest.approx(1)
    assert record["mean_tokens"] > 1
    assert record["sampled_per_second"] > 0
    assert record["trained_per_second"] > 0
    assert set(record["optimiser_seconds"]) == {"adamw", "muon"}
    assert min(record["optimiser_seconds"].values()) > 0
    assert record["peak_memory_mb"] > record["weights_mb"] > 0
    printed = real.printed.stderr
    before, after = printed.index("preflight: 16 prompts x 4"), printed.index("data: label queries")
    assert before < printed.index("no answer ", before) < printed.index("forecast for this machine", before) < after


def test_sft_learns_the_gold_rationales(real: RealRun) -> None:
    traces = rows_of(shrunk.stage_dir(real.run, "data") / "traces.jsonl")
    gold = {trace["prompt"]: trace["response"] for trace in traces if trace["domain"] == "math"}
    assert len(gold) > 50
    assert all(response.startswith("<think>") and "\\boxed{" in response for response in gold.values())
    losses = [row["loss"] for row in rows_of(shrunk.stage_dir(real.run, "sft-broad") / "metrics.jsonl")]
    assert sum(losses[-4:]) < 0.9 * sum(losses[:4])
    before, after = weights(real.base), weights(shrunk.stage_dir(real.run, "sft-broad-fused") / "checkpoint")
    assert before.keys() == after.keys()
    assert all(not before[name].equal(after[name]) for name in before if "proj" in name)


def test_what_the_files_lack_is_counted_and_no_label_is_lost(real: RealRun) -> None:
    counts = shrunk.done(real.run)["problems"]["outputs"]["counts"]
    traces = rows_of(shrunk.stage_dir(real.run, "data") / "traces.jsonl")
    solved = {trace["prompt"] for trace in traces}
    train = rows_of(shrunk.stage_dir(real.run, "problems") / "train.jsonl")
    with_solution = [problem for problem in train if problem.get("solutions")]
    assert {problem["domain"] for problem in with_solution} == {"math", "code"}
    assert len(solved) >= 0.9 * len(with_solution)  # the gates drop a few, for reasons that they give
    assert counts["train"]["instruct"] == len(train) - len(with_solution)
    assert "calls of the teacher gave nothing" in real.printed.stderr


def test_the_scores_of_a_random_model_are_honest_near_zeros(real: RealRun) -> None:
    summary = shrunk.summary(real.run)
    assert len(summary["stages"]) == 11
    for stage in summary["stages"]:
        assert stage["domains"].keys() == {"math", "code", "instruct"}
        assert stage["domains"]["math"]["pass1"] <= 0.05
        assert stage["domains"]["code"]["pass1"] == 0
        assert stage["domains"]["instruct"]["pass1"] < 0.6  # "no commas" is easy to satisfy by chance
        assert all(scores["undecided"] == 0 for scores in stage["domains"].values())
    clr = summary["clr"]
    assert clr["problems"] == summary["stages"][0]["domains"]["math"]["problems"]
    assert all((clr[name] or 0) <= 0.1 for name in ("clr", "cons_k", "cons_2k", "pass1"))


def test_rule_checked_prompts_train_even_a_random_model(real: RealRun) -> None:
    outputs = shrunk.done(real.run)["instruct"]["outputs"]
    assert "skipped" not in outputs
    assert outputs["pool"]["kept"] > 0
    source = shrunk.done(real.run)["distill"]["outputs"]["checkpoint"]  # skipped: it names the checkpoint before it
    before, after = (
        weights(real.run / "stages" / source),
        weights(shrunk.stage_dir(real.run, "instruct") / "checkpoint"),
    )
    assert any(not before[name].equal(after[name]) for name in before)


def test_a_changed_base_or_problem_file_is_noticed(real: RealRun, tmp_path: Path) -> None:
    again = shrunk.etalon(*real.command, "--dry-run")
    assert again.stdout.splitlines()[-1] == "0 of 26 stages to run"
    base = shutil.copytree(real.base, tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"rope_theta": 20000.0}))
    again = shrunk.etalon(*real.command, "--set", f"model.base={base}", "--dry-run")
    assert again.stdout.splitlines()[-1].startswith("25 of 26 stages to run")  # the problems are the same
    file = tmp_path / "gsm8k.jsonl"
    file.write_text("".join(first_rows("gsm8k_train_2000.jsonl", 99)))
    again = shrunk.etalon(*real.command, "--set", f"problems.files={file}", "--dry-run")
    assert again.stdout.splitlines()[-1].startswith("26 of 26 stages to run")
