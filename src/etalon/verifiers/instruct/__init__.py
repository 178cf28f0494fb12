"""Instructions that rules can check (2.4): IFEval's and IFBench's.

verdict.py      the verdict on a response: all rules, or the share that holds
compliance.py   the four accuracies that the benchmarks report
rules/          the 83 rules themselves; registry.py has them by id
"""
