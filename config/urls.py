"""Every address of the product. This is the one place of `config` that looks up to the packages."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health
from foundation.portal import sign_in
from ledger.portal import statement
from merchants.portal import membership, payment_password
from settlement.portal import home, item, withdrawal

portal = [
    *membership.urlpatterns,
    *payment_password.urlpatterns,
    *sign_in.urlpatterns,
    *home.urlpatterns,
    *statement.urlpatterns,
    *item.urlpatterns,
    *withdrawal.urlpatterns,
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="portal:start")),
    path("portal/", include((portal, "portal"))),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("admin/", admin.site.urls),
    path("", include("settlement.urls")),
]
