"""The funnel of the data: the reports of all steps below a directory, each step behind those whose output it took.

    DIR/**/*.report.json -> StepReport -> Chain: steps that hang together, in order -> Funnel

reading.py    one report, checked, and what its gates come to
chains.py     which step took from which, and what a chain says of before and after
"""
