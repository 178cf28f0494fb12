r"""A labelled set for decontamination: rows that hold an item of a benchmark, by how it was changed, and clean rows.

    items -> dirty(items, rng) -> Case(kind, texts, item)      MECHANICAL kinds lose nothing of the item
          -> clean(items, rng) -> Case(kind, texts, None)      near ones have an item's words around other numbers

Items: QUESTIONS and CHOICES, written for this, and the files of ../shared/benchmarks where they are.
"""

from __future__ import annotations

import csv
import gzip
import html
import io
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from etalon.data.contamination.items import Item

SHARED = Path(__file__).resolve().parents[2] / "shared" / "benchmarks"

QUESTIONS = (
    "Mirela bakes 24 walnut rolls every Friday. She gives 5 of them to her neighbour Tobias and sells the rest for $3 "
    "each at the harbour. How many dollars does Mirela earn every Friday?",
    "A gardener plants 18 rows of tulips with 12 bulbs in each row, but moles eat one third of the bulbs. How "
    "many bulbs "
    "are left when the moles have finished?",
    "Let $ABCD$ be a cyclic quadrilateral with $AB = 7$, $BC = 15$, $CD = 20$ and $DA = 24$. Find the radius of the "
    "circle through its four vertices.",
    r"Find the sum of all real numbers $x$ such that $\dfrac{1}{x-2} + \frac{3}{x+5} = \left(\frac{x}{4}\right)^2$ and "
    r"$\sqrt{x+11} \le 6$.",
    r"The sequence $a_1, a_2, \ldots$ satisfies $a_1 = 3$ and $a_{n+1} = 2a_n - 5$ for all $n \geq 1$. What is the "
    r"remainder when $a_{2024}$ is divided by $1{,}000$?",
    "Ines, Pavel and Odette share 1,250 stamps so that Pavel has twice as many as Ines and Odette has 50 more than "
    "Pavel. How many stamps does Odette have?",
    "A lighthouse flashes every 9 seconds and a buoy every 14 seconds. They have just flashed together; after how many "
    "minutes and seconds do they flash together for the fifth time from now?",
    r"In how many ways can $\binom{8}{3}$ identical red beads be arranged in a row with 4 blue beads so that no "
    r"two blue "
    r"beads touch?",
    "Write a Python function that takes a list of intervals `[start, end]` and returns the total length that "
    "they cover, "
    "where overlapping parts count once.",
    "Wie viele Tage braucht ein Wanderer für 168 Kilometer, wenn er täglich sechs Stunden mit 4 Kilometern pro "
    "Stunde geht "
    "und jeden fünften Tag rastet?",
    r"Compute $\sin 75^\circ$.",
    r"Simplify $\sqrt{1404}$.",
    "Evaluate $3! + 17 - 4$.",
    "How many diagonals does a convex polygon with 17 sides have?",
)
CHOICES = (
    (
        "Which of these gases makes up the largest share of the dry air at sea level on this planet?",
        ("argon", "nitrogen", "oxygen", "carbon dioxide"),
    ),
    (
        "A capacitor of 6 microfarads is charged to 20 volts and then joined to an uncharged one of 4 "
        "microfarads. What is "
        "the voltage across both afterwards?",
        ("8 V", "10 V", "12 V", "20 V"),
    ),
    (
        "Which statement about enzymes that follow simple saturation kinetics is correct?",
        (
            "their velocity grows without limit",
            "the substrate at half of the greatest velocity is the Michaelis constant",
            "inhibitors never change the slope",
            "they shift the equilibrium of the reaction",
        ),
    ),
    ("Which planet is the largest?", ("Mars", "Jupiter", "Venus", "Saturn")),
)
PROSE = (
    "The harbour was quiet that morning, and the boats that had gone out in the night came back one after the other.",
    "In the following we collect some remarks on how the exercise may be used in class; teachers should adapt them.",
    "It is well known that a good figure is worth more than a page of symbols, and we shall draw one wherever we can.",
    "First I will think about what is asked, then I will set up the equations, and at the end I will check the result.",
    "Remember that the reader has not seen your notes. Say what each letter stands for before you use it.",
    "The committee met twice in spring and decided that the old rules about late entries should stay as they were.",
)
INSTRUCTIONS = (
    "Please reason step by step, and put your final answer within \\boxed{}.",
    'Let\'s think step by step and output the final answer after "####".',
    "Solve the following math problem efficiently and clearly. The last line of your response should be of the "
    "following "
    "format: 'Therefore, the final answer is: $\\boxed{ANSWER}$. I hope it is correct' (without quotes).",
    "Answer the following multiple choice question. Think step by step before answering.",
    "You are a helpful assistant. You first think about the reasoning process in the mind and then answer.",
)
CONTEST = (
    "Let $ABC$ be a triangle with $AB = {a}$, $BC = {b}$ and $CA = {c}$.",
    "Find the number of positive integers $n$ such that",
    "The answer can be written as $\\frac{{m}}{{n}}$, where $m$ and $n$ are relatively prime positive integers. "
    "Find $m+n$.",
    "What is the remainder when the result is divided by ${a}$?",
    "Find the sum of all positive integers less than ${b}$ with this property.",
    "How many ordered pairs $(x, y)$ of real numbers satisfy the equation?",
    "Express your answer as a common fraction in lowest terms.",
    "Let $f(x)$ be a polynomial of degree ${a}$ with real coefficients.",
    "Find the largest integer less than or equal to the area of the quadrilateral.",
)
OWN_SENTENCES = (
    "A ship of the {w} fleet carries {a} crates of {v} and loses a {c}th of them in a storm near {u}.",
    "The {w} of a {v} turns {a} times a minute while its {u} turns {b} times.",
    "Every {v} in the {w} is painted in one of {c} colours so that no {u} sees two alike.",
    "From a {w} full of {v} we draw {a} at once and note how many {u} remain after {b} rounds.",
)
NOUNS = (
    "abbey anvil badger barley basalt beacon bellows birch bobbin bramble bronze candle canvas cedar chisel"  # noqa: SIM905
    " cinder cobalt copper cradle daisy dagger ember falcon fennel ferry flint garnet glacier goblet hamlet harrow"
    " heron indigo ivory jasmine juniper kettle ladder lantern larch lichen linden magnet mallet marble meadow"
    " mortar nettle nutmeg ochre orchard otter paddle parsnip pebble pewter pigeon plover quarry quill raven"
    " rudder saddle saffron sickle spindle sparrow tallow thimble thistle trowel turnip umber velvet walnut weasel"
    " willow wren yarrow zither".split()
)
FORMULAS = (
    r"By the quadratic formula, $x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}$, so the sum of the roots is $-\frac{b}{a}$.",
    r"We use $\sin^2\theta + \cos^2\theta = 1$ and $\tan\theta = \frac{\sin\theta}{\cos\theta}$.",
    r"The area of a triangle is $\frac{1}{2}ab\sin C = \sqrt{s(s-a)(s-b)(s-c)}$ with $s = \frac{a+b+c}{2}$.",
    r"The sum of a geometric series is $a \cdot \frac{1-r^n}{1-r}$; for $|r| < 1$ it tends to $\frac{a}{1-r}$.",
    r"By Vieta's formulas $r+s+t = -\frac{b}{a}$, $rs+st+tr = \frac{c}{a}$ and $rst = -\frac{d}{a}$.",
    r"The binomial theorem says $(x+y)^n = \sum_{k=0}^{n} \binom{n}{k} x^{n-k} y^k$.",
    r"The distance from $(x_0, y_0)$ to the line $ax + by + c = 0$ is $\frac{|ax_0 + by_0 + c|}{\sqrt{a^2 + b^2}}$.",
)
PASSAGES = (
    "When in the Course of human events, it becomes necessary for one people to dissolve the political bands "
    "which have "
    "connected them with another, and to assume among the powers of the earth, the separate and equal station to which "
    "the Laws of Nature and of Nature's God entitle them, a decent respect to the opinions of mankind requires "
    "that they "
    "should declare the causes which impel them to the separation.",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of "
    "foolishness, it was "
    "the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of "
    "Darkness, it "
    "was the spring of hope, it was the winter of despair.",
)
ABOUT_PASSAGES = (
    "Which rhetorical device does the author of this passage use most?",
    "Translate the passage into modern French, keeping its rhythm.",
    "How many commas does this passage have?",
    "Who wrote this, and in which year was it published?",
)
NAMES = (
    "Aiko Benedikt Chidi Dorota Emre Farida Goran Hana Ilse Jorunn Kwame Lucia Milan Nadia Oskar Priya".split()  # noqa: SIM905
)
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"  # noqa: SIM905
    " seventeen eighteen nineteen".split()
)
TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


class Case(NamedTuple):
    """A row: its texts, and the item in it, if any. is_near: an item's words around other numbers."""

    kind: str
    texts: tuple[str, ...]
    item: Item | None
    is_near: bool = False


def own_items() -> list[Item]:
    """The items that were written for this."""
    asked = [Item(benchmark="own", row=f"q{i}", text=text) for i, text in enumerate(QUESTIONS)]
    return asked + [
        Item(benchmark="choice", row=f"c{i}", text=text, options=options) for i, (text, options) in enumerate(CHOICES)
    ]


def shared_items() -> list[Item]:
    """The items of the public benchmarks, of which most are words and mathematics."""
    read: dict[str, list[str]] = {
        "gsm8k": [row["question"] for row in _rows("gsm8k_test.jsonl")],
        "math": [row["problem"] for row in _rows("math_test.jsonl.gz")],
        "svamp": [f"{row['Body'].rstrip('.')}. {row['Question']}" for row in _rows("svamp.jsonl")],
        "ifeval": [row["prompt"] for row in _rows("ifeval.jsonl")],
        "humaneval": [row["prompt"] for row in _rows("humaneval.jsonl.gz")],
        "imo": [row["Problem"] for row in csv.DictReader(io.StringIO((SHARED / "imo_answerbench_v2.csv").read_text()))],
    }
    return [
        Item(benchmark=name, row=f"line {number}", text=text)
        for name, texts in read.items()
        for number, text in enumerate(texts, start=1)
        if text.strip()
    ]


def training_rows() -> list[tuple[str, str]]:
    """(question, answer) of 2,000 rows of GSM8K's training split, of which none is in its test."""
    return [(row["question"], row["answer"]) for row in _rows("gsm8k_train_2000.jsonl")]


def _rows(name: str) -> list[dict[str, str]]:
    path = SHARED / name
    with gzip.open(path, "rt") if name.endswith(".gz") else path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream if line.strip()]


# --- rows that hold an item --------------------------------------------------------------------------------------


def respaced(text: str, rng: random.Random) -> str:
    """LaTeX in another hand: delimiters, spacing, sizes, aliases."""
    text = re.sub(r"\\([dt]?)frac(?=\{)", lambda m: rng.choice((r"\frac", r"\dfrac", r"\tfrac")), text)
    text = re.sub(r"(?<!\\left)\((?=[^()$]*\))", "(", text)
    text = re.sub(r"\$([^$]+)\$", lambda m: rng.choice(("${}$", r"\({}\)", "$ {} $", r"\( {} \)")).format(m[1]), text)
    text = re.sub(r"\\le\b", r"\\leq", text)
    text = re.sub(r"\\geq\b", r"\\ge", text)
    return re.sub(
        r"(?<=[\d\w}]) ?([=+]) ?(?=[\d\w\\])", lambda m: rng.choice((" {} ", "{}", r" {}\, ")).format(m[1]), text
    )


def other_case(text: str, rng: random.Random) -> str:
    return rng.choice((str.upper, str.lower, str.swapcase))(text) if "\\" not in text else text.capitalize()


def full_width(text: str, rng: random.Random) -> str:
    return re.sub(r"[0-9]|(?<![\\a-zA-Z])[A-Za-z](?![a-zA-Z])", lambda m: chr(ord(m[0]) + 0xFEE0), text)


def invisible(text: str, rng: random.Random) -> str:
    marks = ("\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad")
    return re.sub(r"(?<=[a-z])(?=[a-z])", lambda m: rng.choice(marks) if rng.random() < 0.2 else "", text)


def other_signs(text: str, rng: random.Random) -> str:
    text = text.replace("'", "’").replace(" ", rng.choice((" ", "\u00a0", "\u2009")))
    return re.sub(r'"([^"]*)"', r"“\1”", text).replace("-", rng.choice(("-", "‐", "–")))


def as_html(text: str, rng: random.Random) -> str:
    words = [
        rng.choice(("<b>{}</b>", '<span class="w">{}</span>', "<em>{}</em>")).format(word)
        if rng.random() < 0.15
        else word
        for word in html.escape(text).split()
    ]
    spaced = (
        " ".join(words)
        .replace("é", "&eacute;")
        .replace("ü", "&uuml;")
        .replace(". ", rng.choice((".<br/> ", ".</p><p>")))
    )
    return f"<div><p>{spaced}</p></div>"


def as_markdown(text: str, rng: random.Random) -> str:
    words = [rng.choice(("**{}**", "*{}*", "__{}__")).format(w) if rng.random() < 0.15 else w for w in text.split()]
    return rng.choice(("### Problem\n\n{}", "> {}", "1. {}", "**Question:** {}\n\n---")).format(" ".join(words))


def embedded(text: str, rng: random.Random) -> str:
    def prose() -> str:
        return " ".join(rng.choice(PROSE) for _ in range(rng.randint(4, 30)))

    return f"{prose()} {text} {prose()}"


def wrapped(text: str, rng: random.Random) -> str:
    words = text.split()
    return "\n".join(" ".join(words[start : start + 8]) for start in range(0, len(words), 8))


def instructed(text: str, rng: random.Random) -> str:
    return rng.choice(("{1}\n\n{0}", "{0} {1}", "Problem: {0}\n{1}")).format(text, rng.choice(INSTRUCTIONS))


def renamed(text: str, rng: random.Random) -> str:
    """Names of people changed, each into one other."""
    seen = set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b", text))
    new = dict(zip(sorted(seen), rng.sample(NAMES, len(NAMES)), strict=False))
    return re.sub(r"\b[A-Z][a-z]+\b", lambda m: new.get(m[0], m[0]), text)


def in_words(number: int) -> str:
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = f" and {in_words(number % 100)}" if number % 100 else ""
        return f"{ONES[number // 100]} hundred{rest}"
    return f"{in_words(number // 1000)} thousand" + (f" {in_words(number % 1000)}" if number % 1000 else "")


def spelled(text: str, rng: random.Random) -> str:
    """Whole numbers of prose in words."""
    pattern = r"(?<![\w.,$\\^_{/])(?:\d{1,3},\d{3}|[1-9]\d{0,4}|0)(?![\w,.]*\d|[%}])"
    prose = re.split(r"(\$[^$]*\$|\\\[.*?\\\]|\[asy\].*?\[/asy\])", text, flags=re.DOTALL)
    prose[::2] = [re.sub(pattern, lambda m: in_words(int(m[0].replace(",", ""))), part) for part in prose[::2]]
    return "".join(prose)


MECHANICAL: dict[str, Callable[[str, random.Random], str]] = {
    "verbatim": lambda text, rng: text,
    "LaTeX": respaced,
    "case": other_case,
    "full width": full_width,
    "invisible": invisible,
    "signs": other_signs,
    "HTML": as_html,
    "Markdown": as_markdown,
    "embedded": embedded,
    "wrapped": wrapped,
    "instruction": instructed,
}
JUDGED: dict[str, Callable[[str, random.Random], str]] = {"names": renamed, "spelled": spelled}
PLACES = ("messages", "response", "options")  # mechanical, too


def dirty(items: Sequence[Item], rng: random.Random) -> Iterator[Case]:
    """Every item changed in one way each, dealt in turn, and in each place of a row."""
    ways = [*MECHANICAL.items(), *JUDGED.items()]
    for number, item in enumerate(items):
        plain = item.text
        kind, change = ways[number % len(ways)]
        changed = change(plain, rng)
        if kind not in JUDGED or changed != plain:
            yield Case(kind, (shown(changed, item.options, rng),), item)
        place = PLACES[number % 2] if not item.options else "options"
        if place == "messages":
            yield Case(place, (rng.choice(PROSE), plain, rng.choice(PROSE)), item)
        elif place == "response":
            yield Case(place, ("Write a new problem.", f"<think>{' '.join(PROSE)}</think>Here: {plain}"), item)
        else:
            yield Case(place, (plain, *rng.sample(item.options, len(item.options))), item)


def shown(text: str, options: Sequence[str], rng: random.Random) -> str:
    """A question with its options in any order."""
    moved = rng.sample(list(options), len(options))
    form = rng.choice(("\n{}. {}", "\n({}) {}", " {}) {}"))
    return text + "".join(form.format(letter, one) for letter, one in zip("ABCDEFGHIJ", moved, strict=False))


# --- clean rows --------------------------------------------------------------------------------------------------


def other_numbers(text: str, rng: random.Random) -> str:
    return re.sub(r"\d+", lambda m: str(int(m[0]) + rng.randint(1, 9)) if len(m[0]) < 9 else m[0], text)


def own_sentence(rng: random.Random) -> str:
    w, v, u = rng.sample(NOUNS, 3)
    a, b, c = (rng.randint(2, 99) for _ in range(3))
    return rng.choice(OWN_SENTENCES).format(w=w, v=v, u=u, a=a, b=b, c=c)


def contest(rng: random.Random) -> str:
    a, b, c = (rng.randint(2, 30) for _ in range(3))
    first, *rest = (one.format(a=a, b=b, c=c, m="m", n="n") for one in rng.sample(CONTEST, 3))
    return " ".join([first, own_sentence(rng), own_sentence(rng), *rest])


def clean(items: Sequence[Item], rng: random.Random, *, count: int) -> Iterator[Case]:
    """`count` rows of each kind."""
    numbered = [item for item in items if len(re.findall(r"\d+", item.text)) > 1 and not item.options]
    for _ in range(count):
        yield Case("contest", (contest(rng),), None)
        question = f"{own_sentence(rng)} {own_sentence(rng)} How many {rng.choice(NOUNS)}s are left?"
        yield Case("instructions", (rng.choice(INSTRUCTIONS), question, rng.choice(INSTRUCTIONS)), None)
        yield Case("formulas", (own_sentence(rng), " ".join(rng.sample(FORMULAS, 3)) + " " + own_sentence(rng)), None)
        yield Case("passage", (f"{rng.choice(PASSAGES)}\n\n{own_sentence(rng)} {rng.choice(ABOUT_PASSAGES)}",), None)
        yield Case("other numbers", (other_numbers(rng.choice(numbered).text, rng),), None, is_near=True)
