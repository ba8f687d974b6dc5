"""Accounts of staff: a new colleague, other roles, on again by two persons; off by one, at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Forbidden, Malformed, NotFound
from foundation import actor, roles
from foundation.models import Approval, ApprovalDecision, SignIn, User
from foundation.models.user import of_mailbox
from foundation.registries import ApprovalAction, Risk
from foundation.selectors import staff_account as selectors
from foundation.selectors import staff_role as staff_roles
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from foundation.services import audit
from foundation.services import first_password as first_passwords
from foundation.services import sign_in as sign_ins

ACTION: Final = "foundation.staff_account"
DECIDE_WITHIN: Final = timedelta(days=7)
MOST_NAME: Final = 150
USERNAME: Final = re.compile(r"(?!system\.)[a-z0-9][a-z0-9._-]{2,49}")  # machines are system.*


class StaffAccountRefused(Malformed):
    """A name, address or role is none that an account of staff can have; `field` says which."""

    code = "staff_account_refused"


class OwnAccount(Forbidden):
    """Nobody has a hand in an account of his own, whichever of his accounts he uses."""

    code = "own_account"


class NotStaff(Forbidden):
    """The account is not of staff, or stands above the roles and is the server's affair."""

    code = "not_staff"


class AccountChanged(DomainError):
    """The account is not any more as the proposal says."""

    code = "staff_account_changed"


class LastDecider(DomainError):
    """Nobody else could decide on accounts of staff any more."""

    code = "last_decider"


def propose_new(
    *,
    username: str,
    name: str,
    email: str,
    language: str,
    role_names: Sequence[str],
    reason: str,
    maker: User,
    at: datetime,
) -> Approval:
    """
    Propose an account for a new colleague; another person decides, then its owner gets a link.

    Who reads the mail of the address already (an account at a merchant's) stays the same person.
    Raises: StaffAccountRefused, OwnAccount, AlreadyProposed. Rule: ROL-9, AP-1, AP-3.
    """
    name, email = " ".join(name.split()), email.strip()
    chosen = _require_roles(role_names)
    _require_identity(username, name, email, language)
    known = _same_address(email)
    if known is not None and known.person_id == maker.person_id:
        raise OwnAccount(_("Somebody else must propose an account of yours."))
    return approvals.propose(
        action=ACTION,
        merchant_id=house_id(),
        subject=f"staff:{username}",
        before={},
        after={
            "account": username,
            "name": name,
            "email": email,
            "language": language,
            "roles": chosen,
            "person_id": "" if known is None else str(known.person_id),
            "same_person_as": "" if known is None else known.username,
        },
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + DECIDE_WITHIN,
    )


def propose_roles(
    *, user_id: str, role_names: Sequence[str], reason: str, maker: User, at: datetime
) -> Approval:
    """
    Propose that an account has exactly these roles; another person decides.

    Raises: NotFound, NotStaff, OwnAccount, StaffAccountRefused, LastDecider, AlreadyProposed.
    Rule: ROL-9.
    """
    user = _others(user_id, maker)
    chosen, present = _require_roles(role_names), selectors.roles_of(user)
    if chosen == present:
        raise StaffAccountRefused(_("The account has these roles already."), field="role_names")
    _require_other_decider(user, chosen)
    return _propose(user, {"roles": present}, {"roles": chosen}, reason=reason, maker=maker, at=at)


def propose_on(*, user_id: str, reason: str, maker: User, at: datetime) -> Approval:
    """
    Propose to switch an account on again; its owner then sets a new password by a link.

    Raises: NotFound, NotStaff, OwnAccount, AccountChanged, AlreadyProposed. Rule: ROL-9.
    """
    user = _others(user_id, maker)
    if user.is_active:
        raise AccountChanged(_("The account is on."))
    if not user.email:
        raise AccountChanged(_("The account has no e-mail address to send a link to."))
    before = {"is_active": False, "roles": selectors.roles_of(user)}
    after = {"is_active": True, "roles": selectors.roles_of(user)}
    return _propose(user, before, after, reason=reason, maker=maker, at=at)


def switch_off(*, user_id: str, reason: str, by: User, at: datetime) -> User:
    """
    Switch an account off at once and end its sessions; one person suffices, since it only takes.

    Raises: NotFound, NotStaff, OwnAccount, AccountChanged, LastDecider. Rule: ROL-10.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        one_after_the_other()
        user = _others(user_id, by, lock=True, above=True)
        if not user.is_active:
            raise AccountChanged(_("The account is off already."))
        _require_other_decider(user, [])
        user.is_active = False
        user.save(update_fields=["is_active"])
        sign_ins.end_all(user=user, why=SignIn.Ended.OFF, at=at)
        _record(user, "account.off", note=reason)
    return user


def send_link(*, user_id: str, by: User, at: datetime) -> User:
    """
    Send the link for the first password again; the one of before is dead.

    Raises: NotFound, NotStaff, OwnAccount, AccountChanged when there is a password. Rule: SIG-17.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        user = _others(user_id, by, lock=True)
        if not selectors.waits_for_password(user) or not user.email:
            raise AccountChanged(_("This account waits for no link."))
        first_passwords.promise(user=user, at=at)
        _record(user, "account.link")
    return user


def _propose(
    user: User,
    before: dict[str, Any],
    after: dict[str, Any],
    *,
    reason: str,
    maker: User,
    at: datetime,
) -> Approval:
    return approvals.propose(
        action=ACTION,
        merchant_id=house_id(),
        subject=f"user:{user.pk}",
        before={"account": user.username, **before},
        after={"account": user.username, "user_id": str(user.pk), **after},
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + DECIDE_WITHIN,
    )


def _apply(approval: Approval, at: datetime) -> None:
    actor.stamp_transaction()
    one_after_the_other()
    if _is_new(approval):
        _make(approval, at)
        return
    user = _account(approval.after["user_id"], lock=True)
    _require_hands_off(approval, user)
    on = "is_active" in approval.after
    if on is user.is_active:
        raise AccountChanged(_("The account was switched on or off since this was proposed."))
    if selectors.roles_of(user) != approval.before["roles"]:
        raise AccountChanged(_("The roles of the account changed since this was proposed."))
    if not on:
        chosen = _require_roles(approval.after["roles"])
        _require_other_decider(user, chosen)
        others = user.groups.exclude(name__in=approval.before["roles"])
        user.groups.set([*others, *_groups(chosen)])
        _record(user, "account.roles", note=approval.reason)
        return
    user.is_active = True
    user.save(update_fields=["is_active"])
    first_passwords.promise(user=user, at=at)
    _record(user, "account.on", note=approval.reason)


def _make(approval: Approval, at: datetime) -> None:
    """Make account and person, and promise the link; the address still is who it was."""
    after = approval.after
    _require_identity(after["account"], after["name"], after["email"], after["language"])
    chosen, known = _require_roles(after["roles"]), _same_address(after["email"])
    if after["person_id"] != ("" if known is None else str(known.person_id)):
        raise AccountChanged(_("Another account has got this e-mail address since."))
    user = User(
        username=after["account"],
        first_name=after["name"],
        email=after["email"],
        language=after["language"],
        is_staff=True,
    )
    user.set_unusable_password()
    user.save()
    _require_hands_off(approval, user)
    user.groups.set(_groups(chosen))
    first_passwords.promise(user=user, at=at)
    _record(user, "account.create", note=approval.reason)


def _is_new(approval: Approval) -> bool:
    return "user_id" not in approval.after


def one_after_the_other() -> None:
    """Let whoever changes accounts of staff wait for another: two could remove each other."""
    list(Group.objects.select_for_update().order_by("id").values_list("id", flat=True))


def _account(user_id: str, *, lock: bool = False) -> User:
    users = User.objects.select_for_update() if lock else User.objects.all()
    found = users.filter(pk=user_id).first()
    if found is None:
        raise NotFound(_("There is no such account."))
    return found


def _others(user_id: str, by: User, *, lock: bool = False, above: bool = False) -> User:
    """Return somebody else's account of staff; one above the roles only to switch it off."""
    user = _account(user_id, lock=lock)
    if not user.is_staff:
        raise NotStaff(_("This is an account of a merchant's person, not of staff."))
    if user.is_superuser and not above:
        raise NotStaff(_("An account above the roles is changed on the server alone."))
    if user.person_id == by.person_id:
        raise OwnAccount(_("Somebody else must change an account of yours."))
    return user


def _require_identity(username: str, name: str, email: str, language: str) -> None:
    """Refuse what is no name or address, and what somebody has already."""
    if not USERNAME.fullmatch(username):
        told = _("3 to 50 small letters, digits, dots, dashes and underscores.")
        raise StaffAccountRefused(told, field="username")
    if User.objects.filter(username__iexact=username).exists():
        raise StaffAccountRefused(_("There is an account of this name."), field="username")
    if not name.isprintable():  # what turns the direction of letters makes another's name
        told = _("The text holds a character that cannot be stored.")
        raise StaffAccountRefused(told, field="name")
    if not name or len(name) > MOST_NAME:
        told = _("Between 1 and %(most)s characters.") % {"most": MOST_NAME}
        raise StaffAccountRefused(told, field="name")
    try:
        validate_email(email)
    except ValidationError as wrong:
        raise StaffAccountRefused(_("This is no e-mail address."), field="email") from wrong
    if User.objects.filter(of_mailbox(email), is_staff=True).exists():
        told = _("There is an account of staff with this e-mail address.")
        raise StaffAccountRefused(told, field="email")
    if language not in dict(settings.LANGUAGES):
        raise StaffAccountRefused(_("There is no such language."), field="language")


def _require_roles(names: Sequence[str]) -> list[str]:
    """Return the roles in the order of the table. Raises StaffAccountRefused."""
    known = staff_roles.names()
    if set(names) - set(known) or not names:
        raise StaffAccountRefused(_("Choose at least one of the roles."), field="role_names")
    return [name for name in known if name in set(names)]


def _groups(names: Sequence[str]) -> list[Group]:
    return list(Group.objects.filter(name__in=names))


def _require_other_decider(user: User, kept: Sequence[str]) -> None:
    """Refuse what would leave nobody who can decide. Rule: ROL-11."""
    codename = selectors.DECIDES.partition(".")[2]
    if Group.objects.filter(name__in=kept, permissions__codename=codename).exists():
        return
    able = selectors.deciders()
    if able.filter(pk=user.pk).exists() and not able.exclude(pk=user.pk).exists():
        raise LastDecider(_("Nobody else could decide on accounts of staff any more."))


def _require_hands_off(approval: Approval, user: User) -> None:
    """Refuse when the account is of somebody who proposed or decided."""
    decisions = ApprovalDecision.objects.filter(merchant_id=approval.merchant_id, approval=approval)
    of_him = decisions.filter(checker_person_id=user.person_id).exists()
    if of_him or approval.maker_person_id == user.person_id:
        raise OwnAccount(_("Somebody else must change an account of yours."))


def _same_address(email: str) -> User | None:
    """Return the first account of a mailbox: a new one is of the same person (AP-3)."""
    found = User.objects.filter(of_mailbox(email)).order_by("date_joined", "id")
    return found.first()


def _gains(approval: Approval) -> frozenset[str]:
    """Return the person whose account it is or will be; he does not decide (AP-3)."""
    after = approval.after
    if _is_new(approval):
        return frozenset({after["person_id"]} - {""})
    user = User.objects.filter(pk=after["user_id"]).first()
    return frozenset() if user is None else frozenset({str(user.person_id)})


def _describe(approval: Approval) -> str:
    after = approval.after
    words = {
        "account": after["account"],
        "roles": ", ".join(map(roles.title_of, after["roles"])),
    }
    if _is_new(approval):
        words["name"] = after["name"]
        return _("New colleague %(name)s (%(account)s): %(roles)s") % words
    if "is_active" in after:
        return _("Switch the account %(account)s on again: %(roles)s") % words
    return _("Give the account %(account)s these roles: %(roles)s") % words


def _record(user: User, action: str, note: str = "") -> None:
    audit.record(
        merchant_id=house_id(),
        action=action,
        object_kind="user",
        object_id=str(user.pk),
        after={
            "username": user.username,
            "active": user.is_active,
            "roles": selectors.roles_of(user),
            "person": str(user.person_id),
        },
        note=note,
    )


APPROVAL_ACTION: Final = ApprovalAction(
    ACTION,
    _apply,
    _describe,
    permission=selectors.DECIDES,
    title=gettext_lazy("Account of staff"),
    risk=Risk.HIGH,
    gains=_gains,
    about=selectors.about,
    says=selectors.says,
)
