"""The rules of IFEval: words and letters, keywords, length, paragraphs, bullets, sections, JSON, placeholders."""

from __future__ import annotations

import json
import re

from etalon.verifiers.instruct.rules.arguments import Language, Letter, Ordinal, Relation, holds
from etalon.verifiers.instruct.rules.optional import detect_language, may_be_english
from etalon.verifiers.instruct.rules.sentences import split_sentences
from etalon.verifiers.instruct.rules.tokens import tokens, words

CONSTRAINED_RESPONSES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def number_words(response: str, *, num_words: int, relation: Relation) -> bool:
    """So many words."""
    return holds(len(words(response)), relation, num_words)


def number_sentences(response: str, *, num_sentences: int, relation: Relation) -> bool:
    """So many sentences."""
    return holds(len(split_sentences(response)), relation, num_sentences)


def number_paragraphs(response: str, *, num_paragraphs: int) -> bool:
    """Paragraphs are divided by `***`; an empty one is allowed at the ends only."""
    paragraphs = re.split(r"\s?\*\*\*\s?", response)
    if any(not paragraph.strip() for paragraph in paragraphs[1:-1]):
        return False
    return sum(bool(paragraph.strip()) for paragraph in paragraphs) == num_paragraphs


def nth_paragraph_first_word(response: str, *, num_paragraphs: int, nth_paragraph: Ordinal, first_word: str) -> bool:
    """Paragraphs are divided by two newlines; the n-th (from 1) starts with the word."""
    paragraphs = response.split("\n\n")
    count = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    if count != num_paragraphs or not 1 <= nth_paragraph <= count:
        return False
    words = paragraphs[nth_paragraph - 1].split()
    if not words:
        return False
    word = re.split(r"[.,?!'\"]", words[0].lstrip("'").lstrip('"'), maxsplit=1)[0]
    return word.lower() == first_word.strip().lower()


def number_placeholders(response: str, *, num_placeholders: int) -> bool:
    """At least so many `[placeholders]`."""
    return sum(_brackets(line) for line in response.split("\n")) >= num_placeholders


def _brackets(line: str) -> int:
    r"""How often `\[.*?\]` matches, in linear time: the expression is quadratic in brackets that never close."""
    count, end = 0, 0
    while (start := line.find("[", end)) >= 0 and (end := line.find("]", start) + 1) > 0:
        count += 1
    return count


def postscript(response: str, *, postscript_marker: str) -> bool:
    """The marker starts a postscript somewhere; P.S. and P.P.S may carry blanks and any case."""
    text, marker = response.lower(), postscript_marker.strip()
    if marker == "P.P.S":
        return re.search(r"p\.\s?p\.\s?s", text) is not None
    if marker == "P.S.":
        return re.search(r"p\.\s?s\.", text) is not None
    return marker.lower() in text


def number_bullet_lists(response: str, *, num_bullets: int) -> bool:
    """Exactly so many lines that start with `* ` (not `**`) or `-`."""
    stars = re.findall(r"^[^\S\n]*\*[^*].*$", response, re.MULTILINE)
    dashes = re.findall(r"^[^\S\n]*-.*$", response, re.MULTILINE)
    return len(stars) + len(dashes) == num_bullets


def constrained_response(response: str) -> bool:
    """One of `My answer is yes.`, `My answer is no.` and `My answer is maybe.` occurs."""
    return any(option in response for option in CONSTRAINED_RESPONSES)


def number_highlighted_sections(response: str, *, num_highlights: int) -> bool:
    """At least so many `*highlights*`; a `**double**` one counts by both patterns, as in the reference."""
    single = [mark.strip("*") for mark in re.findall(r"\*[^\n\*]*\*", response)]
    double = [mark[2:-2] for mark in re.findall(r"\*\*[^\n\*]*\*\*", response)]
    return sum(bool(inside.strip()) for inside in (*single, *double)) >= num_highlights


def multiple_sections(response: str, *, section_spliter: str, num_sections: int) -> bool:
    """At least so many headings such as `SECTION 1`. The misspelt name is the data set's."""
    heading = rf"\s?{re.escape(section_spliter.strip())}\s?\d+\s?"
    return len(re.split(heading, response)) - 1 >= num_sections


def json_format(response: str) -> bool:
    """The whole response is JSON, in a fence or not."""
    text = response.strip()
    for opening in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(opening)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(response: str) -> bool:
    """A title in double angular brackets, `<<such as this>>`, on one line."""
    for line in response.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if start >= 0 and end > start + 2 and line[start:end].strip("<>").strip():
            return True
    return False


def two_responses(response: str) -> bool:
    """Exactly two different responses, divided by six asterisks."""
    parts = response.split("******")
    if any(not part.strip() for part in parts[1:-1]):
        return False
    written = [part.strip() for part in parts if part.strip()]
    return len(written) == 2 and written[0] != written[1]


def repeat_prompt(response: str, *, prompt_to_repeat: str) -> bool:
    """The response starts with the prompt, in any case."""
    return response.strip().lower().startswith(prompt_to_repeat.strip().lower())


def keywords_existence(response: str, *, keywords: list[str]) -> bool:
    """Every keyword occurs, in any case, also inside a word."""
    return all(re.search(re.escape(word), response, re.IGNORECASE) for word in keywords)


def keywords_frequency(response: str, *, keyword: str, frequency: int, relation: Relation) -> bool:
    """The keyword occurs so often, in any case, also inside a word."""
    found = re.findall(re.escape(keyword.strip()), response, re.IGNORECASE)
    return holds(len(found), relation, frequency)


def forbidden_words(response: str, *, forbidden_words: list[str]) -> bool:
    """None of the words occurs as a whole word."""
    return not any(re.search(rf"\b{re.escape(word)}\b", response, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(response: str, *, letter: Letter, let_frequency: int, let_relation: Relation) -> bool:
    """The letter occurs so often, in any case."""
    return holds(response.lower().count(letter.strip().lower()), let_relation, let_frequency)


def response_language(response: str, *, language: Language) -> bool:
    """The detected language is the one asked for; a text without features passes, as in the reference."""
    return detect_language(response) in (language, None)


def capital_word_frequency(response: str, *, capital_frequency: int, capital_relation: Relation) -> bool:
    """So many tokens are in capitals."""
    return holds(sum(token.isupper() for token in tokens(response)), capital_relation, capital_frequency)


def english_capital(response: str) -> bool:
    """All letters are capitals, and the text may be English."""
    # the reference asks langdetect for English, which takes one English text in eight for another language when all of
    # it is in capitals (measured, ours); here the script and the frequent words decide
    return response.isupper() and may_be_english(response)


def english_lowercase(response: str) -> bool:
    """No letter is a capital, and the text may be English."""
    return response.islower() and may_be_english(response)


def no_comma(response: str) -> bool:
    """No comma."""
    return "," not in response


def quotation(response: str) -> bool:
    """The whole response is wrapped in double quotation marks."""
    text = response.strip()
    return len(text) > 1 and text.startswith('"') and text.endswith('"')


def end_checker(response: str, *, end_phrase: str) -> bool:
    """The response ends with the phrase, in any case, a closing quotation mark aside."""
    return response.strip().strip('"').lower().endswith(end_phrase.strip().lower())
