"""What `etalon eval` does: choose benchmarks, open the model, evaluate, print; or score anew what is there.

command line -> Chosen (evaluate.benchmarks) -> Task -> evaluate -> results.json -> table, CSV, Markdown, ...
--rescore DIR -> the tasks that its marker names -> the same, without a sampler
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from etalon.commands.evaluation import opinions, output
from etalon.commands.evaluation.model import check_model, open_model
from etalon.commands.evaluation.options import Asked
from etalon.commands.evaluation.rescoring import rescore
from etalon.commands.evaluation.tasks import check, fresh_tasks, tasks_of
from etalon.errors import ConfigError, RunError
from etalon.evaluate import evaluate, results
from etalon.sandbox import connect
from etalon.show.progress import Progress


def run(asked: Asked) -> None:
    """The command, as it was given."""
    if asked.listed:
        return output.show_list(asked)
    connect("", concurrency=1, key_env="", fork_each=True, isolation=asked.isolated)
    if asked.rescore is not None:
        return rescore(asked, asked.rescore)
    if not asked.benchmarks:
        raise ConfigError("name benchmarks or files of problems; etalon eval --list says what there is")
    check_model(asked)
    tasks = tasks_of(asked)
    tasks += fresh_tasks(asked, tasks)
    check(asked, tasks)
    if asked.dry_run:
        return output.show_plan(asked, tasks)
    reviews = opinions.reviews_of(asked, tasks)
    opened = open_model(asked)
    progress = Progress()
    if asked.out is None:
        progress.say("nothing is kept: name a directory with --out, and a run that breaks off can go on")
    found = evaluate(
        opened.evaluation(asked), tasks, opened.sampler, progress=progress, out=asked.out,
        elsewhere=opinions.elsewhere_of(asked), reviews=reviews,
    )  # fmt: skip
    output.show(asked, found, tasks, progress, folder=asked.out)
    return check_answered(found, {task.name for task in tasks}, asked.out)


def check_answered(found: Mapping[str, Any], names: Collection[str], out: Path | None) -> None:
    """RunError where a server failed more often than a score bears, and may answer when it is asked again."""
    failing = [
        f"{row['name']}: {results.unanswered(row)} of {row['samples']} responses failed ({', '.join(row['errors'])})"
        for row in found["benchmarks"]
        if row["name"] in names and results.unanswered(row) > results.MAX_MISSING * row["samples"]
    ]
    if failing:
        kept = f"what came is kept in {out}, and the same command asks for the rest" if out else "nothing was kept"
        raise RunError(f"{'; '.join(failing)}; {kept}")
