"""Instruction rules: each of the 25 of IFEval, strict and loose, all or the share, what is undecided."""

import sys
from pathlib import Path

import pytest

from etalon.evaluate.metrics import accuracies
from etalon.evaluate.scoring import score
from etalon.evaluate.store import Sample
from etalon.types import Domain, Problem, Rule, Stop
from etalon.verifiers import verify
from etalon.verifiers.instruct.rules import optional
from etalon.verifiers.instruct.rules.registry import IFEVAL, RULES, SPLITS_SENTENCES, table
from etalon.verifiers.instruct.rules.sentences import MAX_CHARS, split_by_regex, split_sentences, splitter
from etalon.verifiers.instruct.rules.tokens import sentence_tokens
from etalon.verifiers.instruct.verdict import check_rules, follows, rule_verifier
from etalon.verifiers.rows import verify_row

ROOT = Path(__file__).resolve().parents[1]

CASES = [
    ("keywords:existence", {"keywords": ["Cat", "c++"]}, "a cat, c++", "a dog, c++"),
    ("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": "at least"}, "cat concat", "a cat"),
    ("keywords:forbidden_words", {"forbidden_words": ["cat"]}, "concat", "a Cat!"),
    ("keywords:letter_frequency", {"letter": "t", "let_frequency": 3, "let_relation": "less than"}, "Tt", "ttT"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "at least"}, "one two three", "one two"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "Hi Mr. Fox.", "Hi. You?"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb\n***", "a\n***\n***\nb"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        'First.\n\n"Then, it',
        "Then.\n\nfirst",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] [b]", "[a]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye\np. s. hi", "Bye PS hi"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b", "* a\n** b"),
    ("detectable_format:constrained_response", {}, "My answer is no.", "no"),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and *b*", "*a* and **"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Day", "num_sections": 2},
        "Day 1 a Day 2 b",
        "Day one",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', "{a: 1}"),
    ("detectable_format:title", {}, "<<My title>>\ntext", "<< >>"),
    ("combination:two_responses", {}, "a ****** b", "a ****** a"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi"}, "say hi\nhi", "hi"),
    ("startend:end_checker", {"end_phrase": "The end."}, 'So, "the END."', "The end. Or not"),
    ("startend:quotation", {}, '"quoted"', '"half'),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "A BIG cat",
        "a BIG cat",
    ),
    ("change_case:english_capital", {}, "ALL CAPS!", "Not All"),
    ("change_case:english_lowercase", {}, "all small.", "Not all"),
    ("punctuation:no_comma", {}, "a b", "a, b"),
]


@pytest.mark.parametrize(("rule", "kwargs", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_each_rule_tells_a_response_that_follows_from_one_that_does_not(rule, kwargs, good, bad):
    assert follows(good, Rule(id=rule, kwargs=kwargs)) is True
    assert follows(bad, Rule(id=rule, kwargs=kwargs)) is False


def test_there_are_25_rules_and_all_but_the_language_are_tested_here():
    assert set(IFEVAL) - {case[0] for case in CASES} == {"language:response_language"}
    assert len(IFEVAL) == 25


def judge(response, *rules, **options):
    problem = Problem(id="i", domain=Domain.INSTRUCT, prompt="Say hi", rules=rules)
    return verify(problem, response, verifier=rule_verifier(**options) if options else None)


NO_COMMA = Rule(id="punctuation:no_comma")
QUOTED = Rule(id="startend:quotation", kwargs={"unused": None})


def test_all_rules_must_hold_unless_the_share_is_asked_for():
    assert judge('"hi"', NO_COMMA, QUOTED).score == 1.0
    assert judge("hi", NO_COMMA, QUOTED).score == 0.0
    assert judge("hi", NO_COMMA, QUOTED).reason == "violated: startend:quotation"
    assert judge("hi", NO_COMMA, QUOTED, reward="fraction").score == 0.5


def test_loose_mode_forgives_a_first_line_and_asterisks():
    assert judge('Sure, here it is:\n**"hi"**', NO_COMMA, QUOTED).score == 0.0
    assert judge('Sure, here it is:\n**"hi"**', NO_COMMA, QUOTED, mode="loose").score == 1.0


def test_only_the_part_after_the_reasoning_is_judged():
    assert judge("<think>well, so</think>hi", NO_COMMA).score == 1.0


def test_an_empty_response_follows_nothing():
    assert judge("", NO_COMMA).score == 0.0
    assert judge("<think>hi", NO_COMMA).score == 0.0


def test_the_prompt_to_repeat_defaults_to_the_prompt():
    assert judge("Say hi. hi", Rule(id="combination:repeat_prompt")).score == 1.0


BAD = [
    (Rule(id="made:up"), "unknown instruction"),
    (Rule(id="keywords:existence"), "keywords is missing"),
    (Rule(id="keywords:existence", kwargs={"keywords": None}), "keywords is missing"),
    (Rule(id="keywords:existence", kwargs={"keywords": "cat"}), "keywords: found 'cat', expected a list of texts"),
    (Rule(id="keywords:existence", kwargs={"keywords": []}), "keywords: found []"),
    (Rule(id="keywords:existence", kwargs={"keywords": ["a", 1]}), "keywords: found ['a', 1]"),
    (Rule(id="punctuation:no_comma", kwargs={"x": 1}), "x is no argument of it"),
    (Rule(id="punctuation:no_comma", kwargs=["x"]), "kwargs is not an object"),
    (Rule(id="count:numbers", kwargs={"N": "2"}), "N: found '2', expected a whole number from 0"),
    (Rule(id="count:numbers", kwargs={"N": 2.5}), "N: found 2.5"),
    (Rule(id="count:numbers", kwargs={"N": -1}), "N: found -1"),
    (Rule(id="count:numbers", kwargs={"N": True}), "N: found True"),
    (Rule(id="count:numbers", kwargs={"N": float("nan")}), "N: found nan"),
    (Rule(id="count:numbers", kwargs={"N": float("inf")}), "N: found inf"),
    (Rule(id="count:words_japanese", kwargs={"N": 0}), "N: found 0, expected a whole number from 1"),
    (Rule(id="ratio:stop_words", kwargs={"percentage": 101}), "percentage: found 101, expected a number from 0 to 100"),
    (Rule(id="startend:end_checker", kwargs={"end_phrase": " "}), "end_phrase: found ' ', expected text"),
    (Rule(id="repeat:repeat_change"), "prompt_to_repeat is missing"),
    (
        Rule(id="language:response_language", kwargs={"language": "xx"}),
        "language: found 'xx', expected a language code",
    ),
    (
        Rule(id="length_constraints:number_words", kwargs={"num_words": 1, "relation": "about"}),
        "relation: found 'about', expected less than, at least or at most",
    ),
    (
        Rule(id="keywords:letter_frequency", kwargs={"letter": "ab", "let_frequency": 1, "let_relation": "at least"}),
        "letter: found 'ab', expected one character",
    ),
]


@pytest.mark.parametrize(("rule", "why"), BAD, ids=[f"{rule.id} {rule.kwargs}" for rule, _ in BAD])
def test_a_rule_that_cannot_be_checked_as_written_is_a_bad_reference(rule, why):
    for options in ({}, {"reward": "fraction"}, {"mode": "loose"}):
        verdict = judge("hi", rule, QUOTED, **options)
        assert verdict.score is None
        assert verdict.reason.startswith(f"bad_reference: {rule.id}: {why}")


def test_no_rules_or_no_prompt_to_repeat_is_a_bad_reference():
    assert judge("hi").reason == "bad_reference: the problem has no rules"
    problem = Problem(id="i", domain=Domain.INSTRUCT, prompt="", rules=(Rule(id="combination:repeat_prompt"),))
    assert verify(problem, "hi").reason.startswith("bad_reference: combination:repeat_prompt: prompt_to_repeat")


def test_whole_numbers_may_be_floats_and_nulls_are_absent():
    assert judge("1 2", Rule(id="count:numbers", kwargs={"N": 2.0, "keyword": None})).score == 1.0


@pytest.fixture
def forget_nltk():
    """Whether NLTK's data is here is looked up once a process; here before and after a test."""
    optional._nltk_with.cache_clear()
    yield
    optional._nltk_with.cache_clear()


WITHOUT = [
    ("language:response_language", {"language": "en"}, "langdetect", "language"),
    ("words:odd_even_syllables", {}, "syllapy", "syllables"),
    ("words:start_verb", {}, "nltk", "verb"),
]


@pytest.mark.parametrize(("rule", "kwargs", "package", "noun"), WITHOUT)
def test_a_rule_without_its_package_is_decided_here_and_says_so(rule, kwargs, package, noun, monkeypatch, forget_nltk):
    monkeypatch.setitem(sys.modules, package, None)
    asked = Rule(id=rule, kwargs=kwargs)
    verdict = judge("Given that children have any time.", asked)
    assert (verdict.score, verdict.extracted) == (1.0, f"1/1, {noun} by lists")
    assert judge("The, il gatto è là.", NO_COMMA, asked).extracted == f"0/2, {noun} by lists"


def test_a_package_that_is_installed_decides_and_the_verdict_says_so():
    for rule, kwargs, package, noun in WITHOUT[:2]:
        pytest.importorskip(package)
        verdict = judge("Given that children have any time.", Rule(id=rule, kwargs=kwargs))
        assert verdict.extracted.endswith(f"/1, {noun} by {package}")


@pytest.mark.parametrize("installed", [True, False])
def test_the_language_is_detected_with_a_seed_or_by_lists(installed, monkeypatch):
    if installed:
        pytest.importorskip("langdetect")
    else:
        monkeypatch.setitem(sys.modules, "langdetect", None)
    german = Rule(id="language:response_language", kwargs={"language": "de"})
    text = "Das ist ein Satz in deutscher Sprache."
    assert [follows(text, german) for _ in range(5)] == [True] * 5
    assert follows("This is a sentence written in English.", german) is False
    assert follows("12345", german) is True  # no features: passes, as in the reference


def test_capitals_in_another_script_are_not_english():
    assert follows("ПРИВЕТ МИР", Rule(id="change_case:english_capital")) is False
    assert follows("привет мир", Rule(id="change_case:english_lowercase")) is False
    for text, is_english in (
        ("ESTA ES UNA RESPUESTA QUE NO TIENE ACENTOS Y ESTÁ EN MAYÚSCULAS", False),
        ("CECI EST UN TEXTE QUI EST ECRIT EN MAJUSCULES", False),
        ("DIES IST EIN TEXT UND ER IST GANZ IN GROSSBUCHSTABEN", False),
        ("AS I SAID, THE FILM EL MARIACHI IS THE ONE THAT WE LIKE. DE GUSTIBUS!", True),
        ("HELLO WORLD", True),
    ):
        assert follows(text, Rule(id="change_case:english_capital")) is is_english, text
        assert follows(text.lower(), Rule(id="change_case:english_lowercase")) is is_english, text


FAKE_NLTK = """
class data:
    path = [{folder!r}]
    def find(resource):
        import os
        if not any(os.path.isdir(os.path.join(folder, resource)) for folder in data.path):
            raise LookupError(resource)
def sent_tokenize(text):
    return text.split("|")
def pos_tag(words):
    return [(word, "VBZ" if word == "runs" else "NN") for word in words]
"""


@pytest.fixture
def nltk(tmp_path, monkeypatch, forget_nltk):
    """A stand-in for the package, with data that the package ifbench keeps in its own folder."""
    (tmp_path / "nltk").mkdir()
    (tmp_path / "nltk" / "__init__.py").write_text(FAKE_NLTK.format(folder=str(tmp_path / "nowhere")))
    own = tmp_path / "ifbench" / ".nltk_data"
    (own / "tokenizers" / "punkt_tab" / "english").mkdir(parents=True)
    (own / "taggers" / optional.TAGGER).mkdir(parents=True)
    (tmp_path / "ifbench" / "__init__.py").write_text("raise SystemError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nltk", raising=False)
    yield own
    sys.modules.pop("nltk", None)


def test_punkt_and_the_tagger_are_used_when_their_data_is_here(nltk):
    assert splitter("a|b") == "punkt"
    assert split_sentences("a. b|c") == ["a. b", "c"]
    assert splitter("." * 5000) == "regex"
    two = Rule(id="length_constraints:number_sentences", kwargs={"num_sentences": 2, "relation": "at least"})
    assert judge("a|b", two).extracted == "1/1, sentences by punkt"
    assert judge(" runs away", Rule(id="words:start_verb")).extracted == "1/1, verb by nltk"
    assert follows("dogs run", Rule(id="words:start_verb")) is False


def test_nltk_without_its_data_splits_nothing(nltk):
    (nltk / "tokenizers" / "punkt_tab" / "english").rmdir()
    assert splitter("a|b") == "regex"
    assert split_sentences("a|b. C") == ["a|b.", "C"]


def test_a_verdict_on_sentences_names_their_splitter():
    three = Rule(id="length_constraints:number_sentences", kwargs={"num_sentences": 3, "relation": "less than"})
    assert judge("One. Two.", three, NO_COMMA).extracted == f"2/2, sentences by {splitter('')}"
    assert judge("One. Two.", NO_COMMA).extracted == "1/1"
    assert set(RULES) > SPLITS_SENTENCES


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Mr. Smith met Dr. Jones. They left.", ["Mr. Smith met Dr. Jones.", "They left."]),
        ("It costs 3.50 dollars", ["It costs 3.50 dollars"]),
        ("J. R. Hacker wrote it.", ["J. R. Hacker wrote it."]),
        ("Section b. Then c.", ["Section b.", "Then c."]),
        ('He said "Stop!" Then he left...', ['He said "Stop!"', "Then he left..."]),
        ("He said (no.) Then yes?! Ok", ["He said (no.)", "Then yes?!", "Ok"]),
        ("wait... then. Wait... The end", ["wait... then.", "Wait...", "The end"]),
        ("1. First\n2. second", ["1.", "First\n2. second"]),
        ("A line\nwithout stops\nis one", ["A line\nwithout stops\nis one"]),
        ("**Bold.** Next", ["**Bold.", "** Next"]),
        ("She left.” «Bien.» He stayed.", ["She left.”", "«Bien.»", "He stayed."]),
        ("The U.S. army. The U.S. The man", ["The U.S. army.", "The U.S.", "The man"]),
        ("No stop.Here", ["No stop.Here"]),
        ("x.\u3000猫。y", ["x.", "猫。y"]),
        ("", []),
    ],
)
def test_sentences_are_split_as_punkt_splits_them_without_a_model(text, sentences):
    assert split_by_regex(text) == sentences


def test_a_very_long_text_is_split_at_its_beginning_and_its_end():
    sentences = split_sentences("First. " + "a" * 3 * MAX_CHARS + ". Last")
    assert (sentences[0], sentences[-1]) == ("First.", "Last")
    assert sum(map(len, sentences)) <= MAX_CHARS


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("I can't go, it's 3,000.", "I ca n't go , it 's 3,000 ."),
        ("We'll cannot 'quote' the dogs' U.S. 10:30.", "We 'll can not ' quote ' the dogs ' U.S. 10:30 ."),
        ('"Well," (he) said -- no... yes!?', "`` Well , '' ( he ) said -- no ... yes ! ?"),
        ("**Bold** `code` ```x``` $5 50%", "* * Bold * * ` code ` `` ` x `` ` $ 5 50 %"),
        ("don’t naïve 日本 a--b", "don ’ t naïve 日本 a -- b"),
        ('He said "no."', "He said `` no . ''"),
        ("'Tis gonna be", "' Tis gon na be"),
        ("...", "..."),
        (".", "."),
        ("", ""),
    ],
)
def test_tokens_are_those_of_the_penn_treebank(sentence, tokens):
    assert sentence_tokens(sentence) == tokens.split()


def test_capital_words_are_tokens_without_small_letters():
    asked = {"capital_frequency": 6, "capital_relation": "at least"}
    text = "I am A WELL-KNOWN man; DON'T shout, U.S. 42"
    assert follows(text, Rule(id="change_case:capital_word_frequency", kwargs=asked)) is True
    assert (
        follows(text, Rule(id="change_case:capital_word_frequency", kwargs={**asked, "capital_frequency": 7})) is False
    )


NTH_WORD = "length_constraints:nth_paragraph_first_word"
EDGES = [
    ("detectable_content:number_placeholders", {"num_placeholders": 1}, "[[a\nb]]", False),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[[a]] [b] [", True),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye\nP. P. S hi", True),
    ("detectable_content:postscript", {"postscript_marker": "N.B."}, "n.b. hi", True),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "\n\n  * a\n\n\t- b\n** c", True),
    ("detectable_format:title", {}, "<<>> <<<a>>>", True),
    ("detectable_format:title", {}, "<<a\nb>>", False),
    ("detectable_format:json_format", {}, "[" * 100_000, False),
    ("detectable_format:json_format", {}, "```\n1\n```", True),
    (NTH_WORD, {"num_paragraphs": 1, "nth_paragraph": 2, "first_word": "a"}, "a", False),
    (NTH_WORD, {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "a"}, "\n\na", False),
    ("combination:two_responses", {}, "a ****** ****** b", False),
    ("length_constraints:number_words", {"num_words": 2, "relation": "at most"}, "日本 語", True),
    ("keywords:forbidden_words", {"forbidden_words": ["naïve"]}, "So **NAÏVE**!", False),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "kwargs", "response", "expected"), EDGES)
def test_edges_are_decided_as_the_reference_decides_them(rule, kwargs, response, expected):
    assert follows(response, Rule(id=rule, kwargs=kwargs)) is expected


@pytest.mark.parametrize(("rule", "kwargs"), [case[:2] for case in CASES], ids=[case[0] for case in CASES])
def test_an_empty_or_blank_response_follows_no_rule(rule, kwargs):
    for text in ("", " \n\u3000"):
        assert follows(text, Rule(id=rule, kwargs=kwargs), mode="loose") is False


@pytest.mark.parametrize(
    "response", ['Sure:\n"hi"', '"hi"\nDone', 'Sure:\n"hi"\nDone', '**"hi"**', 'Sure:\n*"hi"*\nDone']
)
def test_loose_tries_the_response_without_its_ends_and_asterisks(response):
    assert follows(response, QUOTED) is False
    assert follows(response, QUOTED, mode="loose") is True
    assert follows("no\nhi\nno", QUOTED, mode="loose") is False


@pytest.mark.parametrize(
    ("mode", "score"), [("strict", 0.0), ("loose", 1.0), ("fraction", 0.5), ("loose-fraction", 1.0)]
)
def test_a_row_says_how_its_rules_are_applied(mode, score):
    rules = [{"id": "startend:quotation"}, {"id": "count:numbers", "kwargs": {"N": 1.0}}]
    row = {"rules": rules, "response": 'Sure:\n"hi 7"', "mode": mode}
    assert verify_row(row, "instruct")["score"] == score


@pytest.mark.parametrize("kwargs", ["N", ["N"], 3, False])
def test_arguments_that_are_no_object_are_a_bad_reference(kwargs):
    found = verify_row({"rules": [{"id": "punctuation:no_comma", "kwargs": kwargs}], "response": "hi"}, "instruct")
    assert found["score"] is None
    assert found["reason"] == "bad_reference: punctuation:no_comma: kwargs is not an object"


def test_results_name_each_rule_in_order():
    problem = Problem(id="i", domain=Domain.INSTRUCT, prompt="", rules=(NO_COMMA, QUOTED, Rule(id="made:up")))
    results = check_rules(problem, "<think>a, b</think>hi")
    assert [result.rule for result in results] == ["punctuation:no_comma", "startend:quotation", "made:up"]
    assert [result.followed for result in results] == [True, False, None]
    assert [result.why for result in results] == ["", "", "unknown instruction"]


def test_the_four_accuracies_leave_out_what_is_undecided():
    def judged(number, response, *rules):
        problem = Problem(id=f"q{number}", domain=Domain.INSTRUCT, prompt="", rules=rules)
        return [score(problem, Sample(id=problem.id, index=0, text=response, stop=Stop.EOS))]

    responses = [
        ('"hi"', NO_COMMA, QUOTED),
        ('Sure, so:\n"hi"', NO_COMMA, QUOTED),
        ("a, b", NO_COMMA, Rule(id="made:up")),
        ("a b", NO_COMMA, Rule(id="made:up")),
    ]
    verdicts = {f"q{number}": judged(number, *one) for number, one in enumerate(responses)}
    found = accuracies(verdicts, {})
    counts = {name: (one["share"], one["decided"], one["undecided"]) for name, one in found.items()}
    assert counts == {
        "prompt_strict": (pytest.approx(1 / 3), 3, 1), "prompt_loose": (pytest.approx(2 / 3), 3, 1),
        "instruction_strict": (pytest.approx(3 / 6), 6, 2), "instruction_loose": (pytest.approx(5 / 6), 6, 2),
    }  # fmt: skip
    assert accuracies({}, {})["prompt_strict"] == {
        "share": None, "low": None, "high": None, "decided": 0, "undecided": 0,
    }  # fmt: skip


def test_the_table_in_the_docs_is_that_of_the_registry():
    rows = table().splitlines()
    assert len(rows) == 2 + len(RULES)
    assert all(" |  | " not in row for row in rows), "a rule has no line that documents it"
    document = (ROOT / "docs" / "rules.md").read_text()
    assert document.endswith(f"\n{table()}\n"), "replace the table: etalon.verifiers.instruct.rules.registry.table()"
