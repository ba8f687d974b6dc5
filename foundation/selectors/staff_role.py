"""Reading the roles of staff: those of the table and those the house made itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.contrib.auth.models import Permission
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation import registries, roles
from foundation.models import Approval, StaffRole

# What a role of our own may see is what the auditor sees.
_SEEN: Final = "auditor"


def own(*, active: bool = True) -> list[StaffRole]:
    """Return the roles of our own by name: those in force, or all of them."""
    found = StaffRole.objects.order_by("name")
    return list(found.filter(is_active=True) if active else found)


def names(*, active: bool = True) -> list[str]:
    """Return every role that can be given: the table's in its order, then our own."""
    return [*roles.ROLES, *(role.name for role in own(active=active))]


def known_rights() -> dict[str, Permission]:
    """Return every right that the table names, by its name: to see, to do, to decide."""
    acts = {right for role in roles.ROLES.values() for right in role.may}
    packages = [seen for seen in roles.ROLES[_SEEN].sees if "." not in seen]
    views = Q(content_type__app_label__in=packages, codename__startswith="view_")
    named = Q(codename__in=[right.partition(".")[2] for right in acts])
    found = Permission.objects.filter(views | named).select_related("content_type")
    all_of = {f"{one.content_type.app_label}.{one.codename}": one for one in found}
    return {
        name: all_of[name]
        for name in sorted(all_of)
        if name in acts or name.partition(".")[2].startswith("view_")
    }


def proposes_and_decides(rights: Iterable[str]) -> bool:
    """Return whether a set of rights both decides and does anything else but see (ROL-2)."""
    acts = {right for right in rights if not right.partition(".")[2].startswith("view_")}
    deciding = acts & {action.permission for action in registries.approval_actions}
    return bool(deciding) and deciding != acts


_FIELDS: Final[dict[str, Promise]] = {
    "name": gettext_lazy("name"),
    "purpose": gettext_lazy("purpose"),
    "rights": gettext_lazy("rights"),
    "is_active": gettext_lazy("in force"),
}


def word_of(right: Permission) -> str:
    """Return what people call a right: what it decides on, sees, enters or changes."""
    name = f"{right.content_type.app_label}.{right.codename}"
    decides = registries.word_of(name)
    if decides != name:
        return _("decide: %(kind)s") % {"kind": decides}
    verb, _line, _model = right.codename.partition("_")
    model = right.content_type.model_class()
    what = {"what": "" if model is None else str(model._meta.verbose_name_plural)}
    said = {
        "view": _("see: %(what)s") % what,
        "add": _("enter: %(what)s") % what,
        "change": _("change: %(what)s") % what,
    }
    return said.get(verb) or _(right.name)


def about(approval: Approval) -> str:
    """Return which role a proposal is about (AP-13)."""
    return f"{_('Role of our own')} {approval.after['name']}"


def says(approval: Approval) -> list[tuple[str, object, object]]:
    """Return what changes, with the rights by their words (AP-13)."""
    known = known_rights()

    def word(value: object) -> object:
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        if isinstance(value, list):
            return "\n".join(word_of(known[one]) if one in known else one for one in value)
        return value

    return [
        (str(title), word(approval.before.get(key)), word(approval.after[key]))
        for key, title in _FIELDS.items()
    ]
