"""What the observations mean: fine, worth knowing, or a problem that a flag of the server puts right; as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from etalon.problems.endings import Ending
from etalon.sampling.endpoint.request import CAP_REFUSED
from etalon.serve.doctor.identify import Identity, Server

if TYPE_CHECKING:
    from etalon.serve.doctor.observe import Observed
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Level = Literal["ok", "note", "problem"]
SMALL_WINDOW = 32_768  # (ours) a reasoning trace of 19,000 tokens and its claims must fit
FULL_LENGTH = 4096  # a cap that many clients and servers default to
MARKS = {"ok": Text("ok", "green"), "note": Text("note", "yellow"), "problem": Text("problem", "bold red")}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the table. fix: the flag or setting of this server that would help, "" when none is needed."""

    check: str
    found: str
    level: Level
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the doctor found at one URL."""

    url: str
    model: str
    identity: Identity
    findings: tuple[Finding, ...]

    @property
    def num_problems(self) -> int:
        return sum(finding.level == "problem" for finding in self.findings)


def judge(url: str, model: str, identity: Identity, seen: Observed) -> Report:
    """All findings, in the order of the table."""
    server = identity.server
    findings = (
        _n(seen),
        _logprobs(seen, server),
        _schema(seen, server),
        *_cuts(seen, server),
        _seed(seen, server),
        *_reasoning(seen, server),
        _loop(seen, server),
        _window(identity, seen),
        _length(seen, server),
        _parallel(identity, seen),
    )
    return Report(url=url, model=model, identity=identity, findings=findings)


def no_answer(error: str) -> Finding:
    """The one finding about a server that does not answer a plain question."""
    return Finding(check="answers", found=error, level="problem")


def _n(seen: Observed) -> Finding:
    found = "honoured" if seen.choices == 2 else f"{seen.choices or 'no'} answer to n=2; single requests are sent"
    return Finding(check="n", found=found, level="ok" if seen.choices == 2 else "note")


def _logprobs(seen: Observed, server: Server) -> Finding:
    if seen.has_logprobs:
        return Finding(check="logprobs", found="returned", level="ok")
    return Finding(check="logprobs", found=seen.fields_error or "ignored", level="note", fix=fix("logprobs", server))


def _schema(seen: Observed, server: Server) -> Finding:
    if seen.form == "kept":
        return Finding(check="json_schema", found="honoured", level="ok")
    if seen.form == "blanks":
        found = "honoured, but the model fills it with blanks until it is cut"
        return Finding(check="json_schema", found=found, level="note", fix=fix("json_schema blanks", server))
    if seen.form == "cut":
        found = "cannot tell: the answer is cut before its form shows"
        return Finding(check="json_schema", found=found, level="note")
    found = seen.schema_error or "ignored: the answer has another form"
    return Finding(check="json_schema", found=found, level="note", fix=fix("json_schema", server))


def _cuts(seen: Observed, server: Server) -> Iterator[Finding]:
    """top_k and top_p: set to their narrowest, all texts must agree where free ones differ."""
    for check, name, texts in (("top_k off", "top_k_1", seen.top_k_1), ("top_p", "top_p_0", seen.top_p_0)):
        if name in seen.refused:
            found = seen.refused[name]
            yield Finding(check=check, found=found, level="problem", fix=fix(check, server))
        elif not _differ(seen.free):
            yield Finding(check=check, found="cannot tell: the model answers the same every time", level="note")
        elif _agree(texts):
            yield Finding(check=check, found="honoured; sent with every request", level="ok")
        else:
            found = "ignored: the server's own value applies"
            yield Finding(check=check, found=found, level="problem", fix=fix(check, server))


def _seed(seen: Observed, server: Server) -> Finding:
    """Different seeds must give different texts: votes and CLR live on them. The same seed should give the same one."""
    check, draws = "seed", len(seen.free)
    if draws > 1 and len(set(seen.free)) == 1 and seen.free[0]:
        found = f"the same text for {draws} seeds at temperature 1.0: every trajectory of CLR would be one and the same"
        return Finding(check=check, found=found, level="problem", fix=fix(check, server))
    if "same_seed" in seen.refused:
        return Finding(check=check, found=seen.refused["same_seed"], level="note")
    if not _agree(seen.same_seed):
        return Finding(check=check, found="ignored: runs cannot be repeated", level="note")
    if not _differ(seen.free):
        return Finding(check=check, found="cannot tell: the model answers the same now and then", level="note")
    return Finding(check=check, found="honoured", level="ok")


def _reasoning(seen: Observed, server: Server) -> Iterator[Finding]:
    watched = seen.reasoning
    if watched.field:
        where = f"in {watched.field}"
    elif watched.has_closing or watched.has_opening:
        where = "in the content, before </think>" + ("" if watched.has_opening else ", without an opening tag")
    else:
        where = "none seen"
    yield Finding(check="reasoning", found=where, level="ok" if watched.field else "note")
    if watched.has_opening or watched.has_closing:
        found = "think tags stand in the content, where clients show them"
        yield Finding(check="think-tag leak", found=found, level="problem", fix=fix("think-tag leak", server))
    else:
        yield Finding(check="think-tag leak", found="none", level="ok")


def _loop(seen: Observed, server: Server) -> Finding:
    block = seen.reasoning.answer.loop
    if block is None:
        return Finding(check="repetition loop", found="none", level="ok")
    found = f"stuck after {seen.reasoning.answer.num_chunks} chunks in {' '.join(block.split())[:40]!r}"
    return Finding(check="repetition loop", found=found, level="problem", fix=fix("repetition loop", server))


def _window(identity: Identity, seen: Observed) -> Finding:
    if identity.window is None:
        return Finding(check="context", found="not told", level="note")
    found = f"{identity.window:,} tokens"
    if identity.window >= SMALL_WINDOW:
        return Finding(check="context", found=found, level="ok")
    return Finding(
        check="context", found=f"{found}; reasoning needs {SMALL_WINDOW:,} or more", level="problem",
        fix=fix("context", identity.server),
    )  # fmt: skip


def _length(seen: Observed, server: Server) -> Finding:
    watched = seen.length
    chunks = watched.answer.num_chunks
    tokens = chunks if watched.answer.is_estimated else watched.answer.num_tokens
    check = "max_tokens > 4k"
    if max(chunks, tokens) >= FULL_LENGTH + 1:
        return Finding(check=check, found=f"honoured: {max(chunks, tokens):,} tokens came", level="ok")
    if watched.error and not chunks:
        help_with = "context" if CAP_REFUSED.search(watched.error) else check
        return Finding(check=check, found=watched.error, level="problem", fix=fix(help_with, server))
    if watched.answer.ending is Ending.CUT:
        found = f"cut at {tokens:,} tokens although 8,192 were asked for"
        return Finding(check=check, found=found, level="problem", fix=fix(check, server))
    why = "the time was up" if watched.timed_out else "the model ended by itself"
    return Finding(check=check, found=f"accepted; {why} after {tokens:,} tokens", level="note")


def _parallel(identity: Identity, seen: Observed) -> Finding:
    check = "parallel slots"
    if seen.parallel > 1:
        found = str(seen.parallel) if identity.slots else f"at least {seen.parallel}"
        return Finding(check=check, found=found, level="ok")
    if seen.parallel == 0:
        return Finding(check=check, found=seen.parallel_error or "no stream was long enough to tell", level="note")
    found = "1: the trajectories of an answer wait for each other"
    return Finding(check=check, found=found, level="problem", fix=fix(check, identity.server))


def _agree(texts: tuple[str, ...]) -> bool:
    """Most texts are the same: a near tie may go either way in another batch."""
    return bool(texts) and max(map(texts.count, texts)) >= max(2, len(texts) - 1)


def _differ(texts: tuple[str, ...]) -> bool:
    return len(set(texts)) == len(texts) > 1


def print_findings(report: Report, console: Console | None = None) -> None:
    """Print the table on stdout; a pipe gets 100 columns."""
    console = console or Console()
    if not console.is_terminal:
        console.width = 100
    identity = report.identity
    version = f" {identity.version}" if identity.version else ""
    console.print(Text(f"{report.url}: {identity.server}{version}, model {report.model}"), soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("Check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("Found")
    for finding in report.findings:
        table.add_row(Text(finding.check), MARKS[finding.level], Text(finding.found))
    console.print(table)
    for finding in report.findings:
        if finding.fix and finding.level != "ok":
            console.print(Text(f"{finding.check}: {finding.fix}"), soft_wrap=True)
    problems = report.num_problems
    console.print(Text(f"{problems} problem{'' if problems == 1 else 's'}"))


# What to change, server by server: the flag, variable or setting, as its own documentation names it
FIXES: dict[str, dict[Server, str]] = {
    "context": {
        Server.VLLM: "--max-model-len 65536",
        Server.SGLANG: "--context-length 65536",
        Server.LLAMACPP: "-c 262144 --parallel 4 (the slots share it: 65536 each)",
        Server.OLLAMA: "OLLAMA_CONTEXT_LENGTH=65536 ollama serve, or PARAMETER num_ctx 65536 in the Modelfile",
        Server.LMSTUDIO: "lms load NAME --context-length 65536",
    },
    "max_tokens > 4k": {
        Server.LLAMACPP: "-n -1",
        Server.OLLAMA: "PARAMETER num_predict -1 and PARAMETER num_ctx 65536 in the Modelfile",
        Server.LMSTUDIO: "lms load NAME --context-length 65536, and no response limit in the preset",
        Server.VLLM: "--override-generation-config '{\"max_new_tokens\": null}' and --max-model-len 65536",
        Server.SGLANG: "--context-length 65536",
    },
    "parallel slots": {
        Server.VLLM: "--max-num-seqs 64",
        Server.SGLANG: "--max-running-requests 64",
        Server.LLAMACPP: "--parallel 8 (with -c eight times the window)",
        Server.OLLAMA: "OLLAMA_NUM_PARALLEL=8 ollama serve",
        Server.LMSTUDIO: "Max Concurrent Predictions in the model's load settings",
    },
    "seed": {
        Server.VLLM: "--generation-config vllm (the model's own may set top_k 1), and no cache of responses in front",
        Server.SGLANG: "--sampling-defaults openai (the model's own may set top_k 1), and no cache in front",
        Server.LLAMACPP: "start it without --seed, --temp 0, --top-k 1 and without a cache of responses in front",
        Server.OLLAMA: "no PARAMETER seed, temperature 0 or top_k 1 in the Modelfile, and no cache in front",
        Server.LMSTUDIO: "temperature 1.0, Top K 0 and no fixed seed in the model's preset",
    },
    "top_k off": {
        Server.OLLAMA: "PARAMETER top_k 0 and PARAMETER min_p 0 in the Modelfile (its OpenAI API takes neither)",
        Server.VLLM: "--generation-config vllm",
        Server.LLAMACPP: "--top-k 0 --min-p 0",
        Server.SGLANG: "--sampling-defaults openai",
        Server.LMSTUDIO: "Top K 0 and Min P off in the model's preset",
    },
    "top_p": {
        Server.OLLAMA: "PARAMETER top_p 0.95 in the Modelfile",
        Server.VLLM: "--generation-config vllm",
        Server.LLAMACPP: "--top-p 0.95",
        Server.SGLANG: "--sampling-defaults openai",
        Server.LMSTUDIO: "Top P 0.95 in the model's preset",
    },
    "think-tag leak": {
        Server.VLLM: "--reasoning-parser deepseek_r1",
        Server.SGLANG: "--reasoning-parser deepseek-r1",
        Server.LLAMACPP: "--jinja --reasoning-format deepseek",
        Server.OLLAMA: "a model whose template knows thinking: `ollama show NAME` lists it under Capabilities",
        Server.LMSTUDIO: "App Settings > Developer > separate reasoning_content in API responses",
    },
    "repetition loop": {
        Server.LLAMACPP: "weights of Q8_0 or better, --temp 1.0; --reasoning-budget bounds the loss",
        Server.OLLAMA: "weights of q8_0 or better, PARAMETER temperature 1.0",
        Server.LMSTUDIO: "weights of Q8_0 or better, temperature 1.0",
        Server.VLLM: "temperature 1.0 and weights in bfloat16 (--dtype bfloat16)",
        Server.SGLANG: "temperature 1.0 and weights in bfloat16 (--dtype bfloat16)",
    },
    "logprobs": {Server.VLLM: "--max-logprobs 20"},
    "json_schema": {Server.SGLANG: "--grammar-backend xgrammar"},
    "json_schema blanks": {
        Server.VLLM: """--structured-outputs-config '{"backend": "xgrammar", "disable_any_whitespace": true}'""",
        Server.SGLANG: "--constrained-json-disable-any-whitespace",
    },
}
ANY = {
    "context": "start the server with a window of 65536 tokens",
    "max_tokens > 4k": "lift the server's limit on the length of a response",
    "parallel slots": "let the server run several requests at the same time",
    "seed": "turn off greedy decoding (temperature 0, top_k 1), a fixed seed and any cache of responses, "
    "in the server and in every gateway before it",
    "top_k off": "set top_k to off in the server's own defaults",
    "top_p": "set top_p to 0.95 in the server's own defaults",
    "think-tag leak": "turn on the server's reasoning parser; etalon itself splits the text either way",
    "repetition loop": "temperature 1.0 and less quantised weights",
}


def fix(check: str, server: Server) -> str:
    """The change that helps this server, a general one when it is unknown, "" when there is none."""
    return FIXES.get(check, {}).get(server) or (ANY.get(check, "") if server is Server.OTHER else "")
