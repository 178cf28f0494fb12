"""Errors as OpenAI's clients expect them: {"error": {"message", "type", "param", "code"}} with an HTTP status."""

from __future__ import annotations

from typing import Any

from etalon.sampling.endpoint import UpstreamError
from etalon.sampling.endpoint.upstream import KEY_VARIABLE

TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}


class ApiError(Exception):
    """A request that cannot be answered; the message says what would do."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after

    def to_json(self) -> dict[str, Any]:
        """The body of the answer, or the data of an event."""
        if self.status == 429:
            kind = "rate_limit_error"
        elif self.status >= 500:
            kind = "api_error"
        else:
            kind = TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds when there is something to wait for."""
        return {} if self.retry_after is None else {"retry-after": str(max(1, round(self.retry_after)))}


def from_upstream(error: UpstreamError) -> ApiError:
    """What the client is told when the upstream failed: its own status where it means the same from us."""
    if error.status in (401, 403):
        message = f"the upstream refuses the proxy's key (set {KEY_VARIABLE}): {error}"
        return ApiError(502, message, code="upstream_refused")
    if error.status is not None and (400 <= error.status < 600):
        return ApiError(error.status, f"upstream: {error}", code="upstream_error", retry_after=error.retry_after)
    code = "upstream_error" if error.calls else "upstream_unreachable"
    return ApiError(502, f"upstream: {error}", code=code)
