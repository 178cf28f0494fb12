"""A model as second grader of an evaluation, beside the rules and never in their place: `JudgeReview`.

    verdicts that leave something open -> judge, in batches -> judge-NAME.jsonl -> the row's "judge": accuracy with it
    and how that stands to what was published, disagreements, what it could not say, how often it agrees with labels

Open is an answer that the rules did not find right where the reference is more than a number, and a rubric. Each
answer to a problem is asked about once, however many samples gave it; what was said is kept and not asked again, as
long as judge, prompt file, question and reference or rubric are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from etalon import prompts, stats
from etalon.errors import InputError
from etalon.evaluate import metrics, results, store
from etalon.evaluate.metrics import Row, Verdicts
from etalon.evaluate.run import verdicts
from etalon.evaluate.scoring import MAX_KEPT_CHARS
from etalon.evaluate.store import Key, Scored
from etalon.evaluate.task import Task, part_of, read_marker
from etalon.problems.clusters import read_clusters
from etalon.problems.options import as_asked
from etalon.rows.files import read_rows
from etalon.sampling import Judged
from etalon.store import append_jsonl, read_jsonl, stable_hash
from etalon.types import Problem, Verdict
from etalon.verifiers import reading_by, verify
from etalon.verifiers.instruct.verdict import NEEDS_JUDGE
from etalon.verifiers.judges import Judge, review_rubrics
from etalon.verifiers.judges.equivalence import is_open

BATCH = 64  # (ours) questions asked together
LISTED = 50  # (ours) disagreements that results.json lists; judge-NAME.jsonl has all
EQUIVALENCE, CRITERION = "judge_equivalence", "judge_criterion"  # prompt files


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
        questions = {one.key: self._question(by_id[one.id], one) for one in open_}
        said = self._said(task, folder, by_id, {questions[one.key]: one for one in open_})
        judged = {key: said[question] for key, question in questions.items() if question in said}
        jointly = {
            id_: [replace(one, score=judged[one.key].score) if one.key in judged else one for one in own]
            for id_, own in found.items()
        }
        measured = _measured(jointly, read_clusters(folder, task.name))
        decided = [(one, judged[one.key]) for one in open_ if one.key in judged]
        apart = [
            (one, verdict)
            for one, verdict in decided
            if one.score is not None and verdict.score not in (None, one.score)
        ]
        undecided = [verdict.reason for _, verdict in decided if verdict.is_undecided]
        joint = {**row, **measured, "undecided": _count_undecided(jointly)}
        if refused := results.refusal(joint):  # only what was not right is asked: silence would raise the score
            measured |= {"avg": None, "low": None, "high": None, "refused": refused}
        told: Row = {
            "name": self.name,
            **measured,
            "open": len(open_),
            "undecided": len(undecided),
            "disagreements": len(apart),
            "listed": [_disagreement(by_id[one.id], one, verdict) for one, verdict in apart[:LISTED]],
            "published": _published(task, folder, joint),
            "agreement": self._agreement() if self.pairs else None,
        }
        warnings = [*row.get("warnings", ())]
        if undecided:
            warnings.append(
                f"judge {self.name}: {len(undecided)} of {len(open_)} questions got no verdict ({undecided[0]}); "
                "those answers are undecided in its score"
            )
        return {"judge": told, **({"warnings": warnings} if warnings else {})}

    def _question(self, problem: Problem, one: Scored) -> str:
        """Hash of all that a verdict depends on: who is asked, with which words, about what, against which reference.

        The same answer to the same problem is one question, unless it is its sample's own.
        """
        reference = [[criterion.text, str(criterion.weight)] for criterion in problem.rubric] or problem.answer
        about = one.index if _is_its_own(problem, one) else one.answer
        prompt = prompts.load(CRITERION if problem.rubric else EQUIVALENCE, self.judge.folder)
        return stable_hash([self.name.rstrip("/"), prompt, problem.id, problem.prompt, reference, about])

    def _said(
        self, task: Task, folder: Path, by_id: Mapping[str, Problem], asked: Mapping[str, Scored]
    ) -> dict[str, Verdict]:
        """What the judge said, by question; asks for what is missing, and keeps it as it comes."""
        path = folder / f"judge-{task.name}.jsonl"
        said = {
            row["question"]: Verdict(score=row["score"], reason=row["reason"])
            for row in read_jsonl(path)
            if row.get("question") in asked
        }
        missing = {question: one for question, one in asked.items() if question not in said}
        for batch in _batches(self._judgeable(task, folder, by_id, missing)):
            for (question, judged), verdict in zip(batch, self._decide([one for _, one in batch]), strict=True):
                said[question] = verdict
                if not verdict.is_undecided:
                    one = asked[question]
                    row = {"question": question, "judge": self.name, "id": one.id, "index": one.index}
                    row |= {"answer": one.answer, "reference": judged.problem.answer}
                    append_jsonl(path, [row | {"score": verdict.score, "reason": verdict.reason}])
        return said

    def _judgeable(
        self, task: Task, folder: Path, by_id: Mapping[str, Problem], missing: Mapping[str, Scored]
    ) -> Iterator[tuple[str, Judged]]:
        """What is to be judged, by question; where a kept verdict has not all of it, from the sample's text."""
        texts: dict[Key, str] = {}
        for question, one in missing.items():
            problem = by_id[one.id]
            if _is_its_own(problem, one):
                texts[one.key] = question
            else:
                verdict = Verdict(score=one.score, reason=one.reason, extracted=one.answer)
                yield question, Judged(problem=problem, response="", verdict=verdict)
        for sample in store.read_samples(folder, task.name) if texts else ():
            if not sample.has_failed and (found := texts.pop(sample.key, None)) is not None:
                problem = by_id[sample.id]
                verdict = Verdict(score=None, reason=NEEDS_JUDGE)
                if not problem.rubric:
                    verdict = verify(problem, sample.text, stop=sample.stop, verifier=reading_by(task.answers))
                shown = as_asked(problem, sample.order)
                yield found, Judged(problem=shown, response=sample.text, verdict=verdict)

    def _decide(self, batch: Sequence[Judged]) -> list[Verdict]:
        """Rubrics by their criteria, answers by whether they mean the reference."""
        rubrics = [place for place, one in enumerate(batch) if one.problem.rubric]
        answers = [place for place, one in enumerate(batch) if not one.problem.rubric]
        found: dict[int, Verdict] = dict(
            zip(rubrics, review_rubrics(self.judge, [batch[p] for p in rubrics]), strict=True)
        )
        asked = [_texts(batch[place].problem, batch[place].verdict.extracted or "") for place in answers]
        found |= dict(zip(answers, self.judge.decide(EQUIVALENCE, asked) if asked else (), strict=True))
        return [found[place] for place in range(len(batch))]

    def _agreement(self) -> Row:
        """How often the judge says of labelled pairs what their label says."""
        assert self.pairs is not None
        labelled = list(read_pairs(self.pairs))
        asked = [{"question": question, "reference": gold, "answer": given} for question, gold, given, _ in labelled]
        said = self.judge.decide(EQUIVALENCE, asked)
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


def _is_its_own(problem: Problem, one: Scored) -> bool:
    """Whether a question is about one sample: a rubric is about the whole text, and an answer may have been cut."""
    return bool(problem.rubric) or len(one.answer or "") >= MAX_KEPT_CHARS


def _measured(verdicts: Verdicts, clusters: Mapping[str, str]) -> Row:
    """The accuracy and its interval, over problems as in `metrics.measure`, and how many problems those are."""
    means = metrics.solve_rates(verdicts)
    return {**metrics.bounded("avg", means, clusters), "problems": len(means)}


def _count_undecided(verdicts: Verdicts) -> int:
    return sum(one.score is None and not one.has_failed for own in verdicts.values() for one in own)


def _published(task: Task, folder: Path, numbers: Mapping[str, Any]) -> list[Row]:
    """Each published score of the metric that was measured, with the verdict; None where nothing is compared."""
    metric = "clr" if "clr" in read_marker(folder)["told"] else "avg"
    is_compared = not results.refusal(numbers) and not part_of(task)
    return [
        {
            "model": one.model,
            "score": one.score,
            "verdict": results.against(one.score, numbers["low"], numbers["high"]) if is_compared else None,
        }
        for one in task.published
        if one.metric == metric
    ]


def _texts(problem: Problem, answer: str) -> dict[str, str]:
    return {"question": problem.prompt, "reference": problem.answer or "", "answer": answer}


def _disagreement(problem: Problem, one: Scored, said: Verdict) -> Row:
    return {
        "id": one.id, "index": one.index, "reference": problem.answer, "answer": one.answer,
        "rules": one.score, "judge": said.score,
    }  # fmt: skip


def _batches(found: Iterator[tuple[str, Judged]]) -> Iterator[list[tuple[str, Judged]]]:
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
