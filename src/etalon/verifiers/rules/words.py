"""Rules about words and letters: keywords, their frequency, case, commas, language, quotation."""

from __future__ import annotations

import re

from etalon.verifiers.rules.counting import capital_words, holds
from etalon.verifiers.rules.language import detect_language, is_latin


def keywords_existence(response: str, *, keywords: list[str]) -> bool:
    """Every keyword occurs, in any case, also inside a word."""
    return all(re.search(re.escape(word), response, re.IGNORECASE) for word in keywords)


def keywords_frequency(response: str, *, keyword: str, frequency: int, relation: str) -> bool:
    found = re.findall(re.escape(keyword.strip()), response, re.IGNORECASE)
    return holds(len(found), relation, frequency)


def forbidden_words(response: str, *, forbidden_words: list[str]) -> bool:
    """None of the words occurs as a whole word."""
    return not any(re.search(rf"\b{re.escape(word)}\b", response, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(response: str, *, letter: str, let_frequency: int, let_relation: str) -> bool:
    return holds(response.lower().count(letter.strip().lower()), let_relation, let_frequency)


def response_language(response: str, *, language: str) -> bool:
    """The detected language is `language`; raises CannotDecideError without langdetect."""
    return detect_language(response) in (language, None)


def capital_word_frequency(response: str, *, capital_frequency: int, capital_relation: str) -> bool:
    return holds(capital_words(response), capital_relation, capital_frequency)


def english_capital(response: str) -> bool:
    """All letters are capitals. The reference also asks langdetect for English; here the script decides."""
    return response.isupper() and is_latin(response)


def english_lowercase(response: str) -> bool:
    return response.islower() and is_latin(response)


def no_comma(response: str) -> bool:
    return "," not in response


def quotation(response: str) -> bool:
    """The whole response is wrapped in double quotation marks."""
    text = response.strip()
    return len(text) > 1 and text.startswith('"') and text.endswith('"')


def end_checker(response: str, *, end_phrase: str) -> bool:
    return response.strip().strip('"').lower().endswith(end_phrase.strip().lower())
