"""Instructions that rules can check (2.4): IFEval's and IFBench's.

verdict.py      the verdict on a response: all rules, or the share that holds
compliance.py   each rule, strict and loose: what the four accuracies of the benchmarks are made of
rules/          the 83 rules themselves; registry.py has them by id
"""
