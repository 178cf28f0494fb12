"""Reads an answer as it is written; decides nothing.

normalise.py    text -> Reading: dressing off, unit apart, words or mathematics
spelling.py     one spelling per sign
numbers.py      exact rationals
units.py        a unit behind a quantity, by name
quantities.py   a number with a unit, as powers of the base units (STEM)
shapes.py       tuples, sets, lists, unions and matrices, split at the top level
relations.py    equations and inequalities: the value assigned, the interval meant
"""
