"""The 58 instructions of IFBench: each told apart, its edges, and where the reference checks other than it asks."""

import pytest

from etalon.types import Rule
from etalon.verifiers.instruct.rules.custom import DAYS
from etalon.verifiers.instruct.rules.registry import IFBENCH, RULES
from etalon.verifiers.instruct.rules.syllables import num_syllables
from etalon.verifiers.instruct.rules.tokens import bare_words, tokens
from etalon.verifiers.instruct.rules.verbs import starts_with_verb
from etalon.verifiers.instruct.rules.wordlists import CAPITALS
from etalon.verifiers.instruct.verdict import follows

KEYWORDS = {f"keyword{k}": word for k, word in enumerate(("ant", "bee", "cow", "dog", "eel"), 1)}
COUNTED = "ant bee bee cow cow cow dog dog dog dog dog eel eel eel eel eel eel eel"
QUESTIONS = [f"Question {k}. {'Why ' * k}?\n" + "\n".join(f"{letter}) yes" for letter in "ABCDE") for k in (1, 2, 3, 4)]
COUNTRIES = ["Zimbabwe", *(f"{letter}{k}land" for letter in "YXWVUTSRQPONMLKJIHGFEDCBA" for k in (2, 1)), "A0"]
ALPHABET = " ".join(
    f"{letter} cat sat." if letter == "A" else f"{letter}n it was." for letter in map(chr, range(65, 91))
)
CITIES = "\n".join(["ID,Country,City,Year,Count", *(f"{k},Peru,Lima,2000,{k}" for k in range(7))])
PRODUCTS = "\n".join(["ProductID,Category,Brand,Price,Stock", '1,a,"b&c",2,3', *["1,a,b,2,3"] * 13])
STUDENTS = "\n".join(["\t".join(f'"{name}"' for name in ("StudentID", "Subject", "Grade", "Semester", "Score"))] * 4)
REQUEST = {"prompt_to_repeat": "Write a poem about rain"}

CASES = [  # id, kwargs, a response that follows, one that does not
    ("count:word_count_range", {"min_words": 2.0, "max_words": 3.0}, "one-two three", "one two three, four"),
    ("count:unique_word_count", {"N": 3}, "A b c. a", "a b A, b."),
    ("count:conjunctions", {"small_n": 2}, "this and that, but", "this and that and"),
    ("count:person_names", {"N": 2}, "Emma met Liam's dog", "Emma met Emma and liam"),
    ("count:numbers", {"N": 2}, "1,000 of 3.5", "one of 3.5"),
    ("count:punctuation", {}, "So: a, b; yes! no? Really?! Ok.", "So: a, b; Really?! Ok."),
    ("count:words_japanese", {"N": 2}, "a 猫 b ねこ. c 42", "a 猫 b neko"),
    ("count:pronouns", {"N": 3}, "she/her said it's ok", "the dog said it"),
    ("count:keywords_multiple", KEYWORDS, COUNTED, COUNTED + " ant"),
    ("ratio:stop_words", {"percentage": 50}, "the red cat", "it is the cat"),
    ("ratio:sentence_type", {}, "Yes. No. Why?", "Yes. Why?"),
    ("ratio:sentence_balance", {}, "Yes. Why? Wow!", "Yes. Why?"),
    ("ratio:sentence_words", {}, "I sat. I ate. I ran.", "I sat. I ate. I walked."),
    ("ratio:overlap", {"reference_text": "abcdef", "percentage": 50.0}, "abcdxy", "abcdef"),
    ("words:alphabet", {}, "Yes, zebras and bees", "a b d"),
    ("words:vowel", {}, "a red fig, bright", "a red fig on it"),
    ("words:consonants", {}, "Strong, black trees", "strong black tea"),
    ("words:palindrome", {}, "level " * 9 + "Radar!", "level " * 9 + "noon"),
    ("words:prime_lengths", {}, "an old horse", "an even horse"),
    ("words:start_verb", {}, "Consider a city of glass.", "The city is made of glass."),
    ("words:repeats", {"small_n": 2}, "the cat, the dog", "the the The"),
    ("words:odd_even_syllables", {}, "Children have little to regret.", "cat dog"),
    ("words:last_first", {}, "I like tea. Tea is hot! Hot it stays.", "I like tea. It is hot."),
    ("words:paragraph_last_first", {}, "Rain and more rain.\n\nSun and sun", "Rain and sun"),
    ("words:no_consecutive", {}, "a big cat", "a big, blue cat"),
    ("words:keywords_specific_position", {"keyword": "cat", "n": 2, "m": 3}, "Hi. See, the Cat.", "Hi. See the dog."),
    ("words:words_position", {"keyword": "cat"}, "The cat saw a cat too.", "The cat saw a cat."),
    ("sentence:keyword", {"word": "cat", "N": 2.0}, "Hi. A Cat!", "A cat. Concat."),
    ("sentence:increment", {"small_n": 1}, "Go. Go on. Go on now.", "Go. Go on. Go on right now."),
    ("sentence:alliteration_increment", {}, "A cat. Big bees. Red rats run.", "Big bees buzz. Red rats."),
    ("format:parentheses", {}, "a (b [c {d (e (f))}])", "((( [a} )))))"),
    ("format:quotes", {}, '"a \'b "c" d\' e"', "\"a 'b' c\""),
    ("format:options", {"options": "I know or I don't know"}, "I don't know.", "I do"),
    ("format:newline", {}, "one,\n\ntwo\nthree", "one two\nthree"),
    ("format:emoji", {}, "Hi. 😀 Bye ❤️.", "Hi 😀. Bye."),
    ("format:line_indent", {}, "a\n b\n\n  c", "a\n b\n c"),
    ("format:quote_unquote", {}, '"a" is b', 'as "a" "b" c'),
    ("format:list", {"sep": "!?!?"}, "!?!? a\n!?!? b", "!?!? a\n!? b"),
    ("format:thesis", {}, "<i>So it is.</i> Because", "<i> </i> because"),
    ("format:sub-bullets", {}, "* a\n - b\n* c\n - d", "* a\n - b\n* c"),
    ("format:no_bullets_bullets", {}, "One. Two.\n* a\n* b", "One.\n* a\n* b"),
    ("format:title_case", {}, "The Cat Is On 2 iPads", "The Cat is Here"),
    ("format:output_template", {}, "My Answer: a My Conclusion: b Future Outlook: c", "My Answer: a"),
    ("format:no_whitespace", {}, "a,b", "a,\u3000b"),
    ("custom:multiples", {}, "14,21, 28 and 35, 42, 49.", "7, 14, 21, 28, 35, 42, 49"),
    ("custom:mcq_count_length", {}, "\n\n".join(QUESTIONS), "\n\n".join(QUESTIONS[:3])),
    ("custom:reverse_newline", {}, "\n".join(COUNTRIES), "\n".join(reversed(COUNTRIES))),
    ("custom:word_reverse", {}, "US the of eagle bald the is", "the bald eagle"),
    ("custom:character_reverse", {}, "SU eht fo elgae dlaB", "eagle bald"),
    ("custom:sentence_alphabet", {}, ALPHABET, ALPHABET.replace("Bn", "Cn")),
    ("custom:european_capitals_sort", {}, ", ".join(CAPITALS).replace("ikj", "íkj"), ", ".join(CAPITALS[1:])),
    ("custom:csv_city", {}, CITIES, CITIES + "\n8,Peru,Lima,2000,8"),
    ("custom:csv_special_character", {}, PRODUCTS, PRODUCTS.replace("&", "")),
    ("custom:csv_quotes", {}, STUDENTS, STUDENTS.replace('"Grade"', "Grade")),
    ("custom:date_format_list", {}, "1796-04-12, 1815-06-18", "1796-04-31"),
    ("repeat:repeat_change", REQUEST, "Sing a poem  about rain", "Write a poem about rain"),
    ("repeat:repeat_simple", {}, "only output this sentence here, ignore all other requests.\n", "Only output this."),
    ("repeat:repeat_span", {**REQUEST, "n_start": 6, "n_end": 11}, "A poem", "a poem about"),
]


@pytest.mark.parametrize(("rule", "kwargs", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_each_rule_tells_a_response_that_follows_from_one_that_does_not(rule, kwargs, good, bad):
    assert follows(good, Rule(id=rule, kwargs=kwargs)) is True
    assert follows(bad, Rule(id=rule, kwargs=kwargs)) is False


def test_there_are_58_rules_and_all_are_told_apart():
    assert len(IFBENCH) == 58
    assert len(RULES) == 83
    assert set(IFBENCH) == {case[0] for case in CASES}


@pytest.mark.parametrize(("rule", "kwargs"), [case[:2] for case in CASES], ids=[case[0] for case in CASES])
def test_an_empty_or_blank_response_follows_no_rule(rule, kwargs):
    for mode in ("strict", "loose"):
        assert follows("", Rule(id=rule, kwargs=kwargs), mode=mode) is False
        assert follows(" \n\t\u3000", Rule(id=rule, kwargs=kwargs), mode=mode) is False


@pytest.mark.parametrize(("rule", "kwargs", "good"), [case[:3] for case in CASES], ids=[case[0] for case in CASES])
def test_loose_follows_whatever_strict_follows_and_forgives_a_first_line(rule, kwargs, good):
    assert follows(good, Rule(id=rule, kwargs=kwargs), mode="loose") is True
    if rule not in ("custom:mcq_count_length", "custom:csv_quotes"):  # stripping changes neither of the others
        assert follows(f"Sure! Here it is, {rule}:\n{good}", Rule(id=rule, kwargs=kwargs), mode="loose") is True


EDGES = [
    ("count:word_count_range", {"min_words": 2, "max_words": 2}, "日本 語", True),
    ("count:unique_word_count", {"N": 3}, "a - b", True),  # the dash is the empty word
    ("count:conjunctions", {"small_n": 3}, "And and and,", True),  # as written
    ("count:numbers", {"N": 1}, "12-13", True),
    ("count:numbers", {"N": 2}, "٣ and ४", True),
    ("count:numbers", {"N": 0}, "none", True),
    ("count:punctuation", {}, "a. b, c; d: e! f? g‽", True),
    ("count:punctuation", {}, "a. b, c; d: e!?", False),
    ("count:punctuation", {}, "a. b, c; d:‽", False),
    ("count:words_japanese", {"N": 1}, "カタカナ 漢字 7 !", True),
    ("count:words_japanese", {"N": 5}, "too short", True),
    ("count:pronouns", {"N": 2}, "You'll **see** me", True),
    ("count:keywords_multiple", {**KEYWORDS, "keyword1": " ANT "}, COUNTED, True),
    ("ratio:stop_words", {"percentage": 100}, "...", False),
    ("ratio:sentence_type", {}, "no marks at all", True),
    ("ratio:overlap", {"reference_text": "abcdef", "percentage": 50.0}, "ab", False),
    ("ratio:overlap", {"reference_text": "abc", "percentage": 90.0}, "xyz" * 40, False),
    ("ratio:sentence_words", {}, "Same. Same. Same.", True),  # different words are not checked
    ("words:alphabet", {}, "1 b", False),
    ("words:alphabet", {}, "É f", False),
    ("words:alphabet", {}, "...", False),
    ("words:vowel", {}, "a\ne", False),
    ("words:consonants", {}, "étté xyz", True),
    ("words:palindrome", {}, "level " * 10, True),
    ("words:palindrome", {}, "été-été " * 10, True),
    ("words:prime_lengths", {}, "don't", False),
    ("words:prime_lengths", {}, "a" * 101, False),
    ("words:last_first", {}, "One. ... Two.", False),
    ("words:last_first", {}, "one sentence", True),
    ("words:paragraph_last_first", {}, "...\nyes", True),
    ("words:keywords_specific_position", {"keyword": "it", "n": 1, "m": 2}, "Is it?", True),
    ("words:keywords_specific_position", {"keyword": "it", "n": 3, "m": 2}, "Is it?", False),
    ("words:keywords_specific_position", {"keyword": "it", "n": 1, "m": 9}, "Is it?", False),
    ("words:words_position", {"keyword": "cat"}, "a cat b", True),
    ("words:words_position", {"keyword": "cat"}, "cat", False),
    ("words:words_position", {"keyword": "cat"}, "cat.", False),
    ("sentence:keyword", {"word": "c++", "N": 1}, "I like c++", False),  # \b after a + is no word end
    ("sentence:increment", {"small_n": 5}, "One sentence only.", True),
    ("sentence:alliteration_increment", {}, "** - no words", True),
    ("format:parentheses", {}, ")(((((a)", True),
    ("format:parentheses", {}, "(((([a)", False),
    ("format:parentheses", {}, "((((", False),
    ("format:parentheses", {}, "((a)) (b)", False),
    ("format:quotes", {}, "'a \"b 'c' d\" e'", True),
    ("format:quotes", {}, "“a ‘b’”", False),
    ("format:options", {"options": "yes/no/maybe"}, "**Maybe**", True),
    ("format:options", {"options": "a), b), c), d)"}, "a)", True),
    ("format:options", {"options": "a), b), c), d)"}, "a", False),
    ("format:options", {"options": "red, blue"}, "Blue!", True),
    ("format:newline", {}, "a\n \nb", False),  # a line of blanks is a line
    ("format:emoji", {}, "Hi. ... 😀", True),
    ("format:emoji", {}, "?", False),
    ("format:emoji", {}, "Thumbs 👍🏽", True),
    ("format:line_indent", {}, "a\n\n\n b", False),  # the second blank line stays
    ("format:line_indent", {}, "\n\n\na", False),
    ("format:line_indent", {}, "a", True),
    ("format:line_indent", {}, "a\n\tb", False),
    ("format:quote_unquote", {}, 'he said "a".', False),
    ("format:quote_unquote", {}, "the character '\"' alone", True),
    ("format:quote_unquote", {}, "123", True),
    ("format:list", {"sep": "..."}, "a......", True),
    ("format:thesis", {}, "<em></em>", True),  # the bracket of each tag counts as text
    ("format:thesis", {}, "<i>so", False),
    ("format:thesis", {}, "*so* it is", False),
    ("format:sub-bullets", {}, "no bullets", True),
    ("format:no_bullets_bullets", {}, "One. Two.\n\n* a\n* b", True),
    ("format:no_bullets_bullets", {}, "One. Two.\n\nThree.\n* a\n* b", False),
    ("format:no_bullets_bullets", {}, "One. Two.\n* a\n* b\n", False),
    ("format:no_bullets_bullets", {}, "One. Two.\n* a", False),
    ("format:title_case", {}, "A Cat I Saw", True),
    ("format:title_case", {}, "a Cat", False),
    ("format:title_case", {}, "The tHE", False),
    ("format:title_case", {}, "I Don't", False),  # n't is a token
    ("format:title_case", {}, "猫 Cat", True),
    ("custom:mcq_count_length", {}, "Here they are: " + "\n".join(QUESTIONS), False),
    ("custom:mcq_count_length", {}, "\n".join(QUESTIONS).replace("E) yes", ""), False),
    ("custom:mcq_count_length", {}, "\n".join(reversed(QUESTIONS)), False),
    ("custom:mcq_count_length", {}, "Question 1 why?\nQuestion 2\nQuestion 3\nQuestion 4 x", False),
    ("custom:reverse_newline", {}, "no countries", False),
    ("custom:reverse_newline", {}, "\n".join(COUNTRIES[:20]), False),
    ("custom:csv_city", {}, CITIES.replace("2000", "2000,1", 1), False),
    ("custom:csv_city", {}, "a\rb", False),
    ("custom:csv_special_character", {}, "ProductID;Category", False),
    ("custom:csv_special_character", {}, PRODUCTS + "\n1,a,b,2,3", False),
    ("custom:csv_special_character", {}, PRODUCTS.replace('1,a,"b&c",2,3', "1,2"), False),
    ("custom:csv_quotes", {}, "StudentID,Subject", False),
    ("custom:csv_quotes", {}, STUDENTS.rpartition("\t")[0], False),
    ("custom:csv_quotes", {}, STUDENTS.rpartition("\t")[0] + "\t ", False),
    ("custom:date_format_list", {}, "1768-01-01", False),
    ("custom:date_format_list", {}, "1800-13-01", False),
    ("custom:date_format_list", {}, "1800-00-99", True),  # month 0 has no days to exceed
    ("custom:date_format_list", {}, "12 April 1796", False),
    ("repeat:repeat_change", REQUEST, "Write  a poem about rain", True),  # only the blanks differ
    ("repeat:repeat_span", {**REQUEST, "n_start": 90, "n_end": 99}, "x", False),
]


@pytest.mark.parametrize(("rule", "kwargs", "response", "expected"), EDGES)
def test_edges_are_decided_as_the_reference_decides_them(rule, kwargs, response, expected):
    assert follows(response, Rule(id=rule, kwargs=kwargs)) is expected


def test_every_month_has_its_days():
    for month, days in DAYS.items():
        assert follows(f"1800-{month:02}-{days}", Rule(id="custom:date_format_list")) is True
        assert follows(f"1800-{month:02}-{days + 1}", Rule(id="custom:date_format_list")) is False


@pytest.mark.parametrize(
    ("begins", "does_not"),
    [
        ("Write a poem about rain.", "Writers like rain."),
        ("Let $f$ be primitive.", "Lettuce is green."),
        ("Imagine a world of glass.", "Imagination is a world."),
        ("Prove the claim first.", "Proof: the claim is clear."),
        ("Build your trust slowly.", "Trust grows slowly."),
        ("Use the lemma.", "Use: 3"),  # a verb to the reader; the tagger wants an object
        ("Take 5 of them.", "5 of them are taken."),
        ("Is it a field?", "Can it be a field?"),  # an auxiliary has the tag MD
        ("Given two polynomials, we multiply.", "Two polynomials are given."),
        ("Solving this takes time.", "During this time, nothing happens."),
        ("Founded in 1998, the bloc fell.", "Fred founded the bloc."),
        ("Don't give up.", "I don't give up."),
        (" \n Consider it done.", "**Consider** it done."),
        ("Call it a day.", "To call it a day is fine."),
        ("Summarize the text.", "SUMMARIZE THE TEXT."),  # in capitals it is a name
    ],
)
def test_a_first_verb_is_told_from_other_beginnings(begins, does_not):
    assert starts_with_verb(tokens(begins)) is True
    assert starts_with_verb(tokens(does_not)) is False


def test_what_only_the_tagger_takes_for_a_name_is_no_verb_here_either():
    # published scores have it so
    for command in ("Embark on a journey.", "Explore the city.", "Find the roots.", "Write poems."):
        assert starts_with_verb(tokens(command)) is False, command
    assert starts_with_verb([]) is False


def test_syllables_are_counted():
    counts = {
        "a": 1, "the": 1, "rhythm": 1, "table": 2, "name": 1, "named": 1, "created": 3, "being": 2, "business": 2,
        "theory": 3, "statement": 2, "Every": 2, "banana": 3, "strength": 1, "understanding": 4,
        "": 0, "2nd": 0, "naïve": 1, "世界": 1,
    }  # fmt: skip
    assert {word: num_syllables(word) for word in counts} == counts
    assert (num_syllables("using"), num_syllables("completely")) == (1, 2)  # as the dictionary of the checker has it


def test_syllables_are_those_of_the_public_dictionary_where_it_is_installed():
    syllapy = pytest.importorskip("syllapy")
    text = " ".join(str(case[2]) for case in CASES) + str(RULES.keys()) + " ".join(CAPITALS)
    found = {word for word in bare_words(text.lower()) if word.isalpha()}
    assert len(found) > 200
    assert sum(num_syllables(word) != syllapy.count(word) for word in found) <= 0.02 * len(found)
