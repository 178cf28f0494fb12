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
_LOCK = threading.Lock()


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
    with _LOCK:
        return _nltk_with(resource)
