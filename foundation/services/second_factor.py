"""Second factors of an account: counted tries under lock, what it has, and taking them away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import actor
from foundation.models import SecondFactorGuard, SignIn, User
from foundation.models.second_factor import MAX_FAILURES
from foundation.selectors import second_factor as selectors
from foundation.selectors.house import house_id
from foundation.services import audit, outbox
from foundation.services import sign_in as sign_ins

LOCKED_FOR: Final = timedelta(hours=1)
NOTICE: Final = "foundation.mail_account_change"


class CodeWrong(DomainError):
    """Not the code. Says how many tries are left."""

    code = "second_factor_wrong"
    http_status = 403


class CodeUsed(DomainError):
    """The right code, but it has opened something already."""

    code = "second_factor_used"
    http_status = 403


class CodesLocked(DomainError):
    """Too many failures; nothing is compared until the lock ends."""

    code = "second_factor_locked"
    http_status = 403


class FactorNotSet(DomainError):
    """This account has no such second factor."""

    code = "second_factor_not_set"


class FactorExists(DomainError):
    """This account has such a second factor already."""

    code = "second_factor_exists"


class FactorNeeded(DomainError):
    """A role makes the second step compulsory; the last factor stays."""

    code = "second_factor_needed"


def counted(
    *, user: User, at: datetime, attempt: Callable[[SecondFactorGuard], bool]
) -> SecondFactorGuard:
    """
    Pass when `attempt` says yes; else count the failure, so it commits by itself.

    The account's guard is locked meanwhile: tries at once are counted one by one, and the fifth
    failure in a row locks for LOCKED_FOR. What `attempt` raises is no failure. Never call it inside
    a transaction that may roll back.

    Raises: CodeWrong, CodesLocked.
    Rule:   SIG-3 (docs/rules/sign_in.md).
    """
    with transaction.atomic(durable=True):
        guard = locked(user)
        refusal = _try(guard, user, at, attempt)
    if refusal is not None:
        raise refusal
    return guard


def locked(user: User) -> SecondFactorGuard:
    """Return the account's guard under lock, inside the caller's transaction; make it at need."""
    actor.stamp_transaction()
    SecondFactorGuard.objects.get_or_create(user=user)
    return SecondFactorGuard.objects.select_for_update().get(user=user)


def record(user: User, action: str, **after: object) -> None:
    """
    Write an act on an account's proofs into the audit trail, and tell its owner by e-mail.

    Whoever took an account over would hide it first of all: the owner hears of every such act.
    """
    audit.record(
        merchant_id=house_id(),
        action=action,
        object_kind="user",
        object_id=str(user.pk),
        after=after or None,
    )
    outbox.add(NOTICE, merchant_id=house_id(), payload={"user_id": str(user.pk), "act": action})


def remove(*, user: User, factor_id: int) -> None:
    """
    Take one factor away, by its owner; with the last one the recovery codes go too.

    Every other session ends. The caller has proved who the person is.
    Raises: FactorNotSet; FactorNeeded for the last one where a role makes it compulsory.
    Rule:   SIG-5, SIG-6.
    """
    with transaction.atomic():
        locked(user)
        kept = Authenticator.objects.filter(user=user)
        factors = kept.exclude(type=Authenticator.Type.RECOVERY_CODES)
        found = factors.filter(pk=factor_id).first()
        if found is None:
            raise FactorNotSet(_("There is no such second step."))
        if factors.count() == 1:
            if selectors.must_have(user=user):
                raise FactorNeeded(_("Your role needs a second step: add another one first."))
            kept.delete()
        else:
            found.delete()
        record(user, "second_factor.remove", kind=str(found.type))


def reset(*, user: User, at: datetime) -> None:
    """
    Take every factor of an account away and end its sessions; for approvals only (SIG-9).

    Whoever must have one enrols a new one at the next sign-in.
    """
    with transaction.atomic():
        locked(user)
        Authenticator.objects.filter(user=user).delete()
        record(user, "second_factor.reset")
        sign_ins.end_all(user=user, why=SignIn.Ended.FACTOR, at=at)


def _try(
    guard: SecondFactorGuard,
    user: User,
    at: datetime,
    attempt: Callable[[SecondFactorGuard], bool],
) -> DomainError | None:
    if guard.locked_until is not None and at < guard.locked_until:
        return _locked()
    failed = 0 if guard.locked_until is not None else guard.failed_count
    if attempt(guard):
        guard.failed_count, guard.locked_until = 0, None
        guard.save()
        return None
    guard.failed_count = failed + 1
    guard.locked_until = at + LOCKED_FOR if guard.failed_count >= MAX_FAILURES else None
    guard.save()
    if guard.locked_until is not None:
        record(user, "second_factor.lock")
        return _locked()
    left = MAX_FAILURES - guard.failed_count
    return CodeWrong(_("The code is wrong; %(left)s tries are left.") % {"left": left}, left=left)


def _locked() -> CodesLocked:
    return CodesLocked(
        _("Codes are locked after %(count)s failures; try again in an hour.")
        % {"count": MAX_FAILURES}
    )
