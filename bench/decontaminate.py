"""Rows per second of the decontamination index against a plain Python set of 8-grams, side by side, on one core.

    python bench/decontaminate.py [ROWS]        synthetic problems (100,000) against ten benchmarks (8,000 items)

Rows are as long as those of GSM8K and MATH, half word problems and half mathematics in LaTeX; one in a hundred is an
item. Items are generated like them, and are those of ../shared/benchmarks where they are. The set is the any-8-gram
rule of open-r1 (scripts/decontaminate.py): lower case, white space made one, the set of a row's 8-grams, as strings,
looked up in that of all benchmarks until one is found. (The script does so for each benchmark apart, and looks up all;
ten sets in one are quicker.) Both sides read the same JSON lines, in turns of 2,000 rows; ratios are of CPU time,
building is timed apart.

Where all rows and items come of a few templates, every row is near dozens of items: the set throws them all away, the
index has to look at each. A tenth of the rows shows what that costs.
"""

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import contamination_cases as cases
from etalon.data.contamination.index import index
from etalon.data.contamination.items import Item

Problem = Callable[[random.Random, list[str]], str]
ROWS, ITEMS, BENCHMARKS, TURN = 100_000, 8_000, 10, 2_000
SENTENCES = (
    "{Name} has {a} {noun}s and buys {b} more {noun}s at the {place} for ${c} each.",
    "Every {day} {Name} walks {a} miles to the {place} and carries {b} {noun}s back home.",
    "If {Name} gives {a} of the {noun}s to {Other}, who already had {b}, they share the rest equally.",
    "The {place} sells {noun}s in boxes of {a}, and {Name} needs {b} boxes for the {day} market.",
    "{Other} earns {a} dollars an hour, spends {c} percent of it on {noun}s and saves the rest.",
    "There are {a} times as many {noun}s as {noun2}s in the {place}, and {b} of the {noun2}s are broken.",
    "It takes {Name} {a} minutes to paint a {noun} and {b} minutes to clean the {place} afterwards.",
)
ASKED = (
    "How many {noun}s does {Name} have left?",
    "How many dollars did {Name} spend in total?",
    "How much money does {Name} make in {a} weeks?",
    "What is the total number of {noun}s that {Other} can carry?",
)
MATH = (
    r"Let ${x}$ and ${y}$ be positive integers such that ${x}^2 + {a}{x}{y} = {b}$.",
    r"Find the number of {noun}-free subsets of $\{{1, 2, \ldots, {a}\}}$ whose sum is divisible by ${b}$.",
    r"Suppose that $f({x}) = \frac{{{a}{x} + {b}}}{{{x} - {c}}}$ for all real ${x} \neq {c}$.",
    r"In triangle $ABC$, $AB = {a}$, $\angle B = {b}^\circ$ and the altitude from ${P}$ meets the {noun} circle.",
    r"Compute $\sum_{{{x}={a}}}^{{{b}}} \left\lfloor \sqrt{{{x}}} \right\rfloor$.",
    r"What is the remainder when ${a}^{{{b}}}$ is divided by ${c}$?",
    r"The polynomial ${x}^3 - {a}{x}^2 + {b}{x} - {c}$ has three real roots ${p}$, ${q}$ and ${r}$.",
)
SMALL = (
    "the a of and to in is that for with on as it at by from has more than each if which are all".split()  # noqa: SIM905
)
PLACES = (
    "market shop garden library station bakery museum harbor school farm theatre factory warehouse".split()  # noqa: SIM905
)
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SYLLABLES = (
    "ba be bo ca co da de di do fa fi ga go ha ka la le li lo ma me mi mo na ne no pa pe ra re ri ro sa se ta".split()  # noqa: SIM905
)


def vocabulary(rng: random.Random, count: int) -> list[str]:
    return [*cases.NOUNS, *("".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))) for _ in range(count))]


def from_templates(rng: random.Random, nouns: list[str]) -> str:
    """A word problem of about 45 words, or mathematics of about 35, of a few sentences that all rows share."""
    name, other = rng.sample(cases.NAMES, 2)
    x, y = rng.sample("xyztuvkmn", 2)
    given = {"Name": name, "Other": other, "noun": frequent(rng, nouns), "noun2": frequent(rng, nouns)}
    given |= {"place": rng.choice(PLACES), "day": rng.choice(DAYS), "x": x, "y": y, "P": rng.choice("ABC")}
    given |= {"p": "p", "q": "q", "r": "r"}
    forms = [*rng.sample(SENTENCES, 3), rng.choice(ASKED)] if rng.random() < 0.5 else rng.sample(MATH, 2)
    numbers = iter(rng.choices(range(2, 400), k=12))
    return " ".join(form.format(**given, a=next(numbers), b=next(numbers), c=next(numbers)) for form in forms)


def free(rng: random.Random, nouns: list[str]) -> str:
    """The same lengths, of words that stand together by chance, with the odd sentence that many rows share."""
    if rng.random() < 0.5:
        said = [sentence(rng, nouns) for _ in range(3)]
        return " ".join([*said, f"How many {frequent(rng, nouns)} does {rng.choice(cases.NAMES)} have?"])
    x, y = rng.sample("xyztuvkmnabcpqrs", 2)
    first, second = (formula(rng, x, y) for _ in range(2))
    shared = rng.choice(cases.CONTEST).format(a=rng.randint(2, 99), b=rng.randint(2, 99), c=7, m="m", n="n")
    return f"{sentence(rng, nouns)} Let ${first}$ for all ${x} > {rng.randint(2, 99)}$ where ${second}$. {shared}"


def sentence(rng: random.Random, nouns: list[str]) -> str:
    words = [frequent(rng, nouns) if rng.random() < 0.55 else rng.choice(SMALL) for _ in range(rng.randint(8, 14))]
    words[rng.randrange(len(words))] = str(rng.randint(2, 400))
    return f"{rng.choice(cases.NAMES)} {' '.join(words)}."


def formula(rng: random.Random, x: str, y: str) -> str:
    terms = (
        r"\frac{{{a}{x}}}{{{y}+{b}}}",
        r"\sqrt{{{a}{x}+{b}}}",
        "{a}{x}^{b}",
        r"\left({x}-{a}{y}\right)^{b}",
        "{y}_{a}",
    )
    chosen = rng.choices(terms, k=rng.randint(2, 4))
    return " + ".join(one.format(x=x, y=y, a=rng.randint(2, 99), b=rng.randint(2, 9)) for one in chosen)


def frequent(rng: random.Random, nouns: list[str]) -> str:
    return nouns[int(len(nouns) * rng.random() ** 3)]  # few are frequent


def items(rng: random.Random, nouns: list[str], problem: Problem) -> list[Item]:
    known = cases.shared_items() if cases.SHARED.is_dir() else []
    made = [
        Item(benchmark=f"made {number % BENCHMARKS}", row=str(number), text=problem(rng, nouns))
        for number in range(max(2_000, ITEMS - len(known)))
    ]
    return made + rng.sample(known, min(len(known), ITEMS - 2_000))


def lines(count: int, rng: random.Random, nouns: list[str], found: list[Item], problem: Problem) -> Iterator[str]:
    for _ in range(count):
        text = rng.choice(found).text if rng.random() < 0.01 else problem(rng, nouns)
        yield json.dumps({"problem": text})


def eight_grams(text: str) -> list[str]:
    words = " ".join(text.lower().split()).split()
    return [" ".join(words[start : start + 8]) for start in range(len(words) - 7)]


def seconds_of(work: Callable[[str], bool], rows: list[str]) -> tuple[float, int]:
    start = time.process_time()
    found = sum(work(json.loads(row)["problem"]) for row in rows)
    return time.process_time() - start, found


def compare(name: str, count: int, problem: Problem) -> None:
    rng = random.Random(0)
    nouns = vocabulary(rng, 4_000)
    found = items(rng, nouns, problem)
    start = time.process_time()
    ours = index(found)
    ours.find([""])  # what the first row asks for is part of it
    built = time.process_time() - start
    seen = {gram for item in found for gram in eight_grams(item.text)}
    sides: dict[str, Callable[[str], bool]] = {
        "etalon": lambda text: (hit := ours.find([text])) is not None and not hit.is_near,
        "8-grams": lambda text: any(gram in seen for gram in set(eight_grams(text))),
    }
    spent, hits = dict.fromkeys(sides, 0.0), dict.fromkeys(sides, 0)
    made = lines(count, rng, nouns, found, problem)
    for turn in range(0, count, TURN):
        rows = list(islice(made, TURN))
        for side in sorted(sides, reverse=bool(turn // TURN % 2)):
            seconds, number = seconds_of(sides[side], rows)
            spent[side] += seconds
            hits[side] += number
    print(f"{name}: {count:,} rows, {len(found):,} items, index built in {built:.1f} s")
    for side in sides:
        print(f"  {side:8} {count / spent[side]:>9,.0f} rows/s  {hits[side]:>9,} rows found")
    print(f"  ratio    {spent['8-grams'] / spent['etalon']:.2f}")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    compare("words by chance", count, free)
    compare("a few templates", count // 10, from_templates)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
