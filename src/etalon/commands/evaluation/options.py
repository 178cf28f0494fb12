"""`etalon eval`: a model on benchmarks, by the paper's protocol or the user's, with error bars that hold (3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from etalon.commands.options import (
    ConcurrencyOption,
    IsolationOption,
    MapOption,
    MaxBadOption,
    SeedOption,
    given,
    isolation_of,
    refuse_without_clr,
)
from etalon.errors import ConfigError
from etalon.types import Answers

Shown = Literal["table", "json", "csv", "md", "latex", "card", "hub"]

BenchmarksArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="BENCH|FILE ...",
        help="Benchmarks of --list, NAME or NAME=FILE, or problems in any format of the field: JSONL, CSV, parquet.",
    ),
]
ModelOption = Annotated[
    str | None, typer.Option(metavar="DIR|NAME", help="A model directory, or a model of --endpoint.")
]
EndpointOption = Annotated[
    list[str] | None, typer.Option(metavar="URL", help="OpenAI-compatible server; may be repeated.")
]
NOption = Annotated[
    int | None,
    typer.Option("-n", min=1, help="Generations per problem.", show_default="the benchmark's own, or 8"),
]
KsOption = Annotated[
    str | None,
    typer.Option("--k", metavar="K,K,...", help="pass@k and maj@k for these k.", show_default="1, 8 and n"),
]
ClrOption = Annotated[bool, typer.Option("--clr", help="Every generation is the answer of a whole CLR flow (CLR@k).")]
ClrKOption = Annotated[int, typer.Option("-k", "--clr-k", min=2, help="CLR: trajectories per answer.")]
ClrMOption = Annotated[int, typer.Option("-m", "--clr-m", min=1, help="CLR: claims per trajectory.")]
OutOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep samples, verdicts and results here; goes on where it stopped.")
]
MaxTokensOption = Annotated[int | None, typer.Option(min=1, help="Cap per answer.", show_default="the model's maximum")]
TemperatureOption = Annotated[
    float | None, typer.Option(min=0.0, help="0 is greedy.", show_default="the benchmark's own, or 1.0")
]
TopPOption = Annotated[
    float | None,
    typer.Option(
        min=0.01, max=1.0, help="Nucleus of the sampling distribution.", show_default="the benchmark's, or 0.95"
    ),
]
AnswersOption = Annotated[
    Answers | None,
    typer.Option(
        "--answers",
        help="How responses state their answers; boxed is strict.",
        show_default="the benchmark's, or boxed",
    ),
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="The first so many problems of each benchmark.")]
SystemOption = Annotated[str, typer.Option(metavar="TEXT", help="System message.", show_default="none")]
PromptsOption = Annotated[
    str,
    typer.Option(metavar="DIR", help="Folder whose math.txt, code.txt, ... say how to answer.", show_default="ours"),
]
ExtraOption = Annotated[
    list[str] | None,
    typer.Option(
        "--extra",
        metavar="FIELD=JSON",
        help="Further request fields: top_k=20, chat_template_kwargs={...}; repeatable.",
    ),
]
JudgeOption = Annotated[
    str | None, typer.Option(metavar="NAME@URL|DIR", help="A model as second grader; both accuracies are reported.")
]
JudgePairsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Labelled pairs {gold, prediction, expected}: how often the judge agrees."),
]
PriceOption = Annotated[
    str | None, typer.Option(metavar="IN/OUT", help="Money for a million prompt and completion tokens: 0.15/0.60.")
]
DataOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder of benchmark files.", show_default="$ETALON_BENCHMARKS, ./benchmarks"
    ),
]
FormatOption = Annotated[Shown, typer.Option("--format", help="How results are printed.")]
ExportOption = Annotated[
    Literal["inspect"] | None, typer.Option(help="Also write logs for inspect view (the inspect extra).")
]
RescoreOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR|LOG", help="Score kept samples anew, or another tool's log; no model is asked."),
]
ListOption = Annotated[bool, typer.Option("--list", help="What benchmarks there are, and where their files lie.")]
FreshOption = Annotated[
    int,
    typer.Option(
        "--fresh", min=0, metavar="N", help="Also N problems made anew, of each domain: a check of contamination."
    ),
]
FreshFromOption = Annotated[
    list[str] | None,
    typer.Option("--fresh-from", metavar="NAME", help="Take them from this data set of reasoning-gym; repeatable."),
]
LcbOption = Annotated[
    Path | None,
    typer.Option("--official-lcb", metavar="DIR", help="A clone of LiveCodeBench: its verdicts beside ours."),
]
OjbenchJudgeOption = Annotated[
    Path | None, typer.Option(metavar="PYTHON", help="An interpreter with ojbench and DMOJ: OJBench's own judge.")
]
OjbenchDataOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="OJBench's test data, with NOI and ICPC, for --ojbench-judge.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be asked, and ask nothing.")]


def evaluate(
    context: typer.Context,
    benchmarks: BenchmarksArgument = None,
    model: ModelOption = None,
    endpoint: EndpointOption = None,
    n: NOption = None,
    ks: KsOption = None,
    clr: ClrOption = False,
    k: ClrKOption = 32,
    m: ClrMOption = 5,
    out: OutOption = None,
    max_tokens: MaxTokensOption = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    system: SystemOption = "",
    prompts: PromptsOption = "",
    extra: ExtraOption = None,
    judge: JudgeOption = None,
    judge_pairs: JudgePairsOption = None,
    price: PriceOption = None,
    fresh: FreshOption = 0,
    fresh_from: FreshFromOption = None,
    data: DataOption = None,
    columns: MapOption = None,
    answers: AnswersOption = None,
    max_bad: MaxBadOption = 0.01,
    concurrency: ConcurrencyOption = 32,
    isolation: IsolationOption = None,
    shown_as: FormatOption = "table",
    export: ExportOption = None,
    rescore: RescoreOption = None,
    official_lcb: LcbOption = None,
    ojbench_judge: OjbenchJudgeOption = None,
    ojbench_data: OjbenchDataOption = None,
    listed: ListOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Score a model on benchmarks: avg@n with its interval, truncation and failures beside it, resumable.

    The server's key is read from ETALON_API_KEY. Responses that fail are undecided and counted, never wrong; the same
    command asks for them again. When nothing could be scored the exit code is 2.
    """
    if not clr:
        refuse_without_clr(context, "k", "m")
    from etalon.commands.evaluation.run import run

    values = {name: value for name, value in locals().items() if name not in ("context", "run")}
    run(Asked(**values, given=given(context)))


OWN_FIELDS = {  # of a request, that --extra may not change; seed=null leaves the seed to the server
    "model": "what --model names", "messages": "made of the problems", "n": "always 1: -n asks that often",
    "seed": "what --seed and the sample's index make (null sends none)", "temperature": "what --temperature says",
    "top_p": "what --top-p says", "max_tokens": "what --max-tokens says", "stream": "always true",
    "max_completion_tokens": "what --max-tokens says", "stream_options": "what usage is told by",
}  # fmt: skip


def _no_constant(name: str) -> None:
    raise ConfigError(f"--extra: {name} is no JSON")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The command line of `etalon eval`. given: what of it a user wrote, by the name of the field."""

    benchmarks: list[str] | None
    model: str | None
    endpoint: list[str] | None
    n: int | None
    ks: str | None
    clr: bool
    k: int
    m: int
    out: Path | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    seed: int
    limit: int | None
    system: str
    prompts: str
    extra: list[str] | None
    judge: str | None
    judge_pairs: Path | None
    price: str | None
    fresh: int
    fresh_from: list[str] | None
    data: list[Path] | None
    columns: list[str] | None
    answers: Answers | None
    max_bad: float
    concurrency: int
    isolation: str | None
    shown_as: Shown
    export: str | None
    rescore: Path | None
    official_lcb: Path | None
    ojbench_judge: Path | None
    ojbench_data: Path | None
    listed: bool
    dry_run: bool
    given: Mapping[str, str]

    @property
    def folders(self) -> list[Path]:
        return self.data or []

    @property
    def isolated(self) -> str:
        return isolation_of(self.isolation)

    def request_fields(self) -> dict[str, Any]:
        """The fields of --extra; ConfigError for one that is no FIELD=JSON."""
        import json

        found: dict[str, Any] = {}
        for one in self.extra or []:
            name, equals, value = one.partition("=")
            if not equals or not name.strip():
                raise ConfigError(f"--extra {one}: expected FIELD=JSON, such as top_k=20")
            name = name.strip()
            if name in OWN_FIELDS and not (name == "seed" and value.strip() == "null"):
                raise ConfigError(f"--extra {one}: {name} is {OWN_FIELDS[name]}; results would tell another protocol")
            try:
                found[name] = json.loads(value, parse_constant=_no_constant)
            except ValueError:
                found[name] = value
        return found

    def wanted_ks(self) -> list[int] | None:
        """The k of --k; ConfigError for what is no list of numbers from 1 on."""
        if self.ks is None:
            return None
        try:
            found = sorted({int(one) for one in self.ks.split(",")})
        except ValueError:
            found = [0]
        if found[0] < 1:
            raise ConfigError(f"--k {self.ks}: expected numbers from 1 on, such as 1,8,64")
        return found
