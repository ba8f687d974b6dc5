"""What every operation has in common, written into the OpenAPI document once."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any, Final

from django.utils.translation import gettext
from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema as SpectacularSchema
from drf_spectacular.plumbing import ResolvedComponent

from foundation.api import problem
from foundation.api.text import PATTERNS

_EVERY: Final = {
    "400": "The request is malformed; `errors` names field and reason.",
    "401": "The key is missing or not good.",
    "403": "The key lacks the scope, or may not do this.",
    "404": "There is no such thing, or it is another merchant's.",
    "406": "Only JSON is answered.",
    "429": "Too many requests; see Retry-After.",
    "503": "Too much at once; see Retry-After.",
}
_POST: Final = {
    "409": "Refused by state, or the first request under this key is still at work (Retry-After).",
    "411": "The body came without Content-Length.",
    "413": "The body is too large.",
    "415": "Only JSON in UTF-8 is read, not compressed.",
    "422": "The Idempotency-Key was used for another body.",
}
_DONE: Final = "Done."
_SECONDS: Final = {
    "description": "After how many seconds to ask again.",
    "schema": {"type": "integer", "minimum": 1},
}
_REPLAYED: Final = {
    "description": "`true`: this is the stored answer to a request that came before.",
    "schema": {"type": "string", "enum": ["true"]},
}
_KEY: Final = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "description": "The same key and body get the same answer, byte for byte.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def in_the_readers_language(result: Any, **_unused: Any) -> Any:
    """Translate every description, docstrings too (SPECTACULAR_SETTINGS, POSTPROCESSING_HOOKS)."""
    if isinstance(result, dict):
        for name, value in result.items():
            if name in ("description", "summary") and isinstance(value, str) and value:
                # Wrapped lines of a docstring are one line of a catalogue; a list keeps its lines.
                text = value if "\n*" in value else re.sub(r"\s+", " ", value)
                result[name] = gettext(text)
            else:
                in_the_readers_language(value)
    elif isinstance(result, list):
        for value in result:
            in_the_readers_language(value)
    return result


class AutoSchema(SpectacularSchema):
    """Adds the problems and the headers that our operations share. Rule: API-6."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Return the operation with what all have."""
        operation = super().get_operation(*args, **kwargs)
        if not operation:
            return operation
        summary, _blank, rest = operation.pop("description", "").partition("\n\n")
        operation["summary"] = summary
        if rest:
            operation["description"] = rest
        writing = self.method == "POST"
        for status, answer in operation["responses"].items():
            answer["description"] = answer["description"] or _DONE
            if writing and status.startswith("2"):
                answer["headers"] = {"Idempotency-Replayed": deepcopy(_REPLAYED)}
        for status, description in (_EVERY | (_POST if writing else {})).items():
            content = {problem.CONTENT_TYPE: {"schema": self._problem_component().ref}}
            answer = {"description": description, "content": content}
            if status in ("409", "429", "503"):
                answer["headers"] = {"Retry-After": deepcopy(_SECONDS)}
            operation["responses"].setdefault(status, answer)
        if writing:
            operation.setdefault("parameters", []).append(deepcopy(_KEY))
        return operation

    def _problem_component(self) -> ResolvedComponent:
        found: ResolvedComponent = self.resolve_serializer(problem.Problem(), "response")
        return found


class StrictInputSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Says of our inputs that no other field is taken."""

    target_class = "foundation.api.fields.StrictInput"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        """Return the schema of an input."""
        found = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return found | {"additionalProperties": False}


class StrictTextSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Says which shape a text has."""

    target_class = "foundation.api.fields.StrictText"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        """Return the schema of a text."""
        found = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        shape = self.target.shape
        return found | {"pattern": f"^({PATTERNS[shape]})$" if shape else "^[^\\u0000]*$"}
