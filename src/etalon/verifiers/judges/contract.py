r"""What a judge is shown, and what counts as its reply.

    prompt file with {name} + texts -> each text between tags with a mark of its own -> prompt
    reply -> its last line, exactly Yes or No -> True, False or None

The texts under judgement are written by the model that is being trained, and it will find what makes a judge say Yes.
So a text cannot close its own tags (their mark is a hash of the texts), cannot start a new turn (chat tokens are
broken up), and cannot be read as the verdict when the judge quotes it (only the last line counts, whole).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

_YES_NO = re.compile(r"[\s*_`\"'.]*(yes|no)[\s*_`\"'.!]*", re.IGNORECASE)
_PLACE = re.compile(r"\{(\w+)\}")
_CHAT_TOKEN = re.compile(
    r"<(?=[|｜][^<>\n]{1,60}[|｜]>)|<(?=/?(?:s|bos|eos|think|start_of_turn|end_of_turn)>)|\[(?=/?(?:INST|SYS)\])",
    re.IGNORECASE,
)


def fill(template: str, texts: Mapping[str, str]) -> str:
    """The template with each `{name}` replaced by its text between tags, in one pass: braces in texts stay as they are.

    `{mark}` becomes what the tags end in, so that the template can say how the texts are told from the instructions.
    """
    mark = hashlib.sha256(
        "\0".join(f"{name}\0{text}" for name, text in texts.items()).encode(errors="replace")
    ).hexdigest()[:12]
    marked = {name: f"<{name}-{mark}>\n{defused(text)}\n</{name}-{mark}>" for name, text in texts.items()}
    return _PLACE.sub(lambda found: (marked | {"mark": mark}).get(found[1], found[0]), template)


def defused(text: str) -> str:
    """The text with its chat tokens broken up: `<|im_end|>` would end the user's turn for some tokenizers."""
    return _CHAT_TOKEN.sub(lambda found: f"{found[0]} ", text)


def read_yes_no(reply: str) -> bool | None:
    """The last line that is not blank, after any reasoning, as Yes or No; None when it is anything else.

    A line above it never counts, so a verdict that was quoted, or withdrawn, is not taken. Only a line feed ends a
    line: a quoted text can hold other separators.
    """
    _, _, said = reply.rpartition("</think>")
    lines = [line for line in said.split("\n") if line.strip()]
    if not lines or said.lstrip().startswith("<think>"):
        return None
    found = _YES_NO.fullmatch(lines[-1])
    return found[1].lower() == "yes" if found else None
