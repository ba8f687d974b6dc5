"""What is sold and through whom: reference data that a payments file may extend."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from merchants.models.application import Bearer


class ReviewState(models.TextChoices):
    """A code that a file brought in stays UNREVIEWED until a person has looked at it."""

    UNREVIEWED = "UNREVIEWED", _("unreviewed")
    REVIEWED = "REVIEWED", _("reviewed")


class Product(models.Model):
    """A payment product (card, QR code, bank slip) by its code."""

    code = models.CharField(_("code"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    review_state = models.CharField(
        _("review"), max_length=10, choices=ReviewState, default=ReviewState.UNREVIEWED
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "channels_product"
        verbose_name = _("product")
        verbose_name_plural = _("products")

    def __str__(self) -> str:
        return self.code


class Channel(models.Model):
    """
    Our contract with one acquirer or provider, by its code; payments name it.

    `registers` are the kinds of product for which it registers our merchants. The contract says who
    reviews them, who settles and who bears the loss (S0-09); until then it registers nobody.
    """

    code = models.CharField(_("code"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    review_state = models.CharField(
        _("review"), max_length=10, choices=ReviewState, default=ReviewState.UNREVIEWED
    )
    registers = ArrayField(
        models.CharField(max_length=20), verbose_name=_("registers for"), blank=True, db_default=[]
    )
    reviewed_by_whom = models.CharField(
        _("who reviews"), max_length=8, choices=Bearer, blank=True, db_default=""
    )
    settled_by_whom = models.CharField(
        _("who settles"), max_length=8, choices=Bearer, blank=True, db_default=""
    )
    loss_borne_by = models.CharField(
        _("who bears losses"), max_length=8, choices=Bearer, blank=True, db_default=""
    )
    # The proposal in the house's book by which the terms are as they are; None for the first ones.
    terms_approval_id = models.BigIntegerField(_("approval"), null=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "channels_channel"
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        permissions = [("approve_channel", _("Can decide what is agreed with channels"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(reviewed_by_whom="", settled_by_whom="", loss_borne_by="", registers=[])
                | ~(Q(reviewed_by_whom="") | Q(settled_by_whom="") | Q(loss_borne_by="")),
                name="channel_terms_whole",
            )
        ]

    def __str__(self) -> str:
        return self.code
