"""Every number a table prints, as pure functions of counts and per-problem means. Standard library only.

Groups -> problem_means -> mean_interval      Pass@1 with its 95% interval
                        -> paired_difference  what a stage bought, problem by problem
       -> score_groups -> DomainScore         one row of the stage table

intervals   means with what chance leaves open
scores      of groups: Pass@1, Pass@K, tokens, what was cut or undecided
votes       majority votes over the answers to one problem
"""

from etalon.stats.intervals import (
    Interval,
    cluster_ids,
    finite,
    mean_interval,
    paired_difference,
    t_quantile,
    unseen_share,
)
from etalon.stats.scores import DomainScore, accuracy_histogram, pass_at_k, problem_means, score_groups
from etalon.stats.votes import cons_accuracy, cons_at_k

__all__ = [
    "DomainScore",
    "Interval",
    "accuracy_histogram",
    "cluster_ids",
    "cons_accuracy",
    "cons_at_k",
    "finite",
    "mean_interval",
    "paired_difference",
    "pass_at_k",
    "problem_means",
    "score_groups",
    "t_quantile",
    "unseen_share",
]
