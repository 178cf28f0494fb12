"""What `etalon eval` does: choose benchmarks, open the model, evaluate, print; or score anew what is there.

command line -> Chosen (evaluate.benchmarks) -> Task -> evaluate -> results.json -> table, CSV, Markdown, ...
--rescore DIR -> the tasks that its marker names -> the same, without a sampler
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from etalon.commands import opinions
from etalon.commands.evaluate import Asked
from etalon.errors import ConfigError, InputError
from etalon.evaluate import Evaluation, Prices, Task, evaluate
from etalon.evaluate.benchmarks import Benchmark, Chosen, choose
from etalon.problems.rows import problem_to_row
from etalon.rows.mapping import ColumnMap
from etalon.sandbox import connect
from etalon.store import to_json
from etalon.types import Answers, Sampler, SamplingParams

if TYPE_CHECKING:
    from etalon.show.progress import Progress

N, TEMPERATURE, TOP_P = 8, 1.0, 0.95  # (ours), and the paper's (3.1), where no benchmark says otherwise


def run(asked: Asked) -> None:
    """The command, as it was given."""
    if asked.listed:
        return show_list(asked)
    connect("", concurrency=1, key_env="", fork_each=True, isolation=asked.isolated)
    if asked.rescore is not None:
        from etalon.commands.rescoring import rescore

        return rescore(asked, asked.rescore)
    if not asked.benchmarks:
        raise ConfigError("name benchmarks or files of problems; etalon eval --list says what there is")
    check_model(asked)
    tasks = tasks_of(asked)
    tasks += fresh_tasks(asked, tasks)
    check(asked, tasks)
    if asked.dry_run:
        return show_plan(asked, tasks)
    from etalon.show.progress import Progress

    reviews = opinions.reviews_of(asked, tasks)
    opened = open_model(asked)
    results = evaluate(
        opened.evaluation(asked), tasks, opened.sampler, progress=(progress := Progress()), out=asked.out,
        elsewhere=opinions.elsewhere_of(asked), reviews=reviews,
    )  # fmt: skip
    show(asked, results, tasks, progress, folder=asked.out)
    return None


def tasks_of(asked: Asked) -> list[Task]:
    """What is asked of the model, benchmark by benchmark."""
    chosen = choose(asked.benchmarks or [], folders=asked.folders)
    columns = ColumnMap.read(asked.columns or [])
    return [_task(asked, one, columns) for one in chosen]


def _task(asked: Asked, chosen: Chosen, columns: ColumnMap) -> Task:
    own = chosen.benchmark
    problems = chosen.problems(columns=columns, max_bad=asked.max_bad, prompts=asked.prompts)
    params = SamplingParams(
        temperature=_first(asked.temperature, own and own.temperature, TEMPERATURE),
        top_p=_first(asked.top_p, own and own.top_p, TOP_P),
        max_tokens=_first(asked.max_tokens, own and own.max_tokens, None),
    )
    return Task(
        name=chosen.name,
        problems=problems[: asked.limit],
        of=len(problems),
        n=_first(asked.n, own and own.n, N),
        params=params,
        file=None if chosen.path is None else str(chosen.path),
        sha256=chosen.sha256,
        prompt_hash=chosen.prompt_hash(asked.prompts),
        prompts=asked.prompts,
        answers=_first(asked.answers, own and own.answers, Answers.BOXED),
        mode=own.mode if own else "loose",
        columns=dict(columns.pairs),
        published=own.published if own else (),
        per_contest=own.per_contest if own else False,
        told=told_of(own),
    )


def fresh_tasks(asked: Asked, tasks: Sequence[Task]) -> list[Task]:
    """Problems made anew beside the benchmarks, asked as the first benchmark of their domain is."""
    if not asked.fresh:
        return []
    from etalon.evaluate.fresh import domains_of, fresh_problems, reasoning_gym_problems

    made = {f"fresh-{name}": reasoning_gym_problems(name, asked.fresh, seed=asked.seed)
            for name in asked.fresh_from or ()}  # fmt: skip
    if not made:
        domains = domains_of([problem for task in tasks for problem in task.problems])
        made = {f"fresh-{one.value}": fresh_problems(one, asked.fresh, seed=asked.seed) for one in domains}
    found = []
    for name, problems in made.items():
        alike = [task for task in tasks if any(p.domain is problems[0].domain for p in task.problems)]
        rows = [problem_to_row(problem) for problem in problems]
        found.append(
            Task(
                name=name, problems=problems, of=len(problems), n=(alike or tasks)[0].n,
                params=(alike or tasks)[0].params, sha256=hashlib.sha256(to_json(rows)).hexdigest(), is_made=True,
                told={"title": "made for this evaluation", "beside": [task.name for task in alike]},
            )
        )  # fmt: skip
    return found


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def told_of(own: Benchmark | None) -> dict[str, Any]:
    """What a benchmark's row says beside its numbers."""
    if own is None:
        return {}
    told = {"title": own.title, "licence": own.licence, "source": own.source, "revision": own.revision}
    return {name: value for name, value in told.items() if value}


def check_model(asked: Asked) -> None:
    """One line for a model that is not named, or not there, before any file is read."""
    if asked.model is None:
        raise ConfigError("--model: name a model directory, or a model of --endpoint URL")
    if not asked.endpoint and not Path(asked.model).is_dir():
        told = "no such directory; --model takes a model directory, or with --endpoint URL a name"
        raise InputError(f"{asked.model}: {told}")
    if not asked.endpoint and asked.extra:
        raise ConfigError("--extra: fields of requests to a server; there is none without --endpoint")


def check(asked: Asked, tasks: Sequence[Task]) -> None:
    """ConfigError for what cannot be evaluated as asked."""
    for task in tasks:
        most = max(asked.wanted_ks() or [1])
        if most > task.n:
            raise ConfigError(
                f"--k {most}: {task.name} has {task.n} generations per problem; ask for more with -n {most}"
            )
    if asked.clr:
        from etalon.clr.knobs import refuse_greedy

        named = next((task for task in tasks if task.answers is not Answers.BOXED), None)
        if named:
            raise ConfigError(f"--answers {named.answers}: CLR asks for boxed answers and compares them; leave it out")
        for task in tasks:
            refuse_greedy(task.params, asked.k)
    if asked.fresh_from and not asked.fresh:
        raise ConfigError("--fresh-from: needs --fresh N")
    opinions.check(asked, tasks)
    if asked.export is not None and asked.out is None and asked.rescore is None:
        raise ConfigError(f"--export {asked.export}: needs --out DIR")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The model that is asked. identity: what its samples depend on; told: what results say of it."""

    sampler: Sampler
    model: str
    identity: dict[str, Any]
    told: dict[str, Any]

    def evaluation(self, asked: Asked) -> Evaluation:
        """How it is asked."""
        return Evaluation(
            model=self.model, identity=self.identity, seed=asked.seed, system=asked.system,
            metric="clr" if asked.clr else "avg", ks=asked.wanted_ks(), prices=prices_of(asked), told=self.told,
        )  # fmt: skip


def open_model(asked: Asked) -> Opened:
    """A model of a server, or a model directory in this process; with --clr whole flows over it."""
    model = asked.model or ""
    opened = _served(asked, model) if asked.endpoint else _local(Path(model))
    if not asked.clr:
        return opened
    from etalon.clr.batch import ClrSampler

    clr = {"k": asked.k, "m": asked.m}
    return Opened(
        sampler=ClrSampler(opened.sampler, k=asked.k, m=asked.m), model=opened.model,
        identity=opened.identity | {"clr": clr}, told=opened.told | {"clr": clr},
    )  # fmt: skip


def _served(asked: Asked, model: str) -> Opened:
    """A model of a server. The requests of CLR flows are kept in the directory, for a sample is many of them."""
    from etalon.sampling.endpoint import EndpointSampler, EndpointSettings

    extra = asked.request_fields()
    urls = tuple(asked.endpoint or ())
    settings = EndpointSettings(urls=urls, model=model, concurrency=asked.concurrency, extra=extra)
    sampler = EndpointSampler(settings, journal=asked.out / "requests.jsonl" if asked.out and asked.clr else None)
    sampler.check()
    facts = sampler.facts()
    told = (
        {"endpoint": list(settings.urls)} | ({"server": facts} if facts else {}) | ({"extra": extra} if extra else {})
    )
    return Opened(
        sampler=sampler, model=model, identity={"served": model} | ({"extra": extra} if extra else {}), told=told
    )


def _local(model: Path) -> Opened:
    """A model directory, loaded into this process."""
    from etalon.commands.run import require_train_extra

    require_train_extra()
    from etalon.model import loader
    from etalon.sampling.local import LocalSampler
    from etalon.store import hash_tree

    sampler = LocalSampler(loader.load(model), name=str(model))
    return Opened(sampler=sampler, model=str(model), identity={"directory": hash_tree(model)}, told={})


def prices_of(asked: Asked) -> Prices | None:
    """What --price says; ConfigError for what is no pair of numbers."""
    if asked.price is None:
        return None
    prompt, _, completion = asked.price.partition("/")
    try:
        prices = Prices(prompt=float(prompt), completion=float(completion))
    except ValueError:
        prices = Prices(prompt=-1, completion=-1)
    if prices.prompt < 0 or prices.completion < 0:
        raise ConfigError(f"--price {asked.price}: expected money for a million tokens, asked and answered: 0.15/0.60")
    return prices


def show_list(asked: Asked) -> None:
    """`etalon eval --list`."""
    from etalon.evaluate.benchmarks import listed, listed_json, print_listed

    rows = listed(asked.folders)
    if asked.shown_as == "json":
        typer.echo(listed_json(rows))
    else:
        print_listed(rows)


def show_plan(asked: Asked, tasks: Sequence[Task]) -> None:
    """`--dry-run`: what would be asked, and what of it is there already."""
    from etalon.evaluate import store

    for task in tasks:
        total = len(task.problems) * task.n
        kept = 0
        if asked.out is not None and (asked.out / store.MARKER).exists():
            good = {one.key for one in store.read_samples(asked.out, task.name) if not one.has_failed}
            ids = {problem.id for problem in task.problems}
            kept = sum(id_ in ids and index < task.n for id_, index in good)
        cap = "the model's maximum" if task.params.max_tokens is None else f"{task.params.max_tokens} tokens"
        typer.echo(
            f"{task.name}: {len(task.problems)} problems x {task.n} = {total} samples"
            f"{f', {kept} of them kept in {asked.out}' if kept else ''}; temperature {task.params.temperature:g}, "
            f"top_p {task.params.top_p:g}, at most {cap}; answers {task.answers.value}; file {task.file or 'generated'}"
        )
        if task.problems:
            typer.echo(f"  first prompt: {task.problems[0].prompt!r}")


def show(
    asked: Asked, results: dict[str, Any], tasks: Sequence[Task], progress: Progress, *, folder: Path | None
) -> None:
    """Print the results, their warnings beside them; write the report and what was asked for."""
    from rich.console import Console

    from etalon.report import exports

    shown = results | {"benchmarks": [row for row in results["benchmarks"] if row["name"] in {t.name for t in tasks}]}
    for row in shown["benchmarks"]:
        for told in row.get("warnings", ()):
            again = "; the same command asks for them again" if folder and "responses failed" in told else ""
            progress.say(f"warning: {row['name']}: {told}{again}")
    if asked.shown_as == "table":
        told_above = [{name: value for name, value in row.items() if name != "warnings"} for row in shown["benchmarks"]]
        exports.print_table(shown | {"benchmarks": told_above}, Console())
    else:
        typer.echo(exports.FORMATS[asked.shown_as](shown), nl=False)
    if folder is None:
        return
    from etalon.report.evaluation import write_page

    by_id = {task.name: {problem.id: problem for problem in task.problems} for task in tasks}
    progress.say(f"results: {folder / 'results.json'}; to read: {write_page(folder, problems=by_id)}")
    for path in exports.write_inspect(folder, problems=by_id) if asked.export else ():
        progress.say(f"wrote {path}")


__all__ = ["check", "run", "show", "show_plan", "tasks_of"]
