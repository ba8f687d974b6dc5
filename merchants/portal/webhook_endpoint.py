"""Webhooks as a merchant's people keep them: where programs are told, of what, how it went."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import DomainError
from foundation import clock, registries
from merchants.models import Ability, WebhookDelivery, WebhookEndpoint
from merchants.models.webhook_endpoint import MAX_URL, MOST
from merchants.portal import verification
from merchants.portal.access import MemberRequest, for_members
from merchants.portal.api_key import RotationForm
from merchants.selectors import webhook_endpoint as selectors
from merchants.services import own_act, own_webhook
from merchants.services import webhook_endpoint as endpoints

_PAGE = 50


class EventsForm(forms.Form):
    """Of what an address is told."""

    events = forms.MultipleChoiceField(
        label=gettext_lazy("Of what it is told"), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["events"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(one.name, str(one.title)) for one in endpoints.catalogue()]


class EndpointForm(EventsForm):
    """Where the merchant's program is told, and of what."""

    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=MAX_URL,
        widget=forms.URLInput(
            attrs={
                "class": "form-control font-monospace",
                "autocomplete": "off",
                "placeholder": "https://shop.example.com/webhooks",
                "autofocus": True,
            }
        ),
    )


@require_safe
def webhooks(request: MemberRequest) -> HttpResponseBase:
    """Show the merchant's endpoints, never their secrets."""
    found = list(selectors.of_merchant(merchant_id=request.member.merchant_id))
    context = {"endpoints": found, "most": MOST, "room": len(found) < MOST, "now": clock.now()}
    return render(request, "portal/merchants/webhooks.html", context)


@require_safe
def webhook(request: MemberRequest, endpoint_id: int) -> HttpResponseBase:
    """Show one endpoint, and what was told to it."""
    endpoint = _endpoint(request, endpoint_id)
    rows = selectors.deliveries(endpoint=endpoint)
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(id__lt=int(before))
    found = list(rows[: _PAGE + 1])
    context = {
        "endpoint": endpoint,
        "events": [_title(name) for name in endpoint.events],
        "deliveries": [(one, _title(one.event)) for one in found[:_PAGE]],
        "waiting": any(one.state == WebhookDelivery.State.PENDING for one in found),
        "older": found[_PAGE - 1].id if len(found) > _PAGE else None,
        "later": bool(before),
        "now": clock.now(),
    }
    return render(request, "portal/merchants/webhook.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: MemberRequest) -> HttpResponseBase:
    """Describe an endpoint, prove who it is, and see its secret once."""
    template = "portal/merchants/webhook_form.html"
    posted = request.method == "POST"
    form = EndpointForm(data=request.POST if posted else None)
    if not posted or not form.is_valid():
        return render(request, template, {"form": form})
    try:
        url, events = endpoints.meant(
            url=form.cleaned_data["url"], events=form.cleaned_data["events"]
        )
        endpoints.require_room(merchant_id=request.member.merchant_id, url=url)
    except DomainError as refusal:
        return _refused(request, form, refusal, template)
    given = request.POST if verification.NUMBER in request.POST else None
    step = _step(request, own_webhook.CREATE, own_webhook.meant(url=url, events=events), given)
    token = step.submit() if given is not None else None
    if token is not None:
        try:
            made = own_webhook.create(
                merchant_id=request.member.merchant_id,
                by=request.member.user,
                token=token,
                url=url,
                events=events,
                at=step.at,
            )
        except DomainError as refusal:
            return _refused(request, form, refusal, template)
        return _show(request, made)
    context = {"form": form, "step": step, "url": url, "events": [(e, _title(e)) for e in events]}
    return render(request, "portal/merchants/webhook_confirm.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def secret(request: MemberRequest, endpoint_id: int) -> HttpResponseBase:
    """Give an endpoint a new secret, and see it once."""
    template = "portal/merchants/webhook_secret.html"
    endpoint = _endpoint(request, endpoint_id)
    posted = request.method == "POST"
    form = RotationForm(data=request.POST if posted else None)
    context: dict[str, Any] = {"form": form, "endpoint": endpoint}
    if not posted or not form.is_valid():
        return render(request, template, context)
    days = form.cleaned_data["overlap"]
    overlap = next(one for one in own_webhook.OVERLAPS if one.days == days)
    given = request.POST if verification.NUMBER in request.POST else None
    meant = own_webhook.rotation(endpoint.id, overlap)
    step = _step(request, own_webhook.SHOW, meant, given)
    token = step.submit() if given is not None else None
    if token is not None:
        try:
            made = own_webhook.rotate(
                merchant_id=request.member.merchant_id,
                by=request.member.user,
                token=token,
                endpoint_id=endpoint.id,
                overlap=overlap,
                at=step.at,
            )
        except DomainError as refusal:
            form.add_error("overlap", str(refusal))
            return render(request, template, context)
        return _show(request, made)
    return render(request, template, context | {"step": step})


@require_http_methods(["GET", "HEAD", "POST"])
def events(request: MemberRequest, endpoint_id: int) -> HttpResponseBase:
    """Choose of what an endpoint is told."""
    endpoint = _endpoint(request, endpoint_id)
    template = "portal/merchants/webhook_form.html"
    if request.method != "POST":
        form = EventsForm(initial={"events": endpoint.events})
        return render(request, template, {"form": form, "endpoint": endpoint})
    form = EventsForm(data=request.POST)
    if not form.is_valid():
        return render(request, template, {"form": form, "endpoint": endpoint})
    return _done(
        request,
        endpoint,
        own_webhook.choose,
        _("It is told of what you chose."),
        events=form.cleaned_data["events"],
    )


@require_POST
def test(request: MemberRequest, endpoint_id: int) -> HttpResponseBase:
    """Send a test event."""
    said = _("The test event is on its way: what comes of it appears below in a few seconds.")
    return _done(
        request, _endpoint(request, endpoint_id), own_webhook.send_test, said, at=clock.now()
    )


@require_POST
def pause(request: MemberRequest, endpoint_id: int) -> HttpResponseBase:
    """Tell it nothing for a while."""
    said = _("It is paused: nothing new is told to it until it is resumed.")
    return _done(request, _endpoint(request, endpoint_id), own_webhook.pause, said)


@require_POST
def resume(request: MemberRequest, endpoint_id: int) -> HttpResponseBase:
    """Tell it again."""
    said = _("It is active again.")
    return _done(request, _endpoint(request, endpoint_id), own_webhook.resume, said)


@require_POST
def remove(request: MemberRequest, endpoint_id: int) -> HttpResponseBase:
    """Remove it for good."""
    member, endpoint = request.member, _endpoint(request, endpoint_id)
    own_webhook.remove(merchant_id=member.merchant_id, by=member.user, endpoint_id=endpoint.id)
    messages.success(request, _("The endpoint is removed."))
    return redirect("portal:webhooks", member.merchant_id)


@require_POST
def replay(request: MemberRequest, endpoint_id: int, delivery_id: int) -> HttpResponseBase:
    """Send a delivery again."""
    endpoint = _endpoint(request, endpoint_id)
    if not selectors.deliveries(endpoint=endpoint).filter(id=delivery_id).exists():
        raise Http404
    member = request.member
    try:
        own_webhook.replay(
            merchant_id=member.merchant_id, by=member.user, delivery_id=delivery_id, at=clock.now()
        )
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("It is sent again, with the same id and content."))
    return redirect("portal:webhook", member.merchant_id, endpoint.id)


def _done(
    request: MemberRequest,
    endpoint: WebhookEndpoint,
    act: Callable[..., object],
    said: str,
    **more: Any,
) -> HttpResponseBase:
    """Do one thing with an endpoint, and say on its page what came of it."""
    member = request.member
    try:
        act(merchant_id=member.merchant_id, by=member.user, endpoint_id=endpoint.id, **more)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, said)
    return redirect("portal:webhook", member.merchant_id, endpoint.id)


def _endpoint(request: MemberRequest, endpoint_id: int) -> WebhookEndpoint:
    rows = selectors.of_merchant(merchant_id=request.member.merchant_id)
    found = rows.filter(id=endpoint_id).first()
    if found is None:
        raise Http404
    return found


def _refused(
    request: MemberRequest, form: forms.Form, refusal: DomainError, template: str
) -> HttpResponseBase:
    named = str(refusal.details.get("field", ""))
    form.add_error(named if named in form.fields else None, str(refusal))
    return render(request, template, {"form": form})


def _title(name: str) -> str:
    found = registries.webhook_events
    return str(found.get(name).title) if name in found else name


def _step(request: MemberRequest, operation: str, payee: str, given: Any) -> verification.Step:
    return verification.Step(
        request.member,
        operation=operation,
        amount=own_act.NOTHING,
        payee=payee,
        at=clock.now(),
        given=given,
    )


def _show(request: MemberRequest, made: WebhookEndpoint) -> HttpResponseBase:
    """Answer with the secret itself, this once: no other page has it."""
    return render(request, "portal/merchants/webhook_shown.html", {"made": made})


_managed = for_members(Ability.MANAGE)
_ONE = "<int:merchant_id>/webhooks/<int:endpoint_id>"

urlpatterns = [
    path("<int:merchant_id>/webhooks", _managed(webhooks), name="webhooks"),
    path("<int:merchant_id>/webhooks/new", _managed(create), name="webhook_new"),
    path(_ONE, _managed(webhook), name="webhook"),
    path(f"{_ONE}/secret", _managed(secret), name="webhook_secret"),
    path(f"{_ONE}/events", _managed(events), name="webhook_events"),
    path(f"{_ONE}/test", _managed(test), name="webhook_test"),
    path(f"{_ONE}/pause", _managed(pause), name="webhook_pause"),
    path(f"{_ONE}/resume", _managed(resume), name="webhook_resume"),
    path(f"{_ONE}/remove", _managed(remove), name="webhook_remove"),
    path(f"{_ONE}/deliveries/<int:delivery_id>/again", _managed(replay), name="webhook_replay"),
]
