"""A scripted model that knows CLR: it answers with claims, and refutes the claims that contain the word false."""

from __future__ import annotations

import re

from upstream import Asked, Reply


def clr_reply(asked: Asked, *, right: str = "42", wrong: str = "41", **fields: float) -> Reply:
    """Three of four trajectories, by their seed, answer `right` with true claims; the others are refuted."""
    if "<verdicts>" in asked.text:
        claims = re.findall(r"^\s*(\d+)[.)] (.*)$", asked.text.split("Claims:\n")[1].split("\n\n")[0], re.MULTILINE)
        verdicts = "\n".join(f"{n}. {'refuted' if 'false' in claim else 'valid'}" for n, claim in claims)
        return Reply(reasoning="I check them.", content=f"<verdicts>\n{verdicts}\n</verdicts>", **fields)
    is_right = asked.body.get("seed", 1) % 4 != 0
    answer, word = (right, "true") if is_right else (wrong, "false")
    claims = "\n".join(f"the {word} statement number {i}" for i in range(1, 6))
    content = f"The answer is \\boxed{{{answer}}}\n\n<claims>\n{claims}\n</claims>"
    return Reply(reasoning="I think about it.", content=content, **fields)
