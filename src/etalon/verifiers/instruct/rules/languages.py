"""Which language a text is in, where the detector of the public checker (langdetect) is not installed.

    letters -> the script that most of them are in -> its language, or the one of its languages that has most of its
    frequent words and own letters in the text

It knows the 55 languages of the detector, by the lists below (ours). On the paragraphs of the Universal Declaration of
Human Rights in all of them it agrees with the detector as docs/rules.md says; on a few words neither can be trusted.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

MARGIN = 0.5  # (ours) by how much another language in Latin letters must be ahead of English
MAX_CHARS = 20_000  # (ours) more says nothing new
_WORD = re.compile(r"[^\s\d!-&(-/:-@\[-`{-~«»„“”‘।॥،؛؟—–…]+")  # \w would cut words of India at their vowel signs

# first and last code point of each script's main blocks
_SCRIPTS = {
    "latin": "41-5a 61-7a c0-d6 d8-f6 f8-24f 1e00-1eff",
    "greek": "370-3ff 1f00-1fff",
    "cyrillic": "400-52f",
    "hebrew": "590-5ff",
    "arabic": "600-6ff 750-77f fb50-fdff fe70-feff",
    "devanagari": "900-97f",
    "bengali": "980-9ff",
    "gurmukhi": "a00-a7f",
    "gujarati": "a80-aff",
    "tamil": "b80-bff",
    "telugu": "c00-c7f",
    "kannada": "c80-cff",
    "malayalam": "d00-d7f",
    "thai": "e00-e7f",
    "hangul": "1100-11ff 3130-318f ac00-d7a3",
    "kana": "3041-30ff",
    "han": "3400-4dbf 4e00-9fff",
}
_ONE_LANGUAGE = {
    "greek": "el", "hebrew": "he", "bengali": "bn", "gurmukhi": "pa", "gujarati": "gu", "tamil": "ta", "telugu": "te",
    "kannada": "kn", "malayalam": "ml", "thai": "th", "hangul": "ko", "kana": "ja",
}  # fmt: skip

# letters that one language of a script has and its neighbours have not, or rarely
_LETTERS = {
    "cyrillic": {"ru": "ыэё", "uk": "іїєґ", "bg": "ъ", "mk": "ѓќѕџљњј"},
    "arabic": {"ar": "ةىأإكي", "fa": "پچژگکی", "ur": "پچژگکیٹڈڑںےہھ"},
    "devanagari": {"mr": "ळ"},
    "han": {
        "zh-cn": "个们这来时会对说还过开关东车长门问见书电买卖国学发经实现务与权应为无从众动华体专业义产亲"
        "听读让认识记语请谢",
        "zh-tw": "個們這來時會對說還過開關東車長門問見書電買賣國學發經實現務與權應為無從眾動華體專業義產親"
        "聽讀讓認識記語請謝",
    },
    "latin": {
        "vi": "ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹđơư", "tr": "ğışİ", "ro": "ășțşţ", "pl": "ąęłńśźż",
        "cs": "ěřů", "sk": "ľĺŕôä", "hu": "őű", "lt": "ėįųą", "lv": "āēīņļķģ", "et": "õ", "de": "ß", "es": "ñ¿",
        "pt": "ãõ", "fr": "œçèêù", "da": "æøå", "no": "æøå", "sv": "äöå", "fi": "äö", "hr": "ćđ", "ca": "·",
        "cy": "ŵŷ", "sq": "ëç", "it": "ìò",
    },
}  # fmt: skip

# frequent words of each language
_WORDS = {
    "cyrillic": {
        "ru": "и в не на что с по как это его он она но из у за от то все так же для бы вы мы они был было или если "
        "их",
        "uk": "і в не на що з по як це його він вона але із у за від то все так для ви ми вони був було або якщо їх "
        "та є",
        "bg": "и в не на че с по как това му той тя но от за са се да е ще като или ако при има бъде както тези във",
        "mk": "и во не на дека со по како тоа него тој таа но од за се да е ќе или ако при има биде што ги ја го "
        "сите",
    },
    "arabic": {
        "ar": "في من على إلى أن التي الذي هذا هذه ما لا كان مع عن أو كل ذلك هو هي قد بين لم كما",
        "fa": "در از به که این را با است برای آن یک می خود تا بر هم شود هر یا ما نیز های شده باشد کرد بود دارد",
        "ur": "میں کے کی ہے اور سے کا کو اس کہ پر یہ نے ہیں ایک بھی تو ہو جو کر وہ نہیں گا گی",
    },
    "devanagari": {
        "hi": "के में है की को और से का हैं कि पर इस यह एक नहीं भी ने हो या था जो अपने लिए तो वह करने किसी उसे गया "
        "करना",
        "mr": "आणि आहे या व च्या ते हे की तो ती नाही आहेत एक हा ही मध्ये होते त्या केला साठी असे पण किंवा सर्व "
        "त्याच्या येईल करण्याचा",
        "ne": "र को मा छ हो का छन् भने पनि यो एक लागि गर्न गरेको तथा वा हुने छैन थियो हुन् आफ्नो सबै मेरो भएको "
        "प्रत्येक व्यक्तिलाई हुनेछ",
    },
    "latin": {
        "af": "die en van in is nie het te dit vir met op wat ’n n aan sy word ook as hy hulle om by kan was ons sal "
        "elke",
        "ca": "de la que i el en els les a per un una no es amb és del al són o com més però seva tot ha aquest hi "
        "pel ser té dret tota dels als seus llur aquesta altres ni què perquè també molt ens cap",
        "cs": "a se v na je že to s z do o i jako za k by ale po si pro ve jsou jeho od které který tak být nebo má "
        "každý právo při jsem není jejich svého kdo ani své",
        "cy": "y yr yn a i o ar ei mae am bod ac wedi gan ni fod sydd un mewn hawl eu neu bob at na i'r gyda fel oes "
        "ddim",
        "da": "og i at det er en til af på for med de den der et ikke som har jeg han var kan om fra så eller også "
        "blev ved enhver sin skal vi du man mig hvad efter sig noget nogen blive ret frihed",
        "de": "der die das und in den von zu mit ist des sich im nicht ein eine auf für dem als auch es an er sie "
        "wird ich oder aus bei nach wie dass wir haben",
        "en": "the of and to in a is that for it as was with be by on not he his but at are this have from or had an "
        "they which one you were all her she there would their we him been has when who will no more if out so "
        "what do can my each any how than may only your don't i'm it's hi hello yes thanks",
        "es": "de la que el en y los las del un una por con no es para su al lo como más pero sus o este toda "
        "persona se ha son muy sin sobre también hay fue ser",
        "et": "ja on ei et see oma kui ta ka mis või ning aga selle kes nii oli tema igal kõik seda välja saab olla "
        "nende inimese õigus ma mida siis",
        "fi": "ja on ei että se hän oli joka mutta ovat kuin tai myös sen ole niin hänen jokaisella mitä ne kun jos "
        "olla tämä sekä oikeus voi minä kaikki",
        "fr": "de la le et les des en un une du est que dans pour qui par sur pas au il elle avec ce ne sont plus se "
        "aux nous vous ou cette mais toute tout son sa ses je",
        "hr": "i u je na se da za su od s ne kao što biti ili ima svatko pravo koji koje iz će o po bez sam nije svi "
        "to također treba može prema tijekom uvjetima svake",
        "hu": "a az és hogy nem egy is meg van ez de ki mint csak minden el már még azt volt vagy ha lehet sem amely "
        "joga személynek kell olyan mert be",
        "id": "yang dan di ini itu dengan untuk tidak dari dalam akan pada adalah juga ke saya atau setiap orang "
        "berhak mereka oleh sebagai bisa ada kami telah hak harus dapat",
        "it": "di che e la il in un a per è una non sono si con del le da della i come gli nel anche lo alla ha più "
        "ma ogni diritto questo dei delle al ed essere suo",
        "lt": "ir yra kad su į ne iš tai jis kaip jo o buvo už bet kiekvienas turi teisę arba nuo taip visi apie "
        "būti ar savo jų gali tik aš šis mes",
        "lv": "un ir ar no ka par uz kas tā viņa bija to nav pie bet ikvienam cilvēkam tiesības vai visi arī lai "
        "savu kā pēc būt es tas šis mēs var",
        "nl": "de het een en van in is dat te op die niet met zijn voor er maar aan om als ook bij door naar wordt "
        "uit ik hij zij ieder recht heeft of wij dan nog over deze",
        "no": "og i å det er en til av på for med de den som et ikke har jeg han var kan om fra så eller også ble "
        "ved enhver sin skal vi du man seg hva etter noen ikkje bli rett frihet mot hver alle",
        "pl": "i w na z nie że się do to jest o jak po co od za przez ale dla są oraz jego który prawo każdy lub ma "
        "czy tym być tak jako ich był",
        "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das à seu "
        "sua ou ser tem toda pessoa são pelo pela você isso",
        "ro": "de și în a la cu că nu este o pe din să se un care pentru mai sau sunt orice are dreptul prin dar fi "
        "ca au lui al ale unei său persoană fie el ea",
        "sk": "a sa v na je že to s z do o i ako za k by ale po si pre vo sú jeho od ktoré ktorý tak byť alebo má "
        "každý právo pri aj nie som nemá ich svojej kto ani svoje ktorá",
        "sl": "in je v na se da za so ne z od kot tudi pa ki bi ali do pravico vsakdo ima po pri biti ni o iz lahko "
        "svoje tem brez sem vse",
        "so": "iyo in ka oo waa ku u la uu ah ay soo waxaa si kale leeyahay xaq qof kasta ama ee aan ayaa ugu loo "
        "isaga kuwa wax",
        "sq": "e të në i për me dhe një që nga nuk është se ka si do ose por më çdo drejtë tij janë kjo ky gjithë "
        "duhet te edhe kanë",
        "sv": "och i att det är en till av på för med de den som ett inte har jag han var kan om från så eller också "
        "blev vid envar sin skall ska vi du man sig vad efter någon",
        "sw": "ya na wa kwa ni katika la za kuwa mtu kila haki yake au cha hii ana kama wake watu huo wote yoyote "
        "bila pia lakini si hiyo yenye ili sana",
        "tl": "ang ng sa na mga at ay hindi ito may isa kung para siya niya ko mo bawat tao karapatan o nang kanyang "
        "lahat maging walang ako sila ni din",
        "tr": "ve bir bu da de için ile çok daha ama gibi olarak kadar sonra ne her veya hakkı vardır olan var ya ki "
        "ben değil herkes şahsın hiçbir en mi",
        "vi": "và của có là được không các trong một cho người với những để quyền mọi hay đã này từ khi đều về như "
        "tôi bất phải cũng ai",
    },
}  # fmt: skip


def detect(text: str) -> str | None:
    """The ISO 639-1 code of the language, as langdetect writes it; None when the text has no letters of a script above.

    Latin letters are English unless another language is ahead by MARGIN: a list of names, a line of code.
    """
    text = unicodedata.normalize("NFC", text[:MAX_CHARS]).lower()
    letters = Counter(text)
    scripts = {name: sum(letters[character] for character in _CHARACTERS[name] & letters.keys()) for name in _SCRIPTS}
    if not any(scripts.values()):
        return None
    script = max(scripts, key=scripts.__getitem__)
    if script == "han" and scripts["kana"] * 10 > scripts["han"]:
        script = "kana"
    if script in _ONE_LANGUAGE:
        return _ONE_LANGUAGE[script]
    scores = _scores(script, text, letters)
    best = max(scores, key=scores.__getitem__)
    return "en" if script == "latin" and scores[best] < scores["en"] + MARGIN else best


def _characters(spans: str) -> frozenset[str]:
    ends = ([int(end, 16) for end in span.split("-")] for span in spans.split())
    return frozenset(chr(code) for first, last in ends for code in range(first, last + 1))


_CHARACTERS = {name: _characters(spans) for name, spans in _SCRIPTS.items()}
_FREQUENT = {
    script: {
        code: frozenset(word for word in line.split() if len(word) > 1 or script != "latin")
        for code, line in languages.items()
    }
    for script, languages in _WORDS.items()
}


def _scores(script: str, text: str, letters: Counter[str]) -> dict[str, float]:
    """Per language, its frequent words and own letters in the text, each shared among the languages that have it."""
    words = Counter(_WORD.findall(text))
    frequent = _FREQUENT.get(script, {})
    own = _LETTERS.get(script, {})
    scores = dict.fromkeys({**frequent, **own}, 0.0)
    for code, vocabulary in frequent.items():
        for word in vocabulary & words.keys():
            scores[code] += words[word] / sum(word in other for other in frequent.values())
    for code, alphabet in own.items():
        for letter in set(alphabet) & letters.keys():
            scores[code] += letters[letter] / sum(letter in other for other in own.values())
    return scores
