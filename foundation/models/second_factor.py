"""What guards an account's second factors; the factors themselves are `allauth.mfa`'s rows."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

MAX_FAILURES = 5


class SecondFactorGuard(models.Model):
    """
    The count of wrong codes in a row, and the last time step whose code was used, per account.

    Reference data of one account, locked while a code is compared: tries at once are counted one
    by one, and a code works once (the step only rises, a trigger).
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        primary_key=True,
        related_name="+",
        verbose_name=_("user"),
    )
    failed_count = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    locked_until = models.DateTimeField(_("locked until"), null=True)
    last_step = models.BigIntegerField(_("last time step used"), default=0)

    class Meta:
        db_table = "foundation_second_factor_guard"
        verbose_name = _("guard of second factors")
        verbose_name_plural = _("guards of second factors")
        constraints = [
            models.CheckConstraint(
                condition=Q(failed_count__lte=MAX_FAILURES), name="second_factor_five_failures"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}"
