"""Instructions that open-instruct's data sets name as a ground truth, as columns of IFEval: (ids, kwargs).

    IF_multi_constraints   [{"instruction_id": [...], "kwargs": [None, {...}]}], a Python literal or JSON
    verl                   {"instruction_id_list": [...], "kwargs": [...]}
    RLVR-IFeval            {"func_name": "validate_lowercase", "N": null, ...}, JSON: one function for each of IFEval's

A function that asks for exactly or about so many becomes two rules, which bound the number from both sides. "About" is
what the function takes for it: a tenth, of sentences one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.problems.syntax import literal
from etalon.rows.bad import shown

Named = tuple[str, dict[str, Any]]  # a rule's id and its kwargs
MARKS = ("instruction_id", "instruction_id_list", "func_name")
CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")  # those that IFEval's rule knows
ABOUT = 0.1  # of words: the share that "around" leaves, in open-instruct's functions

# function -> rule, and the function's argument -> the rule's
PLAIN: Mapping[str, tuple[str, dict[str, str]]] = {
    "verify_keywords": ("keywords:existence", {"keyword_list": "keywords"}),
    "validate_forbidden_words": ("keywords:forbidden_words", {"forbidden_words": "forbidden_words"}),
    "validate_response_language": ("language:response_language", {"language": "language"}),
    "verify_paragraph_count": ("length_constraints:number_paragraphs", {"N": "num_paragraphs"}),
    "validate_paragraphs": (
        "length_constraints:nth_paragraph_first_word",
        {"N": "num_paragraphs", "i": "nth_paragraph", "first_word": "first_word"},
    ),
    "verify_postscript": ("detectable_content:postscript", {"postscript_marker": "postscript_marker"}),
    "validate_placeholders": ("detectable_content:number_placeholders", {"N": "num_placeholders"}),
    "verify_bullet_points": ("detectable_format:number_bullet_lists", {"N": "num_bullets"}),
    "validate_title": ("detectable_format:title", {}),
    "validate_highlighted_sections": ("detectable_format:number_highlighted_sections", {"N": "num_highlights"}),
    "validate_sections": (
        "detectable_format:multiple_sections",
        {"section_splitter": "section_spliter", "N": "num_sections"},
    ),
    "validate_json_format": ("detectable_format:json_format", {}),
    "validate_repeat_prompt": ("combination:repeat_prompt", {"original_prompt": "prompt_to_repeat"}),
    "validate_two_responses": ("combination:two_responses", {}),
    "validate_uppercase": ("change_case:english_capital", {}),
    "validate_lowercase": ("change_case:english_lowercase", {}),
    "validate_end": ("startend:end_checker", {"end_phrase": "end_phrase"}),
    "validate_quotation": ("startend:quotation", {}),
    "validate_no_commas": ("punctuation:no_comma", {}),
}
# function -> rule, the names of its number and of its relation, and of what is counted
COUNTED: Mapping[str, tuple[str, str, str, tuple[str, str] | None]] = {
    "verify_keyword_frequency": ("keywords:frequency", "frequency", "relation", ("word", "keyword")),
    "verify_letter_frequency": ("keywords:letter_frequency", "let_frequency", "let_relation", ("letter", "letter")),
    "validate_word_constraint": ("length_constraints:number_words", "num_words", "relation", None),
    "verify_sentence_constraint": ("length_constraints:number_sentences", "num_sentences", "relation", None),
    "validate_frequency_capital_words": (
        "change_case:capital_word_frequency", "capital_frequency", "capital_relation", None,
    ),
}  # fmt: skip
EXACT = ("verify_keyword_frequency", "verify_letter_frequency")


def names_constraints(truth: Any) -> bool:
    """Whether a ground truth may be instructions: text that says so, or objects that have them."""
    if isinstance(truth, str):
        return any(mark in truth[:200] for mark in MARKS)
    first = truth[0] if isinstance(truth, list) and truth else truth
    if isinstance(first, str):
        return any(mark in first[:200] for mark in MARKS)
    return isinstance(first, Mapping) and any(mark in first for mark in MARKS)


def constraints_in(truth: Any) -> tuple[list[str], list[Any]] | None:
    """The ids and the kwargs of the instructions of a ground truth, None where it names none.

    Raises InputError for a function that no rule stands for, and for one that lacks an argument.
    """
    if not names_constraints(truth):
        return None
    told = _read(truth)
    objects = [_read(one) for one in (told if isinstance(told, list) else [told])]
    ids: list[str] = []
    kwargs: list[Any] = []
    for one in objects:
        if not isinstance(one, Mapping):
            return None
        if isinstance(name := one.get("func_name"), str):
            try:
                rules = rules_of(name, one)
            except InputError as error:
                raise InputError(f"ground_truth: found {shown(truth)}; {error}") from None
            ids += [rule for rule, _ in rules]
            kwargs += [arguments for _, arguments in rules]
            continue
        named = _listed(one.get("instruction_id") or one.get("instruction_id_list"))
        given = _listed(one.get("kwargs"))
        if given and len(given) != len(named):
            return None
        ids += named
        kwargs += given or [None] * len(named)
    return (ids, kwargs) if ids else None


def rules_of(function: str, arguments: Mapping[str, Any]) -> list[Named]:
    """The rules that one of open-instruct's functions stands for."""
    if function == "validate_choice":
        return [_choice(arguments.get("options"))]
    if function in PLAIN:
        rule, names = PLAIN[function]
        return [(rule, {own: _given(function, arguments, name) for name, own in names.items()})]
    if function not in COUNTED:
        raise InputError(f"func_name: found {shown(function)}, which no rule stands for")
    rule, number, relation, counted = COUNTED[function]
    fixed = {counted[1]: _given(function, arguments, counted[0])} if counted else {}
    asked = "exactly" if function in EXACT else _given(function, arguments, "quantifier")
    bounds = _bounds(function, asked, _given(function, arguments, "N"))
    return [(rule, {**fixed, number: bound, relation: name}) for name, bound in bounds]


def _bounds(function: str, quantifier: Any, number: Any) -> list[tuple[str, int]]:
    if not isinstance(number, int | float) or isinstance(number, bool) or number != int(number):
        raise InputError(f"{function}: N: found {shown(number)}, expected a whole number")
    count = int(number)
    if quantifier in ("at least", "at most", "less than"):
        return [(quantifier, count)]
    if quantifier == "exactly":
        return [("at least", count), ("at most", count)]
    if quantifier in ("around", "about"):
        slack = 1 if function == "verify_sentence_constraint" else max(round(count * ABOUT), 1)
        return [("at least", max(count - slack, 0)), ("at most", count + slack)]
    raise InputError(f"{function}: quantifier: found {shown(quantifier)}, expected at least, at most, around")


def _choice(options: Any) -> Named:
    listed = _read(options) if isinstance(options, str) else options
    if isinstance(listed, list | tuple) and {str(one).strip() for one in listed} == set(CHOICES):
        return "detectable_format:constrained_response", {}
    raise InputError(f"validate_choice: found {shown(options)}; the rule knows {', '.join(CHOICES)}")


def _given(function: str, arguments: Mapping[str, Any], name: str) -> Any:
    value = arguments.get(name)
    if value is None:
        raise InputError(f"{function}: {name}: missing")
    return value


def _read(value: Any) -> Any:
    """JSON or a Python literal in text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return literal(value)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str) and value.startswith("["):
        value = _read(value)
    return value if isinstance(value, list) else [] if value is None else [value]
