"""Math answers: is the one in a response the one in the reference?

answer.py        the verdict on a response; clusters of answers for voting
compare.py       whether two answers mean the same: text, numbers, parts, engine
parts.py         tuples, sets, lists and unions, part by part
formula.py       values of formulas: one grammar, exact fractions or floats
reasons.py       what a comparison can say, and why
read/            an answer as it is written: spelling, numbers, units, shapes, relations
engine/          math-verify in killable processes, for what all this leaves open
"""
