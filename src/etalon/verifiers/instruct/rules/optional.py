"""Packages and data that some rules need and that need not be here. Nothing is downloaded, nothing is written.

langdetect     language:response_language, by the detector of the public score
syllapy        words:odd_even_syllables, by the dictionary of the public score
nltk + data    words:start_verb (tagger); sentences (punkt), which have a fallback of our own

NLTK data is looked for where NLTK looks and in the folder that the `ifbench` package keeps for itself. That package is
never imported: its import downloads data and writes into site-packages.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import threading
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from etalon.verifiers.instruct.rules.arguments import CannotDecideError
from etalon.verifiers.instruct.rules.wordlists import FOREIGN, STOP_WORDS

TAGGER = "averaged_perceptron_tagger_eng"
MAX_DETECTED = 20_000  # (ours) langdetect reads 10,000 characters, but searches all of the text for addresses first
FOREIGN_WORDS = 2  # (ours) frequent words of another language, more than of English, make a text foreign
_WORD = re.compile(r"[^\W\d_]+")
_NLTK_LOCK = threading.Lock()
_LANGDETECT_LOCK = threading.Lock()  # it is random and lazy


def package(name: str) -> Any:
    """The module; raises CannotDecideError, which names the package, when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise CannotDecideError(f"needs the package {name}") from error


@cache
def _nltk_with(resource: str) -> Any | None:
    try:
        nltk = importlib.import_module("nltk")
    except ImportError:
        return None
    spec = importlib.util.find_spec("ifbench")
    folder = Path(spec.origin).parent / ".nltk_data" if spec is not None and spec.origin else None
    if folder is not None and folder.is_dir() and str(folder) not in nltk.data.path:
        nltk.data.path.append(str(folder))
    try:
        nltk.data.find(resource)
    except LookupError:
        return None
    return nltk


def nltk_with(resource: str) -> Any | None:
    """The nltk module when it and its `resource` ("tokenizers/punkt_tab/english/") are on this machine, else None."""
    with _NLTK_LOCK:
        return _nltk_with(resource)


def detect_language(text: str) -> str | None:
    """The ISO 639-1 code, by langdetect; None when the text has no features. CannotDecideError without the package."""
    langdetect = package("langdetect")
    with _LANGDETECT_LOCK:
        langdetect.DetectorFactory.seed = 0
        try:
            return str(langdetect.detect(text[:MAX_DETECTED]))
        except langdetect.LangDetectException:
            return None


def may_be_english(text: str) -> bool:
    """Whether at least half of the letters are ASCII, and no other language has more of its frequent words in it."""
    letters = [c for c in text if c.isalpha()]
    if 2 * sum(c.isascii() for c in letters) < len(letters):
        return False
    plain = unicodedata.normalize("NFKD", text[:MAX_DETECTED].casefold())
    words = Counter(_WORD.findall("".join(c for c in plain if not unicodedata.combining(c))))
    english = sum(words[word] for word in STOP_WORDS)
    foreign = max(sum(words[word] for word in language - STOP_WORDS) for language in FOREIGN)
    return foreign < FOREIGN_WORDS or foreign <= english
