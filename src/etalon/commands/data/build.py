"""`etalon data build`: from records to the files that SFT, RL and their measurement read (2.1.1, 2.1.2)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etalon.commands.data.asking import FilesArgument
from etalon.commands.options import MapOption, MaxBadOption
from etalon.errors import ConfigError

if TYPE_CHECKING:
    from etalon.data.curriculum.build import Built
    from etalon.data.records import Record
    from etalon.data.step_reports import StepLog

OutOption = Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder of the curriculum.")]
MinTokensOption = Annotated[int, typer.Option(min=0, help="Shortest trace of stage 2.")]
MinErrorRateOption = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="How often the problems of stage 2 are failed, at least.")
]
ReferenceOption = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Whose error rates count.", show_default="the only model there is"),
]
MaxPathsOption = Annotated[int, typer.Option(min=1, help="Distinct traces of a problem.")]
MaxTokensOption = Annotated[int | None, typer.Option(min=1, help="Longest trace.", show_default="none")]
UnverifiedOption = Annotated[
    bool, typer.Option("--unverified", help="Take traces of which nothing says that they are right, too.")
]
ProbeOption = Annotated[int, typer.Option(min=0, help="Problems of each domain that pick checkpoints.")]
TestOption = Annotated[int, typer.Option(min=0, help="Problems of each domain that are held out.")]
RlOption = Annotated[
    float, typer.Option(min=0.0, max=1.0, metavar="SHARE", help="Problems with traces that are kept for RL.")
]
ErrorLowOption = Annotated[
    float | None, typer.Option(min=0.0, max=1.0, help="Leave out RL problems failed this often, or less.")
]
ErrorHighOption = Annotated[
    float | None, typer.Option(min=0.0, max=1.0, help="Leave out RL problems failed this often, or more.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the lot that says which problems are held out.")]


def build(
    files: FilesArgument,
    out: OutOption = None,
    min_tokens: MinTokensOption = 5000,
    min_error_rate: MinErrorRateOption = 0.75,
    reference: ReferenceOption = None,
    max_paths: MaxPathsOption = 4,
    max_tokens: MaxTokensOption = None,
    unverified: UnverifiedOption = False,
    probe: ProbeOption = 64,
    test: TestOption = 200,
    rl: RlOption = 0.33,
    error_low: ErrorLowOption = None,
    error_high: ErrorHighOption = None,
    seed: SeedOption = 0,
    columns: MapOption = None,
    max_bad: MaxBadOption = 0.01,
) -> None:
    """Merge the records of each problem, keep near copies together, and write what is trained and measured on.

    \b
    stage1.jsonl    right and distinct traces: SFT (`traces = "DIR/stage1.jsonl"` in a recipe)
    stage2.jsonl    the long ones among them of problems that the reference model mostly fails
    rl-DOMAIN.jsonl (math, code, stem), instruct.jsonl    prompts with what decides them: RL
    probe.jsonl, test.jsonl    held out; no near copy of them is in the other files
    manifest.json   rows, problems, licences and hash of each file; written last

    What a teacher made of a question stays with it. A problem is for SFT or for RL, not for both; one without a right
    trace is for RL. A rate that was not measured is never counted as 0: such traces are not hard, and such problems
    stay in RL. At most a fifth of a domain is held out as probe, and as test. The same records in any order give the
    same bytes.
    """
    from etalon.data.curriculum import build as building
    from etalon.data.curriculum.parts import Sizes
    from etalon.data.step_reports import StepLog
    from etalon.show.progress import Progress

    _check(error_low, error_high)
    if out is None:
        raise ConfigError("--out: name the folder to write")
    spec = building.BuildSpec(
        min_tokens=min_tokens, min_error_rate=min_error_rate, reference=reference, max_paths=max_paths,
        max_tokens=max_tokens, unverified=unverified, error_low=error_low, error_high=error_high,
        sizes=Sizes(probe=probe, test=test, rl=rl, seed=seed),
    )  # fmt: skip
    log, started = StepLog(step="build", inputs=files), time.monotonic()
    with Progress().stage("build", "merge, split and sort into stages", "2.1.2") as view:
        records = _read(files, columns or [], max_bad)
        built = building.build(records, out, spec, log=log, watch=lambda done, total: view.update(done, total))
    _report(built, log, out, started)


def _check(low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low >= high:
        raise ConfigError(f"--error-low {low}: is not below --error-high {high}; nothing would be kept")


def _read(files: Sequence[Path], columns: Sequence[str], max_bad: float) -> Iterator[Record]:
    from etalon.data.records import read_records
    from etalon.rows.mapping import ColumnMap

    names = ColumnMap.read(list(columns))
    for file in files:
        yield from read_records(file, columns=names, max_bad=max_bad)


def _report(built: Built, log: StepLog, out: Path, started: float) -> None:
    from etalon.data.curriculum.outputs import REPORT
    from etalon.store import read_json

    log.settings = read_json(built.manifest)["settings"]
    log.write(built.manifest, seconds=time.monotonic() - started, to=out / REPORT)
    told = [f"{name}: {file['rows']:,} rows, {file['problems']:,} problems" for name, file in built.files.items()]
    for gate in log.gates:
        told += [f"{gate.gate}: {count:,} {reason}" for reason, count in gate.reasons.items()]
    if built.reference:
        told.append(f"difficulty is the error rate of {built.reference}")
    traces, problems = built.unverified
    if traces:
        told.append(
            f"{traces:,} traces of {problems:,} problems are neither right nor wrong by anybody's word, and not taken: "
            "`etalon data filter --verify` decides; --unverified takes them"
        )
    if built.unmeasured:
        whose = f" of {built.reference}" if built.reference else ""
        told.append(f"{built.unmeasured:,} traces of stage 1 have no measured error rate{whose}: not in stage 2")
    if built.uncounted:
        told.append(
            f"{built.uncounted:,} traces of stage 1 have no count of tokens: `etalon data stratify` counts them"
        )
    if built.parted:
        told.append(f"{', '.join(built.parted)}: too few templates: near copies are in several files")
    for line in told:
        print(line, file=sys.stderr)  # noqa: T201
