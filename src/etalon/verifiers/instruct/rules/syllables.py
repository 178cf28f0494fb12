"""How many syllables an English word has, where the dictionary of the public checker is not installed.

    vowels in a row are one syllable; a final e is silent, but not in -ble; and there is at least one
    words that this miscounts are listed, the frequent ones: created, business, using

The listed counts are those of the public checker, right or wrong (`using` has one), because published scores depend on
them. On answers of a model that had no part in the lists, 99.8% of the words get the count of the checker (ours).
"""

from __future__ import annotations

import re

_VOWELS = re.compile("[aeiouy]+")
_DIGIT = re.compile(r"\d")
_LE = re.compile("[^aeiouy]le")


def _words(lines: str) -> frozenset[str]:
    return frozenset(lines.split())


_TWO_LESS = _words("""
accurately actively approximately availability carefully closely completely effectively flexibility fortunately
precisely regulatory safely sometimes ultimately unfortunately
""")

_ONE_LESS = _words("""
absolutely achieved achievement acquired added addressed advanced advertisement agricultural alleged allowed announced
approved armed arrangement arrived asked assumed attached authorized awareness awesome balanced barely baseball based
basement behavioral believed believes besides bigger biggest bombing business businesses cached called captured
careful caused centres changed changing charged charles checked closed closest clothes codes combined comes compared
compiled composed concerned confirmed considered consistently constantly contained controlled convinced correctly
covered customized dancing dates declared defined depending derived described designed desired detailed determined
developed developmental differently dining discovered discussed drives dropped earned ecological encouraged
encouraging engaged engagement enhanced entirely environmental equipped essentially established estimated evening
every everyday everything everywhere existing expected exposed extremely failed fastened faster featured filed files
filled finished fixed focused forced forecast formed framed frames framework funding games gateway genes getting gives
giving gloves grabbed grades grateful greatest guides happened harder having helped higher highest historically holes
homework household importantly improved improvement including increased increasingly informed initially inspired
installed introduced invented investor involved islamic james joined jokes jones killed lakes largely larger largest
launched learned leaves legally liked likelihood likely likewise lines linked lived lives lonely longer looked loved
loves machines makes managed management managing manufacturing marked measured measurement melted merely michelle
miles missed mixed moved movement moves named names nearest nodes notebook notes noticed observed occurred ones opened
opposed ordered organizational organized ourselves owned partially passed peaceful perceived personalized phones
picked pictured pipeline placed placement planned plates pleased politically powered prepared priced printed
processing produced progressed promised proposed purchased putting quotes raised rapidly rates reached received
recently recognized redeemed reduced referred refused registered relatively released remaining removed repeatedly
replaced replacement reporting required requirement requirements reserved respectively retired retirement revised
roles rules safety sales satellites saved scared scenes scheduled scores sealed secured seemed seemingly selected
served serves shared shares shipped shooting showed sides sidewalk signed significantly similarly sized skilled
slightly smaller smallest socially softly somehow something somewhat somewhere spending stared starting statement
statements states stones stopped stored stores stronger styles successfully suddenly supposed surely surprised
surrounded takes tales testing themes themselves thereby therefore tightly times tired tones tracked trading trained
transferred treated turned types typically unlikely used useful using viewed votes voting warehouse waves wednesday
whispered wholesale widely widespread willingness worked wrapped writes
""")

_ONE_MORE = _words("""
actual actually agree alliance anime annual antonio anxiety anyone applying appreciate appreciation appropriate area
argue associate audience austria aviation bacteria barrier being beyond bias biological biology brian buyer buying
cafe carrier carrying casual centre champion chaos charlie client coalition coffee colonial columbia committee
compliance continue continuous cookie cooperate cooperation coordinate create created creating creation creative
creativity creator criteria curiosity curious degree diagnose diagnosis diagram dialogue diameter diego diet disagree
doing dual dying easier employees european evaluate evaluation eventually experience experiences february fluid flying
fuel genuine geography giant going graduate graduation guarantee guardian hawaii idea ideal ideas identifying
ideological ideology immediate indian individual individuals industrial influence initiate intellectual interior
intermediate issue january jose korean layer layers layout linear lion louis loyal loyalty lying manual maria marie
material materials maybe media median medium movie museum mutual mysterious negotiate nike nuclear obvious ohio
ongoing orientation oversee paying period piano pierre player playing poem poems poetry portfolio premium previous
prior priority pursue quiet radio react reaction real realistic reality realize really recipe reconcile recreation
reinforce reliability reliable rescue revenue royal ruin ryan samuel saying scenario science sciences scientific
scientist scientists seeing serious sexual situation society sodium spiritual stadium statue studios superior theater
theoretical theory trial triangle triumph trying underlying unusual usual vacuum valuable value variable variation
variety various via victoria video violate violence visual voyage whoever
""")


def num_syllables(word: str) -> int:
    """The syllables of a word without marks, in any case; 0 for an empty one or one with a digit."""
    word = word.lower()
    if not word or _DIGIT.search(word):
        return 0
    if word in _TWO_LESS or word in _ONE_LESS:
        return _by_vowels(word) - (2 if word in _TWO_LESS else 1)
    return _by_vowels(word) + (word in _ONE_MORE)


def _by_vowels(word: str) -> int:
    count = len(_VOWELS.findall(word)) - word.endswith("e") + (_LE.fullmatch(word[-3:]) is not None)
    return max(count, 1)
