"""What whoever reads a row asks for, and what a reader of a format says it cannot use."""

from __future__ import annotations

from dataclasses import dataclass

from etalon.errors import InputError, LeftOutError
from etalon.problems.formats.foreign.questions import without_frame, without_switches
from etalon.problems.instructions import MARKERS, instruction, is_template, with_instruction
from etalon.types import Domain

__all__ = ["BadReferenceError", "LeftOutError", "Reading"]


class BadReferenceError(InputError):
    """The row can be read; what a response would be held against cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a row must say, and what holds where it says nothing.

    prompts: folder of prompt files whose math.txt, code.txt and stem.txt say how to answer.
    instruction: the prompt file that says it in place of the domain's; "" is the domain's.
    domain: of rows that leave it open: neither a `domain` nor their columns tell.
    alone: of questions without a reference that leave it open.
    needs_question: to train and to evaluate; a response that is there already is verified without.
    needs_reference: where verifiers decide; a reward of the user's own may do without.
    """

    prompts: str = "default"
    instruction: str = ""
    domain: Domain | None = None
    alone: Domain = Domain.MATH
    needs_question: bool = True
    needs_reference: bool = True

    @property
    def is_template(self) -> bool:
        """Whether the instruction stands around a question and has a place of its own for starter code."""
        return bool(self.instruction) and is_template(self.instruction, prompts=self.prompts)

    def asked(self, question: str, domain: Domain, *, has_options: bool = False, starter: str = "") -> str:
        """The complete prompt of a question, without what others asked for about the form of answers.

        starter: code to complete, where there is a place for it.
        """
        if domain not in MARKERS:
            question = without_switches(question)
        elif domain is not Domain.CODE:  # of programs, `foreign.programs` takes the frame off
            own = "" if self.instruction else instruction(domain, has_options=has_options, prompts=self.prompts)
            alone, asked = without_frame(question), question.strip()
            question = asked if own and asked.removesuffix(own).strip() == alone else alone
        return with_instruction(
            question, domain, has_options=has_options, prompts=self.prompts, name=self.instruction, starter=starter
        )
