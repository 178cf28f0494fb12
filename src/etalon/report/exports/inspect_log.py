"""An evaluation as logs of inspect-ai, one per benchmark, which `inspect view` opens; written by its own writer.

Sample i of a problem is its epoch i + 1; a thought is a ContentReasoning, so that the viewer folds it. The writer
takes a log whole: the texts of one benchmark are in memory while its log is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etalon.errors import InputError
from etalon.evaluate.store import RESULTS, Key, Sample, Scored, counted, names, parted, read_samples
from etalon.report.exports.shape import BenchmarkRow, ResultsFile, shaped
from etalon.report.read import Reader, mapping
from etalon.store import stable_hash
from etalon.types import Problem, Stop

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample, EvalSpec
    from inspect_ai.scorer import Score

Problems = Mapping[str, Mapping[str, Problem]]  # benchmark -> id -> problem
STOPS = {Stop.EOS: "stop", Stop.LENGTH: "max_tokens", Stop.ERROR: "unknown"}
SCORER = "etalon"
MISSING = "--export inspect needs inspect-ai: in Etalon's folder run pip install -e '.[inspect]'"


def write_inspect(folder: Path, out: Path | None = None, *, problems: Problems | None = None) -> list[Path]:
    """Write NAME.eval for every benchmark of an evaluation into `out` (folder/inspect) and return their paths.

    problems: their statements and references, which an evaluation does not keep; without them the id stands there.
    Raises InputError where inspect-ai is not installed, or the folder holds no samples.
    """
    try:
        from inspect_ai.log import write_eval_log
    except ImportError:
        raise InputError(MISSING) from None
    if not (found := names(folder)):
        raise InputError(f"{folder}: holds no samples; name the --out directory of an evaluation")
    results = shaped(mapping(Reader(folder).json(RESULTS)))
    rows = {row.name: row for row in results.benchmarks}
    target = out or folder / "inspect"
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for name in found:
        row = rows.get(name) or BenchmarkRow.model_validate({"name": name})
        path = target / f"{name}.eval"
        write_eval_log(_log(folder, results, row, (problems or {}).get(name, {})), path)
        written.append(path)
    return written


def _log(folder: Path, results: ResultsFile, row: BenchmarkRow, problems: Mapping[str, Problem]) -> EvalLog:
    from inspect_ai.log import EvalLog, EvalStats

    scores = counted(folder, row.name)
    model = results.model or "unknown"
    kept = {
        sample.key: _sample(sample, scores.get(sample.key), problems.get(sample.id), model)
        for sample in read_samples(folder, row.name)
    }
    ended = max((scored.at for scored in scores.values() if scored.at is not None), default=None)
    started = results.started or _time(0.0)
    return EvalLog(
        status="success",
        eval=_spec(results, row, list(dict.fromkeys(problem for problem, _ in kept)), started=started, model=model),
        results=_results(row, scores, len(kept)),
        stats=EvalStats(started_at=started, completed_at=started if ended is None else _time(ended)),
        samples=list(kept.values()),
    )


def _spec(results: ResultsFile, row: BenchmarkRow, ids: list[str], *, started: str, model: str) -> EvalSpec:
    from inspect_ai.log import EvalConfig, EvalDataset, EvalSpec
    from inspect_ai.model import GenerateConfig

    key = stable_hash([model, row.name, row.sha256, row.prompt_hash, started])
    return EvalSpec(
        eval_id=key,
        run_id=stable_hash([model, started]),
        task_id=key,
        created=started,
        task=row.name,
        dataset=EvalDataset(name=row.called, location=row.file or None, samples=len(ids), sample_ids=ids),
        model=model,
        model_base_url=results.endpoint[0] if results.endpoint else None,
        model_generate_config=GenerateConfig(
            temperature=row.temperature,
            top_p=row.top_p,
            max_tokens=None if row.max_tokens is None else int(row.max_tokens),
            system_message=results.system or None,
        ),
        config=EvalConfig(epochs=None if row.n is None else int(row.n)),
        packages={"etalon": results.etalon} if results.etalon else {},
        metadata=results.protocol() | {"prompt_hash": row.prompt_hash, "sha256": row.sha256, "answers": row.answers},
    )


def _results(row: BenchmarkRow, scores: Mapping[Key, Scored], num_samples: int) -> Any:
    from inspect_ai.log import EvalMetric, EvalResults, EvalScore

    told = {
        "avg": row.avg, "low": row.low, "high": row.high, "truncated": row.truncated, "no_answer": row.no_answer,
        **{f"{curve}@{k}": value for curve in ("pass", "maj") for k, value in row.over_k(curve).items()},
    }  # fmt: skip
    metrics = {name: EvalMetric(name=name, value=value) for name, value in told.items() if value is not None}
    undecided = sum(scored.score is None for scored in scores.values())
    score = EvalScore(
        name=SCORER, scorer=SCORER, metrics=metrics, scored_samples=len(scores) - undecided, unscored_samples=undecided
    )
    failed = sum(scored.has_failed for scored in scores.values())
    return EvalResults(total_samples=num_samples, completed_samples=num_samples - failed, scores=[score])


def _sample(sample: Sample, scored: Scored | None, problem: Problem | None, model: str) -> EvalSample:
    from inspect_ai.log import EvalError, EvalSample
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessageAssistant,
        ChatMessageUser,
        ContentReasoning,
        ContentText,
        ModelOutput,
        ModelUsage,
    )

    reasoning, rest = parted(sample.text)
    thought = [ContentReasoning(reasoning=reasoning)] if reasoning is not None else []
    message = ChatMessageAssistant(content=[*thought, ContentText(text=rest or "")], model=model, source="generate")
    usage = ModelUsage(output_tokens=sample.tokens or 0, total_tokens=sample.tokens or 0)
    asked = problem.prompt if problem else f"(problem {sample.id})"
    choice = ChatCompletionChoice(message=message, stop_reason=STOPS[sample.stop])
    failure = sample.error or "the request failed"
    return EvalSample(
        id=sample.id,
        epoch=sample.index + 1,
        input=asked,
        target=(problem.answer or "") if problem else "",
        messages=[ChatMessageUser(content=asked), message],
        output=ModelOutput(model=model, choices=[choice], usage=usage, time=sample.seconds),
        scores={SCORER: _score(scored)},
        metadata={"seed": sample.seed, "prompt_hash": sample.prompt_hash, "order": list(sample.order or ())},
        model_usage={model: usage},
        completed_at=None if sample.at is None else _time(sample.at),
        total_time=sample.seconds,
        error=EvalError(message=failure, traceback="", traceback_ansi="") if sample.has_failed else None,
    )


def _score(scored: Scored | None) -> Score:
    """Undecided is unscored there: kept, and left out of its means."""
    from inspect_ai.scorer import Score

    if scored is None or scored.score is None:
        reason = scored.reason if scored else "not scored yet"
        return Score.unscored(explanation=reason, answer=scored.answer if scored else None)
    return Score(value=scored.score, answer=scored.answer, explanation=scored.reason or None)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
