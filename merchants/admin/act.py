"""What acts are called on the audit trail and on timelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import Promise

ACTS: Final[Mapping[str, Promise]] = {
    "agents.import": pgettext_lazy("act", "Agents imported from a file"),
    "api_key.address_refused": pgettext_lazy("act", "API key refused from an unlisted network"),
    "api_key.create": pgettext_lazy("act", "API key made"),
    "api_key.revoke": pgettext_lazy("act", "API key switched off"),
    "api_key.rotate": pgettext_lazy("act", "API key given a new secret"),
    "application.approve": pgettext_lazy("act", "Application approved"),
    "application.begin": pgettext_lazy("act", "Application begun"),
    "application.give_up": pgettext_lazy("act", "Application given up"),
    "application.propose": pgettext_lazy("act", "Application passed by the first review"),
    "application.refuse": pgettext_lazy("act", "Application refused"),
    "application.return": pgettext_lazy("act", "Application returned for completion"),
    "application.submit": pgettext_lazy("act", "Application submitted"),
    "bank_account.add": pgettext_lazy("act", "Bank account added"),
    "bank_account.disable": pgettext_lazy("act", "Bank account switched off"),
    "bank_account.replace": pgettext_lazy("act", "Bank account replaced"),
    "bank_account.verify": pgettext_lazy("act", "Bank account verified"),
    "confirmation.ask": pgettext_lazy("act", "Confirmation by another person asked for"),
    "confirmation.no": pgettext_lazy("act", "Confirmation refused"),
    "confirmation.number_shown": pgettext_lazy("act", "Telephone number to call shown"),
    "confirmation.yes": pgettext_lazy("act", "Confirmed by another person"),
    "contact.switch_off": pgettext_lazy("act", "Contact switched off"),
    "custom_role.change": pgettext_lazy("act", "Merchant's own role changed"),
    "custom_role.create": pgettext_lazy("act", "Merchant's own role made"),
    "document.add": pgettext_lazy("act", "Paper sent in"),
    "document.damaged": pgettext_lazy("act", "Paper found damaged"),
    "document.download": pgettext_lazy("act", "Paper taken out as a file"),
    "document.leave_out": pgettext_lazy("act", "Paper of before left out"),
    "document.look": pgettext_lazy("act", "Paper looked at"),
    "document.remove": pgettext_lazy("act", "Paper taken off a draft"),
    "document.sound": pgettext_lazy("act", "Paper found sound again"),
    "factor.lock": pgettext_lazy("act", "Proof locked after wrong tries"),
    "invitation.accept": pgettext_lazy("act", "Invitation accepted"),
    "invitation.send": pgettext_lazy("act", "Invitation sent"),
    "invitation.withdraw": pgettext_lazy("act", "Invitation withdrawn"),
    "link.look": pgettext_lazy("act", "Links to other merchants and accounts looked at"),
    "membership.grant": pgettext_lazy("act", "Role with a merchant given"),
    "membership.revoke": pgettext_lazy("act", "Role with a merchant taken away"),
    "merchant.capability": pgettext_lazy("act", "What a merchant may do changed"),
    "merchants.import": pgettext_lazy("act", "Merchants imported from a file"),
    "partner_grant.end": pgettext_lazy("act", "Partner no longer acts for a merchant"),
    "partner_grant.grant": pgettext_lazy("act", "Partner may act for a merchant"),
    "payment_password.change": pgettext_lazy("act", "Payment password changed"),
    "payment_password.lock": pgettext_lazy("act", "Payment password locked after wrong tries"),
    "payment_password.reset": pgettext_lazy("act", "Forgotten payment password set anew"),
    "payment_password.set": pgettext_lazy("act", "Payment password set"),
    "verification_rule.change": pgettext_lazy("act", "Rule of the matrix changed"),
    "webhook.choose": pgettext_lazy("act", "Events of a webhook chosen"),
    "webhook.create": pgettext_lazy("act", "Webhook made"),
    "webhook.pause": pgettext_lazy("act", "Webhook paused"),
    "webhook.remove": pgettext_lazy("act", "Webhook removed"),
    "webhook.replay": pgettext_lazy("act", "Webhook message sent again"),
    "webhook.resume": pgettext_lazy("act", "Webhook resumed"),
    "webhook.rotate": pgettext_lazy("act", "Webhook given a new secret"),
}
