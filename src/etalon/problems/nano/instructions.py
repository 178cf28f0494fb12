"""Instruction following of the nano world: say a word under 1-3 explicit format constraints.

`lemon: upper; 3 bullets; end ok` asks for the word under IFEval rules that a program checks.
Styles: direct (the text at once), plan (the constraints named first), checked (plan, then the text twice).
"""

from __future__ import annotations

import random
import re

from etalon.types import Criterion, Domain, Problem, Rule

MAX_LEVEL = 3
PATTERN = re.compile(r"^([a-z]+): (.+)$")
STYLES = ("direct", "plan", "checked")
WORDS = (
    "lemon", "river", "stone", "cloud", "tiger", "bread", "piano", "green", "night", "apple", "ocean", "chair",
    "mouse", "storm", "table", "plant", "horse", "light", "spoon", "field", "glass", "honey", "train", "water",
    "snow", "bird", "fire", "wind",
)  # fmt: skip
ENDING = "ok"  # one: which of several the prompt asks for is a look-up this size does not learn
MAX_BULLETS = 3  # exactly so many, where a count of words is a minimum


def constraints(rng: random.Random, level: int) -> list[str]:
    """`level` compatible constraints in random order."""
    shape = rng.choice(["count", "bullets"])
    number = rng.randint(2, 6)
    pool = [
        f"{number} words" if shape == "count" else f"{min(number, MAX_BULLETS)} bullets",
        "upper",
        "ps",
        f"end {ENDING}" if shape == "bullets" or rng.random() < 0.5 else "quotes",
        "title",
    ]
    return rng.sample(pool, level)


def generate(rng: random.Random, level: int) -> Problem:
    """A word and its constraints; the rules carry the ids and kwargs of IFEval."""
    word = rng.choice(WORDS)
    asked = constraints(rng, level)
    prompt = f"{word}: " + "; ".join(asked)
    rules = [Rule(id="keywords:existence", kwargs={"keywords": [word]})]
    rules += [rule(text, word, asked) for text in asked]
    return Problem(
        id=f"instruct-{prompt}",
        domain=Domain.INSTRUCT,
        prompt=prompt,
        rules=tuple(rules),
        skill="instruct/format",
        level=level,
        source="nano",
    )


def num_repeats(asked: list[str]) -> int:
    """How often the word is to be said."""
    return next((int(t.split()[0]) for t in asked if t.endswith((" words", " bullets"))), 1)


def rule(text: str, word: str, asked: list[str]) -> Rule:
    """The IFEval rule behind one constraint."""
    head, _, tail = text.partition(" ")
    if tail == "words":
        return Rule(id="keywords:frequency", kwargs={"keyword": word, "frequency": int(head), "relation": "at least"})
    if tail == "bullets":
        return Rule(id="detectable_format:number_bullet_lists", kwargs={"num_bullets": int(head)})
    if head == "upper":
        capitals = {"capital_frequency": num_repeats(asked), "capital_relation": "at least"}
        return Rule(id="change_case:capital_word_frequency", kwargs=capitals)
    if head == "ps":
        return Rule(id="detectable_content:postscript", kwargs={"postscript_marker": "P.S."})
    if head == "end":
        return Rule(id="startend:end_checker", kwargs={"end_phrase": tail})
    if head == "quotes":
        return Rule(id="startend:quotation")
    assert head == "title", text
    return Rule(id="detectable_format:title")


def write(word: str, asked: list[str]) -> str:
    """A text that satisfies every constraint."""
    named = {text.partition(" ")[0]: text.partition(" ")[2] for text in asked}
    said = word.upper() if "upper" in named else word
    count = num_repeats(asked)
    is_list = any(t.endswith(" bullets") for t in asked)
    text = "\n".join([f"* {said}"] * count) if is_list else " ".join([said] * count)
    if "title" in named:
        text = f"<<{said}>>\n{text}"
    if "ps" in named:
        text += f"\nP.S. {said}"
    if "end" in named:
        text += f" {named['end'].upper() if 'upper' in named else named['end']}"
    return f'"{text}"' if "quotes" in named else text


def respond(prompt: str, style: str, rng: random.Random, *, error: bool) -> str:
    """A text in one style; with `error`, one constraint is forgotten."""
    match = PATTERN.match(prompt)
    assert match is not None
    word, asked = match.group(1), match.group(2).split("; ")
    done = list(asked)
    if error:
        done.remove(rng.choice(done))
    text = write(word, done)
    plan = {"direct": "", "plan": "\n".join(asked), "checked": "\n".join(asked) + "\nagain\n" + text}[style]
    return f"<think>{plan}</think>{text}"


def open_ended(first: str, second: str) -> Problem:
    """An open-ended prompt: no rule decides it, but criteria that a judge can read (2.4)."""
    rubric = (
        Criterion(text=f"The response says the word {first}.", weight=2.0),
        Criterion(text=f"The response says the word {second}.", weight=2.0),
        Criterion(text="The response has at most 6 words."),
        Criterion(text="The response says a word twice.", weight=-1.0),
    )
    return Problem(
        id=f"instruct-open-{first}-{second}", domain=Domain.INSTRUCT, prompt=f"{first}: say it with {second}",
        rubric=rubric, skill="instruct/open", level=1, source="nano",
    )  # fmt: skip
