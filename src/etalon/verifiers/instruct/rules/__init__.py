"""The 83 rules of IFEval and IFBench.

registry.py    all of them by id, and the table of docs/rules.md
ifeval.py      IFEval's 25
counts.py      IFBench: count and ratio        wording.py   words and sentence
format.py      IFBench: format                 custom.py    custom and repeat
arguments.py   what a rule is asked with
tokens.py, sentences.py, wordlists.py          what the rules cut a text into, and look for
verbs.py, syllables.py, languages.py           what stands in for packages of the public checkers
optional.py    those packages, where they are installed
"""
