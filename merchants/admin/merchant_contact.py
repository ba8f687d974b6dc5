"""Contacts of merchants: phones masked, brought in by sheets, switched off one by one."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin import filters
from foundation.admin.file_export import Exchanged
from foundation.admin.keyset import KeysetAdmin
from foundation.admin.readonly import Step
from merchants.models import MerchantContact
from merchants.services import merchant_contact as contacts

MENU = [
    (
        "merchants_merchantcontact_changelist",
        _("Contacts"),
        "contacts",
        "merchants.view_merchantcontact",
    )
]


def _off(request: HttpRequest, row: MerchantContact, reason: str, at: datetime) -> str:
    contacts.switch_off(merchant_id=row.merchant_id, contact_id=row.pk)
    return gettext("The contact is switched off.")


@admin.register(MerchantContact)
class MerchantContactAdmin(Exchanged, KeysetAdmin):
    """Contacts, latest first."""

    exchange = "contacts"
    list_display = ("name", "merchant", "role", "email", "phone_masked", "active")
    list_select_related = ("merchant",)
    list_filter = (filters.merchant(),)
    hidden = ("uuid",)
    steps = (
        Step(
            "off",
            _("Switch off"),
            _off,
            open_to=lambda row: row.active,
            permission="merchants.change_merchantcontact",
            colour="danger",
        ),
    )
