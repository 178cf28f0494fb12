r"""What stands around a value in a box and is no part of it: labels, marks, the same value said again.

    "Answer: 42" "The total is 42"  -> without_label: "42"          "42 \checkmark" "42 ✅"  -> without_mark: "42"
    "2\sqrt3 (≈ 3.46)" "1/4 or 0.25" -> said_twice: ("2\sqrt3", "3.46"), ("1/4", "0.25")

A second value that is another value (`2\sqrt3 (≈ 5)`) is no dressing: it stays, and the answer is different.
"""

from __future__ import annotations

import re

_LABEL = re.compile(
    r"(?:(?:so|thus|hence|therefore),? )?(?:the |our |my )?(?:final |correct |exact |required )?"
    r"(?:(?:answer|ans|sol|result|solution(?: set)?|total|value|sum|(?:total|number|amount)(?: [a-z]{2,12}){1,4}"
    r"|respuesta|réponse|antwort|risposta|resposta|ответ)\b\.? ?"
    r"(?:(?:is|are|equals)\b ?[:=]?|[:=])|(?:答案|答え|答|解)(?:[:=]|是|为|為)?) ?(?=\S)",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:(?:approximately|approx\.?|about|roughly|around|nearly|exactly|simply|therefore|hence|thus|so),? ?"
    r"|(?:\\(?:therefore|Rightarrow|implies)|∴|⇒) ?)+(?=[\d\\$(+.-])",
    re.IGNORECASE,
)
_MARK = re.compile(
    r"\s*(?:\\(?:checkmark|blacksquare|square|Box|qed|qedsymbol|surd)(?![a-zA-Z])|[✓✔✅☑∎■□◼◻]"
    r"|\bQ\.? ?E\.? ?D\b)[\s.]*$"
)
_ABOUT = r"(?P<rounded>≈|about|approximately|approx\.?|roughly|nearly)"
_THAT_IS = r"(?:or|which is|=|i\.e\.,?)"
_AGAIN = (
    # 2\sqrt3 (≈ 3.46)
    re.compile(rf"(?P<value>.+?),? ?\({_THAT_IS}? ?{_ABOUT} ?(?P<again>[^()]+)\)"),
    # 1/4 (or 0.25), 1/4 (25%); without a blank brackets multiply
    re.compile(rf"(?P<value>.+?)(?:,? ?\({_THAT_IS} ?|,? \()(?P<again>[^()]+)\)"),
    # 1/4 or 0.25, which is about 0.25
    re.compile(rf"(?P<value>.+?),? ?(?:∨|{_THAT_IS.replace('|=', '')}) ?{_ABOUT}? ?(?P<again>[^()]+)"),
    # 2\sqrt3 ≈ 3.46
    re.compile(rf"(?P<value>.+?),? ?{_ABOUT} ?(?P<again>[^()]+)"),
)
_FOR_ALL = re.compile(
    r"(?P<rest>.*[^\s,]),? ?\(?(?:for (?:all|any|every|each)|\\forall|∀) ?"  # of a variable, or of all there is
    r"(?:real ?)?(?:numbers?|values?(?: of)?)? ?(?:[a-z](?: ?, ?[a-z])*)?(?: ?(?:∈|in) ?(?:\\mathbb\{[RQC]\}|R))?\)?"
)
_PARAMETER = re.compile(
    r"(?P<rest>.*?[^\s,;(]) ?[,;]? ?\(?(?:for |where |with )?(?:all |any |every |each |some )?"
    r"(?:(?<![a-zA-Z])(?P<name>[a-z])(?![a-z]) ?(?:∈ ?\\mathbb\{Z\}|(?:is )?(?:an |any )integer)"
    r"|integers? (?P<behind>[a-z]))\)?"
)
MAX_CHARS = 200  # (ours) longer texts say more than one value


def without_label(text: str) -> str:
    """The text without `Answer:`, `The answer is` and the like in front."""
    return text[found.end() :] if (found := _LABEL.match(text)) else text


def without_lead(text: str) -> str:
    """The text without a label and without "approximately" or "therefore" in front of a value."""
    return _LEAD.sub("", without_label(text))


def without_mark(text: str) -> str:
    """The text without a check mark or the sign of a finished proof behind it; a mark alone stays."""
    found = _MARK.search(text[-40:])
    start = len(text) - len(text[-40:]) + found.start() if found else 0
    return text[:start] if start else text


def without_quantifier(text: str) -> tuple[str, str]:
    """(text without "for all x" or ", k∈\\mathbb{Z}" behind it, the name of that integer parameter or "")."""
    if ("∈" in text or "integer" in text) and (found := _PARAMETER.fullmatch(text)):
        name, rest = found["name"] or found["behind"], found["rest"]
        if not any(sign in rest for sign in "<>≤≥≠") and names(name).search(rest):
            return rest, name
    found = _FOR_ALL.fullmatch(text) if "for" in text or "∀" in text else None
    return (found["rest"] if found else text), ""


def names(letter: str) -> re.Pattern[str]:
    """Finds a letter where it stands for something by itself."""
    return re.compile(rf"(?<![a-zA-Z\\]){letter}(?![a-zA-Z])")


def said_twice(text: str) -> tuple[str, str, bool] | None:
    """(value, the value again, whether it says that it is rounded) where a text has that form, or None.

    Whether both are one value is for the caller to see.
    """
    if len(text) > MAX_CHARS:
        return None
    for form in _AGAIN:
        if found := form.fullmatch(text):
            return found["value"].strip(), found["again"].strip(), bool(found.groupdict().get("rounded"))
    return None
