"""Each time somebody signed in: with what, from where, and until when the session lasted."""

from __future__ import annotations

import hashlib
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation import crypto


class SignIn(models.Model):
    """
    One session of one account. What was found at its beginning never changes (a trigger).

    Belongs to no merchant: an account may act for several. `device_hash` is of a random cookie and
    the account, so it ties nobody's devices together; `device_key` is a keyed hash of the cookie
    alone, by which the link finder sees that two accounts came from one browser (SIG-18). Sign-ins
    of before it was kept have none. `session_hash` names the row of the session, and is none of its
    cookie (SIG-19).
    """

    class Door(models.TextChoices):
        ADMIN = "admin", _("administration")
        PORTAL = "portal", _("portal")

    class Ended(models.TextChoices):
        SIGNED_OUT = "signed_out", _("signed out")
        ELSEWHERE = "elsewhere", _("ended from another session")
        PASSWORD = "password", _("password changed")
        FACTOR = "factor", _("second step changed")
        OFF = "off", _("account switched off")
        TIMED_OUT = "timed_out", _("not used for too long")
        UPGRADE = "upgrade", _("new version of the product")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("user")
    )
    door = models.CharField(_("door"), max_length=6, choices=Door)
    session_hash = models.CharField(max_length=40, db_column="session_key")
    device_hash = models.BinaryField(max_length=32)
    device_key = models.BinaryField(max_length=32, null=True)
    device = models.CharField(pgettext_lazy("computer", "device"), max_length=100)
    address = models.CharField(_("network address"), max_length=45)
    network = models.CharField(_("network"), max_length=43)
    factor = models.CharField(_("second step"), max_length=20, blank=True)
    new_device = models.BooleanField(_("new device"))
    new_place = models.BooleanField(_("new place"))
    signed_in_at = models.DateTimeField(_("signed in at"))
    last_seen_at = models.DateTimeField(_("last seen"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    ended = models.CharField(_("ended by"), max_length=10, choices=Ended, blank=True)

    class Meta:
        db_table = "foundation_sign_in"
        verbose_name = _("sign-in")
        verbose_name_plural = _("sign-ins")
        indexes = [
            models.Index(fields=["user", "-signed_in_at"], name="sign_in_of_user"),
            models.Index(fields=["session_hash"], name="sign_in_session"),
            models.Index(
                fields=["door", "network", "user", "signed_in_at"], name="sign_in_network"
            ),
            models.Index(
                fields=["door", "device_key", "user", "signed_in_at"],
                condition=Q(device_key__isnull=False),
                name="sign_in_device",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended="")
                | (Q(ended_at__isnull=False) & ~Q(ended="")),
                name="sign_in_ended_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.signed_in_at}"

    @staticmethod
    def device_hash_of(user_id: uuid.UUID, device_token: str) -> bytes:
        """Return what is stored of a browser's cookie, for this account alone."""
        return hashlib.sha256(user_id.bytes + device_token.encode()).digest()

    @staticmethod
    def device_key_of(device_token: str) -> bytes:
        """Return what is stored of a browser's cookie, the same for every account: a keyed hash."""
        return crypto.lookup_hash(f"device:{device_token}")
