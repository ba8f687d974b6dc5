"""Who may act for a merchant."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, Forbidden, NotFound
from foundation import actor
from foundation.models import User
from foundation.services import audit
from merchants.models import Ability, CustomRole, Membership, Merchant
from merchants.models.membership import abilities_left, abilities_of


class StaffHasNoMembership(DomainError):
    """
    Staff and merchants' people sign in with separate accounts, even where they are one person.
    """

    code = "staff_has_no_membership"


class OwnMembership(Forbidden):
    """Nobody changes his own role, under any of his accounts."""

    code = "own_membership"


class LastOwner(DomainError):
    """A merchant keeps an owner; its people cannot leave it without one."""

    code = "last_owner"


class BeyondOwnAbilities(Forbidden):
    """Nobody gives, or takes from others, what he has not himself."""

    code = "beyond_own_abilities"


def grant(
    *,
    merchant_id: int,
    user: User,
    role: str,
    at: datetime,
    custom_role: CustomRole | None = None,
) -> Membership:
    """
    Give a user a role with a merchant, or change it; switched off memberships are switched on.

    Raises: StaffHasNoMembership; ValueError for a role that does not exist.
    Rule:   MER-7 (docs/rules/merchants.md).
    """
    role = str(Membership.Role(role))
    if user.is_staff or user.is_superuser:
        raise StaffHasNoMembership(_("Staff need a second account to act for a merchant."))
    with transaction.atomic():
        actor.stamp_transaction()
        member, created = Membership.objects.select_for_update().get_or_create(
            merchant_id=merchant_id,
            user=user,
            defaults={"role": role, "custom_role": custom_role, "created_at": at},
        )
        before = None if created else _state(member)
        member.role, member.custom_role, member.active = role, custom_role, True
        after = _state(member)
        if before == after:
            return member
        member.save(update_fields=["role", "custom_role", "active"])
        _record(member, "membership.grant", before, after)
    return member


def revoke(*, merchant_id: int, user: User) -> Membership:
    """Switch a membership off. Raises NotFound. Rule: MER-7."""
    with transaction.atomic():
        actor.stamp_transaction()
        member = (
            Membership.objects.select_for_update()
            .filter(merchant_id=merchant_id, user=user)
            .first()
        )
        if member is None:
            raise NotFound(_("There is no such membership."))
        if member.active:
            member.active = False
            member.save(update_fields=["active"])
            after = _state(member)
            _record(member, "membership.revoke", {**after, "active": True}, after)
    return member


def change(
    *,
    merchant_id: int,
    user_id: str,
    role: str,
    custom_role: CustomRole | None,
    by: User,
    at: datetime,
) -> Membership:
    """
    Give one of a merchant's people another role, or switch him on again, by another of them.

    Raises: NotFound, OwnMembership, BeyondOwnAbilities, LastOwner, Forbidden.
    Rule:   PEO-2, PEO-3 (docs/rules/people.md).
    """
    with transaction.atomic():
        member = _managed(merchant_id, user_id, by)
        require_can_give(merchant_id=merchant_id, by=by, abilities=abilities_of(role, custom_role))
        if role != Membership.Role.OWNER:
            _require_other_owner(member)
        return grant(
            merchant_id=merchant_id, user=member.user, role=role, custom_role=custom_role, at=at
        )


def switch_off(*, merchant_id: int, user_id: str, by: User) -> Membership:
    """
    Let one of a merchant's people do nothing more, by another of them.

    Raises: NotFound, OwnMembership, BeyondOwnAbilities, LastOwner, Forbidden. Rule: PEO-2, PEO-3.
    """
    with transaction.atomic():
        member = _managed(merchant_id, user_id, by)
        _require_other_owner(member)
        return revoke(merchant_id=merchant_id, user=member.user)


def require_can_give(*, merchant_id: int, by: User, abilities: frozenset[Ability]) -> None:
    """Raise Forbidden unless `by` manages people and has every ability himself. Rule: PEO-3."""
    require(merchant_id=merchant_id, user=by, ability=Ability.MANAGE)
    beyond = abilities - abilities_now(merchant_id=merchant_id, user=by)
    if beyond:
        words = ", ".join(sorted(str(one.label) for one in beyond))
        raise BeyondOwnAbilities(
            _("You cannot give what your own role does not include: %(what)s.") % {"what": words}
        )


def has_role(*, merchant_id: int, person_id: uuid.UUID, role: CustomRole) -> bool:
    """Return whether a person has this custom role, under any of his accounts."""
    held = Membership.objects.filter(merchant_id=merchant_id, custom_role=role, active=True)
    return held.filter(user__person_id=person_id).exists()


def _managed(merchant_id: int, user_id: str, by: User) -> Membership:
    """Return a membership that `by` may change, while nobody else changes this merchant's."""
    Merchant.objects.select_for_update(no_key=True).get(id=merchant_id)
    member = (
        Membership.objects.select_related("user", "custom_role")
        .filter(merchant_id=merchant_id, user_id=user_id)
        .first()
    )
    require(merchant_id=merchant_id, user=by, ability=Ability.MANAGE)
    if member is None:
        raise NotFound(_("There is no such membership."))
    if member.user.person_id == by.person_id:
        raise OwnMembership(_("Nobody changes his own role: ask another owner."))
    if member.active:
        require_can_give(merchant_id=merchant_id, by=by, abilities=member.abilities)
    return member


def _require_other_owner(member: Membership) -> None:
    """Refuse to take the last active owner away."""
    owners = Membership.objects.filter(
        merchant_id=member.merchant_id,
        role=Membership.Role.OWNER,
        active=True,
        user__is_active=True,
    )
    is_owner = member.active and member.role == Membership.Role.OWNER
    if is_owner and not owners.exclude(id=member.id).exists():
        raise LastOwner(_("The last owner stays: make somebody else an owner first."))


def may(*, merchant_id: int, user: User, ability: Ability) -> bool:
    """Return whether the user's role with this merchant includes the ability, now."""
    return ability in abilities_now(merchant_id=merchant_id, user=user)


def abilities_now(*, merchant_id: int, user: User) -> frozenset[Ability]:
    """Return what the user may do for this merchant, now; nothing for a stranger and for staff."""
    if not user.is_active or user.is_staff:
        return frozenset()
    member = (
        Membership.objects.select_related("custom_role", "merchant")
        .filter(merchant_id=merchant_id, user=user, active=True)
        .first()
    )
    if member is None:
        return frozenset()
    return abilities_left(member.merchant.status, member.abilities)


def require(*, merchant_id: int, user: User, ability: Ability | tuple[Ability, ...]) -> None:
    """Raise Forbidden unless the user has the ability, or one of several, now. Rule: MER-7."""
    wanted = ability if isinstance(ability, tuple) else (ability,)
    if not abilities_now(merchant_id=merchant_id, user=user).intersection(wanted):
        raise Forbidden(_("Your role does not allow this: %(what)s.") % {"what": wanted[0].label})


def _record(
    member: Membership, action: str, before: dict[str, object] | None, after: dict[str, object]
) -> None:
    audit.record(
        merchant_id=member.merchant_id,
        action=action,
        object_kind="membership",
        object_id=str(member.user_id),
        before=before,
        after=after,
    )


def _state(member: Membership) -> dict[str, object]:
    state: dict[str, object] = {"role": str(member.role), "active": member.active}
    if member.custom_role is not None:
        state |= {"custom_role": member.custom_role.name}
    return state
