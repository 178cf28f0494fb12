"""What verl loads through its entry-point group `verl.plugins`: the advantage estimators `mgpo` and `mgpo_long2short`.

They are configured by the table `algorithm.etalon` of verl's config: gamma, std_ddof, std_epsilon, brevity,
aggregation. Both names are one function; two names keep a config readable and let verl's log tell the phases apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from verl.trainer.ppo.core_algos import register_adv_est

from etalon.engines.verl.estimator import batch_advantages, without_cut
from etalon.engines.verl.settings import ESTIMATORS
from etalon.rl.credit import CreditSpec

KEYS = ("gamma", "std_ddof", "std_epsilon", "aggregation")
DEFAULT_BREVITY = {"mgpo": 0.0, "mgpo_long2short": 0.2}  # 2.2: lambda


def spec_of(config: Mapping[str, Any] | None, name: str) -> CreditSpec:
    """The credit spec in `algorithm.etalon`; the core's defaults where it says nothing."""
    table = dict((config or {}).get("etalon") or {})
    brevity = float(table.get("brevity", DEFAULT_BREVITY[name]))
    if unknown := sorted(table.keys() - {*KEYS, "brevity"}):
        raise ValueError(f"algorithm.etalon.{unknown[0]}: unknown key; known: brevity, {', '.join(KEYS)}")
    known = {key: table[key] for key in KEYS if key in table}
    return CreditSpec(brevity=brevity, **known)


def estimator(name: str) -> Any:
    """The function that verl calls: token rewards, response mask, config and uids by keyword."""

    def advantages(
        token_level_rewards: torch.Tensor,
        response_mask: torch.Tensor,
        index: Sequence[object],
        config: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(advantages, returns), both (rows, response tokens); verl uses `returns` for a critic only."""
        with torch.no_grad():
            rewards_BT = without_cut(token_level_rewards, response_mask)
            credit_BT = batch_advantages(rewards_BT, response_mask, list(index), spec_of(config, name))
        return credit_BT, credit_BT.clone()

    advantages.__name__ = advantages.__qualname__ = name
    return advantages


for _name in ESTIMATORS:
    register_adv_est(_name)(estimator(_name))
