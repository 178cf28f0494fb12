"""The trace gate (2.1.1 step 4): what is wrong with a response, of all that rules can see.

gate.py          fault: the first fault that is found, with the passage that shows it
response.py      a response in parts: thought, final part
marks.py         control characters and tokens, mojibake, character runs, garbage
loops.py         templates with a counter, blocks in a row, repeated lines
thoughts.py      unclosed, nested, empty thoughts; nothing behind them
scripts.py       sentences in another script than the problem's
sayings.py       refusals, talk of a given answer, the prompt once more
endings.py       cut in a word, a formula, a fence, a sentence
programs.py      code answers without a program that parses
conclusions.py   an answer that the thought contradicts, or does not come to; two answers

Precision first: a rule that takes one honest trace in two hundred costs more than it brings. What rules cannot see is
for a judge (`verifiers.judges.judge_traces`).
"""

from etalon.data.traces.gate import fault, repetition
from etalon.data.traces.response import Fault, Response
from etalon.data.traces.thoughts import Thoughts

__all__ = ["Fault", "Response", "Thoughts", "fault", "repetition"]
