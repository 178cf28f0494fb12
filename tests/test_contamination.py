"""Decontamination: what is found in a row, what is not, and by how much."""

from __future__ import annotations

import json
import pickle
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

import contamination_cases as cases
from contamination_cases import Case
from etalon.data.contamination.index import Index, index, rule
from etalon.data.contamination.items import Item, read_items
from etalon.data.contamination.rows import Sweep, texts_of
from etalon.data.contamination.screen import sketch
from etalon.data.contamination.text import tokens
from etalon.errors import InputError

STORY = "A gardener plants 18 rows of tulips with 12 bulbs in each row, but moles eat one third of the bulbs. How many "
STORY += "bulbs are left when the moles have finished?"


def of(*texts: str) -> list[Item]:
    return [Item(benchmark="made", row=f"line {number}", text=text) for number, text in enumerate(texts, start=1)]


@pytest.fixture(scope="module")
def own() -> Index:
    return index(cases.own_items())


# --- what is found -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*cases.MECHANICAL, *cases.JUDGED])
def test_every_item_is_found_however_it_was_changed(own: Index, kind: str) -> None:
    rng = random.Random(kind)
    change = (cases.MECHANICAL | cases.JUDGED)[kind]
    for item in cases.own_items():
        text = change(cases.shown(item.text, item.options, rng), rng)
        hit = own.find([text])
        assert hit is not None, text
        assert (hit.benchmark, hit.row, hit.is_near) == (item.benchmark, item.row, False), text


@pytest.mark.parametrize("kind", [*cases.MECHANICAL, "spelled"])
def test_a_sketch_is_the_same_in_every_hand(kind: str) -> None:
    change, rng = (cases.MECHANICAL | cases.JUDGED)[kind], random.Random(0)
    for item in cases.own_items():
        changed = change(item.text, rng)
        assert f" {' '.join(sketch(item.text))} " in f" {' '.join(sketch(changed))} ", changed


def test_every_text_of_a_row_is_searched_and_options_in_any_order(own: Index) -> None:
    rng = random.Random(0)
    for item in cases.own_items():
        options = rng.sample(item.options, len(item.options))
        asked = cases.shown(item.text, options, rng)
        rows = (
            {"id": 7, "messages": [{"role": "user", "content": "Hello there."}, {"role": "user", "content": asked}]},
            {"prompt": "Write a new problem.", "traces": [{"response": f"<think>Hm.</think>{asked}", "correct": True}]},
            {"note": {"inside": ["Nothing in this one.", asked]}},
        )
        split = {"question": item.text, "options": options or ["a", "b"]}
        for row in (*rows, split):
            hit = own.find([*texts_of(row)])
            assert hit is not None, row
            assert hit.row == item.row
            assert not hit.is_near


def test_clean_rows_are_kept_and_other_numbers_are_near(own: Index) -> None:
    found = list(cases.clean(cases.own_items(), random.Random(0), count=60))
    hits = [(case, own.find(case.texts)) for case in found]
    assert [case.texts for case, hit in hits if hit is not None and not hit.is_near] == []
    near = Counter(case.is_near for case, hit in hits if hit is not None)
    assert near[False] == 0
    assert near[True] > 0.8 * sum(case.is_near for case in found)


def test_a_hit_says_where_and_how_much(own: Index) -> None:
    cut = STORY.replace("when the moles have finished?", "")
    hit = own.find([f"Some words before. {cut} And some after."])
    assert hit is not None
    assert (hit.benchmark, hit.row, hit.is_near) == ("own", "q1", False)
    assert 0.7 <= hit.share < 1.0
    assert hit.span.startswith("a gardener plants 18 rows of tulips")
    assert hit.span.endswith("1 third of the bulbs how many bulbs are left")
    assert own.find([f"Some words before. {cut} And some after."], threshold=0.95) is None


@pytest.mark.parametrize(
    ("changed", "is_near"),
    [
        (STORY.replace("18", "19"), True),
        (STORY.replace("18 rows", "rows"), False),  # a number that is missing is no other number
        (STORY.replace("18", "eighteen").replace("12", "１２"), False),
        (STORY.replace("12", "1,2"), True),
        (f"Like the one below. {STORY.replace('18', '25')} The original: {STORY}", False),
    ],
)
def test_other_numbers_make_another_problem(own: Index, changed: str, is_near: bool) -> None:
    hit = own.find([changed])
    assert hit is not None
    assert hit.is_near == is_near


def test_sentences_in_another_order_have_no_other_numbers() -> None:
    told = ["Ten of the pots are made of clay.", "Nina grows 24 lilies in pots.", "Seventeen of the pots have a crack."]
    asked = "How many of the cracked pots are made of clay at least?"
    seen = index(of(" ".join([*told, asked])))
    for order in ((1, 0, 2), (2, 1, 0), (0, 2, 1)):
        hit = seen.find([" ".join([*(told[at] for at in order), asked])])
        assert hit is not None
        assert not hit.is_near
    hit = seen.find([" ".join([told[1], told[0].replace("Ten", "Nine"), told[2], asked])])
    assert hit is not None
    assert hit.is_near


def test_an_item_is_found_without_its_diagram_but_not_beside_another() -> None:
    drawn = "[asy] size(150); draw((0,0)--(3,4)--(5,0)--cycle); dot((3,4)); label((3,4), N); fill((1,1)--(2,1)); [/asy]"
    asked = "The rhombus is drawn inside a kite whose longer diagonal is 14. What is the perimeter of the shaded part?"
    seen = index(of(f"{asked}\n{drawn}", STORY))
    for text in (f"{asked} {drawn}", asked, f"As shown.\n\n{asked}"):
        hit = seen.find([text])
        assert hit is not None
        assert (hit.row, hit.is_near) == ("line 1", False)
    other = "[asy] unitsize(2cm); pair A = (7,9); draw(A--(8,8)--(6,0)--(9,1)); draw(circle(A, 6)); label(A, S); [/asy]"
    assert (hit := seen.find([f"{asked} {other}"])) is None or hit.is_near
    assert seen.find([f"Find the angle that is marked. {drawn}"]) is None  # how to draw says little


def test_words_without_any_of_the_numbers_are_no_copy() -> None:
    seen = index(
        of(
            "Two different positive integers less than 100 are randomly chosen and multiplied together. What is the "
            "probability that the resulting product is a multiple of 3?"
        )
    )
    asked = (
        "Some numbers are randomly chosen and multiplied together. What is the probability that the resulting product"
    )
    assert seen.find([f"{asked} is even?"]) is None
    assert (
        seen.find([f"Of all less than 100, two different positive integers {asked[13:]} is a multiple of?"]) is not None
    )


def test_short_items_are_there_whole_with_their_operators() -> None:
    seen = index(of("Evaluate $3! + 17 - 4$.", r"Compute $\sin 75^\circ$.", "2+2?"))
    copies = (
        "So evaluate 3! + 17 - 4 now.",
        "- Evaluate $3!+17-4$ - thanks",
        r"Compute \( \sin 75^{\circ} \)",
        "2 + 2",
    )
    for text in copies:
        assert (hit := seen.find([text])) is not None, text
        assert not hit.is_near, text
    for text in (
        "Evaluate 3! + 17 + 4.",
        "Evaluate 3! + 17 - 4 - 5.",
        r"Compute $\sin 15^\circ$.",
        r"Compute $\cos 75^\circ$.",
        "2 - 2",
        "",
        "?",
    ):
        assert (hit := seen.find([text])) is None or hit.is_near, text


# --- what means nothing ------------------------------------------------------------------------------------------


def test_an_instruction_that_many_items_share_is_boilerplate() -> None:
    told = 'Let us think step by step and output the final answer of the exercise after "####".'
    made = [f"{cases.own_sentence(random.Random(number))} How many?" for number in range(40)]
    seen = index(of(*(f"{text} {told}" for text in made)))
    assert seen.find([f"How many apples does Ann have after {7} days? {told}"]) is None
    hit = seen.find([made[3]])  # a copy without the instruction
    assert hit is not None
    assert hit.row == "line 4"


def test_a_passage_in_many_unrelated_rows_is_boilerplate() -> None:
    passage = cases.PASSAGES[0]
    items = of(f"{passage} {cases.ABOUT_PASSAGES[0]}", *cases.QUESTIONS)
    rng = random.Random(0)
    rows = [f"{passage} {cases.own_sentence(rng)} {rng.choice(cases.ABOUT_PASSAGES[1:])}" for _ in range(400)]
    assert index(items).find([rows[0]]) is not None
    copies = [items[0].text] * 50  # copies of the item itself do not make it common
    seen = index(items, common=[*rows, *copies])
    assert seen.find([rows[0]]) is None
    hit = seen.find([copies[0]])
    assert hit is not None
    assert hit.row == "line 1"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"$\dfrac12 + \left(x\right)$", r"\( \frac{1}{2}+(x) \)"),
        ("&lt;p&gt;caf&eacute;&#39;s 1,000", "Café’s １０００"),
        ("five million two hundred and six", "5,000,206"),
        ("$18.50", "18.5"),
        (r"1{,}250\,cm", "1250 cm"),
        ("twenty-one well\u200b-known ducks", "21 **well** known _ducks_"),
        (r"x \leq 3 \cdot \pi", "x ≤ 3 × π"),
        (r"A $3 \TIMES 9$ GRID, \DFRAC12", r"a $3 \times 9$ grid, $\frac12$"),
        (r"of $\\left(\\dfrac{1}{2}\\right)$?\nThe", r"of $\left(\frac{1}{2}\right)$? The"),
        ("4\u202f000 pounds, 11\u2009600 and 400 000", "4,000 pounds, 11,600 and 400,000"),
        ("eight hundred and forty, nine hundred sixty, and three. Two", "840, 960, and 3. 2"),
        ("She has $200.\n2. She buys\n5 hats", "She has $200. She buys 5 hats"),
        (r"\$\.40 \- 3", "$.40 - 3"),
        ("4。50 of 7。Then", "4.50 of 7. Then"),
        ("a &amp;lt; b &amp;amp;&nbsp;c", "a < b & c"),
        ("соруіng ٣٤", "copying 34"),
    ],
)
def test_spellings_of_one_text_have_the_same_tokens(one: str, other: str) -> None:
    assert [token for token in tokens(one) if token != "p"] == tokens(other)


# --- what it is made of ------------------------------------------------------------------------------------------


def test_a_rule_travels_and_a_sweep_counts() -> None:
    made = rule(cases.own_items(), common=["What is the largest planet?", "What is the largest planet?"])
    again = pickle.loads(pickle.dumps(made))
    assert (again, hash(again)) == (made, hash(made))
    seen, sweep = again.start(), Sweep()
    half = " ".join(STORY.split()[:21])
    for text in (STORY, half, "Nothing to see here at all."):
        sweep.add(seen.shares([text]))
    counts = sweep.to_row()["dropped"]
    assert (counts["0.4"], counts["0.9"]) == (2, 1)
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert str(sweep).splitlines()[1].split() == ["0.40", "2", "66.67%"]


def test_items_are_read_from_any_format_and_an_empty_benchmark_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.jsonl").write_text("\n" + json.dumps({"question": STORY, "answer": "#### 144"}) + "\n")
    asked = "Which planet is the largest?\nA. Mars\nB. Jupiter"
    row = {"id": "x1", "domain": "stem", "prompt": asked, "answer": "B", "options": {"A": "Mars", "B": "Jupiter"}}
    (tmp_path / "b.jsonl").write_text(json.dumps(row))
    found = read_items([("a", tmp_path / "a.jsonl"), ("b", tmp_path / "b.jsonl")])
    assert found == [
        Item(benchmark="a", row="line 2", text=STORY),
        Item(benchmark="b", row="x1", text="Which planet is the largest?", options=("Mars", "Jupiter")),
    ]
    (tmp_path / "part.jsonl").write_text(json.dumps(row) + "\n{no\n")
    assert [item.row for item in read_items([("d", tmp_path / "part.jsonl")], max_bad=0.5)] == ["x1"]
    assert "part.jsonl: line 2" in caplog.text  # what is not searched for is told
    (tmp_path / "none.jsonl").write_text("\n")
    (tmp_path / "bad.jsonl").write_text("{no\n")
    for name in ("none.jsonl", "bad.jsonl", "absent.jsonl"):
        with pytest.raises(InputError, match=name):
            read_items([("c", tmp_path / name)])


def test_long_rows_of_one_word_take_no_longer_than_their_length() -> None:
    seen = index(of("1 2 3 " * 20, "Evaluate 1 2 3 and 4", STORY))
    for text in ("1 " * 40_000, "evaluate 1 " * 20_000, "<b " * 60_000, "\\" * 100_000, "a=" * 50_000):
        assert (hit := seen.find([text])) is None or hit.is_near or hit.benchmark == "made"


# --- public benchmarks, where they are ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not cases.SHARED.is_dir(), reason="needs ../shared/benchmarks")
def test_recall_and_loss_on_public_benchmarks() -> None:
    rng = random.Random(0)
    items = cases.shared_items()
    assert len(items) > 8_000
    seen = index(items)
    found, right, total = _counts(seen, cases.dirty(rng.sample(items, 1_500), rng))
    of_kinds = {kind: found[kind] / total[kind] for kind in total if kind not in cases.JUDGED}
    assert of_kinds == dict.fromkeys(of_kinds, 1.0)
    assert found.total() >= 0.98 * total.total()
    assert right.total() >= 0.95 * found.total()
    clean = [Case("training", row, None) for row in cases.training_rows()[:760]]
    assert _counts(seen, clean)[0].total() == 0
    lost, _, total = _counts(seen, cases.clean(items, rng, count=200))
    assert lost.total() <= 0.005 * total.total()


def _counts(seen: Index, found: Iterable[Case]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """By kind: rows in which an item was found, those where it was the right one, all."""
    hits, right, total = Counter[str](), Counter[str](), Counter[str]()
    for case in found:
        hit = seen.find(case.texts)
        is_hit = hit is not None and not hit.is_near
        total[case.kind] += 1
        hits[case.kind] += is_hit
        right[case.kind] += is_hit and case.item is not None and hit.row == case.item.row  # type: ignore[union-attr]
    return hits, right, total
