r"""Chemical formulas, for STEM answers: H2O, H_2O, \mathrm{H}_2\mathrm{O} and \ce{H2O} are one.

They compare as text, element symbols with counts: C2H6O and CH3CH2OH are two answers. A symbol with an index may be a
variable as well (`P_2V_2`), so formulas that differ are different only if one of them is not written like those.

    ions        Fe3+  Fe^{3+}  \mathrm{Fe}^{+3}  ->  "Fe3+"        isotopes   {}^{14}_{6}C  C-14  carbon-14  ->  "^14C"
    reactions   2H2 + O2 -> 2H2O  ->  the formulas of each side, in any order
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from etalon.verifiers.math import DIFFERENT, Comparison, Reason

MAX_CHARS = 200  # (ours) of a formula
WORDS = frozenset(("no", "in", "i", "as", "at", "he", "be"))  # that look like formulas
NON_METALS = frozenset(("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"))  # that make ions of several atoms
MAX_REACTION_CHARS = 600  # (ours)

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts "
    "Og"
)
_NAMES = (
    "hydrogen helium lithium beryllium boron carbon nitrogen oxygen fluorine neon sodium magnesium aluminium "
    "silicon phosphorus sulfur chlorine argon potassium calcium scandium titanium vanadium chromium manganese "
    "iron cobalt nickel copper zinc gallium germanium arsenic selenium bromine krypton rubidium strontium "
    "yttrium zirconium niobium molybdenum technetium ruthenium rhodium palladium silver cadmium indium tin "
    "antimony tellurium iodine xenon cesium barium lanthanum cerium praseodymium neodymium promethium samarium "
    "europium gadolinium terbium dysprosium holmium erbium thulium ytterbium lutetium hafnium tantalum "
    "tungsten rhenium osmium iridium platinum gold mercury thallium lead bismuth polonium astatine radon "
    "francium radium actinium thorium protactinium uranium neptunium plutonium"
)
_NUMBERS = {symbol: number for number, symbol in enumerate(_SYMBOLS.split(), 1)}
_SYMBOL_OF = dict(zip(_NAMES.split(), _SYMBOLS.split(), strict=False)) | {
    "aluminum": "Al", "sulphur": "S", "caesium": "Cs", "tritium": "H",
}  # fmt: skip
_ELEMENT = "(?:" + "|".join(sorted(_SYMBOLS.split(), key=len, reverse=True)) + ")"
_GROUP = rf"(?:{_ELEMENT}\d*|\((?:{_ELEMENT}\d*)+\)\d*|\[(?:{_ELEMENT}\d*|\((?:{_ELEMENT}\d*)+\)\d*)+\]\d*)"
_FORMULA = re.compile(rf"{_GROUP}+(?:[·*]\d*{_GROUP}+)*")
_UPRIGHT = re.compile(r"\\(?:ce|text|mathrm|textrm|mathsf|textbf|mathbf|operatorname|rm|bf|boxed)(?![a-zA-Z])")
_DRESSING = re.compile(r"\\[,;:! ()\[\]]|[\s{}$]|\\(?:left|right)(?![a-zA-Z])")
_DOT = re.compile(r"\\(?:cdot|times|bullet)(?![a-zA-Z])|⋅|•|\.(?=\d*[A-Z])")
_ION = re.compile(r"[\s{]+(?:ions?|cations?|anions?)\}?$")

_CHARGE = re.compile(r"(?P<body>.+?)(?P<caret>\^?)\(?(?:(?P<count>\d?)(?P<sign>[+-]+)|(?P<first>[+-])(?P<last>\d))\)?")
_HYBRID = re.compile(r"(?:d\^?2?)?sp(?:\^?[23])?(?:d(?:\^?2)?)?")  # orbitals
_PREFIX = re.compile(r"(?:\^(\d{1,3}))?(?:_(\d{1,3}))?(?:\^(\d{1,3}))?(?=[A-Z])")
_NAMED_ISOTOPE = re.compile(rf"(?:({_ELEMENT})-|([A-Za-z]{{3,13}})[ -])(\d{{1,3}})")
_ARROW = re.compile(
    r"<?-{1,2}>|<?=>|[→⟶⇌⇄↔⟷]|\\x(?:right|left)?(?:left)?(?:right)?(?:arrow|harpoons)(?:\[[^\]]*\])?\{[^{}]*\}"
    r"|\\(?:long|Long)?(?:right|leftright|Right|Leftright)arrow(?![a-zA-Z])|\\(?:to|rightleftharpoons)(?![a-zA-Z])"
)
_OPERATION = re.compile(r"\\(?:lim|int|sum|prod)(?![a-zA-Z])")
_STATE = re.compile(r"\((?:s|l|g|aq)\)|_\((?:s|l|g|aq)\)|↑|↓|\\(?:uparrow|downarrow)(?![a-zA-Z])")
_PLUS_APART = re.compile(r"\s\+\s")
_PLUS = re.compile(r"(?<!\^)(?<!\^\d)\+(?=\d*(?:[A-Z(\[^_]|e[-^]))")
_HALF = re.compile(r"\\[dt]?frac\s*\{?(\d)\}?\s*\{?(\d)\}?")
_COEFFICIENT = re.compile(r"(\d+(?:/0*[1-9]\d*|\.\d+)?)\s*\*?(?=\D)")


def formula(text: str) -> str | None:
    """The formula that a text consists of, in one spelling, with its mass number and charge; None for anything else."""
    if len(text) > MAX_CHARS:
        return None
    text = _UPRIGHT.sub("", _one_script(text.strip().rstrip(".")))
    if (found := _NAMED_ISOTOPE.fullmatch(text.strip("{}$ "))) is not None:
        return _isotope(found[1] or _SYMBOL_OF.get(found[2].casefold(), ""), found[3], None)
    plain = _DRESSING.sub("", _DOT.sub("·", _ION.sub("", _STATE.sub("", text))))
    mass = number = None
    if (prefix := _PREFIX.match(plain)) and prefix.end():
        mass, number, plain = prefix[1] or prefix[3], prefix[2], plain[prefix.end() :]
    plain = plain.replace("_", "")
    if _HYBRID.fullmatch(plain):
        return plain.replace("^", "")
    plain, charge = _charge(plain)
    if not _FORMULA.fullmatch(plain):
        return None
    if mass is None:
        return plain + charge if number is None else None
    whole = _isotope(plain, mass, number) if plain in _NUMBERS else f"^{mass}{plain}"
    return None if whole is None else whole + charge


def _one_script(text: str) -> str:
    """Superscripts and subscripts of Unicode as plain characters, the former after a caret where a mass begins."""
    if text.isascii():
        return text
    text = re.sub(r"^[⁰¹²³⁴-⁹]+", lambda found: "^{" + unicodedata.normalize("NFKC", found[0]) + "}", text)
    return unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")


def _charge(plain: str) -> tuple[str, str]:
    """(formula, charge) as "^3+", "^-" where it is written up, as "3+", "-" where it stands on the line."""
    if (found := _CHARGE.fullmatch(plain)) is None:
        return plain, ""
    body = found["body"]
    if body.startswith("[") and body.endswith("]") and _FORMULA.fullmatch(body[1:-1]):
        body = body[1:-1]
    if found["first"] and not found["caret"]:  # a sum
        return plain, ""
    if found["first"]:
        count, sign = found["last"], found["first"]
    else:
        count, sign = found["count"], found["sign"]
        if len(sign) > 1:
            count, sign = str(len(sign)), sign[0]
    is_raised = bool(found["caret"] or found["first"])
    return body, ("^" if is_raised else "") + ("" if count == "1" else count) + sign


def are_same_formulas(one: str, other: str) -> bool:
    """Whether two formulas are one. On the line a number before the sign may be its count or an atom's: Fe3+, NH4+."""
    return not _ways(one).isdisjoint(_ways(other))


def _ways(plain: str) -> set[tuple[str, str]]:
    body, caret, charge = plain[1:].rpartition("^")
    if caret:
        return {(plain[0] + body, charge)}
    if plain[-1] not in "+-":
        return {(plain, "")}
    sign, body = plain[-1], plain[:-1]
    if not body[-1].isdigit():
        return {(body, sign)}
    as_count, as_charge = (body, sign), (body[:-1], body[-1] + sign)
    if body[:-1] in _NUMBERS:  # Fe3+, but O2- may be either
        return {as_charge, as_count} if body[:-1] in NON_METALS else {as_charge}
    return {as_charge} if body[-2].isdigit() else {as_count}  # SO42-, NH4+


def _isotope(symbol: str, mass: str, number: str | None) -> str | None:
    """Its mass number before its symbol; the atomic number says nothing new, unless it is that of another element."""
    own = _NUMBERS.get(symbol)
    if own is None or int(mass) < own:
        return None
    return f"^{mass}{symbol}" if number is None or int(number) == own else f"^{mass}_{number}{symbol}"


def reaction(text: str) -> tuple[tuple[str, ...], ...] | None:
    """The terms of each side of an equation of a reaction, sorted; None for a text without one arrow at least.

    An equals sign is an arrow between formulas.
    """
    if len(text) > MAX_REACTION_CHARS or _OPERATION.search(text):
        return None
    text = _STATE.sub("", _UPRIGHT.sub("", _HALF.sub(r"\1/\2", _one_script(text).strip().rstrip("."))))
    sides = _ARROW.split(text.strip("$ "))
    if len(sides) < 2:
        sides = text.strip("$ ").split("=")
        if len(sides) != 2 or not all(map(_is_counted, sides)):  # P=UI is no reaction
            return None
    terms = tuple(tuple(sorted(_term(term) for term in _split(side))) for side in sides)
    return terms if all(terms) else None


def _is_counted(side: str) -> bool:
    """Whether all terms are formulas, and one has a count."""
    terms = _split(side)
    return all(formula(_COEFFICIENT.sub("", term)) for term in terms) and any(c.isdigit() for c in side)


def _split(side: str) -> list[str]:
    terms = [term for apart in _PLUS_APART.split(side) for term in _PLUS.split(_DRESSING.sub("", apart))]
    return [term for term in terms if term]


def _term(term: str) -> str:
    """A term in one spelling: a count and a formula, or other text, in which case counts only in short names."""
    count = Fraction(1)
    if found := _COEFFICIENT.match(term):
        count, term = Fraction(found[1]), term[found.end() :]
    written = formula(term) or term.replace("{", "").replace("}", "")
    is_word = written.isalpha() and len(written) > 3
    written = "e^-" if written in ("e-", "e^-") else written.casefold() if is_word else written
    return f"{count} {written}"


def _same_sides(one: tuple[tuple[str, ...], ...], other: tuple[tuple[str, ...], ...] | None) -> bool:
    return other is not None and len(one) == len(other) and all(map(_same_terms, one, other))


def _same_terms(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    left = list(other)
    for term in one:
        count, _, written = term.partition(" ")
        found = next(
            (
                t
                for t in left
                if t == term or (t.startswith(f"{count} ") and are_same_formulas(written, t[len(count) + 1 :]))
            ),
            None,
        )
        if found is None:
            return False
        left.remove(found)
    return not left


def compare_formulas(*, reference: str, answer: str) -> Comparison | None:
    """Two formulas or two reactions as text; None unless both sides surely are such, or the same one.

    What no reference of mathematics can be (an ion, an isotope, a reaction) is different from all that is none.
    """
    states = [sorted(_STATE.findall(_UPRIGHT.sub("", text))) for text in (reference, answer)]
    if states[0] and states[1] and states[0] != states[1]:
        return DIFFERENT
    if (sides := reaction(reference)) is not None:
        is_same = _same_sides(sides, reaction(answer))
        return Comparison(is_equal=True, reason=Reason.EXACT) if is_same else DIFFERENT
    expected, given = formula(reference), formula(answer)
    if expected is None:
        return None
    if given is not None and are_same_formulas(expected, given):
        return Comparison(is_equal=True, reason=Reason.EXACT)
    if expected[0] == "^" or expected[-1] in "+-" or (given and _HYBRID.fullmatch(expected)):
        return DIFFERENT
    if given is None:
        return DIFFERENT if _is_molecule(expected, reference) else None
    if expected.casefold() == given.casefold() and expected.casefold() not in WORDS:  # Co is not CO
        return DIFFERENT
    is_certain = any(_is_molecule(plain, text) for plain, text in ((expected, reference), (given, answer)))
    return DIFFERENT if is_certain else None


def _is_molecule(plain: str, text: str) -> bool:
    """Several elements with a count, not in the way of variables with indices; an ion or an isotope."""
    if plain[0] == "^" or plain[-1] in "+-":
        return True
    has_counts = any(c.isdigit() for c in plain) and len(re.findall(_ELEMENT, plain)) > 1
    is_written_so = "_" not in text or _UPRIGHT.search(text) is not None or re.search("[A-Z][a-z]", plain) is not None
    return has_counts and is_written_so
