"""Every address of the product. This is the one place of `config` that looks up to the packages."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from channels.api import payment as payment_api
from channels.api import refund as refund_api
from channels.api import registration as registration_api
from channels.portal import registration
from foundation.api import document, problem
from foundation.portal import account, first_password, password_reset, second_step, sign_in
from ledger.api import statement as statement_api
from ledger.portal import statement
from merchants.api import me as me_api
from merchants.portal import (
    api_key,
    bank_account,
    confirmation,
    invitation,
    membership,
    merchant,
    paper,
    payment_password,
    people,
    webhook_endpoint,
)
from settlement.api import item as item_api
from settlement.api import merchant_balance as balance_api
from settlement.api import withdrawal as withdrawal_api
from settlement.portal import home, item, withdrawal

portal = [
    *membership.urlpatterns,
    *people.urlpatterns,
    *confirmation.urlpatterns,
    *invitation.urlpatterns,
    *api_key.urlpatterns,
    *webhook_endpoint.urlpatterns,
    *payment_password.urlpatterns,
    *bank_account.urlpatterns,
    *merchant.urlpatterns,
    *paper.urlpatterns,
    *registration.urlpatterns,
    *sign_in.urlpatterns,
    *password_reset.urlpatterns,
    *home.urlpatterns,
    *statement.urlpatterns,
    *item.urlpatterns,
    *withdrawal.urlpatterns,
]

own_account = [*account.urlpatterns, *first_password.urlpatterns, *second_step.urlpatterns]

v1: list[URLPattern | URLResolver] = [
    *me_api.urlpatterns,
    *balance_api.urlpatterns,
    *statement_api.urlpatterns,
    *payment_api.urlpatterns,
    *refund_api.urlpatterns,
    *registration_api.urlpatterns,
    *item_api.urlpatterns,
    *withdrawal_api.urlpatterns,
]
api: list[URLPattern | URLResolver] = [
    path("v1/", include((v1, "api"))),
    path("schema/", document.document, name="api_schema"),
    path("docs/", document.page, name="api_docs"),
    re_path("", problem.nothing_here),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="portal:start")),
    path("portal/", include((portal, "portal"))),
    path("account/", include((own_account, "account"))),
    path("admin/", admin.site.urls),
    path("api/", include(api)),
    path("", include("settlement.urls")),
]

handler400 = "foundation.api.problem.bad_request"
handler500 = "foundation.api.problem.server_error"
