"""What the simulated channel and its client agree on: keys, signatures, the payee's digest."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TIMESTAMP: Final = "X-Channel-Timestamp"
NONCE: Final = "X-Channel-Nonce"
SIGNATURE: Final = "X-Channel-Signature"
WINDOW_SECONDS: Final = 300  # a signed message older or younger than this is refused


class SecretMalformed(Exception):
    """The shared secret is not the base64 text of 32 bytes."""


@dataclass(frozen=True, slots=True)
class Keys:
    """
    Both key pairs and the key of the payee's digest.

    A real contract exchanges public keys. The simulator and its client share one secret instead, so
    that one machine needs one variable; nothing but the simulator is ever reached with these keys.
    """

    client: Ed25519PrivateKey
    channel: Ed25519PrivateKey
    payee: bytes

    @classmethod
    def derive(cls, secret: str) -> Keys:
        """Derive all keys from the base64 text of 32 bytes. Raises SecretMalformed."""
        try:
            seed = base64.b64decode(secret, validate=True)
        except ValueError:
            seed = b""
        if len(seed) != 32:
            raise SecretMalformed("CHANNEL_SIMULATOR_SECRET must be the base64 text of 32 bytes.")
        parts = [
            hmac.new(seed, label, hashlib.sha256).digest()
            for label in (b"client", b"channel", b"payee")
        ]
        private = Ed25519PrivateKey.from_private_bytes
        return cls(private(parts[0]), private(parts[1]), parts[2])


def request_text(method: str, path: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """Return the text that a request signs."""
    return _text("request", method, path, timestamp, nonce, body)


def answer_text(status: int, timestamp: str, nonce: str, body: bytes) -> bytes:
    """Return the text an answer signs; the request's nonce is in it, so no old answer passes."""
    return _text("answer", str(status), timestamp, nonce, body)


def callback_text(timestamp: str, body: bytes) -> bytes:
    """Return the text that a callback signs."""
    return _text("callback", timestamp, body)


def sign(key: Ed25519PrivateKey, text: bytes) -> str:
    """Return the signature as base64 text."""
    return base64.b64encode(key.sign(text)).decode()


def verified(key: Ed25519PublicKey, signature: str, text: bytes) -> bool:
    """Return whether the signature fits; anything malformed does not."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text)
    except (InvalidSignature, ValueError):
        return False
    return True


def payee_digest(key: bytes, number: str, holder: str) -> str:
    """
    Return the keyed digest by which answers name a payee, as hexadecimal text.

    So neither answers nor callbacks nor day files carry an account number.
    """
    return hmac.new(key, f"{number}\n{holder}".encode(), hashlib.sha256).hexdigest()


def elements_digest(key: bytes, elements: Mapping[str, str]) -> str:
    """Return the keyed digest by which an answer names the elements of a card it is about."""
    text = "\n".join(elements[name] for name in ("holder", "card", "identity", "phone"))
    return hmac.new(key, f"elements\n{text}".encode(), hashlib.sha256).hexdigest()


def _text(*parts: str | bytes) -> bytes:
    body = parts[-1]
    if not isinstance(body, bytes):
        raise TypeError("the body comes last")
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join([*(str(part) for part in parts[:-1]), digest]).encode()
