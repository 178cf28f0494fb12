"""Programs under assertions: checks run in the process of the program, and are altered to see what passing is worth.

trial.py         the judgement: runs of altered checks, what each noted, and whose fault a failure is
ready.py         checks made ready to run: `check` called, tests of pytest and unittest run, or no checks at all
names.py         which names are the program's, LeetCode's or a library's
sites.py         where checks check, each turned into a note
forms.py         how each can be altered; flow.py and literals.py find the literals that are expected there
reach.py         what does not depend on the program: which sites every run reaches, and what is computed without it
alterations.py   altered checks
"""
