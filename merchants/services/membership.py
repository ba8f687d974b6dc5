"""Who may act for a merchant."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, Forbidden, NotFound
from foundation import actor
from foundation.models import User
from foundation.services import audit
from merchants.models import Ability, Membership
from merchants.models.membership import ROLE_ABILITIES


class StaffHasNoMembership(DomainError):
    """
    Staff and merchants' people sign in with separate accounts, even where they are one person.
    """

    code = "staff_has_no_membership"


def grant(*, merchant_id: int, user: User, role: str, at: datetime) -> Membership:
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
            merchant_id=merchant_id, user=user, defaults={"role": role, "created_at": at}
        )
        before = None if created else {"role": member.role, "active": member.active}
        after = {"role": role, "active": True}
        if before == after:
            return member
        member.role, member.active = role, True
        member.save(update_fields=["role", "active"])
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
            before = {"role": member.role, "active": True}
            _record(member, "membership.revoke", before, {**before, "active": False})
    return member


def may(*, merchant_id: int, user: User, ability: Ability) -> bool:
    """Return whether the user's role with this merchant includes the ability, now."""
    member = Membership.objects.filter(merchant_id=merchant_id, user=user, active=True).first()
    return (
        user.is_active
        and member is not None
        and not user.is_staff
        and ability in ROLE_ABILITIES[member.role]
    )


def require(*, merchant_id: int, user: User, ability: Ability) -> None:
    """Raise Forbidden unless the user `may`. Rule: MER-7."""
    if not may(merchant_id=merchant_id, user=user, ability=ability):
        raise Forbidden(_("Your role does not allow this: %(what)s.") % {"what": ability.label})


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
