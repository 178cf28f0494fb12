"""The rules of IFEval about words and letters: keywords, their frequency, case, commas, language, quotation."""

from __future__ import annotations

import re

from etalon.verifiers.instruct.rules.arguments import Language, Letter, Relation
from etalon.verifiers.instruct.rules.counting import holds
from etalon.verifiers.instruct.rules.language import detect_language, is_latin
from etalon.verifiers.instruct.rules.tokens import tokens


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
    """All letters are capitals, most of them ASCII."""
    # the reference asks langdetect for English, which takes one English text in eight for another language when all of
    # it is in capitals (measured, ours); here the script decides
    return response.isupper() and is_latin(response)


def english_lowercase(response: str) -> bool:
    """No letter is a capital, most of them ASCII."""
    return response.islower() and is_latin(response)


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
