"""Every number a table prints, as pure functions of counts and per-problem means. Standard library only.

Groups -> problem_means -> share_interval     Pass@1 with its 95% interval
                        -> paired_difference  what a stage bought, problem by problem
       -> score_groups -> DomainScore         one row of the stage table

intervals   shares, means and paired differences with what chance leaves open; the noise of sampling alone
beta        the distribution that exact bounds of a share come from
scores      of groups: Pass@1, Pass@K, tokens, what was cut or undecided
votes       majority votes over the answers to one problem
"""

from etalon.stats.intervals import (
    Interval,
    bounded_interval,
    cluster_ids,
    excludes_zero,
    finite,
    mean_interval,
    paired_difference,
    sampling_noise,
    share_interval,
    t_quantile,
    unseen_share,
)
from etalon.stats.scores import DomainScore, accuracy_histogram, pass_at_k, problem_means, score_groups
from etalon.stats.votes import cons_accuracy, cons_at_k

__all__ = [
    "DomainScore",
    "Interval",
    "accuracy_histogram",
    "bounded_interval",
    "cluster_ids",
    "cons_accuracy",
    "cons_at_k",
    "excludes_zero",
    "finite",
    "mean_interval",
    "paired_difference",
    "pass_at_k",
    "problem_means",
    "sampling_noise",
    "score_groups",
    "share_interval",
    "t_quantile",
    "unseen_share",
]
