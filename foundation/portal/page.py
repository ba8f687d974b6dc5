"""What every page of the portal answers with: nothing cached, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from csp.decorators import csp
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

View = Callable[..., HttpResponseBase]

_POLICY: Final = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],  # the arrows and ticks inside Bootstrap's style sheet
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}


def page(view: View) -> View:
    """Answer with a strict content policy, and let no cache keep a page that shows money."""
    guarded = csp(_POLICY)(never_cache(view))

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return guarded(request, *args, **kwargs)

    return inner
