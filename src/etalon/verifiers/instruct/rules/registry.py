"""The 25 instructions of IFEval and the 58 of IFBench, by id: `RULES[id](response, **kwargs)` is whether they hold.

Own versions of the public checkers (google-research/instruction_following_eval and allenai/IFBench at db69a6f, both
Apache-2.0), with the same ids and keyword arguments. Where those check less, more or other than their instruction says,
these do the same and a comment says so, because published scores depend on it.

    id, kwargs -> read_arguments -> RULES[id] -> True or False
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

from etalon.verifiers.instruct.rules import counts, custom, format, ifeval, optional, wording
from etalon.verifiers.instruct.rules.arguments import BadRuleError, parameters, read_arguments
from etalon.verifiers.instruct.rules.sentences import splitter

__all__ = [
    "IFBENCH",
    "IFEVAL",
    "RULES",
    "SPLITS_SENTENCES",
    "BadRuleError",
    "deciders",
    "read_arguments",
]

IFEVAL: dict[str, Callable[..., bool]] = {
    "keywords:existence": ifeval.keywords_existence,
    "keywords:frequency": ifeval.keywords_frequency,
    "keywords:forbidden_words": ifeval.forbidden_words,
    "keywords:letter_frequency": ifeval.letter_frequency,
    "language:response_language": ifeval.response_language,
    "length_constraints:number_sentences": ifeval.number_sentences,
    "length_constraints:number_paragraphs": ifeval.number_paragraphs,
    "length_constraints:number_words": ifeval.number_words,
    "length_constraints:nth_paragraph_first_word": ifeval.nth_paragraph_first_word,
    "detectable_content:number_placeholders": ifeval.number_placeholders,
    "detectable_content:postscript": ifeval.postscript,
    "detectable_format:number_bullet_lists": ifeval.number_bullet_lists,
    "detectable_format:constrained_response": ifeval.constrained_response,
    "detectable_format:number_highlighted_sections": ifeval.number_highlighted_sections,
    "detectable_format:multiple_sections": ifeval.multiple_sections,
    "detectable_format:json_format": ifeval.json_format,
    "detectable_format:title": ifeval.title,
    "combination:two_responses": ifeval.two_responses,
    "combination:repeat_prompt": ifeval.repeat_prompt,
    "startend:end_checker": ifeval.end_checker,
    "startend:quotation": ifeval.quotation,
    "change_case:capital_word_frequency": ifeval.capital_word_frequency,
    "change_case:english_capital": ifeval.english_capital,
    "change_case:english_lowercase": ifeval.english_lowercase,
    "punctuation:no_comma": ifeval.no_comma,
}

IFBENCH: dict[str, Callable[..., bool]] = {
    "count:word_count_range": counts.word_count_range,
    "count:unique_word_count": counts.unique_word_count,
    "count:conjunctions": counts.conjunctions,
    "count:person_names": counts.person_names,
    "count:numbers": counts.numbers,
    "count:punctuation": counts.punctuation,
    "count:words_japanese": counts.words_japanese,
    "count:pronouns": counts.pronouns,
    "count:keywords_multiple": counts.keywords_multiple,
    "ratio:stop_words": counts.stop_words,
    "ratio:sentence_type": counts.sentence_type,
    "ratio:sentence_balance": counts.sentence_balance,
    "ratio:sentence_words": counts.sentence_words,
    "ratio:overlap": counts.overlap,
    "words:alphabet": wording.alphabet,
    "words:vowel": wording.vowel,
    "words:consonants": wording.consonants,
    "words:palindrome": wording.palindrome,
    "words:prime_lengths": wording.prime_lengths,
    "words:start_verb": wording.start_verb,
    "words:repeats": wording.repeats,
    "words:odd_even_syllables": wording.odd_even_syllables,
    "words:last_first": wording.last_first,
    "words:paragraph_last_first": wording.paragraph_last_first,
    "words:no_consecutive": wording.no_consecutive,
    "words:keywords_specific_position": wording.keywords_specific_position,
    "words:words_position": wording.words_position,
    "sentence:keyword": wording.keyword,
    "sentence:increment": wording.increment,
    "sentence:alliteration_increment": wording.alliteration_increment,
    "format:parentheses": format.parentheses,
    "format:quotes": format.quotes,
    "format:options": format.options,
    "format:newline": format.newline,
    "format:emoji": format.emoji,
    "format:line_indent": format.line_indent,
    "format:quote_unquote": format.quote_unquote,
    "format:list": format.list_,
    "format:thesis": format.thesis,
    "format:sub-bullets": format.sub_bullets,
    "format:no_bullets_bullets": format.no_bullets_bullets,
    "format:title_case": format.title_case,
    "format:output_template": format.output_template,
    "format:no_whitespace": format.no_whitespace,
    "custom:multiples": custom.multiples,
    "custom:mcq_count_length": custom.mcq_count_length,
    "custom:reverse_newline": custom.reverse_newline,
    "custom:word_reverse": custom.word_reverse,
    "custom:character_reverse": custom.character_reverse,
    "custom:sentence_alphabet": custom.sentence_alphabet,
    "custom:european_capitals_sort": custom.european_capitals_sort,
    "custom:csv_city": custom.csv_city,
    "custom:csv_special_character": custom.csv_special_character,
    "custom:csv_quotes": custom.csv_quotes,
    "custom:date_format_list": custom.date_format_list,
    "repeat:repeat_change": custom.repeat_change,
    "repeat:repeat_simple": custom.repeat_simple,
    "repeat:repeat_span": custom.repeat_span,
}

RULES = IFEVAL | IFBENCH

SPLITS_SENTENCES = frozenset(  # by punkt or by a regular expression: see sentences.py
    {
        "length_constraints:number_sentences",
        "change_case:capital_word_frequency",
        "count:pronouns",
        "ratio:sentence_type",
        "ratio:sentence_balance",
        "ratio:sentence_words",
        "words:last_first",
        "words:keywords_specific_position",
        "words:words_position",
        "sentence:keyword",
        "sentence:increment",
        "sentence:alliteration_increment",
        "format:emoji",
        "format:no_bullets_bullets",
        "format:title_case",
        "custom:sentence_alphabet",
    }
)

# what is decided by the package of the public checker or by ours: see optional.py
_BY = {
    "language:response_language": ("language", optional.language_by, "langdetect or lists"),
    "words:odd_even_syllables": ("syllables", optional.syllables_by, "syllapy or lists"),
    "words:start_verb": ("verb", optional.verb_by, "nltk or lists"),
}


IFBENCH_COMMIT = "db69a6f"  # commit of allenai/IFBench whose checkers these follow (docs/rules.md tells where not)


def deciders(rules: Iterable[str], text: str) -> list[str]:
    """What decides here on what several could, for the rules and the text that they judge: "sentences by regex"."""
    asked = set(rules)
    found = [f"sentences by {splitter(text)}"] if asked & SPLITS_SENTENCES else []
    return found + [f"{noun} by {by()}" for rule, (noun, by, _) in _BY.items() if rule in asked]


def checker(rules: Iterable[str]) -> str:
    """The public checkers that these rules follow, and what decides here on what several could."""
    asked = set(rules)
    followed = sorted({"IFEval" if rule in IFEVAL else f"IFBench {IFBENCH_COMMIT}" for rule in asked})
    return ", ".join([*followed, *deciders(asked, "")])


def table() -> str:
    """The table of docs/rules.md: one line per rule, in the order of the registry."""
    rows = ["| id | set | arguments | followed when | decided by |", "|---|---|---|---|---|"]
    for rule, check in RULES.items():
        arguments = ", ".join(f"`{name}`" for name in parameters(check)) or "none"
        asks = (inspect.getdoc(check) or "").splitlines()[0]
        rows.append(f"| `{rule}` | {_set(rule)} | {arguments} | {asks} | {_decided_by(rule)} |")
    return "\n".join(rows)


def _set(rule: str) -> str:
    return "IFEval" if rule in IFEVAL else "IFBench"


def _decided_by(rule: str) -> str:
    if rule in _BY:
        return _BY[rule][-1]
    return "sentences: punkt or regex" if rule in SPLITS_SENTENCES else "here"
