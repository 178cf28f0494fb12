"""What a data set adds to a programming problem for a model of its own: how to answer, and where the starter code is.

    You are an expert Python programmer. You will be given a question ... passes all tests.     before the question
    Generate an executable Python function generated from the given prompt. ...
    ### Format: Read the inputs from stdin ... ```python # YOUR CODE HERE ```                   behind it
    Write Python code to solve the problem. Present the code in ```python Your code ``` at the end.
    You will use the following starter code ...: ```python class Solution: ... ```              the code is kept

What the question itself says stays: only these sentences go, and those that lead to a block with nothing in it but
"your code here".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from etalon.problems.formats.foreign.questions import without_frame

_SPECIFICATION = (
    r"(?:### Instruction:\s*)?(?:You are an expert (?:Python |competitive )?programmer\.\s*)?"
    r"You will be given a question \(problem specification\) and will generate a correct Python program that matches "
    r"the specification and passes all tests\.(?:\s*You will NOT return anything except for the program\.?)?"
    r"(?:\s*(?:Below is the question:|(?:#+ ?)?Question:))?"
)
_HEADING = r"(?:#+ ?(?:Format|Instruction):?\s*)?"
_MODULES = r"(?:\s*(?:Also, remember|Remember) to import any missing modules(?: in the code)?\.?)?"
_STDIN = (
    _HEADING + r"Read the inputs? from stdin,? solve the problem,? and write the answer to stdout"
    r"(?: \(do not directly test on the sample inputs\))?\.\s*"
    r"(?:Enclose your code within (?:```python )?delimiters(?: as follows)?[.:]?)?"
    r"(?:\s*Ensure that when the python program runs, it reads the inputs, runs the algorithm and writes output to "
    r"STDOUT\.?)?" + _MODULES
)
BEFORE = (
    _SPECIFICATION,
    r"Generate an executable Python function generated from the given prompt\.\s*"
    r"(?:The function should take stdin as input and print the output\.\s*)?(?:Simply call the function after the "
    r"definition\.|Return the function body without invoking it at the final solution\.)?",
    r"(?:Please )?[Ss]olve the following (?:coding|programming) problem (?:using the programming language|in) "
    r"(?:[Pp]ython ?3?|cpp|C\+\+)[:.]",
    r"(?:Please )?[Ss]olve the programming task below (?:in a Python markdown code block|using a self-contained code "
    r"snippet in a markdown code block|in Python\.\s*Code should (?:be )?wrapped in a markdown code block)\.",
    r"Write a complete, self-contained Python solution to the following problem\.\s*"
    r"(?:Your solution must include all necessary imports and the full function definition including the signature "
    r"exactly as specified\.)?\s*(?:Do not modify the function signature or docstring\.)?",
    r"Please provide an? (?:efficient and )?self-contained Python script that solves the following problem in a "
    r"markdown code block:",
    r"You will be given a competitive programming problem\.",  # codeforces-cots
    r"Analyze the maximum input constraints and identify the optimal algorithmic approach [^.]{0,300}\.",
    r"Please reason step by step about your solution approach, then provide a complete implementation in [^.]{0,120}\.",
    r"Your solution must read input from standard input[^.]{0,20}, write output to standard output[^.]{0,20}\.",
    r"Do not include any debug prints or additional output\.",
    r"#+ Problem\n",
    r"Write a solution for the following programming challenge\.",
    r"Provide a brief explanation of your approach, followed by the complete code\.",
)
BEHIND = (
    _HEADING
    + r"Implement a function called `main\(\)` which orchastrates the solution by reading inputs from stdin and "
    r"writing the answer to stdout\.(?:\s*Feel free to use additional functions as necessary\.)?"
    r"(?:\s*Next do NOT forget to call `main` function at the end of the program otherwise you will not be "
    r"awarded any points\.)?",
    _STDIN,
    r"(?:#+ ?(?:Answer|Response):)(?:\s*\(use the provided format with backticks\))?",
    r"(?:You need to think first then write the Python code\.)",
    r"Now solve the problem (?:and return|by providing) the code\.",
    r"The input will be (?:given )?(?:via |in |from |by )?stdin,? and "
    r"(?:you should print your solution|the output should be printed) to stdout(?: by your code)?\.?",
    r"Write Python code to solve the problem\.",
    r"(?:Your|The) code should be (?:wrapped|enclosed) in a (?:python )?markdown code block\.",
    r"Please do not include the test cases in your solution\.",
    r"(?:Also, r|R)emember to import any missing modules(?: in the code)?\.",
    r"Please provide an? (?:efficient and )?self-contained Python script that solves the above problem in a "
    r"markdown code block[.:]",
)
AMID = r"Your solution should be a complete, self-contained function in a markdown code block\.\s*"
STARTER = (
    _HEADING + r"You will use the following starter code to write the solution to the problem and enclose your code "
    r"within (?:```(?:python)? )?delimiters\.?" + _MODULES + r"\s*```(?:python)?[ ]*\n(.*?)```"
)


def _compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """The pattern with a bound to blanks, so that a text of nothing else takes no quadratic time."""
    return re.compile(pattern.replace(r"\s*", r"\s{0,9}"), flags)


_BEFORE = _compiled("|".join(BEFORE))
_BEHIND = _compiled("(?:" + "|".join(BEHIND) + r")\Z")
_AMID = _compiled(AMID)
_STARTER = _compiled(STARTER, re.DOTALL)
_PLACE = _compiled(  # for code, empty but for a word that says so
    r"```(?:python3?|py|cpp|c\+\+)?\s*(?:(?:#|//)\s*)?[<\[(]?\s*(?:(?:write|put|insert|place|enter) )?your "
    r"(?:code|solution|program|answer)(?: goes)?(?: here)?\s*[>\])]?[.…]*\s*```(?:\s*at the end\b\.?)?",
    re.IGNORECASE,
)
_HOW = re.compile(  # a sentence that leads to such a place
    r"\b(?:write|present|provide|put|place|enclose|wrap|return|output|give|format|use|ensure|respond|follow|answer)\b"
    r".*(?:\b(?:code|program|solution|delimiters|block|format|answer)\b"
    r"|(?:\b(?:in|with|within|as|like|follows|below|this)|:)[\s.:]*\Z)|^#+ ?(?:format|answer|instruction)\b",
    re.IGNORECASE | re.DOTALL,
)
_SENTENCE = re.compile(r"(?<=[.!?])[ \t]+|\n+")
MOST_PLACES = 4  # (ours) for code, in one text
LONGEST = 2000  # (ours) characters of a foreign sentence


@dataclass(frozen=True, kw_only=True)
class Task:
    """A question without foreign words, and the starter code that stood among them, "" where none did."""

    question: str
    starter: str = ""


def task_in(text: str) -> Task:
    """The question in a text of a data set, as it was before somebody said how to answer it."""
    starter = ""
    if found := _STARTER.search(text):
        starter = found[1].rstrip()
        text = f"{text[: found.start()].rstrip()}\n\n{text[found.end() :].lstrip()}"
    for _ in range(MOST_PLACES):
        if not (found := _PLACE.search(text)):
            break
        text = f"{_without_lead(text[: found.start()])}\n\n{text[found.end() :].lstrip()}"
    text = _AMID.sub("", text).strip()
    while found := _BEFORE.match(text):
        text = text[found.end() :].lstrip()
    return Task(question=without_frame(_without_end(text)), starter=starter)


def asks_for_code(text: str) -> bool:
    """Whether a question says, in a data set's own words, that a program is the answer."""
    return _BEFORE.match(text.lstrip()) is not None or _PLACE.search(text) is not None


def _without_lead(text: str) -> str:
    """A text without the sentence at its end that leads to a place for code, and what is foreign before it."""
    ends = list(_SENTENCE.finditer(text.rstrip()))
    start = ends[-1].end() if ends else 0
    return _without_end(text[:start] if _HOW.search(text[max(start, len(text) - LONGEST) :]) else text)


def _without_end(text: str) -> str:
    text = text.rstrip()
    while found := _BEHIND.search(text, max(len(text) - LONGEST, 0)):
        text = text[: found.start()].rstrip()
    return text
