"""Directories of evaluations, written by the store's own row writers, and a results.json of every field."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from etalon.evaluate.store import (
    MARKER,
    RESULTS,
    Sample,
    Scored,
    sample_to_row,
    samples_path,
    scored_to_row,
    scores_path,
)
from etalon.types import Stop

HOSTILE = (
    "</pre><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">&amp;\x1b[31m\u202e"
)
STOPS = {"right": Stop.EOS, "wrong": Stop.EOS, "truncated": Stop.LENGTH, "undecided": Stop.EOS, "failed": Stop.ERROR}
SCORES = {"right": 1.0, "wrong": 0.0, "truncated": 0.0, "undecided": None, "failed": None}


def sampled(problem: str, index: int, kind: str, *, tokens: int = 100, text: str = "") -> tuple[Sample, Scored]:
    """A sample and its verdict of one of the kinds above; without a text it is a thought and a box."""
    whole = {"truncated": f"<think>{text or 'so on'}", "failed": ""}.get(kind, f"<think>{text or 'hm'}</think>It is 4.")
    is_failed = kind == "failed"
    told = {"id": problem, "index": index, "stop": STOPS[kind], "tokens": None if is_failed else tokens}
    error = "HTTP 500: too busy" if is_failed else ""
    return (
        Sample(**told, text=whole, seed=index, seconds=2.5, at=1.8e9 + index, error=error),
        Scored(**told, score=SCORES[kind], reason="rational", answer="4", no_answer=kind == "truncated"),
    )


def write_evaluation(
    folder: Path, benchmarks: dict[str, Iterable[tuple[Sample, Scored]]], results: dict[str, Any] | None = None
) -> Path:
    """evaluation.json, the samples and verdicts of each benchmark, and results.json where it is given."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("{}")
    for name, pairs in benchmarks.items():
        with samples_path(folder, name).open("w") as samples, scores_path(folder, name).open("w") as scores:
            for sample, scored in pairs:
                samples.write(json.dumps(sample_to_row(sample)) + "\n")
                scores.write(json.dumps(scored_to_row(scored)) + "\n")
    if results is not None:
        (folder / RESULTS).write_text(json.dumps(results))
    return folder


def row(name: str, **changed: Any) -> dict[str, Any]:
    """A benchmark of results.json."""
    return {
        "name": name, "file": None, "sha256": "ab" * 8, "prompt_hash": "cd" * 8, "answers": "boxed",
        "n": 64, "temperature": 1.0, "top_p": 0.95, "max_tokens": None,
        "problems": 30, "samples": 1920, "avg": 0.8501, "low": 0.7812, "high": 0.9055, "sampling_noise": 0.01,
        "pass": {"1": 0.8501, "8": 0.97}, "maj": {"8": 0.9, "64": 0.91}, "truncated": 0.175, "no_answer": 0.2,
        "undecided": 3, "failed": 2, "undecided_problems": 0, "mean_tokens": 12345.6, "tokens_per_right": 14000.5,
        "tokens_per_second": 900.0, "seconds": 60.0,
        "published": [
            {
                "model": "VibeThinker-3B", "score": 0.914, "n": 64, "metric": "avg", "verdict": "inside",
                "source": "https://arxiv.org/abs/2606.16140",
            }
        ],
        "verdict": "inside", **changed,
    }  # fmt: skip


def results(*rows: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A results.json of these benchmarks."""
    return {
        "etalon": "0.1.0", "model": "org/model_1", "endpoint": None, "seed": 0, "started": "2026-11-30T10:00:00Z",
        "benchmarks": list(rows), **changed,
    }  # fmt: skip


UNSCORED = row(
    "none", avg=None, low=None, high=None, sampling_noise=None, truncated=None, no_answer=None, mean_tokens=None,
    tokens_per_right=None, maj={}, published=[], verdict=None, **{"pass": {}},
)  # fmt: skip
RULES = row(
    "ifeval", title="IFEval", n=1, maj={}, published=[], verdict=None, **{"pass": {"1": 0.85}},
    accuracies={
        "prompt_strict": {"share": 0.84, "low": 0.8, "high": 0.88, "decided": 541, "undecided": 0},
        "prompt_loose": {"share": 0.87, "decided": 536, "undecided": 5},
    },
)  # fmt: skip
