"""What acts are called on the audit trail and on timelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import Promise

ACTS: Final[Mapping[str, Promise]] = {
    "account.create": pgettext_lazy("act", "Account made"),
    "account.first_password": pgettext_lazy("act", "First password set by its owner"),
    "account.link": pgettext_lazy("act", "Link for the first password sent"),
    "account.off": pgettext_lazy("act", "Account switched off"),
    "account.on": pgettext_lazy("act", "Account switched on again"),
    "account.password": pgettext_lazy("act", "Sign-in password changed"),
    "account.password_reset": pgettext_lazy("act", "Sign-in password set anew by a link"),
    "account.roles": pgettext_lazy("act", "Roles changed"),
    "account.rotate": pgettext_lazy("act", "Sign-in password set anew on the server"),
    "approval_policy.change": pgettext_lazy("act", "Approval tier changed"),
    "delegation.begin": pgettext_lazy("act", "Right lent"),
    "delegation.end": pgettext_lazy("act", "Lent right ended"),
    "file.check": pgettext_lazy("act", "File checked before its import"),
    "file.damaged": pgettext_lazy("act", "Exported file found damaged"),
    "file.download": pgettext_lazy("act", "Exported file taken out"),
    "file.export": pgettext_lazy("act", "Export asked for"),
    "file.import": pgettext_lazy("act", "File imported"),
    "file.sent": pgettext_lazy("act", "List handed out as a file"),
    "file.written": pgettext_lazy("act", "Export written"),
    "second_factor.add": pgettext_lazy("act", "Second step added"),
    "second_factor.lock": pgettext_lazy("act", "Second step locked after wrong tries"),
    "second_factor.recovery_code_used": pgettext_lazy("act", "Recovery code used"),
    "second_factor.recovery_codes": pgettext_lazy("act", "New recovery codes made"),
    "second_factor.remove": pgettext_lazy("act", "Second step removed by its owner"),
    "second_factor.reset": pgettext_lazy("act", "Second step taken away by two persons"),
    "sign_in.end": pgettext_lazy("act", "Session ended"),
    "sign_in.lock": pgettext_lazy("act", "Signing in locked after wrong passwords"),
    "sign_in.open": pgettext_lazy("act", "Signed in"),
    "staff_role.change": pgettext_lazy("act", "Role of our own changed"),
}
