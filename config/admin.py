"""Which class the admin's site is made of."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class AdminConfig(SimpleAdminConfig):
    """
    The admin with our own site. Nothing is discovered: each package registers in `ready()`.

    What other libraries would register (tasks of the beat, log-in attempts) stays out with it: no
    screen may change what no rule guards.
    """

    default_site = "foundation.admin.site.CountinghouseAdminSite"
