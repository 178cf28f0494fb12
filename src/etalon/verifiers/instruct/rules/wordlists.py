"""The word lists that rules count, each with its source."""

from __future__ import annotations


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# The English stop words of NLTK's corpus, by word class. Its contractions (don't) are left out: the rule reads runs of
# letters, so only their pieces (don, t) ever meet the list.
STOP_WORDS = _words(
    "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself",
    "it its itself they them their theirs themselves what which who whom this that these those",
    "am is are was were be been being have has had having do does did doing can will should",
    "a an the and but if or because as until while of at by for with about against between into through during before",
    "after above below to from up down in out on off over under",
    "again further then once here there when where why how all any both each few more most other some such no nor not",
    "only own same so than too very just now",
    "s t d ll m o re ve y ma don ain aren couldn didn doesn hadn hasn haven isn mightn mustn needn shan shouldn wasn",
    "weren won wouldn",
)

CONJUNCTIONS = _words("and but for nor or so yet")

# of `count:pronouns` in IFBench
PRONOUNS = _words(
    "i me we us you he him she her it they them my mine our ours your yours his hers its their theirs",
    "myself ourselves yourself yourselves himself herself itself themselves this that these those",
    "who whom whose which what whoever whomever whatever whichever anybody anyone anything everybody everyone",
    "everything nobody nothing somebody someone something each either neither both all some any none",
)

# named in the instruction `count:person_names` itself
PERSON_NAMES = _words(
    "Emma Liam Sophia Jackson Olivia Noah Ava Lucas Isabella Mason Mia Ethan Charlotte Alexander Amelia Benjamin",
    "Harper Leo Zoe Daniel Chloe Samuel Lily Matthew Grace Owen Abigail Gabriel Ella Jacob Scarlett Nathan Victoria",
    "Elijah Layla Nicholas Audrey David Hannah Christopher Penelope Thomas Nora Andrew Aria Joseph Claire Ryan Stella",
    "Jonathan",
)

# whose full stop ends no sentence (ours), less those that punkt does not know: i.e. and etc. are not among them
ABBREVIATIONS = _words(
    "mr mrs ms dr prof st sr jr sen rep gen col lt maj adm messrs inc ltd co corp bros vs ave ft",
    "u.s u.k u.n u.s.a d.c l.a n.y a.m p.m ph.d a.d jan feb aug sep sept oct nov dec",
    "c d e f g h k l m n p r s t v w",  # initials
)

# words whose capital shows that a sentence begins (ours)
OPENERS = STOP_WORDS | _words("also finish however include make note please thus use write")

# the profiles of langdetect 1.0.9
LANGUAGES = _words(
    "af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr ne nl no pa pl pt ro",
    "ru sk sl so sq sv sw ta te th tl tr uk ur vi zh-cn zh-tw",
)

# `custom:european_capitals_sort`: north of 45 degrees, from north to south, as IFBench has them
CAPITALS = (
    "Reykjavik", "Helsinki", "Oslo", "Tallinn", "Stockholm", "Riga", "Moscow", "Copenhagen", "Vilnius", "Minsk",
    "Dublin", "Berlin", "Amsterdam", "Warsaw", "London", "Brussels", "Prague", "Luxembourg", "Paris", "Vienna",
    "Bratislava", "Budapest", "Vaduz", "Chisinau", "Bern", "Ljubljana", "Zagreb",
)  # fmt: skip
