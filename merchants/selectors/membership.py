"""Reading memberships."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from foundation.models import Approval, User
from foundation.models.user import Mailbox, mailbox
from merchants.models import Ability, Invitation, Membership

STRONG: Final = frozenset({Ability.WITHDRAW, Ability.MANAGE})


def of_user(*, user: User) -> QuerySet[Membership]:
    """Return the active memberships of a user with their merchants, by merchant number."""
    return (
        Membership.objects.filter(user=user, active=True)
        .select_related("merchant", "custom_role")
        .order_by("merchant__merchant_no")
    )


def needs_second_factor(user: User) -> bool:
    """
    Return whether a role with some merchant makes the second step of signing in compulsory.

    MFA_PORTAL_ROLES names the roles, "*" all of them; when it names any, a merchant's own role that
    withdraws or manages is meant too (registries.second_factor_rules, SIG-5).
    """
    roles = set(settings.MFA_PORTAL_ROLES)
    if not roles:
        return False
    held = Membership.objects.filter(user=user, active=True).select_related("custom_role")
    return any(
        "*" in roles
        or own.role in roles
        or (own.role == Membership.Role.CUSTOM and own.abilities & STRONG)
        for own in held
    )


def insiders(merchant_ids: Iterable[int]) -> frozenset[str]:
    """
    Return the ids of the persons who act or acted for one of these merchants, or are invited to.

    Who left is one still: a key he made may live; and who is invited accepts when he has decided.
    Rule: AP-12 (docs/rules/approvals.md).
    """
    ids = list(merchant_ids)
    held = Membership.objects.filter(merchant_id__in=ids).values_list("user__person_id", flat=True)
    open_ones = Invitation.objects.filter(
        merchant_id__in=ids, accepted_at=None, withdrawn_at=None
    ).values_list("email", flat=True)
    mailboxes = {mailbox(email) for email in open_ones}
    invited = User.objects.alias(mailbox=Mailbox("email")).filter(mailbox__in=mailboxes)
    return frozenset(map(str, {*held, *invited.values_list("person_id", flat=True)}))


def insiders_of(approval: Approval) -> frozenset[str]:
    """Return the insiders of the merchant in whose book a proposal lies."""
    return insiders([approval.merchant_id])


def people_of(*, merchant_id: int) -> QuerySet[Membership]:
    """Return everybody who acts or acted for a merchant, the active first, by name."""
    return (
        Membership.objects.filter(merchant_id=merchant_id)
        .select_related("user", "custom_role")
        .order_by("-active", "user__first_name", "user__username")
    )


def owners_to_write_to(*, merchant_id: int) -> QuerySet[Membership]:
    """Return the active owners of a merchant who have an e-mail address."""
    return (
        Membership.objects.filter(
            merchant_id=merchant_id, role=Membership.Role.OWNER, active=True, user__is_active=True
        )
        .exclude(user__email="")
        .select_related("user")
    )
