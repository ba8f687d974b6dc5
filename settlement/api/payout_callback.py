"""The door through which channels call back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from config.errors import DomainError
from foundation import actor, clock
from settlement.services import payout_callback


@csrf_exempt  # the channel's signature over the raw bytes is the proof, there is no session
@require_POST
def callback(request: HttpRequest, channel_code: str) -> HttpResponse:
    """Keep, verify and apply one callback; say the success word only after commit."""
    headers = {name: value for name, value in request.headers.items() if name != "Cookie"}
    with actor.acting(f"system:callback:{channel_code}"[:100]):
        try:
            word = payout_callback.receive(
                channel_code=channel_code, headers=headers, raw=request.body, at=clock.now()
            )
        except DomainError as refusal:
            return HttpResponse(refusal.code, status=refusal.http_status, content_type="text/plain")
    return HttpResponse(word, content_type="text/plain")
