"""The 25 instructions of IFEval, by id: `RULES[id](response, **kwargs)` is whether the response follows it.

Own, dependency-free versions of the public checkers (google-research/instruction_following_eval, Apache-2.0), with the
same ids and keyword arguments. A rule that cannot be checked raises CannotDecideError.
"""

from __future__ import annotations

from collections.abc import Callable

from etalon.verifiers.rules import layout, words
from etalon.verifiers.rules.counting import CannotDecideError

__all__ = ["RULES", "CannotDecideError"]

RULES: dict[str, Callable[..., bool]] = {
    "keywords:existence": words.keywords_existence,
    "keywords:frequency": words.keywords_frequency,
    "keywords:forbidden_words": words.forbidden_words,
    "keywords:letter_frequency": words.letter_frequency,
    "language:response_language": words.response_language,
    "length_constraints:number_sentences": layout.number_sentences,
    "length_constraints:number_paragraphs": layout.number_paragraphs,
    "length_constraints:number_words": layout.number_words,
    "length_constraints:nth_paragraph_first_word": layout.nth_paragraph_first_word,
    "detectable_content:number_placeholders": layout.number_placeholders,
    "detectable_content:postscript": layout.postscript,
    "detectable_format:number_bullet_lists": layout.number_bullet_lists,
    "detectable_format:constrained_response": layout.constrained_response,
    "detectable_format:number_highlighted_sections": layout.number_highlighted_sections,
    "detectable_format:multiple_sections": layout.multiple_sections,
    "detectable_format:json_format": layout.json_format,
    "detectable_format:title": layout.title,
    "combination:two_responses": layout.two_responses,
    "combination:repeat_prompt": layout.repeat_prompt,
    "startend:end_checker": words.end_checker,
    "startend:quotation": words.quotation,
    "change_case:capital_word_frequency": words.capital_word_frequency,
    "change_case:english_capital": words.english_capital,
    "change_case:english_lowercase": words.english_lowercase,
    "punctuation:no_comma": words.no_comma,
}
