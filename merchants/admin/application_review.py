"""The first review's buttons: begin, return with comments, refuse, pass on to a second person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from config.errors import DomainError
from foundation import clock
from foundation.models import User
from merchants.admin.application import RIGHT, context
from merchants.models import Application, RiskGrade
from merchants.selectors import application as selectors
from merchants.services import application_review as reviews


@require_POST
def review(request: HttpRequest, object_id: int) -> HttpResponse:
    """
    Do what the reviewer's button says, with what he wrote beside the fields.

    A refusal shows the page again with everything he wrote.
    """
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied
    said = {
        name.removeprefix("comment-"): _said(request.POST.getlist(name))
        for name in request.POST
        if name.startswith("comment-") and len(name) < 70
    }
    reason, at = request.POST.get("reason", "").replace("\0", "").strip(), clock.now()
    reviewer, decision = cast(User, request.user), request.POST.get("decision", "")
    grade, seen = request.POST.get("risk_grade", ""), request.POST.get("seen", "")
    looked: dict[str, Any] = {
        "application_id": object_id,
        "reviewer": reviewer,
        "at": at,
        "seen": int(seen) if seen.isdecimal() and len(seen) < 10 else -1,
    }
    try:
        if decision == "begin":
            reviews.begin(**looked)
            told = _("You do the first review of this application.")
        elif decision == "return":
            reviews.give_back(**looked, comments=said, reason=reason)
            told = _("Returned; who entered it sees your comments beside the fields.")
        elif decision == "refuse":
            reviews.refuse(**looked, reason=reason)
            told = _("Refused.")
        elif decision == "propose":
            _nothing_beside(said)
            reviews.propose(
                **looked,
                risk_grade=int(grade) if grade in {"1", "2", "3"} else RiskGrade.HIGH,
                reason=reason,
            )
            told = _("Passed and proposed; another person decides in the approvals.")
        else:
            raise Http404
    except DomainError as refusal:
        messages.error(request, " ".join([str(refusal), *_due_of(refusal)]))
        row = Application.objects.filter(merchant_id=selectors.house_id(), pk=object_id).first()
        if row is None:
            raise Http404 from refusal
        why = str(refusal) if isinstance(refusal, reviews.SayWhy) else ""
        again = context(request, row, said) | {
            "reason": reason, "grade_typed": grade, "why": why,
        }  # fmt: skip
        return TemplateResponse(request, "admin/application.html", again, status=422)
    messages.success(request, told)
    return HttpResponseRedirect(reverse("admin:merchants_application_change", args=[object_id]))


def _said(boxes: Sequence[str]) -> str:
    """Return what stands in the boxes of one field: two papers of a kind have one each."""
    return " / ".join(
        dict.fromkeys(filter(None, (text.replace("\0", "").strip() for text in boxes)))
    )


def _nothing_beside(said: Mapping[str, str]) -> None:
    """Refuse to pass what the reviewer has remarks on: they would reach nobody."""
    if any(text.strip() for text in said.values()):
        raise DomainError(
            _("You wrote comments. Return the application with them, or empty them to pass it.")
        )


def _due_of(refusal: DomainError) -> list[str]:
    return [one.title for one in getattr(refusal, "due", ())]


def fill(site: Any = admin.site) -> None:
    """Give the buttons their address in the admin."""
    site.add_page("merchants/application/<int:object_id>/review", review, "application_review")
