"""Words and tokens: the ways in which the public checkers cut a text.

words         runs of letters, digits and underscores: "don't" is don, t
bare_words    blank-separated, ASCII punctuation deleted: "don't" is dont
tokens        Penn Treebank style, as NLTK's word tokenizer: "don't" is do, n't; a punctuation mark is a token
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from etalon.verifiers.instruct.rules.sentences import split_sentences

EDGES = string.punctuation + " "  # what the checkers strip from a word

_DELETE = str.maketrans("", "", string.punctuation)
_WORD = re.compile(r"\w+")
_ALONE = r"\[\](){}<>;@#$%&?!*«»“”‘’„\u2012-\u2015"  # marks that are a token wherever they stand
_TOKEN = re.compile(rf"""(?:[^\s{_ALONE}"`.,:-]|\.(?!\.)|[,:](?=\d)|-(?!-))+|``?|\.{{2,}}|--|\S""")
_CLOSING = "])}>\"'»”’ \t\n\r"
_CLITIC = re.compile(r"(?<=[^'])(?:'(?:[sSmMdD]|ll|LL|re|RE|ve|VE)?|n't|N'T)$")
_OPENING_QUOTE = re.compile(r"'(?=\w)(?!(?:re|ve|ll|[mtsdn])\b)", re.IGNORECASE)
_FUSED = {"cannot": 3, "gimme": 3, "gonna": 3, "gotta": 3, "lemme": 3, "wanna": 3, "d'ye": 1}
_FUSED_WORD = re.compile("|".join(word for word in _FUSED if "'" not in word), re.IGNORECASE)


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def num_words(text: str) -> int:
    return len(words(text))


def without_punctuation(text: str) -> str:
    return text.translate(_DELETE)


def bare_words(text: str) -> list[str]:
    return without_punctuation(text).split()


def tokens(text: str) -> list[str]:
    """The tokens of every sentence, in order; a double quote comes out as `` or ''."""
    return [token for sentence in split_sentences(text) for token in sentence_tokens(sentence)]


def sentence_tokens(sentence: str) -> list[str]:
    """The tokens of one sentence: only its last full stop is a token, others belong to their word."""
    body = sentence.rstrip(_CLOSING)
    if len(body) > 1 and body.endswith(".") and not body.endswith(".."):
        return [*_cut(sentence, 0, len(body) - 1), ".", *_cut(sentence, len(body), len(sentence))]
    return list(_cut(sentence, 0, len(sentence)))


def _cut(sentence: str, start: int, end: int) -> Iterator[str]:
    if "'" not in sentence and '"' not in sentence and _FUSED_WORD.search(sentence) is None:
        yield from _TOKEN.findall(sentence, start, end)  # the common case, and three times as fast
        return
    for mark in _TOKEN.finditer(sentence, start, end):
        found = mark.group()
        if found == '"':
            opens = mark.start() == 0 or sentence[mark.start() - 1] in " ([{<"
            yield "``" if opens else "''"
        elif found.isalpha() and found.lower() not in _FUSED:
            yield found
        else:
            yield from _pieces(found)


def _pieces(token: str) -> Iterator[str]:
    """A word without its quotes, clitic and fusions: 'don't is ', do, n't."""
    if len(token) > 1 and _OPENING_QUOTE.match(token):
        yield "'"
        token = token[1:]
    clitic = _CLITIC.search(token)
    head, tail = (token[: clitic.start()], token[clitic.start() :]) if clitic else (token, "")
    cut = _FUSED.get(head.lower(), 0)
    yield from (piece for piece in (head[:cut], head[cut:], tail) if piece)
