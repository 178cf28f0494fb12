"""`etalon eval` and `etalon report`: score a model on problem files; show what a run did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etalon.commands.options import (
    AnswersOption,
    ConcurrencyOption,
    IsolationOption,
    MapOption,
    MaxBadOption,
    SeedOption,
    TopPOption,
    isolation_of,
    refuse_without_clr,
)
from etalon.errors import ConfigError, InputError
from etalon.types import Answers

if TYPE_CHECKING:
    from etalon.types import Sampler


def evaluate(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Problems in any format of the field: JSONL, CSV, parquet.")
    ],
    model: Annotated[str, typer.Option(metavar="DIR|NAME", help="A model directory, or a model of --endpoint.")],
    endpoint: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="OpenAI-compatible server; may be repeated.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Generations per problem.")] = 8,
    clr: Annotated[bool, typer.Option("--clr", help="Every generation is the answer of a whole CLR flow.")] = False,
    k: Annotated[int, typer.Option("-k", min=2, help="CLR: trajectories per answer.")] = 32,
    m: Annotated[int, typer.Option("-m", min=1, help="CLR: claims per trajectory.")] = 5,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep rollouts and scores here; resumes.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Cap per answer [default: the model's maximum].")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 1.0,
    top_p: TopPOption = 0.95,
    seed: SeedOption = 0,
    concurrency: ConcurrencyOption = 32,
    isolation: IsolationOption = None,
    columns: MapOption = None,
    answers: AnswersOption = Answers.BOXED,
    max_bad: MaxBadOption = 0.01,
) -> None:
    """Score a model on problem files. Pass@1 is the mean over n generations, with its interval.

    The server's key is read from ETALON_API_KEY. Responses that fail are undecided and counted, never wrong; when
    nothing could be scored the exit code is 2.
    """
    _check_files(files)
    if clr:
        _check_clr(k, temperature, answers)
    else:
        refuse_without_clr(context, "k", "m")
    from etalon.evaluate import evaluate_files
    from etalon.rows.mapping import ColumnMap
    from etalon.sandbox import connect

    connect("", concurrency=1, key_env="", fork_each=True, isolation=isolation_of(isolation))
    sampler, identity = _served(endpoint, model, concurrency, out) if endpoint else _local(Path(model))
    if clr:
        from etalon.clr.batch import ClrSampler

        sampler, identity = ClrSampler(sampler, k=k, m=m), identity | {"clr": {"k": k, "m": m}}
    evaluate_files(
        files, sampler, identity=identity, n=n, out=out, max_tokens=max_tokens, temperature=temperature, top_p=top_p,
        seed=seed, columns=ColumnMap.read(columns or []), answers=answers, max_bad=max_bad,
    )  # fmt: skip


def _check_files(files: list[Path]) -> None:
    named: set[Path] = set()
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        if path.resolve() in named:
            raise InputError(f"{path}: is named twice; name every file once")
        named.add(path.resolve())


def _check_clr(k: int, temperature: float, answers: Answers) -> None:
    if answers is not Answers.BOXED:
        raise ConfigError(f"--answers {answers}: CLR asks for boxed answers and compares them; leave it out")
    from etalon.clr.knobs import refuse_greedy
    from etalon.types import SamplingParams

    refuse_greedy(SamplingParams(temperature=temperature), k)


def _served(urls: list[str], model: str, concurrency: int, out: Path | None) -> tuple[Sampler, dict[str, Any]]:
    """A model of a server; its finished requests are kept in `out`, so that an interruption loses none."""
    from etalon.sampling.endpoint import EndpointSampler, EndpointSettings

    settings = EndpointSettings(urls=tuple(urls), model=model, concurrency=concurrency)
    sampler = EndpointSampler(settings, journal=out / "requests.jsonl" if out else None)
    sampler.check()
    return sampler, {"served": model}


def _local(model: Path) -> tuple[Sampler, dict[str, Any]]:
    """A model directory, loaded into this process."""
    if not model.is_dir():
        raise InputError(f"{model}: no such directory; --model takes a model directory, or with --endpoint URL a name")
    from etalon.commands.run import require_train_extra

    require_train_extra()
    from etalon.model import loader
    from etalon.sampling.local import LocalSampler
    from etalon.store import hash_tree

    return LocalSampler(loader.load(model), name=str(model)), {"directory": hash_tree(model)}


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, or an evaluation of eval --out; finished or not.")],
    sample: Annotated[
        str | None, typer.Option(metavar="BENCHMARK/PROBLEM/INDEX", help="Print this sample of an evaluation instead.")
    ] = None,
) -> None:
    """Write the report of a run or of an evaluation. RUN/report.html is one file that opens without a network."""
    if not run.is_dir():
        raise InputError(f"{run}: no such run directory")
    if (run / "evaluation.json").is_file():
        from etalon.report.evaluation import print_sample, write_page

        typer.echo(write_page(run) if sample is None else print_sample(run, sample))
        return
    if sample is not None:
        raise ConfigError(f"--sample: {run} is not the directory of an evaluation: it has no evaluation.json")
    if not any((run / name).exists() for name in ("resolved.toml", "summary.json", "stages")):
        raise InputError(f"{run}: is not a run directory: it has no resolved.toml, summary.json or stages")
    from etalon.report import write_report

    typer.echo(write_report(run))
