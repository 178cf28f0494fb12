"""Whether verl, our plug-in and the cluster are what a run needs: one line of what is not. Runs as a program.

    python -m etalon.engines.verl.cluster ADDRESS NODES GPUS_PER_NODE   ->   {"problem": "..."} on the last line

verl logs a plug-in that fails to import at DEBUG only; the run would then end at its first step. So the estimators
are looked for here: in this process, and in a worker on every node of the cluster. A process of its own, because a
connection to Ray cannot be given up half way.
"""

from __future__ import annotations

import importlib
import json
import logging
import subprocess
import sys
import warnings
from typing import Any

from etalon.engines.verl.settings import ESTIMATORS
from etalon.errors import ConfigError
from etalon.recipe import VerlSpec

CONNECT = "verl.address: {address}: no Ray cluster answers ({reason}); start one with `ray start`, see docs/verl.md"


def check_cluster(spec: VerlSpec) -> None:
    """ConfigError with the first thing that is missing; returns when a stage can be started."""
    where = spec.address or "this machine"
    arguments = [spec.address, str(spec.nodes), str(spec.gpus_per_node)]
    command = [sys.executable, "-W", "ignore", "-m", "etalon.engines.verl.cluster", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=spec.patience_seconds, check=False)
    except subprocess.TimeoutExpired:
        reason = f"nothing within verl.patience_seconds = {spec.patience_seconds}"
        raise ConfigError(CONNECT.format(address=where, reason=reason)) from None
    try:
        problem = json.loads(done.stdout.splitlines()[-1])["problem"]
    except (IndexError, ValueError, KeyError, TypeError):
        said = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()[-1]
        raise ConfigError(f"engine: verl cannot be looked at here: {said[:300]}") from None
    if problem:
        raise ConfigError(problem)


def plugin_problem() -> str:
    """Why verl does not know our estimators in this process; empty when it does."""
    try:
        from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY
    except Exception as error:
        return f"verl cannot be imported: {_line(error)}"
    if all(name in ADV_ESTIMATOR_REGISTRY for name in ESTIMATORS):
        return ""
    try:
        importlib.import_module("etalon.engines.verl.plugin")
    except Exception as error:
        return f"etalon's plug-in for verl cannot be imported: {_line(error)}"
    return "verl does not load etalon's plug-in: install etalon itself there, and leave VERL_USE_EXTERNAL_PLUGINS unset"


def problem_of(address: str, nodes: int, gpus_per_node: int) -> str:
    """The first thing that a run on `nodes` nodes with `gpus_per_node` GPUs each would miss."""
    if problem := plugin_problem():
        return f"engine: {problem}"
    if not address:
        if nodes > 1:
            return f"verl.nodes: is {nodes}, but verl.address names no cluster; start one with `ray start`"
        import torch

        return _too_few_gpus("this machine has", torch.cuda.device_count(), gpus_per_node)
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        return CONNECT.format(address=address, reason=_line(error))
    return _cluster_problem(ray, nodes, gpus_per_node)


def _cluster_problem(ray: Any, nodes: int, gpus_per_node: int) -> str:
    known = ray.nodes()
    alive = [node for node in known if node["Alive"]]
    if len(alive) < nodes:
        dead = sorted({node["NodeManagerAddress"] for node in known if not node["Alive"]})
        lost = f" (dead: {', '.join(dead)})" if dead else ""
        return f"verl.nodes: is {nodes}, but the cluster has {len(alive)} alive{lost}; start `ray` there again"
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0, max_retries=0)(plugin_problem)
    for node in alive:
        place = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
        try:
            problem = ray.get(task.options(scheduling_strategy=place).remote())
        except Exception as error:
            problem = f"a Ray worker cannot run etalon: {_line(error)}"
        if problem:
            return f"engine: node {node['NodeManagerAddress']}: {problem}"
    gpus = sorted((int(node["Resources"].get("GPU", 0)) for node in alive), reverse=True)
    return _too_few_gpus(f"node {nodes} of the cluster has", gpus[nodes - 1], gpus_per_node)


def _too_few_gpus(where: str, found: int, wanted: int) -> str:
    if found >= wanted:
        return ""
    return f"verl.gpus_per_node: is {wanted}, but {where} {found or 'no'} GPU{'s' if found > 1 else ''}"


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][:300]}" if lines else type(error).__name__


def main() -> None:
    """Print what is wrong as one JSON line, whatever else the libraries print before it."""
    warnings.simplefilter("ignore")
    address, nodes, gpus = sys.argv[1:]
    from etalon.engines.verl import cluster  # workers import functions by the module's name, not from __main__

    sys.stdout.write("\n" + json.dumps({"problem": cluster.problem_of(address, int(nodes), int(gpus))}) + "\n")


if __name__ == "__main__":
    main()
