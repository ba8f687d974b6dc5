"""The authenticator app (TOTP) of the second step of signing in, as a factor of verification."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from foundation.services import totp
from foundation.services.second_factor import CodesLocked
from foundation.verification import FactorLocked, Presented, ProofField, VerificationFactor

NAME: Final = "totp"


def check(presented: Presented) -> None:
    """
    Pass when it is the account's present code and has opened nothing yet, sign-in included.

    Raises: FactorNotSet, CodeUsed, CodeWrong (foundation.services.second_factor), FactorLocked.
    Rule:   VER-12, SIG-4 (docs/rules/sign_in.md).
    """
    try:
        totp.check_totp(presented.user, presented.given[NAME].strip(), presented.at)
    except CodesLocked as refusal:
        raise FactorLocked(str(refusal)) from None


FACTOR: Final = VerificationFactor(
    NAME,
    _("authenticator app"),
    level=3,
    fields=(
        ProofField(
            NAME,
            _("Code of your authenticator app"),
            max_length=6,
            numeric=True,
            hidden=False,
            complete="one-time-code",
        ),
    ),
    check=check,
)
