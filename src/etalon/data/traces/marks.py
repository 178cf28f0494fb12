"""Characters that no honest trace has: control characters and tokens, mojibake, runs of one character, garbage.

Each check is one pass over the text. What the problem itself is about, because it stands in its prompt, passes.
"""

from __future__ import annotations

import re
from itertools import chain, pairwise

from etalon.data.traces.response import Fault, Response, around, without_code

LETTER_RUN = 16  # (ours) of one letter
MARK_RUN = 12  # (ours) of what ends sentences
STRING_RUN = 200  # (ours) of a quoted one
RULE_RUN = 250  # (ours) of what draws lines, and dots
DIGIT_RUN = 160  # (ours) a googol has 100 zeros
NEWLINE_RUN = 25  # (ours)
BLANK_RUN = 300  # (ours) of blanks and tabs
GARBAGE_RUN = 120  # (ours) characters without a blank: a sha512 in hex has 128, but is quoted from the prompt or code
CHUNK_RUN = 120  # (ours) characters of one short block, without a blank
MIXED, MIXED_KINDS = 32, 9  # (ours) different characters, and kinds of them, in random ones
INVISIBLE = 20  # (ours) zero-width characters in all
CLEAR = 2  # (ours) hits of mojibake that could be two real characters

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_INVISIBLE = re.compile("[\u200b\u2060-\u2064\ufeff\ufff9-\ufffb]")
_NAMES = (
    "im_start|im_end|im_sep|endoftext|startoftext|assistant|user|system|developer|tool|end|start|channel|message"
    "|return|call|constrain|observation|endofprompt|endofturn|eos|bos|pad|unk|sep|cls|eot|eom|eod|think|context|thinking|image"
    "|audio|video|begin|endofchunk"
)
_CHAT = re.compile(
    rf"<\|/?(?:{_NAMES}|[a-z0-9]+(?:_[a-z0-9]+)+)\|>|<[|｜][^\s<>|｜]{{1,20}}(?:▁[^\s<>|｜]{{1,20}}){{1,5}}[|｜]>"
    r"|<｜[^\s<>｜]{1,40}｜>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_(?:turn|image|utterance)>"
    r"|</?tool_(?:call|response)s?>|</?function_calls?>|\[/?(?:TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\]"
    r"|(?<=\n)### ?(?:Instruction|Response|Human|Assistant|User|Input):",
    re.IGNORECASE,
)
_PLAIN_TOKEN = re.compile(
    r"</?s>|<(?:eos|bos|pad|unk|mask)>|\[(?:PAD|CLS|SEP|[gs]?MASK|UNK|BOS|EOS)\]|</?assistant>"
    r"|<(?:extra_id_|unused_?|reserved_(?:token_)?)\d+>|\[UNUSED_TOKEN_\d+\]",
    re.IGNORECASE,
)

# what two, three and four bytes of UTF-8 become where they are read as Windows-1252 or Latin-1
_TAIL = "\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022"
_TAIL += "\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178\xa0-\xbf"
_SURE = re.compile(
    f"\xe2\u20ac|\xef\xbf\xbd|\xef\xbb\xbf|\ufffd|[\xe2-\xe6\xef](?![“”‘’…–—«»]{{2}})[{_TAIL}][{_TAIL}]|\xf0\u0178[{_TAIL}]"
    f"|[\xc3\xce\xcf\xd0\xd1][\xa1-\xbf\u20ac\u2014\u201a\u0192\u2020\u2021\u02c6\u2030\u0160\u0152\u017d\u2122\u0161\u0153]"
    "|\xc2[\xa0-\xbf]|\xc3\xa0|锟斤拷|烫烫烫|屯屯屯"
)
_LIKELY = re.compile(f"[\xc2-\xdf][{_TAIL}](?=\\w)|[\xe1-\xef][{_TAIL}][{_TAIL}]|\xe0[\xa4-\xbf][{_TAIL}]")

_RUN = re.compile(rf"(\S)\1{{{MARK_RUN - 1},}}")
_SPACED_RUN = re.compile(r"(?<!\S)([^\s\w]{1,3}|\\q?quad)(?:\s\1){39,}+")
_BLANKS = re.compile(rf"(?:[ \t\r]*\n){{{NEWLINE_RUN},}}+|[ \t\xa0\u3000]{{{BLANK_RUN},}}+")
_LONG = re.compile(rf"[^\s]{{{CHUNK_RUN},}}")
_BASE64 = re.compile(rf"[A-Za-z0-9+/_=-]{{{GARBAGE_RUN},}}")
_QUOTES = frozenset("'\"`“")
_RULES = frozenset("-=_*.~#+─━═│·•…—–|<>/\\█░▒▓▀▄■□●○◆◇★☆⋯&")


def control_characters(response: Response) -> Fault | None:
    """C0 and C1 controls, half surrogates, and many characters of no width."""
    found = _CONTROL.search(response.text)
    if found and not response.is_asked(found[0]):
        return Fault(kind="control characters", detail=repr(around(response.text, found.start())))
    invisible = list(_INVISIBLE.finditer(response.text))
    if len(invisible) >= INVISIBLE and not response.is_asked(invisible[0][0]):
        return Fault(kind="control characters", detail=repr(around(response.text, invisible[0].start())))
    return None


def control_tokens(response: Response) -> Fault | None:
    """What a chat template writes between turns. `<s>`, `<pad>` and their kind pass as code."""
    text = response.text
    found = next((one for one in _CHAT.finditer(text) if not response.is_asked(one[0])), None)
    if found is None and _PLAIN_TOKEN.search(text):
        plain = without_code(text)
        found = next((one for one in _PLAIN_TOKEN.finditer(plain) if not _is_markup(plain, one, response)), None)
    return Fault(kind="control token", detail=around(text, found.start())) if found else None


def _is_markup(text: str, token: re.Match[str], response: Response) -> bool:
    """Whether the problem has it, or it strikes words through: <s>words</s> in one line."""
    if response.is_asked(token[0]):
        return True
    line = text[text.rfind("\n", 0, token.start()) + 1 :][:2000].partition("\n")[0].lower()
    return token[0].lower() in ("<s>", "</s>") and "</s>" in line.partition("<s>")[2]


def mojibake(response: Response) -> Fault | None:
    """UTF-8 that was read as something else, and characters that were lost on the way."""
    if response.text.isascii():
        return None
    sure = next((one for one in _SURE.finditer(response.text) if not response.is_asked(one[0])), None)
    if sure is None:
        likely = [one for one in _LIKELY.finditer(response.text) if not response.is_asked(one[0])]
        sure = likely[0] if len(likely) >= CLEAR else None
    return Fault(kind="mojibake", detail=around(response.text, sure.start())) if sure else None


def character_runs(response: Response) -> Fault | None:
    """One character, or one short block without a blank, over and over; floods of blanks and empty lines."""
    text = response.text
    for run in chain(_RUN.finditer(text), _SPACED_RUN.finditer(text)):
        before = text[max(0, run.start() - 2) : run.start()]
        is_string = (before[-1:] in _QUOTES or before.lower() == "0x") and len(run[0]) < STRING_RUN
        if len(run[0]) >= _longest(run[1][0]) and not is_string and not response.is_asked(run[1] * 5):
            return Fault(kind="character run", detail=around(text, run.start()))
    if flood := _BLANKS.search(text.rstrip()):
        return Fault(kind="character run", detail=repr(around(text, flood.start())) + ", then blanks")
    for chunk in _LONG.finditer(text):
        starts = range(chunk.start(), chunk.end() - CHUNK_RUN + 1, CHUNK_RUN // 2)
        found = next((at for at in starts if _is_periodic(text[at : at + CHUNK_RUN])), None)
        if found is not None and not response.is_asked(text[found : found + 12]):
            return Fault(kind="character run", detail=around(text, found))
    return None


def _longest(character: str) -> int:
    if character.isdigit():
        return DIGIT_RUN
    return RULE_RUN if character in _RULES else MARK_RUN if character in "!?" else LETTER_RUN


def garbage(response: Response) -> Fault | None:
    """Base64, hex, random letters and random characters: a long word in which the kinds of characters are mixed."""
    text = response.text
    words = [one for one in _BASE64.finditer(text) if _is_random(one[0])]
    words += [one for one in _LONG.finditer(without_code(text)) if _is_mixed(one[0])]
    found = next((one for one in words if not response.is_asked(one[0][:16])), None)
    return Fault(kind="garbage", detail=around(text, found.start())) if found else None


def _is_periodic(chunk: str) -> bool:
    """Whether a long word is one block of at most 12 characters: digits repeat in honest decimals, rules are drawn."""
    is_block = any(chunk[width:] == chunk[:-width] for width in range(1, 13))
    return is_block and sum(one.isdigit() or one in _RULES for one in chunk) <= 2 * len(chunk) // 3


def _is_random(chunk: str) -> bool:
    """Whether characters of every class are mixed as in base64, or digits and letters as in hex."""
    size = len(chunk)
    upper, lower = sum(map(str.isupper, chunk)), sum(map(str.islower, chunk))
    digits = sum(map(str.isdigit, chunk))
    others = size - upper - lower - digits
    if others > size // 10 or len(set(chunk)) < 12:
        return False
    if min(upper, lower) > size // 8 and digits > size // 20:
        return True
    is_hex = all(one in "0123456789abcdefABCDEF" for one in chunk)
    return is_hex and min(digits, upper + lower) > size // 8


def _is_mixed(word: str) -> bool:
    """Whether a long word changes between letters, digits and many kinds of marks as no formula or program does."""
    chunk = word[:CHUNK_RUN]
    if "\\" in chunk or len(set(chunk)) < MIXED:
        return False
    kinds = ["a" if one.isalpha() else "0" if one.isdigit() else one for one in chunk]
    return len(set(kinds)) > MIXED_KINDS and sum(a != b for a, b in pairwise(kinds)) > 0.55 * len(chunk)
