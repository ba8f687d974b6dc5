"""Why a row of a merchants file is refused, beyond what every file has (foundation.csv_intake)."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: Final[dict[str, str | Promise]] = {
    "reserved": _("This number belongs to the house itself."),
    "registration_shape": _(
        "Not a unified social credit code: 18 characters, digits and capitals but I, O, S, V, Z."
    ),
    "registration_check_digit": _("The check digit of the unified social credit code is wrong."),
    "agent_number_malformed": _("Letters, digits, dot, hyphen and underscore, at most 64 of them."),
    "agent_unknown": _("There is no such agent."),
    "agent_stopped": _("This agent is stopped."),
    "agent_circle": _("This agent would be above itself."),
    "agent_levels": _("More agents would stand above each other than may."),
    "contract_order": _("It ends before it begins."),
    "email_malformed": _("Not an e-mail address."),
    "schedule_unknown": _("Not a schedule: T1, D1, WEEKLY:1, MONTHLY:1 and MANUAL are some."),
}
