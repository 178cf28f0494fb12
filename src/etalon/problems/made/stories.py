"""Word problems of one to three steps, as rows of GSM8K: {question, answer}, the answer a solution and "#### 12".

    three numbers, one of which the other two make -> a template that tells two of them and asks for the third
    someone has so many things -> one event a step -> a question about what there is then

One step is of the kinds of ONE_STEP; more than half of them tell a number that the question does not ask for, as word
problems for children do. More steps are a chain of events. Every number of a solution is a whole one between 0 and
LARGEST.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
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
    ("apples", "bags"), ("stickers", "albums"), ("marbles", "jars"), ("pencils", "boxes"), ("cookies", "tins"),
    ("shells", "buckets"), ("books", "cartons"), ("rings", "purses"), ("cards", "packs"), ("eggs", "baskets"),
    ("flowers", "vases"), ("stamps", "envelopes"), ("buttons", "drawers"), ("peaches", "crates"), ("toys", "chests"),
    ("candles", "parcels"), ("photos", "folders"), ("beads", "bowls"),
)  # fmt: skip
# what happens to things, with a number or "some", and how it is asked after
GAINS = (
    ("{name} bought {n} more {things}", "buy"), ("a friend gave {name} {n} {things}", "get"),
    ("{name} found {n} more {things}", "find"), ("{name} got {n} {things} as a present", "get"),
    ("{name} picked up {n} more {things}", "pick up"), ("{name} won {n} {things}", "win"),
)  # fmt: skip
LOSSES = (
    ("{name} gave away {n} {things}", "give away"), ("{name} lost {n} {things}", "lose"),
    ("{name} sold {n} {things}", "sell"), ("{name} lent {n} {things} to a neighbour", "lend"),
    ("{name} threw away {n} {things}", "throw away"), ("{name} gave {n} {things} to {other}", "give away"),
    ("{n} of {name}'s {things} got lost", "lose"),
)  # fmt: skip
KINDS = (("red", "blue"), ("green", "yellow"), ("old", "new"), ("small", "large"))
PLACES = ("the yard", "the kitchen", "the shop", "the school", "the library", "the garden", "the hall", "the cellar")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PEOPLE = (("girls", "boys"), ("adults", "children"), ("teachers", "students"), ("women", "men"))
DEEDS = (
    ("read", "read", "pages"), ("did", "do", "push-ups"), ("baked", "bake", "rolls"), ("wrote", "write", "letters"),
    ("swam", "swim", "laps"), ("picked", "pick", "plums"), ("folded", "fold", "boats"), ("drove", "drive", "miles"),
    ("solved", "solve", "riddles"), ("planted", "plant", "bulbs"),
)  # fmt: skip
ASIDES = (
    "{third} is {n} years old.", "The station is {n} minutes away.", "There are {n} chairs in {place}.",
    "{place} is {n} years old.", "{third} has {n} {extras}.", "There are {n} {extras} in {place}.",
    "{name} has {n} {extras}.", "{third} bought {n} {extras} last year.",
)  # fmt: skip
# only where a person of the story is asked after
OF_ANOTHER = ("{third} has {n} {things}.", "{third} bought {n} {things} last year.")
# Each: what is told, what is asked, and the sum that answers it.
# Of a and b with w = a + b; a gain or a loss is one of b things. c and d are asked for by nobody, nor is e, which is
# more than a, b and w together:
ADDED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "change": (
        ("{name} had {a} {things}. {Gain}.", "How many {things} does {name} have now?", "a + b"),
        ("{name} had {a} {things}. {Gain}.", "How many {things} does {name} have in all?", "a + b"),
        ("{name} had {w} {things}. {Loss}.", "How many {things} does {name} have now?", "w - b"),
        ("{name} had {w} {things}. {Loss}.", "How many {things} are left?", "w - b"),
        ("There were {w} {things} in {place}. {name} took {b} of them.", "How many {things} are still there?", "w - b"),
        ("There were {a} {things} in {place} and {name} brought {b} more.",
         "How many {things} are there now?", "a + b"),
        ("{name} took {b} of the {w} {things} in {place}.", "How many {things} are left in {place}?", "w - b"),
        ("{name} threw away {b} of {w} {things}.", "How many {things} does {name} have left?", "w - b"),
        ("{name} had {w} dollars and spent {b} on {things}.", "How many dollars does {name} have left?", "w - b"),
        ("The {things} cost {w} dollars. Today the {things} are {b} dollars cheaper.",
         "How many dollars do the {things} cost today?", "w - b"),
    ),
    "start": (
        ("{Gain}. Now {name} has {w} {things}.", "How many {things} did {name} have before?", "w - b"),
        ("{Loss}. Now {name} has {a} {things}.", "How many {things} did {name} have before?", "a + b"),
        ("{name} had some {things}. {Loss} and {a} are left.", "How many {things} did {name} have at first?", "a + b"),
        ("{name} spent {b} dollars on {things} and has {a} dollars left.",
         "How many dollars did {name} have to begin with?", "a + b"),
    ),
    "event": (
        ("{name} had {w} {things}. {Some_lost}. Now {name} has {a} {things}.",
         "How many {things} did {name} {to_lose}?", "w - a"),
        ("{name} had {a} {things}. {Some_got}. Now {name} has {w} {things}.",
         "How many {things} did {name} {to_get}?", "w - a"),
        ("There were {w} {things} in {place}. Now there are {a} left.", "How many {things} are gone?", "w - a"),
        ("{name} had {w} dollars and bought {things}. Now {name} has {a} dollars.",
         "How many dollars did {name} spend?", "w - a"),
    ),
    "part": (
        ("There are {w} {things} in {place}. {a} of them are {one_kind}.",
         "How many of the {things} in {place} are not {one_kind}?", "w - a"),
        ("{name} has {w} {things}. {a} of them are {one_kind} and the rest are {another}.",
         "How many {another} {things} does {name} have?", "w - a"),
        ("{name} has {a} {one_kind} {things} and {b} {another} {things}.",
         "How many {things} does {name} have altogether?", "a + b"),
        ("{a} of the {w} {things} in {place} are {one_kind}, the others are {another}.",
         "How many {another} {things} are there?", "w - a"),
        ("{a} of {name}'s {w} {things} are {one_kind}.", "How many of {name}'s {things} are not {one_kind}?", "w - a"),
        ("{w} people are in {place}. {a} of them are {people}, the others are {rest}.", "How many {rest} are there?",
         "w - a"),
        ("There are {a} {people} and {b} {rest} in {place}.", "How many {people} and {rest} are there in total?",
         "a + b"),
    ),
    "compare": (
        ("{name} has {w} {things}. {other} has {a} {things}.",
         "How many more {things} does {name} have than {other}?", "w - a"),
        ("{other} has {a} {things} and {name} has {w}.",
         "How many fewer {things} does {other} have than {name}?", "w - a"),
        ("{name} has {a} {things}. {other} has {b} more {things} than {name}.",
         "How many {things} does {other} have?", "a + b"),
        ("{name} has {w} {things}. {other} has {b} fewer {things} than {name}.",
         "How many {things} does {other} have?", "w - b"),
        ("{name} has {w} {things}. {name} has {b} more {things} than {other}.",
         "How many {things} does {other} have?", "w - b"),
        ("{name} has {a} {things} and wants to have {w}.", "How many more {things} does {name} need?", "w - a"),
        ("{name} {did} {w} {units} and {other} {did} {a} {units}.",
         "How many more {units} did {name} {do} than {other}?", "w - a"),
        ("{name} {did} {w} {units} on {day} and {a} {units} on {later}.",
         "How many more {units} did {name} {do} on {day} than on {later}?", "w - a"),
        ("{name} {did} {a} {units} on {day} and {w} {units} on {later}.",
         "How many more {units} did {name} {do} on {later} than on {day}?", "w - a"),
        ("There are {w} {things} and {a} {others} in {place}.",
         "How many more {things} than {others} are there?", "w - a"),
        ("There are {a} {others} and {w} {things} in {place}.",
         "How many fewer {others} than {things} are there?", "w - a"),
        ("{other} has {a} {things}. {name} has {w} {things}.",
         "How many more {things} does {name} have than {other}?", "w - a"),
    ),
    # two of several numbers, which the words of the question name; [x|y] stand in any order
    "listed": (
        ("{name} {did} [{w} {units} on {day}|{a} {units} on {later}|{c} {units} on {last}].",
         "How many more {units} did {name} {do} on {day} than on {later}?", "w - a"),
        ("{name} {did} [{w} {units} on {day}|{a} {units} on {later}|{c} {units} on {last}].",
         "How many fewer {units} did {name} {do} on {later} than on {day}?", "w - a"),
        ("{name} {did} [{a} {units} on {day}|{b} {units} on {later}|{c} {units} on {last}].",
         "How many {units} did {name} {do} on {day} and {later} together?", "a + b"),
        ("{name} has [{w} {things}|{a} {others}|{c} {extras}].",
         "How many more {things} than {others} does {name} have?", "w - a"),
        ("There are [{w} {things}|{a} {others}|{c} {extras}] in {place}.",
         "How many fewer {others} than {things} are there?", "w - a"),
        ("{name} has [{a} {things}|{b} {others}|{c} {extras}].",
         "How many {things} and {others} does {name} have altogether?", "a + b"),
        ("[{name} has {w} {things}|{other} has {a} {things}|{third} has {c} {things}].",
         "How many more {things} does {name} have than {other}?", "w - a"),
        ("[{name} has {a} {things}|{other} has {b} {things}|{third} has {c} {things}].",
         "How many {things} do {name} and {other} have together?", "a + b"),
        ("{name} has {e} {things} and gives [{w} of them to {other}|{a} of them to {third}].",
         "How many more {things} does {other} get than {third}?", "w - a"),
        ("{name} had {e} dollars and paid [{w} dollars for {things}|{a} dollars for {others}].",
         "How many more dollars did {name} pay for {things} than for {others}?", "w - a"),
        ("{name} had {e} dollars and paid [{a} dollars for {things}|{b} dollars for {others}].",
         "How many dollars did {name} pay in all?", "a + b"),
        ("[{name} {did} {w} {units}|{other} {did} {a} {units}|{third} {did} {c} {units}].",
         "How many fewer {units} did {other} {do} than {name}?", "w - a"),
    ),
    "beside": (
        ("{name} had [{w} {things}|{c} {others}]. {Loss}.", "How many {things} does {name} have left?", "w - b"),
        ("{name} had [{a} {things}|{c} {others}]. {Gain}.", "How many {things} does {name} have now?", "a + b"),
        ("{name} had [{c} {things}|{d} {others}] before. Now {name} has [{w} {things}|{a} {others}].",
         "How many more {things} than {others} does {name} have now?", "w - a"),
        ("{name} had [{w} {things}|{a} {others}] before. Now {name} has [{c} {things}|{d} {others}].",
         "How many more {things} than {others} did {name} have before?", "w - a"),
        ("{name} had [{w} {things}|{c} {others}]. {Some_lost}. Now {name} has [{a} {things}|{c} {others}].",
         "How many {things} did {name} {to_lose}?", "w - a"),
        ("{name} needs [{w} {things}|{c} {others}] for a game and has {a} {things} so far.",
         "How many more {things} does {name} need?", "w - a"),
        ("{name} found [{w} {things}|{c} {others}]. Later {name} lost {a} {things}.",
         "How many more {things} did {name} find than {name} lost?", "w - a"),
        ("There were [{c} {people}|{d} {rest}] in {place}. Then [{w} {people}|{a} {rest}] came.",
         "How many more {people} than {rest} came?", "w - a"),
        ("There were [{a} {people}|{c} {rest}] in {place}. Then {b} more {people} came.",
         "How many {people} are there now?", "a + b"),
        ("{name} {did} [{w} {units} on {day}|{c} {units} on {later}]. {other} {did} {a} {units} on {day}.",
         "How many more {units} did {name} {do} on {day} than {other} did?", "w - a"),
    ),
    "together": (
        ("{name} has {a} {things} and {other} has {b}.", "How many {things} do they have together?", "a + b"),
        ("{name} {did} {a} {units} on {day} and {b} {units} on {later}.",
         "How many {units} did {name} {do} in all?", "a + b"),
        ("There are {a} {things} in {place} and {b} {things} in the attic.",
         "How many {things} are there in both places together?", "a + b"),
        ("{name} paid {a} dollars for {things} and {b} dollars for {others}.",
         "How many dollars did {name} pay for {things} and {others}?", "a + b"),
    ),
}  # fmt: skip
# Of a and b with w = a * b:
MULTIPLIED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "groups": (
        ("{name} has {a} {holders}. There are {b} {things} in each.", "How many {things} does {name} have in all?",
         "a * b"),
        ("Each of the {a} {holders} in {place} holds {b} {things}.", "How many {things} are in the {holders}?",
         "a * b"),
        ("{name} bought {a} {holders} of {things}. Each of the {holders} cost {b} dollars.",
         "How many dollars did {name} pay?", "a * b"),
        ("{name} {did} {b} {units} every day.", "How many {units} did {name} {do} in {a} days?", "b * a"),
        ("{a} children brought {b} {things} each.", "How many {things} did they bring?", "a * b"),
        ("The {things} in {place} are set out in {a} rows of {b}.", "How many {things} are in the rows?", "a * b"),
    ),
    "share": (
        ("{name} puts {w} {things} into {a} {holders}, the same number into each.",
         "How many {things} are in one of the {holders}?", "w / a"),
        ("{name} has {w} {things} and puts {b} into each of the {holders}.",
         "How many {holders} does {name} need for the {things}?", "w / b"),
        ("{a} friends share {w} {things} equally.", "How many {things} does each of the friends get?", "w / a"),
        ("{name} paid {w} dollars for {a} {holders} of {things}.",
         "How many dollars did one of the {holders} cost?", "w / a"),
        ("{name} {did} {w} {units} in {a} days, each day the same number.",
         "How many {units} did {name} {do} each day?", "w / a"),
        ("The {w} {things} in {place} are set out in rows of {b}.", "How many rows of {things} are there?", "w / b"),
        ("{name} has {w} dollars. The {holders} cost {b} dollars each.",
         "How many {holders} can {name} buy?", "w / b"),
    ),
}  # fmt: skip
ONE_STEP = {kind: ways for table in (ADDED, MULTIPLIED) for kind, ways in table.items()}
WHOLE = (10, 20, 50, 100, LARGEST)  # most of what is added up to, each as often
FACTORS = (2, 12)
CROWDED = ("listed", "beside")  # all of which tell numbers too many, that could be meant
ASIDE = 0.5  # share of the other stories of one step that tell one in a sentence aside


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
    return _one(rng) if steps == 1 else _chain(rng, steps)


def _one(rng: random.Random) -> Story:
    """A story of one step, each template as often, in which now and then a number stands that is not asked for."""
    kind, (told, asked, line) = rng.choice([(kind, way) for kind, ways in ONE_STEP.items() for way in ways])
    numbers = _added(rng) if kind in ADDED else _multiplied(rng)
    words = _words(rng, numbers["b"])
    if kind not in CROWDED and rng.random() < ASIDE:
        aside = _upper(_aside(rng, "{name}" in asked or "{other}" in asked).format(n=rng.randint(2, 90), **words))
        told = f"{told} {aside}" if rng.random() < 0.5 else f"{aside} {told}"
    question = " ".join(part.format(**numbers, **words) for part in (_in_any_order(rng, told), asked))
    left, operator, right = line.split(" ")
    answer = numbers[({"a", "b", "w"} - {left, right}).pop()]
    worked = f"{numbers[left]} {operator} {numbers[right]} = {answer}"
    return Story(question=_upper(question), lines=(worked,), answer=answer, kind=kind)


def _in_any_order(rng: random.Random, told: str) -> str:
    """[x|y|z] become "x, z and y": in what order a number is told says nothing about what is asked for."""

    def shuffled(found: re.Match[str]) -> str:
        *parts, last = rng.sample(found[1].split("|"), found[1].count("|") + 1)
        return f"{', '.join(parts)} and {last}"

    return re.sub(r"\[(.+?)\]", shuffled, told)


def _added(rng: random.Random) -> dict[str, int]:
    whole = rng.randint(4, rng.choice(WHOLE))
    part = rng.randint(2, whole - 2)
    needed = (part, whole - part, whole)
    c, d = rng.sample([n for n in range(2, 2 * whole + 2) if n not in needed], 2)  # as often the largest as not
    return {"a": part, "b": whole - part, "w": whole, "c": c, "d": d, "e": whole + part + rng.randint(1, 20)}


def _multiplied(rng: random.Random) -> dict[str, int]:
    one, other = rng.randint(*FACTORS), rng.randint(*FACTORS)
    return {"a": one, "b": other, "w": one * other}


def _words(rng: random.Random, n: int) -> dict[str, str]:
    """All that a template may name; a gain and a loss are of n things."""
    name, other, third = rng.sample(NAMES, 3)
    (things, holders), (others, _), (extras, _) = rng.sample(THINGS, 3)
    (gain, to_get), (loss, to_lose) = rng.choice(GAINS), rng.choice(LOSSES)
    one_kind, another = rng.sample(rng.choice(KINDS), 2)
    (day, later, last), (people, rest), (did, do, units) = rng.sample(DAYS, 3), rng.choice(PEOPLE), rng.choice(DEEDS)
    who = {"name": name, "other": other, "things": things}
    happens = {
        key: _upper(event.format(n=number, **who))
        for key, event, number in (("Gain", gain, n), ("Loss", loss, n), ("Some_got", gain, "some"),
                                   ("Some_lost", loss, "some"))
    }  # fmt: skip
    return who | happens | {
        "third": third, "holders": holders, "others": others, "extras": extras, "to_get": to_get, "to_lose": to_lose,
        "one_kind": one_kind, "another": another, "day": day, "later": later, "last": last, "people": people,
        "rest": rest, "did": did, "do": do, "units": units, "place": rng.choice(PLACES),
    }  # fmt: skip


def _aside(rng: random.Random, one_is_asked_after: bool) -> str:
    """A sentence with a number too many; things like those of the question only where a person's are asked for."""
    return rng.choice(ASIDES + OF_ANOTHER if one_is_asked_after else ASIDES)


def _chain(rng: random.Random, steps: int) -> Story:
    name, (things, _) = rng.choice(NAMES), rng.choice(THINGS)
    value = rng.randint(3, 40)
    told, lines = [f"{name} had {value} {things}."], []
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
        factor, word = rng.choice([(2, "doubled"), (3, "tripled")])
        return f"{name} {word} the number of {things}", value * factor, f"{value} * {factor} = {value * factor}"
    if kind == "gain":
        n = rng.randint(2, min(30, room))
        return _told(rng, GAINS, name, n, things), value + n, f"{value} + {n} = {value + n}"
    n = rng.randint(2, value - 1)
    return _told(rng, LOSSES, name, n, things), value - n, f"{value} - {n} = {value - n}"


def _told(rng: random.Random, events: Sequence[tuple[str, str]], name: str, n: int, things: str) -> str:
    other = rng.choice([one for one in NAMES if one != name])
    return rng.choice(events)[0].format(name=name, other=other, n=n, things=things)


def _upper(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
