"""The steps that ask a model (2.1.1 steps 1 to 4): expand, label, distill, judge queries, measure error rates.

Each is a function of records and of a model that remembers (`data.calls`), for commands and for the stage of a recipe.
"""
