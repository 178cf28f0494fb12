"""Programs that need a library which is not here: nobody's wrong answer.

A program that imports a public library and ends because the sandbox lacks it is undecided, and the library is named, in
the log once. What no public library is called (a helper that the model made up) is a wrong program.
"""

from __future__ import annotations

import ast
import logging
import re
from functools import cache

from etalon.problems.syntax import parse
from etalon.sandbox import Outcome, Status

LOG = logging.getLogger("etalon.code")
_NAMES = (  # (ours) by which programs that solve problems import libraries of PyPI
    "numpy scipy pandas sympy matplotlib seaborn plotly sklearn skimage statsmodels networkx torch torchvision "
    "tensorflow keras jax xgboost lightgbm numba cython cv2 PIL imageio requests httpx aiohttp flask django "
    "fastapi starlette pydantic bs4 lxml html5lib selenium nltk spacy gensim transformers datasets tokenizers "
    "textblob wordcloud sortedcontainers more_itertools toolz cytoolz gmpy2 mpmath bitarray pyparsing regex "
    "dateutil pytz yaml toml ujson orjson simplejson openpyxl xlrd xlwt docx pyarrow polars dask h5py psutil "
    "cryptography Crypto rsa mechanize faker texttable prettytable tabulate natsort chardet librosa soundfile "
    "folium geopandas shapely geopy holidays flask_login flask_restful flask_mail flask_wtf wtforms sqlalchemy "
    "pymongo redis psycopg2 werkzeug jinja2 click rich tqdm attr attrs cachetools wikipedia pyquery "
    "python_http_client sendgrid pytesseract blake3 zmq pexpect"
)
PUBLIC = frozenset(_NAMES.split())
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([A-Za-z_]\w*)")


def missing_library(outcome: Outcome, program: str) -> str | None:
    """The public library for lack of which a program ended, None if there is none."""
    if outcome.status is not Status.RUNTIME_ERROR or not (found := _NO_MODULE.match(outcome.detail)):
        return None
    name = found[1]
    if name not in PUBLIC or name not in _imported(program):
        return None
    _tell(name)
    return name


def _imported(program: str) -> set[str]:
    try:
        nodes = list(ast.walk(parse(program)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names}


@cache
def _tell(name: str) -> None:
    LOG.warning("programs need the library %s, which the sandbox does not have; they are undecided", name)
