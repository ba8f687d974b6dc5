"""Addresses of `settlement` that belong to no other door."""

from __future__ import annotations

from django.urls import path

from settlement.api import payout_callback

urlpatterns = [
    path("channels/<slug:channel_code>/callback", payout_callback.callback, name="payout_callback"),
]
