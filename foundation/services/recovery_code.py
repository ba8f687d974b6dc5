"""Recovery codes: ten on paper, each good once, for the day the telephone is gone."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.db import transaction
from django.utils.translation import gettext as _

from foundation import mfa
from foundation.models import User
from foundation.services import second_factor as second_factors


def make(*, user: User) -> list[str]:
    """
    Give an account ten new codes and return them, the only time they are seen; old ones end.

    The caller has proved who the person is. Rule: SIG-6.
    """
    with transaction.atomic(), mfa.secrets_of(user.pk):
        second_factors.locked(user)
        Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
        codes = RecoveryCodes.activate(user).generate_codes()
        second_factors.record(user, "second_factor.recovery_codes")
    return [str(code) for code in codes]


def check(*, user: User, code: str, at: datetime) -> None:
    """
    Pass when `code` is an unused recovery code, and use it up; else count the failure.

    Raises: FactorNotSet, CodeWrong, CodesLocked. Rule: SIG-3, SIG-6.
    """
    second_factors.counted(user=user, at=at, attempt=lambda _guard: _fits(user, code, at))


def _fits(user: User, code: str, at: datetime) -> bool:
    row = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).first()
    if row is None:
        raise second_factors.FactorNotSet(_("There are no recovery codes for this account."))
    with mfa.secrets_of(user.pk):
        right = row.wrap().validate_code(unicodedata.normalize("NFKC", code))
    if right:
        Authenticator.objects.filter(pk=row.pk).update(last_used_at=at)
        second_factors.record(user, "second_factor.recovery_code_used")
    return bool(right)
