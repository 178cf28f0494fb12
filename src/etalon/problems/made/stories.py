"""Word problems of one to three steps, as rows of GSM8K: {question, answer}, the answer a solution and "#### 12".

    someone has so many things -> one event a step -> a question about what there is then

One step is of six kinds; some of them tell a number that the question does not ask for, as word problems for children
do. More steps are a chain of events. Every number on the way is a whole one between 0 and LARGEST.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from etalon.problems.made import Row, different

LARGEST = 200
SOURCE = "made-stories"
MAX_STEPS = 3
NAMES = (
    "Ada", "Ben", "Clara", "Dev", "Emma", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Maya", "Noah",
    "Olga", "Pablo", "Rosa", "Sami", "Tara", "Viktor", "Wanda", "Yusuf", "Zoe", "Anton",
)  # fmt: skip
# things that are held, and what they are put into
THINGS = (
    ("apples", "bags"), ("stickers", "albums"), ("marbles", "jars"), ("pencils", "boxes"), ("cookies", "plates"),
    ("shells", "buckets"), ("books", "shelves"), ("coins", "purses"), ("cards", "packs"), ("eggs", "cartons"),
    ("flowers", "vases"), ("stamps", "envelopes"), ("buttons", "tins"), ("peaches", "baskets"), ("balloons", "bundles"),
    ("candles", "crates"), ("photos", "folders"), ("beads", "trays"),
)  # fmt: skip
GAINS = (
    "{name} buys {n} more {things}", "a friend gives {name} {n} {things}", "{name} finds {n} more {things}",
    "{name} gets {n} {things} as a present",
)  # fmt: skip
LOSSES = (
    "{name} gives away {n} {things}", "{name} loses {n} {things}", "{name} sells {n} {things}",
    "{name} lends {n} {things} to a neighbour",
)  # fmt: skip
ASIDES = (
    "{other} is {n} years old.", "The shop is {n} minutes away.", "{other} has {n} pens.",
    "There are {n} chairs in the room.", "It was {n} days ago.", "{other} owns {n} hats.",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Story:
    """A question, the lines of its solution, and the number that answers it. kind: of its step, or "chain"."""

    question: str
    lines: tuple[str, ...]
    answer: int
    kind: str

    def row(self) -> Row:
        """As GSM8K has it, with the number of steps and the kind beside it."""
        solution = "\n".join(self.lines)
        answer = f"{solution}\n#### {self.answer}"
        return {"question": self.question, "answer": answer, "steps": len(self.lines), "kind": self.kind,
                "source": SOURCE}  # fmt: skip


def stories(count: int, *, seed: int, steps: tuple[int, int] = (1, MAX_STEPS)) -> Iterator[Row]:
    """Rows with different questions of `steps` (fewest, most) steps."""

    def draw(rng: random.Random) -> Row:
        return story(rng, rng.randint(*steps)).row()

    return different(draw, key="question", seed=seed, count=count)


def story(rng: random.Random, steps: int) -> Story:
    """One of so many steps."""
    return rng.choice(KINDS)(rng) if steps == 1 else _chain(rng, steps)


def _chain(rng: random.Random, steps: int) -> Story:
    name, (things, _) = rng.choice(NAMES), rng.choice(THINGS)
    value = rng.randint(3, 40)
    told, lines = [f"{name} has {value} {things}."], []
    for place in range(steps):
        sentence, value, line = _event(rng, value, name, things)
        told.append(f"{'Then' if place else 'First'} {sentence}.")
        lines.append(line)
    question = f"{' '.join(told)} How many {things} does {name} have now?"
    return Story(question=question, lines=tuple(lines), answer=value, kind="chain")


def _event(rng: random.Random, value: int, name: str, things: str) -> tuple[str, int, str]:
    """What happens to a number of things: in words, the new number, and the line that works it out."""
    room = LARGEST - value
    possible = {"gain": room >= 2, "loss": value > 2, "double": 0 < value <= LARGEST // 3}
    kind = rng.choice([name for name, can_be in possible.items() if can_be])
    if kind == "double":
        factor, word = rng.choice([(2, "doubles"), (3, "triples")])
        return f"{name} {word} the number of {things}", value * factor, f"{value} * {factor} = {value * factor}"
    if kind == "gain":
        n = rng.randint(2, min(30, room))
        return rng.choice(GAINS).format(name=name, n=n, things=things), value + n, f"{value} + {n} = {value + n}"
    n = rng.randint(1, value - 1)
    return rng.choice(LOSSES).format(name=name, n=n, things=things), value - n, f"{value} - {n} = {value - n}"


def _one(rng: random.Random, told: str, asked: str, line: str, answer: int, kind: str) -> Story:
    """A story of one step, in which now and then a number stands that is not asked for."""
    if rng.random() < 0.3:
        aside = rng.choice(ASIDES).format(other=rng.choice(NAMES), n=rng.randint(2, 60))
        told = f"{told} {aside}" if rng.random() < 0.5 else f"{aside} {told}"
    return Story(question=f"{told} {asked}", lines=(f"{line} = {answer}",), answer=answer, kind=kind)


def _change(rng: random.Random) -> Story:
    name, (things, _) = rng.choice(NAMES), rng.choice(THINGS)
    before = rng.randint(3, 90)
    sentence, after, line = _event(rng, before, name, things)
    asked = f"How many {things} does {name} have now?"
    return _one(rng, f"{name} has {before} {things}. {_upper(sentence)}.", asked, line.split(" = ")[0], after, "change")


def _start(rng: random.Random) -> Story:
    name, (things, _) = rng.choice(NAMES), rng.choice(THINGS)
    before, n = rng.randint(2, 80), rng.randint(2, 60)
    is_gain = rng.random() < 0.5 or n >= before
    after = before + n if is_gain else before - n
    sentence = rng.choice(GAINS if is_gain else LOSSES).format(name=name, n=n, things=things)
    told = f"{_upper(sentence)}. Now {name} has {after} {things}."
    line = f"{after} - {n}" if is_gain else f"{after} + {n}"
    return _one(rng, told, f"How many {things} did {name} have before?", line, before, "start")


def _compare(rng: random.Random) -> Story:
    (one, two), (things, _) = rng.sample(NAMES, 2), rng.choice(THINGS)
    less, more = sorted(rng.sample(range(2, 120), 2))
    gap = more - less
    told = f"{one} has {more} {things}. {two} has {less} {things}."
    ways = [
        (told, f"How many more {things} does {one} have than {two}?", f"{more} - {less}", gap),
        (f"{one} has {less} {things}. {two} has {gap} more than {one}.", f"How many {things} does {two} have?",
         f"{less} + {gap}", more),
        (f"{one} has {more} {things}. {two} has {gap} fewer than {one}.", f"How many {things} does {two} have?",
         f"{more} - {gap}", less),
    ]  # fmt: skip
    return _one(rng, *rng.choice(ways), "compare")


def _together(rng: random.Random) -> Story:
    (one, two), (things, _) = rng.sample(NAMES, 2), rng.choice(THINGS)
    first, second = rng.randint(2, 99), rng.randint(2, 99)
    told = f"{one} has {first} {things} and {two} has {second}."
    return _one(
        rng, told, f"How many {things} do they have together?", f"{first} + {second}", first + second, "together"
    )


def _groups(rng: random.Random) -> Story:
    name, (things, holders) = rng.choice(NAMES), rng.choice(THINGS)
    count, each = rng.randint(2, 12), rng.randint(2, 12)
    told = f"{name} has {count} {holders}. There are {each} {things} in each."
    asked = f"How many {things} does {name} have in all?"
    return _one(rng, told, asked, f"{count} * {each}", count * each, "groups")


def _share(rng: random.Random) -> Story:
    name, (things, holders) = rng.choice(NAMES), rng.choice(THINGS)
    count, each = rng.randint(2, 12), rng.randint(2, 12)
    whole = count * each
    if rng.random() < 0.5:
        told = f"{name} puts {whole} {things} into {count} {holders}, as many into each."
        return _one(rng, told, f"How many {things} are in one of them?", f"{whole} / {count}", each, "share")
    told = f"{name} has {whole} {things} and puts {each} into each of the {holders}."
    return _one(rng, told, f"How many {holders} does {name} need?", f"{whole} / {each}", count, "share")


def _upper(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


KINDS: tuple[Callable[[random.Random], Story], ...] = (_change, _start, _compare, _together, _groups, _share)
