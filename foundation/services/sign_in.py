"""Sessions: opened with what is known of device and place, seen, ended."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import NotFound
from foundation import session_store
from foundation.models import SignIn, User
from foundation.selectors.house import house_id
from foundation.services import audit, outbox

NOTICE: Final = "foundation.mail_new_device"
_BROWSERS: Final = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("MicroMessenger/", "WeChat"), ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("HarmonyOS", "HarmonyOS"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"),
    ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arrival:
    """From where somebody comes: the door, the network address, the browser and its cookie."""

    door: str
    address: str
    agent: str
    device_token: str


def open_session(
    *, user: User, arrival: Arrival, factor: str, session_key: str, at: datetime
) -> SignIn:
    """
    Record that an account was signed in; a new device or place is told to its owner by e-mail.

    `factor` is the kind of the second step, "" for none. Rule: SIG-7, SIG-8, SIG-18.
    """
    device_hash = SignIn.device_hash_of(user.pk, arrival.device_token)
    network = network_of(arrival.address)
    before = SignIn.objects.filter(user=user)
    with transaction.atomic():
        known = before.exists()
        opened = SignIn.objects.create(
            user=user,
            door=arrival.door,
            session_hash=session_store.stored(session_key),
            device_hash=device_hash,
            device_key=SignIn.device_key_of(arrival.device_token),
            device=device_of(arrival.agent),
            address=arrival.address[:45],
            network=network,
            factor=factor,
            new_device=known and not before.filter(device_hash=device_hash).exists(),
            new_place=known and not before.filter(network=network).exists(),
            signed_in_at=at,
            last_seen_at=at,
        )
        _record(opened, "sign_in.open")
        if opened.new_device or opened.new_place:
            outbox.add(
                NOTICE,
                merchant_id=house_id(),
                payload={"sign_in_id": opened.id},
                key=str(opened.id),
            )
    return opened


def seen(*, sign_in_id: int, at: datetime) -> None:
    """Note that a session is in use. One row, its own."""
    SignIn.objects.filter(id=sign_in_id, ended_at=None).update(last_seen_at=at)


def end(*, user: User, sign_in_id: int, why: str, at: datetime) -> None:
    """End one session of an account now; ended already is no change. Raises NotFound."""
    found = SignIn.objects.filter(user=user, id=sign_in_id).first()
    if found is None:
        raise NotFound(_("There is no such session."))
    _end([found.id], why, at)


def end_all(*, user: User, why: str, at: datetime, but: int | None = None) -> int:
    """End every session of an account but one; return how many ended. Rule: SIG-7."""
    others = SignIn.objects.filter(user=user, ended_at=None).exclude(id=but or 0)
    return _end(list(others.values_list("id", flat=True)), why, at)


def _end(ids: list[int], why: str, at: datetime) -> int:
    with transaction.atomic():
        rows = list(
            SignIn.objects.select_for_update().filter(id__in=ids, ended_at=None).order_by("id")
        )
        Session.objects.filter(session_key__in=[row.session_hash for row in rows]).delete()
        for row in rows:
            row.ended_at, row.ended = at, why
            row.save(update_fields=["ended_at", "ended"])
            _record(row, "sign_in.end")
    return len(rows)


def network_of(address: str) -> str:
    """Return the network an address lies in: /24 of IPv4, /48 of IPv6; "" for no address."""
    try:
        seen_at = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(seen_at, ipaddress.IPv6Address) and seen_at.ipv4_mapped:
        seen_at = seen_at.ipv4_mapped
    bits = 24 if seen_at.version == 4 else 48
    return str(ipaddress.ip_network(f"{seen_at}/{bits}", strict=False))


def device_of(agent: str) -> str:
    """Name browser and system of a User-Agent for people; what is not known is left out."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    other = re.sub(r"[^\w ./-]", "", agent)[:40]
    return " · ".join(filter(None, (browser, system))) or other or "–"


def _record(row: SignIn, action: str) -> None:
    audit.record(
        merchant_id=house_id(),
        action=action,
        object_kind="user",
        object_id=str(row.user_id),
        after={
            "door": str(row.door),
            "device": row.device,
            "address": row.address,
            "factor": row.factor,
            "new_device": row.new_device,
            "new_place": row.new_place,
            "ended": str(row.ended),
        },
    )
