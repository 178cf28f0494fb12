"""verl on a real Ray cluster of this machine: what workers see, rewards, and what is said when a part is missing."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.verl, pytest.mark.live]
pytest.importorskip("verl", reason="the verl extra has an environment of its own: make test-verl")

import numpy as np  # noqa: E402
import ray  # noqa: E402
import torch  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402
from verl import DataProto  # noqa: E402

from etalon.engines.jobs import engine_of  # noqa: E402
from etalon.engines.verl import cluster as clusters  # noqa: E402
from etalon.engines.verl.export import problem_row  # noqa: E402
from etalon.engines.verl.settings import UNDECIDED  # noqa: E402
from etalon.errors import ConfigError  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.recipe import Recipe, VerlSpec  # noqa: E402
from etalon.types import Domain, Problem  # noqa: E402
from test_verl import composed, recipe  # noqa: E402
from test_verl_plan import branches  # noqa: E402
from tiny_models import tiny_language_model  # noqa: E402

PATIENCE = 60


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one CPU each, and this process connected to them."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loader.save(tiny_language_model(), tmp_path_factory.mktemp("model") / "tiny")


def spec(cluster: Cluster | str, nodes: int = 1, **values: Any) -> VerlSpec:
    address = cluster if isinstance(cluster, str) else cluster.address
    return VerlSpec(address=address, nodes=nodes, patience_seconds=PATIENCE, **values)


# what workers see -----------------------------------------------------------------------------------------------------


def test_a_ray_worker_knows_the_estimators_after_importing_verl(cluster: Cluster) -> None:
    @ray.remote
    def known() -> tuple[int, list[str]]:
        import os

        import verl  # noqa: F401
        from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY

        return os.getpid(), [name for name in ADV_ESTIMATOR_REGISTRY if name.startswith("mgpo")]

    worker, names = ray.get(known.remote())
    assert worker != os.getpid()
    assert names == ["mgpo", "mgpo_long2short"]


def test_a_whole_cluster_lacks_only_the_gpus(cluster: Cluster) -> None:
    # the check gets past the connection, the nodes and the plug-in on both of them
    with pytest.raises(ConfigError, match=r"verl.gpus_per_node: is 8, but node 2 of the cluster has no GPU$"):
        clusters.check_cluster(spec(cluster, nodes=2))


def test_a_plug_in_that_workers_do_not_load_is_named_with_its_node(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithoutPlugins:
        """Ray whose tasks run where verl's plug-ins are switched off."""

        nodes, get = staticmethod(ray.nodes), staticmethod(ray.get)

        @staticmethod
        def remote(**options: Any) -> Any:
            environment = {"env_vars": {"VERL_USE_EXTERNAL_PLUGINS": "none"}}
            return ray.remote(**options, runtime_env=environment)

    found = clusters._cluster_problem(WithoutPlugins, 2, 1)
    assert re.match(r"engine: node [\d.]+: verl does not load etalon's plug-in: install etalon", found)


def test_the_engine_checks_the_cluster_before_anything_is_trained(cluster: Cluster, tmp_path: Path) -> None:
    overrides = [f"verl.address={cluster.address}", f"verl.patience_seconds={PATIENCE}"]
    with pytest.raises(ConfigError, match=r"verl.gpus_per_node: is 8, but node 2 of the cluster has no GPU"):
        engine_of(recipe(tmp_path, *overrides)).check()


# rewards --------------------------------------------------------------------------------------------------------------

SUM = Problem(id="sum", domain=Domain.MATH, prompt="2+2=?", answer="4")
BROKEN = Problem(id="broken", domain=Domain.CODE, prompt="f", tests={"inputs": ["1"], "outputs": []})
DOUBLE = Problem(id="double", domain=Domain.CODE, prompt="f", tests={"inputs": ["2"], "outputs": ["4"], "fn_name": "f"})
RIGHT, LOOP = "```python\ndef f(x):\n return 2*x\n```", "```python\ndef f(x):\n while True: pass\n```"


def reward_worker(folder: Path, model_dir: Path, stage: str = "rl-math", of: Recipe | None = None) -> Any:
    """verl's own reward worker, as its trainer starts it."""
    from verl.experimental.reward_loop.reward_loop import RewardLoopWorker

    config = composed(folder, stage, model_dir, of=of)
    OmegaConf.resolve(config.reward)
    return ray.remote(num_cpus=0)(RewardLoopWorker).remote(config, None)


def item(problem: Problem, response: str, tokenizer: Any) -> DataProto:
    ids = torch.tensor([[*tokenizer.encode(response, add_special_tokens=False), tokenizer.eos_token_id]])
    row = problem_row(problem, 0, seed=0)
    fields = {name: np.array([row[name]], dtype=object) for name in ("data_source", "reward_model", "extra_info")}
    return DataProto.from_dict(tensors={"responses": ids, "attention_mask": torch.ones_like(ids)}, non_tensors=fields)


@pytest.fixture(scope="module")
def worker(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Any:
    return reward_worker(tmp_path_factory.mktemp("reward"), model_dir)


@pytest.mark.parametrize(
    ("problem", "response", "score"),
    [
        (SUM, "\\boxed{4}", 1.0),
        (SUM, "\\boxed{5}", 0.0),
        (SUM, "no idea", 0.0),
        (DOUBLE, RIGHT, 1.0),
        (DOUBLE, RIGHT.replace("2", "3"), 0.0),
        (BROKEN, RIGHT, UNDECIDED),
    ],
    ids=["right", "wrong", "no answer", "program", "wrong program", "bad reference"],
)
def test_verls_reward_worker_gives_the_verifiers_score(
    worker: Any, model_dir: Path, problem: Problem, response: str, score: float
) -> None:
    found = ray.get(worker.compute_score.remote(item(problem, response, loader.load_tokenizer(model_dir))))
    assert found["reward_score"] == score
    assert found["reward_extra_info"]["undecided"] == float(score == UNDECIDED)


def test_verls_reward_worker_asks_the_reward_of_the_stage(cluster: Cluster, tmp_path: Path, model_dir: Path) -> None:
    made = branches(tmp_path)
    (tmp_path / "own.py").write_text("def score(problem, response):\n    return len(response) / 10\n")
    own = reward_worker(tmp_path, model_dir, "rl-plain", made)
    found = ray.get(own.compute_score.remote(item(SUM, "\\boxed{4}", loader.load_tokenizer(model_dir))))
    assert found["reward_score"] == 0.9
    assert found["reward_extra_info"]["reason"] == "reward"


def test_a_row_that_cannot_be_read_is_undecided(worker: Any, model_dir: Path) -> None:
    data = item(SUM, "\\boxed{4}", loader.load_tokenizer(model_dir))
    data.non_tensor_batch["extra_info"][0]["problem"] = "{"
    found = ray.get(worker.compute_score.remote(data))
    assert found["reward_score"] == UNDECIDED
    assert found["reward_extra_info"]["reason"].startswith("bad_row: JSONDecodeError")


def test_a_program_that_never_ends_does_not_hold_up_other_rewards(worker: Any, model_dir: Path) -> None:
    tokenizer = loader.load_tokenizer(model_dir)
    slow = worker.compute_score.remote(item(DOUBLE, LOOP, tokenizer))
    time.sleep(0.5)
    quick = worker.compute_score.remote(item(SUM, "\\boxed{4}", tokenizer))
    ready, waiting = ray.wait([slow, quick], num_returns=1, timeout=PATIENCE)
    assert (ready, waiting) == ([quick], [slow])
    assert ray.get(slow)["reward_score"] == 0.0


# what is missing ------------------------------------------------------------------------------------------------------


def test_no_cluster_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"verl.address: 127.0.0.1:9: no Ray cluster answers .*`ray start`"):
        clusters.check_cluster(VerlSpec(address="127.0.0.1:9", patience_seconds=25))


def test_this_machine_without_gpus_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"verl.gpus_per_node: is 8, but this machine has no GPU$"):
        clusters.check_cluster(VerlSpec(patience_seconds=PATIENCE))


def test_several_nodes_need_an_address() -> None:
    with pytest.raises(ConfigError, match=r"verl.nodes: is 2, but verl.address names no cluster"):
        clusters.check_cluster(VerlSpec(nodes=2, patience_seconds=PATIENCE))


def test_a_plug_in_that_fails_to_import_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['etalon.rl.credit'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"engine: etalon's plug-in for verl cannot be imported: ModuleNotFoundError"):
        clusters.check_cluster(VerlSpec(patience_seconds=PATIENCE))


def test_a_dead_node_is_named(cluster: Cluster) -> None:  # last: it takes a node away
    cluster.remove_node(cluster.list_all_nodes()[1])
    deadline = time.monotonic() + PATIENCE
    while all(node["Alive"] for node in ray.nodes()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    with pytest.raises(
        ConfigError, match=r"verl.nodes: is 2, but the cluster has 1 alive \(dead: [\d.]+\); start `ray`"
    ):
        clusters.check_cluster(spec(cluster, nodes=2))
