"""API keys: making them, checking them, switching them off."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from config.errors import DomainError, Malformed, NotFound
from foundation import actor
from foundation.services import audit
from merchants.models import ApiKey, Merchant
from merchants.models.api_key import KIND_SCOPES
from merchants.services import house

# "ck<routing number>_<random>": the number leads to the book, the rest names the key in it.
_PREFIX: Final = re.compile(r"ck([1-9][0-9]{0,17})_[a-z0-9]{12}")
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_NO_HASH: Final = bytes(32)
NOTED_EVERY: Final = timedelta(minutes=5)


class KeyMalformed(Malformed):
    """A scope, network or book does not fit the kind of key."""

    code = "api_key_malformed"


class KeyRefused(DomainError):
    """The key is not good. The message never says which part was wrong."""

    code = "api_key_refused"
    http_status = 401


class AddressRefused(DomainError):
    """The key is good, and used from an address it does not allow. Noted in the audit trail."""

    code = "api_key_address"
    http_status = 403


@dataclass(frozen=True, slots=True)
class Issued:
    """A key and, when it was just made or rotated, the one sight of its secret."""

    key: ApiKey
    created: bool
    token: str = field(default="", repr=False)


def create(
    *,
    merchant: Merchant | None,
    name: str,
    scopes: Sequence[str],
    at: datetime,
    kind: str = ApiKey.Kind.MERCHANT,
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> Issued:
    """
    Make a key, or return the key of that name without its secret.

    `merchant` is the book of a MERCHANT key; the other kinds lie in the house's book and take None.

    Raises: KeyMalformed naming the field.
    Rule:   KEY-1 to KEY-3 (docs/rules/verification.md).
    """
    book = _book(merchant, kind)
    _require_scopes(kind, scopes)
    allowed = [network(text) for text in networks]
    if not name.strip() or len(name) > 100:
        raise KeyMalformed(_("A name of 1 to 100 letters is needed."), field="name")
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        actor.stamp_transaction()
        key, created = ApiKey.objects.get_or_create(
            merchant=book,
            name=name.strip(),
            defaults={
                "kind": kind,
                "prefix": f"ck{book.id}_{''.join(secrets.choice(_ALPHABET) for _n in range(12))}",
                "secret_hash": _hash(secret),
                "scopes": sorted(set(scopes)),
                "networks": allowed,
                "expires_at": expires_at,
                "created_at": at,
            },
        )
        if created:
            _record(key, "api_key.create")
    return Issued(key, created, f"{key.prefix}.{secret}" if created else "")


def rotate(*, merchant_id: int, key_id: int, old_until: datetime | None = None) -> Issued:
    """
    Give a key a new secret; the one before is good until `old_until`, by default no longer.

    The secret before that ends at once. Raises NotFound; KeyRefused for a key that is switched off.
    Rule: KEY-3.
    """
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        actor.stamp_transaction()
        key = _locked(merchant_id, key_id)
        if not key.active:
            raise KeyRefused(_("The API key is switched off."))
        key.previous_hash = bytes(key.secret_hash) if old_until else None
        key.previous_until = old_until
        key.secret_hash = _hash(secret)
        key.save(update_fields=["secret_hash", "previous_hash", "previous_until"])
        _record(key, "api_key.rotate")
    return Issued(key, created=False, token=f"{key.prefix}.{secret}")


def revoke(*, merchant_id: int, key_id: int) -> ApiKey:
    """Switch a key off for good. Raises NotFound. Rule: KEY-3."""
    with transaction.atomic():
        actor.stamp_transaction()
        key = _locked(merchant_id, key_id)
        if key.active:
            key.active = False
            key.save(update_fields=["active"])
            _record(key, "api_key.revoke")
    return key


def check(*, token: str, address: str, at: datetime) -> ApiKey:
    """
    Return the key that `<prefix>.<secret>` opens, seen from network address `address`.

    Reads one row, and writes it once in NOTED_EVERY at most: a key in use is never a hot row.
    Raises KeyRefused; AddressRefused once the secret is proved. Rule: KEY-2.
    """
    prefix, _dot, secret = token.partition(".")
    shape = _PREFIX.fullmatch(prefix)
    key = (
        ApiKey.objects.select_related("merchant")
        .filter(merchant_id=int(shape[1]), prefix=prefix)
        .first()
        if shape and len(secret) <= 100 and secret.isascii()
        else None
    )
    given = _hash(secret)
    proved = hmac.compare_digest(given, bytes(key.secret_hash) if key else _NO_HASH)
    overlaps = key is not None and key.previous_until is not None and at < key.previous_until
    before = bytes(key.previous_hash or _NO_HASH) if key and overlaps else _NO_HASH
    proved |= hmac.compare_digest(given, before)
    if key is None or not proved or not key.active:
        raise KeyRefused(_("The API key is not valid."))
    if key.expires_at is not None and at >= key.expires_at:
        raise KeyRefused(_("The API key is not valid."))
    if key.networks and not _inside(address, key.networks):
        _note_refused(key, address, at)
        raise AddressRefused(_("The API key may not be used from this network address."))
    _note_used(key, address, at)
    return key


def _note_used(key: ApiKey, address: str, at: datetime) -> None:
    """Remember when and from where; of many requests at once one writes."""
    if key.last_used_at is None or at - key.last_used_at >= NOTED_EVERY:
        _stale(key, "last_used_at", at).update(last_used_at=at, last_used_from=address[:45])


def _note_refused(key: ApiKey, address: str, at: datetime) -> None:
    """Write a refused address into the audit trail, once in NOTED_EVERY for each key."""
    with transaction.atomic():
        if _stale(key, "last_refused_at", at).update(last_refused_at=at):
            _record(key, "api_key.address_refused", address=address[:45])


def _stale(key: ApiKey, column: str, at: datetime) -> QuerySet[ApiKey]:
    rows = ApiKey.objects.filter(merchant_id=key.merchant_id, id=key.id)
    old = {f"{column}__lte": at - NOTED_EVERY}
    return rows.filter(Q(**{f"{column}__isnull": True}) | Q(**old))


def _book(merchant: Merchant | None, kind: str) -> Merchant:
    if kind != ApiKey.Kind.MERCHANT and merchant is None:
        return house.house()
    if kind == ApiKey.Kind.MERCHANT and merchant and merchant.kind == Merchant.Kind.MERCHANT:
        if merchant.status == Merchant.Status.CLOSED:
            raise KeyMalformed(_("This merchant is closed."), field="merchant")
        return merchant
    raise KeyMalformed(
        _("A merchant's key needs its merchant; other kinds belong to the house."), field="merchant"
    )


def _require_scopes(kind: str, scopes: Sequence[str]) -> None:
    allowed = {str(scope) for scope in KIND_SCOPES[kind]}
    wrong = sorted(set(scopes) - allowed)
    if wrong or not scopes:
        raise KeyMalformed(
            _("Not a scope of this kind of key: %(scopes)s. Allowed: %(allowed)s.")
            % {"scopes": ", ".join(wrong) or "-", "allowed": ", ".join(sorted(allowed))},
            field="scopes",
        )


def network(text: str) -> str:
    """Return a network in its one form. Raises KeyMalformed. Rule: KEY-2."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise KeyMalformed(
            _("%(text)s is not a network in CIDR form.") % {"text": repr(text)}, field="networks"
        ) from None


def _inside(address: str, networks: Sequence[str]) -> bool:
    try:
        seen = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(seen, ipaddress.IPv6Address) and seen.ipv4_mapped:
        seen = seen.ipv4_mapped
    return any(seen in ipaddress.ip_network(network) for network in networks)


def _hash(secret: str) -> bytes:
    """Hash a secret of 256 random bits; nothing slow is needed, there is nothing to guess."""
    return hashlib.sha256(secret.encode()).digest()


def _locked(merchant_id: int, key_id: int) -> ApiKey:
    key = ApiKey.objects.select_for_update().filter(merchant_id=merchant_id, id=key_id).first()
    if key is None:
        raise NotFound(_("There is no such API key."))
    return key


def _record(key: ApiKey, action: str, **more: str) -> None:
    audit.record(
        merchant_id=key.merchant_id,
        action=action,
        object_kind="api_key",
        object_id=key.prefix,
        after={"name": key.name, "kind": str(key.kind), "scopes": list(key.scopes), **more},
    )
