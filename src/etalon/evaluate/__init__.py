"""Score a model on benchmarks: avg@n with an interval that covers, and all that stands beside it (3.1).

    Task (problems, how they are asked)
      -> fill      samples-NAME.jsonl: what is missing is sampled; scores-NAME.jsonl: what has no verdict gets one
      -> measure   avg, pass@k, maj@k, the accuracies of rules, truncated, no answer, tokens
      -> row_of    results.json: the numbers beside what was published

evaluation.py  the whole, benchmark by benchmark      task.py      what is asked; the marker of a directory
store.py       the rows of a directory                 run.py       sampling and scoring, resumable
scoring.py     the verdict on one sample               metrics.py   numbers of a benchmark
results.py     results.json, the verdict on published scores; who decided
judging.py     a model as second grader                opinions.py  another checker's verdicts on programs
elsewhere.py   problems that another judge decides     imported.py  another tool's log as an evaluation (logs/)
matching.py    kept samples of an edited file          pace.py      how far it is
benchmarks/    the benchmarks as data                  fresh/       problems made anew
"""

from etalon.evaluate.evaluation import Elsewhere, Evaluation, Review, evaluate
from etalon.evaluate.metrics import Prices
from etalon.evaluate.task import Task

__all__ = ["Elsewhere", "Evaluation", "Prices", "Review", "Task", "evaluate"]
