"""A model as second grader of an evaluation, beside the rules and never in their place: `JudgeReview`.

    verdicts that leave something open -> judge, in batches -> judge-NAME.jsonl -> the row's "judge": accuracy with it,
    disagreements, what it could not say, and how often it agrees with labelled pairs

Open is an answer that the rules did not find right where the reference is more than a number, and a rubric. Each
answer to a problem is asked about once, however many samples gave it; what was said is kept and not asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from etalon import stats
from etalon.errors import InputError
from etalon.evaluate import store
from etalon.evaluate.metrics import Row, right_of
from etalon.evaluate.run import verdicts
from etalon.evaluate.store import Key, Scored
from etalon.evaluate.task import Task
from etalon.problems.clusters import read_clusters
from etalon.problems.options import as_asked
from etalon.rows.files import read_rows
from etalon.sampling import Judged
from etalon.store import append_jsonl, read_jsonl
from etalon.types import Problem, Verdict
from etalon.verifiers.instruct.verdict import NEEDS_JUDGE
from etalon.verifiers.judges import Judge, review_rubrics
from etalon.verifiers.judges.equivalence import is_open

BATCH = 64  # (ours) questions asked together
LISTED = 50  # (ours) disagreements that results.json lists; judge-NAME.jsonl has all
Said = dict[tuple[str, str], Verdict]  # by problem and what is judged: an answer, or the index of a sample


@dataclass(frozen=True, kw_only=True)
class JudgeReview:
    """Reviews the rows of an evaluation. name: of the judge, as it was named; pairs: a file of labelled pairs."""

    name: str
    judge: Judge
    pairs: Path | None = None

    def __call__(self, task: Task, folder: Path, row: Mapping[str, Any]) -> Row:
        """The row's `judge`: see the module."""
        by_id = {problem.id: problem for problem in task.problems}
        found = verdicts(task, folder)
        open_ = [one for own in found.values() for one in own if _is_open(by_id[one.id], one)]
        said = self._said(task, folder, by_id, open_)
        judged = {one.key: verdict for one in open_ if (verdict := said.get(_about(one))) is not None}
        means = [
            sum(own) / len(own)
            for scored in found.values()
            if (own := right_of(_with(one, judged.get(one.key)) for one in scored))
        ]
        ids = [id_ for id_, scored in found.items() if right_of(_with(one, judged.get(one.key)) for one in scored)]
        clusters = stats.cluster_ids(ids, read_clusters(folder, task.name))
        interval = stats.share_interval(means, clusters=clusters) if means else None
        apart = [one for one in open_ if one.score is not None and judged[one.key].score not in (None, one.score)]
        undecided = [judged[one.key].reason for one in open_ if judged[one.key].is_undecided]
        told: Row = {
            "name": self.name,
            "avg": interval.mean if interval else None,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
            "open": len(open_),
            "undecided": len(undecided),
            "disagreements": len(apart),
            "listed": [_disagreement(by_id[one.id], one, judged[one.key]) for one in apart[:LISTED]],
            "agreement": self._agreement() if self.pairs else None,
        }
        warnings = [*row.get("warnings", ())]
        if undecided:
            warnings.append(
                f"judge {self.name}: {len(undecided)} of {len(open_)} questions got no verdict ({undecided[0]}); "
                "those answers are undecided in its score"
            )
        return {"judge": told, **({"warnings": warnings} if warnings else {})}

    def _said(self, task: Task, folder: Path, by_id: Mapping[str, Problem], open_: Sequence[Scored]) -> Said:
        """What the judge said of everything that is open; asks for what is missing, and keeps it as it comes."""
        path = folder / f"judge-{task.name}.jsonl"
        said = {
            (row["id"], row["about"]): Verdict(score=row["score"], reason=row["reason"])
            for row in read_jsonl(path)
            if row["judge"] == self.name
        }
        missing = {_about(one): one for one in open_ if _about(one) not in said}
        for batch in _batches(self._judgeable(task, folder, by_id, missing)):
            for one, verdict in zip(batch, self._decide([judged for _, judged in batch]), strict=True):
                about, judged = one
                if not verdict.is_undecided:
                    row = {"judge": self.name, "id": about[0], "about": about[1], "score": verdict.score}
                    extra = {"reason": verdict.reason, "reference": judged.problem.answer}
                    append_jsonl(path, [row | extra])
                said[about] = verdict
        return said

    def _judgeable(
        self, task: Task, folder: Path, by_id: Mapping[str, Problem], missing: Mapping[tuple[str, str], Scored]
    ) -> Iterator[tuple[tuple[str, str], Judged]]:
        """What is to be judged, with the text where a rubric asks for it."""
        texts: dict[Key, tuple[str, str]] = {}
        for about, one in missing.items():
            problem = by_id[one.id]
            if problem.rubric:
                texts[one.key] = about
            else:
                verdict = Verdict(score=one.score, reason=one.reason, extracted=one.answer)
                yield about, Judged(problem=problem, response="", verdict=verdict)
        for sample in store.read_samples(folder, task.name) if texts else ():
            if not sample.has_failed and (found := texts.pop(sample.key, None)) is not None:
                waits = Verdict(score=None, reason=NEEDS_JUDGE)
                shown = as_asked(by_id[sample.id], sample.order)
                yield found, Judged(problem=shown, response=sample.text, verdict=waits)

    def _decide(self, batch: Sequence[Judged]) -> list[Verdict]:
        """Rubrics by their criteria, answers by whether they mean the reference."""
        rubrics = [place for place, one in enumerate(batch) if one.problem.rubric]
        answers = [place for place, one in enumerate(batch) if not one.problem.rubric]
        found: dict[int, Verdict] = dict(
            zip(rubrics, review_rubrics(self.judge, [batch[p] for p in rubrics]), strict=True)
        )
        asked = [_question(batch[place].problem, batch[place].verdict.extracted or "") for place in answers]
        found |= dict(zip(answers, self.judge.decide("judge_equivalence", asked) if asked else (), strict=True))
        return [found[place] for place in range(len(batch))]

    def _agreement(self) -> Row:
        """How often the judge says of labelled pairs what their label says."""
        assert self.pairs is not None
        labelled = list(read_pairs(self.pairs))
        asked = [{"question": question, "reference": gold, "answer": given} for question, gold, given, _ in labelled]
        said = self.judge.decide("judge_equivalence", asked)
        pairs = [(verdict.is_correct, label) for verdict, (*_, label) in zip(said, labelled, strict=True)
                 if not verdict.is_undecided]  # fmt: skip
        agreed = [float(mine == label) for mine, label in pairs]
        interval = stats.share_interval(agreed) if agreed else None
        return {
            "pairs": len(labelled),
            "undecided": len(labelled) - len(pairs),
            "share": interval.mean if interval else None,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
            "wrongly_yes": sum(mine and not label for mine, label in pairs),
            "wrongly_no": sum(label and not mine for mine, label in pairs),
        }


def _is_open(problem: Problem, one: Scored) -> bool:
    if problem.rubric:
        return one.reason.startswith(NEEDS_JUDGE)
    return is_open(problem, Verdict(score=one.score, reason=one.reason, extracted=one.answer))


def _about(one: Scored) -> tuple[str, str]:
    """What a question is about: the same answer to the same problem is one question."""
    return one.id, one.answer if one.answer is not None else f"sample {one.index}"


def _with(one: Scored, verdict: Verdict | None) -> Scored:
    return one if verdict is None else replace(one, score=verdict.score)


def _question(problem: Problem, answer: str) -> dict[str, str]:
    return {"question": problem.prompt, "reference": problem.answer or "", "answer": answer}


def _disagreement(problem: Problem, one: Scored, said: Verdict) -> Row:
    return {
        "id": one.id, "index": one.index, "reference": problem.answer, "answer": one.answer,
        "rules": one.score, "judge": said.score,
    }  # fmt: skip


def _batches(found: Iterator[tuple[tuple[str, str], Judged]]) -> Iterator[list[tuple[tuple[str, str], Judged]]]:
    while batch := list(islice(found, BATCH)):
        yield batch


def read_pairs(path: Path) -> Iterator[tuple[str, str, str, bool]]:
    """(question or "", gold, prediction, whether they are equal) of each row {gold, prediction, expected}."""
    for row in read_rows(path):
        columns = row.columns or {}
        gold, given, label = (columns.get(name) for name in ("gold", "prediction", "expected"))
        if not isinstance(gold, str) or not isinstance(given, str) or not isinstance(label, bool):
            raise InputError(f"{path}: {row.place}: expected gold and prediction as text, expected as true or false")
        yield str(columns.get("question") or ""), gold, given, label
