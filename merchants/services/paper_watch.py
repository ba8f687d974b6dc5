"""The watch over papers: warn ahead, propose to restrict when grace is over, and to restore."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import actor, sql
from foundation.models import Person, User
from foundation.services import approval as approvals
from foundation.services import job as jobs
from merchants.models.paper import AHEAD_DAYS, RULES, WARN_DAYS, WATCHMAN, Kind
from merchants.services import merchant_state as states

JOB: Final = "merchants.watch_papers"
LETTER: Final = "merchants.tell_of_paper"
CHUNK: Final = 1_000  # papers of one transaction
MOST_PROPOSALS: Final = 200  # of one run; the next one goes on, longest over first
RESTS: Final = timedelta(days=14)  # after somebody refused or undid what the watch proposed
Notify = Callable[[int], None]
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Outcome:
    """What one run did: warnings by stage, merchants named in new or withdrawn proposals."""

    warned: Counter[str] = field(default_factory=Counter)
    to_restrict: list[str] = field(default_factory=list)
    to_restore: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # could not be proposed; the log says why


def run(*, on_date: date, at: datetime, notify: Notify = lambda done: None) -> Outcome:
    """
    Warn of every paper that reached a stage by `on_date`, then propose what follows.

    Each chunk and each proposal is a transaction of its own: killed anywhere and started again it
    goes on; run again it does nothing; two at once do it once. Raises JobRunning while another is
    at the same day. Rule: PAP-3 to PAP-6 (docs/rules/papers.md).
    """
    job = jobs.start(JOB, on_date.isoformat())
    done = Outcome()
    try:
        while _warn(on_date, done):
            jobs.advance(job.id, done.warned.total(), fence=job.fence)
            notify(done.warned.total())
        look(on_date=on_date, at=at, done=done)
    except Exception as error:
        jobs.fail(job.id, type(error).__name__, fence=job.fence)
        raise
    said = f"{done.warned.total()} warnings, {len(done.to_restrict)} to restrict"
    jobs.finish(job.id, said, fence=job.fence)
    return done


def preview(*, on_date: date, at: datetime) -> Outcome:
    """Return what a run would do on a day, also one that is still to come; nothing is kept."""
    done = Outcome()
    with transaction.atomic():
        while _warn(on_date, done):
            continue
        transaction.set_rollback(True)
    for row in standing(on_date=on_date, at=at):
        restricting = row["action"] == states.RESTRICT
        (done.to_restrict if restricting else done.to_restore).append(row["merchant_no"])
    return done


def look(
    *, on_date: date, at: datetime, merchant_id: int | None = None, done: Outcome | None = None
) -> Outcome:
    """
    Propose to restrict who is past the grace of a paper, to restore whom the watch had restricted
    and who is not; take back what nothing asks for any more. Of one merchant, or of all.
    """
    done = done or Outcome()
    _withdraw_needless(on_date, at, merchant_id, done)
    for row in standing(on_date=on_date, at=at, merchant_id=merchant_id):
        _propose(row, at, done)
    return done


def standing(
    *, on_date: date, at: datetime, merchant_id: int | None = None, most: int = MOST_PROPOSALS
) -> list[dict[str, Any]]:
    """Return whom the watch would propose to restrict or restore now, longest over first."""
    return sql.rows(
        sql.load("merchants", "paper_standing"),
        {
            **_rules(cutting=True),
            "on_date": on_date,
            "merchant": merchant_id,
            "watchman": WATCHMAN,
            "rested_since": at - RESTS,
            "most": most,
        },
    )


def _rules(*, cutting: bool = False) -> dict[str, Any]:
    kept = {kind: rule for kind, rule in RULES.items() if rule.cuts or not cutting}
    return {
        "kinds": [kind.value for kind in kept],
        "graces": [rule.grace_days for rule in kept.values()],
        "told": [rule.told for rule in kept.values()],
    }


def _warn(on_date: date, done: Outcome) -> int:
    """Write one chunk of warnings with their letters; return how many papers it looked at."""
    by = actor.current()
    with transaction.atomic():
        found = sql.rows(
            sql.load("merchants", "paper_warn"),
            {
                **_rules(),
                "stages": [stage.value for stage in AHEAD_DAYS],
                "days": list(AHEAD_DAYS.values()),
                "ahead": WARN_DAYS,
                "on_date": on_date,
                "most": CHUNK,
                "letter": LETTER,
                "actor": by.name,
                "request_id": by.request_id,
            },
        )[0]
    done.warned.update(json.loads(found["written"]))
    return int(found["seen"])


def _propose(row: dict[str, Any], at: datetime, done: Outcome) -> None:
    restricting = row["action"] == states.RESTRICT
    with translation.override(settings.LANGUAGE_CODE):
        reason, document = _words(row) if restricting else _renewed()
    try:
        with transaction.atomic():
            states.propose(
                action=row["action"],
                merchant_nos=[row["merchant_no"]],
                reason=reason,
                document=document,
                maker=watchman(),
                at=at,
            )
    except approvals.AlreadyProposed:
        return  # somebody was quicker
    except DomainError:
        log.exception("The watch could not propose for %s.", row["merchant_no"])
        done.failed.append(row["merchant_no"])
        return
    (done.to_restrict if restricting else done.to_restore).append(row["merchant_no"])


def _words(row: dict[str, Any]) -> tuple[str, str]:
    words = {"paper": Kind(row["kind"]).label, "day": row["valid_until"], "cut": row["cut_date"]}
    return (
        _(
            "%(paper)s: valid until %(day)s, and not renewed by %(cut)s. Hand in the new one: the"
            " restriction is lifted then."
        )
        % words,
        _("Rule PAP-5: %(paper)s, %(day)s") % words,
    )


def _renewed() -> tuple[str, str]:
    return _("The papers that were over have been renewed."), _("Rule PAP-6: renewed papers")


def _withdraw_needless(on_date: date, at: datetime, merchant_id: int | None, done: Outcome) -> None:
    """Take back open proposals of the watch whose merchant has no paper past its grace."""
    found = sql.rows(
        "SELECT a.id, a.merchant_id, m.merchant_no FROM foundation_approval a"
        " JOIN merchants_merchant m ON m.id = a.merchant_id"
        " WHERE a.state = 'PROPOSED' AND a.action = 'merchants.restrict'"
        " AND a.maker_id = %(watchman)s AND (%(merchant)s::bigint IS NULL OR m.id = %(merchant)s)"
        " AND NOT EXISTS (SELECT FROM merchants_paper p JOIN"
        "  unnest(%(kinds)s::text[], %(graces)s::int[]) AS r (kind, grace_days) ON r.kind = p.kind"
        "  WHERE p.merchant_id = m.id AND p.superseded_by IS NULL"
        "  AND p.valid_until + r.grace_days < %(on_date)s) ORDER BY a.id",
        {
            **_rules(cutting=True),
            "watchman": WATCHMAN,
            "merchant": merchant_id,
            "on_date": on_date,
        },
    )
    for row in found:
        try:
            approvals.withdraw(
                approval_id=row["id"], merchant_id=row["merchant_id"], maker=watchman(), at=at
            )
        except approvals.ApprovalClosed:
            continue  # decided in this moment
        done.withdrawn.append(row["merchant_no"])


def watchman() -> User:
    """Return the account under which the watch proposes, making it at first use."""
    found = User.objects.filter(pk=WATCHMAN).first()
    if found is not None:
        return found
    with transaction.atomic():
        actor.stamp_transaction()
        person, _new = Person.objects.get_or_create(
            id=WATCHMAN, defaults={"name": "证照监控 Papers"}
        )
        made, _new = User.objects.get_or_create(
            id=WATCHMAN,
            defaults={"username": "system.papers", "person": person, "is_active": False,
                      "password": "!"},
        )  # fmt: skip
    return made
