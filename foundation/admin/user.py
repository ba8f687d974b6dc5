"""People and their accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation import roles
from foundation.admin import filters, staff_account
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.admin.readonly import ReadOnlyAdmin, Step
from foundation.admin.related import Link, page
from foundation.models import Person, User
from foundation.selectors import second_factor as second_factors
from foundation.selectors import staff_account as staff_accounts
from foundation.selectors import staff_role as staff_roles
from foundation.services import mfa_reset

MENU = [
    ("foundation_user_changelist", _("Users"), "person", "foundation.view_user"),
    ("foundation_staff_new", _("New colleague"), "person_add", "foundation.propose_staffaccount"),
    ("foundation_person_changelist", _("People"), "group", "foundation.view_person"),
    ("auth_group_changelist", _("Groups"), "groups", "auth.view_group"),
]


def _propose_reset(request: HttpRequest, row: User, reason: str, at: datetime) -> str:
    assert isinstance(request.user, User)
    mfa_reset.propose(user_id=str(row.pk), reason=reason, maker=request.user, at=at)
    return gettext("Proposed; another person decides.")


class _Role(filters.ChoiceFilter):
    """By role: those of the table and our own, the ones that are off too."""

    title = _("role")
    parameter_name = "role"
    declared = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return every role."""
        names = staff_roles.names(active=False)
        return [(name, roles.title_of(name)) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return who of staff has the role; an unknown one nobody has."""
        name = self.value()
        if name is None:
            return queryset
        known = str(name) in {choice for choice, _title in self.lookup_choices}
        return queryset.filter(is_staff=True, groups__name=name) if known else queryset.none()


@admin.register(User)
class UserAdmin(KeysetAdmin):
    """Accounts by user name. Those of staff are made, changed and closed here (ROL-9, ROL-10)."""

    keyset = Keyset("username")
    searches = (Search("username", prefix=True),)
    search_help_text = _("User name, from its beginning")
    list_display = ("username", "person", "is_staff", "held_roles", "standing", "last_login")
    list_select_related = ("person", "groups")
    list_filter = (
        filters.choices(
            "kind",
            _("kind"),
            {
                "staff": filters.Choice(_("staff"), Q(is_staff=True)),
                "merchant": filters.Choice(_("merchants' people"), Q(is_staff=False)),
            },
        ),
        _Role,
        filters.choices(
            "standing",
            _("state"),
            {
                "off": filters.Choice(_("switched off"), Q(is_staff=True, is_active=False)),
                "waits": filters.Choice(_("has set no password yet"), staff_accounts.WAITING),
            },
        ),
    )
    fields = (
        "username", "person", "email", "standing", "is_staff", "is_superuser", "held_roles",
        "language", "zone", "last_login", "date_joined", "second_step",
    )  # fmt: skip
    steps = (
        Step(
            "propose_mfa_reset",
            _("Propose to take the second step away"),
            _propose_reset,
            open_to=lambda row: second_factors.has_any(user=row),
            permission="foundation.propose_mfa_reset",
            reason=_("How do you know that it is the person?"),
            reason_needed=True,
            colour="danger",
        ),
        *staff_account.STEPS,
    )

    def related_links(self, request: HttpRequest, row: User) -> list[Link]:
        """Lead to the form that gives a colleague other roles."""
        if not row.is_staff or row.is_superuser:
            return super().related_links(request, row)
        return page(request, "foundation_staff_roles", row.pk, _("Propose other roles"))

    @admin.display(description=_("roles"))
    def held_roles(self, row: User) -> str:
        """Name the roles; groups of other names as they are."""
        return ", ".join(roles.title_of(group.name) for group in row.groups.all())

    @admin.display(description=_("state"))
    def standing(self, row: User) -> str:
        """Say whether the account is on, and whether its owner has a password yet."""
        if not row.is_active:
            return gettext("switched off")
        waits = staff_accounts.waits_for_password(row)
        return gettext("has set no password yet") if waits else gettext("on")

    @admin.display(description=_("second step"))
    def second_step(self, row: User) -> str:
        """Say what the account has, and whether a role makes it compulsory."""
        kinds = ", ".join(factor.kind for factor in second_factors.of_user(user=row))
        must = gettext("compulsory") if second_factors.must_have(user=row) else ""
        return " · ".join(filter(None, (kinds or gettext("none"), must)))


@admin.register(Person)
class PersonAdmin(KeysetAdmin):
    """Human beings: maker and checker are compared by them."""

    keyset = Keyset("id")
    list_display = ("name", "id")
    searches = (Search("id"),)
    search_help_text = _("Id of the person")


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    """Groups and their permissions."""

    list_display = ("role", "purpose", "name")
    fields = ("role", "purpose", "name", "permissions")

    @admin.display(description=_("role"))
    def role(self, row: Group) -> str:
        """Return the role in the reader's language; a group of our own by its name."""
        return roles.title_of(row.name)

    @admin.display(description=_("purpose"))
    def purpose(self, row: Group) -> str:
        """Say what the role is for."""
        return str(roles.ROLES[row.name].purpose) if row.name in roles.ROLES else ""

    def title(self, row: Group) -> str:
        """Call the page by the role."""
        return roles.title_of(row.name)
