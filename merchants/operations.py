"""The acts of a merchant's people that need proofs, beside those of higher floors (VER-1)."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from foundation.verification import VerifiedOperation
from merchants.models import Ability
from merchants.selectors import confirmation as confirmation_selectors
from merchants.services import (
    bank_account_request,
    confirmation,
    own_key,
    own_people,
    own_webhook,
    payment_password,
)
from merchants.services.verification_token import payee_words

_MANAGE: Final = (Ability.MANAGE,)

OPERATIONS: Final = (
    VerifiedOperation(
        bank_account_request.ADD,
        _("add a bank account"),
        _MANAGE,
        payee=bank_account_request.payee_title,
    ),
    VerifiedOperation(
        bank_account_request.CHANGE,
        _("change a bank account"),
        _MANAGE,
        payee=bank_account_request.payee_title,
    ),
    VerifiedOperation(own_key.CREATE, _("make an API key"), _MANAGE, payee=payee_words),
    VerifiedOperation(own_key.SHOW, _("show the secret of an API key"), _MANAGE),
    VerifiedOperation(own_webhook.CREATE, _("make a webhook endpoint"), _MANAGE, payee=payee_words),
    VerifiedOperation(own_webhook.SHOW, _("show the secret of a webhook endpoint"), _MANAGE),
    VerifiedOperation(payment_password.SET, _("set the payment password"), payment_password.WHO),
    VerifiedOperation(
        payment_password.CHANGE, _("change the payment password"), payment_password.WHO
    ),
    VerifiedOperation(
        payment_password.RESET, _("reset a forgotten payment password"), payment_password.WHO
    ),
    VerifiedOperation(
        own_people.CHANGE, _("change who acts for a merchant"), _MANAGE, payee=payee_words
    ),
    VerifiedOperation(
        confirmation.OPERATION,
        _("confirm what a colleague asks for"),
        (Ability.WITHDRAW, Ability.MANAGE),
        payee=confirmation_selectors.payee_title,
    ),
)
