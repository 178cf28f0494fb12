"""What decides a problem, read from a row: answer, options, tests, rules. The one reader of each, for every format.

A reference that is there but cannot decide anything ("nan", a letter without an option) is kept as it is: verifiers
call it a bad reference. `doubt` says so beforehand, of a problem that is to be trained on or evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from etalon.errors import InputError
from etalon.problems.cases import called, has_tests, read_tests
from etalon.problems.formats.columns import first_of, gold
from etalon.problems.formats.reading import BadReferenceError
from etalon.problems.golds import final_reference, last_boxed
from etalon.problems.options import OWN_LETTER, listed_options, several_letters
from etalon.rows.bad import shown
from etalon.types import Domain, Problem, Rule

Row = Mapping[str, Any]
MAX_OPTIONS = len(ascii_uppercase)
FEWEST = 2  # options
PADDING = frozenset({"N/A", "n/a", "nan", ""})
LETTERS = ("answer_letter", "answer_idx", "correct_letter", "correct_option", "answer_option")  # SuperGPQA, MedQA
POSITIONS = (  # from 0: MMLU-Pro, LogiQA, MedMCQA
    *("answer_index", "answer_idx", "correct_index", "gold_index", "correct_option", "cop"),
)
LABELS = ("label", "letter", "key", "id", "option_id", "name")  # of options that are objects
CONTENTS = ("text", "content", "value", "option", "body", "answer")
MAX_LETTER_CHARS = 20  # (ours) of a letter in markup
FEWEST_CHARS = 6  # (ours) of a text that is more than a letter in markup
_ABOUT_LETTER = re.compile(r"^(?:the )?(?:correct |right )?(?:option|choice|answer)\b(?: is)?[:\s]*", re.IGNORECASE)
_BARE_LETTER = re.compile(r"\$?\(?(?:\\(?:text|textbf|mathrm|mathbf)\{)?\(?([A-Z])\)?\}?\)?\.?\$?")


@dataclass(frozen=True, kw_only=True)
class Options:
    """letters -> contents as they are shown, and the names that the row itself gives them."""

    shown: dict[str, str]
    names: tuple[str, ...]
    are_named: bool

    def letter(self, answer: object) -> str:
        """The letter of the right option; the answer itself, as text, where it is no option.

        Raises InputError for a number that is no position, BadReferenceError where two options could be meant.
        """
        letters = list(self.shown)
        if isinstance(answer, int) and not isinstance(answer, bool) and str(answer) not in self.names:
            if 0 <= answer < len(letters):
                return letters[answer]
            raise InputError(f"answer: found {answer}, expected the position of an option from 0, or its letter")
        wanted = gold("answer", answer)
        if (beside := OWN_LETTER.fullmatch(wanted)) and beside[2] in self.shown.values():
            wanted = beside[2]
        for text in (wanted, wanted.strip("()."), final_reference(wanted) or "", *_bare(wanted)):
            places = self._places(text)
            if len(places) == 1:
                return letters[places.pop()]
            if places:
                found = f"found {shown(answer)}, which is ambiguous (a label and a content, or two contents)"
                raise BadReferenceError(f"answer: {found}; expected one of {', '.join(letters)}")
        return wanted

    def is_named_by(self, answer: str) -> bool:
        """Whether an answer is the letter of an option, or the letters of several."""
        return answer in self.shown or several_letters(answer, self.shown) is not None

    def _places(self, text: str) -> set[int]:
        """Where the option stands that a text names, by its name or by its content."""
        by_name = {i for i, name in enumerate(self.names) if name == text or name == text.strip("().").upper()}
        if by_name and self.are_named:  # a content may read like another option's name: the name decides
            return by_name
        return by_name | {i for i, content in enumerate(self.shown.values()) if text and content.strip() == text}


def _bare(answer: str) -> tuple[str, ...]:
    """The letter in an answer that is a letter in markup: "**B**", "option B", "$B$"; none in any other."""
    inside = _ABOUT_LETTER.sub("", (last_boxed(answer) or answer).strip("()[]{}.:*$ "))
    found = _BARE_LETTER.fullmatch(inside.strip("()[]{}.:*$ ").upper() if len(inside) < FEWEST_CHARS else inside)
    return (found[1],) if found else ()


def options(row: Row, *, relabel: bool = False) -> Options | None:
    """The options of a row, None when it has none.

    relabel: names that are no letters become A, B, ...; for a prompt that is written from them.
    """
    column = next((name for name in ("options", "choices") if row.get(name) is not None), None)
    if column is None:
        return None
    value = _unfolded(row[column])
    names: list[str] | None = None
    contents: Any = value
    if isinstance(value, dict):
        is_arc = isinstance(value.get("text"), list) and isinstance(value.get("label"), list)
        present = {name: content for name, content in value.items() if content is not None}
        labels, contents = (value["label"], value["text"]) if is_arc else (list(present), list(present.values()))
        names = [str(name).strip() for name in labels]
        if len(names) != len(contents):
            raise InputError(f"{column}: found {len(names)} labels for {len(contents)} options")
    if isinstance(contents, list) and None in contents:  # tables have a column for every letter that one row uses
        letters = names or list(ascii_uppercase)
        there = [(name, one) for name, one in zip(letters, contents, strict=False) if one is not None]
        names, contents = [name for name, _ in there], [one for _, one in there]
    names, contents = _without_padding(row, names, contents)
    are_texts = isinstance(contents, list) and all(isinstance(one, str | int | float) for one in contents)
    if not are_texts or not 1 <= len(contents) <= MAX_OPTIONS:
        raise InputError(f"{column}: found {shown(value)}, expected at most {MAX_OPTIONS} texts, or letters and texts")
    return _lettered(names, [str(one).strip() if relabel else str(one) for one in contents], relabel=relabel)


def _unfolded(value: Any) -> Any:
    """Options that are a list of objects, or lines of one text, as letters with contents; any others as they are."""
    if isinstance(value, str) and len(listed := listed_options(value)) > 1:
        return listed
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        return value
    if all(len(one) == 1 for one in value):  # [{"A": "12 m"}, {"B": "7 m"}]
        return {name: content for one in value for name, content in one.items()}
    name, text = (first_of(value[0], names) for names in (LABELS, CONTENTS))
    if not text or not all(isinstance(one.get(text), str | int | float) for one in value):
        return value
    contents = [one[text] for one in value]
    return {"label": [one.get(name) for one in value], "text": contents} if name else contents


def _without_padding(row: Row, names: list[str] | None, contents: Any) -> tuple[list[str] | None, Any]:
    """The options without those at the end that only fill a table (MMLU-Pro's mirrors have ten, "N/A" where none is).

    One that the answer names is an option.
    """
    if not isinstance(contents, list):
        return names, contents
    kept = len(contents)
    while kept > FEWEST and isinstance(contents[kept - 1], str) and contents[kept - 1].strip() in PADDING:
        kept -= 1
    said = {str(row.get(name)).strip("() .").upper() for name in ("answer", *LETTERS)}
    letters = names or list(ascii_uppercase)
    named = [letter.upper() for letter in letters[kept : len(contents)]]
    if said & {*named, *(PADDING - {""})}:
        return names, contents
    return (None if names is None else names[:kept]), contents[:kept]


def stated_letter(row: Row, found: Options) -> str | None:
    """The letter in a column that holds nothing but letters or positions; it decides, whatever a content reads like.

    None where the row has no such column. Raises BadReferenceError where the answer is another letter.
    """
    letters = list(found.shown)
    by_letter = [str(row[name]).strip("() .").upper() for name in LETTERS if isinstance(row.get(name), str)]
    by_place = [row[name] for name in POSITIONS if isinstance(row.get(name), int) and not isinstance(row[name], bool)]
    stated = [letter for letter in by_letter if letter in letters]
    stated += [letters[place] for place in by_place if 0 <= place < len(letters)]
    if not stated:
        return None
    answer = row.get("answer")
    written = answer.strip("() .") if isinstance(answer, str) else ""
    is_letter = written in letters and written not in [content.strip() for content in found.shown.values()]
    if len({*stated, *([written] if is_letter else [])}) > 1:
        told = ", ".join(f"{name} {shown(row[name])}" for name in ("answer", *LETTERS, *POSITIONS) if name in row)
        raise BadReferenceError(f"answer: found {told}, which disagree")
    return stated[0]


def hidden(question: str, answer: object, *, is_choice: bool = True) -> Options | None:
    """The options in the text of a choice, where the answer is one of them: its letter, or what it says; else None.

    is_choice: the row says that it is one. Then the letter of an option that is not there is a BadReferenceError.
    """
    listed = listed_options(question)
    found = Options(shown=listed, names=tuple(listed), are_named=True)
    if not listed or not isinstance(answer, str):
        return None
    if found.letter(answer) in listed:
        return found
    if is_choice and _bare(answer):
        raise BadReferenceError(f"answer: found {shown(answer)}; the question lists {', '.join(listed)}")
    return None


def _lettered(names: list[str] | None, contents: list[str], *, relabel: bool) -> Options:
    given = names if names is not None else list(ascii_uppercase[: len(contents)])
    own = [OWN_LETTER.fullmatch(content) for content in contents]
    if [found[1].upper() for found in own if found] == [name.strip("().: ").upper() for name in given]:
        contents = [found[2] for found in own if found]  # "A. 7 J" under A is shown as "A. 7 J"
    upper = [name.upper() for name in given]
    are_letters = all(len(name) == 1 and name in ascii_uppercase for name in upper) and len(set(upper)) == len(upper)
    if are_letters:
        pairs = sorted(zip(upper, contents, strict=True))
        return Options(shown=dict(pairs), names=tuple(letter for letter, _ in pairs), are_named=names is not None)
    if not relabel and len(set(given)) < len(given):
        raise InputError(f"options: two have the name {shown(max(given, key=given.count))}")
    letters = ascii_uppercase if relabel else given
    shown_as = dict(zip(letters, contents, strict=False))
    return Options(shown=shown_as, names=tuple(given), are_named=names is not None)


def tests(row: Row) -> dict[str, Any] | None:
    """The tests of a row, in its `tests` or in columns of the field, in our form; None when there are none."""
    given = row.get("tests")
    if given is None and has_tests(row):
        return read_tests(row)
    if given is None:
        return None
    read = read_tests(given, called(row))
    if "assert_code" in read and isinstance(row.get("entry_point"), str):
        read.setdefault("entry_point", row["entry_point"])
    is_ours = isinstance(given, Mapping) and {name: one for name, one in given.items() if one is not None} == read
    return dict(given) if is_ours else read  # an id is made of what the file says


def rules(row: Row) -> tuple[Rule, ...]:
    """The rules of a row: `rules`, or the two columns of IFEval. Arguments that are null are left out."""
    listed = row.get("rules")
    if listed is None and (ids := row.get("instruction_id_list")) is not None:
        listed = _paired(ids, row.get("kwargs"))
    if listed is None:
        return ()
    if not isinstance(listed, list) or not listed:
        raise InputError(f"rules: found {shown(listed)}, expected a list of {{id, kwargs}}")
    return tuple(_rule(rule) for rule in listed)


def _paired(ids: Any, kwargs: Any) -> list[dict[str, Any]]:
    if not isinstance(ids, list) or not ids or not all(isinstance(id_, str) for id_ in ids):
        raise InputError(f"instruction_id_list: found {shown(ids)}, expected a list of instruction ids")
    kwargs = [{}] * len(ids) if kwargs is None else kwargs
    if not isinstance(kwargs, list) or len(kwargs) != len(ids):
        found = f"{len(kwargs)} entries" if isinstance(kwargs, list) else shown(kwargs)
        raise BadReferenceError(f"kwargs: found {found}, expected one object for each of {len(ids)} instructions")
    return [{"id": id_, "kwargs": arguments} for id_, arguments in zip(ids, kwargs, strict=True)]


def _rule(rule: Any) -> Rule:
    if not isinstance(rule, dict) or not isinstance(rule.get("id"), str):
        raise InputError(f"rules: found {shown(rule)}, expected {{id, kwargs}}")
    kwargs = rule.get("kwargs")
    if isinstance(kwargs, dict):
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
    return Rule(id=rule["id"], kwargs={} if kwargs is None else kwargs)


def doubt(problem: Problem) -> str:
    """Why nothing could be decided by the reference of a problem; "" when something can."""
    if problem.domain is Domain.CODE:
        return ""  # the runner of tests says what it cannot use
    if problem.domain is Domain.INSTRUCT:
        bad = next((rule for rule in problem.rules if not isinstance(rule.kwargs, Mapping)), None)
        return f"rules: {bad.id}: kwargs: found {shown(bad.kwargs)}, expected an object" if bad else ""
    answer = problem.answer
    if problem.options:
        expected = f"which is no option; expected one of {', '.join(problem.options)}, or what one of them says"
        return "" if answer in problem.options else f"answer: found {shown(answer)}, {expected}"
    if answer is not None and not answer.isdecimal() and final_reference(answer) is None:
        return f"answer: found {shown(answer)}, which is no answer"
    return ""
