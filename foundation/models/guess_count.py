"""Wrong sign-in passwords for one account over all network addresses, and the lock they lead to."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

FREE = 20  # wrong ones in a row before the first lock


class GuessCount(models.Model):
    """
    What was guessed at one account by the devices it does not know, or by one that it knows.

    Belongs to no merchant. The key is a hash of the name that was typed, whether or not there is
    such an account: what is answered tells nobody which there are. Read and written under the lock
    of `foundation.portal.guess` alone.
    """

    key = models.CharField(max_length=64, primary_key=True)
    failed_count = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    locks = models.PositiveSmallIntegerField(_("locks in a row"), default=0)
    locked_until = models.DateTimeField(_("locked until"), null=True)
    failed_at = models.DateTimeField(_("last failure"))

    class Meta:
        db_table = "foundation_guess_count"
        verbose_name = _("count of wrong sign-in passwords")
        verbose_name_plural = _("counts of wrong sign-in passwords")
        indexes = [models.Index(fields=["failed_at"], name="guess_count_failed")]
        constraints = [
            models.CheckConstraint(condition=Q(failed_count__lt=FREE), name="guess_count_free"),
            models.CheckConstraint(
                condition=Q(locks=0, locked_until__isnull=True)
                | Q(locks__gt=0, locked_until__isnull=False),
                name="guess_count_locked",
            ),
        ]

    def __str__(self) -> str:
        return self.key
