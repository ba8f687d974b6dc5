"""The matrix of rights: every operation of the admin, and which role may do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from foundation import registries, roles
from foundation.admin.readonly import ReadOnlyAdmin
from foundation.selectors import staff_role as staff_roles

MENU = [("foundation_matrix", gettext_lazy("Rights by role"), "grid_on", "")]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing somebody may do: its door, its name, the right it asks for, who else judges."""

    group: str
    door: str
    name: str
    permission: str
    judged: str = ""

    def allowed(self, role: roles.Role) -> bool:
        """Return whether a role may do it by the table; what a service judges is no role's."""
        return not self.judged and roles.grants(role, self.permission)


def operations() -> Iterator[Operation]:
    """Yield every operation: reading each table, each step, each page, each kind of decision."""
    for model, screen in admin.site._registry.items():
        label, named = model._meta.label_lower, str(model._meta.verbose_name_plural)
        package, _dot, kind = label.partition(".")
        group = str(apps.get_app_config(package).verbose_name)
        yield Operation(group, f"list {label}", _("see: %(what)s") % {"what": named},
                        f"{package}.view_{kind}")  # fmt: skip
        for step in screen.steps if isinstance(screen, ReadOnlyAdmin) else ():
            judged = "" if step.permission else str(roles.JUDGED.get(f"{label}.{step.name}", ""))
            yield Operation(group, f"step {label}.{step.name}", f"{named}: {step.label}",
                            step.permission, judged)  # fmt: skip
    pages = _("Pages")
    for name, permission in roles.PAGES.items():
        yield Operation(pages, f"page {name}", _page_title(name), permission)
    decisions = _("Decisions on proposals")
    for name, action in registries.approval_actions.items():
        title = registries.title_of(name)
        yield Operation(decisions, f"decide {name}", title, action.permission)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the matrix; it is made from the code, so it cannot differ from what is enforced."""
    groups: dict[str, list[tuple[Operation, list[bool]]]] = {}
    own = staff_roles.own()
    for one in operations():
        row = [one.allowed(role) for role in roles.ROLES.values()]
        row += [not one.judged and one.permission in ("", *role.rights) for role in own]
        groups.setdefault(one.group, []).append((one, row))
    context = {
        **admin.site.each_context(request),
        "title": _("Rights by role"),
        "roles": [*roles.ROLES.values(), *own],
        "groups": list(groups.items()),
    }
    return TemplateResponse(request, "admin/matrix.html", context)


def _page_title(name: str) -> str:
    """Return what the menu calls a page; one that is reached from elsewhere by its name."""
    url_name = f"admin:{name}"
    if url_name in registries.menu_entries:
        return str(registries.menu_entries.get(url_name).title)
    return name.replace("_", " ")
