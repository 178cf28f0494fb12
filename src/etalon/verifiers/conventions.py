r"""Answer conventions with names (`--answers`): where the responses of other people's logs and benchmarks state theirs.

boxed             the last \boxed{} after the thought, else an `Answer:` line; strict, the default, and how models train
last-line         the value of an `Answer:` line or under a heading such as "**Final Answer**", else the last line
hash              what follows the last "####" (GSM8K)
sentence          what the last "the answer is ..." says
letter-sentence   the letter that the last "the correct option is A", "the answer is (B)" or "答案：C" names

A response is restated as an `Answer:` line, which every verifier of answers reads; a convention that finds nothing
leaves an empty one: no answer. None is a second chance for another, and none looks into a thought.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from etalon.problems.golds import MARK, MAX_ANSWER_CHARS
from etalon.types import Answers, Domain, Problem
from etalon.verifiers.text import answer_line, extract_answer, final_part

ANSWERED = (Domain.MATH, Domain.FACTS, Domain.STEM)  # domains that an answer decides
SHORT_WORDS = 3  # (ours) of a last line that looks like an answer
SENTENCE_WORDS = 12  # (ours) of a sentence's answer

_ANSWER = (  # "answer" in the languages that multilingual benchmarks are asked in
    r"(?:(?<![A-Za-z])(?:answers?|ans|respuesta|resposta|r[ée]ponse|risposta|antwort|lösung|antwoord|svaret|svar|cevap"
    r"|yanıt|jawaban(?:nya)?|jawapan|jibu|odpowied[źz]|odpov[ěe]ď)(?![A-Za-z])|ответ|відповідь|đáp án|câu trả lời|答案"
    r"|答え|正解|回答|答|정답|답|الإجابة|الاجابة|إجابة|الجواب|جواب|پاسخ|उत्तर|উত্তর|คำตอบ|απάντηση)"
)
_RIGHT = (
    r"(?:correct|right|best|final|true|most (?:likely|appropriate|accurate)|richtige|korrekte|bon|bonne|juiste"
    r"|правильный|верный|正确的?|正確的?|सही)"
)
_RIGHT_AFTER = r"(?:correct[ae]|corret[ao]|corretta|acertada|juste|benar|(?:that|which) (?:best|most|correctly))"
_OPTION = (
    r"(?:options?|choices?|alternatives?|letters?|statements?|opción|opci[oó]n|opção|alternativa|opzione|choix|wahl|optie|pilihan"
    r"|вариант|选项|選項|विकल्प)"
)
_CHOICE = rf"|{_RIGHT}\s*{_OPTION}|{_OPTION}\s+{_RIGHT_AFTER}"
_IS = (
    r"(?:(?:is|are|was|(?:would|should|must|will|can only|has to)(?: therefore| then| thus)? be|equals|es|son|est|è|é"
    r"|ist|lautet|är|là|adalah|ialah|ni)(?![A-Za-z])|(?:应该|應該|应|應|就)?(?:是|为|為|选|選)|は|은|는|이|가|هي|هو|คือ"
    r"|হলো|হল|है|ः|[:：])"
)
_MARKS = r"[*_\"”]{0,4}"
_LEADS_TO = (  # the verb or the colon behind a few words, or a sign at once
    rf"(?:(?:[ \t]{{1,3}}[^\W\d_]{{1,20}}|[ \t]*\([a-z]\)){{0,8}}?[ \t]?{_MARKS}[ \t]{{0,3}}{_IS}"
    rf"|{_MARKS}[ \t]{{0,3}}(?:=|】|[—–-](?=\s)))"
)
_NOT = r"(?!(?:not|no|never|neither|nicht|kein|keine|pas)(?![A-Za-z])|n't|不|非)"
_HEADING = rf"^[#*_> \t]{{0,8}}(?:the[ \t])?(?:{_RIGHT}[ \t])?{_ANSWER}[*_ \t]{{0,6}}$"


def _statement(noun: str) -> re.Pattern[str]:
    """What leads up to an answer: "the ... answer (to this question) is", "答案：", or a heading."""
    flags = re.IGNORECASE | re.MULTILINE
    return re.compile(rf"(?:(?:{noun}){_LEADS_TO}|{_HEADING})[*_\s:：=]{{0,12}}+{_NOT}", flags)


_SAYS = _statement(_ANSWER)
_SAYS_CHOICE = _statement(_ANSWER + _CHOICE)
_CHOSEN = re.compile(
    r"(?:故|因此|所以|应该?|應該?|答案|正确|正確|本题|本題|^|[，,。；;：:])(?:选择|選擇|选|選)[\s:：]{0,3}",
    re.MULTILINE,
)
_BEFORE_LETTER = re.compile(
    r"(?:(?:the|la|le|die|der|das|el|il|correct|right|best|option|choice|letter|answer|opción|opção|opzione|r[ée]ponse"
    r"|clearly|therefore|thus|most|likely|probably|definitely|indeed)(?![A-Za-z])|选项|選項|选|選|विकल्प"
    r"|\\(?:boxed|fbox|textbf|text|mathrm|mathbf)(?![A-Za-z])|[\s*_:：=\"'“‘「『（(\[$\\{【`-]|l['’]){0,24}+",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[A-ZＡ-Ｚ]|[a-z](?=[)）\]])")
_ENDS_LETTER = re.compile(r"(?![A-Za-z0-9À-ɏ_'’^=+]|\s*=|[-–]\w)")
_MORE_LETTERS = re.compile(
    r"[)）\]*}$]*\s{0,3}(?:,|、|，|&|/|(?:and|or|y|o|et|ou|und|oder)\b|和|或|と)\s{0,3}[(（*]{0,3}[A-Z](?![A-Za-z0-9])"
)
_ARTICLE = re.compile(r"\s+(?!(?:because|since|as|for|which|is|by|due|and|or|with|from|where|in)\b)[a-z]")
_LETTER_FIRST = re.compile(
    r"(?<![A-Za-z0-9])(?P<named>(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Aa]ntwort|[Oo]pción|[Rr]éponse)\s{1,3})?"
    r"[(*_\"]{0,4}(?P<letter>[A-Z])[)*_.\"]{0,4}\s{1,3}(?:is|ist|es|est)\s{1,3}"
    r"(?:(?:the|la|therefore|thus|clearly|indeed|single)\s{1,3}){0,3}"
    r"(?:correct[ae]?|right|best|most \w{1,12}|richtig|korrekt)"
    r"(?:\s{1,3}(?:answer|option|choice)\b|(?P<end>\s*(?:[.!*,]|$)))",
    re.MULTILINE,
)
_SENTENCE_END = re.compile(
    r"(?<!\bMr)(?<!\bMrs)(?<!\bDr)(?<!\bSt)[.!?](?=[\s*_\"”)]|$)|[。！？]|,?\s+(?:because|since)\b"
    r"|,\s+(?:which|so|as|where)\b"
)
_DISPLAY = ("\\[", "$$")


def restated(response: str, answers: Answers) -> str:
    """The response as an `Answer:` line of what it states by the convention; `boxed` leaves it as it is."""
    if answers is Answers.BOXED:
        return response
    found = FINDERS[answers](final_part(response))
    return f"Answer: {found}" if found else ""


def other_convention(problem: Problem, response: str, answers: Answers) -> Answers | None:
    """For a response without an answer by one convention: the first other one by which it states something like one."""
    if problem.domain not in ANSWERED:
        return None
    final = final_part(response)
    for other in (Answers.BOXED, Answers.HASH, Answers.LETTER_SENTENCE, Answers.SENTENCE, Answers.LAST_LINE):
        if other is not answers and (found := FINDERS[other](final)) and _is_likely(found, other, problem):
            return other
    return None


def states(problem: Problem, response: str, answers: Answers) -> bool:
    """Whether a response states something like an answer to the problem by a convention."""
    found = FINDERS[answers](final_part(response))
    return bool(found) and _is_likely(str(found), answers, problem)


def _is_likely(found: str, answers: Answers, problem: Problem) -> bool:
    """Whether somebody would call it an answer: every response has a last line."""
    if problem.options or answers is Answers.LETTER_SENTENCE:
        return found.strip("(). ") in (problem.options or ())
    most = {Answers.LAST_LINE: SHORT_WORDS, Answers.SENTENCE: SENTENCE_WORDS}.get(answers)
    return most is None or len(found.split()) <= most


def hint(unanswered: int, others: Counter[Answers]) -> str:
    """The line that says by which other conventions responses without an answer have one; "" when none has."""
    if not others:
        return ""
    found = ", ".join(f"{count:,} would have one with --answers {name}" for name, count in others.most_common())
    return f"{unanswered:,} row{'' if unanswered == 1 else 's'} without an answer: {found}"


def after_hash(final: str) -> str | None:
    """What follows the last "####", on its line or below."""
    start = final.rfind(MARK)
    return None if start < 0 else _value(final, start + len(MARK))


def in_sentence(final: str) -> str | None:
    """What the last "the answer is ..." says, to the end of its sentence."""
    last = None
    for last in _SAYS.finditer(final):  # noqa: B007
        pass
    return None if last is None else _value(final, last.end(), ends_with_sentence=True)


def letter_in_sentence(final: str) -> str | None:
    """The letter that the last sentence of its kind names; "A and C" where it names two."""
    found = [(match.start(), letter) for pattern in (_SAYS_CHOICE, _CHOSEN) for match in pattern.finditer(final)
             if (letter := _letter(final, match.end()))]  # fmt: skip
    found += [
        (match.start(), match["letter"])
        for match in _LETTER_FIRST.finditer(final)
        if match["named"] or match["end"] is None
    ]
    return max(found)[1] if found else None


def _letter(text: str, start: int) -> str | None:
    """The option that is named at once, or after words that lead up to it; an article or a variable is none."""
    lead = _BEFORE_LETTER.match(text, start)
    at = lead.end() if lead else start
    found = _LETTER.match(text, at)
    if found is None or not _ENDS_LETTER.match(text, found.end()):
        return None
    if more := _MORE_LETTERS.match(text, found.end()):
        return text[at : more.end()]
    is_marked = text[at - 1 : at] in ("(", "（", "*", "{", "[", "$", '"', "“")
    if found[0] in "AI" and not is_marked and _ARTICLE.match(text, found.end()):
        return None
    return found[0]


def on_last_line(final: str) -> str | None:
    """The value of the last answer line or heading, else the last line with something in it."""
    if stated := answer_line(final):
        return _plain(stated)
    text = final.rstrip().rstrip("`").rstrip()
    for opening, closing in zip(_DISPLAY, ("\\]", "$$"), strict=True):
        if text.endswith(closing) and (start := text.rfind(opening, 0, len(text) - len(closing))) >= 0:
            return _value(text, start)
    line = text[text.rfind("\n") + 1 :][-MAX_ANSWER_CHARS:]
    return in_sentence(line) or _plain(line)


def _value(text: str, start: int, *, ends_with_sentence: bool = False) -> str | None:
    """The value that starts there: the rest of the line, a displayed formula, or the first line below with one."""
    rest = text[start : start + MAX_ANSWER_CHARS].lstrip("*_: \t")
    if not rest or rest.startswith(("\n", *_DISPLAY)):
        stated = answer_line(f"Answer:\n{rest}")
        return None if stated is None else _plain(stated)
    line = rest.partition("\n")[0]
    if ends_with_sentence and (end := _SENTENCE_END.search(line)):
        line = line[: end.start()]
    return _plain(line)


def _plain(value: str) -> str | None:
    """A value in one line, without markup around it and the full stop behind it."""
    value = " ".join(value.split()).strip("*_#>` ")
    if value.endswith((".", "。")) and not value.endswith(".."):
        value = value[:-1].rstrip("*_ ")
    return (f"{value[:-2]}$" if value.endswith(".$") else value) or None


FINDERS: dict[Answers, Callable[[str], str | None]] = {
    Answers.BOXED: extract_answer,
    Answers.LAST_LINE: on_last_line,
    Answers.HASH: after_hash,
    Answers.SENTENCE: in_sentence,
    Answers.LETTER_SENTENCE: letter_in_sentence,
}
