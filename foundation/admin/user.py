"""People and their accounts."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation import roles
from foundation.admin import filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.admin.readonly import ReadOnlyAdmin, Step
from foundation.models import Person, User
from foundation.selectors import second_factor as second_factors
from foundation.services import mfa_reset

MENU = [
    ("foundation_user_changelist", _("Users"), "person", "foundation.view_user"),
    ("foundation_person_changelist", _("People"), "group", "foundation.view_person"),
    ("auth_group_changelist", _("Groups"), "groups", "auth.view_group"),
]


def _propose_reset(request: HttpRequest, row: User, reason: str, at: datetime) -> str:
    assert isinstance(request.user, User)
    mfa_reset.propose(user_id=str(row.pk), reason=reason, maker=request.user, at=at)
    return gettext("Proposed; another person decides.")


@admin.register(User)
class UserAdmin(KeysetAdmin):
    """Accounts by user name. They are made by `create_staff` and `create_portal_user`."""

    keyset = Keyset("username")
    searches = (Search("username", prefix=True),)
    search_help_text = _("User name, from its beginning")
    list_display = ("username", "person", "is_staff", "is_active", "language", "last_login")
    list_select_related = ("person",)
    list_filter = (
        filters.choices(
            "kind",
            _("kind"),
            {
                "staff": filters.Choice(_("staff"), Q(is_staff=True)),
                "merchant": filters.Choice(_("merchants' people"), Q(is_staff=False)),
            },
        ),
    )
    fields = (
        "username", "person", "email", "is_active", "is_staff", "is_superuser", "groups",
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
    )

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
