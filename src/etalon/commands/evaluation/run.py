"""What `etalon eval` does: choose benchmarks, open the model, evaluate, print; or score anew what is there.

command line -> Chosen (evaluate.benchmarks) -> Task -> evaluate -> results.json -> table, CSV, Markdown, ...
--rescore DIR -> the tasks that its marker names -> the same, without a sampler
"""

from __future__ import annotations

from etalon.commands.evaluation import opinions, output
from etalon.commands.evaluation.model import check_model, open_model
from etalon.commands.evaluation.options import Asked
from etalon.commands.evaluation.rescoring import rescore
from etalon.commands.evaluation.tasks import check, fresh_tasks, tasks_of
from etalon.errors import ConfigError
from etalon.evaluate import evaluate
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
    results = evaluate(
        opened.evaluation(asked), tasks, opened.sampler, progress=(progress := Progress()), out=asked.out,
        elsewhere=opinions.elsewhere_of(asked), reviews=reviews,
    )  # fmt: skip
    output.show(asked, results, tasks, progress, folder=asked.out)
    return None
