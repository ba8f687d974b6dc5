"""The acts of a merchant's people that need proofs, beside those of higher floors (VER-1)."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from foundation.verification import VerifiedOperation
from merchants.models import Ability
from merchants.services import bank_account_request, payment_password

OPERATIONS: Final = (
    VerifiedOperation(
        bank_account_request.ADD,
        _("add a bank account"),
        Ability.MANAGE,
        payee=bank_account_request.payee_title,
    ),
    VerifiedOperation(
        bank_account_request.CHANGE,
        _("change a bank account"),
        Ability.MANAGE,
        payee=bank_account_request.payee_title,
    ),
    VerifiedOperation("api_key.create", _("make an API key"), Ability.MANAGE),
    VerifiedOperation("api_key.show", _("show the secret of an API key"), Ability.MANAGE),
    VerifiedOperation("payment_password.set", _("set the payment password"), Ability.WITHDRAW),
    VerifiedOperation(
        "payment_password.change", _("change the payment password"), Ability.WITHDRAW
    ),
    VerifiedOperation(
        payment_password.RESET, _("reset a forgotten payment password"), Ability.WITHDRAW
    ),
    VerifiedOperation("membership.change", _("change who acts for a merchant"), Ability.MANAGE),
)
