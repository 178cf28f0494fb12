"""MGPO on TRL: the same credits and the same gradient as the equations and as the local engine; what is refused."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.trl,
    # of TRL and transformers about themselves
    pytest.mark.filterwarnings("ignore:`(is_)?gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:You are using 'rollout_func':UserWarning"),
]
pytest.importorskip("trl")

from datasets import Dataset  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from etalon.engines.local.reinforcement import rl_batch  # noqa: E402
from etalon.engines.local.trainer import Trainer  # noqa: E402
from etalon.engines.trl import MGPOConfig, MGPOTrainer  # noqa: E402
from etalon.engines.trl.mgpo import batch_credits  # noqa: E402
from etalon.errors import ConfigError, InputError  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.recipe import OptimSpec  # noqa: E402
from etalon.rl.credit import CreditSpec, credit  # noqa: E402
from shrunk import ENVIRONMENT  # noqa: E402
from trl_cases import (  # noqa: E402
    GAMMA,
    LENGTHS,
    SCORES,
    credits_by_hand,
    language_model,
    reference_gradient,
    relative_difference,
    stored_groups,
)

BREVITIES = [0.0, 0.2]
STEP = Path(__file__).with_name("trl_step.py")


def local_gradient(brevity: float, aggregation: Any = "sequence-mean-token-mean") -> dict[str, Any]:
    """The local engine's gradient of the same rollouts."""
    own = language_model()
    groups = stored_groups(own.model)
    own.model.set_attn_implementation("etalon_packed")
    spec = CreditSpec(gamma=GAMMA, brevity=brevity, aggregation=aggregation)
    Trainer(own, OptimSpec(), total_steps=1, micro_tokens=30).backward(rl_batch(groups, spec))
    return {name: p.grad for name, p in own.model.named_parameters() if p.grad is not None}


def trl_step(folder: Path, brevity: float, processes: int, loss_type: str = "grpo") -> Path:
    """One step of the trainer in processes of its own."""
    folder.mkdir()
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    finished = subprocess.run(
        [sys.executable, *(launch if processes > 1 else []), str(STEP), str(folder), str(brevity), loss_type],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=240, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-3000:]
    return folder


@pytest.mark.parametrize("brevity", BREVITIES)
def test_the_local_engine_has_the_gradient_of_the_equations(brevity: float) -> None:
    expected = reference_gradient(language_model().model, brevity=brevity)
    assert relative_difference(local_gradient(brevity), expected) < 1e-5


@pytest.mark.parametrize("processes", [1, 2])  # on two, the second group lies on both
@pytest.mark.parametrize("brevity", BREVITIES)
def test_trl_has_the_credits_and_the_gradient_of_the_equations(brevity: float, processes: int, tmp_path: Path) -> None:
    folder = trl_step(tmp_path / "step", brevity, processes)
    by_hand = [c for s, n in zip(SCORES, LENGTHS, strict=True) for c in credits_by_hand(s, n, brevity=brevity)]
    num_decided = sum(score is not None for scores in SCORES for score in scores)
    found = [c * num_decided / len(by_hand) for c in json.loads((folder / "credits.json").read_text())]
    assert found == pytest.approx(by_hand, rel=1e-5, abs=1e-7)
    gradients = load_file(folder / "gradients.safetensors")
    assert relative_difference(gradients, reference_gradient(language_model().model, brevity=brevity)) < 1e-5
    assert relative_difference(gradients, local_gradient(brevity)) < 1e-5


@pytest.mark.parametrize("processes", [1, 2])
def test_the_mean_over_all_tokens_leaves_the_undecided_ones_out(processes: int, tmp_path: Path) -> None:
    gradients = load_file(trl_step(tmp_path / "step", 0.0, processes, "dapo") / "gradients.safetensors")
    assert relative_difference(gradients, local_gradient(0.0, "token-mean")) < 1e-5


def test_trl_logs_correctness_where_its_own_reward_means_nothing(tmp_path: Path) -> None:
    row = json.loads((trl_step(tmp_path / "step", 0.2, 1) / "log.json").read_text())[0]
    # correct of decided: 1 of 4, 4 of 4, 1 of 2
    assert row["mgpo/accuracy"] == pytest.approx((0.25 + 1 + 0.5) / 3)
    assert row["mgpo/reward"] == pytest.approx(6 / 10)
    assert row["mgpo/undecided"] == pytest.approx(2 / 12)
    distance = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    weights = [math.exp(-GAMMA * distance), 2**-GAMMA, 1.0]
    assert row["mgpo/weight"] == pytest.approx(sum(weights) / 3)
    assert row["reward"] == pytest.approx(0, abs=1e-6)


# --- credits of a batch ---------------------------------------------------------------------------------------


@cache
def spec(brevity: float = 0.2) -> CreditSpec:
    return CreditSpec(gamma=GAMMA, brevity=brevity)


def test_credits_of_a_batch_are_those_of_the_core_scaled_to_the_trainers_mean() -> None:
    groups = stored_groups(language_model().model)
    scores = [math.nan if s is None else s for one in SCORES for s in one]
    lengths = [n for one in LENGTHS for n in one]
    batch = batch_credits(scores, scores, lengths, group_size=4, spec=spec())
    core = [c.advantage for group in groups for c in credit(group, spec())]
    assert batch.credits == pytest.approx([12 / 10 * c for c in core])


def test_a_reward_beside_correctness_moves_the_advantage_but_not_the_weight() -> None:
    plain = batch_credits([1, 0, 0, 0], [1, 0, 0, 0], [5, 5, 5, 5], group_size=4, spec=spec(0.0))
    shaped = batch_credits([1.5, 0.5, 0, 0], [1, 0, 0, 0], [5, 5, 5, 5], group_size=4, spec=spec(0.0))
    assert shaped.metrics["weight"] == plain.metrics["weight"]
    assert shaped.credits != pytest.approx(plain.credits)


@pytest.mark.parametrize("value", [2.0, -1.0, math.inf])
def test_a_reward_function_that_does_not_mean_correctness_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="must return 1 for correct"):
        batch_credits([1, value], [1, value], [5, 5], group_size=2, spec=spec())


def test_a_batch_that_nobody_could_decide_carries_no_credit() -> None:
    batch = batch_credits([math.nan] * 4, [math.nan] * 4, [5] * 4, group_size=2, spec=spec())
    assert batch.credits == [0.0] * 4
    assert batch.metrics == {"undecided": 1.0}


# --- what is refused ------------------------------------------------------------------------------------------


def config(folder: Path, **values: Any) -> MGPOConfig:
    return MGPOConfig(
        output_dir=str(folder), num_generations=4, per_device_train_batch_size=4, use_cpu=True, bf16=False,
        report_to="none", gradient_checkpointing=False, max_steps=1, max_completion_length=4, save_strategy="no",
        disable_tqdm=True, **values,
    )  # fmt: skip


def test_the_defaults_are_the_papers(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert (found.loss_type, found.scale_rewards, found.beta, found.num_iterations) == ("grpo", "none", 0.0, 1)
    assert (found.temperature, found.top_p, found.top_k) == (1.0, 1.0, 0)
    assert (found.vllm_importance_sampling_mode, found.vllm_importance_sampling_clip_max) == ("token_truncate", 2.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss_type": "dr_grpo"}, "loss_type = 'dr_grpo': .*use 'grpo'"),
        ({"scale_rewards": "group"}, "scale_rewards = 'group': .*use 'none'"),
        ({"num_iterations": 2}, "num_iterations = 2: .*on-policy; use 1"),
        ({"steps_per_generation": 2}, "steps_per_generation = 2: .*use 1"),
        ({"importance_sampling_level": "sequence"}, "importance_sampling_level = 'sequence': .*use 'token'"),
        ({"top_p": 0.95}, "top_p = 0.95: .*use 1.0"),
        ({"top_k": 50}, "top_k = 50: .*use 0"),
        ({"use_vllm": True, "vllm_importance_sampling_mode": "sequence_mask"}, "sequence_mask.*use 'token_truncate'"),
        ({"mgpo_gamma": -1.0}, "mgpo_gamma = -1.0: must be a finite number, and not negative"),
        ({"mgpo_gamma": math.nan}, "mgpo_gamma = nan: must be"),
        ({"mgpo_gamma": "1"}, "mgpo_gamma = '1': must be"),
        ({"std_epsilon": -1.0}, "std_epsilon = -1.0: must be"),
        ({"beta": 0.1}, "beta = 0.1: .*no KL term; use 0.0"),
        ({"epsilon_high": 0.28}, "epsilon_high = 0.28: .*symmetric; use 0.2"),
        ({"delta": 1.5}, "delta = 1.5: .*use None"),
        ({"top_entropy_quantile": 0.2}, "top_entropy_quantile = 0.2: .*use 1.0"),
        ({"entropy_coef": 0.1}, "entropy_coef = 0.1: .*use 0.0"),
        ({"off_policy_mask_threshold": 0.1}, "off_policy_mask_threshold = 0.1: .*use None"),
        ({"generation_kwargs": {"top_p": 0.5}}, "generation_kwargs = .*use None"),
        ({"mask_truncated_completions": True}, "mask_truncated_completions = True: .*return None"),
    ],
)
def test_a_configuration_that_the_objective_cannot_be_had_under_is_refused(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        config(tmp_path, **values)
    assert "\n" not in str(caught.value)


def is_even(completion_ids: list[list[int]], **_: Any) -> list[float]:
    return [float(ids[0] % 2 == 0) for ids in completion_ids]


def is_short(completions: list[str], **_: Any) -> list[float]:
    return [1.0 / (1 + len(text)) for text in completions]


def trainer(folder: Path, reward_funcs: Any, args: Any = None, **values: Any) -> MGPOTrainer:
    own = language_model()
    return MGPOTrainer(
        model=own.model, processing_class=own.tokenizer, reward_funcs=reward_funcs,
        args=args or config(folder, **values), train_dataset=Dataset.from_dict({"prompt": ["1+1=", "2+3="] * 4}),
    )  # fmt: skip


def test_several_rewards_need_the_name_of_the_one_that_means_correct(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"2 reward functions \(is_even, is_short\); name the one"):
        trainer(tmp_path, [is_even, is_short])
    with pytest.raises(ConfigError, match="correctness = 'is_odd': the reward functions are is_even, is_short"):
        trainer(tmp_path, [is_even, is_short], correctness="is_odd")


def test_a_plain_grpo_config_is_refused(tmp_path: Path) -> None:
    from trl import GRPOConfig

    plain = GRPOConfig(output_dir=str(tmp_path), num_generations=4, per_device_train_batch_size=4, use_cpu=True,
                       bf16=False, report_to="none", gradient_checkpointing=False)  # fmt: skip
    with pytest.raises(ConfigError, match="must be an MGPOConfig"):
        trainer(tmp_path, is_even, plain)


def test_ordinary_reward_functions_and_trls_own_generation_train(tmp_path: Path) -> None:
    one = trainer(
        tmp_path, [is_even, is_short], correctness="is_even", reward_weights=[1.0, 0.5], learning_rate=1e-2,
        logging_steps=1, gradient_accumulation_steps=4,
    )  # fmt: skip
    before = {n: p.detach().clone() for n, p in one.model.named_parameters()}
    one.train()
    row = one.state.log_history[0]
    assert 0 <= row["mgpo/accuracy"] <= 1
    credits = list(one._logs["advantages"])
    assert sum(credits) == pytest.approx(0, abs=1e-5)
    assert any(credits)
    assert any(not p.equal(before[n]) for n, p in one.model.named_parameters())


def test_the_example_of_the_documents_runs(tmp_path: Path) -> None:
    document = (Path(__file__).parents[1] / "docs" / "trl.md").read_text()
    [code] = re.findall(r"^```python\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 12
    model = loader.save(language_model(), tmp_path / "model")
    (tmp_path / "math.jsonl").write_text('{"prompt": "1+1=", "answer": "2"}\n' * 4)
    here = {
        '"Qwen/Qwen2.5-Math-1.5B"': repr(str(model)),
        '"math.jsonl", ': f'"{tmp_path}/math.jsonl", cache_dir="{tmp_path}/cache", ',
        'MGPOConfig("out", ': f'MGPOConfig("{tmp_path}/out", ',
        "max_completion_length=8192": "use_cpu=True, bf16=False, gradient_checkpointing=False, report_to='none', "
        "max_steps=1, max_completion_length=4, save_strategy='no', disable_tqdm=True",
    }
    for shown, replaced in here.items():
        assert code.count(shown) == 1
        code = code.replace(shown, replaced)
    space: dict[str, Any] = {}
    exec(compile(code, "docs/trl.md", "exec"), space)
    assert 0 <= space["trainer"].state.log_history[-1]["mgpo/accuracy"] <= 1


def test_verdicts_of_etalon_are_a_reward_function() -> None:
    from etalon.engines.trl import verified

    said = [r"\boxed{1/2}", [{"role": "assistant", "content": r"\boxed{3}"}], "no answer", r"\boxed{0.5}"]
    reward = verified("math")
    answers = ["0.5", "3", "4", None]
    assert reward(prompts=["?"] * 4, completions=said, answer=answers, trainer_state=None) == [1.0, 1.0, 0.0, None]
    assert reward.__name__ == "correct"
    tests = [{"inputs": ["2"], "outputs": ["4"], "fn_name": None}]
    assert verified("code")(["?"], ["```python\nprint(2 * int(input()))\n```"], tests=tests) == [1.0]
