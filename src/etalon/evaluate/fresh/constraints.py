"""Fresh instruction following: a text about two words under rules of IFEval and IFBench that agree with each other.

    level = rules beside the two words: 1, 2, 3 (as many as in training) | 5, 7, 9

Each kind of rule draws its numbers, and says in a sentence what its check asks for. Any of them can be met together:
none asks for what another forbids, and the number of words is always above what the others need.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etalon.problems.nano.instructions import WORDS
from etalon.types import Domain, Problem, Rule

LEVELS = (1, 2, 3, 5, 7, 9)
ENDINGS = ("ok then", "so long", "more soon", "stay calm", "good night", "well done")
FORBIDDEN = ("very", "just", "also", "with", "this", "that", "they", "have", "from", "many")
RARE = "jqxz"
Words = Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A rule, and the sentence that states it."""

    sentence: str
    rule: Rule


def generate(rng: random.Random, level: int) -> Problem:
    """Two words and `level` rules of different kinds."""
    words = rng.sample(WORDS, 2)
    drawn = [kind(rng, words) for kind in rng.sample(KINDS, level)]
    rules = (Rule(id="keywords:existence", kwargs={"keywords": words}), *(one.rule for one in drawn))
    first = f"Write a short text in English that contains the words {words[0]} and {words[1]}."
    return Problem(
        id="",
        domain=Domain.INSTRUCT,
        prompt=" ".join([first, *(one.sentence for one in drawn)]),
        rules=rules,
        skill="instruct/constraints",
        level=level,
    )


def _constraint(sentence: str, name: str, **kwargs: object) -> Constraint:
    return Constraint(sentence=sentence, rule=Rule(id=name, kwargs=kwargs))


def _frequency(rng: random.Random, words: Words) -> Constraint:
    count = rng.randint(3, 7)
    told = f"Use the word {words[0]} at least {count} times."
    return _constraint(told, "keywords:frequency", keyword=words[0], frequency=count, relation="at least")


def _forbidden(rng: random.Random, words: Words) -> Constraint:
    avoided = rng.sample(FORBIDDEN, 4)
    told = f"Do not use any of the words {', '.join(avoided)}."
    return _constraint(told, "keywords:forbidden_words", forbidden_words=avoided)


def _rare_letter(rng: random.Random, words: Words) -> Constraint:
    letter, count = rng.choice(RARE), rng.randint(4, 9)
    told = f"The letter {letter} must occur at least {count} times."
    return _constraint(
        told, "keywords:letter_frequency", letter=letter, let_frequency=count, let_relation="at least"
    )  # fmt: skip


def _length(rng: random.Random, words: Words) -> Constraint:
    fewest = rng.randint(80, 150)
    told = f"The whole text must have between {fewest} and {fewest + 5} words."
    return _constraint(told, "count:word_count_range", min_words=fewest, max_words=fewest + 5)


def _different(rng: random.Random, words: Words) -> Constraint:
    count = rng.randint(30, 60)
    return _constraint(f"Use at least {count} different words.", "count:unique_word_count", N=count)


def _paragraphs(rng: random.Random, words: Words) -> Constraint:
    count = rng.randint(2, 5)
    told = f"Write exactly {count} paragraphs and put a line of three asterisks, ***, between one and the next."
    return _constraint(told, "length_constraints:number_paragraphs", num_paragraphs=count)


def _bullets(rng: random.Random, words: Words) -> Constraint:
    count = rng.randint(2, 6)
    told = f"The text must have exactly {count} bullet points, each a line that begins with an asterisk and a blank."
    return _constraint(told, "detectable_format:number_bullet_lists", num_bullets=count)


def _highlights(rng: random.Random, words: Words) -> Constraint:
    count = rng.randint(2, 5)
    told = f"Highlight at least {count} parts by asterisks around them, such as *highlighted part*."
    return _constraint(told, "detectable_format:number_highlighted_sections", num_highlights=count)


def _placeholders(rng: random.Random, words: Words) -> Constraint:
    count = rng.randint(2, 6)
    told = f"Use at least {count} placeholders in square brackets, such as [name]."
    return _constraint(told, "detectable_content:number_placeholders", num_placeholders=count)


def _numbers(rng: random.Random, words: Words) -> Constraint:
    count = rng.randint(2, 8)
    return _constraint(f"Include exactly {count} numbers, written in digits.", "count:numbers", N=count)


def _capitals(rng: random.Random, words: Words) -> Constraint:
    count = rng.randint(3, 9)
    told = f"At least {count} words must be in capital letters throughout."
    return _constraint(
        told, "change_case:capital_word_frequency", capital_frequency=count, capital_relation="at least"
    )  # fmt: skip


def _postscript(rng: random.Random, words: Words) -> Constraint:
    told = "Near the end, add a postscript that starts with P.S."
    return _constraint(told, "detectable_content:postscript", postscript_marker="P.S.")


def _title(rng: random.Random, words: Words) -> Constraint:
    told = "Give the text a title in double angular brackets, such as <<a title>>."
    return _constraint(told, "detectable_format:title")


def _no_comma(rng: random.Random, words: Words) -> Constraint:
    return _constraint("Do not use any commas.", "punctuation:no_comma")


def _ending(rng: random.Random, words: Words) -> Constraint:
    phrase = rng.choice(ENDINGS)
    told = f"The last words of the text must be exactly: {phrase}; nothing may follow them, not even a full stop."
    return _constraint(told, "startend:end_checker", end_phrase=phrase)


def _quotation(rng: random.Random, words: Words) -> Constraint:
    told = "Wrap the whole of your answer in double quotation marks, which do not count as part of the text."
    return _constraint(told, "startend:quotation")


def _brackets(rng: random.Random, words: Words) -> Constraint:
    told = "Somewhere, nest brackets of the kinds (), [] and {} five deep, properly closed."
    return _constraint(told, "format:parentheses")


KINDS: tuple[Callable[[random.Random, Words], Constraint], ...] = (
    _frequency, _forbidden, _rare_letter, _length, _different, _paragraphs, _bullets, _highlights, _placeholders,
    _numbers, _capitals, _postscript, _title, _no_comma, _ending, _quotation, _brackets,
)  # fmt: skip
