"""What is sold and through whom: reference data that a payments file may extend."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


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
    """Our contract with one acquirer or provider, by its code; payments name it."""

    code = models.CharField(_("code"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    review_state = models.CharField(
        _("review"), max_length=10, choices=ReviewState, default=ReviewState.UNREVIEWED
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "channels_channel"
        verbose_name = _("channel")
        verbose_name_plural = _("channels")

    def __str__(self) -> str:
        return self.code
