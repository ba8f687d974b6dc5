"""Contacts of merchants: kept from the application, brought in by sheets, switched off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import NotFound
from foundation import actor, crypto
from foundation.services import audit
from merchants.models import MerchantContact
from merchants.selectors.application import Whole


@dataclass(frozen=True, slots=True)
class NewContact:
    """A contact as it shall stand; `phone` in its one form, "" for none."""

    merchant_id: int
    role: str
    name: str
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)


def put(contacts: Iterable[NewContact], *, at: datetime) -> None:
    """
    Write contacts as they shall stand, the ones known by merchant, role and name anew.

    Every row's history has before and after. Rule: MER-11 (docs/rules/merchants.md).
    """
    with transaction.atomic():
        actor.stamp_transaction()
        for one in contacts:
            known, created = MerchantContact.objects.select_for_update().get_or_create(
                merchant_id=one.merchant_id,
                role=one.role,
                name=one.name,
                defaults={"email": one.email, "created_at": at, **_phone(one.phone)},
            )
            if not created:
                known.email, known.active = one.email, True
                for name, value in _phone(one.phone).items():
                    setattr(known, name, value)
                known.save()


def take_over(of: Whole, *, merchant_id: int, at: datetime) -> None:
    """
    Keep the contacts of an approved application as the merchant's own. Of a change only what it
    changes: a contact that a sheet brought up to date meanwhile stays so, one that is left out is
    switched off.
    """
    before = (of.before or {}).get("contacts", ())
    known = {_key(c["role"], c["name"], c["email"], (c["phone"] or {}).get("keyed_hash"))
             for c in before}  # fmt: skip
    put(
        [
            NewContact(merchant_id, one.role, one.name, one.email, str(one.phone or ""))
            for one in sorted(of.contacts, key=lambda row: -row.line_no)
            if one.name and _key(one.role, one.name, one.email, _hex(one.phone_hash)) not in known
        ],  # of two with one name the first line stays
        at=at,
    )
    left = {(c["role"], c["name"]) for c in before} - {(c.role, c.name) for c in of.contacts}
    for role, name in sorted(left):
        found = MerchantContact.objects.filter(
            merchant_id=merchant_id, role=role, name=name, active=True
        ).first()
        if found is not None:
            switch_off(merchant_id=merchant_id, contact_id=found.id)


def switch_off(*, merchant_id: int, contact_id: int) -> MerchantContact:
    """Switch a contact off; it stays for the record. Raises NotFound. Rule: MER-11."""
    with transaction.atomic():
        actor.stamp_transaction()
        found = MerchantContact.objects.select_for_update().filter(
            merchant_id=merchant_id, id=contact_id
        )
        contact = found.first()
        if contact is None:
            raise NotFound(_("There is no such contact."))
        if contact.active:
            contact.active = False
            contact.save(update_fields=["active"])
            audit.record(
                merchant_id=merchant_id,
                action="contact.switch_off",
                object_kind="merchant_contact",
                object_id=str(contact.id),
            )
    return contact


def _key(role: str, name: str, email: str, phone: str | None) -> tuple[str, str, str, str]:
    return role, name, email, phone or ""


def _hex(hashed: bytes | memoryview | None) -> str | None:
    return None if hashed is None else bytes(hashed).hex()


def _phone(number: str) -> dict[str, object]:
    if not number:
        return {"phone": None, "phone_hash": None, "phone_masked": ""}
    return {
        "phone": number,
        "phone_hash": crypto.lookup_hash(number),
        "phone_masked": crypto.mask(number),
    }
