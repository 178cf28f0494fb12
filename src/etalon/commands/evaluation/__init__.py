"""`etalon eval`, in parts; only `options` is imported for --help.

options.py     the command line
run.py         what it does, in order
tasks.py       what is asked
model.py       who is asked
rescoring.py   new verdicts on samples that are there, or in another tool's log
opinions.py    second opinions: a judge, LiveCodeBench's own checker, OJBench's judge
output.py      what is printed and written
"""
