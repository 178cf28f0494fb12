r"""Takes off a question what another project's prompt put around it: how to think, and how to write the answer.

    "Solve the following math problem step by step. ... Find $x$. ... Remember to put your answer on its own line ..."
    -> "Find $x$."

Nobody can list the prompts of all projects, so a sentence is judged by its words. It is foreign when it says nothing
but how to respond: it holds a sign of that (an empty \boxed{}, <answer> tags, "####", "step by step", a fence to fill
in, 最终答案) and no word, number or formula that such sentences do without. Only the ends of a question are looked at,
and of a last sentence that asks for something, only the clause behind it goes: "Find $x$, and put it in \boxed{}."
"Express your answer as a fraction" has a word of its own, so it stays.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WINDOW = 3000  # (ours) characters at either end that may be foreign
MAX_CLAUSE = 400  # (ours) characters of a clause behind a task
MOST_EXAMPLES = 1 << 16  # (ours) characters of a prompt with examples
FEWEST_TURNS = 3  # (ours) questions of a prompt, of which all but the last are examples
MARK = "\ue000"  # stands for what is a sign of an instruction, character by character

# the words of sentences that tell how to respond; a question's own content needs others
_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
        a abcd abcde about above according accurate accurately actual actually add after again ai all along
        also always an analyzing and answer answered answering answers any anything appropriate are as ask
        asks assistant assistant's at attempt attempts automatic automatically b backtick backticks
        backtracking based be because been before begin being below best between block both box boxed boxes
        braces brackets brief briefly but by c call can can't cannot careful carefully chain challenge
        challenging choice choices choose chosen clear clearly code coding come command comments competition
        complete completely comprehensive comprehensively concise concisely conclude conclusion consider
        considering contain contained containing content conversation correct correctly cycle d data deep
        deeply definition delimiters detail detailed details develop develops directly do don't done double
        during e.g each efficiently effort either either's encapsulate enclose enclosed enclosing end ended
        ending ends english ensure entire etc every exactly example except executable expert explain
        explaining explanation explanations explicitly exploration exploring express expression extra
        extracted fewer field final finally finish finishes first follow following follows for forget form
        format formatted formatting from full fully function generate generated generation give given gives
        giving go good grade graded grader grading guess harmless has have help helpful here high hope how i
        i.e ie if implement important in include included including inclusive individual information input
        inputs insert inside instead instruction instructions internal into involve involves is it iteration
        iterations its itself json just keep language last latex let let's letter letters like line lines
        logical logically long main make mark markdown match matches math mathematical mathematician
        mathematics may mind minimal monologue multi multiple multiple-choice must my necessary need needed
        new next no not note nothing now number numbers numeric numerical of on once one ones only optimal
        option options or order other others otherwise out over output outside own paragraph part pass passes phase
        place placed placing please point precise precisely prefix present presented print printing problem
        problem-solving problems process program programmer programming prompt proper properly provide
        provided provides providing put putting python python3 question question's questions quickly quotation
        quotes rather reach reached read reading reason reasoning reasons reassessing refer refining
        reflection regardless remember reply request required respectively respond responding response
        responses result return returned returns right rigorous rigorously rule same sample science scientific
        section sections see select selected self-contained sentence separate separately shall should show
        showing shown simply single so solution solutions solve solved solver solves solving something
        specification specified standard start starting state stated states stdin stdout step step-by-step
        steps still structure style such summarizing sure systematic systematically tag tags take takes task
        test tests text than that the their them then there therefore these they thing think thinking thinks
        this thorough thoroughly those thought thoughts through ticks to triple try tutor two type under upon
        us use used useful user user's using valid various verified verify very want way we well
        well-structured well-thought-out when where which will with within without won't word words work would
        wrap wrapped wrapping write written you your yourself
        """,
    )
)
_FORMULA = re.compile(  # signs that are hidden before words are looked at
    r"""(?=[\\$\x08`<"'“‘«「#/]|[bf]?box|oxed|detailed)(?:
    \$*\\{0,2}(?:\\|\x08)?[fb]?(?:boxed|oxed|fbox)(?![a-zA-Z])\s*(?:\{(?:[^{}$\d=^]{0,40}|(?:\\text)?\{[^{}\d]{0,30}\}|\.\.\.)\}(?!\$?\s*[=<>]))?\$*
    |```\w*\s*\n?\s*(?:\#\s*)?(?:(?:your|the|write|insert|put|place|code|solution|program|here|python|goes|\.\.\.|and|
        enter|answer|final)[ \t\n#.]*){0,12}```
    |<(?P<tag>answer|final_answer|think|thinking|reasoning|solution|output|final|code)>[^<>]{0,160}</(?P=tag)>
    |</?(?:answer|final_answer|think|thinking|reasoning|solution|output|final|code)/?>
    |\$(?:answer|letter|choice|option)\b\$?
    |["'“‘`«「]{1,3}\s*(?:the\s+)?(?:(?:final|correct)\s+)*answer\b[^"'”’`»」\n]{0,40}["'”’`»」]{1,3}(?::\s*["'“][^"'”\n]{0,40}["'”])?
    |["'“‘`]{1,3}\s*\#{4}[^"'”’`\n]{0,30}["'”’`]{1,3}
    |(?<=after\s)\#{4}|(?<=with\s)\#{4}|(?<=by\s)\#{4}|(?<=following\s)\#{4}
    |(?<![\w/])/(?:no_)?think\b|\bdetailed\ thinking\ (?:on|off)\b
    |["'“‘]\s*(?:without\s+quotes|choice|letter)\s*["'”’]
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_SWITCH = re.compile(r"(?<![\w/])/(?:no_)?think\b|\bdetailed thinking (?:on|off)\b", re.IGNORECASE)
_STRONG = re.compile(  # signs in words
    r"step[- ]by[- ]step|without (?:the )?quotes|last line of|(?:its|their|a separate) own line|own line"
    r"|final answer|chain of thought|think (?:very )?(?:carefully|deeply)|reason (?:very )?(?:carefully|through)"
    r"|thinking process|reasoning process|self-contained|code block|delimiters|backticks|markdown|executable"
    r"|(?:solve|answer) the (?:following|given)|(?:solve|answer) (?:the|this) (?:\w+ )?(?:problem|question)s? below"
    r"|you are given (?:a|the) (?:\w+ )?(?:problem|question)|below is|here is|this is the problem|internal monologue"
    r"|solve (?:the|this) (?:\w+ ){0,2}(?:problem|question)s?\W*$"
    r"|you are an? |you will be given|conversation between|only the letter|choice letter|option letter"
    r"|(?:return|provide|give|write|output|show|generate|present|wrap|enclose|put) "
    r"(?:the |your |only |a |python )*(?:code|program|function)\b",
    re.IGNORECASE,
)
_BOXING = re.compile(r"\bbox(?:ed|es)?\b")
_TOPIC = re.compile(
    r"\b(?:answer\w*|solutions?|solv\w+|respon\w+|output|code|programs?|function|reason\w*|think\w*|thoughts?|choices?|"
    r"options?|letters?|steps?|step-by-step|problems?|questions?|assistant|user|result)\b"
)
# with what a sentence without a sign begins, beside one that has one
_STARTERS = re.compile(
    r"(?:you|your|please|do|don't|make|remember|note|now|then|the (?:user|assistant|answer|solution|reasoning|output)"
    r"|a conversation|solve|think|reason(?:ing)?|write|show|keep|use|let|let's|ensure|first|finally|only|be|also|"
    r"problem|question|user|assistant|answer|solution|response|instructions?|read|consider|follow|it should|this is|"
    r"here|simply|the function|put|place|present|give|provide|return|output|express|enclose|respond|wrap|format|"
    r"i want|i will give|if you (?:cannot|can't|are)|when you are|refer|where|at the end|this involves|structure|"
    r"important|conclude|end|begin|start)\b"
)
_CHINESE_SIGN = re.compile(r"一步一步|一步步|逐步|步骤|最终答案|最后答案|思考过程|推理过程|框|答案")
_CHINESE = re.compile(  # the words of Chinese instructions, the longer ones first
    r"一步一步|一步步|放置于|每一步|一个|一行|上述|下列|下面|不要|中文|仔细|以下|任何|作答|使用|其他|"
    r"内容|写在|分析|分步|务必|包含|包围|包裹|单独|即可|回复|回答|如下|字母|完成|完整|并且|形式|必须|"
    r"思考|我们|所有|按照|推理|提供|放入|放到|放置|数学|文字|最后|最终|末尾|条理|标签|标记|格式|框起|"
    r"正确|步骤|求解|注意|清晰|然后|理由|直接|确保|答案|简洁|结尾|结果|给出|给定|置于|要求|解决|解答|"
    r"解题|认真|详尽|详细|语言|说明|起来|输出|过程|这个|这道|进行|选择|选项|逐步|通过|问题|需要|题目|"
    r"与|中|为|之|于|仅|以|你|先|内|再|写|出|到|前|及|只|后|和|在|地|填|处|将|并|应|您|或|把|括|按|放|"
    r"是|来|框|用|的|让|该|请|里|间|题"
)
_HAN = re.compile(r"[㐀-鿿]")
_WORD = re.compile(r"[a-z]+(?:[-'’.][a-z0-9]+)*")
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)]|#{1,4})\s+")
_LABEL = re.compile(
    r"(?:question|problem|user|assistant|answer|solution|response|instruction|important|note|问题|题目|答案|解答)s?\s*[:：]"
)
_BESIDE_WORDS = re.compile(r"[\s.,:;!?()\"'“”‘’`*_#/\\\-–—\[\]{}<>…，。、：；！（）《》「」【】|" + MARK + "]*")
_ENDS = re.compile(
    r"(?<=[.!?;:])[\"'”’)*\]]*\s+|(?<=[a-z][.!])(?=[A-Z][a-z ]|[㐀-鿿])|\n+|(?<=[。！？；：])|(?<="
    + MARK
    + r")\s*\.?\s+(?=[A-Z])"
    r"|\s+(?=(?:Please|Let[’']s|Let us|Think|Reason|Put|Return|Remember|Make sure|Output|Present|Enclose|Wrap"
    r"|Respond)\b)"
)
_TEMPLATE = re.compile(r"\s*(?:<\|im_start\|>|<\|begin_of_text\|>|<\|start_header_id\|>|(?:<s>\s*)?\[INST\]|<[|｜])")
_TURN = re.compile(
    r"<\|im_start\|>user\s+(.*?)<\|im_end\|>|<\|start_header_id\|>user<\|end_header_id\|>(.*?)<\|eot_id\|>"
    r"|\[INST\](.*?)\[/INST\]|<[|｜]User[|｜]>(.*?)<[|｜]Assistant[|｜]>",
    re.DOTALL,
)
_FIRST_LABEL = re.compile(r"(?:Question|Problem|Q)[ ]?:", re.IGNORECASE)
_ANSWERED = re.compile(r"^(?:Answer|Solution|A)[ ]?:", re.IGNORECASE | re.MULTILINE)
_CLAUSE = re.compile(r"[,;，]?\s*\b(?:and then|and|then|but)\s+|[,;，]\s*(?:并)?|(?<=\S)\s*(?=\()|并(?=将|把|在|给|用)")
_HINT = re.compile(
    r"oxed|answer|step|think|reason|####|```|code|program|function|solv|you are|detailed|respon|instruct"
    r"|答案|推理|思考|框|步|解",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class _Judgement:
    is_sign: bool  # says how to respond, and nothing else
    is_beside: bool  # may stand beside a sentence that does


_CONTENT = _Judgement(is_sign=False, is_beside=False)


def without_switches(text: str) -> str:
    """A text without the words that turn the thoughts of other models on or off."""
    return _SWITCH.sub("", text).strip()


def without_frame(text: str) -> str:
    """The question without foreign instructions at its ends; the text itself, stripped, where nothing else is in it."""
    text = _after_examples(_of_user(text).strip())
    if not (_HINT.search(text, 0, WINDOW) or _HINT.search(text, max(0, len(text) - WINDOW))):
        return text
    alone = _without_end(_without_start(text))
    return alone or text


def _of_user(text: str) -> str:
    """What the user says, where a text is a whole prompt in the tokens of a chat template."""
    if not _TEMPLATE.match(text, 0, WINDOW):
        return text
    turns = [found[found.lastindex or 0] for found in _TURN.finditer(text)]
    return turns[-1] if turns else text


def _after_examples(text: str) -> str:
    """The last question of a prompt that shows questions with their answers before it (RLVR-GSM)."""
    if len(text) > MOST_EXAMPLES or not (label := _FIRST_LABEL.match(text)):
        return text
    turns = re.split(rf"^{re.escape(label[0])}", text[label.end() :], flags=re.MULTILINE)
    answered = [_ANSWERED.search(turn) for turn in turns]
    if len(turns) < FEWEST_TURNS or not all(answered[:-1]):
        return text
    question, _, begun = turns[-1].partition(answered[-1][0]) if answered[-1] else (turns[-1], "", "")
    return text if begun.strip() else question.strip()


def _without_start(text: str) -> str:
    masked = _masked(text[:WINDOW])
    cut = _run(masked, _sentences(masked))
    return text[cut[-1].stop :].strip() if cut else text


def _without_end(text: str) -> str:
    begin = max(0, len(text) - WINDOW)
    tail = text[begin:]
    masked = _masked(tail)
    sentences = list(_sentences(masked))
    cut = _run(masked, reversed(sentences))
    left = sentences[: len(sentences) - len(cut)]
    kept = tail[: cut[-1].start if cut else len(tail)].rstrip()
    if left and (clause := _clause(tail[left[-1]], masked[left[-1]])) is not None:
        kept = tail[: left[-1].start] + clause
    return (text[:begin] + kept).strip()


def _run(masked: str, sentences: Iterable[slice]) -> list[slice]:
    """The first sentences as long as they are foreign, if one of them is surely so."""
    run, is_sure = [], False
    for sentence in sentences:
        judgement = _judged(masked[sentence])
        if not (judgement.is_sign or judgement.is_beside):
            break
        run.append(sentence)
        is_sure = is_sure or judgement.is_sign
    return run if is_sure else []


def _sentences(masked: str) -> Iterator[slice]:
    """Where the sentences of a text stand; blanks belong to the one before them."""
    start = 0
    for end in (*(found.end() for found in _ENDS.finditer(masked)), len(masked)):
        if not masked[start:end].isspace() and start < end:
            yield slice(start, end)
            start = end


def _masked(text: str) -> str:
    """The text with every sign hidden, as long as before."""
    return _FORMULA.sub(lambda found: MARK * len(found[0]), text)


@functools.lru_cache(maxsize=4096)  # the sentences of a frame are those of the next row, too
def _judged(sentence: str) -> _Judgement:
    """What a masked sentence is."""
    plain = " ".join(_BULLET.sub("", sentence).lower().replace("’", "'").split())
    if plain.endswith(("?", "？")) or not _says_nothing_else(plain):
        return _CONTENT
    words = plain.replace(MARK, " ").strip(" .,:;!()\"'*_#-")
    has_han = _HAN.search(plain) is not None
    if MARK in plain or (has_han and _CHINESE_SIGN.search(plain)) or _LABEL.fullmatch(plain.strip("#* ")):
        return _Judgement(is_sign=True, is_beside=True)
    is_sign = bool(not has_han and _TOPIC.search(words) and (_STRONG.search(words) or _BOXING.search(words)))
    return _Judgement(is_sign=is_sign, is_beside=has_han or not words or _STARTERS.match(words) is not None)


def _says_nothing_else(plain: str) -> bool:
    """Whether all words are those of instructions, and nothing stands beside them."""
    if _HAN.search(plain):
        plain = _CHINESE.sub(" ", plain)
    words = _WORD.findall(plain)
    if not all(word.strip(".") in _WORDS or all(part in _WORDS for part in re.split("[-.]", word)) for word in words):
        return False
    return _BESIDE_WORDS.fullmatch(_WORD.sub(" ", plain)) is not None


def _clause(sentence: str, masked: str) -> str | None:
    """A sentence without its last clause, where that alone is foreign; None where it is not."""
    for found in _CLAUSE.finditer(masked, max(0, len(masked) - MAX_CLAUSE)):
        clause = masked[found.end() :]
        if MARK not in clause and not _STRONG.search(clause) and not _CHINESE_SIGN.search(clause):
            continue
        kept = sentence[: found.start()].rstrip()
        if kept and _judged(clause.strip("() ")).is_sign:
            end = sentence.rstrip()[-1:]
            return kept + (end if end in ".。" and kept[-1] not in ".!?。" else "")
    return None
