"""Who calls the API: keys as bearer tokens, scopes, and which book a key may look into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from config.errors import Malformed, NotFound
from foundation import actor, clock
from merchants.models import ApiKey, Capability, Merchant, Scope
from merchants.selectors import capability as capabilities
from merchants.selectors import partner_grant as partner_grants
from merchants.services import api_key as api_keys


class MerchantMissing(Malformed):
    """A key of the house has to say which merchant it asks about."""

    code = "merchant_no_missing"


@dataclass(frozen=True, slots=True)
class Principal:
    """
    The program behind a request. `merchant` is the only book a MERCHANT key may look into; for
    the other kinds it is None.
    """

    key: ApiKey
    merchant: Merchant | None
    scopes: frozenset[str]
    is_authenticated: bool = True

    @property
    def actor_name(self) -> str:
        """How this program stands in the audit trail."""
        return f"key:{self.key.prefix}"


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <prefix>.<secret>`: sets request.user to a Principal. Rule: KEY-2."""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[Principal, ApiKey] | None:
        """
        Return who calls, None without a key. Raises AuthenticationFailed for a bad one, and
        CapabilityTaken where the merchant's programs may not call (CAP-2).
        """
        header = request.headers.get("Authorization", "")
        keyword, _blank, token = header.partition(" ")
        if not header:
            return None
        if keyword.lower() != "bearer" or not token.strip():
            raise AuthenticationFailed(_("Send the API key as: Authorization: Bearer <key>."))
        try:
            key = api_keys.check(
                token=token.strip(), address=request.META.get("REMOTE_ADDR", ""), at=clock.now()
            )
        except api_keys.KeyRefused as refusal:
            raise AuthenticationFailed(str(refusal)) from None  # AddressRefused answers 403 itself
        own = key.merchant if key.kind == ApiKey.Kind.MERCHANT else None
        principal = Principal(key, own, frozenset(key.scopes))
        actor.become(principal.actor_name)
        if own is not None:
            capabilities.require(Capability.PROGRAMS, merchant_id=own.id)  # answers 403 itself
        return principal, key

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, so that a missing key is 401 and not 403."""
        return self.keyword


class HasScope(BasePermission):
    """
    Asks for the scope that the view names in `required_scopes` per HTTP method.

    A method that the view does not name is refused: nothing is open by oversight. Rule: KEY-4.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the key has the scope of this method."""
        principal = request.user
        if not isinstance(principal, Principal):
            return False
        required: Mapping[str | None, Scope | None] = getattr(view, "required_scopes", {})
        if request.method not in required:
            return request.method == "OPTIONS"
        scope = required[request.method]
        self.message = _("The key lacks the scope %(scope)s.") % {"scope": scope}
        return scope is None or str(scope) in principal.scopes


def book_of(request: Request, merchant_no: str | None = None) -> Merchant:
    """
    Return the merchant whose book a request is about.

    A merchant's key means its own merchant and finds no other; a key of the house has to name one,
    and a partner's key finds those it may act for.

    Raises: NotFound for another or an unknown merchant; MerchantMissing.
    Rule:   KEY-5, KEY-6.
    """
    principal = request.user
    if not isinstance(principal, Principal):
        raise NotFound(_("There is no such merchant."))
    own = principal.merchant
    if own is not None:
        if merchant_no not in (None, "", own.merchant_no):
            raise NotFound(_("There is no such merchant."))
        return own
    if not merchant_no:
        raise MerchantMissing(_("Name the merchant: merchant_no."), field="merchant_no")
    if principal.key.kind == ApiKey.Kind.PARTNER:
        granted = partner_grants.merchants_of(key=principal.key, merchant_nos=[merchant_no])
        found = granted[0] if granted else None
    else:
        merchants = Merchant.objects.filter(kind=Merchant.Kind.MERCHANT)
        found = merchants.filter(merchant_no=merchant_no).first()
    if found is None:
        raise NotFound(_("There is no such merchant."))
    return found


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the key in the OpenAPI document."""

    target_class = "merchants.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "<prefix>.<secret>"}
