"""Sentences in another script than the problem's: a teacher that falls into another language.

A census of the scripts of all letters, by their Unicode names, then a look at the passages of those that the prompt
neither has nor names. Symbols, Greek letters, names, words in quotes or brackets, and code pass. Latin is never
foreign: mathematics and programs are written in it, and many answer a question of any language in English.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from etalon.data.traces.response import Fault, Response, around, without_fences
from etalon.types import Domain

SHARE = 0.05  # (ours) of the letters of a prompt, in a script that is its own
UNKNOWN_SHARE = 0.2  # (ours) the same of a response whose prompt nobody knows
IDEOGRAPHS = 8  # (ours) in one passage: a sentence; a name has 2 to 4, that of a theorem 6
LETTERS, WORDS = 20, 3  # (ours) in one passage of a script with an alphabet
ALL_IDEOGRAPHS = 40  # (ours) in all passages, the short ones included
ALL_LETTERS = 120
DRIFTS = 3  # (ours) different words among those of a solution in other scripts
MIXED = 2  # (ours) words that mix Latin and Cyrillic letters
SYMBOLS = 4  # (ours) Greek letters in a row that are a word, no product
WIDE = 3  # (ours) letters that an ideograph stands for

LANGUAGES = {  # script -> what a prompt calls it
    "CJK": "chinese|mandarin|cantonese|japanese|kanji|hanzi|中文|汉语|漢語",
    "HIRAGANA": "japanese|hiragana|kana|日本語",
    "KATAKANA": "japanese|katakana|kana|日本語",
    "BOPOMOFO": "chinese|bopomofo",
    "HANGUL": "korean|hangul|한국어",
    "CYRILLIC": "russian|ukrainian|bulgarian|serbian|macedonian|belarusian|kazakh|kyrgyz|tajik|mongolian|cyrillic",
    "ARABIC": "arabic|persian|farsi|urdu|pashto|kurdish|sindhi|uyghur",
    "HEBREW": "hebrew|yiddish",
    "DEVANAGARI": "hindi|marathi|nepali|sanskrit|devanagari",
    "GURMUKHI": "punjabi|gurmukhi",
    "THAI": "thai",
    "BENGALI": "bengali|bangla|assamese",
    "ETHIOPIC": "amharic|ethiopic|tigrinya",
    "MYANMAR": "burmese|myanmar",
    "ORIYA": "oriya|odia",
    "SINHALA": "sinhala|sinhalese",
    **{name: name.lower() for name in ("TAMIL", "TELUGU", "KANNADA", "GUJARATI", "MALAYALAM", "GEORGIAN", "ARMENIAN")},
    **{name: name.lower() for name in ("KHMER", "LAO", "TIBETAN", "MONGOLIAN")},
    "GREEK": "greek",
}
DENSE = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL"})  # written without blanks, or a syllable a letter
UNSPACED = frozenset({"THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
TOGETHER = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "BOPOMOFO": "CJK"}  # a language of one is written in the other, too

_ASIDE = re.compile(
    r"\([^()\n]{1,30}\)|（[^（）\n]{1,40}）|\"[^\"\n]{1,80}\"|“[^”\n]{1,80}”|「[^」\n]{1,40}」|«[^»\n]{1,80}»|《[^》\n]{1,40}》"
    r"|(?<!\w)'[^'\n]{1,60}'(?!\w)|\*[^*\s][^*\n]{0,38}(?<!\s)\*"
)
_BETWEEN = r"[\s,.;:!?，。；：！？、（）()\"“”'\d=+*/^$\\{}<>_–—-]{0,24}"

_MIXED = re.compile(r"[A-Za-z][а-яёА-ЯЁ]|[а-яёА-ЯЁ][A-Za-z]")
_CYRILLIC = re.compile("[а-яё]|(?i:cyrillic|russian)")


def other_scripts(response: Response) -> Fault | None:
    """A sentence, or many words, in a script that the problem does not have."""
    if response.text.isascii():
        return None
    mixed = list(_MIXED.finditer(without_fences(response.text)))
    if len(mixed) >= MIXED and not _CYRILLIC.search(response.prompt):
        return Fault(kind="other script", detail=f"in a word: {around(response.text, mixed[0].start())}")
    counts = census(response.text)
    foreign = set(counts) & set(LANGUAGES) - own_scripts(response, counts)
    for script in sorted(foreign, key=lambda name: -counts[name]):
        if counts[script] < (IDEOGRAPHS if script in DENSE else LETTERS):
            continue
        if place := _passage(without_asides(response.text), script):
            name = script.capitalize() if script != "CJK" else "Chinese"
            return Fault(kind="other script", detail=f"{name}: {around(response.text, *place)}")
    is_work = response.domain in (Domain.MATH, Domain.CODE, Domain.STEM)
    return _drifts(response, foreign - {"GREEK"}) if is_work else None


def _drifts(response: Response, foreign: set[str]) -> Fault | None:
    """Single words of other scripts here and there in a solution: names come once, or in brackets."""
    text = without_asides(response.text)
    letters = "".join({one for one in text if not one.isascii() and is_letter(one) and script_of(one) in foreign})
    words = list(re.finditer(f"[{re.escape(letters)}]{{2,}}", text)) if letters else []
    is_many = len({word[0] for word in words}) >= DRIFTS
    return Fault(kind="other script", detail=around(response.text, words[0].start())) if is_many else None


def census(text: str) -> Counter[str]:
    """How many letters of each script; Latin ones under "LATIN", marks and symbols under their first word."""
    characters = Counter(text)
    scripts: Counter[str] = Counter()
    for character, count in characters.items():
        if is_letter(character):
            scripts[script_of(character)] += count
    return scripts


def is_letter(character: str) -> bool:
    """Whether it is a letter, or a mark that belongs to one: the vowels of many scripts."""
    return unicodedata.category(character)[0] in "LM"


@lru_cache(maxsize=10_000)
def script_of(character: str) -> str:
    """The script of a letter: the first word of its Unicode name; kana count as Japanese ideographs."""
    name = unicodedata.name(character, "UNKNOWN").partition(" ")[0]
    return TOGETHER.get(name, name)


def own_scripts(response: Response, counts: Counter[str]) -> set[str]:
    """The scripts that belong to the problem: those its prompt is written in, and those it names."""
    asked = census(response.prompt)
    told = asked or counts
    weights = {script: count * (WIDE if script in DENSE else 1) for script, count in told.items()}
    share = (SHARE if asked else UNKNOWN_SHARE) * sum(weights.values())
    own = {script for script, weight in weights.items() if weight >= share}
    if "Translat" in response.prompt or "translat" in response.prompt:
        own |= set(told)
    prompt = response.prompt.casefold()
    return own | {script for script, names in LANGUAGES.items() if re.search(rf"\b(?:{names})\b", prompt)} | {"LATIN"}


def without_asides(text: str) -> str:
    """The text with code, and what stands in quotes, brackets and emphasis, blanked out; places stay."""
    return _ASIDE.sub(lambda aside: " " * len(aside[0]), without_fences(text))


def _passage(text: str, script: str) -> tuple[int, int] | None:
    """Where the first passage stands that is too long for a name; or the first of many short ones."""
    letters = "".join({one for one in text if is_letter(one) and script_of(one) == script})
    if not letters:
        return None
    least = 1 if script in DENSE else SYMBOLS if script == "GREEK" else 2
    several = f"[{re.escape(letters)}]{{{least},}}"
    total, first = 0, None
    for found in re.finditer(f"{several}(?:{_BETWEEN}{several})*", text):
        size = sum(map(is_letter, found[0]))
        words = WORDS if script not in UNSPACED else 1
        is_long = size >= IDEOGRAPHS if script in DENSE else size >= LETTERS and len(found[0].split()) >= words
        if is_long:
            return found.start(), found.end()
        first = first or (found.start(), found.end())
        total += size
    return first if total >= (ALL_IDEOGRAPHS if script in DENSE else ALL_LETTERS) else None
