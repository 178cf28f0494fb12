"""What servers really send, through `etalon solve`: whole replies answer, cut ones say so, failed ones are one line."""

import contextlib
import io
import json
import sys

import pytest

from etalon import cli
from etalon.sampling.endpoint import retry
from test_serve import chat, proxy, stream, text_of
from upstream import Reply, Upstream, event, whole

pytestmark = pytest.mark.live

JSON, EVENTS = {"content-type": "application/json"}, {"content-type": "text/event-stream"}
BOM, DONE, FOUR, STOP = b"\xef\xbb\xbf", b"data: [DONE]\n\n", event({"content": "It is 4."}), event({}, "stop")


def line(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def ends(*reasons: str | None, text: bytes = FOUR) -> Reply:
    """A stream of one text whose chunks then give these reasons."""
    return Reply(raw=(text, *(event({}, reason) for reason in reasons), DONE))


def body(message: dict | None = None, finish: str | None = "stop", **headers: str) -> Reply:
    choice = {"index": 0, "message": message or {"role": "assistant", "content": "It is 4."}, "finish_reason": finish}
    return Reply(body=json.dumps({"object": "chat.completion", "choices": [choice]}).encode(), headers=headers)


def parts(*found: object) -> Reply:
    return Reply(raw=(event({"content": list(found)}), STOP, DONE))


def cut_up(content: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(content[start : start + size] for start in range(0, len(content), size))


TEXT = {"type": "text", "text": "It is 4."}
PLAIN = FOUR + STOP + DONE
INDENTED = b"".join(b"data: " + row + b"\n" for row in json.dumps(json.loads(FOUR[6:]), indent=1).encode().splitlines())
WHOLE = {
    "no space after the colon": Reply(raw=(PLAIN.replace(b"data: ", b"data:"),)),
    "empty data events": Reply(raw=(b"data:\n\n", FOUR, b"data: \n\n", STOP, b"data\n\n", DONE)),
    "CR only": Reply(raw=(PLAIN.replace(b"\n", b"\r"),)),
    "CR only in small blocks": Reply(raw=cut_up(PLAIN.replace(b"\n", b"\r"), 5)),
    "CR LF on the edge of blocks": Reply(raw=cut_up(INDENTED.replace(b"\n", b"\r\n") + b"\r\n" + STOP + DONE, 1)),
    "byte order mark": Reply(raw=(BOM + PLAIN,)),
    "byte order mark in two blocks": Reply(raw=(BOM[:2], BOM[2:] + PLAIN)),
    "JSON over several lines": Reply(raw=(INDENTED + b"\n", STOP, DONE)),
    "one line end between events": Reply(raw=(PLAIN.replace(b"\n\n", b"\n"),)),
    "comments, ids and names": Reply(raw=(b": hi\n\nid: 1\nevent: chunk\nretry: 9\n" + FOUR, STOP, DONE)),
    "pings of a name of their own": Reply(raw=(b'event: ping\ndata: {"type": "ping"}\n\n', FOUR, STOP, DONE)),
    "events under a JSON type": Reply(raw=(PLAIN,), headers=JSON),
    "events under no type": Reply(raw=(PLAIN,), headers={"content-type": ""}),
    "JSON under the type of events": body(**EVENTS),
    "JSON with a byte order mark": Reply(body=BOM + json.dumps(whole(Reply(content="It is 4."))).encode()),
    "JSON without a reason": body(finish=None),
    "a line of JSON per chunk": Reply(
        raw=(FOUR[6:-1] + STOP[6:-1],), headers={"content-type": "application/x-ndjson"}
    ),
    "parts": parts(TEXT),
    "parts with a thought": parts({"type": "thinking", "thinking": [{"type": "text", "text": "it is 5"}]}, TEXT),
    "parts of plain text": parts("It is ", "4."),
    "reasoning in parts": Reply(raw=(event({"reasoning_content": [{"text": "5"}], "content": None}), FOUR, STOP, DONE)),
    "reasoning details": Reply(
        raw=(event({"reasoning_details": [{"type": "reasoning.text", "text": "5"}]}), FOUR, STOP, DONE)
    ),
    "a message of parts": body({"content": [{"type": "thinking", "thinking": "5"}, TEXT]}),
    "text of an older form": Reply(raw=(line({"choices": [{"text": "It is 4."}]}), STOP, DONE)),
    "null everywhere": Reply(
        raw=(line({"choices": None, "error": None, "usage": None}), event({"content": None, "reasoning": None}),
             line({"choices": [{"delta": None, "finish_reason": None}]}), FOUR, STOP, DONE)
    ),
    "the whole message once more": Reply(
        raw=(FOUR, line({"choices": [{"delta": {}, "message": {"content": "It is 4."}, "finish_reason": "stop"}]}),
             line(whole(Reply(content="It is 4."))), DONE)
    ),
    "no reason but an end": Reply(raw=(FOUR, DONE)),
    "no end but a reason": Reply(raw=(FOUR, STOP)),
    "a reason in capitals": ends("STOP"),
    "a reason that is taken back": ends("stop", None, ""),
    "a reason nobody knows": ends("eos_token"),
    "halves of an emoji": Reply(
        raw=(b'data: {"choices": [{"delta": {"content": "It is 4. \\ud83d"}}]}\n\n',
             b'data: {"choices": [{"delta": {"content": "\\ude00"}}]}\n\n', STOP, DONE)
    ),
    "half an emoji": Reply(raw=(event({"content": "It is 4. \ud83d"}), STOP, DONE)),
    "bytes that are no UTF-8": Reply(raw=(FOUR.replace(b"4.", b"4. \xff"), STOP, DONE)),
}  # fmt: skip
CUT = {
    reason: ends(reason)
    for reason in (
        "length", "MAX_TOKENS", "max_output_tokens", "model_length", "model_context_window_exceeded",
        "FinishReason.MAX_TOKENS", "max_completion_tokens", "maxTokens", "token_limit", "Length",
    )
} | {
    "length, then stop": ends("length", "stop"),
    "length, then null": ends("length", None, ""),
    "JSON cut at the limit": body(finish="max_tokens"),
    "a limit with its number": Reply(
        raw=(line({"choices": [{"delta": {"content": "It is 4."}, "finish_reason": {"type": "length"}}]}), DONE)
    ),
}  # fmt: skip
FAILED = {
    reason: ends(reason)
    for reason in (
        "network_error", "insufficient_system_resource", "error", "abort", "content_filter", "SAFETY", "sensitive",
        "cancelled", "engine_overloaded",
    )
} | {
    "an error in the stream": Reply(raw=(FOUR, line({"error": {"message": "out of memory"}}), DONE)),
    "an error by name": Reply(raw=(FOUR, b'event: error\ndata: {"message": "out of memory"}\n\n', DONE)),
    "an error as text": Reply(raw=(FOUR, b"event: error\ndata: out of memory\n\n", DONE)),
    "an error in place of JSON": Reply(body=b'{"object": "error", "message": "out of memory", "code": 400}'),
    "an error, then stop": ends("error", "stop"),
    "JSON that failed": body(finish="error"),
    "a page": Reply(body=b"<html>Log in</html>", headers={"content-type": "text/html"}),
    "nothing but an end": Reply(raw=(DONE,)),
    "half a stream": Reply(raw=(FOUR,)),
    "half of JSON": Reply(body=b'{"choices": [{"mess'),
    "JSON without a choice": Reply(body=b'{"choices": []}'),
    "an empty body": Reply(raw=()),
    "no text": ends("stop", text=event({"content": ""})),
    "a thought only": ends("stop", text=event({"content": [{"type": "thinking", "thinking": "It is 4."}]})),
    "a thought that was cut": ends("length", text=event({"content": [{"type": "thinking", "thinking": "It is 4."}]})),
}  # fmt: skip


@pytest.fixture(scope="module")
def server():
    """A server that replies as `server.reply` says."""
    with Upstream(lambda asked: upstream.reply) as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BASE_SECONDS", 0.001)


def solve(server: Upstream, reply: Reply) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one question; both streams take UTF-8 only, as in a shell."""
    server.reply = reply  # type: ignore[attr-defined]
    output, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        patch.setattr(sys, "argv", ["etalon", "solve", "2+2?", "--endpoint", server.url])
        code = cli.main()
    for stream_ in (output, errors):
        stream_.flush()
    return code, output.buffer.getvalue().decode(), errors.buffer.getvalue().decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_reply_answers(server: Upstream, name: str) -> None:
    code, output, errors = solve(server, WHOLE[name])
    assert (code, output[:8]) == (0, "It is 4."), errors
    assert output[8:] in ("\n", " 😀\n", " \ufffd\n")
    assert "cut" not in errors


@pytest.mark.parametrize("name", CUT)
def test_a_reply_that_was_cut_says_so(server: Upstream, name: str) -> None:
    code, output, errors = solve(server, CUT[name])
    assert (code, output) == (0, "It is 4.\n"), errors
    assert errors.endswith("cut off\n")


@pytest.mark.parametrize("name", FAILED)
def test_a_reply_that_failed_is_one_line(server: Upstream, name: str) -> None:
    code, output, errors = solve(server, FAILED[name])
    assert (code, output) == (2, ""), errors
    assert errors.startswith("etalon: toy: ")
    assert errors.count("\n") == 1
    if "out of memory" in repr(FAILED[name]):
        assert "out of memory" in errors


@pytest.mark.parametrize(
    "name",
    ["empty data events", "CR only", "byte order mark", "events under a JSON type", "JSON with a byte order mark"],
)
def test_the_proxy_passes_on_what_is_whole_as_a_stream(name: str) -> None:
    with Upstream(lambda asked: WHOLE[name]) as upstream, proxy(upstream.url) as client:
        events = stream(client, chat())
    assert text_of(events) == "It is 4."
    assert events[-1] == "[DONE]"
    assert all(json.loads(data)["object"] == "chat.completion.chunk" for data in events[:-1])
