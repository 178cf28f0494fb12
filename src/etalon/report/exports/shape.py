"""results.json of an evaluation as exports and the page read it; what is not there is None, "" or empty.

Shares (avg, low, high, truncated, ...) lie in 0..1, lengths are tokens, times seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from etalon.report.read import Anything, Number, Part, Rows, Table, Texts, Words, mapping, objects, text

K = re.compile(r"[1-9][0-9]{0,8}")
CLR = "clr"
MAXIMUM = "the model's maximum"


class PublishedRow(Part):
    """A number that somebody published. verdict: where it lies against our interval, "" where that is not told.

    n: generations, or whole CLR flows. settings: how it was sampled, in the words of the catalogue.
    """

    model: Words
    score: Number
    n: Number
    source: Words
    metric: Words
    settings: Words
    verdict: Words

    @property
    def is_clr(self) -> bool:
        return self.metric == CLR


class AccuracyRow(Part):
    """One of the four accuracies of instruction following; decided and undecided are counts."""

    share: Number
    low: Number
    high: Number
    decided: Number
    undecided: Number


class JudgedRow(Part):
    """An answer on which a judge and the rules differ. rules, judge: their scores, None is undecided."""

    id: Words
    index: Number
    reference: Words
    answer: Words
    rules: Number
    judge: Number


class AgreementRow(Part):
    """A judge against labelled pairs. share: of those it decided; wrongly_yes, wrongly_no, undecided: counts."""

    pairs: Number
    undecided: Number
    share: Number
    low: Number
    high: Number
    wrongly_yes: Number
    wrongly_no: Number


class JudgeRow(Part):
    """The same score with a judge's word; open, undecided and disagreements are counts of samples.

    problems: those that its score stands on. refused: why there is no score. listed: the first disagreements.
    """

    name: Words
    avg: Number
    low: Number
    high: Number
    problems: Number
    open: Number
    undecided: Number
    disagreements: Number
    refused: Words
    listed: Rows[JudgedRow]
    agreement: AgreementRow
    published: Rows[PublishedRow]


class TheirsRow(Part):
    """The verdicts of the tool that wrote a log, over the samples that it and we decided; agree is a share."""

    samples: Number
    right: Number
    agree: Number
    only_ours: Number
    only_theirs: Number


class DisagreementRow(Part):
    """A program that another checker judges otherwise. ours: None is undecided; why: the likely reason."""

    id: Words
    index: Number
    ours: Number
    why: Words
    reason: Words
    said: Words


class OfficialRow(Part):
    """Another checker's verdicts beside ours: counts of programs, `avg` by its own, the first disagreements."""

    tool: Words
    both_right: Number
    both_wrong: Number
    only_ours: Number
    only_theirs: Number
    undecided: Number
    missing: Number
    avg: Number
    reasons: Table[Number]
    disagreements: Rows[DisagreementRow]


class CostRow(Part):
    total: Number
    per_right: Number
    currency: Words


class ContestRow(Part):
    name: Words
    right: Number
    of: Number
    undecided: Number
    date: Words


class BenchmarkRow(Part):
    """The numbers of one benchmark. avg: mean over problems of the mean over n samples; passes, majorities: by k.

    metric: of avg, "clr" where every sample is the answer of a whole CLR flow with the K and M of clr.
    of: problems in the file where `--limit` took fewer. expected: of the published set, where the file has another
    number. missing, undecided, failed, left_out: samples. truncated: None where nobody knows what was cut.
    errors: how many samples failed, by why. without: ids left out. verdict: against the published score of verdict_of.
    """

    name: Words
    title: Words
    file: Words
    sha256: Words
    prompt_hash: Words
    answers: Words
    domain: Words
    licence: Words
    n: Number
    temperature: Number
    top_p: Number
    max_tokens: Number
    problems: Number
    of: Number
    expected: Number
    samples: Number
    missing: Number
    metric: Words
    avg: Number
    low: Number
    high: Number
    sampling_noise: Number
    passes: Table[Number] = Field(alias="pass")
    majorities: Table[Number] = Field(alias="maj")
    accuracies: Table[AccuracyRow]
    checker: Words
    clr: Anything
    truncated: Number
    no_answer: Number
    undecided: Number
    failed: Number
    undecided_problems: Number
    left_out: Number
    errors: Table[Number]
    mean_tokens: Number
    tokens_per_right: Number
    tokens_per_second: Number
    seconds: Number
    cost: CostRow
    contests: Rows[ContestRow]
    near_copies: Number
    without: Texts
    judge: JudgeRow
    official: OfficialRow
    theirs: TheirsRow
    published: Rows[PublishedRow]
    verdict: Words
    verdict_of: Words
    verdict_refused: Words
    warnings: Texts
    hub: Anything  # {id, task_id, revision?} of its data set, where it is known

    @property
    def called(self) -> str:
        return self.title or self.name

    @property
    def is_clr(self) -> bool:
        return self.metric == CLR

    @property
    def averaged(self) -> str:
        """What the score is a mean of: `avg@64`, or `CLR@8, K = 32, M = 5` over whole flows."""
        name = "CLR" if self.is_clr else "avg"
        flow = mapping(self.clr) if self.is_clr else {}
        told = [f"{letter.upper()} = {text(flow[letter])}" for letter in ("k", "m") if letter in flow]
        return ", ".join([name if self.n is None else f"{name}@{self.n:g}", *told])

    @property
    def cap(self) -> str:
        """The most tokens that a response may have, in words."""
        return MAXIMUM if self.max_tokens is None else f"{self.max_tokens:.0f}"

    @property
    def drawn(self) -> dict[str, str]:
        """How its samples were drawn, in words; empty where the row does not tell."""
        if self.temperature is None:
            return {}
        told = {"temperature": f"{self.temperature:g}", "top_p": "" if self.top_p is None else f"{self.top_p:g}"}
        return {name: words for name, words in told.items() if words} | {"cap in tokens": self.cap}

    def over_k(self, curve: str) -> dict[int, float]:
        """The values of "pass" or "maj" by k, those that are known, in the order of k."""
        found = {"pass": self.passes, "maj": self.majorities}[curve]
        known = {int(k): value for k, value in found.items() if K.fullmatch(k) and value is not None}
        return dict(sorted(known.items()))


class ResultsFile(Part):
    """The whole file."""

    etalon: Words
    model: Words
    endpoint: Texts
    seed: Number
    started: Words
    system: Words
    extra: Anything
    clr: Anything
    server: Anything
    log: Anything
    benchmarks: Rows[BenchmarkRow]

    def protocol(self) -> dict[str, str]:
        """What all scores hold for, in words: model, prompt, server, and the sampling that every benchmark shares."""
        server = mapping(self.server)
        told = {
            "model": self.model,
            **self.shared,
            "system prompt": self.system,
            **{text(name): text(value) for name, value in mapping(self.extra).items()},
            **{f"CLR {text(name).upper()}": text(value) for name, value in mapping(self.clr).items()},
            "seed": "" if self.seed is None else f"{self.seed:.0f}",
            "window of the server": text(server.get("max_model_len")),
            "version of the server": text(server.get("version")),
            "date": self.started,
            "Etalon": self.etalon,
        }
        return {name: words for name, words in told.items() if words}

    @property
    def shared(self) -> dict[str, str]:
        """What of `drawn` is the same in all benchmarks."""
        first, *rest = [row.drawn for row in self.benchmarks] or [{}]
        return {name: words for name, words in first.items() if all(one.get(name) == words for one in rest)}

    @property
    def tool(self) -> str:
        """Whose log the samples are of; "" where they were sampled here."""
        return text(mapping(self.log).get("tool"))

    def own(self, row: BenchmarkRow) -> dict[str, str]:
        """What of a benchmark's `drawn` is not shared by all."""
        return {name: words for name, words in row.drawn.items() if name not in self.shared}


def shaped(results: Mapping[str, Any]) -> ResultsFile:
    """The content of a results.json; where its head alone tells of CLR, every row is of that metric."""
    if flow := mapping(results.get(CLR)):
        rows = [{"metric": CLR, CLR: flow, **row} for row in objects(results.get("benchmarks"))]
        results = {**results, "benchmarks": rows}
    return ResultsFile.model_validate(results)
