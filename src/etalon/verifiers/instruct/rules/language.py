"""The language of a text, by langdetect when it is installed: seeded and locked, because it is random and lazy."""

from __future__ import annotations

import threading

from etalon.verifiers.instruct.rules.optional import package

MAX_CHARS = 20_000  # (ours) langdetect reads 10,000 characters, but searches all of the text for addresses first

_LOCK = threading.Lock()


def detect_language(text: str) -> str | None:
    """The ISO 639-1 code, or None when the text has no features. Raises CannotDecideError without langdetect."""
    langdetect = package("langdetect")
    with _LOCK:
        langdetect.DetectorFactory.seed = 0
        try:
            return str(langdetect.detect(text[:MAX_CHARS]))
        except langdetect.LangDetectException:
            return None


def is_latin(text: str) -> bool:
    """True when at least half of the letters are ASCII: the script of English."""
    letters = [c for c in text if c.isalpha()]
    return 2 * sum(c.isascii() for c in letters) >= len(letters)
