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
import threading
from functools import cache
from pathlib import Path
from typing import Any

from etalon.verifiers.instruct.rules.arguments import CannotDecideError

TAGGER = "averaged_perceptron_tagger_eng"
MAX_DETECTED = 20_000  # (ours) langdetect reads 10,000 characters, but searches all of the text for addresses first
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


def is_latin(text: str) -> bool:
    """True when at least half of the letters are ASCII: the script of English."""
    letters = [c for c in text if c.isalpha()]
    return 2 * sum(c.isascii() for c in letters) >= len(letters)
