"""Copies and near copies per second and megabytes, on rows like DAPO-Math-17k's: 17,398 problems in 1.8 million rows.

    python bench/duplicates.py [ROWS [PROBLEMS]]      1,791,700 rows of 17,398 problems

Each row is a line of JSON in verl's columns, an instruction before and after the question, an index of its own; it is
parsed and its question and answer compared, in one process. A tenth of the problems are another with other numbers or
a few other words. Then near copies alone, among as many different texts as there are problems: every pair that may be
near, the same through MinHash (rensa), and datasketch (pip install datasketch) on a part of them, with the ratio.
"""

import json
import random
import resource
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence

from etalon.data.duplicates import Keyed, duplicates
from etalon.problems.near import NEAR, SHINGLE, TOKEN, near

ROWS, PROBLEMS = 1_791_700, 17_398
PEER_TEXTS = 3_000
BEFORE = (
    "Solve the following math problem step by step. The last line of your response should be of the form "
    "Answer: $Answer (without quotes) where $Answer is the answer to the problem.\\n\\n"
)
AFTER = '\\n\\nRemember to put your answer on its own line after \\"Answer:\\".'
LINE = (
    '{{"data_source": "math_dapo", "prompt": [{{"content": "{question}", "role": "user"}}], "ability": "MATH", '
    '"reward_model": {{"ground_truth": "{answer}", "style": "rule-lighteval/MATH_v2"}}, "extra_info": {{"index": '
    '"{index:032x}"}}}}'
)


def questions(count: int, rng: random.Random) -> list[str]:
    """Different questions of 20 to 80 words from a vocabulary in which some words are frequent."""
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(6000)]
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    found: list[str] = []
    while len(found) < count:
        words = rng.choices(vocabulary, weights, k=rng.randint(20, 80))
        for place in rng.sample(range(len(words)), 4):
            words[place] = str(rng.randint(2, 9999))
        if found and rng.random() < 0.1:
            words = found[rng.randrange(len(found))].split()
            words = [str(rng.randint(2, 9999)) if word.isdigit() else word for word in words]
            words[rng.randrange(len(words))] = rng.choice(vocabulary)
        found.append(" ".join(words))
    return found


def lines(texts: Sequence[str], rows: int, rng: random.Random) -> Iterator[str]:
    """The rows, problems in any order."""
    order = array("I", range(len(texts)))
    for index in range(rows):
        if index % len(texts) == 0:
            rng.shuffle(order)
        place = order[index % len(texts)]
        yield LINE.format(question=BEFORE + texts[place] + AFTER, answer=place, index=index)


def compared(parts: Iterator[str]) -> Iterator[Keyed]:
    """What of each row is compared."""
    for line in parts:
        row = json.loads(line)
        yield Keyed(text=row["prompt"][0]["content"], answer=row["reward_model"]["ground_truth"])


def timed(name: str, count: int, work: Callable[[], object]) -> float:
    """Print the seconds by the clock and of the CPU, the rate and the peak memory so far; seconds of the CPU."""
    start, cpu_start = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:37} {count:>9,} in {seconds:6.2f} s, {cpu:6.2f} s of CPU, {count / cpu:>9,.0f}/s, peak {peak:,.0f} MB",
        flush=True,
    )
    return cpu


def datasketch(texts: Sequence[str]) -> None:
    """Near copies as datasketch's documentation finds them."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=NEAR, num_perm=128)
    for number, text in enumerate(texts):
        tokens = TOKEN.findall(text.casefold())
        sketch = MinHash(num_perm=128)
        sketch.update_batch([" ".join(tokens[at : at + SHINGLE]).encode() for at in range(len(tokens) - SHINGLE + 1)])
        index.query(sketch)
        index.insert(str(number), sketch)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    count = int(sys.argv[2]) if len(sys.argv) > 2 else PROBLEMS
    rng = random.Random(0)
    texts = questions(count, rng)
    kept = []

    def all_rows() -> None:
        decisions = duplicates(compared(lines(texts, rows, rng)))
        kept.append(sum(decisions.copy_of(row) is None for row in range(rows)))
        kept.append(len({decisions.cluster(row) for row in range(min(rows, count))}))

    timed("rows, parsed, copies and near copies", rows, all_rows)
    print(f"kept {kept[0]:,} rows in {kept[1]:,} clusters")
    timed("near copies: every pair that may be", count, lambda: near(texts, most_compared=count))
    ours = timed("near copies: MinHash", count, lambda: near(texts, most_compared=0))
    try:
        import datasketch as _  # noqa: F401
    except ImportError:
        print("datasketch is not installed: nothing beside it")
        return
    few = texts[:PEER_TEXTS]
    theirs = timed("near copies: datasketch", len(few), lambda: datasketch(few))
    print(f"ratio to datasketch: {theirs / len(few) / (ours / count):.1f}")


if __name__ == "__main__":
    main()
