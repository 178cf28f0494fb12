"""What all cells share, made once: documents, verified traces and held-out problems of the nano world.

problems of the train split -> the nano teacher -> verifiers -> traces.jsonl      right ones only, each once
the same world without its held-out families -> documents.jsonl
problems of the test split, and which are near copies -> test.jsonl, clusters.json
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from etalon.problems import nano
from etalon.problems.clusters import CLUSTERS, clusters_of
from etalon.problems.nano.documents import document
from etalon.problems.nano.facts import facts
from etalon.problems.nano.models import NanoTeacher
from etalon.problems.rows import problem_from_row, problem_to_row
from etalon.sampling import attempt
from etalon.store import StageDir, append_jsonl, read_jsonl, stable_hash, write_json_atomic
from etalon.studies.compression.plan import DOMAINS, Budget
from etalon.types import Problem, SamplingParams

FOLDER = "world"
SEED = 0  # of the problems and documents: the seeds of the study are those of weights, order and facts
TOKENIZER_LINES = 3000  # (ours) documents, and facts, that the tokenizer is learned from


def prepare(run: Path, budget: Budget, on_part: Callable[[int, int], None]) -> Path:
    """The folder with all of it; what is there already stays. on_part: told how many problems are done, of how many."""
    folder = StageDir(run / FOLDER)
    kept = {
        "budget": stable_hash([budget.train, budget.paths, budget.documents, budget.test]),
        "world": nano.FINGERPRINT,
    }
    done = folder.done()
    if done is not None and done["made"] == kept:
        return folder.path
    folder.clear()
    rng = random.Random(f"compression-{SEED}")
    texts = [document(rng, nano.is_train) for _ in range(budget.documents)]
    append_jsonl(folder.path / "documents.jsonl", [{"text": text} for text in texts])
    train = _problems("train", budget.train)
    teacher = NanoTeacher()
    total = 0
    for start in range(0, len(train), 500):
        groups = attempt(
            teacher, train[start : start + 500], n=budget.paths, params=SamplingParams(max_tokens=None), seed=SEED
        )
        rows: list[dict[str, Any]] = []
        for group in groups:
            right = dict.fromkeys(r.text for r, v in zip(group.rollouts, group.verdicts, strict=True) if v.is_correct)
            domain = group.problem.domain.value
            rows += [{"domain": domain, "prompt": group.problem.prompt, "response": text} for text in right]
        append_jsonl(folder.path / "traces.jsonl", rows)
        total += len(rows)
        on_part(start + len(groups), len(train))
    test = _problems("test", budget.test)
    append_jsonl(folder.path / "test.jsonl", [problem_to_row(problem) for problem in test])
    write_json_atomic(folder.path / CLUSTERS, clusters_of(test))
    folder.finish({"made": kept, "problems": len(train), "traces": total, "test": len(test)})
    return folder.path


def _problems(split: nano.Split, count: int) -> list[Problem]:
    return [problem for domain in DOMAINS for problem in nano.problems(domain, split, count, seed=SEED)]


def documents(folder: Path) -> list[str]:
    """The documents of a prepared world."""
    return [row["text"] for row in read_jsonl(folder / "documents.jsonl")]


def test_problems(folder: Path) -> list[Problem]:
    """The held-out problems of a prepared world."""
    return [problem_from_row(row) for row in read_jsonl(folder / "test.jsonl")]


def tokenizer_corpus(texts: list[str]) -> list[str]:
    """What the tokenizer of every model is learned from: the same for all sizes, seeds and parts."""
    known = [f"{problem.prompt} {problem.answer}" for problem in facts(TOKENIZER_LINES, seed=SEED)]
    return [*texts[:TOKENIZER_LINES], *known]
