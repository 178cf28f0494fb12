"""Languages by script, frequent words and letters: each of those that langdetect knows, on a sentence of ours."""

import pytest

from etalon.verifiers.instruct.rules.languages import detect
from etalon.verifiers.instruct.rules.wordlists import LANGUAGES

SAMPLES = {
    "af": "Die ou man het nie geweet dat die winkel gesluit was nie, en hy het weer huis toe gegaan om te slaap.",
    "ar": "ذهب الرجل إلى السوق لأنه أراد أن يشتري الخبز، ولكن السوق كان مغلقا فعاد إلى البيت.",
    "bg": "Старият човек отиде на пазара, защото искаше да купи хляб, но той беше затворен и се върна у дома.",
    "bn": "বৃদ্ধ লোকটি রুটি কিনতে বাজারে গিয়েছিলেন, কিন্তু দোকান বন্ধ ছিল।",
    "ca": "L'home vell va anar al mercat perquè volia comprar pa, però els forns eren tancats i va "
    "tornar a casa amb el gos.",
    "cs": "Starý muž šel na trh, protože si chtěl koupit chléb, ale bylo zavřeno, a tak se vrátil domů.",
    "cy": "Aeth yr hen ddyn i'r farchnad oherwydd ei fod yn dymuno prynu bara, ond roedd y siop wedi cau.",
    "da": "Den gamle mand gik på markedet, fordi han ville købe brød, men der var lukket, og så gik "
    "han hjem efter noget tid.",
    "de": "Der alte Mann ging auf den Markt, weil er Brot kaufen wollte, aber es war geschlossen, "
    "und er ging nach Hause.",
    "el": "Ο γέρος πήγε στην αγορά για να αγοράσει ψωμί, αλλά ήταν κλειστά.",
    "en": "The old man went to the market because he wanted to buy bread, but it was closed and he went home.",
    "es": "El viejo fue al mercado porque quería comprar pan, pero estaba cerrado y se volvió a su casa con los niños.",
    "et": "Vana mees läks turule, sest ta tahtis leiba osta, aga see oli kinni ja ta läks koju tagasi.",
    "fa": "پیرمرد به بازار رفت تا نان بخرد، اما بازار بسته بود و او به خانه برگشت.",
    "fi": "Vanha mies meni torille, koska hän halusi ostaa leipää, mutta se oli kiinni ja hän palasi kotiin.",
    "fr": "Le vieil homme est allé au marché pour acheter du pain, mais il était fermé et il est rentré chez lui.",
    "gu": "વૃદ્ધ માણસ રોટલી ખરીદવા બજારમાં ગયો, પણ દુકાન બંધ હતી.",
    "he": "הזקן הלך לשוק כי רצה לקנות לחם, אבל החנות הייתה סגורה.",
    "hi": "बूढ़ा आदमी रोटी खरीदने के लिए बाज़ार गया, लेकिन दुकान बंद थी और वह घर लौट आया है।",
    "hr": "Stari čovjek je otišao na tržnicu jer je htio kupiti kruh, ali je bilo zatvoreno, što "
    "nije dobro, pa se vratio kući.",
    "hu": "Az öreg ember elment a piacra, mert kenyeret akart venni, de az zárva volt, és hazament.",
    "id": "Orang tua itu pergi ke pasar karena dia ingin membeli roti, tetapi toko itu tidak buka dan dia pulang.",
    "it": "Il vecchio è andato al mercato perché voleva comprare il pane, ma era chiuso e non gli "
    "restava che tornare a casa.",
    "ja": "おじいさんはパンを買いに市場へ行きましたが、店は閉まっていました。",
    "kn": "ಮುದುಕನು ರೊಟ್ಟಿ ಕೊಳ್ಳಲು ಮಾರುಕಟ್ಟೆಗೆ ಹೋದನು, ಆದರೆ ಅಂಗಡಿ ಮುಚ್ಚಿತ್ತು.",
    "ko": "할아버지는 빵을 사러 시장에 갔지만 가게는 닫혀 있었습니다.",
    "lt": "Senas žmogus nuėjo į turgų, nes jis norėjo nusipirkti duonos, bet buvo uždaryta ir jis grįžo namo.",
    "lv": "Vecais vīrs gāja uz tirgu, jo viņš gribēja pirkt maizi, bet tas bija slēgts, un viņš nāca mājās.",
    "mk": "Стариот човек отиде на пазар затоа што сакаше да купи леб, но беше затворено и тој се "
    "врати дома. Сите ги чека.",
    "ml": "വൃദ്ധൻ റൊട്ടി വാങ്ങാൻ ചന്തയിൽ പോയി, പക്ഷേ കട അടച്ചിരുന്നു.",
    "mr": "म्हातारा माणूस भाकरी घेण्यासाठी बाजारात गेला, पण दुकान बंद होते आणि तो घरी परत आला आहे.",
    "ne": "बूढो मानिस रोटी किन्न बजार गयो, तर पसल बन्द थियो र ऊ घर फर्कियो भने मलाई थाहा छैन।",
    "nl": "De oude man ging naar de markt omdat hij brood wilde kopen, maar die was dicht en dus ging hij naar huis.",
    "no": "Den gamle mannen gikk til torget fordi han ville kjøpe brød, men det var stengt etter "
    "noen timer, og da gikk han hjem.",
    "pa": "ਬੁੱਢਾ ਆਦਮੀ ਰੋਟੀ ਖਰੀਦਣ ਲਈ ਬਾਜ਼ਾਰ ਗਿਆ, ਪਰ ਦੁਕਾਨ ਬੰਦ ਸੀ।",
    "pl": "Stary człowiek poszedł na targ, ponieważ chciał kupić chleb, ale było zamknięte i wrócił do domu.",
    "pt": "O velho foi ao mercado porque não tinha pão em casa, mas estava fechado e ele voltou com as mãos vazias.",
    "ro": "Bătrânul a mers la piață pentru că voia să cumpere pâine, dar era închis și s-a întors acasă.",
    "ru": "Старик пошёл на рынок, потому что он хотел купить хлеба, но было закрыто, и он вернулся домой.",
    "sk": "Starý muž išiel na trh, lebo si chcel kúpiť chlieb, ale bolo zatvorené, tak sa vrátil "
    "domov a už nie je smutný.",
    "sl": "Stari mož je šel na trg, ker je hotel kupiti kruh, vendar je bilo zaprto in se je vrnil "
    "domov, kot so rekli vsi.",
    "so": "Ninka odayga ah wuxuu aaday suuqa si uu rooti u soo iibsado, laakiin waxaa la xiray oo "
    "guriga ayuu ku noqday.",
    "sq": "Plaku shkoi në treg sepse donte të blinte bukë, por ishte mbyllur dhe ai u kthye në shtëpi me një mik.",
    "sv": "Den gamle mannen gick till torget eftersom han ville köpa bröd, men det var stängt och då "
    "gick han hem igen.",
    "sw": "Mzee alikwenda sokoni kwa sababu alitaka kununua mkate, lakini duka la mkate lilikuwa "
    "limefungwa na watu wake.",
    "ta": "முதியவர் ரொட்டி வாங்க சந்தைக்குச் சென்றார், ஆனால் கடை மூடப்பட்டிருந்தது.",
    "te": "ముసలివాడు రొట్టె కొనడానికి సంతకు వెళ్ళాడు, కానీ దుకాణం మూసి ఉంది.",
    "th": "ชายชราไปตลาดเพื่อซื้อขนมปัง แต่ร้านปิดแล้ว",
    "tl": "Pumunta ang matanda sa palengke para bumili ng tinapay, pero sarado ito at umuwi na siya sa kanyang bahay.",
    "tr": "Yaşlı adam ekmek almak için pazara gitti ama dükkân kapalıydı ve o da eve geri döndü.",
    "uk": "Старий пішов на ринок, бо він хотів купити хліба, але було зачинено, і він повернувся додому.",
    "ur": "بوڑھا آدمی روٹی خریدنے کے لیے بازار گیا لیکن دکان بند تھی اور وہ گھر واپس آ گیا ہے۔",
    "vi": "Ông lão đi chợ để mua bánh mì, nhưng cửa hàng đã đóng cửa và ông trở về nhà.",
    "zh-cn": "老人去市场买面包,但是商店关门了,他说还会再来。",
    "zh-tw": "老人去市場買麵包,但是商店關門了,他說還會再來。",
}


def test_every_language_that_can_be_asked_for_has_a_sample():
    assert set(SAMPLES) == LANGUAGES


@pytest.mark.parametrize("code", sorted(SAMPLES))
def test_a_sentence_is_in_its_language_also_in_capitals_and_in_a_list(code):
    assert detect(SAMPLES[code]) == code
    assert detect(f"1. {SAMPLES[code].upper()}\n\n* {SAMPLES[code]}") == code


def test_letters_tell_nothing_where_there_are_none_and_english_where_nothing_else_is_told():
    assert detect("12345 + 3 = ?! 😀") is None
    assert detect("") is None
    for text in (
        "Lumina, Aquilina, Verdantia",
        "def total(values): return sum(values)",
        "The word naïve is from French, as is déjà vu, and we use them in English.",
        "In Russian, hello is привет.",
    ):
        assert detect(text) == "en", text
    assert detect("In English, a Zelda fan is called: фанат этой игры, и он играет в неё каждый день.") == "ru"


@pytest.mark.live
def test_most_of_the_sentences_are_in_the_same_language_for_langdetect():
    langdetect = pytest.importorskip("langdetect")
    langdetect.DetectorFactory.seed = 0
    same = [langdetect.detect(sample) == code for code, sample in SAMPLES.items()]
    assert sum(same) >= 0.9 * len(SAMPLES)  # of its own it takes short Chinese for Korean
