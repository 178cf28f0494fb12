"""Against the real verl on a CPU: registration, credits and gradients, configs, data sets, conversion of shards."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.verl  # run with -W ignore: verl, ray and hydra warn while they are imported
pytest.importorskip("verl", reason="the verl extra has an environment of its own: make test-verl")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from hydra import compose, initialize_config_dir  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from verl import DataProto  # noqa: E402
from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, compute_policy_loss_vanilla  # noqa: E402
from verl.trainer.ppo.ray_trainer import compute_advantage  # noqa: E402
from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_and_add_to_batch  # noqa: E402
from verl.trainer.ppo.utils import need_critic, need_reference_policy  # noqa: E402
from verl.utils.config import omega_conf_to_dataclass, validate_config  # noqa: E402

from etalon import config as recipes  # noqa: E402
from etalon.config.stages import listed  # noqa: E402
from etalon.engines.verl import checkpoints, launch  # noqa: E402
from etalon.engines.verl.dataset import TokenRows  # noqa: E402
from etalon.engines.verl.export import write_order, write_problems, write_token_rows  # noqa: E402
from etalon.engines.verl.plan import SFT_BASE, Files, planned  # noqa: E402
from etalon.engines.verl.settings import ESTIMATORS, to_yaml  # noqa: E402
from etalon.errors import RunError  # noqa: E402
from etalon.model import loader as models  # noqa: E402
from etalon.recipe import Recipe  # noqa: E402
from etalon.rl.credit import CreditSpec, credit  # noqa: E402
from etalon.rl.objective import sequence_mean, surrogate, truncated_importance  # noqa: E402
from etalon.types import Domain, Group, Problem  # noqa: E402
from groups import make_group  # noqa: E402
from test_verl_plan import PHASE, RECIPE, RL_STAGES, branches, settings_of  # noqa: E402
from tiny_models import random_rows, tiny_language_model  # noqa: E402
from verl_batches import Rows, verl_rows  # noqa: E402

GROUPS = [
    make_group([1, 0, 0, 1, 1, 0], [7, 3, 9, 2, 5, 4], problem_id="mixed"),
    make_group([1, 1, 1, 1, 1, 1], [8, 4, 6, 4, 9, 3], problem_id="all right"),
    make_group([0, 0, 0, 0, 0, 0], [2, 3, 4, 5, 6, 7], problem_id="all wrong"),
    make_group([1, None, 0, None, 0, 0.5], [3, 9, 4, 6, 5, 7], problem_id="two undecided, one half right"),
    make_group([None] * 6, [4, 4, 4, 4, 4, 4], problem_id="nothing decided"),
]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.save(tiny_language_model(), tmp_path_factory.mktemp("model") / "tiny")


def recipe(folder: Path, *overrides: str) -> Recipe:
    (folder / "cluster.toml").write_text(RECIPE)
    return recipes.load(folder / "cluster.toml", overrides).resolved()


def composed(folder: Path, stage: str, model_dir: Path, *, only_base: bool = False, of: Recipe | None = None) -> Any:
    """The config of one stage through hydra and verl's own config groups."""
    for name, _, base, settings in planned(of or recipe(folder), folder / "run"):
        if name == stage:
            text = to_yaml(settings, base=base).replace("CHECKPOINT-OF-THE-STAGE-BEFORE", str(model_dir))
            (folder / f"{name}.yaml").write_text(f"defaults: [{base}, _self_]\n" if only_base else text)
            with initialize_config_dir(config_dir=str(folder), version_base=None):
                return compose(name, overrides=["hydra.searchpath=[pkg://verl.trainer.config]"])
    raise AssertionError(stage)


# registration ---------------------------------------------------------------------------------------------------------


def test_importing_verl_registers_both_estimators() -> None:
    program = (
        "import verl\nfrom verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY as known\n"
        f"print(all(name in known for name in {ESTIMATORS}))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


def test_importing_verl_survives_a_plug_in_that_cannot_load(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['etalon.rl.credit'] = None\nimport verl\n"
        "from etalon.engines.verl.cluster import plugin_problem\nprint(plugin_problem())"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("etalon's plug-in for verl cannot be imported: ModuleNotFoundError")


# credits and gradients ------------------------------------------------------------------------------------------------


def batch_of(rows: Rows) -> DataProto:
    tensors = {
        "token_level_rewards": rows.rewards_BT,
        "response_mask": rows.mask_BT,
        "responses": torch.ones_like(rows.mask_BT),
    }
    return DataProto.from_dict(tensors=tensors, non_tensors={"uid": np.array(rows.uids, dtype=object)})


def advantages_by_verl(rows: Rows, folder: Path, stage: str, model_dir: Path) -> torch.Tensor:
    """verl's own `compute_advantage`, with the algorithm table of a generated config."""
    algorithm = composed(folder, stage, model_dir).algorithm
    data = compute_advantage(batch_of(rows), adv_estimator=algorithm.adv_estimator, config=algorithm)
    return data.batch["advantages"]


@pytest.mark.parametrize(("stage", "brevity"), [("rl-math", 0.0), ("rl-long2short", 0.2)])
@pytest.mark.parametrize("seed", [0, 1])
def test_verl_gives_the_credits_of_the_core(
    tmp_path: Path, model_dir: Path, stage: str, brevity: float, seed: int
) -> None:
    rows = verl_rows(GROUPS, padding=2, seed=seed)
    found_BT = advantages_by_verl(rows, tmp_path, stage, model_dir)
    spec = CreditSpec(brevity=brevity)
    share = len(rows.uids) / sum(len(group.scores) for group in GROUPS)
    for row, where in enumerate(rows.place):
        wanted = 0.0 if where is None else share * credit(GROUPS[where[0]], spec)[where[1]].advantage
        assert found_BT[row].tolist() == pytest.approx([wanted * m for m in rows.mask_BT[row].tolist()], rel=1e-5)
    assert found_BT.any()


def test_a_response_that_fills_the_window_is_wrong(tmp_path: Path, model_dir: Path) -> None:
    group = make_group([1.0, 0.0, 0.0, 1.0], [3, 4, 5, 9])
    rows = verl_rows([group], room=0)
    found_BT = advantages_by_verl(rows, tmp_path, "rl-math", model_dir)
    cut = make_group([1.0, 0.0, 0.0, 0.0], [3, 4, 5, 9])
    wanted = [one.advantage for one in credit(cut, CreditSpec())]
    for row, where in enumerate(rows.place):
        assert where is not None
        assert found_BT[row, 0].item() == pytest.approx(wanted[where[1]], rel=1e-5)


def test_all_correct_groups_learn_brevity_from_long2short_only(tmp_path: Path, model_dir: Path) -> None:
    rows = verl_rows([GROUPS[1]])
    assert not advantages_by_verl(rows, tmp_path, "rl-math", model_dir).any()
    short_BT = advantages_by_verl(rows, tmp_path, "rl-long2short", model_dir)
    lengths = rows.mask_BT.sum(-1)
    assert short_BT[lengths.argmin(), 0] > 0 > short_BT[lengths.argmax(), 0]


def core_loss(
    groups: Sequence[Group], logprobs: dict[tuple[int, int], torch.Tensor], old: dict[tuple[int, int], torch.Tensor],
    factor: dict[tuple[int, int], torch.Tensor], spec: CreditSpec,
) -> torch.Tensor:  # fmt: skip
    """Minus the objective of 2.2 over the decided rollouts, by the core's equations."""
    decided = sum(len(group.scores) for group in groups)
    total = torch.zeros(())
    for (g, i), values_N in logprobs.items():
        advantage = credit(groups[g], spec)[i].advantage
        per_token = surrogate(
            values_N, old[g, i], advantage * factor[g, i], clip_epsilon=spec.clip_epsilon
        )  # fmt: skip
        sequence_N = torch.zeros(len(values_N), dtype=torch.long)
        total = total - sequence_mean(per_token, sequence_N, torch.tensor([len(values_N)])).sum() / decided
    return total


@pytest.mark.parametrize("spread", [0.0, 0.05, 4.0], ids=["on policy", "mismatch", "where dual clip would act"])
def test_verls_loss_has_the_gradient_of_the_core(tmp_path: Path, model_dir: Path, spread: float) -> None:
    rows = verl_rows(GROUPS, padding=2, seed=3)
    config = composed(tmp_path, "rl-math", model_dir)
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    actor.global_batch_info.update(dp_size=1, batch_num_tokens=None, global_batch_size=len(rows.uids))
    generator = torch.Generator().manual_seed(0)
    logprobs_BT = -torch.rand(rows.mask_BT.shape, generator=generator) - 0.1
    old_BT = logprobs_BT + spread * torch.randn(rows.mask_BT.shape, generator=generator)
    logprobs_BT.requires_grad_()
    theirs, _ = compute_policy_loss_vanilla(
        old_log_prob=old_BT,
        log_prob=logprobs_BT,
        advantages=advantages_by_verl(rows, tmp_path, "rl-math", model_dir),
        response_mask=rows.mask_BT,
        loss_agg_mode=actor.loss_agg_mode,
        config=actor,
    )
    (found_BT,) = torch.autograd.grad(theirs, logprobs_BT)
    leaves, old, ones = {}, {}, {}
    for row, where in enumerate(rows.place):
        if where is not None:
            length = int(rows.mask_BT[row].sum())
            leaves[where] = logprobs_BT[row, :length].detach().clone().requires_grad_()
            old[where], ones[where] = old_BT[row, :length], torch.ones(length)
    ours = core_loss(GROUPS, leaves, old, ones, CreditSpec())
    ours.backward()
    assert theirs.item() == pytest.approx(ours.item(), rel=1e-4, abs=1e-6)
    for row, where in enumerate(rows.place):
        wanted = torch.zeros(rows.mask_BT.shape[1])
        if where is not None:
            wanted[: len(leaves[where])] = leaves[where].grad
        torch.testing.assert_close(found_BT[row], wanted, rtol=1e-4, atol=1e-7)
    assert found_BT.any()


def test_verls_correction_is_the_cores_truncated_importance(tmp_path: Path, model_dir: Path) -> None:
    correction = composed(tmp_path, "rl-math", model_dir).algorithm.rollout_correction
    rows = verl_rows(GROUPS, padding=1)
    generator = torch.Generator().manual_seed(1)
    data = batch_of(rows)
    data.batch["old_log_probs"] = -torch.rand(rows.mask_BT.shape, generator=generator)
    data.batch["rollout_log_probs"] = -2 * torch.rand(rows.mask_BT.shape, generator=generator)
    data, _ = compute_rollout_correction_and_add_to_batch(data, correction)
    mask = rows.mask_BT.bool()
    wanted = truncated_importance(data.batch["old_log_probs"], data.batch["rollout_log_probs"], cap=2.0)
    torch.testing.assert_close(data.batch["rollout_is_weights"][mask], wanted[mask])
    assert (wanted[mask] == 2.0).any()
    assert (wanted[mask] < 1.0).any()
    assert torch.equal(data.batch["response_mask"], rows.mask_BT)


def test_the_metrics_we_read_are_ones_that_verl_writes() -> None:
    from verl.trainer.ppo.metric_utils import compute_data_metrics
    from verl.utils.py_functional import rename_dict

    from etalon.engines.verl.steps import RlSteps

    rows = verl_rows(GROUPS, room=0)
    batch = batch_of(rows)
    lengths = rows.mask_BT.sum(-1).float()
    for name in ("token_level_scores", "token_level_rewards", "advantages", "returns"):
        batch.batch[name] = rows.rewards_BT
    batch.batch["prompts"] = torch.ones_like(rows.mask_BT)
    batch.batch["prompt_length"], batch.batch["response_length"] = torch.ones_like(lengths), lengths
    logged = compute_data_metrics(batch=batch, use_critic=False)
    logged |= rename_dict({"grad_norm": 1.5, "lr": 1e-6, "actor/pg_loss": 0.25}, "actor/")  # as the trainer names them
    reader = RlSteps(problems={}, credit=CreditSpec(), max_tokens=9, count_tokens=len)
    row = reader.row(logged, GROUPS)
    assert (row["loss"], row["grad_norm"], row["lr"]) == (0.25, 1.5, 1e-6)
    assert row["mean_tokens"] == pytest.approx(lengths.mean().item())
    assert row["truncated"] == pytest.approx((lengths == lengths.max()).float().mean().item())
    assert row["undecided"] == 8
    assert row["accuracies"] == [1 / 2, 1, 0, 1 / 4]


def test_verls_fused_kernel_has_the_log_probs_and_the_gradient_of_whole_logits() -> None:
    from verl.utils.experimental.torch_functional import FusedLinearForPPO

    generator = torch.Generator().manual_seed(0)
    hidden_1TD = torch.randn(1, 1100, 16, generator=generator, requires_grad=True)  # three chunks
    head_VD = torch.randn(50, 16, generator=generator, requires_grad=True)
    labels_1T = torch.randint(50, (1, 1100), generator=generator)
    weights_1T = torch.randn(1, 1100, generator=generator)
    found_1T, _ = FusedLinearForPPO()(hidden_1TD, head_VD, labels_1T)
    wanted_1T = (hidden_1TD @ head_VD.T).log_softmax(-1).gather(-1, labels_1T[..., None])[..., 0]
    torch.testing.assert_close(found_1T, wanted_1T)
    for one, other in zip(
        torch.autograd.grad((weights_1T * found_1T).sum(), (hidden_1TD, head_VD)),
        torch.autograd.grad((weights_1T * wanted_1T).sum(), (hidden_1TD, head_VD)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_models_fused_forward_gives_the_log_probs_of_its_logits(model_dir: Path) -> None:
    program = f"""
import torch
from transformers import AutoModelForCausalLM
from verl.models.transformers.monkey_patch import patch_forward_with_backends
model = AutoModelForCausalLM.from_pretrained({str(model_dir)!r}, dtype=torch.float32).eval()
ids = torch.tensor([[5, 9, 7, 11, 6]])
labels = ids.roll(-1, -1)
wanted = model(input_ids=ids).logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]
patch_forward_with_backends(model, use_fused_kernels=True, fused_kernels_backend="torch")
output = model(input_ids=ids, shift_labels=labels, temperature=1.0, return_dict=True, use_cache=False)
torch.testing.assert_close(output.log_probs, wanted)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# configs --------------------------------------------------------------------------------------------------------------

SFT_STAGES = ("base", "sft-broad", "sft-hard", "distill")
ADDED = (
    "algorithm.etalon.",
    "data.order_file",
    "reward.custom_reward_function.reward_kwargs.",
    "ray_kwargs.",
    "hydra.",
)


@pytest.mark.parametrize("stage", RL_STAGES)
def test_verls_own_validation_accepts_the_config_of_every_rl_stage(tmp_path: Path, model_dir: Path, stage: str) -> None:
    config = composed(tmp_path, stage, model_dir)
    assert not need_critic(config)
    assert not need_reference_policy(config)
    validate_config(config=config, use_reference_policy=False, use_critic=False)
    rollout = omega_conf_to_dataclass(config.actor_rollout_ref.rollout)
    assert (rollout.name, rollout.n, rollout.temperature, rollout.top_p, rollout.top_k) == ("vllm", 16, 1.0, 1.0, -1)
    assert omega_conf_to_dataclass(config.actor_rollout_ref.model).tokenizer.eos_token == "<end>"
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    assert (actor.loss_agg_mode, actor.ppo_epochs, actor.engine.ulysses_sequence_parallel_size) == (
        "seq-mean-token-mean", 1, 4,
    )  # fmt: skip
    assert actor.optim.lr == 1e-6


@pytest.mark.parametrize("name", ["vibethinker-1.5b", "vibethinker-3b"])
def test_verl_accepts_the_configs_of_the_papers_recipes(tmp_path: Path, model_dir: Path, name: str) -> None:
    papers = recipes.load(recipes.packaged_recipe(name)).resolved()
    phase = next(stage for stage in reversed(listed(papers)) if stage.kind == "rl")
    config = composed(tmp_path, phase.name, model_dir, of=papers)
    validate_config(config=config, use_reference_policy=False, use_critic=False)
    assert config.data.max_response_length == phase.spec.max_tokens
    tokens = config.actor_rollout_ref.actor.ppo_max_token_len_per_gpu * papers.verl.sequence_parallel
    assert tokens >= phase.spec.max_tokens
    first = next(stage for stage in listed(papers) if stage.kind == "sft")
    supervised = composed(tmp_path, first.name, model_dir, of=papers)
    assert omega_conf_to_dataclass(supervised.optim).lr == papers.sft.optim.lr


def test_the_reward_and_the_judge_of_a_stage_come_through_as_they_were_told(tmp_path: Path, model_dir: Path) -> None:
    made = branches(tmp_path)
    config = composed(tmp_path, "rl-plain", model_dir, of=made)
    validate_config(config=config, use_reference_policy=False, use_critic=False)
    told = OmegaConf.to_container(config.reward, resolve=True)["custom_reward_function"]["reward_kwargs"]["phase"]
    assert told == settings_of(made, "rl-plain")[PHASE]
    assert json.loads(told)["keys"]["judge"] == "toy@http://127.0.0.1:9/v1"


@pytest.mark.parametrize("stage", SFT_STAGES)
def test_verls_dataclasses_accept_the_config_of_every_supervised_stage(
    tmp_path: Path, model_dir: Path, stage: str
) -> None:
    config = composed(tmp_path, stage, model_dir)
    engine, optim = omega_conf_to_dataclass(config.engine), omega_conf_to_dataclass(config.optim)
    assert (engine.ulysses_sequence_parallel_size, optim.lr_scheduler_type) == (4, "cosine")
    model = omega_conf_to_dataclass(config.model)
    assert model.use_remove_padding
    assert model.use_fused_kernels
    assert omega_conf_to_dataclass(config.checkpoint).save_contents == ["model", "optimizer", "extra"]


@pytest.mark.parametrize("stage", [*RL_STAGES, *SFT_STAGES])
def test_every_key_we_set_is_one_that_verl_has(tmp_path: Path, model_dir: Path, stage: str) -> None:
    theirs = composed(tmp_path, stage, model_dir, only_base=True)
    [settings] = [s for name, _, _, s in planned(recipe(tmp_path), tmp_path / "run") if name == stage]
    assert len(settings) > 30
    for setting in settings:
        if not setting.key.startswith(ADDED):
            parent, _, key = setting.key.rpartition(".")
            table = OmegaConf.select(theirs, parent)
            assert table is not None, setting.key
            assert key in set(table.keys()), setting.key  # a value of ??? counts as absent for `in table`


def test_learning_rates_come_through_as_numbers(tmp_path: Path, model_dir: Path) -> None:
    config = composed(tmp_path, "sft-broad", model_dir)
    assert (config.optim.lr, config.optim.min_lr_ratio) == (5e-5, pytest.approx(8e-8 / 5e-5))


# data -----------------------------------------------------------------------------------------------------------------


def test_verls_loader_sees_the_rows_of_each_step_in_our_order(tmp_path: Path, model_dir: Path) -> None:
    from torchdata.stateful_dataloader import StatefulDataLoader
    from verl.trainer.sft_trainer_ray import create_sft_dataset
    from verl.utils.dataset.dataset_utils import SFTTensorCollator

    rows = random_rows([(2, 3), (4, 1), (1, 6), (3, 3), (2, 2)])
    steps = [[3, 0], [4, 1], [2, 3], [1, 0]]
    place = Files(tmp_path)
    write_token_rows(place.data, rows)
    write_order(place.order, steps)
    data = composed(tmp_path, "sft-broad", model_dir).data
    data = OmegaConf.merge(data, {"order_file": str(place.order), "max_length": 16})
    dataset = create_sft_dataset(str(place.data), data, None, None)
    assert type(dataset).__name__ == TokenRows.__name__
    sampler = torch.utils.data.DistributedSampler(dataset, shuffle=True, num_replicas=1, rank=0, drop_last=True)
    sampler.set_epoch(0)
    loader = StatefulDataLoader(
        dataset, batch_size=2, sampler=sampler, collate_fn=SFTTensorCollator("no_padding"), drop_last=True
    )
    seen = [
        [(ids.tolist(), mask.tolist()) for ids, mask in zip(b["input_ids"], b["loss_mask"], strict=True)]
        for b in loader
    ]
    wanted = [
        [([*rows[i].prompt, *rows[i].response], [0] * len(rows[i].prompt) + [1] * len(rows[i].response)) for i in step]
        for step in steps
    ]
    assert seen == wanted


PROBLEMS = [
    Problem(id="sum", domain=Domain.MATH, prompt="2+2=?", answer="4"),
    Problem(id="code", domain=Domain.CODE, prompt="double", tests={"inputs": ["2"], "outputs": ["4"], "fn_name": "f"}),
    Problem(id="asserts", domain=Domain.CODE, prompt="double", tests={"assert_code": "assert f(1) == 2"}),
    Problem(
        id="option", domain=Domain.STEM, prompt="Which?\nA. one\nB. two", answer="B", options={"A": "one", "B": "two"},
        shuffle=True,
    ),
]  # fmt: skip


def test_verls_data_set_reads_the_problems_as_they_were_written(tmp_path: Path, model_dir: Path) -> None:
    from verl.trainer.main_ppo_v0 import create_rl_dataset

    path = write_problems(tmp_path / "data.parquet", [*PROBLEMS, *PROBLEMS], seed=0, system="Think.")
    data = composed(tmp_path, "rl-math", model_dir).data
    data = OmegaConf.create({**data, "cache_dir": str(tmp_path / "cache")})
    dataset = create_rl_dataset([str(path)], data, models.load_tokenizer(model_dir), None, is_train=True)
    rows = [dataset[i] for i in range(len(dataset))]
    assert [row["reward_model"]["ground_truth"] for row in rows] == [p.id for p in PROBLEMS] * 2
    assert [json.loads(row["extra_info"]["problem"])["id"] for row in rows] == [p.id for p in PROBLEMS] * 2
    orders = [rows[i]["extra_info"]["order"] for i in (3, 7)]
    assert sorted(map(tuple, orders)) == [("A", "B"), ("B", "A")]  # each row of a question has an order of its own
    for row in (rows[3], rows[7]):
        first = "one" if row["extra_info"]["order"][0] == "A" else "two"
        system, question = row["raw_prompt"]
        assert system == {"role": "system", "content": "Think."}
        assert question["content"].startswith(f"Which?\nA. {first}")


# drivers and shards ---------------------------------------------------------------------------------------------------


def test_shards_become_the_directory_that_was_sharded(tmp_path: Path, model_dir: Path) -> None:
    program = f"""
import json, torch
from pathlib import Path
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
dist.init_process_group("gloo", init_method="file://{tmp_path}/rendezvous", rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,), mesh_dim_names=("fsdp",))
folder = Path({str(tmp_path / "shards")!r}); (folder / "huggingface").mkdir(parents=True)
model = AutoModelForCausalLM.from_pretrained({str(model_dir)!r}, dtype=torch.float32)
state = {{k: distribute_tensor(v.detach(), mesh, [Shard(0)]) for k, v in model.state_dict().items()}}
torch.save(state, folder / "model_world_size_1_rank_0.pt")
(folder / "fsdp_config.json").write_text(json.dumps({{"FSDP_version": 1, "world_size": 1}}))
AutoConfig.from_pretrained({str(model_dir)!r}).save_pretrained(folder / "huggingface")
AutoTokenizer.from_pretrained({str(model_dir)!r}).save_pretrained(folder / "huggingface")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True)
    files = Files(tmp_path / "stage")
    target = launch.merged(tmp_path / "shards", tmp_path / "stage" / "checkpoint", files)
    found, wanted = models.load(target, device="cpu").model.state_dict(), models.load(model_dir).model.state_dict()
    assert found.keys() == wanted.keys()
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight.bfloat16().float())  # verl's converter rounds to bf16
    before = (target / "config.json").stat().st_mtime_ns
    assert launch.merged(tmp_path / "gone", target, files) == target  # done once
    assert (target / "config.json").stat().st_mtime_ns == before


def test_shards_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"verl.model_merger, .*: ended with status 1; .*merge.txt ends with: .*"
    ) as error:
        launch.merged(tmp_path / "none", tmp_path / "checkpoint", Files(tmp_path))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "checkpoint").exists()


def test_a_driver_that_fails_names_its_log_and_the_last_lines(tmp_path: Path) -> None:
    from etalon.engines.verl.plan import SFT_MODULE

    files = Files(tmp_path / "sft-broad")
    files.inner.mkdir(parents=True)
    files.config.write_text(f"defaults: [{SFT_BASE}, _self_]\n")
    follower = launch.Follower(files, lambda step, logged: {}, lambda step, row: None)
    with pytest.raises(RunError, match=r"verl, sft-broad: ended with status 1; .*log.txt ends with: .*no_such_key"):
        launch.run_driver(recipe(tmp_path, "verl.overrides=trainer.no_such_key=1"), SFT_MODULE, files, follower)


def test_the_steps_of_verls_own_file_logger_become_ours_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from verl.utils.tracking import Tracking

    from etalon.engines.verl.steps import supervised_row
    from etalon.store import read_jsonl

    files = Files(tmp_path)
    files.inner.mkdir()
    monkeypatch.setenv("VERL_FILE_LOGGER_PATH", str(files.metrics))
    seen: list[int] = []

    def logged(*steps: int) -> None:
        tracking = Tracking("etalon", "sft", default_backend=["file"])
        for step in steps:
            numbers = {"train/loss": np.float32(1 / step), "train/grad_norm": 1.0, "train/lr": 0.1}
            tracking.log({**numbers, "train/global_tokens": 10 * step}, step)
        tracking.finish()

    follower = launch.Follower(files, lambda _, row: supervised_row(row), lambda step, _: seen.append(step))
    logged(1, 2, 3)
    follower.look()
    follower.look()
    assert seen == [1, 2, 3]
    # killed after step 3, shards of step 2: verl takes step 3 again and truncates its file
    fake_shards(files.shards / "global_step_2", world=1)
    (files.shards / checkpoints.LATEST).write_text("2")
    follower = launch.Follower(files, lambda _, row: supervised_row(row), lambda step, _: seen.append(step))
    assert follower.resume() == 2
    logged(3, 4)
    follower.look()
    assert [row["step"] for row in read_jsonl(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4]
    assert seen == [1, 2, 3, 3, 4]


def fake_shards(folder: Path, *, world: int) -> None:
    """What verl leaves of one step on `world` GPUs, with nothing inside."""
    folder.mkdir(parents=True)
    (folder / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 1, "world_size": world}))
    names = [f"{part}_world_size_{world}_rank_{r}" for part in ("model", "optim", "extra_state") for r in range(world)]
    for name in [*names, "data_0"]:
        torch.save({}, folder / f"{name}.pt")


def test_shards_are_continued_when_they_are_whole_logged_and_not_newer_than_the_mark(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert checkpoints.steps_saved(files, 9) == 0
    for step in (2, 4, 6, 10):
        fake_shards(files.shards / f"global_step_{step}", world=2)
    mark = files.shards / checkpoints.LATEST
    for text, logged, expected in (("6", 9, 6), ("6", 5, 4), ("4", 9, 4), ("", 9, 6), ("\0\0", 99, 10), ("6", 1, 0)):
        mark.write_text(text)
        assert checkpoints.steps_saved(files, logged) == expected
    (files.shards / "global_step_6" / "model_world_size_2_rank_1.pt").unlink()
    assert checkpoints.steps_saved(files, 9) == 4
    checkpoints.continue_from(files, 4)
    assert (mark.read_text(), sorted(checkpoints.found(files))) == ("4", [2, 4])
    checkpoints.continue_from(files, 0)
    assert (mark.exists(), checkpoints.found(files)) == (False, [])


def test_shards_of_another_number_of_gpus_are_refused(tmp_path: Path) -> None:
    files = Files(tmp_path)
    fake_shards(files.shards / "global_step_20", world=8)
    with pytest.raises(RunError, match="was saved by 8 GPUs, and now there are 16"):
        checkpoints.check_world(files, recipe(tmp_path))


def test_the_registry_holds_one_function_per_name() -> None:
    assert ADV_ESTIMATOR_REGISTRY["mgpo"] is not ADV_ESTIMATOR_REGISTRY["mgpo_long2short"]
    with pytest.raises(ValueError, match=r"algorithm.etalon.gama: unknown key"):
        ADV_ESTIMATOR_REGISTRY["mgpo"](
            token_level_rewards=torch.zeros(1, 1), response_mask=torch.ones(1, 1), index=["a"],
            config=SimpleNamespace(get=lambda key: {"gama": 1}),
        )  # fmt: skip
