"""API keys that a merchant's people make themselves, each act verified."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from foundation.models import User
from merchants.models import ApiKey
from merchants.services import api_key as api_keys
from merchants.services import verification_token as tokens
from merchants.services.own_act import consume, managed

CREATE: Final = "api_key.create"  # as verification tokens name it
SHOW: Final = "api_key.show"
MOST: Final = 50  # keys in use of one merchant
OVERLAPS: Final = (timedelta(0), timedelta(days=1), timedelta(days=7), timedelta(days=30))


def meant(
    *, name: str, scopes: Sequence[str], networks: Sequence[str], expires_at: datetime | None
) -> str:
    """Return how a token names the key that is to be made: its name, and a hash of all of it."""
    content = {
        "name": name,
        "scopes": sorted(scopes),
        "networks": list(networks),
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }
    return tokens.payee_of(name, content)


def create(
    *,
    merchant_id: int,
    by: User,
    token: str,
    name: str,
    scopes: Sequence[str],
    networks: Sequence[str],
    expires_at: datetime | None,
    at: datetime,
) -> api_keys.Issued:
    """
    Make a key of the merchant's, verified for exactly this one.

    Raises: Forbidden, TokenRefused; KeyMalformed naming the field, also for a name that is taken.
    Rule:   KEY-7 (docs/rules/verification.md).
    """
    with transaction.atomic():
        merchant = managed(merchant_id, by)
        named = meant(name=name, scopes=scopes, networks=networks, expires_at=expires_at)
        consume(merchant_id, by, token, CREATE, named, at)
        require_free_name(merchant_id=merchant_id, name=name)
        if expires_at is not None and expires_at <= at:
            raise api_keys.KeyMalformed(_("This day is over."), field="expires_on")
        return api_keys.create(
            merchant=merchant,
            name=name,
            scopes=scopes,
            networks=networks,
            expires_at=expires_at,
            at=at,
        )


def require_free_name(*, merchant_id: int, name: str) -> None:
    """Raise KeyMalformed when a key has this name, or when there are too many."""
    keys = ApiKey.objects.filter(merchant_id=merchant_id)
    if keys.filter(name=name.strip()).exists():
        raise api_keys.KeyMalformed(_("There is a key of this name."), field="name")
    if keys.filter(active=True).count() >= MOST:
        raise api_keys.KeyMalformed(
            _("At most %(most)s keys are in use at once.") % {"most": MOST}, field="name"
        )


def rotate(
    *, merchant_id: int, by: User, token: str, key_id: int, overlap: timedelta, at: datetime
) -> api_keys.Issued:
    """
    Give a key a new secret, verified for exactly this; the old one is good for `overlap` still.

    Raises: NotFound, Forbidden, TokenRefused, KeyRefused. Rule: KEY-3, KEY-7.
    """
    with transaction.atomic():
        managed(merchant_id, by)
        consume(merchant_id, by, token, SHOW, rotation(key_id, overlap), at)
        until = at + overlap if overlap else None
        return api_keys.rotate(merchant_id=merchant_id, key_id=key_id, old_until=until)


def rotation(key_id: int, overlap: timedelta) -> str:
    """Return how a verification token names the rotation of a key."""
    return f"{key_id}:{int(overlap.total_seconds())}"


def revoke(*, merchant_id: int, by: User, key_id: int) -> ApiKey:
    """
    Switch a key off for good; it takes away, so nothing is verified. Raises NotFound, Forbidden.
    """
    managed(merchant_id, by)
    return api_keys.revoke(merchant_id=merchant_id, key_id=key_id)
