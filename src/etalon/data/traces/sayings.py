"""What a response says instead of solving: a refusal, talk of an answer that it was given, the problem once more.

Only what the response says itself counts: not what stands in quotes or in the prompt.
"""

from __future__ import annotations

import re

from etalon.data.ngrams import tokens
from etalon.data.traces.response import Fault, Response, around
from etalon.data.traces.scripts import without_asides
from etalon.types import Domain
from etalon.verifiers.text import extract_answer

OPENING = 400  # (ours) characters of a final part in which a refusal stands
LONG = 1500  # (ours) characters of a final part that does something, whatever it begins with
MIN_ECHO = 5  # (ours) words of a prompt whose copy is an echo
NEW = 0.1  # (ours) share of a prompt's words that an echo may add

_NOT = (
    r"(?:can(?:no|')t|can not|cannot|could ?n[o']t|(?: am|'m) (?:unable|not able|not allowed|not permitted) to"
    r"|(?:won'?t|will not)(?: be able to)?|(?:must|have to) (?:refuse|decline)(?: to)?)"
)
_DO = (
    r"(?:help|assist|comply|fulfill?|provide|answer|solve|do (?:that|this)|continue|complete|create|generate|engage"
    r"|respond|support|offer|give|process|proceed|discuss|share|participate|work on|address|handle|carry out|perform"
    r"|accept|accommodate|follow)"
)
_MODEL = r"(?:AI|artificial intelligence|(?:large )?language)(?: language)?"
_KIND = r"(?:model|assistant|system|chatbot)"
_REFERENCE = r"(?:reference|ground[- ]truth|gold(?:en|[- ]standard)?)"
_GIVEN = rf"(?:{_REFERENCE}|provided|supplied|given|expert(?:'s)?|teacher's)"
_WORK = (
    r"(?:solution|answer|response|rationale|explanation|derivation)(?! (?:choices?|options?|format|set|space|type|box))"
)
_SAYS = (
    r"(?:says?|states?|gives?|is|was|shows?|claims?|confirms?|indicates?|uses?|has|lists?|tells?|concludes?|suggests?"
    r"|provides?|arrives?|matches|agrees|reads|mentions|goes)"
)
_POINTS = (
    r"(?:according to|as (?:given|stated|shown|written|described|noted|seen|indicated|mentioned|per) ?(?:in|by)?"
    r"|based on|match(?:es|ing)?|consistent with|agrees? with|in line with|from|compar(?:e|ed|ing) (?:it |this )?with"
    r"|look(?:ing)? at|follow(?:s|ing)?|per|see|check(?:ing)?|in|with|against|copy(?:ing)?|use|using|by)"
)
_TOLD = r"(?: am| was| were| are|'m|'re)(?: already)? (?:given|told|provided with) (?:that )?"
_ANSWER = r"the (?:final |correct |right )?answer"
_VALUE = r" \W{0,4}(?:\d|\\)"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_REFUSAL = _any(
    rf"\bI\s?{_NOT} (?:\w+ly )?{_DO}\b",
    rf"\bsorry,? (?:but |for [^.\n]{{1,60}}, but )?I\s?{_NOT} (?:\w+ly )?{_DO}\b",
    r"\bI(?: am|'m) sorry,? (?:but )?(?:I don't|I do not|as an|there is no way|no )",
    r"\bI (?:apologi[sz]e|must apologi[sz]e),? but (?:I|as an)\b",
    r"\b(?:this|the|your) (?:request|question) (?:is (?:outside|beyond|against)|goes (?:beyond|against)|violates)\b",
    r"\bI(?: do not| don't) (?:know (?:the answer|how to (?:solve|answer))|feel comfortable|have the (?:cap)?ability)",
    r"\bI(?:'d| would) (?:rather not|prefer not to)\b|\bI give up\b|\bI (?:must|have to) decline\b",
    r"\bI(?: am|'m) not comfortable\b|\bit is not possible for me to\b",
    r"我(?:无法|不能|不会)(?:回答|提供|帮助|协助|完成|满足)|(?:抱歉|对不起)[，,]?\s*(?:但)?我(?:无法|不能)",
    r"\b(?:es )?tut mir leid,? (?:aber )?[^.\n]{0,40}\bnicht\b"
    r"|\bich kann (?:ihnen |dir )?(?:dabei |damit )?(?:leider )?nicht",
    r"\b(?:lo siento|disculp[ae]|lamento)[^.\n]{0,30}\bno puedo\b"
    r"|\b(?:desculpe|sinto muito|lamento)[^.\n]{0,30}\bnão posso\b",
    r"\bdésolée?,? [^.\n]{0,30}\bne (?:peux|puis) pas\b|\bmi (?:di)?spiace[^.\n]{0,30}\bnon posso\b",
    r"(?:извините|простите|к сожалению)[^.\n]{0,20} (?:я )?не (?:могу|можу|смогу) "
    r"|(?:申し訳|すみません)[^。\n]{0,40}(?:できません|かねます)"
    r"|(?:죄송|미안)[^.\n]{0,40}(?:수 없|못합)",
)
_SORRY = _any(rf"\bsorry,? (?:but )?(?:I|we)\s?{_NOT}")
_AS_AI = _any(
    rf"\bas an? {_MODEL}(?: {_KIND})?(?=[\s,.])[^.\n]{{0,20}}?(?:,| I\b)",
    rf"\bI(?: am|'m) (?:just |only |merely )?an? {_MODEL} {_KIND}\b|\bI(?: am|'m) an AI\b",
    r"\bI(?: am|'m) (?:ChatGPT|Claude|Qwen|DeepSeek|Gemini|GPT-\d)",
    r"作为(?:一个|一名)?(?:AI|人工智能|语言模型)",
)
_TALK = _any(
    rf"\b(?:the|this|their|my) {_GIVEN} (?:final )?{_WORK} {_SAYS}\b",
    rf"\b{_POINTS} (?:the|this) {_GIVEN} (?:final )?{_WORK}\b",
    rf"\b{_POINTS} the (?:solution|answer) (?:provided|supplied)\b",
    rf"\b(?:the|this) {_REFERENCE} (?:final )?{_WORK}\b",
    r"\bthe (?:provided |given )?reference (?:says|states|gives|claims|confirms|indicates)\b",
    r"\b(?:the|an|this) (?:answer key|answer sheet|solution manual|solution key|marking scheme)\b",
    r"\b(?:match|reach|arrive at|get to)(?:es|ing)? the (?:expected|reference|known|target) (?:final )?answer\b",
    r"\b(?:the|this) (?:ground truth|solution|answer) (?:that )?(?:was|is) (?:provided|given|supplied) to (?:me|us)\b",
    r"\b(?:the|this) (?:ground truth|solution|answer) (?:that )?(?:I|we) (?:was|were|am|ha(?:ve|d) been)"
    r" (?:given|provided|shown|told)\b",
    rf"\b(?:I|we){_TOLD}{_ANSWER}(?: (?:is|should be|equals|to be|as)| ?[:=])?{_VALUE}",
    rf"\bsince (?:I|we) (?:already )?know (?:that )?{_ANSWER} (?:is|should be|must be){_VALUE}",
)
_NOUNS = (" key", " sheet", " manual", " scheme", "reference", "ground", "gold")
_BRINGS = re.compile(
    r"(?:student|provided|given|following|proposed|claimed|attempted|incorrect|wrong|this|'s) (?:\w+ )?"
    r"(?:solution|answer|response|explanation|derivation)"
)


def refusal(response: Response) -> Fault | None:
    """A final part that refuses, gives up or speaks of the model that wrote it."""
    final = _plain(without_asides(response.final))
    about = _AS_AI.search(final)
    if about and not re.search(r"\b(?:AI|artificial intelligence|language model)", response.prompt):
        return Fault(kind="refusal", detail=around(response.final, about.start(), about.start() + 300))
    found = _REFUSAL.search(final[:OPENING])
    if found is None and response.domain not in (None, Domain.INSTRUCT):
        found = _SORRY.search(final[:OPENING])
    if found is None or response.is_asked(found[0]) or len(final) > LONG:
        return None
    is_answered = extract_answer(response.final) is not None or "```" in response.final
    return None if is_answered else Fault(kind="refusal", detail=around(response.final, found.start()))


def given_answer(response: Response) -> Fault | None:
    """Talk of a reference that the trace should not know. A solution that the problem brings may be talked of."""
    text = _plain(without_asides(response.text))
    for found in _TALK.finditer(text):
        if not _is_brought(found[0].casefold(), _plain(response.prompt).casefold()):
            return Fault(kind="speaks of a given answer", detail=around(response.text, found.start()))
    return None


def _is_brought(said: str, prompt: str) -> bool:
    """Whether the problem brings what the response speaks of: a student's solution, a reference, a solution of salt."""
    if any(word in prompt and word in said for word in _NOUNS):
        return True
    if not any(word in said for word in ("provided", "given", "supplied")):
        return False
    return ("given solution" in said and "solution" in prompt) or _BRINGS.search(prompt) is not None


def echo(response: Response) -> Fault | None:
    """A response, or a final part, that is the prompt again and little else."""
    if response.domain is Domain.INSTRUCT:
        return None
    asked = tokens(response.prompt)
    if len(asked) < MIN_ECHO or len(response.final) > 2 * len(response.prompt) + 200:
        return None
    said = tokens(response.final)
    if not said or len(said) < len(asked) // 2:
        return None
    while said[: len(asked)] == asked == said[len(asked) : 2 * len(asked)]:
        said = said[len(asked) :]
    joined, whole = f" {' '.join(said)} ", f" {' '.join(asked)} "
    added = len(said) - len(asked)
    is_copy = joined in whole or (whole in joined and added <= max(2, int(NEW * len(asked))))
    return Fault(kind="echo of the prompt", detail=around(response.final, 0)) if is_copy else None


def _plain(text: str) -> str:
    return text.replace("’", "'")
