"""Roles of staff that the house makes itself: by two persons, of rights the table knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import Group
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Forbidden, Malformed
from foundation import actor, roles
from foundation.models import Approval, StaffRole, User
from foundation.registries import ApprovalAction, Risk
from foundation.selectors import staff_account as staff_account_selectors
from foundation.selectors import staff_role as selectors
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from foundation.services import audit
from foundation.services.staff_account import LastDecider, one_after_the_other

ACTION: Final = "foundation.staff_role"
DECIDE_WITHIN: Final = timedelta(days=7)
MOST_NAME: Final = 50
MOST_PURPOSE: Final = 200


class StaffRoleRefused(Malformed):
    """A name, purpose or set of rights is none that a role can have; `field` says which."""

    code = "staff_role_refused"


class OwnRole(Forbidden):
    """Nobody has a hand in a role that he has himself, under any of his accounts."""

    code = "own_staff_role"


class RoleChanged(DomainError):
    """The role is not any more as the proposal says."""

    code = "staff_role_changed"


def propose(
    *,
    name: str,
    purpose: str,
    rights: Sequence[str],
    is_active: bool,
    reason: str,
    maker: User,
    at: datetime,
    new: bool = False,
) -> Approval:
    """
    Propose that the role of this name gives exactly these rights, or none while it is off.

    Raises: StaffRoleRefused, OwnRole, AlreadyProposed. Rule: ROL-12, ROL-2 (docs/rules/roles.md).
    """
    name, purpose = " ".join(name.split()), " ".join(purpose.split())
    after = {
        "name": name,
        "purpose": purpose,
        "rights": sorted(set(rights)),
        "is_active": is_active,
    }
    _require_sound(after)
    present = StaffRole.objects.filter(name=name).first()
    if new and (present is not None or _taken(name)):
        raise StaffRoleRefused(_("There is a role or group of this name."), field="name")
    if present is None and not new:
        raise StaffRoleRefused(_("There is no role of this name."), field="name")
    before = {} if present is None else _state(present)
    if before == after:
        raise StaffRoleRefused(_("The role is so already."), field="rights")
    if str(maker.person_id) in _holders(name):
        raise OwnRole(_("Somebody else must change a role of yours."))
    return approvals.propose(
        action=ACTION,
        merchant_id=house_id(),
        subject=f"staff_role:{name}",
        before=before,
        after=after,
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + DECIDE_WITHIN,
    )


def _apply(approval: Approval, at: datetime) -> None:
    """Write role and group; the database compares both with the approval."""
    actor.stamp_transaction()
    one_after_the_other()
    after = approval.after
    _require_sound(after)
    role = StaffRole.objects.select_for_update().filter(name=after["name"]).first()
    if approval.before != ({} if role is None else _state(role)):
        raise RoleChanged(_("The role changed since this was proposed."))
    if role is None:
        if _taken(after["name"]):
            raise RoleChanged(_("There is a role or group of this name."))
        role = StaffRole(name=after["name"], group=Group.objects.create(name=after["name"]))
    decided_before = staff_account_selectors.deciders().exists()
    role.purpose, role.rights = after["purpose"], after["rights"]
    role.is_active, role.approval_id = after["is_active"], approval.id
    role.save()
    known = selectors.known_rights()
    given = [known[right] for right in after["rights"]] if role.is_active else []
    role.group.permissions.set(given)
    if decided_before and not staff_account_selectors.deciders().exists():
        raise LastDecider(_("Nobody else could decide on accounts of staff any more."))
    audit.record(
        merchant_id=house_id(),
        action="staff_role.change",
        object_kind="staff_role",
        object_id=str(role.pk),
        before=approval.before,
        after=after,
        note=approval.reason,
    )


def _require_sound(after: dict[str, Any]) -> None:
    """Refuse what no role can be: empty, of unknown rights, proposing and deciding at once."""
    for field, most in (("name", MOST_NAME), ("purpose", MOST_PURPOSE)):
        if not after[field].isprintable():
            told = _("The text holds a character that cannot be stored.")
            raise StaffRoleRefused(told, field=field)
        if not 1 <= len(after[field]) <= most:
            told = _("Between 1 and %(most)s characters.") % {"most": most}
            raise StaffRoleRefused(told, field=field)
    if not after["rights"] or not set(after["rights"]) <= set(selectors.known_rights()):
        raise StaffRoleRefused(_("Choose at least one of the rights."), field="rights")
    if selectors.proposes_and_decides(after["rights"]):
        told = _("A role that decides on proposals does nothing else but see.")
        raise StaffRoleRefused(told, field="rights")


def _taken(name: str) -> bool:
    titles = {str(role.title).casefold() for role in roles.ROLES.values()}
    return name.casefold() in titles or Group.objects.filter(name__iexact=name).exists()


def _state(role: StaffRole) -> dict[str, Any]:
    return {
        "name": role.name,
        "purpose": role.purpose,
        "rights": role.rights,
        "is_active": role.is_active,
    }


def _holders(name: str) -> frozenset[str]:
    found = User.objects.filter(groups__staff_role__name=name)
    return frozenset(str(person) for person in found.values_list("person_id", flat=True))


def _gains(approval: Approval) -> frozenset[str]:
    """Return who has the role: none of them decides on it (AP-3)."""
    return _holders(approval.after["name"])


def _describe(approval: Approval) -> str:
    words = {"name": approval.after["name"], "count": len(approval.after["rights"])}
    if not approval.after["is_active"]:
        return _("Switch the role %(name)s off") % words
    if not approval.before:
        return _("New role %(name)s with %(count)s rights") % words
    return _("The role %(name)s has %(count)s rights") % words


APPROVAL_ACTION: Final = ApprovalAction(
    ACTION,
    _apply,
    _describe,
    permission="foundation.approve_staffrole",
    title=gettext_lazy("Role of our own"),
    risk=Risk.HIGH,
    gains=_gains,
    about=selectors.about,
    says=selectors.says,
)
