"""The admin's site: its name, its own policy for scripts, and pages that belong to no table."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from unfold.widgets import BASE_INPUT_CLASSES

from foundation import roles
from foundation.admin.theme import AdminSite
from foundation.models import SignIn
from foundation.portal import session
from foundation.portal.guess import GuessedOneByOne

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


class StaffSignInForm(GuessedOneByOne, AdminAuthenticationForm):
    """User name and password of staff, in boxes that can be seen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for (
            field
        ) in self.fields.values():  # the theme takes every border off, and gives it by class
            field.widget.attrs["class"] = " ".join(BASE_INPUT_CLASSES)


class SignInView(LoginView):
    """Staff's sign-in: the password here, then the same steps as at every door."""

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Go on after a right password."""
        answer: Any = session.begin(
            self.request,
            form.get_user(),
            door=SignIn.Door.ADMIN,
            onward=self.get_success_url(),
        )
        return answer  # type: ignore[no-any-return]


def _for_holders(view: View, permission: str) -> View:
    """Refuse a page to who does not hold its right, before the page does anything."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if permission and not request.user.has_perm(permission):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


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
        """
        Serve a page that belongs to no table as `admin:<name>`, to staff who hold its right.

        The right stands in `roles.PAGES`. Raises RightUnknown for a page that is not there.
        """
        if name not in roles.PAGES:
            raise roles.RightUnknown(f"roles.PAGES has no {name}: nobody may see it.")
        guarded = _for_holders(view, roles.PAGES[name])
        self._pages.append(path(route, self.admin_view(guarded), name=name))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """
        Return the list of tables, made when a template reads it.

        Django puts it into every page; here the menu stands in its place on nearly all of them.
        """
        tables = super().get_app_list
        return SimpleLazyObject(lambda: tables(request, app_label))

    def get_urls(self) -> list[Any]:
        """Return the pages of the packages before the admin's own, which end in a catch-all."""
        found: list[URLPattern | URLResolver] = [*self._pages, *super().get_urls()]
        return found

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Wrap a view as always, and send the admin's policy with its answer."""
        return csp_replace(CONTENT_POLICY)(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the sign-in form, under the same policy; the second step is the portal's."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        context = {
            **self.each_context(request),
            "title": _("Log in"),
            "app_path": request.get_full_path(),
            **(extra_context or {}),
        }
        view = SignInView.as_view(
            authentication_form=StaffSignInForm,
            template_name="admin/login.html",
            extra_context=context,
            next_page="admin:index",
        )
        signed: Any = never_cache(csp_replace(CONTENT_POLICY)(view))
        return signed(request)  # type: ignore[no-any-return]

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Lead to the account's own page, which ends the other sessions too."""
        return HttpResponseRedirect(reverse("account:password"))

    def index(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show what needs a person now (PORTAL of the staff): queues and the house's figures."""
        from foundation.admin import overview

        return super().index(request, {**overview.context(request), **(extra_context or {})})
