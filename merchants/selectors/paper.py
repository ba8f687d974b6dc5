"""What a merchant stands on, until when, and what follows when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.db.models import Count, Min, Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from merchants.models import ContractType, Merchant, Paper
from merchants.models.paper import RULES, WARN_DAYS, Kind, Stage, stage_of

WATCHED: Final = (Merchant.Status.ACTIVE, Merchant.Status.RESTRICTED, Merchant.Status.FROZEN)
_UNWATCHED: Final = tuple(status for status in Merchant.Status if status not in WATCHED)
_WHY: Final[Mapping[Paper.Kind, Promise]] = {
    Kind.LICENCE: gettext_lazy("We serve merchants with a valid business licence only."),
    Kind.LEGAL_PERSON_ID: gettext_lazy("Who answers for a merchant must be identified always."),
    Kind.OWNER_ID: gettext_lazy("Who owns a merchant must be identified always."),
    Kind.FILING: gettext_lazy("Prepaid cards are sold under a valid licence or filing only."),
    Kind.CONTRACT: gettext_lazy("It says what we do for the merchant, and at what price."),
    Kind.REVIEW: gettext_lazy(
        "We look at every merchant anew: high risk each year, medium every two, low every three."
    ),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One paper as it stands on a day; `stage` is None while its end is far."""

    paper: Paper
    stage: Stage | None
    days_left: int

    @property
    def about(self) -> str:
        """Whose or which it is, as people say it."""
        if self.paper.kind == Kind.CONTRACT and self.paper.about in ContractType.values:
            return str(ContractType(self.paper.about).label)
        return self.paper.about

    @property
    def why(self) -> str:
        """Why it is needed."""
        return str(_WHY[Kind(self.paper.kind)])

    @property
    def urgent(self) -> bool:
        """Return whether it has ended, or does within a week."""
        return self.stage in (Stage.DAYS_7, Stage.END, Stage.OVER)

    @property
    def consequence(self) -> str:
        """Say what follows when nothing is done."""
        return _consequence(self.paper, self.stage)


def _consequence(paper: Paper, stage: Stage | None) -> str:
    if paper.long_term:
        return ""
    words = {"day": paper.cut_date}
    if paper.kind == Kind.REVIEW:
        return _("It stays on the work list until the merchant has been looked at anew.")
    if paper.kind == Kind.CONTRACT:
        return _(
            "If no new one is signed by %(day)s, it is decided whether the business ends. The money"
            " can be withdrawn as before."
        ) % words  # fmt: skip
    if stage == Stage.OVER and paper.merchant.status == Merchant.Status.RESTRICTED:
        said = _(
            "Withdrawals have stopped until the new one is there. Payments go on and are settled to"
            " the balance."
        )
    elif stage == Stage.OVER:
        said = _(
            "It is proposed that withdrawals stop until the new one is there; a person decides."
            " Payments go on and are settled to the balance."
        )
    else:
        said = _(
            "If the new one is not there by %(day)s, it is proposed that withdrawals stop until it"
            " is. Payments go on and are settled to the balance."
        ) % words  # fmt: skip
    if paper.kind == Kind.FILING:  # nothing narrower can be stopped yet
        narrow = _("Who sells no prepaid cards any more has them and the number taken off instead.")
        said = f"{said} {narrow}"
    return said


def standings(*, merchant_id: int, on: date, told: bool = False) -> list[Standing]:
    """Return every current paper of a merchant, the next end first; `told`: what concerns it."""
    rows = Paper.objects.filter(merchant_id=merchant_id, superseded_by=None)
    if told:
        rows = rows.filter(kind__in=[kind for kind, rule in RULES.items() if rule.told])
    rows = rows.select_related("merchant")
    return [_standing(paper, on) for paper in rows.order_by("valid_until", "id")]


def near(*, merchant_id: int, on: date) -> list[Standing]:
    """Return what a merchant has to renew soon or is late with; one statement, seldom a row."""
    rows = Paper.objects.filter(
        merchant_id=merchant_id,
        superseded_by=None,
        kind__in=[kind for kind, rule in RULES.items() if rule.told],
        valid_until__lte=on + timedelta(days=WARN_DAYS),
    )
    rows = rows.select_related("merchant")
    return [_standing(paper, on) for paper in rows.order_by("valid_until", "id")]


def _standing(paper: Paper, on: date) -> Standing:
    stage = stage_of(paper.kind, paper.valid_until, on)
    return Standing(paper, stage, (paper.valid_until - on).days)


def late(on: date, *, kinds: Iterable[Paper.Kind] = tuple(Kind)) -> Q:
    """Return the current papers whose grace is over, as a condition on `Paper`."""
    found = Q()
    for kind in kinds:
        found |= Q(kind=kind, valid_until__lt=on - timedelta(days=RULES[kind].grace_days))
    return Q(superseded_by=None) & found


def ended(on: date) -> Q:
    """Return the current papers that have ended; their grace may be over too."""
    return Q(superseded_by=None, valid_until__lt=on)


def ending(on: date, *, within_days: int) -> Q:
    """Return the current papers whose last day is today or comes within some days."""
    last = on + timedelta(days=within_days)
    return Q(superseded_by=None, valid_until__gte=on, valid_until__lte=last)


def counted(condition: Q) -> tuple[int, date | None]:
    """Return how many papers of watched merchants fulfil it, and the earliest end of them."""
    left_out = Merchant.objects.filter(status__in=_UNWATCHED)  # few, and an index names them
    found = Paper.objects.filter(condition).exclude(merchant_id__in=left_out.values("id"))
    told = found.aggregate(many=Count("id"), first=Min("valid_until"))
    return told["many"], told["first"]
