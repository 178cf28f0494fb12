"""Reads an answer as it is written; decides nothing.

normalise.py    text -> Reading: dressing off, unit apart, words or mathematics
spelling.py     one spelling per sign
arguments.py    arguments of commands in braces
dressing.py     labels, marks, quantifiers, the same value said again
numbers.py      exact rationals
units.py        the one table of units: names, factors, powers of the base units
quantities.py   a number with a unit, as mathematics and as STEM reads it
shapes.py       tuples, sets, lists, unions and matrices, split at the top level
relations.py    equations, inequalities and congruences: the value assigned, the interval meant
sets.py         sets of numbers in words and signs, and what conditions leave of the line
"""
