"""What `allauth.mfa` asks the house: how secrets are kept, under which name a key is made."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.utils.translation import gettext as _

from foundation import crypto

_owner: ContextVar[bytes] = ContextVar("owner of second factors")


@contextmanager
def secrets_of(user_id: uuid.UUID) -> Iterator[None]:
    """
    Read and write secrets of one account's second factors inside the block.

    The account is the associated data: a secret copied to another account does not decrypt.
    """
    token = _owner.set(associated_with(user_id))
    try:
        yield
    finally:
        _owner.reset(token)


def associated_with(user_id: uuid.UUID) -> bytes:
    """Return the associated data of the secrets of one account."""
    return user_id.bytes + b"mfa.Authenticator.data"


class Adapter(DefaultMFAAdapter):
    """Keeps secrets encrypted by FIELD_KEYS (docs/decisions/0007-encrypted-fields.md)."""

    def encrypt(self, text: str) -> str:
        """Encrypt for the account of `secrets_of`. Raises LookupError outside of it (a bug)."""
        return crypto.encrypt(text, _owner.get())

    def decrypt(self, encrypted_text: str) -> str:
        """Return the text. Raises LookupError outside of `secrets_of`, KeyUnknown, Tampered."""
        return crypto.decrypt(encrypted_text, _owner.get())

    def get_totp_issuer(self) -> str:
        """Return the house's name, under which the app on the telephone lists the account."""
        return _("Countinghouse")

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Bind passkeys to the host of the address; the name is the house's."""
        return {
            "id": context.request.get_host().partition(":")[0],
            "name": _("Countinghouse"),
        }
