"""One way to write a value as bytes, so that a hash means the content and nothing else."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from config.errors import Malformed
from foundation.money import Money


class NotCanonical(Malformed):
    """The value has a part that has no exact form, such as a binary fraction."""

    code = "not_canonical"


def encode(value: Any) -> bytes:
    """
    Return canonical JSON: sorted keys, no blanks, UTF-8, no binary fractions.

    Raises NotCanonical. Decimals, dates, UUIDs and Money are written as their exact text.
    """
    _require_exact(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_text
    ).encode()


def sha256(value: Any) -> bytes:
    """Return the SHA-256 of the canonical form. Raises NotCanonical."""
    return hashlib.sha256(encode(value)).digest()


def _text(value: Any) -> str:
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, Decimal | UUID | Money):
        return str(value)
    raise NotCanonical(f"{type(value).__name__} has no canonical form.")


def _require_exact(value: Any) -> None:
    if isinstance(value, float):
        raise NotCanonical(f"{value!r} is a binary fraction and has no exact form.")
    if isinstance(value, dict):
        for name, part in value.items():
            if not isinstance(name, str):
                raise NotCanonical(f"{name!r} is no text, so it cannot be a name.")
            _require_exact(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _require_exact(part)
