"""Jobs: start, report progress, end, cancel, take over what a dead process left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation import actor, sql
from foundation.models import Job

LEASE_SECONDS: Final = 300  # without a word for so long, a job counts as dead

# Keyed by what still is ours to write: the fencing number, when the caller gave one.
_OURS: Final = (
    " WHERE id = %(id)s AND state = 'RUNNING' AND (%(fence)s::int IS NULL OR fence = %(fence)s)"
)
_NOW: Final = "updated_at = clock_timestamp()"


class JobRunning(DomainError):
    """Another process is at this very work; wait for it."""

    code = "job_running"


class JobLost(DomainError):
    """The job is no longer ours: it ended, or another process took it over. Stop working."""

    code = "job_lost"


def start(
    kind: str,
    key: str,
    total: int = 0,
    params: Mapping[str, Any] | None = None,
    *,
    lease_seconds: int = LEASE_SECONDS,
) -> Job:
    """
    Start the job, or take over the one a dead process left, with its `done` and a new `fence`.

    Raises JobRunning while another process is alive on the same kind and key. Call it outside of
    the transaction that does the work, or nobody sees the progress.
    """
    who = actor.current()
    found = sql.rows(
        sql.load("foundation", "job_start"),
        {
            "kind": kind,
            "key": key,
            "total": total,
            "params": json.dumps(dict(params or {}), default=str),
            "lease_seconds": lease_seconds,
            "actor": who.name,
            "request_id": who.request_id,
        },
    )
    if not found:
        raise JobRunning(
            _("%(kind)s %(key)s is running already.") % {"kind": kind, "key": key},
            kind=kind,
            key=key,
        )
    return Job.objects.get(id=found[0]["id"])


def advance(job_id: int, done: int, *, total: int | None = None, fence: int | None = None) -> None:
    """
    Report that `done` units stand so far, and keep the lease alive; it never goes back.

    Raises JobLost, with `fence` also when another process took the job over.
    """
    _write("done = greatest(done, %(done)s), total = coalesce(%(total)s, total)", job_id, fence,
           done=done, total=total)  # fmt: skip


def add(job_id: int, more: int, *, fence: int | None = None) -> None:
    """Report `more` units: for tasks that work on one job in parallel. Raises JobLost."""
    _write("done = done + %(more)s", job_id, fence, more=more)


def finish(job_id: int, message: str = "", *, fence: int | None = None) -> None:
    """End the job well. Raises JobLost."""
    _end(Job.State.DONE, job_id, message, fence)


def fail(job_id: int, reason: str, *, fence: int | None = None) -> None:
    """End the job with the reason why it failed. Raises JobLost."""
    _end(Job.State.FAILED, job_id, reason, fence)


def cancel(job_id: int, message: str = "", *, fence: int | None = None) -> None:
    """End the job because a person asked for it; only its runner calls this. Raises JobLost."""
    _end(Job.State.CANCELLED, job_id, message, fence)


def request_cancel(job_id: int) -> None:
    """Ask the runner to stop at its next safe place. Raises NotFound when it does not run."""
    if not sql.execute(
        "UPDATE public.foundation_job SET cancel_requested = true"
        " WHERE id = %s AND state = 'RUNNING'",
        [job_id],
    ):
        raise NotFound(_("Job %(id)s is not running.") % {"id": job_id})


def cancel_requested(job_id: int) -> bool:
    """Return whether a person asked the job to stop."""
    return Job.objects.filter(id=job_id, cancel_requested=True).exists()


def _end(state: Job.State, job_id: int, message: str, fence: int | None) -> None:
    _write("state = %(state)s, message = %(message)s, finished_at = clock_timestamp()", job_id,
           fence, state=state.value, message=message)  # fmt: skip


def _write(change: str, job_id: int, fence: int | None, **values: object) -> None:
    lease = "lease_expires_at = clock_timestamp() + make_interval(secs => lease_seconds)"
    if not sql.execute(
        f"UPDATE public.foundation_job SET {change}, {_NOW}, {lease} {_OURS}",
        {"id": job_id, "fence": fence, **values},
    ):
        raise JobLost(_("Job %(id)s has ended or was taken over.") % {"id": job_id}, job_id=job_id)
