"""The admin's site: its name, its own policy for scripts, and pages that belong to no table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext_lazy as _

from foundation.admin.theme import AdminSite

# The theme's Alpine.js evaluates its attributes and sets styles; scripts still come from us alone.
CONTENT_POLICY: Final = {
    "default-src": [SELF],
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "object-src": [NONE],
    "base-uri": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}
View = Callable[..., HttpResponseBase]


class CountinghouseAdminSite(AdminSite):
    """Staff's door. Lists and pages read; whatever acts is a POST form in front of a service."""

    site_title = _("Countinghouse")
    site_header = _("Countinghouse")
    index_title = _("Work overview")
    index_template = "admin/overview.html"
    enable_nav_sidebar = True
    empty_value_display = "–"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._pages: list[URLPattern] = []

    def add_page(self, route: str, view: View, name: str) -> None:
        """Serve a page that belongs to no table as `admin:<name>`, for signed-in staff only."""
        self._pages.append(path(route, self.admin_view(view), name=name))

    def get_urls(self) -> list[Any]:
        """Return the pages of the packages before the admin's own, which end in a catch-all."""
        found: list[URLPattern | URLResolver] = [*self._pages, *super().get_urls()]
        return found

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Wrap a view as always, and send the admin's policy with its answer."""
        return csp_replace(CONTENT_POLICY)(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the sign-in form, under the same policy."""
        signed: Any = csp_replace(CONTENT_POLICY)(super().login)
        return signed(request, extra_context)  # type: ignore[no-any-return]

    def index(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show what needs a person now (PORTAL of the staff): queues and the house's figures."""
        from foundation.admin import overview

        return super().index(request, {**overview.context(request), **(extra_context or {})})
