"""`engine = "trl"`: the runs of the local engine on one and two processes, killed or not, adapters, refusals."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = [
    pytest.mark.trl,
    # of TRL and transformers about themselves
    pytest.mark.filterwarnings("ignore:`(is_)?gradient_checkpointing` is deprecated:FutureWarning"),
]
torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from etalon.engines.jobs import RlJob, SupervisedJob, engine_of  # noqa: E402
from etalon.engines.trl import wire  # noqa: E402
from etalon.engines.trl.reinforcement import from_vllm  # noqa: E402
from etalon.errors import ConfigError, InputError, RunError, UnsupportedModelError  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.model.loader import LanguageModel  # noqa: E402
from etalon.model.packed import pack, token_logprobs  # noqa: E402
from etalon.problems.options import as_asked  # noqa: E402
from etalon.recipe import ModelSpec, OptimSpec, Recipe, RlSpec, SandboxSpec, StageSpec, TrlSpec  # noqa: E402
from etalon.rl.credit import CreditSpec  # noqa: E402
from etalon.sft.rows import checkpoint_steps, order_of  # noqa: E402
from etalon.store import read_json, read_jsonl  # noqa: E402
from etalon.types import Domain, Problem, Rule, Stop, ask  # noqa: E402
from shrunk import ENVIRONMENT, children  # noqa: E402
from tiny_models import ending, random_rows, tiny_language_model  # noqa: E402

SIZES = [(3, 7), (5, 2), (4, 1), (2, 12), (6, 5), (1, 9), (4, 4), (3, 3), (2, 6)]
SPEC = {
    "group_size": 4, "prompts_per_step": 3, "max_tokens": 24, "micro_tokens": 60, "save_every": 2, "steps": 5,
    "lr": 1e-3, "lambda": 0.2,
}  # fmt: skip

ONCE = {"let_frequency": 1, "let_relation": "at least"}


def recipe(engine: str, **trl: Any) -> Recipe:
    return Recipe.model_validate({"engine": engine, "device": "cpu", "trl": trl, "rl": SPEC})


def recipe_of(*stages: dict[str, Any], **tables: Any) -> Recipe:
    """One that lists RL stages over the table [rl]."""
    rows = tuple(StageSpec.model_validate({"name": f"rl-{i}", "kind": "rl"} | row) for i, row in enumerate(stages))
    values = {"engine": "trl", "device": "cpu", "rl": SPEC, "stages": rows}
    return Recipe.model_validate(values | tables)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint that every run starts from."""
    path = tmp_path_factory.mktemp("source") / "model"
    return loader.save(ending(tiny_language_model("qwen2")), path)


def supervised_job(source: Path, directory: Path) -> SupervisedJob:
    rows = random_rows(SIZES)
    return SupervisedJob(
        source=source, rows=rows, steps=order_of(len(rows), epochs=2, batch=4, max_steps=0, seed=3),
        optim=OptimSpec(name="muon", lr=3e-3, final_lr=3e-4, warmup=0.3, muon_lr=0.01), micro_tokens=24,
        num_checkpoints=3, directory=directory,
    )  # fmt: skip


def rl_job(source: Path, directory: Path, *, system: str = "", **keys: Any) -> RlJob:
    """Prompts whose answer is right when it holds the letter: a random model is right now and then."""
    problems = [
        Problem(
            id=f"p{i}", domain=Domain.INSTRUCT, prompt=f"{i}+{i}=?",
            rules=(Rule(id="keywords:letter_frequency", kwargs={"letter": letter, **ONCE}),),
        )
        for i, letter in enumerate("abcde")
    ]  # fmt: skip
    spec = RlSpec.model_validate(SPEC | keys)
    return RlJob(
        source=source, prompts=problems, spec=spec, credit=CreditSpec.of(spec), seed=7, directory=directory, workers=1,
        name="rl-letters", system=system,
    )  # fmt: skip


def rows_seen() -> tuple[list[dict[str, Any]], Any]:
    rows: list[dict[str, Any]] = []
    return rows, lambda done, row: rows.append(row)


def behaviour(path: Path) -> Any:
    """Log-probs of fixed rows: weights that no output depends on (biases of keys) may differ."""
    language_model: LanguageModel = loader.load(path, device="cpu")
    with torch.no_grad():
        return token_logprobs(language_model.model, pack(random_rows(SIZES, seed=9)))


def numbers(rows: Sequence[dict[str, Any]], *names: str) -> list[float]:
    return [float(row[name]) for row in rows for name in names]


@pytest.fixture(scope="module")
def locally(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Both jobs as the local engine does them."""
    folder = tmp_path_factory.mktemp("local")
    engine = engine_of(recipe("local"))
    sft, on_sft = rows_seen()
    rl, on_rl = rows_seen()
    checkpoints = engine.supervise(supervised_job(source, folder / "sft"), on_sft)
    checkpoint = engine.reinforce(rl_job(source, folder / "rl"), on_rl)
    assert any(row["grad_norm"] > 0.01 for row in rl), "the prompts carry a signal"
    return {"sft": sft, "rl": rl, "checkpoints": checkpoints, "checkpoint": checkpoint, "folder": folder}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_supervised_run_takes_the_same_steps_as_the_local_one(
    processes: int, source: Path, locally: dict[str, Any], tmp_path: Path
) -> None:
    rows, on_step = rows_seen()
    job = supervised_job(source, tmp_path / "sft")
    checkpoints = engine_of(recipe("trl", processes=processes)).supervise(job, on_step)
    assert [c.name for c in checkpoints] == [f"step-{m:06d}" for m in checkpoint_steps(len(job.steps), 3)]
    for name, tolerance in {"loss": 1e-5, "grad_norm": 1e-4, "lr": 1e-9, "tokens": 0}.items():
        assert numbers(rows, name) == pytest.approx(numbers(locally["sft"], name), rel=tolerance), name
    assert [set(row) for row in rows] == [set(row) for row in locally["sft"]]
    for found, expected in zip(checkpoints, locally["checkpoints"], strict=True):
        torch.testing.assert_close(behaviour(found), behaviour(expected), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_rl_phase_takes_the_same_steps_as_the_local_one(
    processes: int, source: Path, locally: dict[str, Any], tmp_path: Path
) -> None:
    rows, on_step = rows_seen()
    job = rl_job(source, tmp_path / "rl")
    checkpoint = engine_of(recipe("trl", processes=processes)).reinforce(job, on_step)
    assert read_jsonl(job.directory / "rollouts.jsonl") == read_jsonl(locally["folder"] / "rl" / "rollouts.jsonl")
    assert numbers(rows, "accuracy", "mean_tokens", "mean_weight") == numbers(
        locally["rl"], "accuracy", "mean_tokens", "mean_weight"
    )
    assert numbers(rows, "grad_norm") == pytest.approx(numbers(locally["rl"], "grad_norm"), rel=1e-3)
    assert [set(row) for row in rows] == [set(row) for row in locally["rl"]]
    torch.testing.assert_close(behaviour(checkpoint), behaviour(locally["checkpoint"]), atol=2e-3, rtol=1e-3)


# --- killed and continued -------------------------------------------------------------------------------------

REINFORCE = """
import sys
from pathlib import Path
from etalon.engines.jobs import engine_of
from test_trl_engine import recipe, rl_job
engine = engine_of(recipe("trl", processes=int(sys.argv[3])))
engine.reinforce(rl_job(Path(sys.argv[1]), Path(sys.argv[2]), steps=9), lambda done, row: None)
"""


def run_and_kill(source: Path, directory: Path, processes: int) -> int:
    """Start a phase and kill the process that started it once there is a state; returns the steps of that state."""
    killed = subprocess.Popen(
        [sys.executable, "-c", REINFORCE, str(source), str(directory), str(processes)],
        env=ENVIRONMENT, cwd=Path(__file__).parent, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    mark = directory / wire.STATE / wire.DONE
    while not mark.exists():
        assert killed.poll() is None
        time.sleep(0.01)
    workers = [child for child in children(killed.pid) if Path(f"/proc/{child}").exists()]
    killed.kill()
    killed.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "the workers outlive the process that started them"
        time.sleep(0.05)
    return int(read_json(mark)["step"])


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_phase_ends_like_one_that_was_never_killed(processes: int, source: Path, tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    engine = engine_of(recipe("trl", processes=processes))
    rows, on_step = rows_seen()
    checkpoint = engine.reinforce(rl_job(source, whole, steps=9), on_step)
    done = run_and_kill(source, torn, processes)
    assert 2 <= done < 9
    left, on_left = rows_seen()
    continued = engine.reinforce(rl_job(source, torn, steps=9), on_left)
    assert [row["step"] for row in left] == list(range(done + 1, 10))
    assert read_jsonl(torn / "rollouts.jsonl") == read_jsonl(whole / "rollouts.jsonl")
    assert [row["step"] for row in read_jsonl(torn / "metrics.jsonl")] == list(range(1, 10))
    assert numbers(left, "grad_norm") == pytest.approx(numbers(rows[done:], "grad_norm"), rel=1e-4)
    torch.testing.assert_close(behaviour(continued), behaviour(checkpoint), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_budget_of_tokens_ends_a_phase_where_it_ends_the_local_one(
    processes: int, source: Path, locally: dict[str, Any], tmp_path: Path
) -> None:
    """Also when it was killed: what was sampled before counts, and no state is left behind the last step."""
    sampled = [sum(r["tokens"] for r in row["rollouts"]) for row in read_jsonl(locally["folder"] / "rl/rollouts.jsonl")]
    budget = sum(sampled[: 4 * 3])  # of four steps of three prompts: all of five are more
    local = engine_of(recipe("local")).reinforce(
        rl_job(source, tmp_path / "local", tokens=budget), lambda done, row: None
    )
    job = rl_job(source, tmp_path / "trl", tokens=budget)
    rows, on_step = rows_seen()
    checkpoint = engine_of(recipe("trl", processes=processes)).reinforce(job, on_step)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    torch.testing.assert_close(behaviour(checkpoint), behaviour(local), atol=2e-3, rtol=1e-3)
    assert read_json(job.directory / wire.STATE / wire.DONE)["step"] == 2
    shutil.rmtree(job.directory / "checkpoint")
    left, on_left = rows_seen()
    engine_of(recipe("trl", processes=processes)).reinforce(job, on_left)
    assert [row["step"] for row in left] == [3, 4]


def test_a_finished_job_is_not_done_again(source: Path, tmp_path: Path) -> None:
    job = supervised_job(source, tmp_path / "sft")
    first = engine_of(recipe("trl")).supervise(job, lambda done, row: None)
    before = behaviour(first[-1])
    rows, on_step = rows_seen()
    again = engine_of(recipe("trl")).supervise(job, on_step)
    assert (rows, again) == ([], first)
    assert behaviour(again[-1]).equal(before)


# --- adapters -------------------------------------------------------------------------------------------------


def test_an_adapter_is_trained_sampled_with_and_merged(source: Path, tmp_path: Path) -> None:
    rows, on_step = rows_seen()
    engine = engine_of(recipe("trl", lora_rank=4, lora_alpha=16))
    checkpoint = engine.reinforce(rl_job(source, tmp_path / "rl"), on_step)
    assert any(row["grad_norm"] > 1e-3 for row in rows)
    assert not (checkpoint / "adapter_config.json").exists()
    found, base = (dict(loader.load(p, device="cpu").model.named_parameters()) for p in (checkpoint, source))
    changed = {name for name in base if not found[name].equal(base[name])}
    assert changed
    assert all("_proj.weight" in name for name in changed)
    checkpoints = engine.supervise(supervised_job(source, tmp_path / "sft"), on_step)
    assert not behaviour(checkpoints[0]).equal(behaviour(checkpoints[-1]))


def test_the_plain_weights_of_an_adapter_compute_what_it_computes(source: Path) -> None:
    from peft import get_peft_model

    from etalon.engines.trl.training import Policy

    settings = wire.Settings(
        kind="rl", device="cpu", autocast="off", threads=1, sandbox=SandboxSpec(), trl=TrlSpec(lora_rank=4), job={}
    )
    policy = Policy(source, settings)
    adapted = get_peft_model(policy.trained.model, policy.peft_config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    ids = torch.tensor([[9, 8, 7, 6]])
    plain = policy.plain(adapted).model
    with torch.no_grad():
        expected = adapted(ids).logits
        found = plain(ids, attention_mask=None).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found, loader.load(source, device="cpu").model(ids).logits, atol=1e-2)


# --- vLLM -----------------------------------------------------------------------------------------------------


class Reversed:
    """In place of TRL's vLLM: answers a prompt with its tokens in reverse and the end token, log-prob -1 each."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.calls: list[list[list[int]]] = []

    def generate(self, *, prompts: list[list[int]], images: None, num_generations: int) -> Any:
        assert num_generations == 1
        self.calls.append(prompts)
        responses = [[*reversed(prompt), self.end] for prompt in prompts]
        return prompts, responses, [[[-1.0] for _ in response] for response in responses], None


def test_vllm_is_asked_once_for_all_groups_and_each_rollout_gets_its_own_answer() -> None:
    language_model = replace(tiny_language_model("qwen2"), system="Add.")
    options = {"A": "1", "B": "2", "C": "3"}
    asked_with = "1+1=?\n" + "\n".join(f"{letter}) {content}" for letter, content in options.items())
    problems = [
        Problem(id="m", domain=Domain.MATH, prompt="1+1=?", answer="2"),
        Problem(id="s", domain=Domain.STEM, prompt=asked_with, answer="B", options=options, shuffle=True),
    ]
    generation = Reversed(language_model.end_token)
    trainer = SimpleNamespace(vllm_generation=generation)
    groups = from_vllm(trainer, language_model, problems, n=6, seed=1)
    [prompts] = generation.calls
    assert len(prompts) == 12
    for problem, rollouts in zip(problems, groups, strict=True):
        assert [rollout.index for rollout in rollouts] == list(range(6))
        for rollout in rollouts:
            prompt = language_model.render(ask(as_asked(problem, rollout.order).prompt, system="Add."))
            assert rollout.prompt_tokens == tuple(prompt)
            assert rollout.tokens == (*reversed(prompt), language_model.end_token)
            assert rollout.logprobs == (-1.0,) * len(rollout.tokens)
            assert rollout.stop is Stop.EOS
    assert len({rollout.order for rollout in groups[1]}) > 1


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "stage", "message"),
    [
        (
            {"trl": {"processes": 4}}, {},
            r"trl\.processes: 4 are more than 3 prompts \(rl\.prompts_per_step, rl\.group_size\); use 3 or fewer",
        ),
        (
            {"trl": {"processes": 3}}, {"prompts_per_step": 2},
            r"trl\.processes: 3 are more than 2 prompts \(rl-1\.prompts_per_step, rl\.group_size\)",
        ),
        (
            {"trl": {"processes": 2}}, {"group_size": 3},
            r"3 x 3 rollouts a step \(rl\.prompts_per_step, rl-1\.group_size\) cannot be dealt evenly to 2",
        ),
        ({"trl": {"vllm": "server"}}, {}, "trl.vllm_server: is not a URL"),
        ({"trl": {"vllm": "colocate"}}, {}, "trl.vllm: 'colocate' needs "),
        (
            {"autocast": "bf16", "rl": {**SPEC, "importance": "none"}}, {},
            r"^rl\.importance: 'none'.*use 'token-truncate'",
        ),
        ({"autocast": "bf16"}, {"importance": "none"}, r"^rl-1\.importance: 'none'.*use 'token-truncate'"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_before_anything_is_trained(
    values: dict[str, Any], stage: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        engine_of(recipe_of({}, stage, **values)).check()
    assert "\n" not in str(caught.value)


def test_a_stage_that_takes_no_step_is_not_asked_for_what_it_would_need() -> None:
    engine_of(recipe_of({}, {"prompts_per_step": 2, "steps": 0}, trl={"processes": 3})).check()


def test_the_recipe_of_these_tests_is_honoured() -> None:
    engine_of(recipe("trl", processes=3)).check()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_said_before_anything_is_trained() -> None:
    with pytest.raises(UnsupportedModelError, match="torch finds no CUDA device"):
        engine_of(recipe("trl").model_copy(update={"device": "cuda"})).check()


def test_a_base_that_cannot_be_trained_here_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"F32","shape":[1048576,1048576],"data_offsets":[0,4398046511104]}}'
    with (tmp_path / "model.safetensors").open("wb") as file:  # a terabyte of weights, none of it on disk
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 4398046511104)
    made = recipe("trl").model_copy(update={"model": ModelSpec(base=str(tmp_path))})
    with pytest.raises(ConfigError, match=r"1099.5B parameters take .* GiB to train.*trl\.lora_rank"):
        engine_of(made).check()


def test_a_pool_smaller_than_the_processes_is_refused(source: Path, tmp_path: Path) -> None:
    job = rl_job(source, tmp_path / "rl")
    small = replace(job, prompts=job.prompts[:2])
    with pytest.raises(ConfigError, match=r"3 are more than 2 prompts \(rl-letters: those that carry a signal\)"):
        engine_of(recipe("trl", processes=3)).reinforce(small, lambda done, row: None)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_damaged_checkpoint_is_named_by_the_process_that_started_the_run(
    processes: int, source: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(source, damaged)
    (damaged / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(InputError, match="damaged"):
        engine_of(recipe("trl", processes=processes)).supervise(
            supervised_job(damaged, tmp_path / "sft"), lambda done, row: None
        )


def test_weights_that_are_not_numbers_end_the_run_at_its_first_step(tmp_path: Path) -> None:
    language_model = tiny_language_model("qwen2")
    with torch.no_grad():
        language_model.model.lm_head.weight[0, 0] = float("nan")
    broken = loader.save(language_model, tmp_path / "broken")
    with pytest.raises(RunError, match="the loss is nan at step 1"):
        engine_of(recipe("trl")).supervise(supervised_job(broken, tmp_path / "sft"), lambda done, row: None)
