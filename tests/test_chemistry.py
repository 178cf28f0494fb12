r"""Chemical formulas: one however they are written, and no mathematics."""

import itertools

import pytest

from etalon.types import Domain, Problem
from etalon.verifiers import verify
from etalon.verifiers.chemistry import formula
from etalon.verifiers.choice import choose
from etalon.verifiers.math.engine import symbolic

SAME = [
    ["H2O", "H_2O", r"\mathrm{H_2O}", r"\mathrm{H}_2\mathrm{O}", r"\ce{H2O}", "H₂O", r"\text{H}_{2}\text{O}", "$H_2O$"],
    ["CO2", "CO_2", r"\text{CO}_2", r"\mathrm{CO_2}"],
    ["CH4", r"\text{CH}_4", r"\mathrm{CH}_{4}"],
    ["H2SO4", r"H_2SO_4", r"\mathrm{H_2SO_4}", r"\ce{H2SO4}"],
    ["C6H12O6", r"C_6H_{12}O_6", r"\mathrm{C}_6\mathrm{H}_{12}\mathrm{O}_6"],
    ["Ca(OH)2", r"\mathrm{Ca(OH)_2}", r"Ca(OH)_2"],
    ["NaCl", r"\ce{NaCl}", r"\mathrm{NaCl}"],
    ["Na+", r"Na^+", r"\mathrm{Na}^{+}"],
    [r"\ce{SO4^2-}", r"\mathrm{SO}_4^{2-}", "SO_4^{2−}"],
    ["CuSO4·5H2O", r"\ce{CuSO4.5H2O}", r"CuSO_4 \cdot 5H_2O"],
    ["Fe3+", r"\mathrm{Fe}^{3+}", r"Fe^{+3}", "Fe³⁺", r"\displaystyle \mathrm{Fe}^{3+}", r"\text{Fe}^{3+}\text{ ion}"],
    ["NH4+", r"\mathrm{NH_4^+}", r"\ce{NH4+}"],
    ["Ca^{++}", "Ca2+", r"\mathrm{Ca^{2+}}"],
    ["^{14}C", r"{}^{14}\mathrm{C}", r"^{14}_{6}C", "C-14", "carbon-14", "¹⁴C", r"\ce{^{14}_6C}",
        r"\,\text{Carbon-14}\,"],
    [
        "2H2 + O2 -> 2H2O", r"\ce{2H2 + O2 -> 2H2O}", r"2\mathrm{H_2}+\mathrm{O_2}\rightarrow2\mathrm{H_2O}",
        "O2 + 2H2 → 2H2O", r"2H_2(g) + O_2(g) \to 2H_2O(l)",
    ],
    ["Na+ + Cl- -> NaCl", r"\mathrm{Na^+ + Cl^- \longrightarrow NaCl}"],
    ["A -> B", r"A \rightarrow B"],
]  # fmt: skip


def judge(reference, written):
    problem = Problem(id="s", domain=Domain.STEM, prompt="", answer=reference)
    return verify(problem, f"\\boxed{{{written}}}")


@pytest.fixture
def no_engine(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the engine was asked")

    monkeypatch.setattr(symbolic, "compare", refuse)


@pytest.mark.parametrize("spellings", SAME, ids=[group[0] for group in SAME])
def test_a_formula_is_one_however_it_is_written(spellings, no_engine):
    for reference, written in itertools.permutations(spellings, 2):
        assert judge(reference, written).score == 1.0, (reference, written)


def test_different_formulas_are_different_without_an_engine(no_engine):
    names = [group[:3] for group in SAME[:6]]
    for one, other in itertools.permutations(names, 2):
        for written in other:
            assert judge(one[0], written).score == 0.0, (one[0], written)
    assert judge("Co2", "CO2").score == 0.0
    assert judge("H2O", r"\mathrm{H_2O_2}").score == 0.0
    for reference, written in (
        ("Fe3+", r"\mathrm{Fe}^{2+}"), ("Na+", r"\mathrm{Na}^-"), ("Na+", "Na"), ("^{14}C", r"{}^{12}\mathrm{C}"),
        ("^{14}_6C", r"^{14}_7C"), ("^{14}C", "14"), ("carbon-14", "nitrogen-14"),
        ("2H2 + O2 -> 2H2O", "H2 + O2 -> H2O"),
        ("A -> B", "B -> A"), ("Fe3+", "3"), ("O^{2-}", "O_2^-"), ("NH_4^+", "NH^{4+}"), ("NH4+", "NH^{4+}"),
        ("Fe2+", "Fe_2^+"), ("sp3d2", "d2sp3"), ("H2O(l)", "H2O(g)"), ("CO", "Co"), ("Fe_2O_3", "x+1"),
        (r"Fe^{3+}+e^- \to Fe^{2+}", r"Fe_3^+ + e^- \to Fe_2^+"), (r"^1_0n + ^{235}U \to X", r"10n + ^{235}U \to X"),
    ):  # fmt: skip
        assert judge(reference, written).score == 0.0, (reference, written)


@pytest.mark.parametrize(
    "text", ["2x", "x_1", "h2o", "12 m", "5", "PV = nRT", "C(5,2)", "{}_6C_2", "V^2", "", "H" * 300, "Xy2", "acid"]
)
def test_anything_else_is_no_formula(text):
    assert formula(text) is None


def test_variables_with_indices_still_commute():
    assert judge("P_2V_2", "V_2P_2").score == 1.0


def test_options_that_are_formulas():
    options = {"A": "CO", "B": "Co", "C": "H_2O", "D": "$CO_2$"}
    assert choose(r"\mathrm{CO}", options) == ("A", "content")
    assert choose("Co", options) == ("B", "content")
    assert choose(r"\ce{H2O}", options) == ("C", "content")
    assert choose(r"\text{CO}_2", options) == ("D", "content")
    assert choose(r"(D) \ce{CO2}", options) == ("D", "letter")
    assert choose(r"(A) \ce{H2O}", options) == (None, "ambiguous")
    assert choose("H2O2", options) == (None, "no_option")
