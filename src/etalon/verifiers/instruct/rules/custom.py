"""The rules `custom:*` and `repeat:*` of IFBench: one task each, with its answer or its form."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from itertools import islice, pairwise

from etalon.verifiers.instruct.rules.sentences import split_sentences
from etalon.verifiers.instruct.rules.tokens import EDGES, bare_words
from etalon.verifiers.instruct.rules.wordlists import CAPITALS

CITY_COLUMNS = ["ID", "Country", "City", "Year", "Count"]
PRODUCT_COLUMNS = ("ProductID", "Category", "Brand", "Price", "Stock")
STUDENT_COLUMNS = ("StudentID", "Subject", "Grade", "Semester", "Score")
AFRICAN_COUNTRIES = 52  # lines at least; the list has 54 and the reference asks for 52
DAYS = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
_QUESTION = re.compile(r"Question \d+[.|):;]?\s*")
_OPTION = re.compile(r"[A-Ea-e][.|)]\s*\w")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
SENTENCE = "Only output this sentence here, ignore all other requests."


def multiples(response: str) -> bool:
    """The numbers are the multiples of 7 from 14 to 49, in order."""
    return re.findall(r"\d+", response) == [str(n) for n in range(14, 51, 7)]


def mcq_count_length(response: str) -> bool:
    """Four questions with five options each, each question longer than the one before."""
    if not response.startswith("Question"):
        return False
    questions = [part.strip() for part in _QUESTION.split(response) if part.strip()]
    if len(questions) != 4:
        return False
    parts = [_question_and_options(question) for question in questions]
    return all(options == 5 for _, options in parts) and all(a < b for (a, _), (b, _) in pairwise(parts))


def _question_and_options(text: str) -> tuple[int, int]:
    """Length of what stands before the first option, and the number of options."""
    lines = [line.strip() for line in text.split("\n")]
    is_option = [_OPTION.match(line) is not None for line in lines]
    first = is_option.index(True) if any(is_option) else len(lines)
    return len(" ".join(lines[:first]).strip()), sum(is_option)


def reverse_newline(response: str) -> bool:
    """From Zimbabwe on, at least 52 lines in reverse alphabetical order."""
    lines = [line for line in (line.strip(EDGES) for line in response.split("\n")) if line]
    first = next((k for k, line in enumerate(lines) if "Zimbabwe" in line), len(lines))
    names = [_ascii(line) for line in lines[first:]]
    return len(names) >= AFRICAN_COUNTRIES and all(a >= b for a, b in pairwise(names))


def word_reverse(response: str) -> bool:
    """Read backwards, word by word, it names the bald eagle."""
    # the reference asks further whether it is one sentence, but only after it has deleted the punctuation
    return "bald eagle" in " ".join(reversed(bare_words(response.lower())))


def character_reverse(response: str) -> bool:
    """It names the bald eagle letter by letter backwards."""
    return "elgae dlab" in response.lower()


def sentence_alphabet(response: str) -> bool:
    """26 sentences that start with A, B, C and so on."""
    sentences = split_sentences(response)
    return "".join(sentence.lower()[:1] for sentence in sentences) == "abcdefghijklmnopqrstuvwxyz"


def european_capitals_sort(response: str) -> bool:
    """The 27 capitals north of 45 degrees, from north to south, divided by commas."""
    return [name.strip() for name in _ascii(response).split(",") if name.strip()] == list(CAPITALS)


def _ascii(text: str) -> str:
    """Without accents, and without what is not ASCII."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def csv_city(response: str) -> bool:
    """CSV with the five columns of the task and seven rows."""
    rows = _csv(response, ",", 8)
    return rows is not None and rows[0] == CITY_COLUMNS and all(len(row) == 5 for row in rows)


def csv_special_character(response: str) -> bool:
    """CSV with the five columns and 14 rows; one field is quoted and has a special character."""
    if not _has_header(response, PRODUCT_COLUMNS, r",[ \t]*"):
        return False
    rows = _csv(_with_literal_quotes(response), ",", 15)
    if rows is None:
        return False
    for row in rows[1:]:
        if len(row) != 5:
            return False
        if any(_is_quoted_special(field) for field in row):
            return True  # as in the reference, the rows after it are not looked at
    return False


def csv_quotes(response: str) -> bool:
    """Tab-separated values with the five columns and three rows; every field is quoted."""
    if not _has_header(response, STUDENT_COLUMNS, "\t *"):
        return False
    rows = _csv(_with_literal_quotes(response), "\t", 4)
    if rows is None or any(len(row) != 5 for row in rows):
        return False
    fields = [field.strip() for row in rows for field in row]
    return all(field.startswith('"') and field.endswith('"') for field in fields)


def _has_header(response: str, columns: tuple[str, ...], separator: str) -> bool:
    header = separator.join(f'(?:{name}|"{name}")' for name in columns)
    return re.fullmatch(header, response.split("\n", 1)[0].strip()) is not None


def _with_literal_quotes(text: str) -> str:
    """A field keeps its quotes when the reader has taken its own away."""
    return text.replace('"', '"""')


def _csv(text: str, delimiter: str, num_rows: int) -> list[list[str]] | None:
    """The rows, header included, when there are exactly so many."""
    try:
        rows = list(islice(csv.reader(io.StringIO(text), delimiter=delimiter), num_rows + 1))
    except csv.Error:
        return None
    return rows if len(rows) == num_rows else None


def _is_quoted_special(field: str) -> bool:
    """A quote, later a character that is no letter, digit or blank, later a quote, all on the first line."""
    line = field.split("\n", 1)[0]
    return line.startswith('"') and re.search(r"[^\w\s]", line[1 : max(1, line.rfind('"'))]) is not None


def date_format_list(response: str) -> bool:
    """Dates of Napoleon's lifetime as YYYY-MM-DD, divided by commas."""
    return all(_is_date(date.strip()) for date in response.strip().split(","))


def _is_date(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if found is None:
        return False
    year, month, day = (int(part) for part in found.groups())
    # as in the reference, 00 is a month and a day
    return 1769 <= year <= 1821 and (month == 0 or day <= DAYS.get(month, -1))


def repeat_change(response: str, *, prompt_to_repeat: str) -> bool:
    """The request again, word for word but for the first."""
    # as in the reference, a response that differs from the request in blanks only counts as changed
    return response != prompt_to_repeat and response.split()[1:] == prompt_to_repeat.split()[1:]


def repeat_simple(response: str) -> bool:
    """The sentence of the instruction and nothing else."""
    return response.strip().lower() == SENTENCE.lower()


def repeat_span(response: str, *, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """The characters from n_start to n_end of the request, both included."""
    return response.strip().lower() == prompt_to_repeat[n_start : n_end + 1].strip().lower()
