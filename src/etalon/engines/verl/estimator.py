"""The credit of one verl batch: arrays in verl's shapes in, the core's `credit` per group, arrays out.

    rewards_BT, response_mask_BT, uids_B -> groups by uid -> etalon.rl.credit.credit -> advantages_BT

verl hands an estimator token rewards, the response mask and the uid of each row, and nothing else. So the reward
function writes the verifier's score on the last token, and `settings.UNDECIDED` where there is none. Rows come in any
order (they are balanced over ranks before), and verl may append padding rows without a single response token.
Axes: B rows of the batch, T response tokens. Loads torch, not verl.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import torch

from etalon.rl.credit import CreditSpec, credit
from etalon.types import Domain, Group, Problem, Rollout, Stop, Verdict

CORRECT_ABOVE = 1 - 1e-6  # scores went through float32


def batch_advantages(
    rewards_BT: torch.Tensor, response_mask_BT: torch.Tensor, uids_B: Sequence[object], spec: CreditSpec
) -> torch.Tensor:
    """Advantages, shape (B, T) float32: the credit of each rollout on its response tokens, 0 elsewhere.

    verl divides the sum over rollouts by all rows of the batch, padding and undecided ones included, or by all their
    tokens; the core divides by the decided ones. The factor between the two is multiplied in here, so that the
    gradient is the core's.
    """
    lengths = [int(n) for n in response_mask_BT.sum(-1).tolist()]
    scores = [float(s) for s in rewards_BT.sum(-1).tolist()]
    share = denominator_share(scores, lengths, by_token=spec.aggregation == "token-mean")
    credits = row_credits(scores, lengths, uids_B, spec)
    advantages_B = torch.tensor([share * c for c in credits], dtype=torch.float32, device=rewards_BT.device)
    return advantages_B.unsqueeze(-1) * response_mask_BT.to(torch.float32)


def without_cut(rewards_BT: torch.Tensor, response_mask_BT: torch.Tensor) -> torch.Tensor:
    """No reward for a response that fills the window: the reward function judged its text, and is not told its length.

    verl pads responses to the window, so such a row has no padding. One that ended with its last token is taken for
    cut as well; undecided rows stay undecided.
    """
    is_cut_B1 = response_mask_BT.bool().all(-1, keepdim=True) & (rewards_BT.sum(-1, keepdim=True) > 0)
    return rewards_BT.masked_fill(is_cut_B1, 0.0)


def denominator_share(scores: Sequence[float], lengths: Sequence[int], *, by_token: bool) -> float:
    """What verl divides by over what the core divides by; 0 when nothing was decided."""
    decided = [n for score, n in zip(scores, lengths, strict=True) if n > 0 and score >= 0]
    theirs, ours = (sum(lengths), sum(decided)) if by_token else (len(lengths), len(decided))
    return theirs / ours if ours else 0.0


def row_credits(
    scores: Sequence[float], lengths: Sequence[int], uids: Sequence[object], spec: CreditSpec
) -> list[float]:
    """Weighted advantage of every row, in order. Padding rows get 0."""
    members: dict[object, list[int]] = defaultdict(list)
    for row, uid in enumerate(uids):
        if lengths[row] > 0:  # a row without response tokens is verl's padding: no rollout at all
            members[uid].append(row)
    advantages = [0.0] * len(scores)
    for rows in members.values():
        group = group_of([scores[row] for row in rows], [lengths[row] for row in rows])
        for row, one in zip(rows, credit(group, spec), strict=True):
            advantages[row] = one.advantage
    return advantages


def group_of(scores: Sequence[float], lengths: Sequence[int]) -> Group:
    """One group as the core knows it; a negative score is no score."""
    nameless = Problem(id="", domain=Domain.MATH, prompt="")
    rollout = Rollout(index=0, text="", stop=Stop.EOS, num_tokens=0)
    return Group(
        problem=nameless,
        rollouts=tuple(replace(rollout, index=i, num_tokens=n) for i, n in enumerate(lengths)),
        verdicts=tuple(_verdict(score) for score in scores),
    )


def _verdict(score: float) -> Verdict:
    if score < 0:
        return Verdict(score=None, reason="undecided")
    return Verdict(score=1.0 if score >= CORRECT_ABOVE else score, reason="score")
