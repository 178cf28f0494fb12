r"""Chemical formulas, for STEM answers: H2O, H_2O, \mathrm{H}_2\mathrm{O} and \ce{H2O} are one.

They compare as text, element symbols with counts: C2H6O and CH3CH2OH are two answers. A symbol with an index may be a
variable as well (`P_2V_2`), so formulas that differ are different only if one of them is not written like those.
"""

from __future__ import annotations

import re
import unicodedata

from etalon.verifiers.math import DIFFERENT, Comparison, Reason

MAX_CHARS = 200  # (ours)

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts "
    "Og"
)
_ELEMENT = "(?:" + "|".join(sorted(_SYMBOLS.split(), key=len, reverse=True)) + ")"
_GROUP = rf"(?:{_ELEMENT}\d*|\((?:{_ELEMENT}\d*)+\)\d*|\[(?:{_ELEMENT}\d*|\((?:{_ELEMENT}\d*)+\)\d*)+\]\d*)"
_FORMULA = re.compile(rf"{_GROUP}+(?:[·*]\d*{_GROUP}+)*(?:\^\d*[+-])?")
_UPRIGHT = re.compile(r"\\(?:ce|text|mathrm|textrm|mathsf|textbf|mathbf|operatorname|rm|bf|boxed)(?![a-zA-Z])")
_DRESSING = re.compile(r"\\[,;:! ()\[\]]|[\s{}$_]|\\(?:left|right)(?![a-zA-Z])")
_DOT = re.compile(r"\\cdot(?![a-zA-Z])|⋅|•|\.(?=\d*[A-Z])")
_CHARGE = re.compile(r"(?<=[A-Za-z)\]])([+-])$")


def formula(text: str) -> str | None:
    """The formula that a text consists of, in one spelling; None for anything else."""
    if len(text) > MAX_CHARS:
        return None
    plain = unicodedata.normalize("NFKC", text.strip().rstrip(".")).replace("\N{MINUS SIGN}", "-")
    plain = _DRESSING.sub("", _DOT.sub("·", _UPRIGHT.sub("", plain)))
    plain = _CHARGE.sub(r"^\1", plain)
    return plain if _FORMULA.fullmatch(plain) else None


def compare_formulas(*, reference: str, answer: str) -> Comparison | None:
    """Two formulas as text; None unless both sides surely are formulas, or the same one."""
    expected, given = formula(reference), formula(answer)
    if expected is None or given is None:
        return None
    if expected == given:
        return Comparison(is_equal=True, reason=Reason.EXACT)
    is_certain = any(_is_molecule(plain, text) for plain, text in ((expected, reference), (given, answer)))
    return DIFFERENT if is_certain else None


def _is_molecule(plain: str, text: str) -> bool:
    """Several elements with a count, not in the way of variables with indices."""
    has_counts = any(c.isdigit() for c in plain) and len(re.findall(_ELEMENT, plain)) > 1
    return has_counts and ("_" not in text or _UPRIGHT.search(text) is not None)
