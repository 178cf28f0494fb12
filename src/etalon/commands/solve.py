"""`etalon solve`: one question to one model, plainly or through CLR."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from etalon.commands.options import ConcurrencyOption, SeedOption, TopPOption, check_place, refuse_without_clr
from etalon.errors import ConfigError

PRICE_FORM = "PROMPT,COMPLETION"
OF_CLR = (
    "k", "m", "early", "k_min", "repair", "json_schema", "max_calls", "max_seconds", "max_money", "price", "prompts",
    "reference", "out",
)  # fmt: skip

Question = Annotated[str, typer.Argument(metavar="QUESTION", help="The question; - reads standard input.")]
Endpoint = Annotated[
    list[str] | None,
    typer.Option("--endpoint", "--upstream", metavar="URL", help="OpenAI-compatible server; may be repeated."),
]
Model = Annotated[
    str | None,
    typer.Option(metavar="NAME|DIR", help="Model of the server [default: its only one], or a local directory."),
]
Clr = Annotated[bool, typer.Option("--clr", help="Claim-level reliability: K answers, their claims verified.")]
K = Annotated[int, typer.Option("-k", min=2, help="Trajectories.")]
M = Annotated[int, typer.Option("-m", min=1, help="Claims per trajectory.")]
Early = Annotated[str, typer.Option(metavar="exact|off", help="exact stops once the answer is certain.")]
KMin = Annotated[int, typer.Option(min=1, help="Usable trajectories below which their majority answers.")]
Repair = Annotated[bool, typer.Option(help="Ask once for claims that are missing.")]
JsonSchema = Annotated[bool, typer.Option("--json-schema", help="Let the server enforce the form.")]
MaxCalls = Annotated[int | None, typer.Option(min=1, help="Budget: calls.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="Budget: tokens, prompts included.")]
MaxSeconds = Annotated[float | None, typer.Option(min=0.001, help="Budget: seconds.")]
MaxMoney = Annotated[float | None, typer.Option(min=0.0, help="Budget: money, at --price.")]
PriceOption = Annotated[
    str | None, typer.Option(metavar=PRICE_FORM, help="Price per million tokens of prompts and completions.")
]
ResponseCap = Annotated[int | None, typer.Option(min=1, help="Cap of one response [default: the model's maximum].")]
Temperature = Annotated[float, typer.Option(min=0.0, help="CLR needs one above 0.")]
System = Annotated[str, typer.Option(metavar="TEXT", help="A system message.")]
Prompts = Annotated[str, typer.Option(metavar="NAME|DIR", help="Folder of the CLR prompts.")]
Journal = Annotated[
    Path | None, typer.Option(metavar="FILE.jsonl", help="Keep finished requests here; the same command resumes.")
]
Reference = Annotated[
    str | None, typer.Option(metavar="ANSWER", help="The right answer, if known: the record says who found it.")
]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE.json", help="The record of CLR [default: runs/solve/TIME.json].")
]


def solve(
    context: typer.Context, question: Question, endpoint: Endpoint = None, model: Model = None,
    clr: Clr = False, k: K = 32, m: M = 5, early: Early = "exact", k_min: KMin = 2, repair: Repair = True,
    json_schema: JsonSchema = False, max_calls: MaxCalls = None, max_tokens: MaxTokens = None,
    max_seconds: MaxSeconds = None, max_money: MaxMoney = None, price: PriceOption = None,
    max_response_tokens: ResponseCap = None, temperature: Temperature = 1.0, top_p: TopPOption = 0.95,
    seed: SeedOption = 0, system: System = "", prompts: Prompts = "default", concurrency: ConcurrencyOption = 32,
    journal: Journal = None, reference: Reference = None, out: Out = None,
) -> None:  # fmt: skip
    """Ask a model one question. With --clr: the answer whose claims hold up, with a record of why.

    Where CLR has nothing to judge, the majority vote or else the first whole response answers, and a line says so.
    The answer goes to standard output; without one, an empty reply included, the exit code is 2. Ctrl-C prints the
    best answer so far and ends with 130. The server's key is read from ETALON_API_KEY.
    """
    from etalon.commands.solving import open_sampler, read_price, solve_clr, solve_once
    from etalon.types import SamplingParams, ask

    if not clr:
        refuse_without_clr(context, *OF_CLR)
    _check(out, journal, needs_server=json_schema and not endpoint)
    caps = [cap for cap in (max_response_tokens, None if clr else max_tokens) if cap is not None]
    params = SamplingParams(temperature=temperature, top_p=top_p, max_tokens=min(caps, default=None))
    conversation = ask(_text(question), system=system)
    if not clr:
        sampler = open_sampler(endpoint or [], model, concurrency=concurrency, journal=journal)
        solve_once(sampler, conversation, params, seed=seed)
        return
    from etalon.clr.knobs import ClrSettings
    from etalon.clr.spend import Budget

    money = read_price(price) if price is not None else None
    settings = ClrSettings(
        k=k, m=m, params=params, early=cast(Any, early), k_min=min(k_min, k), repair=repair, json_schema=json_schema,
        prompts=prompts, seed=seed, prices={"*": money} if money else {},
        concurrency=min(k, concurrency * len(endpoint)) if endpoint else None,
    )  # fmt: skip
    budget = Budget(calls=max_calls, tokens=max_tokens, seconds=max_seconds, money=max_money)
    if budget.money is not None and money is None:
        raise ConfigError(f"--max-money: needs --price {PRICE_FORM}, per million tokens")
    sampler = open_sampler(endpoint or [], model, concurrency=concurrency, journal=journal)
    solve_clr(sampler, conversation, settings, budget, out=out, reference=reference)


def _check(out: Path | None, journal: Path | None, *, needs_server: bool) -> None:
    if needs_server:
        raise ConfigError("--json-schema: it takes a server to enforce the form; name one with --endpoint URL")
    for option, path in (("--out", out), ("--journal", journal)):
        if path is not None:
            check_place(option, path)


def _text(question: str) -> str:
    text = sys.stdin.read() if question == "-" else question
    if not text.strip():
        raise ConfigError("the question is empty")
    return text
