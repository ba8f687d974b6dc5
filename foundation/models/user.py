"""People and the accounts they sign in with."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


def mailbox(address: str) -> str:
    """
    Return in one form where the mail of an address lands: case makes no other mailbox, nor does
    what stands behind a + (RFC 5233), by which one person has as many addresses as he likes.
    """
    local, at, host = address.strip().casefold().rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{host}"


class Mailbox(models.Func):
    """The same of a column, in SQL; where rows are found by it, it has an index."""

    function = "regexp_replace"
    template = r"lower(regexp_replace(%(expressions)s, '^([^@+]+)\+[^@]*@', '\1@'))"
    arity = 1
    output_field = models.CharField()


def of_mailbox(address: str) -> Q:
    """Return the condition on accounts whose mail lands where that of this address does."""
    return Q(Exact(Mailbox("email"), mailbox(address)))


class Person(models.Model):
    """
    One human being. All accounts of the same human share it, and maker and checker are compared by
    it (X10).

    Reference data: it carries no counters and is never deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(pgettext_lazy("person", "name"), max_length=150)

    class Meta:
        db_table = "foundation_person"
        verbose_name = _("person")
        verbose_name_plural = _("people")

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """
    A sign-in account of staff or of a merchant's people; the two are separate rows even for one
    person.

    `is_staff` opens the admin; what a merchant's user may do stands in a membership of `merchants`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(
        Person, models.PROTECT, related_name="users", verbose_name=_("person")
    )
    language = models.CharField(_("language"), max_length=10, default="zh-hans")
    zone = models.CharField(_("time zone"), max_length=40, default="Asia/Shanghai")

    REQUIRED_FIELDS = ["email"]

    class Meta:
        db_table = "foundation_user"
        verbose_name = _("user")
        verbose_name_plural = _("users")
        permissions = [
            ("propose_mfa_reset", _("Can propose to take a second step away")),
            ("approve_mfa_reset", _("Can approve taking a second step away")),
            ("propose_staffaccount", _("Can propose accounts of staff and their roles")),
            ("approve_staffaccount", _("Can approve accounts of staff and their roles")),
            ("close_staffaccount", _("Can switch accounts of staff off")),
        ]
        constraints = [models.UniqueConstraint(fields=["id", "person"], name="user_with_person")]
        indexes = [
            models.Index(fields=["username"], condition=Q(is_staff=True), name="user_of_staff"),
            models.Index(Upper("email"), name="user_email"),
            models.Index(Mailbox("email"), name="user_mailbox"),
        ]

    def save(self, *args: object, **kwargs: object) -> None:
        """
        Give a new account its person: the one that was named, else the one of the accounts with the
        same mailbox, else one of its own. Rule: AP-3 (docs/rules/approvals.md).
        """
        if self._state.adding and self.person_id is None:
            self.person = self._known_person() or Person.objects.create(
                name=self.get_full_name() or self.username
            )
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def _known_person(self) -> Person | None:
        """Return who reads the mail of this address already."""
        address = self.email.strip()
        if not address:
            return None
        others = User.objects.filter(of_mailbox(address)).select_related("person")
        first = others.order_by("date_joined", "id").first()
        return None if first is None else first.person
