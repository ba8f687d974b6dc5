"""Who proposes is somebody the house knows in that book, whoever writes it (AP-15)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from foundation import clock
from foundation.models import Approval, ApprovalRight, User
from foundation.selectors.house import house_id
from merchants.models import ApiKey
from merchants.services import api_key as api_keys
from merchants.services.paper_watch import watchman
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.foundation.refusals import said_no


class TestAProposal:
    def test_is_made_by_staff_or_by_the_merchants_own(self, guarded: tuple[User, User]) -> None:
        ann, _bo = guarded
        shop, house = MerchantFactory.create(), house_id()
        program, gone = (UserFactory.create(username=f"key:{n}", is_active=False) for n in "ab")
        api_keys.create(merchant=shop, name="till", scopes=["balances:read"], at=clock.now())
        ApiKey.objects.filter(merchant=shop).update(prefix="a")
        watch, member, pat = watchman(), portal.member(shop), UserFactory.create()

        def proposed(maker: User, book: int, action: str = "merchants.restrict") -> str:
            right = ApprovalRight.objects.get(action=action).permission
            words = {"action": action, "permission": right, "before": {}, "after": {}}
            return said_no(
                partial(
                    Approval.objects.create, **words, merchant_id=book, maker=maker, subject="x",
                    maker_person_id=maker.person_id, checkers_needed=1, proposed_at=clock.now(),
                    expires_at=clock.now() + timedelta(days=1), content_sha256="x",
                )
            )  # fmt: skip

        for maker, book, action in (
            (pat, house, "merchants.restrict"),
            (pat, shop.id, "merchants.restrict"),
            (member, house, "merchants.restrict"),
            (gone, shop.id, "settlement.withdrawal"),
            (program, house, "settlement.withdrawal"),
            (watch, house, "merchants.agent"),
        ):
            assert "approval_maker_unknown" in proposed(maker, book, action)
        for maker, book in (
            (ann, house), (ann, shop.id), (member, shop.id), (program, shop.id), (watch, house)
        ):  # fmt: skip
            assert proposed(maker, book) == "it was not refused"
