"""What is asked: benchmarks of the catalogue, files, problems made anew, each as a Task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from etalon.commands.evaluation import opinions
from etalon.commands.evaluation.options import Asked
from etalon.errors import ConfigError
from etalon.evaluate import Task
from etalon.evaluate.benchmarks import Chosen, choose
from etalon.evaluate.task import of_benchmark
from etalon.problems.rows import problem_to_row
from etalon.rows.files import read_rows
from etalon.rows.mapping import ColumnMap, value_at
from etalon.store import to_json
from etalon.types import Answers, SamplingParams

N, TEMPERATURE, TOP_P = 8, 1.0, 0.95  # (ours), and the paper's (3.1), where no benchmark says otherwise


def tasks_of(asked: Asked) -> list[Task]:
    """What is asked of the model, benchmark by benchmark."""
    chosen = choose(asked.benchmarks or [], folders=asked.folders)
    columns = ColumnMap.read(asked.columns or [])
    if len(chosen) == 1:
        return [_task(asked, chosen[0], columns)]
    own = {one.name: _of_file(one, columns) for one in chosen}
    for field, column in columns.pairs:
        if not any((field, column) in found.pairs for found in own.values()):
            raise ConfigError(f"--map {field}={column}: no file has this column")
    return [_task(asked, one, own[one.name]) for one in chosen]


def _of_file(chosen: Chosen, columns: ColumnMap) -> ColumnMap:
    """Of several files each is read by the names that its own columns have."""
    file = next(iter(chosen.files), None)
    first = next((row.columns for row in read_rows(file) if row.columns), {}) if file and columns.pairs else {}
    return ColumnMap(pairs=tuple((name, one) for name, one in columns.pairs if value_at(first, one) is not None))


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
        columns=dict(columns.pairs),
        **of_benchmark(own),
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
