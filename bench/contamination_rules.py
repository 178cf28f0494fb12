"""Recall, loss and the right row of four rules of decontamination on one labelled set, in one run.

    python bench/contamination_rules.py [ITEMS]        items that are copied and changed (3,000)

The set is that of tests/contamination_cases.py: items of public benchmarks (../shared/benchmarks, where they are) and
of our own, each changed in one way and put in one place of a row; clean rows that share sentences with them, templates
with other numbers, and GSM8K's training questions. A row is lost when a rule drops it; near ones are kept.

    etalon      the covered share of the item, at its defaults
    8-grams     open-r1, scripts/decontaminate.py: lower case, white space, any 8 words
    12-grams    datatrove 0.10, pipeline/decont/n_grams.py with find_query_ngrams: its normalisation (utils/text.py:
                lower case, numbers 0, no punctuation, no accents), any 12 words, split at white space for NLTK's tokens
    MinHash     rensa, 128 permutations of 5-word shingles, bands for 0.8, an estimate of 0.8 or more
"""

import random
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from rensa import RMinHash, RMinHashLSH

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import contamination_cases as cases
from etalon.data.contamination.index import index
from etalon.data.contamination.items import Item

ITEMS, CLEAN, PERMUTATIONS, BANDS, SAME = 3_000, 400, 128, 16, 0.8
Rule = Callable[[Sequence[str]], tuple[str, str] | None]  # texts of a row -> (benchmark, row) of what it holds


def covered_share(items: Sequence[Item]) -> Rule:
    seen = index(items)

    def find(texts: Sequence[str]) -> tuple[str, str] | None:
        hit = seen.find(texts)
        return None if hit is None or hit.is_near else (hit.benchmark, hit.row)

    return find


def any_ngram(items: Sequence[Item], n: int, normal: Callable[[str], str]) -> Rule:
    seen: dict[str, Item] = {}
    for item in items:
        for gram in ngrams(normal(cases.shown(item.text, item.options, random.Random(0))), n):
            seen.setdefault(gram, item)

    def find(texts: Sequence[str]) -> tuple[str, str] | None:
        found = next((seen[gram] for text in texts for gram in ngrams(normal(text), n) if gram in seen), None)
        return None if found is None else (found.benchmark, found.row)

    return find


def ngrams(text: str, n: int) -> Iterator[str]:
    words = text.split()
    return (" ".join(words[start : start + n]) for start in range(len(words) - n + 1))


def as_datatrove(text: str) -> str:
    """Lower case, every number 0, no punctuation, no accents."""
    plain = re.sub(r"\d+", "0", text.lower().strip())
    plain = "".join(" " if unicodedata.category(one)[0] == "P" or one in "$+<=>^`|~" else one for one in plain)
    return "".join(one for one in unicodedata.normalize("NFD", plain) if unicodedata.category(one) != "Mn")


def minhash(items: Sequence[Item]) -> Rule:
    seen = RMinHashLSH(SAME, PERMUTATIONS, BANDS)
    hashes = [signature(cases.shown(item.text, item.options, random.Random(0))) for item in items]
    for number, one in enumerate(hashes):
        seen.insert(number, one)

    def find(texts: Sequence[str]) -> tuple[str, str] | None:
        for text in texts:
            own = signature(text)
            near = [(own.jaccard(hashes[number]), number) for number in seen.query(own)]
            if near and max(near)[0] >= SAME:
                return items[max(near)[1]].benchmark, items[max(near)[1]].row
        return None

    return find


def signature(text: str) -> RMinHash:
    one = RMinHash(PERMUTATIONS, 42)
    one.update(list(ngrams(text.lower(), 5)) or [text.lower()])
    return one


def counts(rule: Rule, found: Iterable[cases.Case]) -> dict[str, tuple[int, int, int]]:
    """By kind: rows, hits, hits that name the right row."""
    rows, hits, right = Counter[str](), Counter[str](), Counter[str]()
    for case in found:
        hit = rule(case.texts)
        rows[case.kind] += 1
        hits[case.kind] += hit is not None
        right[case.kind] += hit is not None and case.item is not None and hit == (case.item.benchmark, case.item.row)
    return {kind: (rows[kind], hits[kind], right[kind]) for kind in rows}


def main() -> None:
    rng = random.Random(0)
    public = cases.shared_items() if cases.SHARED.is_dir() else []
    items = [*cases.own_items(), *public]
    changed = rng.sample(items, min(len(items), int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS))
    dirty = list(cases.dirty(changed, rng))
    clean = list(cases.clean(items, rng, count=CLEAN))
    clean += [cases.Case("GSM8K train", row, None) for row in (cases.training_rows() if public else [])]
    rules: dict[str, Rule] = {
        "etalon": covered_share(items),
        "8-grams": any_ngram(items, 8, str.lower),
        "12-grams": any_ngram(items, 12, as_datatrove),
        "MinHash": minhash(items),
    }
    found = {name: (counts(rule, dirty), counts(rule, clean)) for name, rule in rules.items()}
    print(f"{len(items):,} items, {len(dirty):,} rows that hold one, {len(clean):,} clean ones")
    print(f"{'':16}{'rows':>7}" + "".join(f"{name:>10}" for name in rules))
    for at, title in enumerate(("found", "lost")):
        table = {name: sides[at] for name, sides in found.items()}
        first = next(iter(table.values()))
        for kind, (rows, _, _) in first.items():
            print(f"{kind:16}{rows:>7,}" + "".join(f"{one[kind][1] / rows:>10.2%}" for one in table.values()))
        total = sum(rows for rows, _, _ in first.values())
        all_hits = {name: sum(hits for _, hits, _ in one.values()) for name, one in table.items()}
        print(f"{'all ' + title:16}{total:>7,}" + "".join(f"{hits / total:>10.2%}" for hits in all_hits.values()))
        if at == 0:
            right = {name: sum(one[2] for one in table[name].values()) / max(1, all_hits[name]) for name in table}
            print(f"{'right row named':16}{'':>7}" + "".join(f"{share:>10.2%}" for share in right.values()))
        print()


if __name__ == "__main__":
    main()
