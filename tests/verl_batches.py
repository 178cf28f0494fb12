"""Groups as the rows of a verl batch: token rewards, response mask and uids, in any order, with padding rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from etalon.engines.verl.settings import UNDECIDED
from etalon.types import Group


@dataclass(frozen=True, kw_only=True)
class Rows:
    """place[i]: (group, rollout) of row i, None for a padding row."""

    rewards_BT: torch.Tensor
    mask_BT: torch.Tensor
    uids: list[str]
    place: list[tuple[int, int] | None]


def verl_rows(groups: Sequence[Group], *, padding: int = 0, seed: int = 0, room: int = 1) -> Rows:
    """The rows in a shuffled order, as verl balances them over ranks. room: left after the longest one."""
    place: list[tuple[int, int] | None] = [(g, i) for g, group in enumerate(groups) for i in range(len(group.rollouts))]
    place += [None] * padding
    random.Random(seed).shuffle(place)
    longest = max(r.num_tokens for group in groups for r in group.rollouts) + room
    rewards_BT = torch.zeros(len(place), longest)
    mask_BT = torch.zeros(len(place), longest, dtype=torch.int64)
    uids = []
    for row, where in enumerate(place):
        uids.append("pad0" if where is None else f"uid{where[0]}")
        if where is not None:
            rollout, verdict = groups[where[0]].rollouts[where[1]], groups[where[0]].verdicts[where[1]]
            mask_BT[row, : rollout.num_tokens] = 1
            rewards_BT[row, rollout.num_tokens - 1] = UNDECIDED if verdict.score is None else verdict.score
    return Rows(rewards_BT=rewards_BT, mask_BT=mask_BT, uids=uids, place=place)
