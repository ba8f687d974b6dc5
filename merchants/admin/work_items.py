"""Queues of the merchants package on the overview. Each is one bounded statement."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Min, Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from foundation import clock
from foundation.models import Approval, User
from foundation.money import Money
from foundation.registries import WorkItem
from merchants.models import Application, BankAccount, Confirmation, Document
from merchants.selectors import application_twin as twins
from merchants.selectors.application import house_id
from merchants.services import confirmation as confirmations


def to_review(user: User) -> Iterable[WorkItem]:
    """Applications that wait for a first review by this person, who had no hand in them."""
    waiting = Application.objects.filter(
        merchant_id=house_id(), state=Application.State.SUBMITTED
    ).exclude(makers__contains=[user.person_id])
    yield from _queue(
        _("Applications wait for their first review"), waiting, "SUBMITTED", "review_application"
    )


def in_review(user: User) -> Iterable[WorkItem]:
    """Applications whose first review this person began and has not ended."""
    mine = Application.objects.filter(
        merchant_id=house_id(),
        state=Application.State.FIRST_REVIEW,
        first_reviewer_person_id=user.person_id,
    ).exclude(approval__state=Approval.State.PROPOSED)
    yield from _queue(
        _("Applications are in your first review"), mine, "FIRST_REVIEW", "review_application"
    )


def to_complete(user: User) -> Iterable[WorkItem]:
    """Applications that were returned: this person's own, and whose ever are past their day."""
    returned = Application.objects.filter(merchant_id=house_id(), state=Application.State.RETURNED)
    late = Q(due_date__lt=clock.business_date(clock.now()))
    for title, rows in (
        (_("Returned applications are past their day"), returned.filter(late)),
        (
            _("Applications you had a hand in were returned for completion"),
            returned.filter(makers__contains=[user.person_id]).exclude(late),
        ),
    ):
        yield from _queue(title, rows, "RETURNED", "change_application")


def to_verify(user: User) -> Iterable[WorkItem]:
    """Bank accounts that two persons have not verified yet: nothing can be paid to them."""
    found = BankAccount.objects.filter(status=BankAccount.Status.UNVERIFIED).aggregate(
        many=Count("id"), oldest=Min("created_at")
    )
    if found["many"]:
        yield WorkItem(
            title=_("Bank accounts are not verified yet: nothing is paid to them"),
            count=found["many"],
            oldest_at=found["oldest"],
            at_stake=(),
            url=reverse("admin:merchants_bankaccount_changelist") + "?status=UNVERIFIED",
            permission="merchants.change_bankaccount",
        )


def to_call(user: User) -> Iterable[WorkItem]:
    """Merchants whose number on file is to be called before what they ask for goes on."""
    waiting = (
        Confirmation.objects.filter(
            factor=confirmations.CALL,
            state=Confirmation.State.WAITING,
            expires_at__gt=clock.now(),
        )
        .values("verification__currency")
        .annotate(many=Count("id"), oldest=Min("asked_at"), minor=Sum("verification__amount_minor"))
    )
    found = list(waiting)
    if found:
        yield WorkItem(
            title=_("Merchants are to be called back"),
            count=sum(one["many"] for one in found),
            oldest_at=min(one["oldest"] for one in found),
            at_stake=tuple(
                Money(int(one["minor"]), one["verification__currency"])
                for one in found
                if one["minor"]
            ),
            url=reverse("admin:merchants_confirmation_changelist") + "?state=WAITING",
            permission="merchants.call_back",
        )


def shares_with_stopped(user: User) -> Iterable[WorkItem]:
    """Applications that share a number with a refused one or with a frozen merchant (LNK-8)."""
    waiting = twins.with_stopped_kin()
    if waiting:
        found = Application.objects.filter(merchant_id=house_id(), id__in=waiting)
        yield WorkItem(
            title=_("Applications share a number with what was refused or is frozen"),
            count=len(waiting),
            oldest_at=found.aggregate(oldest=Min("created_at"))["oldest"],
            at_stake=(),
            url=reverse("admin:merchants_application_changelist") + "?shares=stopped",
            permission="merchants.view_link",
            urgent=True,
        )


def damaged_papers(user: User) -> Iterable[WorkItem]:
    """Papers that cannot be read any more: somebody touched the database, or a key is missing."""
    damaged = Document.objects.filter(merchant_id=house_id(), damaged_at__isnull=False)
    found = damaged.aggregate(many=Count("id"), oldest=Min("damaged_at"), first=Min("application"))
    if found["many"]:
        yield WorkItem(
            title=_("Papers are damaged in the database"),
            count=found["many"],
            oldest_at=found["oldest"],
            at_stake=(),
            url=reverse("admin:merchants_application_change", args=[found["first"]]),
            permission="merchants.view_document",
        )


def _queue(title: str, rows: object, state: str, permission: str) -> Iterable[WorkItem]:
    found = rows.aggregate(many=Count("id"), oldest=Min("created_at"))  # type: ignore[attr-defined]
    if found["many"]:
        yield WorkItem(
            title=title,
            count=found["many"],
            oldest_at=found["oldest"],
            at_stake=(),
            url=reverse("admin:merchants_application_changelist") + f"?state={state}",
            permission=f"merchants.{permission}",
        )
