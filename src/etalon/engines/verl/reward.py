"""Our verifiers as verl's reward function: `reward.custom_reward_function` names this file and `compute_score`.

    row of the data file: extra_info.problem (our own row format, as JSON), extra_info.order
    response -> etalon.verifiers.verify -> score, or `UNDECIDED`, which the estimators leave out

verl runs this in `reward.num_workers` Ray processes spread over the nodes; each awaits many responses at once. The
verifiers keep programs and symbolic mathematics in processes of their own and end at a deadline, so threads only wait.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from etalon.config.plugins import search_in
from etalon.engines.verl.settings import UNDECIDED
from etalon.problems.options import as_asked
from etalon.problems.rows import problem_from_row
from etalon.recipe import RlSpec
from etalon.rl.rewards import Rewards
from etalon.sampling import Judged
from etalon.sandbox import connect
from etalon.types import Verdict
from etalon.verifiers import verify
from etalon.verifiers.math.engine.symbolic import judge_by_cpu_time

KEY_ENV = "ETALON_SANDBOX_KEY"


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any],
    *,
    threads: int = 8,
    sandbox_url: str = "",
    sandbox_concurrency: int = 16,
    sandbox_key_env: str = KEY_ENV,
    sandbox_isolation: str = "walls",
    phase: str = "",
    **_: Any,
) -> dict[str, Any]:
    """verl's reward of one response: `score` for the estimator, the rest is logged.

    threads: responses judged at a time in one reward worker. sandbox_*: the recipe's [sandbox] table. phase: the
    stage's own reward and judge, as `settings.phase_json` tells them; empty is the domains' verifiers.
    Anything that goes wrong is undecided; an exception would end verl's whole step.
    """
    pool = _threads(threads, sandbox_url, sandbox_concurrency, sandbox_key_env, sandbox_isolation)
    rewards = _rewards(phase) if phase else None  # here: threads would load the user's file at the same time
    verdict = await asyncio.get_running_loop().run_in_executor(pool, judge, extra_info, solution_str, rewards)
    return {
        "score": UNDECIDED if verdict.score is None else float(verdict.score),
        "acc": float(verdict.is_correct),
        "undecided": float(verdict.is_undecided),
        "reason": verdict.reason[:200],
    }


def judge(extra_info: Mapping[str, Any], response: str, rewards: Rewards | str | None = None) -> Verdict:
    """The verdict on a response to the problem in a data row. rewards: of the stage, or why there are none."""
    if isinstance(rewards, str):
        return Verdict(score=None, reason=rewards)
    try:
        problem = problem_from_row(json.loads(extra_info["problem"]))
        order = extra_info.get("order")
        shown = None if order is None or len(order) == 0 else tuple(order)
        verdict = verify(problem, response, order=shown, verifier=rewards.verifier if rewards else None)
        if rewards is None or rewards.review is None:
            return verdict
        return rewards.review([Judged(problem=as_asked(problem, shown), response=response, verdict=verdict)])[0]
    except Exception as error:  # a row of another tool, or one that was damaged: no verdict, and not a wrong answer
        return Verdict(score=None, reason=f"bad_row: {type(error).__name__}: {error}"[:200])


@lru_cache(maxsize=1)
def _rewards(phase: str) -> Rewards | str:
    """The judgement of one stage, made once per worker; or a reason, which this worker's log says once.

    The run ends soon after: `etalon.rl.rewards.Rewards.check` counts what has no verdict.
    """
    try:
        told = json.loads(phase)
        search_in(*map(Path, told["searched"]))
        spec = RlSpec.model_validate_json(json.dumps(told["keys"]))
        return Rewards.made(spec, name=told["name"], prompts_folder=told["prompts"], seed=told["seed"])
    except Exception as error:  # such as a reward file that this node does not have
        reason = f"no_reward: {type(error).__name__}: {error}"[:200]
        sys.stderr.write(f"etalon: {reason}\n")
        return reason


@lru_cache(maxsize=1)
def _threads(count: int, sandbox_url: str, concurrency: int, key_env: str, isolation: str) -> ThreadPoolExecutor:
    """The threads of this process, and where its programs run; made once."""
    judge_by_cpu_time()
    connect(sandbox_url, concurrency=concurrency, key_env=key_env, isolation=isolation)
    return ThreadPoolExecutor(count, thread_name_prefix="reward")
