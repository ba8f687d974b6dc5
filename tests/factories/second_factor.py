"""An authenticator app on somebody's telephone, as the tests play it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.mfa.totp.internal import auth

from foundation import clock
from foundation.models import User
from foundation.services import totp


@dataclass(frozen=True)
class Telephone:
    """Knows a secret, and shows the code of any moment."""

    secret: str

    def code(self, at: datetime | None = None) -> str:
        """Return the six digits shown at a moment, now unless said otherwise."""
        shown = at or clock.now()
        return auth.format_hotp_value(auth.hotp_value(self.secret, int(shown.timestamp()) // 30))

    def wrong(self, at: datetime | None = None) -> str:
        """Return six digits that are not right at the moment, nor right before or after it."""
        near = {
            self.code((at or clock.now()) + timedelta(seconds=s)) for s in (-60, -30, 0, 30, 60)
        }
        return next(f"{n:06d}" for n in range(100) if f"{n:06d}" not in near)


def telephone_of(user: User, at: datetime) -> Telephone:
    """Enrol an authenticator app for an account by the code of two minutes before `at`."""
    telephone = Telephone(totp.new_secret())
    before = at - timedelta(minutes=2)
    totp.enrol(user=user, secret=telephone.secret, code=telephone.code(before), at=before)
    return telephone
