"""A server may echo the key it was sent: its words go on to clients, logs and files without it.

A key shorter than MIN_CHARS is a placeholder of a local server ("EMPTY"): it goes only where it follows "Bearer".
"""

from __future__ import annotations

import json

MIN_CHARS = 8  # (ours)
SHOWN = b"[key]"


class Redactor:
    """Takes one key out of bytes, as it is and as JSON writes it; an empty key changes nothing."""

    def __init__(self, key: str) -> None:
        escaped = json.dumps(key)[1:-1]
        forms = {key, escaped, escaped.replace("/", "\\/")} if key else set()
        before = "" if len(key) >= MIN_CHARS else "Bearer "
        self._forms = [(before + form).encode() for form in sorted(forms, key=len, reverse=True)]
        self._shown = before.encode() + SHOWN

    def __call__(self, content: bytes) -> bytes:
        for form in self._forms:
            if form in content:
                content = content.replace(form, self._shown)
        return content

    def text(self, message: str) -> str:
        """The same for text."""
        return self(message.encode(errors="surrogatepass")).decode(errors="surrogatepass")
