"""Who reads a page of the portal: every page starts from the signed-in person's membership."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode

from config.errors import NotFound
from foundation import clock
from foundation.models import User
from foundation.portal.page import page
from merchants.contract_modules import Module
from merchants.models import Ability, Capability, Membership, Merchant
from merchants.models.membership import abilities_left
from merchants.selectors import capability as capabilities
from merchants.selectors import contract as contracts
from merchants.selectors import membership as memberships
from merchants.selectors import merchant_state as states
from merchants.selectors import paper as papers


@dataclass(frozen=True, slots=True)
class Member:
    """The signed-in person as a member of the merchant whose pages he reads."""

    user: User
    merchant: Merchant
    role: str
    role_name: str
    abilities: frozenset[Ability]
    alone: bool  # there is no other merchant to change to
    modules: frozenset[Module]
    taken: tuple[capabilities.Standing, ...]  # what the merchant may not do at present (CAP-4)

    @property
    def merchant_id(self) -> int:
        """Whose book is read."""
        return self.merchant.id

    def may(self, ability: str) -> bool:
        """Return whether the role includes an ability; "" asks for none."""
        return not ability or Ability(ability) in self.abilities

    def opens(self, door: str) -> bool:
        """Return whether the merchant's contract includes the page of that name (S1-13)."""
        return contracts.opens(door, self.modules)

    @property
    def opens_money(self) -> bool:
        """Return whether balances are shown at all."""
        return Module.MONEY in self.modules

    @property
    def may_withdraw(self) -> bool:
        """Return whether the role may ask for withdrawals and cancel them."""
        return self.may(Ability.WITHDRAW)

    @property
    def ending(self) -> list[papers.Standing]:
        """What of its papers ends soon or has ended (PAP-4)."""
        if self.merchant.status not in papers.WATCHED:
            return []
        return papers.near(merchant_id=self.merchant.id, on=clock.business_date(clock.now()))

    @property
    def notice(self) -> states.Notice | None:
        """What the merchant is told about its state while it is not active (MST-5)."""
        return states.notice(self.merchant, on=clock.business_date(clock.now()))

    def allows(self, capability: Capability) -> bool:
        """Return whether the merchant may do this at present (CAP-1)."""
        return all(one.capability != capability for one in self.taken)


class MemberRequest(HttpRequest):
    """A request whose reader is known to belong to the merchant of the address."""

    member: Member


MemberView = Callable[..., HttpResponseBase]  # (request: MemberRequest, **the address's words)


def portal_user(request: HttpRequest) -> User | None:
    """Return the signed-in person of a merchant's; staff are nobody here."""
    user = request.user
    return user if isinstance(user, User) and user.is_active and not user.is_staff else None


def to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """Send a stranger to the sign-in page, and from there back to where he wanted to go."""
    onward = {"next": request.get_full_path()} if request.method == "GET" else {}
    return redirect(f"{reverse('portal:sign_in')}?{urlencode(onward)}".rstrip("?"))


def for_members(*abilities: Ability) -> Callable[[MemberView], MemberView]:
    """
    Let in who is a member of the merchant of the address and whose role has one of the abilities.

    Another merchant's address is unknown (404); what the role lacks is refused with its reason
    (403), and so is what the contract does not include. Rule: MER-7, MOD-3.
    """

    def decorate(view: MemberView) -> MemberView:
        @page
        @wraps(view)
        def inner(request: HttpRequest, merchant_id: int, **kwargs: Any) -> HttpResponseBase:
            user = portal_user(request)
            if user is None:
                return to_sign_in(request)
            mine = list(memberships.of_user(user=user))
            found = next((own for own in mine if own.merchant_id == merchant_id), None)
            if found is None:
                raise Http404
            asked = cast(MemberRequest, request)
            asked.member = _member(user, found, alone=len(mine) == 1)
            if not asked.member.opens(_door(request)):
                said = {"sentence": contracts.refusal()}
                return render(request, "portal/merchants/not_in_contract.html", said, status=403)
            if not asked.member.abilities.intersection(abilities):
                context = {"ability": abilities[0].label, "role": asked.member.role_name}
                return render(request, "portal/merchants/refused.html", context, status=403)
            try:
                return view(asked, **kwargs)
            except NotFound as unknown:
                raise Http404 from unknown

        inner.abilities = abilities  # type: ignore[attr-defined]  # the process map reads it
        return inner

    return decorate


def _member(user: User, membership: Membership, *, alone: bool) -> Member:
    return Member(
        user=user,
        merchant=membership.merchant,
        role=membership.role,
        role_name=membership.role_name,
        abilities=abilities_left(membership.merchant.status, membership.abilities),
        alone=alone,
        modules=contracts.modules_of(membership.merchant_id),
        taken=tuple(capabilities.taken(merchant_id=membership.merchant_id)),
    )


def _door(request: HttpRequest) -> str:
    match = request.resolver_match
    return "" if match is None else match.view_name
