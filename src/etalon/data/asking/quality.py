"""The judge of queries (2.1.1 step 4c): is a query complete, reasonable, valid, and does it test something?"""

from __future__ import annotations

from collections.abc import Sequence

from etalon.data.calls.remembered import Remembered
from etalon.data.gates import Fate, Gated, Sieve, of_verdict
from etalon.data.records import Record
from etalon.errors import RunError
from etalon.verifiers.judges import Judge, judge_queries


def judge_records(
    records: Sequence[Record],
    judge: Remembered,
    *,
    prompts: str = "default",
    seed: int = 0,
    keep_undecided: bool = True,
) -> Gated[Record]:
    """The records whose query a judge finds fit, in order; its replies are kept as any model's calls are.

    keep_undecided: a query that the judge said nothing readable of passes, counted as undecided.
    Raises RunError for a judge that gives no readable verdict on any query.
    """
    asking = Judge(judge, folder=prompts, seed=seed)
    verdicts = judge_queries(asking, [record.problem.prompt for record in records])
    if verdicts and all(verdict.is_undecided for verdict in verdicts):
        told = "a reply has to end in a line that is Yes or No"
        raise RunError(f"{judge.name}: no verdict on any of {len(records)} queries ({verdicts[0].reason}); {told}")
    undecided = Fate.UNDECIDED_KEPT if keep_undecided else Fate.UNDECIDED
    sieve = Sieve("quality")
    kept = tuple(
        record
        for record, verdict in zip(records, verdicts, strict=True)
        if sieve.passes(of_verdict(verdict, record.problem.prompt, undecided), record.group)
    )
    return Gated(kept=kept, report=sieve.report())
