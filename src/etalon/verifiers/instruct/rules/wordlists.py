"""The lists that rules count: words, each with its source, and emoji."""

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

# frequent words of other languages in Latin letters, none of them an English word (ours)
FOREIGN = tuple(
    _words(line)
    for line in (
        "el la los las de del que y en un una es por con para como pero sus su lo al este esta son muy hay fue ser",
        "le la les des du et est une un que qui dans pour pas sur avec ce cette sont nous vous il elle au aux je mais",
        "der das den dem und ist ein eine nicht zu mit auf von im sich auch es wird sie ich aber wie oder bei nach",
        "il la gli di che e un una per non con sono della del nel anche come ma questo questa piu si lo dei alla",
        "o os as de do da em um uma que e para com por mais como dos das seu sua ser tem foi sao nao este esta",
        "de het een en van ik te dat die niet zijn op aan met voor er maar om hem dan ook naar wat als bij uit",
        "och att det som en pa av med till ett den har inte om jag ar var kan men vi han hon ska eller fran",
        "i w na z nie jest ze do sie to jak ale czy tym od dla przez jego ich oraz tylko byc ma co",
        "ve bir bu da de icin ile cok daha ama gibi olarak kadar sonra ne mi her olan var yok en ki",
        "yang dan di ini itu dengan untuk tidak dari dalam akan pada adalah juga ke saya kami mereka oleh sebagai bisa",
        "og det er som pa en av til med har ikke for den et jeg vi kan fra om var skal eller etter",
        "a az es egy hogy nem is meg van de ez vagy csak mint volt mar ha ki azt ezt",
    )
)

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

# Single characters with the property Emoji of Unicode (emoji-data.txt), digits, # and * left out. Flags and keycaps are
# sequences; a skin tone or a variation selector follows its emoji, so the last two characters tell.
_RANGES = """
a9 ae 203c 2049 2122 2139 2194-2199 21a9-21aa 231a-231b 2328 23cf 23e9-23f3 23f8-23fa 24c2 25aa-25ab 25b6 25c0
25fb-25fe 2600-2604 260e 2611 2614-2615 2618 261d 2620 2622-2623 2626 262a 262e-262f 2638-263a 2640 2642 2648-2653
265f-2660 2663 2665-2666 2668 267b 267e-267f 2692-2697 2699 269b-269c 26a0-26a1 26a7 26aa-26ab 26b0-26b1 26bd-26be
26c4-26c5 26c8 26ce-26cf 26d1 26d3-26d4 26e9-26ea 26f0-26f5 26f7-26fa 26fd 2702 2705 2708-270d 270f 2712 2714 2716
271d 2721 2728 2733-2734 2744 2747 274c 274e 2753-2755 2757 2763-2764 2795-2797 27a1 27b0 27bf 2934-2935 2b05-2b07
2b1b-2b1c 2b50 2b55 3030 303d 3297 3299 1f004 1f0cf 1f170-1f171 1f17e-1f17f 1f18e 1f191-1f19a 1f201-1f202 1f21a 1f22f
1f232-1f23a 1f250-1f251 1f300-1f321 1f324-1f393 1f396-1f397 1f399-1f39b 1f39e-1f3f0 1f3f3-1f3f5 1f3f7-1f4fd
1f4ff-1f53d 1f549-1f54e 1f550-1f567 1f56f-1f570 1f573-1f57a 1f587 1f58a-1f58d 1f590 1f595-1f596 1f5a4-1f5a5 1f5a8
1f5b1-1f5b2 1f5bc 1f5c2-1f5c4 1f5d1-1f5d3 1f5dc-1f5de 1f5e1 1f5e3 1f5e8 1f5ef 1f5f3 1f5fa-1f64f 1f680-1f6c5
1f6cb-1f6d2 1f6d5-1f6d9 1f6dc-1f6e5 1f6e9 1f6eb-1f6ec 1f6f0 1f6f3-1f6fc 1f7e0-1f7eb 1f7f0 1f90c-1f93a 1f93c-1f945
1f947-1f9ff 1fa70-1fa7c 1fa80-1fac6 1fac8 1facc-1fadd 1fadf-1faeb 1faef-1fafa
"""
_SPANS = [[int(end, 16) for end in span.split("-")] for span in _RANGES.split()]
EMOJI = frozenset(chr(code) for span in _SPANS for code in range(span[0], span[-1] + 1))
