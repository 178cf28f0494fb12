"""Reads an answer as it is written; decides nothing.

normalise.py    text -> Reading: dressing off, unit apart, words or mathematics
spelling.py     one spelling per sign
numbers.py      exact rationals
units.py        the one table of units: names, factors, powers of the base units
quantities.py   a number with a unit, as mathematics and as STEM reads it
shapes.py       tuples, sets, lists, unions and matrices, split at the top level
relations.py    equations and inequalities: the value assigned, the interval meant
"""
