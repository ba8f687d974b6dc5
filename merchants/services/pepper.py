"""
Peppers: what is mixed into payment passwords and codes and is not in the database.

PASSWORD_PEPPER writes; PASSWORD_PEPPERS_FORMER are still read, until nobody's hash needs them.
"""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings

from config.errors import DomainError


class PepperUnknown(DomainError):
    """A hash was made with a pepper this machine does not have: nothing can be compared."""

    code = "pepper_unknown"
    http_status = 503


def current() -> str:
    """Return the pepper that writes."""
    return str(settings.PASSWORD_PEPPER)


def known() -> list[str]:
    """Return every pepper that is read, the one that writes first."""
    return [current(), *settings.PASSWORD_PEPPERS_FORMER]


def name(pepper: str) -> str:
    """Return how rows name a pepper: 16 letters of a keyed hash, which tell nothing about it."""
    return hmac.digest(pepper.encode(), b"name of the pepper", hashlib.sha256).hex()[:16]


def named(called: str) -> list[str]:
    """Return the peppers a row may be made with: the one it names; every one if it names none."""
    return [pepper for pepper in known() if called in ("", name(pepper))]


def mixed(pepper: str, purpose: str, text: str) -> bytes:
    """Return 32 bytes of a text with a pepper, different for each purpose."""
    return hmac.digest(pepper.encode(), f"{purpose}\n{text}".encode(), hashlib.sha256)
