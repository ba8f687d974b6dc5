"""Reading about accounts of staff: their roles, who can decide on them, who has no password yet."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation import roles, sql
from foundation.models import Approval, User
from foundation.selectors import staff_role as staff_roles

DECIDES: Final = "foundation.approve_staffaccount"
WAITING: Final = Q(
    is_active=True, is_staff=True, password__startswith=UNUSABLE_PASSWORD_PREFIX
)  # as `waits_for_password`
_HELD: Final = Q(groups__permissions__codename=DECIDES.partition(".")[2]) | Q(is_superuser=True)


def roles_of(user: User) -> list[str]:
    """Return the roles an account has, the table's first."""
    held = set(user.groups.values_list("name", flat=True))
    return [name for name in staff_roles.names(active=False) if name in held]


def deciders() -> QuerySet[User]:
    """Return the accounts that can sign in and decide on accounts of staff."""
    able = User.objects.filter(_HELD, is_active=True, is_staff=True)
    return able.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).distinct()


def waits_for_password(user: User) -> bool:
    """Return whether an account of staff is on, and its owner has not set its password yet."""
    return user.is_active and user.is_staff and not user.has_usable_password()


_FIELDS: Final[dict[str, Promise]] = {
    "account": gettext_lazy("user name"),
    "name": gettext_lazy("name of the colleague"),
    "email": gettext_lazy("e-mail"),
    "language": gettext_lazy("language"),
    "roles": gettext_lazy("roles"),
    "is_active": gettext_lazy("state"),
    "same_person_as": gettext_lazy("same person as"),
}


def about(approval: Approval) -> str:
    """Return what a proposal about an account is about (AP-13)."""
    return f"{_('Account of staff')} {approval.after['account']}"


def says(approval: Approval) -> list[tuple[str, object, object]]:
    """
    Return what changes, with roles, languages and states by their names (AP-13); of a new colleague
    also whose account this may be a second one of (AP-3).
    """
    told: list[tuple[str, object, object]] = [
        (str(title), _word(key, approval.before.get(key)), _word(key, approval.after.get(key)))
        for key, title in _FIELDS.items()
        if key in approval.before or approval.after.get(key)
    ]
    alike = [] if "user_id" in approval.after else _alike(approval.after)
    if alike:
        told.append((_("may be the same person as"), None, "\n".join(alike)))
    return told


# Of the same name, whatever its spaces, case and order, or of an address that reaches the same
# mailbox. Accounts of the person that the proposal names are no news.
_ALIKE: Final = r"""
SELECT u.username, p.name, u.is_staff
  FROM public.foundation_user u JOIN public.foundation_person p ON p.id = u.person_id
 WHERE u.username <> %(account)s AND u.person_id::text <> %(person_id)s
   AND (regexp_replace(lower(%(name)s), '\s', '', 'g') IN (
          regexp_replace(lower(p.name), '\s', '', 'g'),
          regexp_replace(lower(u.first_name || u.last_name), '\s', '', 'g'),
          regexp_replace(lower(u.last_name || u.first_name), '\s', '', 'g'))
     OR replace(split_part(split_part(lower(%(email)s), '@', 1), '+', 1), '.', '')
         || '@' || split_part(lower(%(email)s), '@', 2)
      = replace(split_part(split_part(lower(u.email), '@', 1), '+', 1), '.', '')
         || '@' || split_part(lower(u.email), '@', 2))
 ORDER BY u.is_staff DESC, u.username LIMIT 10"""


def _alike(after: dict[str, Any]) -> list[str]:
    """Return the accounts that may be of the same human as a new one, staff first, ten at most."""
    names = {key: after[key] for key in ("account", "name", "email", "person_id")}
    kinds = {True: _("of staff"), False: _("of a merchant")}
    return [
        f"{row['username']} ({row['name']}, {kinds[row['is_staff']]})"
        for row in sql.rows(_ALIKE, names)
    ]


def _word(key: str, value: object) -> object:
    if isinstance(value, bool):
        return _("on") if value else _("switched off")
    if isinstance(value, list):
        return "\n".join(roles.title_of(name) for name in value)
    return dict(settings.LANGUAGES).get(str(value), value) if key == "language" else value
