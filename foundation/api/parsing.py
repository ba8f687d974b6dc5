"""Reading JSON without surprises: no float, no second name, nothing that cannot be stored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from config.errors import Malformed

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\";\s]*)", re.IGNORECASE)
_LONGEST_INTEGER: Final = 19  # digits and sign: more is beyond every amount, and slow to read


class BodyMalformed(Malformed):
    """The body is not the JSON we read."""

    code = "malformed_json"


class BodyTooLarge(Malformed):
    """The body has more bytes than settings.API_MAX_BODY_BYTES."""

    code = "body_too_large"
    http_status = 413


@dataclass(frozen=True, slots=True)
class OddNumber:
    """
    A number that no field of ours takes: with a point or an exponent, or far too long. It is kept
    as text, so that the field it stands in can be named.
    """

    text: str


class StrictJSONParser(BaseParser):
    """
    Reads UTF-8 JSON. Names twice in one object, NaN, Infinity, NUL and half characters are refused;
    a number that is no plain integer becomes an OddNumber, never a float. Rule: API-5.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value. Raises BodyMalformed, BodyTooLarge, UnsupportedMediaType."""
        charset = _CHARSET.search(media_type or "")
        if charset and charset[1].lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType(str(media_type)[:100])
        most = settings.API_MAX_BODY_BYTES
        request = (parser_context or {}).get("request")
        told = request.META.get("CONTENT_LENGTH") if request is not None else None
        if told and int(told) > most:  # before a slow sender keeps us waiting for nothing
            raise _too_large(most)
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise _too_large(most)
        return read(raw)


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(_("The body has more than %(limit)s bytes.") % {"limit": most})


def read(raw: bytes) -> Any:
    """Return the value of UTF-8 JSON. Raises BodyMalformed naming place and reason."""
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=OddNumber,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise _malformed(_("byte %(at)s is not UTF-8") % {"at": error.start}) from None
    except json.JSONDecodeError as error:
        place = _("line %(line)s, column %(column)s") % {
            "line": error.lineno,
            "column": error.colno,
        }
        raise _malformed(place) from None
    except RecursionError:
        raise _malformed(_("it is nested too deeply")) from None


def storable(text: str) -> bool:
    """Return whether PostgreSQL can keep the text: no NUL, no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _malformed(_("the name %(name)s stands twice") % {"name": _shown(name)})
        if not storable(name):
            raise _malformed(_("a name holds a character that cannot be stored"))
        found[name] = value
    return found


def _integer(text: str) -> int | OddNumber:
    return int(text) if len(text) <= _LONGEST_INTEGER else OddNumber(text)


def _constant(text: str) -> Any:
    raise _malformed(_("%(text)s is not JSON") % {"text": text})


def _shown(text: str) -> str:
    return ascii(text[:50])


def _malformed(reason: str) -> BodyMalformed:
    return BodyMalformed(_("The body is not the JSON we read: %(reason)s.") % {"reason": reason})
