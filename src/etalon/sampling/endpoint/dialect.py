"""What one server refuses, learned from its own error messages, and what it is sent instead.

A field may be left out only when that changes nothing we asked for: an extension at its neutral value, the seed, the
usage request, or a length cap beyond the window. What was left out is logged once and stands in each rollout's detail.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from etalon.sampling.endpoint.request import NEUTRAL

LOG = logging.getLogger("etalon")
CAP_REFUSED = re.compile(
    r"context (length|window|size)"
    r"|max_(completion_)?tokens.*(too (large|long|big|high)|maximum|at most|exceed|greater than|less than|<=)",
    re.IGNORECASE | re.DOTALL,
)


class Dialect:
    """The fields one URL refused so far."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.left_out: set[str] = set()
        self._renames_cap = False

    def speak(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request as this server takes it."""
        spoken = {k: v for k, v in request.items() if k not in self.left_out or not _may_leave_out(k, v)}
        if self._renames_cap and "max_tokens" in spoken:
            spoken["max_completion_tokens"] = spoken.pop("max_tokens")
        return spoken

    def learn(self, message: str, sent: Mapping[str, Any]) -> dict[str, Any] | None:
        """What to send after the server refused `sent` with `message`; None when nothing can be changed.

        A cap beyond the window is taken off this one request only: the next may fit.
        """
        if "max_tokens" in sent and "max_completion_tokens" in message and "instead" in message:
            self._renames_cap = True
            return self.speak(sent)
        for cap in ("max_tokens", "max_completion_tokens"):
            if cap in sent and CAP_REFUSED.search(message):
                LOG.warning("%s: %s %s is beyond its window; the window is the limit", self._url, cap, sent[cap])
                return {k: v for k, v in sent.items() if k != cap}
        named = {k for k in sent if _may_leave_out(k, sent[k]) and re.search(rf"\b{k}\b", message)}
        if not named:
            return None
        LOG.warning("%s: refuses %s; left out from now on", self._url, ", ".join(sorted(named)))
        self.left_out |= named
        return {k: v for k, v in sent.items() if k not in named}


def _may_leave_out(name: str, value: Any) -> bool:
    if name in ("seed", "stream_options"):
        return True
    return name in NEUTRAL and bool(value == NEUTRAL[name])
