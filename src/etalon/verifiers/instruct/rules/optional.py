"""What the public checkers decide by a package: by that where it is installed, else by ours. Nothing is downloaded.

    rule or cut                   installed                       else
    language:response_language    langdetect                      languages.py
    words:odd_even_syllables      syllapy                         syllables.py
    words:start_verb              nltk and its tagger's data      verbs.py
    sentences, tokens             nltk and punkt's data           sentences.py

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
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from etalon.verifiers.instruct.rules import languages
from etalon.verifiers.instruct.rules.syllables import num_syllables
from etalon.verifiers.instruct.rules.verbs import starts_with_verb
from etalon.verifiers.instruct.rules.wordlists import FOREIGN, STOP_WORDS

TAGGER = "averaged_perceptron_tagger_eng"
MAX_DETECTED = 20_000  # (ours) langdetect reads 10,000 characters, but searches all of the text for addresses first
FOREIGN_WORDS = 2  # (ours) frequent words of another language, more than of English, make a text foreign
_WORD = re.compile(r"[^\W\d_]+")
_NLTK_LOCK = threading.Lock()
_LANGDETECT_LOCK = threading.Lock()  # it is random and lazy


def package(name: str) -> Any | None:
    """The module, or None when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


@cache
def _nltk_with(resource: str) -> Any | None:
    nltk = package("nltk")
    if nltk is None:
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
    """The ISO 639-1 code of the language of the text; None when nothing in it tells one."""
    langdetect = package("langdetect")
    if langdetect is None:
        return languages.detect(text)
    with _LANGDETECT_LOCK:
        langdetect.DetectorFactory.seed = 0
        try:
            return str(langdetect.detect(text[:MAX_DETECTED]))
        except langdetect.LangDetectException:
            return None


def syllable_counter() -> Callable[[str], int]:
    """What counts the syllables of a word."""
    syllapy = package("syllapy")
    return num_syllables if syllapy is None else syllapy.count


def is_verb_first(tokens: Sequence[str]) -> bool:
    """Whether the first of the tokens is a verb."""
    nltk = nltk_with(f"taggers/{TAGGER}/")
    if nltk is None:
        return starts_with_verb(tokens)
    return bool(tokens) and "VB" in nltk.pos_tag(tokens)[0][1]


def language_by() -> str:
    """What decides on languages here."""
    return "lists" if package("langdetect") is None else "langdetect"


def syllables_by() -> str:
    """What counts syllables here."""
    return "lists" if package("syllapy") is None else "syllapy"


def verb_by() -> str:
    """What decides on first verbs here."""
    return "lists" if nltk_with(f"taggers/{TAGGER}/") is None else "nltk"


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
