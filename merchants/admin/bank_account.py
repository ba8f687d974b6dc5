"""Bank accounts: masked here, verified by two persons, switched off by one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.file_export import Exchanged
from foundation.admin.keyset import KeysetAdmin
from foundation.admin.readonly import Step, uploaded
from foundation.models import User
from merchants.models import BankAccount
from merchants.services import bank_account as bank_accounts

MENU = [
    (
        "merchants_bankaccount_changelist",
        _("Bank accounts"),
        "account_balance",
        "merchants.view_bankaccount",
    )
]
COLOURS = {"UNVERIFIED": "warning", "VERIFIED": "success", "DISABLED": "danger"}
DECIDE_WITHIN = timedelta(days=7)


def _propose(request: HttpRequest, row: BankAccount, reason: str, at: datetime) -> str:
    bank_accounts.propose(
        merchant_id=row.merchant_id,
        bank_account_id=row.id,
        approved_payee=True,
        reason=reason,
        maker=cast(User, request.user),
        at=at,
        expires_at=at + DECIDE_WITHIN,
        attachments=uploaded(request),
    )
    return gettext("Proposed; another person decides in the approvals.")


def _disable(request: HttpRequest, row: BankAccount, reason: str, at: datetime) -> str:
    bank_accounts.disable(merchant_id=row.merchant_id, bank_account_id=row.id, note=reason, at=at)
    return gettext("The account is switched off.")


def _not_payee(row: BankAccount) -> bool:
    return row.status != BankAccount.Status.DISABLED and not row.approved_payee


@admin.register(BankAccount)
class BankAccountAdmin(Exchanged, KeysetAdmin):
    """Bank accounts, latest first; the number is shown masked, always."""

    exchange = "bank-accounts"
    list_display = (
        "number_masked",
        "merchant",
        "holder",
        "bank_name",
        "currency",
        columns.state("status", _("status"), COLOURS),
        "approved_payee",
    )
    list_select_related = ("merchant",)
    list_filter = (
        filters.merchant(),
        filters.states("status", _("status"), BankAccount.Status.choices),
    )
    hidden = ("uuid",)
    steps = (
        Step(
            "propose",
            _("Propose to verify and approve as payee"),
            _propose,
            open_to=_not_payee,
            permission="merchants.change_bankaccount",
            reason=_("Reason"),
            reason_needed=True,
            attachments=True,
        ),
        Step(
            "disable",
            _("Switch off"),
            _disable,
            open_to=lambda row: row.status != BankAccount.Status.DISABLED,
            permission="merchants.change_bankaccount",
            reason=_("Reason"),
            reason_needed=True,
            colour="danger",
        ),
    )
