"""Tasks under formatting rules that a program checks, as rows of IFEval: {key, prompt, instruction_id_list, kwargs}.

    a task about a topic + one to three rules that go together, each said in words

The ids and arguments are IFEval's, so its verifiers decide. Tasks, topics and wordings are ours: none is a prompt of
IFEval or IFBench.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from etalon.problems.made import Row, different
from etalon.store import stable_hash

MAX_RULES = 3
SOURCE = "made-rules"
TOPICS = (
    "a rainy afternoon", "learning to swim", "the first day at a new school", "a lost umbrella", "bread", "bicycles",
    "a garden in winter", "the sea", "old maps", "a birthday party", "trains", "a small village", "honey bees",
    "the night sky", "a visit to a museum", "football", "a talking cat", "tea", "moving to another city", "mountains",
    "a broken clock", "the library", "cooking for friends", "a long walk", "snow", "a secret door", "markets",
    "a lighthouse", "good neighbours", "the piano", "bridges", "a camping trip", "paper boats", "the desert",
    "a busy kitchen", "owls",
)  # fmt: skip
TASKS = (
    "Write a short note about {topic}.", "Describe {topic} for a child.", "Tell a little story about {topic}.",
    "Explain why people like {topic}.", "Write a few lines about {topic}.",
    "Write a message to a friend about {topic}.", "Give your thoughts on {topic}.",
    "Write an advertisement about {topic}.", "Write a diary entry about {topic}.",
)  # fmt: skip
WORDS = (
    "bright", "quiet", "morning", "travel", "river", "promise", "window", "laugh", "colour", "simple", "garden",
    "music", "friend", "early", "summer", "letter", "gentle", "market", "story", "winter",
)  # fmt: skip
ENDINGS = ("That is all.", "Thank you for reading.", "And so it ends.", "See you soon.", "What do you think?")
Told = tuple[str, str, dict[str, Any]]  # the rule in words, its id, its kwargs


def tasks(count: int, *, seed: int, rules: tuple[int, int] = (1, MAX_RULES)) -> Iterator[Row]:
    """Rows with different prompts under `rules` (fewest, most) rules."""

    def draw(rng: random.Random) -> Row:
        return task(rng, rng.randint(*rules))

    rows = different(draw, key="prompt", seed=seed, count=count)
    return ({"key": f"made-{stable_hash(row['prompt'])[:12]}", **row} for row in rows)


def task(rng: random.Random, count: int) -> Row:
    """One task under so many rules."""
    told = [RULES[name](rng) for name in _compatible(rng, count)]
    prompt = " ".join([rng.choice(TASKS).format(topic=rng.choice(TOPICS)), *(words for words, _, _ in told)])
    return {
        "prompt": prompt,
        "instruction_id_list": [name for _, name, _ in told],
        "kwargs": [arguments for _, _, arguments in told],
        "source": SOURCE,
    }


def _compatible(rng: random.Random, count: int) -> list[str]:
    """Names of so many rules, no two of one group: what a group is about can be asked for once."""
    chosen: list[str] = []
    for name in rng.sample(sorted(RULES), len(RULES)):
        if len(chosen) < count and not any({name, other} <= group for group in GROUPS for other in chosen):
            chosen.append(name)
    return chosen


def _at_least_words(rng: random.Random) -> Told:
    n = rng.choice((20, 30, 40, 50))
    words = rng.choice((f"Use at least {n} words.", f"Your text needs {n} words or more."))
    return words, "length_constraints:number_words", {"num_words": n, "relation": "at least"}


def _fewer_words(rng: random.Random) -> Told:
    n = rng.choice((15, 25, 40, 60))
    words = rng.choice((f"Use fewer than {n} words.", f"Stay under {n} words."))
    return words, "length_constraints:number_words", {"num_words": n, "relation": "less than"}


def _fewer_sentences(rng: random.Random) -> Told:
    n = rng.choice((3, 4, 5))
    words = f"Write fewer than {n} sentences."
    return words, "length_constraints:number_sentences", {"num_sentences": n, "relation": "less than"}


def _bullets(rng: random.Random) -> Told:
    n = rng.choice((2, 3, 4))
    words = rng.choice((
        f"Answer with exactly {n} bullet points, each beginning with an asterisk (*).",
        f"Give it as a list of exactly {n} items in markdown, each after a star: * like this.",
    ))  # fmt: skip
    return words, "detectable_format:number_bullet_lists", {"num_bullets": n}


def _highlights(rng: random.Random) -> Told:
    n = rng.choice((1, 2, 3))
    words = f"Highlight at least {n} {'part' if n == 1 else 'parts'} with asterisks, like *this*."
    return words, "detectable_format:number_highlighted_sections", {"num_highlights": n}


def _placeholders(rng: random.Random) -> Told:
    n = rng.choice((1, 2, 3))
    words = f"Leave at least {n} {'blank' if n == 1 else 'blanks'} in square brackets, such as [name]."
    return words, "detectable_content:number_placeholders", {"num_placeholders": n}


def _keywords(rng: random.Random) -> Told:
    chosen = rng.sample(WORDS, rng.choice((1, 2)))
    words = f"Use the {'word' if len(chosen) == 1 else 'words'} {' and '.join(chosen)}."
    return words, "keywords:existence", {"keywords": chosen}


def _forbidden(rng: random.Random) -> Told:
    chosen = rng.sample(WORDS, rng.choice((1, 2)))
    words = f"Do not use the {'word' if len(chosen) == 1 else 'words'} {' or '.join(chosen)}."
    return words, "keywords:forbidden_words", {"forbidden_words": chosen}


def _repeated(rng: random.Random) -> Told:
    word, n = rng.choice(WORDS), rng.choice((2, 3))
    arguments = {"keyword": word, "frequency": n, "relation": "at least"}
    return f"The word {word} should appear at least {n} times.", "keywords:frequency", arguments


def _ending(rng: random.Random) -> Told:
    phrase = rng.choice(ENDINGS)
    words = f"Finish with exactly these words and nothing after them: {phrase}"
    return words, "startend:end_checker", {"end_phrase": phrase}


def _postscript(rng: random.Random) -> Told:
    return "At the end, add a postscript that begins with P.S.", "detectable_content:postscript", {
        "postscript_marker": "P.S."
    }  # fmt: skip


def _fixed(*wordings: str, name: str) -> Callable[[random.Random], Told]:
    def rule(rng: random.Random) -> Told:
        return rng.choice(wordings), name, {}

    return rule


RULES: dict[str, Callable[[random.Random], Told]] = {
    "at least words": _at_least_words,
    "fewer words": _fewer_words,
    "fewer sentences": _fewer_sentences,
    "bullets": _bullets,
    "highlights": _highlights,
    "placeholders": _placeholders,
    "keywords": _keywords,
    "forbidden": _forbidden,
    "repeated": _repeated,
    "ending": _ending,
    "postscript": _postscript,
    "title": _fixed(
        "Give it a title in double angle brackets, like <<title>>.", "Put a title above it, written <<like this>>.",
        name="detectable_format:title",
    ),
    "quotes": _fixed(
        "Put your whole answer in double quotation marks.", "Begin and end your answer with a double quotation mark.",
        name="startend:quotation",
    ),
    "capitals": _fixed(
        "Write in capital letters only.", "Every letter should be a capital one.", name="change_case:english_capital"
    ),
    "lowercase": _fixed(
        "Use only lowercase letters.", "Write without any capital letter.", name="change_case:english_lowercase"
    ),
    "no commas": _fixed("Do not use any commas.", "Leave out all commas.", name="punctuation:no_comma"),
}  # fmt: skip
GROUPS: tuple[frozenset[str], ...] = (
    frozenset({"at least words", "fewer words", "fewer sentences"}),
    frozenset({"capitals", "lowercase", "ending", "postscript"}),
    frozenset({"quotes", "ending", "postscript", "title", "bullets"}),
    frozenset({"bullets", "fewer words", "fewer sentences", "highlights"}),
    frozenset({"keywords", "forbidden", "repeated"}),
    frozenset({"capitals", "keywords", "repeated", "forbidden"}),
)
