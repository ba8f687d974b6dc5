"""Whom to talk to at a merchant."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.fields import EncryptedTextField
from foundation.models import Fact
from merchants.models.application_party import ApplicationContact


class MerchantContact(Fact):
    """
    One person to talk to, in one role. Nobody gets a right or a letter by being one.

    Known by merchant, role and name; switched off, never deleted. The phone is encrypted.
    """

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    role = models.CharField(_("role"), max_length=9, choices=ApplicationContact.Role)
    name = models.CharField(_("contact's name"), max_length=100)
    email = models.EmailField(_("e-mail"), max_length=200, blank=True)
    phone = EncryptedTextField(_("phone"), null=True)
    phone_hash = models.BinaryField(_("look-up hash"), max_length=32, null=True)
    phone_masked = models.CharField(_("phone"), max_length=40, blank=True)
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "merchants_merchant_contact"
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        permissions = [
            ("import_merchantcontact", _("Can import contacts")),
            ("export_merchantcontact", _("Can export contacts")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "role", "name"], name="merchant_contact_once"
            ),
            models.UniqueConstraint(fields=["merchant", "uuid"], name="merchant_contact_uuid"),
            models.CheckConstraint(
                condition=Q(phone__isnull=True, phone_hash__isnull=True, phone_masked="")
                | Q(phone__isnull=False, phone_hash__isnull=False) & ~Q(phone_masked=""),
                name="merchant_contact_phone_whole",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="merchant_contact_named"),
        ]

    def __str__(self) -> str:
        return self.name
