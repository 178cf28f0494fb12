"""One file per kind of stage: what it needs, the knobs it reads, what it does, what it costs. No torch on import.

problems    draws or reads problems and cuts them into splits (every run)
preflight   looks at the starting model before anything is trained (every run of a given model)
base data sft fuse rl distill clr    the kinds that a recipe lists
evaluate    beside every checkpoint that is asked about
"""
