"""The one place that knows the admin's theme: without it the plain admin stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps

if TYPE_CHECKING or not apps.is_installed("unfold"):
    from django.contrib.admin import AdminSite, ModelAdmin, TabularInline
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.sites import UnfoldAdminSite as AdminSite
    from unfold.views import ChangeList

__all__ = ["AdminSite", "ChangeList", "ModelAdmin", "TabularInline"]
