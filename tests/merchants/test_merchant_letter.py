"""What owners hear of their merchant: letters about its state and its details, and the page."""

from __future__ import annotations

from datetime import date

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import translation

from foundation import clock
from foundation.models import Approval, OutboxMessage, User
from merchants.models import Membership, Merchant
from merchants.selectors import merchant_state as selectors
from merchants.services import merchant_letter as letters
from merchants.services import merchant_state as states
from merchants.services import paper_watch
from tests.factories import application_change as change
from tests.factories import merchant_state as make
from tests.factories import paper as papers
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchant_state import AT
from tests.factories.merchants import MembershipFactory, MerchantFactory

pytestmark = pytest.mark.django_db
END, LATER = date(2026, 6, 30), date(2026, 8, 1)


def owned(merchant: Merchant, language: str = "en") -> User:
    made = MembershipFactory(
        merchant=merchant, user=UserFactory(email=f"{language}@x.cn", language=language)
    )
    return made.user  # type: ignore[no-any-return]


def promised(kind: str) -> list[OutboxMessage]:
    return list(OutboxMessage.objects.filter(kind=kind).order_by("id"))


class TestMoves:
    def test_are_told_to_owners_of_every_merchant_of_a_list_that_has_one(self):
        shops = [MerchantFactory() for _ in range(3)]
        owned(shops[0])
        owned(shops[0], "zh-hans")
        MembershipFactory(merchant=shops[1], role=Membership.Role.VIEWER, user__email="v@x.cn")
        make.move(states.FREEZE, [shop.merchant_no for shop in shops])

        (one,) = promised(letters.MOVED)
        letters.send_move(**one.payload, on=LATER)

        assert one.merchant_id == shops[0].id
        by_address = {letter.to[0]: letter for letter in mail.outbox}
        assert set(by_address) == {"en@x.cn", "zh-hans@x.cn"}
        assert by_address["en@x.cn"].subject == "Your merchant is frozen"
        assert "Reason: risk" in by_address["en@x.cn"].body
        assert "已被冻结" in by_address["zh-hans@x.cn"].subject

    def test_each_have_their_own_words(self):
        shop = MerchantFactory()
        owned(shop)
        for action in (states.RESTRICT, states.FREEZE, states.RESTORE, states.RESTORE,
                       states.CLOSE, states.END):  # fmt: skip
            make.move(action, [shop.merchant_no])

        for one in promised(letters.MOVED):
            letters.send_move(**one.payload, on=LATER)

        assert [letter.subject.removeprefix("Your merchant is ") for letter in mail.outbox] == [
            "restricted", "frozen", "restricted", "active again", "being closed", "closed",
        ]  # fmt: skip

    def test_that_the_watch_over_papers_proposed_are_told_in_the_readers_language(self):
        merchant = papers.approved(licence_until=END)
        owned(merchant)
        paper_watch.run(on_date=LATER, at=clock.begins(LATER))
        approve(Approval.objects.get(action=states.RESTRICT), at=AT)
        merchant.refresh_from_db()

        with translation.override("en"):
            late = selectors.notice(merchant, on=LATER)
            handed_in = selectors.notice(merchant, on=END)

        assert late is not None
        assert late.reason.startswith("A paper was not renewed in time.")
        assert handed_in is not None
        assert handed_in.reason.startswith("The new paper is there")

    def test_in_lists_that_wait_stand_on_the_page_of_each_merchant(self, client: Client):
        shops = [MerchantFactory() for _ in range(3)]
        make.propose(states.FREEZE, shops[0].merchant_no, shops[1].merchant_no)
        client.force_login(UserFactory(is_staff=True, is_superuser=True, language="en"))

        said = [
            "Freeze 2 merchants"
            in client.get(
                reverse("admin:merchants_merchant_change", args=[shop.id])
            ).content.decode()
            for shop in shops
        ]

        assert said == [True, True, False]


class TestAClosedMerchant:
    def test_is_told_so_where_it_wants_to_change_something(self, client: Client):
        shop = MerchantFactory()
        client.force_login(owned(shop))
        for action in (states.CLOSE, states.END):
            make.move(action, [shop.merchant_no])

        answer = client.get(reverse("portal:people", args=[shop.id]))

        assert answer.status_code == 403
        assert "nothing of it can be changed any more" in answer.content.decode()
        assert "another role" not in answer.content.decode()


class TestDetails:
    def test_are_told_when_an_approved_change_changed_some_by_their_names_alone(self):
        merchant = change.merchant()
        owned(merchant)
        _row, approval = change.proposed(merchant, change.somebody(), change.somebody())
        change.decide(approval, change.somebody())

        (one,) = promised(letters.CHANGED)
        letters.send_change(**one.payload)

        (letter,) = mail.outbox
        assert letter.subject == "The details of your merchant have changed"
        assert "Changed: documents, merchant name" in letter.body

    def test_are_not_told_after_a_review_that_changed_nothing(self):
        merchant = change.merchant()
        _row, approval = change.proposed(
            merchant, change.somebody(), change.somebody(), kind="REVIEW"
        )
        change.decide(approval, change.somebody())

        assert promised(letters.CHANGED) == []

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_are_shown_with_the_change_under_way_and_people_to_owners_alone(
        self, client: Client, language: str
    ):
        merchant = change.merchant()
        address = reverse("portal:details", args=[merchant.id])
        viewer = MembershipFactory(merchant=merchant, role=Membership.Role.VIEWER).user
        row = change.submitted(merchant, change.somebody())

        client.force_login(owned(merchant, language))
        seen = client.get(address).content.decode()
        client.force_login(viewer)
        less = client.get(address).content.decode()

        assert row.number in seen
        assert 'data-change="SUBMITTED"' in seen
        assert change.NEW_NAME not in seen
        assert "360426********0071" in seen
        assert "360426199101010071" not in seen
        assert "0071" not in less

    def test_of_a_merchant_from_a_file_are_its_row(self, client: Client):
        merchant = MerchantFactory(name="A shop")
        client.force_login(owned(merchant))

        seen = client.get(reverse("portal:details", args=[merchant.id])).content.decode()

        assert "A shop" in seen
        assert "Industry" not in seen
