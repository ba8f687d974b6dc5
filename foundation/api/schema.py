"""What every operation has in common, written into the OpenAPI document once."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.openapi import AutoSchema as SpectacularSchema
from drf_spectacular.plumbing import ResolvedComponent

from foundation.api import problem

_EVERY: Final = {
    "400": "The request is malformed; `errors` names field and reason.",
    "401": "The key is missing or not good.",
    "403": "The key lacks the scope, or may not do this.",
    "404": "There is no such thing, or it is another merchant's.",
    "406": "Only JSON is answered.",
    "429": "Too many requests; see Retry-After.",
}
_POST: Final = {
    "409": "Refused by state, or the first request under this key is still at work (Retry-After).",
    "413": "The body is too large.",
    "415": "Only JSON is read.",
    "422": "The Idempotency-Key was used for another body.",
}


class AutoSchema(SpectacularSchema):
    """Adds the problems and the Idempotency-Key that our operations share. Rule: API-6."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Return the operation with what all have."""
        operation = super().get_operation(*args, **kwargs)
        if not operation:
            return operation
        described = self._problem_component().ref
        answers = _EVERY | (_POST if self.method == "POST" else {})
        for status, description in answers.items():
            content: dict[str, Any] = {problem.CONTENT_TYPE: {"schema": described}}
            operation["responses"].setdefault(
                status, {"description": description, "content": content}
            )
        if self.method == "POST":
            operation.setdefault("parameters", []).append(
                {
                    "in": "header",
                    "name": "Idempotency-Key",
                    "required": True,
                    "description": "The same key and body get the same answer, byte for byte.",
                    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
                }
            )
        return operation

    def _problem_component(self) -> ResolvedComponent:
        found: ResolvedComponent = self.resolve_serializer(problem.Problem(), "response")
        return found
