"""Who and where: owners, contacts and sites of an application."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.fields import EncryptedTextField
from foundation.models import Fact, FactForeignKey
from foundation.models.user import Mailbox
from merchants.models.application import Application


class ApplicationOwner(Fact):
    """
    One owner, of the applicant itself or, `through_no`, of the company on an earlier line.

    A line leads to an earlier one, so the lines are a tree. `share_percent` is of what is owned
    directly; the shares of one company's owners sum to at most 100 (S4-05).
    """

    class Kind(models.TextChoices):
        PERSON = "PERSON", pgettext_lazy("owner", "person")
        COMPANY = "COMPANY", pgettext_lazy("owner", "company")

    class Identity(models.TextChoices):
        RESIDENT = "RESIDENT", _("resident identity card")
        PASSPORT = "PASSPORT", _("passport")
        REGISTRATION = "REGISTRATION", _("company registration")

    class Funds(models.TextChoices):
        BUSINESS = "BUSINESS", _("earned in business")
        SALARY = "SALARY", _("salary and savings")
        INVESTORS = "INVESTORS", _("investors")
        LOAN = "LOAN", _("loan")
        INHERITED = "INHERITED", _("inherited or given")
        SALE = "SALE", _("sale of property")

    application = FactForeignKey(Application, models.PROTECT, related_name="owners")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    line_no = models.PositiveSmallIntegerField(_("line"))
    through_no = models.PositiveSmallIntegerField(_("held through line"), null=True)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind, default=Kind.PERSON)
    name = models.CharField(_("owner's name"), max_length=200)
    share_percent = models.DecimalField(_("share (%)"), max_digits=5, decimal_places=2, null=True)
    identity_kind = models.CharField(_("identity document"), max_length=12, choices=Identity)
    identity_no = EncryptedTextField(_("identity number"), null=True)
    identity_hash = models.BinaryField(_("look-up hash"), max_length=32, null=True)
    identity_masked = models.CharField(_("identity number"), max_length=40, blank=True)
    identity_until = models.DateField(_("identity document valid until"), null=True)
    identity_long_term = models.BooleanField(
        _("identity document without an end"), default=False, db_default=False
    )
    legal_representative = models.BooleanField(_("legal representative"), default=False)
    source_of_funds = models.CharField(
        _("source of funds"), max_length=9, choices=Funds, blank=True
    )

    class Meta:
        db_table = "merchants_application_owner"
        ordering = ["line_no"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "application", "line_no"], name="application_owner_line"
            ),
            models.CheckConstraint(
                condition=Q(through_no=None) | Q(through_no__lt=F("line_no")),
                name="application_owner_tree",
            ),
            models.CheckConstraint(
                condition=Q(share_percent=None) | Q(share_percent__gt=0, share_percent__lte=100),
                name="application_owner_share",
            ),
        ]
        indexes = [
            models.Index(
                fields=["identity_hash"],
                condition=Q(identity_hash__isnull=False),
                name="application_owner_identity",
            )
        ]

    def __str__(self) -> str:
        return f"{self.line_no} {self.name}"


class ApplicationContact(Fact):
    """Somebody to talk to. The owner's contact is invited to the portal on approval."""

    class Role(models.TextChoices):
        OWNER = "OWNER", pgettext_lazy("role", "owner")
        FINANCE = "FINANCE", _("finance")
        TECHNICAL = "TECHNICAL", _("technical")

    application = FactForeignKey(Application, models.PROTECT, related_name="contacts")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    line_no = models.PositiveSmallIntegerField(_("line"))
    role = models.CharField(_("role"), max_length=9, choices=Role, default=Role.OWNER)
    name = models.CharField(_("contact's name"), max_length=100)
    email = models.EmailField(_("e-mail"), max_length=200, blank=True)
    phone = EncryptedTextField(_("phone"), null=True)
    phone_hash = models.BinaryField(_("look-up hash"), max_length=32, null=True)
    phone_masked = models.CharField(_("phone"), max_length=40, blank=True)

    class Meta:
        db_table = "merchants_application_contact"
        ordering = ["line_no"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "application", "line_no"], name="application_contact_line"
            )
        ]
        indexes = [
            models.Index(
                fields=["phone_hash"],
                condition=Q(phone_hash__isnull=False),
                name="application_contact_phone",
            ),
            # Of all rows: PostgreSQL keeps no figures of an expression under a condition, and then
            # reads the whole table for the latest few of a mailbox.
            models.Index(Mailbox("email"), name="application_contact_mailbox"),
        ]

    def __str__(self) -> str:
        return self.name


class ApplicationSite(Fact):
    """Where business is done: a shop, a website, an app."""

    class Kind(models.TextChoices):
        SHOP = "SHOP", _("shop")
        WEBSITE = "WEBSITE", _("website")
        APP = "APP", _("app or mini program")

    application = FactForeignKey(Application, models.PROTECT, related_name="sites")
    line_no = models.PositiveSmallIntegerField(_("line"))
    kind = models.CharField(_("kind"), max_length=7, choices=Kind, default=Kind.SHOP)
    name = models.CharField(_("site's name"), max_length=100)
    place = models.CharField(_("address or web address"), max_length=200, blank=True)
    filing_no = models.CharField(_("filing number (ICP)"), max_length=64, blank=True)

    class Meta:
        db_table = "merchants_application_site"
        ordering = ["line_no"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "application", "line_no"], name="application_site_line"
            )
        ]

    def __str__(self) -> str:
        return self.name
