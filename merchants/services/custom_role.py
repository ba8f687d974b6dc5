"""Roles that a merchant puts together for its own people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from config.errors import Malformed, NotFound
from foundation import actor
from foundation.models import User
from foundation.services import audit
from merchants.models import Ability, CustomRole
from merchants.services import membership as memberships


class RoleMalformed(Malformed):
    """No name, a name that is taken, or no ability."""

    code = "custom_role_malformed"


def create(
    *, merchant_id: int, name: str, abilities: Iterable[str], by: User, at: datetime
) -> CustomRole:
    """
    Make a role of some abilities, all of which `by` has himself.

    Raises: RoleMalformed naming the field, BeyondOwnAbilities, Forbidden. Rule: PEO-3, PEO-4.
    """
    name, chosen = name.strip(), _chosen(abilities)
    if not 0 < len(name) <= 50 or not name.isprintable():
        raise RoleMalformed(_("A name of 1 to 50 letters is needed."), field="name")
    memberships.require_can_give(merchant_id=merchant_id, by=by, abilities=chosen)
    try:
        with transaction.atomic():
            actor.stamp_transaction()
            role = CustomRole.objects.create(
                merchant_id=merchant_id,
                name=name,
                abilities=sorted(str(one) for one in chosen),
                created_at=at,
            )
            _record(role, "custom_role.create", None)
    except IntegrityError as refused:
        if "custom_role_name" not in str(refused):
            raise
        raise RoleMalformed(_("There is a role of this name."), field="name") from refused
    return role


def change(
    *, merchant_id: int, role_id: int, abilities: Iterable[str], active: bool, by: User
) -> CustomRole:
    """
    Give a role other abilities, or switch it off: at once, for all who have it.

    `by` has every ability of before and after himself, and does not have the role: nobody changes
    his own. Raises: NotFound, RoleMalformed, OwnMembership, BeyondOwnAbilities, Forbidden.
    Rule: PEO-2, PEO-3, PEO-4.
    """
    chosen = _chosen(abilities)
    with transaction.atomic():
        actor.stamp_transaction()
        role = (
            CustomRole.objects.select_for_update().filter(merchant_id=merchant_id, id=role_id)
        ).first()
        if role is None:
            raise NotFound(_("There is no such role."))
        before = frozenset(Ability(one) for one in role.abilities)
        memberships.require_can_give(merchant_id=merchant_id, by=by, abilities=before | chosen)
        if memberships.has_role(merchant_id=merchant_id, person_id=by.person_id, role=role):
            raise memberships.OwnMembership(_("Nobody changes his own role: ask another owner."))
        was = _state(role)
        role.abilities, role.active = sorted(str(one) for one in chosen), active
        if was != _state(role):
            role.save(update_fields=["abilities", "active"])
            _record(role, "custom_role.change", was)
    return role


def _chosen(abilities: Iterable[str]) -> frozenset[Ability]:
    try:
        chosen = frozenset(Ability(one) for one in abilities)
    except ValueError:
        chosen = frozenset()
    if not chosen:
        raise RoleMalformed(_("Choose at least one ability."), field="abilities")
    return chosen


def _state(role: CustomRole) -> dict[str, Any]:
    return {"name": role.name, "abilities": list(role.abilities), "active": role.active}


def _record(role: CustomRole, action: str, before: dict[str, Any] | None) -> None:
    audit.record(
        merchant_id=role.merchant_id,
        action=action,
        object_kind="custom_role",
        object_id=str(role.id),
        before=before,
        after=_state(role),
    )
