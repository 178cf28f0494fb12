"""Near copies: which problems of a file share a cluster, and what that does to an interval."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from etalon.evaluate import Evaluation, Task, evaluate
from etalon.problems import nano
from etalon.problems.clusters import CLUSTERS, clusters_of, distinct, read_clusters
from etalon.problems.files import read_problems
from etalon.problems.near import near
from etalon.report.several.paired import compare
from etalon.show.progress import Progress
from etalon.types import Conversation, Domain, Problem, Rollout, SamplingParams, Stop

SVAMP = Path(__file__).resolve().parents[2] / "shared" / "benchmarks" / "svamp.jsonl"
ASK = " Let's think step by step and output the final answer within \\boxed{}."
STORY = "A baker sells {} loaves of bread in the morning and {} more in the afternoon. How many loaves were sold?"
OTHERS = (
    "The sum of two consecutive even integers equals forty two; what is the larger of the two integers?",
    "A triangle has sides of length five, twelve and thirteen centimetres. Find the area of the triangle.",
    "Maria drove from her home to the coast at sixty miles an hour and was there before noon that day.",
)


def same(found: list[str]) -> list[set[int]]:
    members: dict[str, set[int]] = defaultdict(set)
    for place, cluster in enumerate(found):
        members[cluster].add(place)
    return sorted(members.values(), key=min)


def test_the_same_words_around_other_numbers_are_near_copies() -> None:
    texts = [STORY.format(14, 9), *OTHERS, STORY.format(200, 35)]
    assert same(near(texts)) == [{0, 4}, {1}, {2}, {3}]


def test_a_few_other_words_make_a_near_copy_and_many_another_text() -> None:
    changed = STORY.format(3, 4).replace("bread", "rye bread")
    assert same(near([STORY.format(14, 9), changed, *OTHERS])) == [{0, 1}, {2}, {3}, {4}]


def test_short_texts_with_other_numbers_are_different_questions() -> None:
    assert same(near(["What is 3+4?", "What is 5+9?", "What is 3+4?", "7*8=?", "7+8=?"])) == [{0, 2}, {1}, {3}, {4}]


def test_an_instruction_to_all_makes_no_copies() -> None:
    questions = ["Compute $3+4$.", "Compute $5+9$.", *OTHERS]
    assert len(set(near([question + ASK for question in questions]))) == len(questions)


def test_a_file_of_one_template_is_one_cluster_however_many_rows_it_has() -> None:
    for count in (2, 4, 5, 6, 40):
        template = [STORY.format(7 * i + 2, i) for i in range(count)]
        assert len(set(near(template))) == 1
        assert len(set(near([*template, *OTHERS]))) == 1 + len(OTHERS)


def test_an_instruction_to_some_makes_no_copies_either() -> None:
    told = "Answer the following multiple choice question. The last line of your response should be 'Answer: LETTER'. "
    short = [f"Which {noun} is the {word}?" for noun in ("metal", "river", "planet") for word in ("oldest", "largest")]
    long = [f"{a} {b} {c} reads a book about {d} every {e} evening in {f} and nobody knows why" for a, b, c, d, e, f in
            itertools.permutations(["Ann", "red", "sea", "cats", "cold", "Rome"])][:9]  # fmt: skip
    assert len(set(near([told + text for text in short] + long[:1] + list(OTHERS)))) == len(short) + 1 + len(OTHERS)


def test_texts_without_spaces_are_read_by_character() -> None:
    texts = [f"小明有{n}个苹果,他又买了{n + 2}个苹果,请问他现在一共有多少个苹果?" for n in (3, 8)]
    assert len(set(near([*texts, "一列火车在中午离开车站,第二列火车在十分钟之后离开,它们什么时候相遇?"]))) == 2


def test_copies_of_copies_are_one_cluster_in_whatever_order() -> None:
    words = [f"{tens}{ones}" for tens in ("twen", "thir", "for") for ones in ("ty", "teen", "th", "fold", "odd")]
    chain = [" ".join(words[start : start + 13]) for start in (0, 1, 2)]  # the ends alone are too far apart
    assert same(near([chain[0], chain[2]])) == [{0}, {1}]
    for order in ([0, 1, 2], [0, 2, 1], [1, 0, 2]):
        assert same(near([chain[i] for i in order])) == [{0, 1, 2}]


def test_more_texts_than_can_be_compared_one_by_one_are_clustered_alike() -> None:
    pytest.importorskip("rensa")
    rng = random.Random(0)
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ("n", "rt", "sh", "lm")]
    stories = [" ".join(rng.choices(words, k=30)) for _ in range(300)]
    texts = [
        " ".join([*copy[:place], *rng.choices(words, k=changed), *copy[place + changed :], str(rng.randint(2, 999))])
        for story in stories
        for changed in (
            0,
            0,
            1,
            4,
        )  # 1 word is in 3 of 29 shingles: 26 / 32 are shared; 4 are in 6: 23 / 35, another text
        for copy, place in [(story.split(), rng.randrange(4, 20))]
    ]
    exact, hashed = same(near(texts)), same(near(texts, most_compared=0))
    assert sum(one in exact for one in hashed) >= 0.97 * len(exact)
    assert len(exact) == pytest.approx(600, abs=10)
    order = rng.sample(range(len(texts)), len(texts))
    shuffled = near([texts[place] for place in order], most_compared=0)
    places = [{order[one] for one in cluster} for cluster in same(shuffled)]
    assert sorted(places, key=min) == hashed


def test_nano_problems_are_clustered_by_family() -> None:
    members = nano.problems(Domain.CODE, "test", 100, seed=0)
    clusters = clusters_of(members)
    for one in members[:20]:
        for other in members[:20]:
            alike = clusters.get(one.id, one.id) == clusters.get(other.id, other.id)
            families = [nano.family_of(nano.question_of(problem)) for problem in (one, other)]
            assert alike == (families[0] == families[1])
    assert distinct(members, clusters) < 60


@pytest.mark.skipif(not SVAMP.exists(), reason="the benchmark files are not here")
def test_variations_of_one_story_in_svamp_are_found() -> None:
    problems = read_problems(SVAMP)
    assert 500 < distinct(problems, clusters_of(problems)) < 900


class Guesser:
    """Is right now and then, by seed and question."""

    name = "guesser"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        for index, conversation in enumerate(conversations):
            rng = random.Random(f"{seed} {conversation[-1].content}")
            yield (
                index,
                tuple(
                    Rollout(index=i, text=f"\\boxed{{{rng.randint(1, 2)}}}", stop=Stop.EOS, num_tokens=5)
                    for i in range(n)
                ),
            )


def test_an_evaluation_keeps_its_clusters_and_a_comparison_reads_them(tmp_path: Path) -> None:
    texts = [*OTHERS, *(STORY.format(7 * i, 5 + i) for i in range(10))]
    problems = [Problem(id=f"p{i}", domain=Domain.MATH, prompt=text, answer="1") for i, text in enumerate(texts)]
    task = Task(name="rows", problems=problems, n=2, params=SamplingParams())
    for name, seed in (("a", 0), ("b", 1)):
        evaluation = Evaluation(model=name, identity={"model": name}, seed=seed)
        [row] = evaluate(evaluation, [task], Guesser(), progress=Progress(), out=tmp_path / name)["benchmarks"]
        assert row["near_copies"] == 9
        assert row["low"] < row["avg"] < row["high"]
    clusters = read_clusters(tmp_path / "a", "rows")
    assert len(clusters) == 10  # those that have a near copy
    assert len(set(clusters.values())) == 1
    [line] = compare(tmp_path / "a", tmp_path / "b").lines
    (tmp_path / "a" / CLUSTERS).unlink()
    [alone] = compare(tmp_path / "a", tmp_path / "b").lines
    assert line.difference == alone.difference
    assert (line.low, line.high) != (alone.low, alone.high)


def test_problems_that_are_all_copies_of_one_are_counted_one_by_one_and_said_to_be(tmp_path: Path) -> None:
    problems = [Problem(id=f"p{i}", domain=Domain.MATH, prompt=STORY.format(7 * i, i), answer="1") for i in range(9)]
    task = Task(name="rows", problems=problems, n=2, params=SamplingParams())
    [row] = evaluate(Evaluation(model="a", identity={}), [task], Guesser(), progress=Progress())["benchmarks"]
    assert 0 < row["low"] < row["avg"] < row["high"] < 1
    assert "all problems are near copies of one another" in row["warnings"][0]


def test_problems_of_one_id_are_not_lost() -> None:
    problems = [Problem(id=str(i), domain=Domain.MATH, prompt=text, answer="1") for i, text in enumerate(OTHERS)]
    assert clusters_of(problems) == {}
    assert distinct(problems, {}) == 3
