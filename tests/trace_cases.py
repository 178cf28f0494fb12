"""Traces that a gate must keep, and faults planted in them: a labelled set made from a seed.

`good(rng, sources)` writes honest traces, long and odd ones among them. `BAD` has, for every kind of fault, a function
that plants it into an honest trace. `sources` are worked problems: those of public sets where they are at hand
(`bench/trace_gate.py`), else `worked(rng)`, which are made here.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import random
import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from etalon.problems.golds import last_boxed
from etalon.types import Domain


@dataclass(frozen=True, kw_only=True)
class Source:
    """A problem with its solution in prose; answer: what the solution comes to."""

    prompt: str
    solution: str
    answer: str
    domain: Domain | None = Domain.MATH


@dataclass(frozen=True, kw_only=True)
class Case:
    """A trace as the gate sees it. kind: which generator made it."""

    kind: str
    response: str
    prompt: str = ""
    answer: str | None = None
    domain: Domain | None = Domain.MATH
    is_complete: bool | None = None


# --- sources --------------------------------------------------------------------------------------------------------


def worked(rng: random.Random) -> Source:
    """A problem of several steps with its solution, made here."""
    return rng.choice((_shop, _sequence, _quadratic, _remainder, _rectangle))(rng)


def _shop(rng: random.Random) -> Source:
    name, thing = rng.choice(("Maria", "Omar", "Li Wei", "José", "Ana")), rng.choice(("pencils", "apples", "books"))
    n, price, paid = rng.randint(3, 40), rng.randint(2, 19), rng.randint(800, 2000)
    return Source(
        prompt=f"{name} buys {n} {thing} at ${price} each and pays with ${paid}. How much change does {name} get?",
        solution=f"The {thing} cost {n} * {price} = {n * price} dollars in all. {name} paid ${paid}, so the change is "
        f"{paid} - {n * price} = {paid - n * price} dollars.",
        answer=str(paid - n * price),
    )


def _sequence(rng: random.Random) -> Source:
    a, d, n = rng.randint(2, 30), rng.randint(2, 12), rng.randint(10, 60)
    last = a + (n - 1) * d
    return Source(
        prompt=f"An arithmetic sequence begins {a}, {a + d}, {a + 2 * d}. What is the sum of its first {n} terms?",
        solution=f"The common difference is $d = {d}$. The {n}th term is ${a} + {n - 1} \\cdot {d} = {last}$. Hence "
        f"the sum equals $\\frac{{{n}({a} + {last})}}{{2}} = {n * (a + last) // 2}$, since the terms pair up.",
        answer=str(n * (a + last) // 2),
    )


def _quadratic(rng: random.Random) -> Source:
    p, q = sorted(rng.sample(range(2, 25), 2))
    return Source(
        prompt=f"Find the larger root of $x^2 - {p + q}x + {p * q} = 0$.",
        solution=f"We look for two numbers with sum ${p + q}$ and product ${p * q}$. These are ${p}$ and ${q}$, as "
        f"${p} \\cdot {q} = {p * q}$.\n\\begin{{align*}}\nx^2 - {p + q}x + {p * q} &= (x - {p})(x -"
        f" {q})\n\\end{{align*}}\n"
        f"The roots are therefore ${p}$ and ${q}$, and the larger one is ${q}$.",
        answer=str(q),
    )


def _remainder(rng: random.Random) -> Source:
    base, power, m = rng.randint(2, 9), rng.randint(20, 80), rng.choice((7, 11, 13, 17))
    steps, value = [], 1
    for k in range(1, 7):
        value = value * base % m
        steps.append(f"${base}^{k} \\equiv {value} \\pmod{{{m}}}$")
    return Source(
        prompt=f"What is the remainder when ${base}^{{{power}}}$ is divided by {m}?",
        solution=f"We compute small powers: {', '.join(steps)}. By Fermat's little theorem the exponent counts modulo "
        f"${m - 1}$, and ${power} \\equiv {power % (m - 1)} \\pmod{{{m - 1}}}$. This gives ${pow(base, power, m)}$.",
        answer=str(pow(base, power, m)),
    )


def _rectangle(rng: random.Random) -> Source:
    a, b = rng.randint(3, 40), rng.randint(3, 40)
    return Source(
        prompt=f"A rectangle has sides {a} cm and {b} cm. What is the square of its diagonal, in square centimetres?",
        solution=f"By the Pythagorean theorem $d^2 = {a}^2 + {b}^2$. Now ${a}^2 = {a * a}$ and ${b}^2 = {b * b}$; "
        f"adding, we find $d^2 = {a * a} + {b * b} = {a * a + b * b}$ square centimetres.",
        answer=str(a * a + b * b),
    )


def from_benchmarks(folder: Path) -> list[Source]:
    """The worked problems of MATH (test) and GSM8K (train) in a folder of benchmark files."""
    found = []
    with gzip.open(folder / "math_test.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            if answer := last_boxed(row["solution"]):
                found.append(Source(prompt=row["problem"], solution=row["solution"], answer=answer))
    for row in map(json.loads, (folder / "gsm8k_train_2000.jsonl").read_text(encoding="utf-8").splitlines()):
        solution, _, answer = row["answer"].rpartition("####")
        found.append(Source(prompt=row["question"], solution=solution.strip(), answer=answer.strip()))
    return [one for one in found if "answer key" not in one.prompt + one.solution]


def unboxed(text: str) -> str:
    """A solution without its boxes: what it concludes stands in it as plain text."""
    while (start := text.find("\\boxed{")) >= 0:
        depth, end = 1, start + 7
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        text = text[:start] + text[start + 7 : end - 1] + text[end:]
    return text


# --- good ones ------------------------------------------------------------------------------------------------------

OPENERS = (
    "Okay, so I need to solve this problem. Let me read it again carefully.",
    "Alright, let's think step by step.",
    "Hmm, first I should understand what is being asked.",
    "Let me start by writing down what we know.",
    "We need to find the answer. Let me recall the relevant facts first.",
)
CHECKS = (
    "Wait, let me double-check that.",
    "Hmm, is that right? Let me verify it once more.",
    "Let me verify this with another approach.",
    "But wait, did I miss a case? Let me go over it again.",
    "Hold on. I should make sure that I did not slip in the arithmetic.",
    "Let me re-read the problem statement.",
)
BRIDGES = (
    "That reminds me of a similar problem: ",
    "Let me warm up with something related. ",
    "As a comparison: ",
    "I recall how this one went: ",
    "A different example of the method: ",
)
CLOSERS = (
    "So I am confident in this.",
    "Yes, that is consistent.",
    "Good, both ways agree.",
    "Okay, I think that's right.",
    "So the answer is {answer}.",
    "Therefore, the final answer is {answer}.",
    "Everything checks out.",
)
FINALS = (
    "The answer is $\\boxed{{{answer}}}$.",
    "\\boxed{{{answer}}}",
    "**Answer:** $\\boxed{{{answer}}}$",
    "Therefore, we get\n\n\\[\n\\boxed{{{answer}}}\n\\]",
    "Thus the final answer is \\boxed{{{answer}}}",
    "### Final answer\n\n$$\\boxed{{{answer}}}$$",
    "So we conclude that the value is $\\boxed{{{answer}}}$, as claimed.",
    "<answer>\n\\boxed{{{answer}}}\n</answer>",
)


def thought(rng: random.Random, sources: Sequence[Source], source: Source, *, length: int = 0) -> str:
    """Thinking aloud about a problem: other worked problems, its own solution, checks. length: characters at least."""
    parts = [rng.choice(OPENERS)]
    while sum(map(len, parts)) < length:
        other = rng.choice(sources)
        parts.append(rng.choice(BRIDGES) + other.prompt + " " + unboxed(other.solution))
        if rng.random() < 0.5:
            parts.append(rng.choice(CHECKS))
    own = unboxed(source.solution)
    parts.append(own)
    for _ in range(rng.randint(0, 2)):
        parts += [rng.choice(CHECKS), rng.choice((own, own.rpartition(". ")[2] or own, "The steps hold."))]
    parts.append(rng.choice(CLOSERS).replace("{answer}", source.answer))
    return rng.choice(("\n\n", "\n")).join(parts)


def response(rng: random.Random, thought: str, final: str) -> str:
    """A thought and a final part as one of several models writes them."""
    before, between = rng.choice((("<think>\n", "\n</think>\n\n"), ("", "\n</think>\n\n"), ("<think>", "</think>")))
    return before + thought + between + final


def reasoned(rng: random.Random, sources: Sequence[Source]) -> Case:
    """A trace of any length about one problem."""
    source = rng.choice(sources)
    inside = thought(rng, sources, source, length=rng.choice((0, 0, 2_000, 8_000, 30_000)))
    final = rng.choice(FINALS).format(answer=source.answer)
    if rng.random() < 0.4:
        final = unboxed(source.solution) + "\n\n" + final
    return Case(kind="reasoned", response=response(rng, inside, final), prompt=source.prompt, answer=source.answer)


def plain(rng: random.Random, sources: Sequence[Source]) -> Case:
    """A solution as a data set has it, without a thought."""
    source = rng.choice(sources)
    ends = ("", f"\n#### {source.answer}", f"\nThe answer is {source.answer}", f"\n\nAnswer: {source.answer}")
    text = source.solution
    if "\\boxed" not in text:
        text += rng.choice(ends)
    return Case(kind="plain", response=text, prompt=source.prompt, answer=source.answer)


def enumeration(rng: random.Random, sources: Sequence[Source]) -> Case:
    """Hundreds of cases by brute force, one formula for all: a template, but one that computes."""
    a, b, m = rng.randint(1, 9), rng.randint(1, 50), rng.choice((7, 9, 11, 13, 16))
    writers: tuple[Callable[[int], str], ...] = (
        lambda n: (
            f"n = {n}: {n}^2 + {a}*{n} + {b} = {n * n + a * n + b}, which leaves {(n * n + a * n + b) % m} mod {m}."
        ),
        lambda n: f"Case {n}. We have ${n}^2 = {n * n}$. Then ${n * n} \\equiv {n * n % m} \\pmod{{{m}}}$.",
        lambda n: (
            f"If $x = {n}$ then $y = {a} \\cdot {n} + {b} = {a * n + b}$, and $x y = {n * (a * n + b)}$"
            f"{', a square' if math.isqrt(n * (a * n + b)) ** 2 == n * (a * n + b) else ', not a square'}."
        ),
        lambda n: (
            f"Check {n}: the divisor sum is {sum(d for d in range(1, n) if n % d == 0)} so {n} is "
            f"{'deficient' if sum(d for d in range(1, n) if n % d == 0) < n else 'abundant'}."
        ),
        lambda n: f"- for k = {n}, {n} + {a} = {n + a}, {n} * {a} = {n * a}, total {n + a + n * a}",
        lambda n: f"| {n} | {n * n} | {n * n % m} | {'yes' if n * n % m == 1 else 'no'} |",
        lambda n: f"{n}! ends in {sum(n // 5**k for k in range(1, 6))} zeros",
        lambda n: f"{a} × {n} = {a * n}",
    )
    write, count = rng.choice(writers), rng.randint(30, 400)
    good = sum(n * n % m == 1 for n in range(1, count + 1))
    lines = rng.choice(("\n", "\n", " ")).join(write(n) for n in range(1, count + 1))
    inside = (
        f"{rng.choice(OPENERS)} I can just try all of them.\n{lines}\nSo {good} of them work. {rng.choice(CHECKS)} Yes."
    )
    return Case(
        kind="enumeration",
        response=response(rng, inside, f"By checking all cases we find $\\boxed{{{good}}}$."),
        prompt=f"For how many $n$ from 1 to {count} is $n^2 \\equiv 1 \\pmod{{{m}}}$?",
        answer=str(good),
    )


def table(rng: random.Random, sources: Sequence[Source]) -> Case:
    """Truth tables, matrices, grids, long decimals, rules of dashes."""
    names = rng.sample("pqrsuvw", rng.randint(2, 5))
    rows = [
        " | ".join("T" if bits >> i & 1 else "F" for i in range(len(names)))
        + f" | {'T' if bits.bit_count() % 2 else 'F'}"
        for bits in range(2 ** len(names))
    ]
    size = rng.randint(3, 9)
    matrix = " \\\\\n".join(" & ".join("1" if i == j else "0" for j in range(size)) for i in range(size))
    pieces = [
        " | ".join(names) + " | xor\n" + "-" * rng.randint(10, 120) + "\n" + "\n".join(rows),
        f"$$\\begin{{pmatrix}}\n{matrix}\n\\end{{pmatrix}}$$",
        f"1/7 = 0.{'142857' * rng.randint(3, 15)}... and 10^{size * 9} = 1{'0' * size * 9}",
        f"2^{size * 40} = {2 ** (size * 40)}",
        "\n".join("".join(rng.choice(".#") for _ in range(size * 4)) for _ in range(size * 2)),
        "=" * rng.randint(20, 100),
        "H T H H T T " * rng.randint(2, 6) + "is one such sequence of tosses.",
        "\\frac{1}{2} \\cdot " * rng.randint(3, 12) + "\\frac{1}{2}",
    ]
    rng.shuffle(pieces)
    source = rng.choice(sources)
    inside = "\n\n".join([thought(rng, sources, source), *pieces[: rng.randint(2, 6)], "That is enough."])
    final = rng.choice(FINALS).format(answer=source.answer)
    return Case(kind="table", response=response(rng, inside, final), prompt=source.prompt, answer=source.answer)


PROGRAMS = (
    "def solve(n):\n    total = 0\n    for i in range(1, n + 1):\n        if n % i == 0:\n            total +="
    " i\n    return total",
    "import sys\n\ndef main():\n    data = sys.stdin.read().split()\n    n = int(data[0])\n    print(sum(map(int,"
    " data[1:n + 1])))\n\nmain()",
    "from collections import Counter\n\ndef most_common(words):\n    counts = Counter(words)\n    best ="
    " max(counts.values())\n"
    "    return sorted(word for word, count in counts.items() if count == best)",
    "def fib(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a",
    "def is_palindrome(text):\n    kept = [c.lower() for c in text if c.isalnum()]\n    return kept == kept[::-1]",
)
OTHER_CODE = (
    "```cpp\n#include <bits/stdc++.h>\nusing namespace std;\nint main(){int n;cin>>n;cout<<n*2<<endl;}\n```",
    '```json\n{"a": [1, 2, 3], "b": {"c": null}}\n```',
    "```lean\ntheorem add_comm' (a b : Nat) : a + b = b + a := by\n  induction a with\n  | zero => simp\n  | succ"
    " n ih => omega\n```",
    "```haskell\nparser = many1 (letter <|> digit) <|> none\nmain = interact $ show . sum . map read . lines\n```",
    "```sql\nSELECT name, COUNT(*) FROM users WHERE age > 30 GROUP BY name;\n```",
    "```html\n<p>This is <s>wrong</s> right.</p>\n```",
)


def code(rng: random.Random, sources: Sequence[Source]) -> Case:
    """A program with drafts of it and a walk through an example."""
    program = rng.choice(PROGRAMS)
    drafts = [program.replace("total", f"acc{k}").replace("data", f"tokens{k}") for k in range(rng.randint(0, 4))]
    walk = "\n".join(
        f"i = {i}: total goes from {i * (i - 1) // 2} to {i * (i + 1) // 2}" for i in range(rng.randint(2, 30))
    )
    inside = (
        rng.choice(OPENERS)
        + "\n\n"
        + "\n\n".join(
            f"{rng.choice(CHECKS)} A draft:\n```python\n{draft}\n```\nThat handles case {k}."
            for k, draft in enumerate(drafts)
        )
    )
    inside += (
        f"\nWalking through an example:\n{walk}\n" + rng.choice(("", rng.choice(OTHER_CODE))) + "\nFine, it works."
    )
    end = rng.choice(("", "\n\nTime complexity: O(n)", "\n\nThis runs in O(n log n) time and uses O(n) memory."))
    return Case(
        kind="code",
        response=response(rng, inside, f"Here is the solution:\n\n```python\n{program}\n```{end}"),
        prompt="Write a Python program for the task: read n numbers and print what is asked.",
        domain=Domain.CODE,
    )


FOREIGN = {
    "Chinese": (
        "小明有{a}个苹果，又买了{b}个，现在一共有多少个苹果？",
        "我们先看题目。小明原来有{a}个苹果，后来又买了{b}个。所以总数是{a}+{b}={c}个。检查一下，没有问题。",
        "因此答案是\\boxed{{{c}}}。",
    ),
    "Russian": (
        "У Пети было {a} яблок, он купил ещё {b}. Сколько яблок стало?",
        "Сначала у Пети было {a} яблок. Потом он купил ещё {b} яблок, значит всего стало {a} + {b} = {c} яблок."
        " Проверим ещё раз.",
        "Ответ: \\boxed{{{c}}}.",
    ),
    "Arabic": (
        "كان لدى سامي {a} تفاحة واشترى {b} تفاحة أخرى. كم تفاحة لديه الآن؟",
        "كان لدى سامي {a} تفاحة ثم اشترى {b} أخرى. إذن المجموع هو {a} + {b} = {c} تفاحة.",
        "الجواب هو \\boxed{{{c}}}.",
    ),
    "Korean": (
        "철수는 사과 {a}개를 가지고 있고 {b}개를 더 샀습니다. 모두 몇 개입니까?",
        "처음에 사과가 {a}개 있었고 나중에 {b}개를 더 샀으므로 모두 {a} + {b} = {c}개입니다. 다시 확인해 보겠습니다.",
        "답은 \\boxed{{{c}}}입니다.",
    ),
    "Hindi": (
        "राम के पास {a} सेब थे और उसने {b} सेब और खरीदे। अब कुल कितने सेब हैं?",
        "राम के पास पहले {a} सेब थे। उसने {b} और खरीदे, इसलिए कुल {a} + {b} = {c} सेब हैं। एक बार फिर जाँच लेते हैं।",
        "उत्तर \\boxed{{{c}}} है।",
    ),
    "Japanese": (
        "太郎は{a}個のりんごを持っていて、さらに{b}個買いました。全部で何個ですか。",
        "最初に{a}個あって、あとで{b}個買ったので、合計は{a}+{b}={c}個になります。もう一度確認しましょう。",
        "答えは\\boxed{{{c}}}です。",
    ),
}


def foreign(rng: random.Random, sources: Sequence[Source]) -> Case:
    """A problem of another language with a trace in it, or in English; an English one that names and quotes."""
    a, b = rng.randint(2, 400), rng.randint(2, 400)
    question, inside, final = (text.format(a=a, b=b, c=a + b) for text in FOREIGN[rng.choice(list(FOREIGN))])
    if rng.random() < 0.3:
        inside = f"The question is in another language. It asks for the sum {a} + {b} = {a + b}. Let me answer in kind."
    if rng.random() < 0.3:
        source = rng.choice(sources)
        asides = (
            "by the theorem of Gauss (高斯)",
            "as 孙子 knew",
            "see Чебышёв's bound",
            "where α + β = γ and ∠ABC = 90°",
            "the word «яблоко» means apple",
            "the Chinese remainder theorem (中国剩余定理)",
            "if θ ∈ ℝ and ε → 0 then ∑ → π²/6",
            "named after الخوارزمي",
            "Schrödinger’s ψ — or Erdős’s",
            "“naïve” café: 5 € × 3 ≤ 20 €",
        )
        mixed = thought(rng, sources, source) + " " + ", ".join(rng.sample(asides, rng.randint(1, 4))) + "."
        text = response(rng, mixed, rng.choice(FINALS).format(answer=source.answer))
        return Case(kind="foreign names", response=text, prompt=source.prompt, answer=source.answer)
    return Case(kind="foreign", response=response(rng, inside, final), prompt=question, answer=str(a + b))


def about_itself(rng: random.Random, sources: Sequence[Source]) -> Case:
    """Problems about what a gate looks for: tokens, tags, mojibake, refusals, runs, a student's solution."""
    token = rng.choice(("<|im_end|>", "<|endoftext|>", "</s>", "[INST]"))
    run, seed = "a" * rng.randint(20, 60), base64.b64encode(rng.randbytes(120)).decode()
    prompt, inside, final = rng.choice(
        (
            (
                f"How many characters has the token {token}?",
                f"The token {token} is written with {len(token)} characters.",
                f"\\boxed{{{len(token)}}}",
            ),
            (
                "How many letters are between <think> and </think> in the text '<think>abc</think>'?",
                "In '<think>abc</think>' there are the letters a, b and c. That makes 3.",
                "There are \\boxed{3}.",
            ),
            (
                "Why does my page show Ã© instead of é? How many bytes has é in UTF-8?",
                "The two bytes C3 A9 read as Latin-1 give Ã©. So UTF-8 takes 2 bytes.",
                "It takes \\boxed{2} bytes.",
            ),
            (
                f"How long is the string {run}?",
                f"Let me count {run} in groups of ten. It comes to {len(run)}.",
                f"\\boxed{{{len(run)}}}",
            ),
            (
                f"Decode the first byte of {seed}.",
                f"The string {seed} is base64. I decode its first characters and get {base64.b64decode(seed)[0]}.",
                f"\\boxed{{{base64.b64decode(seed)[0]}}}",
            ),
            (
                "A chatbot says \"I'm sorry, but I can't help with that.\" How many words are these?",
                "The words of \"I'm sorry, but I can't help with that.\": I'm, sorry, but, I, can't, help, with,"
                " that. Eight.",
                "The sentence \"I'm sorry, but I can't help with that.\" has \\boxed{8} words.",
            ),
            (
                "A student's solution says 7 * 8 = 54. Find the error in the provided solution; what is the right"
                " product?",
                "According to the provided solution 7 * 8 = 54. The given solution is wrong: 7 * 8 = 56.",
                "The provided solution is wrong; the product is \\boxed{56}.",
            ),
            (
                "Which of the given answers is right? (A) 5 (B) 6 for 2 + 3",
                "Looking at the given answers, 2 + 3 = 5, which is A. I cannot help but notice how easy it is.",
                "The answer is \\boxed{A}.",
            ),
            (
                "Translate to Chinese: the answer is ten plus two. How many characters does it need?",
                "A translation is 答案是十加二，也就是说一共是十二。 Counting the first part gives 6.",
                "\\boxed{6}",
            ),
        )
    )
    return Case(kind="about itself", response=response(rng, inside, final), prompt=prompt)


def choice(rng: random.Random, sources: Sequence[Source]) -> Case:
    """A question with options; the thought weighs each before it takes one."""
    source, right = rng.choice(sources), rng.choice("ABCD")
    options = "\n".join(f"{letter}) {rng.randint(2, 900) if letter != right else source.answer}" for letter in "ABCD")
    others = " ".join(f"Could it be {letter}? That does not fit." for letter in "ABCD" if letter != right)
    inside = f"{thought(rng, sources, source)} {others} So the answer is {right}."
    final = rng.choice(
        ("The answer is \\boxed{{{0}}}.", "Answer: {0}", "**{0}** is correct.\n\n\\boxed{{{0}}}")
    ).format(right)
    return Case(
        kind="choice",
        response=response(rng, inside, final),
        prompt=f"{source.prompt}\n{options}",
        answer=right,
        domain=Domain.STEM,
    )


def prose(rng: random.Random, sources: Sequence[Source]) -> Case:
    """Open-ended text: letters, poems with a chorus, lists, without a full stop at the end."""
    chorus = "Row, row, row your boat\nGently down the stream\n"
    text = rng.choice(
        (
            f"Dear {rng.choice(('Sam', 'Ines'))},\n\nI'm sorry, but I can't come on Friday, since the train is"
            f" late again and the "
            "children are ill. Shall we meet next week instead?\n\nYours\nAlex",
            chorus
            + "Merrily, merrily, merrily, merrily\nLife is but a dream\n"
            + chorus
            + "If you see a crocodile\nDon't forget to scream",
            "<<A Title>>\n\n" + "\n".join(f"* point {word} is worth a thought" for word in rng.sample(OPENERS, 3)),
            "WE SHOULD ALL READ MORE BOOKS BECAUSE THEY MAKE US WISER AND KINDER THAN WE WERE BEFORE",
            "P.S. bring an umbrella, a map and what else you can think of for the long way home",
        )
    )
    text = text if rng.random() < 0.5 else f"<think>\nThe user wants a short text.\n</think>\n\n{text}"
    return Case(kind="prose", response=text, prompt="Write a short text as told.", domain=Domain.INSTRUCT)


def simulation(rng: random.Random, sources: Sequence[Source]) -> Case:
    """An algorithm by hand, step by step, or a derivation full of Greek letters."""
    values = [rng.randint(1, 99) for _ in range(rng.randint(8, 16))]
    asked, steps, swaps = list(values), [], 0
    for end in range(len(values) - 1, 0, -1):
        for i in range(end):
            left, right = values[i], values[i + 1]
            verdict = "swap them" if left > right else "leave them"
            steps.append(f"Compare {left} and {right} at position {i}: {verdict}.")
            if left > right:
                values[i : i + 2] = [right, left]
                swaps += 1
    angles = [
        f"Since α + β + γ = 180°, with β = {k}α we get γ = 180° - {k + 1}α, so sin γ = sin({k + 1}α) = sin α cos {k}α"
        for k in range(2, rng.randint(10, 60))
    ]
    table = [" ".join("true" if bits >> i & 1 else "false" for i in range(7)) for bits in range(128)]
    inside = "\n".join((*steps, f"In all there are {swaps} swaps.", *rng.choice((angles, table, ()))))
    return Case(
        kind="simulation",
        response=response(rng, f"{rng.choice(OPENERS)}\n{inside}\nDone.", f"There are \\boxed{{{swaps}}} swaps."),
        prompt=f"How many swaps does bubble sort make on {asked}?",
        answer=str(swaps),
    )


GOOD: tuple[tuple[Callable[[random.Random, Sequence[Source]], Case], int], ...] = (
    (reasoned, 8),
    (plain, 3),
    (enumeration, 3),
    (table, 2),
    (code, 3),
    (foreign, 2),
    (about_itself, 1),
    (choice, 2),
    (prose, 1),
    (simulation, 2),
)


def good(rng: random.Random, sources: Sequence[Source], count: int) -> Iterator[Case]:
    """Honest traces of every kind."""
    makers, weights = zip(*GOOD, strict=True)
    for _ in range(count):
        yield rng.choices(makers, weights)[0](rng, sources)


# --- bad ones -------------------------------------------------------------------------------------------------------

FILLERS = (
    "Wait, let me check step {i} again. Actually, step {i} seems off, so I need to reconsider it.",
    "Let me consider case {i}. In case {i} nothing new happens, so we move on to the next one.",
    "Attempt {i}: that does not work. Let me try another way and see whether it leads anywhere.",
    "Hmm, so the value is {i}. No, that cannot be right. Let me think about it once more.",
    "Now for number {i} we do the same thing as for number {j}, and the result is as before.",
    "Alternatively, perhaps {r} would be the right choice, but I am not sure about {r} either.",
)
LOOPS = (
    "wait ",
    "so the answer is 5. ",
    "Let me check that again. ",
    "Hmm, no.\n",
    "The sum of the angles is what we need. ",
    "I think we should try it once more, since the result does not look right.\n",
    "again\n",
    "x is even, so x is even, and hence ",
)
SENTENCES = {
    "Chinese": "所以我们先计算一下这个表达式的值然后再检查答案",
    "Russian": "поэтому сначала вычислим значение этого выражения и проверим",
    "Arabic": "لذلك نحسب قيمة هذا التعبير أولا ثم نتحقق من الجواب",
    "Korean": "그러므로 먼저 이 식의 값을 계산한 다음 답을 확인합니다",
    "Japanese": "したがってまずこの式の値を計算してから答えを確認します",
    "Hindi": "इसलिए पहले हम इस व्यंजक का मान निकालते हैं",
    "Thai": "ดังนั้นเราจะคำนวณค่าของนิพจน์นี้ก่อน แล้วจึงตรวจคำตอบ อีกครั้งหนึ่ง ให้แน่ใจ",
}
REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "I cannot assist with this problem.",
    "As an AI language model, I do not have the ability to solve this.",
    "I am unable to provide an answer to this question.",
    "Sorry, I can’t help with that.",
    "I'm sorry, but I cannot fulfill this request as it goes against my guidelines.",
    "Unfortunately, I won't be able to complete this task.",
    "I apologize, but I cannot solve this problem.",
    "I do not know how to solve this.",
    "抱歉，我无法回答这个问题。",
)
TALK = (
    "The reference solution says that the result is right.",
    "According to the provided answer, this is correct.",
    "As given in the reference answer, we take this value.",
    "This matches the ground truth answer.",
    "The provided solution uses the same idea, so we follow it.",
    "Looking at the answer key, I see that it agrees.",
    "Since we already know the final answer is {answer}, we work backwards.",
    "I was told the correct answer is 12, so be it.",
)
TOKENS = (
    "<|im_end|>",
    "<|im_start|>assistant",
    "<|endoftext|>",
    "[INST]",
    "[/INST]",
    "<|assistant|>",
    "<|eot_id|>",
    "<tool_call>",
    "<｜end▁of▁sentence｜>",
    "<|start_header_id|>",
    "<s>",
    "</s>",
    "<end_of_turn>",
    "<<SYS>>",
    "<|user|>",
    "<pad>",
    "<unk>",
)


def _base(rng: random.Random, sources: Sequence[Source]) -> tuple[Source, str, str]:
    source = rng.choice(sources)
    inside = thought(rng, sources, source, length=rng.choice((0, 1000, 6000)))
    return source, inside, rng.choice(FINALS[:7]).format(answer=source.answer)


def _case(kind: str, source: Source, text: str, **known: object) -> Case:
    case = Case(kind=kind, response=text, prompt=source.prompt, answer=source.answer)
    return replace(case, **known)  # type: ignore[arg-type]


def _amid(rng: random.Random, text: str, passage: str) -> str:
    """The passage between two words of a text."""
    spaces = [found.start() for found in re.finditer(" ", text)]
    place = rng.choice(spaces) if spaces else 0
    return f"{text[:place]} {passage}{text[place:]}"


def template_loop(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    filler, start = rng.choice(FILLERS), rng.randint(1, 90)
    numbers = range(start, start + rng.randint(14, 300))
    loop = rng.choice((" ", "\n")).join(filler.format(i=i, j=i - 1, r=rng.randint(2, 9999)) for i in numbers)
    return _case("template loop", source, response(rng, f"{inside}\n{loop}", final))


def block_loop(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    block = rng.choice((rng.choice(LOOPS), inside[-rng.randint(100, 600) :].partition(" ")[2] + "\n"))
    loop = block * (rng.randint(30, 300) if len(block.split()) < 3 else rng.randint(8, 200))
    return _case(
        "block loop", source, response(rng, inside + "\n" + loop, final) if rng.random() < 0.6 else inside + loop
    )


def character_run(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    run = rng.choice(
        (
            "!" * rng.randint(30, 3000),
            rng.choice(string.ascii_letters) * rng.randint(30, 2000),
            "?!" * rng.randint(100, 900),
            "\n" * rng.randint(60, 900),
            " " * rng.randint(800, 4000),
            "ha" * rng.randint(100, 900),
            "0" * rng.randint(300, 2000),
            "G" * rng.randint(40, 4000),
            "。" * rng.randint(40, 400),
            "-" * rng.randint(600, 3000),
            ") " * rng.randint(60, 300),
        )
    )
    return _case("character run", source, response(rng, _amid(rng, inside, run), final))


def garbage(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    raw = rng.randbytes(rng.randint(120, 2000))
    junk = rng.choice((base64.b64encode(raw).decode(), raw.hex(), base64.urlsafe_b64encode(raw).decode()))
    return _case("garbage", source, response(rng, _amid(rng, inside, junk), final))


def control(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    mark = rng.choice((*TOKENS, "\x00", "\x1b[0m", "\x08", "\x0c", "\x7f"))
    if rng.random() < 0.5:
        return _case("control", source, response(rng, _amid(rng, inside, mark), final))
    return _case("control", source, response(rng, inside, rng.choice((_amid(rng, f"{final} ", mark), final + mark))))


def mojibake(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    broken = [
        text.encode().decode("cp1252", "ignore")
        for text in ("it’s", "a — b", "90°", "√2", "x ≤ 5", "café", "α + β", "5 × 3", "“so”", "π", "→", "naïve", "±1")
    ]
    passage = rng.choice(
        (" ".join(rng.sample(broken, rng.randint(1, 4))), "the va\ufffdue is \ufffd", "ï¿½", "Ã©tude", "donâ€™t")
    )
    return _case("mojibake", source, response(rng, _amid(rng, inside, passage), final))


def bad_thought(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    text = rng.choice(
        (
            f"<think>\n{inside}\n\n{final}",
            f"<think>\n\n</think>\n\n{final}",
            f"<think></think>{final}",
            f"<think>{inside}<think>{inside[:200]}</think></think>{final}",
            f"<think>{inside}</think>\n{final}\n<think>{inside[:300]}</think>",
            f"<think>\n{inside}\n</think>\n",
            f"<think>{inside}</think>",
            f"{inside}</think>{final}</think>",
            f"<think>{inside}</ think>{final}",
            f"</think>{inside}<think>{final}",
            f"<think>{inside}</think>{final}<think>",
            f"<think> ... </think> {final}",
        )
    )
    return _case("bad thought", source, text)


def other_script(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    sentence = rng.choice(list(SENTENCES.values()))
    if rng.random() < 0.3:
        return _case("other script", source, response(rng, inside, f"{sentence}。 {final}"))
    return _case("other script", source, response(rng, _amid(rng, inside, sentence), final))


def refusal(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, _ = _base(rng, sources)
    said = rng.choice(REFUSALS)
    more = rng.choice(
        ("", " Please ask me something else.", " If you have another question, I would be glad to look at it.")
    )
    return _case("refusal", source, rng.choice((said + more, response(rng, inside, said + more))))


def given_answer(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    said = rng.choice(TALK).format(answer=rng.randint(2, 99))
    return _case(
        "given answer",
        source,
        response(rng, f"{inside} {said}", final) if rng.random() < 0.7 else f"{inside} {said}\n{final}",
    )


def truncated(rng: random.Random, sources: Sequence[Source]) -> Case:
    source, inside, final = _base(rng, sources)
    solution = unboxed(source.solution)
    words = [found.start() for found in re.finditer(r"\w\w\w", f"{inside}\n{solution}")]
    mid = words[len(words) // 2 + rng.randrange(len(words) // 2 - 4)] + 2
    cut = f"{inside}\n{solution}"[:mid]
    text, known = rng.choice(
        (
            (cut, {}),
            (f"<think>\n{cut}", {}),
            (response(rng, inside, f"{solution} So the value is \\boxed{{{source.answer[:1]}"), {}),
            (response(rng, inside, f"We use a program.\n```python\nprint({source.answer[:3]!r})\n"), {}),
            (response(rng, inside, final), {"is_complete": False}),
            (response(rng, inside, f"{solution} Hence the"), {}),
            (response(rng, inside, f"{solution} Then $x = \\frac{{1}}{{"), {}),
            (response(rng, inside, f"We find\n$$x + 1 = {source.answer}"), {}),
            (response(rng, inside, "\\begin{align*}\nx &= 1 \\\\\ny &= 2"), {}),
            (
                response(
                    rng,
                    inside,
                    f"The answer is \\boxed{{{source.answer}}}. We can also verify this by looking at the smaller cas",
                ),
                {},
            ),
        )
    )
    return _case("truncated", source, text, **known)


def contradiction(rng: random.Random, sources: Sequence[Source]) -> Case:
    source = next(one for one in iter(lambda: rng.choice(sources), None) if re.fullmatch(r"\d{1,6}", one.answer))
    inside = thought(rng, sources, source, length=rng.choice((0, 2000))).rpartition("\n")[0]
    right, wrong = source.answer, str(int(source.answer) + rng.choice((1, 2, 3, 7, 10)))
    other = rng.choice(
        (
            "So the answer is {0}.",
            "Therefore, the final answer is {0}.",
            "Thus the answer is $\\boxed{{{0}}}$.",
            "Final answer: {0}.",
        )
    )
    text = rng.choice(
        (
            response(rng, f"{inside}\n{other.format(right)}", f"The answer is \\boxed{{{wrong}}}."),
            response(rng, f"{inside}\n{other.format(wrong)} I am sure.", f"\\boxed{{{right}}}"),
            response(rng, inside, f"The answer is \\boxed{{{right}}}.\n\nThe answer is \\boxed{{{wrong}}}."),
            response(rng, inside, f"The answer is \\boxed{{{wrong}}}. Wait, actually it is \\boxed{{{right}}}."),
        )
    )
    return _case("contradiction", source, text)


def echo(rng: random.Random, sources: Sequence[Source]) -> Case:
    source = next(one for one in iter(lambda: rng.choice(sources), None) if len(one.prompt.split()) > 8)
    return _case("echo", source, rng.choice(("{0}", "{0}\n", "Question: {0}", "> {0}")).replace("{0}", source.prompt))


def bad_code(rng: random.Random, sources: Sequence[Source]) -> Case:
    program = rng.choice(PROGRAMS)
    broken = rng.choice(
        (
            program.replace("(", "", 1),
            program.replace(":", "", 1),
            program[: -len(program) // 3] + "\n  if (",
            f"{program}\n  end",
        )
    )
    final = rng.choice(
        (f"```python\n{broken}\n```", "I would loop over the divisors and add them up.", f"```python\n{program}\n")
    )
    source = Source(prompt="Write a program that adds up divisors of n.", solution="", answer="")
    return replace(
        _case("code", source, response(rng, "Let me think about loops.", final)), domain=Domain.CODE, answer=None
    )


BAD: tuple[Callable[[random.Random, Sequence[Source]], Case], ...] = (
    template_loop,
    block_loop,
    character_run,
    garbage,
    control,
    mojibake,
    bad_thought,
    other_script,
    refusal,
    given_answer,
    truncated,
    contradiction,
    echo,
    bad_code,
)
