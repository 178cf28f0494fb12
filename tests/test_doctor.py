"""The doctor against scripted servers: one that honours everything, and one per thing that a server gets wrong."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from etalon.cli import app
from etalon.errors import InputError
from etalon.sampling.endpoint import Answer
from etalon.serve.doctor import Finding, Report, examine
from etalon.serve.doctor.parallel import Timed, compare, most_at_once
from etalon.serve.doctor.patient import WatchedReply
from upstream import Asked, Reply, Upstream, dead_port, event, whole

pytestmark = pytest.mark.live

VLLM_ROW = {"id": "toy", "owned_by": "vllm", "max_model_len": 65536}


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What a toy server does with a request; the defaults are all as they should be."""

    honours_n: bool = True
    honours_top_k: bool = True
    honours_top_p: bool = True
    honours_seed: bool = True
    has_logprobs: bool = True
    shaped: str = '{"colour": "blue"}'
    shaped_finish: str = "stop"
    repeats: bool = False
    refuses: str = ""
    cap: int = 10**6
    reasoning_field: str = "reasoning"
    reasoning: str = "seventeen times twenty"
    prefix: str = ""  # of the content
    content: str = r"\boxed{391}"
    between: float = 0.001


class Toy:
    """A server with habits, whose texts are drawn with the seed of the request."""

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        self.count = 0

    def __call__(self, asked: Asked) -> Reply:
        body, habits = asked.body, self.habits
        self.count += 1
        if habits.refuses and habits.refuses in body:
            return Reply(
                status=400, body=json.dumps({"error": {"message": f"unknown field {habits.refuses}"}}).encode()
            )
        if "response_format" in body:
            reply = Reply(content=habits.shaped, finish=habits.shaped_finish)
            return Reply(body=json.dumps(whole(reply)).encode())
        if "17 * 23" in asked.text:
            return Reply(
                reasoning=habits.reasoning, reasoning_field=habits.reasoning_field,
                content=habits.prefix + habits.content,
            )  # fmt: skip
        if "3000" in asked.text:
            return self.count_up(body)
        return self.invent(body)

    def count_up(self, body: dict[str, Any]) -> Reply:
        asked = body["max_tokens"]
        size = min(asked, self.habits.cap)
        if asked > 1000:
            blocks = tuple(event({"content": f"{i}\n"}) for i in range(min(size, 5000)))
            return Reply(raw=(b"".join(blocks), event({}, finish="length"), b"data: [DONE]\n\n"))
        return Reply(content="1 " * size, finish="length", between=self.habits.between)

    def invent(self, body: dict[str, Any]) -> Reply:
        habits = self.habits
        seed = body.get("seed") if habits.honours_seed else self.count
        is_narrow = (habits.honours_top_k and body.get("top_k") == 1) or (
            habits.honours_top_p and body.get("top_p", 1) < 0.01
        )
        text = f"Village {random.Random(0 if is_narrow or habits.repeats else seed).random()}"
        answer = whole(Reply(content=text))
        answer["choices"] *= body.get("n", 1) if habits.honours_n else 1
        if habits.has_logprobs and body.get("logprobs"):
            answer["choices"][0] = answer["choices"][0] | {"logprobs": {"content": []} | {"x": 1}}
        return Reply(body=json.dumps(answer).encode())


def examined(habits: Habits, *, row: dict[str, Any] | None = None, pages: dict[str, Any] | None = None) -> Report:
    with Upstream(Toy(habits)) as upstream:
        upstream.pages = {"/v1/models": {"data": [row or VLLM_ROW]}} | (pages or {})
        return examine(upstream.url, seconds=20)


def finding(report: Report, check: str) -> Finding:
    return next(found for found in report.findings if found.check == check)


@pytest.mark.parametrize(
    ("text", "finish", "found"),
    [
        ("<think>The sky is blue.</think>\n{'colour': 'blue'}".replace("'", '"'), "stop", "honoured"),
        ('{ \n"colour"' + "\n" * 100 + "\t" * 100, "length", "honoured, but the model fills it with blanks"),
        ("\n" * 200, "length", "honoured, but the model fills it with blanks"),
        ('{"colour": "bl', "length", "cannot tell: the answer is cut"),
        ("", "length", "cannot tell: the answer is cut"),
        ("<think>Let me see, the sky", "length", "cannot tell: the answer is cut"),
        ("The sky is blue, and so is", "length", "ignored: the answer has another form"),
        ('{"colour": "pink"}', "stop", "ignored: the answer has another form"),
        ('{"colour": "blue", "why": 1}', "stop", "ignored: the answer has another form"),
        ('{"colour"' + "\n" * 100, "stop", "ignored: the answer has another form"),
    ],
)
def test_a_schema_is_ignored_only_where_the_answer_shows_it(text: str, finish: str, found: str) -> None:
    told = finding(examined(Habits(shaped=text, shaped_finish=finish)), "json_schema")
    assert told.found.startswith(found)
    assert ("disable_any_whitespace" in told.fix) == ("blanks" in found)


def test_a_server_that_honours_everything_has_no_problem() -> None:
    report = examined(Habits(), pages={"/version": {"version": "0.32.0"}})
    assert {found.check: found.level for found in report.findings} == {
        "n": "ok", "logprobs": "ok", "json_schema": "ok", "top_k off": "ok", "top_p": "ok", "seed": "ok",
        "reasoning": "ok", "think-tag leak": "ok", "repetition loop": "ok", "context": "ok",
        "max_tokens > 4k": "ok", "parallel slots": "ok",
    }, report.findings  # fmt: skip
    assert (report.identity.server, report.identity.version) == ("vLLM", "0.32.0")
    assert report.num_problems == 0
    assert finding(report, "reasoning").found == "in reasoning"
    assert finding(report, "parallel slots").found.startswith("at least ")


@pytest.mark.parametrize(
    ("habits", "expected"),
    [
        (
            Habits(honours_n=False, has_logprobs=False, honours_seed=False, shaped="The sky is blue.", reasoning=""),
            {
                "n": ("note", "single requests are sent"), "logprobs": ("note", "ignored"),
                "seed": ("note", "ignored"), "json_schema": ("note", "another form"),
                "reasoning": ("note", "none seen"),
            },
        ),
        (
            Habits(honours_top_k=False, honours_top_p=False, cap=4096, reasoning_field="reasoning_content"),
            {
                "top_k off": ("problem", "ignored"), "top_p": ("problem", "ignored"),
                "max_tokens > 4k": ("problem", "cut at 4,096 tokens"), "reasoning": ("ok", "in reasoning_content"),
            },
        ),
        (Habits(repeats=True), {"seed": ("problem", "the same text for 3 seeds"), "top_p": ("note", "cannot tell")}),
        (Habits(refuses="logprobs"), {"logprobs": ("note", "unknown field logprobs"), "n": ("ok", "honoured")}),
        (Habits(refuses="top_k"), {"top_k off": ("problem", "unknown field top_k"), "top_p": ("ok", "honoured")}),
        (Habits(refuses="response_format"), {"json_schema": ("note", "unknown field")}),
        (
            Habits(reasoning="", prefix="hm</think>", content="but we " * 3000),
            {
                "reasoning": ("note", "without an opening tag"), "repetition loop": ("problem", "stuck after"),
                "think-tag leak": ("problem", "stand in the content"),
            },
        ),
    ],
)  # fmt: skip
def test_every_habit_is_found(habits: Habits, expected: dict[str, tuple[str, str]]) -> None:
    report = examined(habits)
    for check, (level, said) in expected.items():
        found = finding(report, check)
        assert (found.level, said in found.found) == (level, True), found
        assert found.level != "problem" or found.fix


def test_a_server_with_one_slot_is_found() -> None:
    with Upstream(_in_one_piece(Toy(Habits()), slots=1)) as upstream:
        upstream.pages = {"/v1/models": {"data": [VLLM_ROW]}}
        found = finding(examine(upstream.url, seconds=20), "parallel slots")
    assert found.level == "problem"
    assert found.fix == "--max-num-seqs 64"


def test_a_server_that_sends_answers_in_one_piece_is_not_taken_for_one_with_one_slot() -> None:
    with Upstream(_in_one_piece(Toy(Habits()), slots=8)) as upstream:
        upstream.pages = {"/v1/models": {"data": [VLLM_ROW]}}
        found = finding(examine(upstream.url, seconds=20), "parallel slots")
    assert found.level == "ok" or "cannot tell" in found.found, found  # on a busy machine


def test_a_quick_server_is_a_note_not_a_problem() -> None:
    with Upstream(_in_one_piece(Toy(Habits()), slots=8, seconds=0.0)) as upstream:
        upstream.pages = {"/v1/models": {"data": [VLLM_ROW]}}
        report = examine(upstream.url, seconds=20)
    found = finding(report, "parallel slots")
    assert found.level == "note", found
    assert "cannot tell" in found.found
    assert report.num_problems == 0


def _in_one_piece(toy: Toy, *, slots: int, seconds: float = 0.1) -> Callable[[Asked], Reply]:
    """Short streams are sent as one block, each after `seconds` in the first of the slots that is free."""
    free = [0.0] * slots

    def script(asked: Asked) -> Reply:
        reply = toy(asked)
        if asked.body.get("max_tokens") != 64 or not asked.body.get("stream"):
            return reply
        now = time.monotonic()
        slot = min(range(slots), key=free.__getitem__)
        free[slot] = max(now, free[slot]) + seconds
        blocks = b"".join(event({"content": "1 "}) for _ in range(64))
        return Reply(raw=(blocks + event({}, finish="length") + b"data: [DONE]\n\n",), before=free[slot] - now)

    return script


def _timed(began: float, ended: float, first: float | None = None) -> Timed:
    watched = WatchedReply(answer=Answer(), first=ended if first is None else first, last=ended)
    return Timed(watched=watched, began=began, ended=ended)


def test_what_a_round_of_requests_shows() -> None:
    alone = [_timed(0, 1.0), _timed(1, 2.1)]
    assert compare(alone, [_timed(3, 4 + i) for i in range(8)]) == (1, "")  # one after the other
    assert compare(alone, [_timed(3, 4.1) for _ in range(8)])[0] == 7  # as quick as one alone
    assert compare(alone, [_timed(3, 4 + i // 2) for i in range(8)])[0] == 2  # two slots
    count, why = compare(alone, [_timed(3, 11) for _ in range(8)])  # one processor, shared
    assert (count, why) == (0, "cannot tell: 8 requests took 8.0 s, one alone 1.0 s")
    assert compare(alone, [_timed(3, 11, first=4) for _ in range(8)])[0] == 8  # shared, and seen side by side
    quick = [_timed(0, 0.01), _timed(1, 1.01)]
    assert compare(quick, [_timed(3, 3.01 * (i + 1)) for i in range(8)]) == (
        0, "cannot tell: an answer takes only 10 ms",
    )  # fmt: skip


def test_a_server_that_puts_requests_off_is_asked_again_when_it_says() -> None:
    toy = Toy(Habits())
    put_off: list[float] = []

    def script(asked: Asked) -> Reply:
        if asked.number in (0, 3):
            put_off.append(time.monotonic())
            return Reply(status=429, headers={"retry-after": "1"})
        if len(put_off) == 1 and asked.number == 1:
            put_off.append(time.monotonic())
        return toy(asked)

    with Upstream(script) as upstream:
        upstream.pages = {"/v1/models": {"data": [VLLM_ROW]}}
        report = examine(upstream.url, seconds=20)
    assert report.num_problems == 0, report.findings
    assert finding(report, "reasoning").found == "in reasoning"
    assert put_off[1] - put_off[0] >= 1.0


@pytest.mark.parametrize(
    ("row", "pages", "server", "window", "slots"),
    [
        ({"id": "toy", "owned_by": "sglang", "max_model_len": 8192}, {}, "SGLang", 8192, None),
        (
            {"id": "toy", "owned_by": "llamacpp"},
            {"/props": {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 1, "build_info": "b1"}},
            "llama.cpp", 4096, 1,
        ),
        (
            {"id": "toy", "owned_by": "library"},
            {"/api/version": {"version": "0.9"}, "/api/ps": {"models": [{"name": "toy", "context_length": 4096}]}},
            "Ollama", 4096, None,
        ),
        (
            {"id": "toy", "owned_by": "organization_owner"},
            {"/api/v0/models": {"data": [{"id": "toy", "max_context_length": 9, "loaded_context_length": 4096}]}},
            "LM Studio", 4096, None,
        ),
        ({"id": "toy"}, {}, "unknown server", None, None),
    ],
)  # fmt: skip
def test_servers_are_told_apart_and_the_fix_is_their_own(row, pages, server, window, slots) -> None:
    report = examined(Habits(reasoning="", prefix="<think>hm</think>"), row=row, pages=pages)
    assert (report.identity.server, report.identity.window, report.identity.slots) == (server, window, slots)
    assert finding(report, "context").level == ("note" if window is None else "problem")
    fixes = {
        "SGLang": "--reasoning-parser deepseek-r1", "llama.cpp": "--jinja --reasoning-format deepseek",
        "Ollama": "ollama show", "LM Studio": "App Settings > Developer", "unknown server": "reasoning parser",
    }  # fmt: skip
    assert fixes[server] in finding(report, "think-tag leak").fix


def test_the_command_prints_one_table_and_the_fixes_and_exits_2_on_a_problem() -> None:
    with Upstream(Toy(Habits(honours_top_k=False))) as upstream:
        upstream.pages = {"/v1/models": {"data": [{"id": "toy"}]}, "/api/version": {"version": "0.9"}}
        result = CliRunner().invoke(app, ["doctor", "--upstream", upstream.url, "--seconds", "20"])
    assert result.exit_code == 2
    assert "Ollama 0.9, model toy" in result.output
    assert "top_k off: PARAMETER top_k 0" in result.output
    assert "1 problem" in result.output


def test_the_command_exits_0_without_a_problem() -> None:
    with Upstream(Toy(Habits())) as upstream:
        upstream.pages = {"/v1/models": {"data": [VLLM_ROW]}}
        result = CliRunner().invoke(app, ["doctor", "--upstream", upstream.url])
    assert result.exit_code == 0, result.output


def test_an_endpoint_that_cannot_be_examined_is_one_line() -> None:
    with dead_port() as dead, pytest.raises(InputError, match="cannot be reached"):
        examine(dead)
    with Upstream(Toy(Habits())) as upstream, pytest.raises(InputError, match="lists toy"):
        examine(upstream.url, model="other")


def test_a_server_that_answers_nothing_has_that_one_problem() -> None:
    with Upstream(lambda asked: Reply(status=500)) as upstream:
        report = examine(upstream.url, seconds=20)
        assert len(upstream.requests) == 1
    (found,) = report.findings
    assert (found.check, found.level) == ("answers", "problem")
    assert "HTTP 500: scripted" in found.found


def test_spans_that_share_a_moment_are_counted() -> None:
    assert most_at_once([(0, 2), (1, 3), (2, 5), (6, 7)]) == 3
    assert most_at_once([(0, 1), (2, 3)]) == 1
    assert most_at_once([]) == 0
