"""What is done about a colleague's account: brought in, other roles, off and on, the link again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from foundation import clock, roles
from foundation.admin import form_page
from foundation.admin.readonly import MAX_REASON, Step
from foundation.models import User
from foundation.selectors import staff_account as selectors
from foundation.selectors import staff_role as staff_roles
from foundation.services import staff_account as staff_accounts

_FORM_OF_NAME = _("3 to 50 small letters, digits, dots, dashes and underscores.")


def _off(request: HttpRequest, row: User, reason: str, at: datetime) -> str:
    by = cast(User, request.user)
    staff_accounts.switch_off(user_id=str(row.pk), reason=reason, by=by, at=at)
    return gettext("The account is switched off, and its sessions ended.")


def _on(request: HttpRequest, row: User, reason: str, at: datetime) -> str:
    maker = cast(User, request.user)
    staff_accounts.propose_on(user_id=str(row.pk), reason=reason, maker=maker, at=at)
    return gettext("Proposed; another person decides.")


def _link(request: HttpRequest, row: User, reason: str, at: datetime) -> str:
    staff_accounts.send_link(user_id=str(row.pk), by=cast(User, request.user), at=at)
    return gettext("A new link is on its way; the one of before is dead.")


STEPS = (
    Step(
        "send_link",
        _("Send the link for the first password again"),
        _link,
        open_to=lambda row: selectors.waits_for_password(row) and not row.is_superuser,
        permission="foundation.propose_staffaccount",
    ),
    Step(
        "propose_on",
        _("Propose to switch it on again"),
        _on,
        open_to=lambda row: row.is_staff and not row.is_active and not row.is_superuser,
        permission="foundation.propose_staffaccount",
        reason=_("reason"),
        reason_needed=True,
    ),
    Step(
        "switch_off",
        _("Switch off at once"),
        _off,
        open_to=lambda row: row.is_staff and row.is_active,
        permission="foundation.close_staffaccount",
        reason=_("Why? On again it comes only by two persons."),
        reason_needed=True,
        colour="danger",
    ),
)


class RolesForm(forms.Form):
    """Which roles an account has."""

    role_names = forms.MultipleChoiceField(
        label=_("roles"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("What each may do stands under Rights by role."),
    )
    reason = forms.CharField(
        label=_("reason"), max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = cast(forms.MultipleChoiceField, self.fields["role_names"])
        choice.choices = [
            *((name, f"{role.title}: {role.purpose}") for name, role in roles.ROLES.items()),
            *((role.name, f"{role.name}: {role.purpose}") for role in staff_roles.own()),
        ]


class ColleagueForm(RolesForm):
    """Who comes, how he signs in, and what he may do."""

    field_order = ("name", "username", "email", "language", "role_names", "reason")
    name = forms.CharField(
        label=_("name of the colleague"),
        max_length=staff_accounts.MOST_NAME,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    username = forms.RegexField(
        staff_accounts.USERNAME,
        label=_("user name"),
        max_length=50,
        help_text=_FORM_OF_NAME,
        error_messages={
            "invalid": _("3 to 50 small letters, digits, dots, dashes and underscores.")
        },
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    email = forms.EmailField(
        label=_("e-mail"),
        max_length=150,
        help_text=_("The link for the first password goes there."),
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}),
    )
    language = forms.ChoiceField(
        label=_("language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget()
    )


@require_http_methods(["GET", "HEAD", "POST"])
def new_page(request: HttpRequest) -> HttpResponse:
    """Propose an account for a new colleague."""

    def run(values: dict[str, Any]) -> str:
        staff_accounts.propose_new(**values, maker=cast(User, request.user), at=clock.now())
        return gettext("Proposed; another person decides in the approvals.")

    return form_page.serve(
        request,
        title=gettext("New colleague"),
        intro=gettext(
            "Another person decides. Then a link goes to the e-mail address, good once and for 72"
            " hours, on which the colleague sets a password of his own."
        ),
        button=gettext("Propose"),
        form=ColleagueForm(request.POST if request.method == "POST" else None),
        run=run,
        onward=reverse("admin:foundation_user_changelist"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def roles_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Propose that a colleague has exactly the roles that are ticked."""
    user = User.objects.filter(pk=uuid, is_staff=True, is_superuser=False).first()
    if user is None:
        raise Http404

    def run(values: dict[str, Any]) -> str:
        maker = cast(User, request.user)
        staff_accounts.propose_roles(user_id=str(uuid), **values, maker=maker, at=clock.now())
        return gettext("Proposed; another person decides in the approvals.")

    return form_page.serve(
        request,
        title=gettext("Roles of %(account)s") % {"account": user.username},
        intro=gettext(
            "Another person decides; then it holds at once, in sessions that are open, too."
        ),
        button=gettext("Propose"),
        form=RolesForm(
            request.POST if request.method == "POST" else None,
            initial={"role_names": selectors.roles_of(user)},
        ),
        run=run,
        onward=reverse("admin:foundation_user_change", args=[uuid]),
    )


def fill() -> None:
    """Add the pages. Called by `ready()`."""
    site: Any = admin.site
    site.add_page("colleague/", new_page, "foundation_staff_new")
    site.add_page("colleague/<uuid:uuid>/roles/", roles_page, "foundation_staff_roles")
