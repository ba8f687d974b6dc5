"""Every address of the product. This is the one place of `config` that looks up to the packages."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("settlement.urls")),
]
