"""Roles the house made itself: the list, and the form that ticks what each may do."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.apps import apps
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from foundation import clock, registries
from foundation.admin import form_page, matrix
from foundation.admin.readonly import MAX_REASON, ReadOnlyAdmin
from foundation.admin.related import Link, page
from foundation.models import StaffRole, User
from foundation.selectors import staff_role as selectors
from foundation.services import staff_role as staff_roles

MENU = [
    (
        "foundation_staffrole_changelist",
        _("Roles of our own"),
        "badge",
        "foundation.view_staffrole",
    ),
    ("foundation_role_new", _("New role"), "add_box", "foundation.propose_staffrole"),
]


@admin.register(StaffRole)
class StaffRoleAdmin(ReadOnlyAdmin):
    """Roles beside those of the table; the two stand side by side under Rights by role."""

    approval_subjects = staticmethod(lambda row: [f"staff_role:{row.name}"])
    list_display = ("name", "purpose", "is_active")
    ordering = ("name",)
    fields = ("name", "purpose", "is_active", "may")

    @admin.display(description=_("rights"))
    def may(self, row: StaffRole) -> str:
        """Name what the role may do, as the form does."""
        said = {name: label for _room, rights in choices() for name, label in rights}
        return "\n".join(said.get(right, right) for right in row.rights)

    def related_links(self, request: HttpRequest, row: StaffRole) -> list[Link]:
        """Lead to the form that changes the role or switches it off."""
        return page(request, "foundation_role_change", row.pk, _("Propose a change"))


def choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return every right with the operations that ask for it, by room: to see first, then to do."""
    asked: dict[str, list[str]] = {}
    for one in matrix.operations():
        name, (kind, _space, door) = one.name, one.door.partition(" ")
        if kind == "page" and f"admin:{door}" not in registries.menu_entries:
            continue  # a page that is reached from elsewhere has no title
        if kind == "decide":
            name = gettext("decide: %(kind)s") % {"kind": one.name}
        if one.permission and not one.judged:
            asked.setdefault(one.permission, []).append(name)
    rooms: dict[str, list[tuple[str, str]]] = {}
    known = selectors.known_rights()
    for right in sorted(known, key=lambda one: "." + one.partition(".")[2][:5] != ".view_"):
        room = str(apps.get_app_config(right.partition(".")[0]).verbose_name)
        label = "; ".join(dict.fromkeys(asked.get(right, [selectors.word_of(known[right])])))
        rooms.setdefault(room, []).append((right, label))
    return list(rooms.items())


class RoleForm(forms.Form):
    """What a role is for, and what it may do."""

    purpose = forms.CharField(
        label=_("purpose"),
        max_length=staff_roles.MOST_PURPOSE,
        widget=UnfoldAdminTextInputWidget(),
    )
    rights = forms.MultipleChoiceField(
        label=_("rights"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("A role that decides on proposals does nothing else but see."),
    )
    is_active = forms.BooleanField(
        label=_("in force"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget(),
        help_text=_("A role that is off gives nothing; who has it keeps it."),
    )
    reason = forms.CharField(
        label=_("reason"), max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.MultipleChoiceField, self.fields["rights"]).choices = choices()


class NewRoleForm(RoleForm):
    """The name too, which stays."""

    field_order = ("name", "purpose", "rights", "is_active", "reason")
    name = forms.CharField(
        label=_("name of the role"),
        max_length=staff_roles.MOST_NAME,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


def _intro() -> str:
    return gettext(
        "Another person decides, who does not have the role himself. Then it can be given, and"
        " changes hold at once for all who have it."
    )


@require_http_methods(["GET", "HEAD", "POST"])
def new_page(request: HttpRequest) -> HttpResponse:
    """Propose a role of our own."""

    def run(values: dict[str, Any]) -> str:
        maker = cast(User, request.user)
        staff_roles.propose(**values, maker=maker, at=clock.now(), new=True)
        return gettext("Proposed; another person decides in the approvals.")

    return form_page.serve(
        request,
        title=gettext("New role"),
        intro=_intro(),
        button=gettext("Propose"),
        form=NewRoleForm(request.POST if request.method == "POST" else None),
        run=run,
        onward=reverse("admin:foundation_staffrole_changelist"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def change_page(request: HttpRequest, role_id: int) -> HttpResponse:
    """Propose other rights or another purpose of a role, that it be off, or on again."""
    role = StaffRole.objects.filter(pk=role_id).first()
    if role is None:
        raise Http404

    def run(values: dict[str, Any]) -> str:
        maker = cast(User, request.user)
        staff_roles.propose(name=role.name, **values, maker=maker, at=clock.now())
        return gettext("Proposed; another person decides in the approvals.")

    present = {"purpose": role.purpose, "rights": role.rights, "is_active": role.is_active}
    return form_page.serve(
        request,
        title=gettext("Role %(name)s") % {"name": role.name},
        intro=_intro(),
        button=gettext("Propose"),
        form=RoleForm(request.POST if request.method == "POST" else None, initial=present),
        run=run,
        onward=reverse("admin:foundation_staffrole_change", args=[role_id]),
    )


def fill() -> None:
    """Add the pages. Called by `ready()`."""
    site: Any = admin.site
    site.add_page("role/", new_page, "foundation_role_new")
    site.add_page("role/<int:role_id>/", change_page, "foundation_role_change")
