"""People and their accounts."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation import roles
from foundation.admin import filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.admin.readonly import ReadOnlyAdmin
from foundation.models import Person, User

MENU = [
    ("foundation_user_changelist", _("Users"), "person", "foundation.view_user"),
    ("foundation_person_changelist", _("People"), "group", "foundation.view_person"),
    ("auth_group_changelist", _("Groups"), "groups", "auth.view_group"),
]


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
        "language", "zone", "last_login", "date_joined",
    )  # fmt: skip


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
