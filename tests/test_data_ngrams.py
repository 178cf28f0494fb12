import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.data.ngrams import cut, ngrams, normalise, tokens, words
from etalon.data.repetition import degeneration, distances, longest_loop, measure, repeated_lines

word_lists = st.lists(st.sampled_from(["a", "b", "c"]), max_size=40)

# --- n-grams -----------------------------------------------------------------------------------------------------


def test_case_punctuation_and_spaces_do_not_matter() -> None:
    assert (
        normalise("  Janet’s WELL-known\tducks, she said: 1,000 eggs!") == "janets well known ducks she said 1000 eggs"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("3+4", "3-4"), ("3.5", "35"), ("x - y", "x + y"), ("(1+2)*3", "1+2*3"), ("1,2", "12"), ("5!", "5")],
)
def test_two_different_expressions_stay_different(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@pytest.mark.parametrize(("one", "other"), [("3 + 4", "3+4"), ("2 × 3", "2*3"), ("−1", "-1"), ("x²", "x2")])
def test_two_spellings_of_one_expression_are_the_same(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_chinese_characters_are_words() -> None:
    assert words(tokens("一个苹果 x2")) == ["一", "个", "苹", "果", "x2"]


def test_ngrams_are_all_runs_of_neighbours() -> None:
    assert list(ngrams("abcd", 3)) == [("a", "b", "c"), ("b", "c", "d")]
    assert list(ngrams("ab", 3)) == []


def test_cutting_a_phrase_leaves_the_pieces_apart() -> None:
    assert cut(list("xabyabz"), [("a", "b")]) == [["x"], ["y"], ["z"]]
    assert cut(list("ab"), [("a", "b")]) == []
    assert cut(list("aab"), [("a", "b")]) == [["a"]]


# --- repetition --------------------------------------------------------------------------------------------------


@given(word_lists, st.integers(1, 4))
def test_the_share_of_repeated_ngrams_counts_all_but_the_first_of_each(sequence: list[str], n: int) -> None:
    grams = [tuple(sequence[start : start + n]) for start in range(len(sequence) - n + 1)]
    gaps = list(distances(sequence, n))
    assert sum(gap > 0 for gap in gaps) == len(grams) - len(set(grams))


def slow_longest_loop(sequence: list[str]) -> int:
    """The longest stretch of one block three or more times in a row, by trying all."""
    longest = 0
    for period in range(1, len(sequence) // 3 + 1):
        copied = 0
        for position in range(period, len(sequence)):
            copied = copied + 1 if sequence[position] == sequence[position - period] else 0
            if copied >= 2 * period:
                longest = max(longest, copied + period)
    return longest


@given(word_lists, st.integers(1, 4))
def test_every_loop_that_is_found_is_one(sequence: list[str], n: int) -> None:
    assert longest_loop(list(distances(sequence, n)), n) <= slow_longest_loop(sequence)


@given(st.integers(2, 30), st.integers(3, 6), st.integers(0, 9), st.integers(0, 9))
def test_a_block_of_different_words_is_found_wherever_it_stands(
    block: int, times: int, before: int, after: int
) -> None:
    loop = [f"w{number}" for number in range(block)] * times
    sequence = [f"b{number}" for number in range(before)] + loop + [f"a{number}" for number in range(after)]
    assert longest_loop(list(distances(sequence, 3)), 3) == block * times


def test_a_restated_answer_is_not_a_loop() -> None:
    block = [f"w{number}" for number in range(500)]
    assert longest_loop(list(distances(block * 2, 10)), 10) == 0


def test_repeated_lines_are_weighed_by_their_length() -> None:
    assert repeated_lines("We check.\nSo x is 1.\nwe CHECK\n") == 8 / 25
    assert repeated_lines("") == 0.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("wait let me check that once more " * 60, "loop of more than 256 words"),
        ("so the sum of these two numbers is then equal to nine " * 8, "repeated n-grams"),
        ("\n".join(["We try again.", "No.", "Hmm, we fail."] * 3 + ["We try again."]), "repeated lines"),
        (" ".join(str(number) for number in range(2000)), None),
        ("", None),
    ],
)
def test_degenerate_texts_are_told_from_healthy_ones(text: str, reason: str | None) -> None:
    assert degeneration(measure(text, n=30 if reason == "repeated lines" else 10)) == reason


@pytest.mark.parametrize("kind", ["loop", "words", "dashes", "newlines", "digits"])
def test_time_grows_with_the_length_of_any_text(kind: str) -> None:
    draw = random.Random(0)
    text = {
        "loop": "let me check again " * 11000,
        "words": " ".join(draw.choice("abcdefghij") * draw.randint(1, 9) for _ in range(40000)),
        "dashes": "-" * 200_000,
        "newlines": "\n." * 100_000,
        "digits": "1," * 100_000,
    }[kind][:200_000]

    def cpu_seconds(size: int) -> float:
        def once() -> float:
            start = time.process_time()
            measure(text[:size])
            return time.process_time() - start

        return min(once() for _ in range(3))

    assert cpu_seconds(200_000) < 30 * cpu_seconds(20_000)  # a quadratic one takes 100 times as long
