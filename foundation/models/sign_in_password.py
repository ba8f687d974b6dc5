"""The sign-in passwords that accounts had: how old the present one is, and which come not again."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class SignInPassword(models.Model):
    """
    One password of one account, from when on. Append-only; the latest is the present one.

    Belongs to no merchant. An account without a row got its password before there were any, or by
    Django's own commands: it is as old as the account.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("user")
    )
    password_hash = models.CharField(_("hash"), max_length=128)
    given = models.BooleanField(_("given by another person"))
    set_at = models.DateTimeField(_("set at"))

    class Meta:
        db_table = "foundation_sign_in_password"
        verbose_name = _("former sign-in password")
        verbose_name_plural = _("former sign-in passwords")
        indexes = [models.Index(fields=["user", "-id"], name="sign_in_password_of_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.set_at}"
