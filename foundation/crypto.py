"""
Encryption of single values (AES-256-GCM), keyed look-up hashes, and what may be shown of a number.

Keys live outside the database: FIELD_KEYS (the first one writes, all of them read), LOOKUP_KEY.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_BYTES: Final = 12
_SHOWN_FIRST, _SHOWN_LAST = 6, 4
_LONGEST_MARK: Final = 256


class KeyUnknown(Exception):
    """A stored value was written with a key that is not in FIELD_KEYS: bring the key back."""


class Tampered(Exception):
    """A stored value is not what was written for this row and field."""


class KeyMalformed(Exception):
    """A configured key is not the base64 text of 32 bytes, or its name contains a colon."""


def encrypt(text: str, associated: bytes) -> str:
    """
    Return `<key id>:<base64 of nonce and ciphertext>`, with a fresh nonce.

    The same `associated` bytes are needed to read it again, so a value copied to another row or
    field does not decrypt.
    """
    key_id, key = current_key()
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), associated)
    return f"{key_id}:{base64.b64encode(nonce + sealed).decode()}"


def decrypt(token: str, associated: bytes) -> str:
    """Return the text. Raises KeyUnknown, Tampered."""
    key_id, _colon, body = token.partition(":")
    key = _keys().get(key_id)
    if key is None:
        raise KeyUnknown(f"FIELD_KEYS has no {key_id!r}.")
    try:
        sealed = base64.b64decode(body, validate=True)
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated).decode()
    except (InvalidTag, ValueError):
        raise Tampered("The stored value does not belong to this row and field.") from None


def seal(content: bytes, associated: bytes) -> bytes:
    """
    Return `<key id>:`, nonce and ciphertext of bytes, with a fresh nonce: `encrypt` without base64.
    """
    key_id, key = current_key()
    nonce = os.urandom(NONCE_BYTES)
    return mark(key_id) + nonce + AESGCM(key).encrypt(nonce, content, associated)


def unseal(sealed: bytes, associated: bytes) -> bytes:
    """Return the bytes. Raises KeyUnknown, Tampered."""
    head = sealed[:_LONGEST_MARK].partition(b":")[0]
    key_id = head.decode("utf-8", "replace")
    key = _keys().get(key_id)
    if key is None:
        raise KeyUnknown(f"FIELD_KEYS has no {key_id[:20]!r}.")
    start = len(head) + 1
    try:
        nonce, rest = sealed[start : start + NONCE_BYTES], memoryview(sealed)[start + NONCE_BYTES :]
        return AESGCM(key).decrypt(nonce, rest, associated)
    except (InvalidTag, ValueError):
        raise Tampered("The stored bytes do not belong to this row and field.") from None


def mark(key_id: str) -> bytes:
    """Return how everything begins that `seal` wrote with that key."""
    return key_id.encode() + b":"


def current_key() -> tuple[str, bytes]:
    """
    Return name and bytes of the key that writes: the first of FIELD_KEYS. Raises KeyMalformed.
    """
    return next(iter(_keys().items()))


def lookup_hash(text: str) -> bytes:
    """
    Return the 32 bytes by which an encrypted number is found again: HMAC-SHA256 of the whole text.

    Callers pass the number in its one canonical form (digits only). Raises KeyMalformed.
    """
    return lookup_hasher()(text)


def lookup_hasher() -> Callable[[str], bytes]:
    """Return `lookup_hash` with its key at hand, for millions of calls. Raises KeyMalformed."""
    key = _bytes("LOOKUP_KEY", settings.LOOKUP_KEY)
    return lambda text: hmac.digest(key, text.encode(), "sha256")


def stamp(content: bytes, purpose: bytes) -> str:
    """
    Return 64 hexadecimal digits that nobody makes without LOOKUP_KEY: keyed BLAKE2b, so that no
    look-up hash that lies in the database is a stamp of anything. `purpose` has at most 16 bytes.

    Raises KeyMalformed.
    """
    key = _bytes("LOOKUP_KEY", settings.LOOKUP_KEY)
    return hashlib.blake2b(content, digest_size=32, key=key, person=purpose).hexdigest()


def mask(text: str) -> str:
    """Return what people may see: the first 6 and last 4 of a long number, less of a short one."""
    if len(text) >= _SHOWN_FIRST + _SHOWN_LAST + 3:
        hidden = len(text) - _SHOWN_FIRST - _SHOWN_LAST
        return f"{text[:_SHOWN_FIRST]}{'*' * hidden}{text[-_SHOWN_LAST:]}"
    shown = _SHOWN_LAST if len(text) >= 2 * _SHOWN_LAST else 0
    return "*" * (len(text) - shown) + text[len(text) - shown :]


def _keys() -> dict[str, bytes]:
    keys = {name: _bytes(name, text) for name, text in settings.FIELD_KEYS.items()}
    if not keys or any(":" in name for name in keys):
        raise KeyMalformed("FIELD_KEYS needs at least one key, and no name with a colon.")
    return keys


def _bytes(name: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise KeyMalformed(f"{name} must be the base64 text of 32 bytes.")
    return key
