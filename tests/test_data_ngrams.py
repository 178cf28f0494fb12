import pytest

from etalon.data.ngrams import cut, ngrams, normalise, tokens, words


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
