"""A change of a merchant is decided on by others, and everything of it is in force at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foundation import registries
from foundation.models import AuditEvent, History
from foundation.services import approval as approvals
from ledger.models import Account
from merchants.models import (
    ApplicationEvidence,
    ApplicationOwner,
    BankAccount,
    Invitation,
    MerchantContact,
    Paper,
)
from merchants.selectors import application as selectors
from merchants.selectors import bank_account as bank_accounts
from merchants.services import application_change as changes
from merchants.services import application_review as reviews
from merchants.services import merchant_contact as merchant_contacts
from merchants.services.application_step import HadAHand
from settlement.services import schedule
from tests.factories import application as factory
from tests.factories import application_change as make
from tests.factories import portal
from tests.factories.application import AT
from tests.factories.application_change import NEW_NAME
from tests.factories.merchant_state import stand
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
ANOTHER = "110101199003070337"


class TestApproval:
    def test_puts_everything_in_force_at_once_and_announces_it(
        self, shop, maker, reviewer, checker
    ):
        owners = [factory.OWNER | {"name": "林晓", "identity_no": ANOTHER}]
        application, approval = make.proposed(
            shop, maker, reviewer, name=NEW_NAME, city="绍兴", owners=owners,
            papers=("LICENCE", "IDENTITY_FRONT", "IDENTITY_BACK"),
        )  # fmt: skip
        heard: list[dict[str, Any]] = []
        registries.lifecycle_listeners.register("test", lambda **said: heard.append(said))
        try:
            make.decide(approval, checker)
        finally:
            del registries.lifecycle_listeners._items["test"]

        application.refresh_from_db()
        assert (application.state, application.became) == ("APPROVED", None)
        assert make.in_force(shop) == application
        assert (shop.name, shop.city, shop.status) == (NEW_NAME, "绍兴", "ACTIVE")
        (said,) = heard
        assert (said["event"], said["merchant_ids"]) == ("merchant.changed", [shop.id])
        assert said["payload"]["changed"] == ["city", "documents", "name", "owners"]
        line = History.objects.filter(table="merchants_merchant").latest("id")
        assert (line.before["name"], line.after["name"]) == (factory.PROFILE["name"], NEW_NAME)
        # What is not its business stays: one account of before, no second invitation.
        assert BankAccount.objects.filter(merchant=shop).count() == 1
        assert Invitation.objects.filter(merchant=shop).count() == 1

    def test_keeps_evidence_of_before_and_after(self, shop, maker, reviewer, checker):
        base = make.in_force(shop)
        application, approval = make.proposed(shop, maker, reviewer)

        make.decide(approval, checker)

        evidence = ApplicationEvidence.objects.get(application=application)
        kept = json.loads(evidence.content)
        assert (kept["kind"], kept["base"], kept["merchant_no"]) == (
            "CHANGE", base.number, shop.merchant_no,
        )  # fmt: skip
        assert kept["approval"]["before"]["name"] == factory.PROFILE["name"]
        assert kept["approval"]["proposed"]["name"] == NEW_NAME
        assert factory.IDENTITY not in evidence.content
        assert ApplicationEvidence.objects.get(application=base).content != evidence.content
        assert AuditEvent.objects.filter(action="application.approve").count() == 4

    def test_shows_the_checker_before_and_after_and_what_follows(self, shop, maker, reviewer):
        portal.member(shop)
        owners = [factory.OWNER | {"name": "林晓", "identity_no": ANOTHER}]

        _application, approval = make.proposed(
            shop, maker, reviewer, name=NEW_NAME, owners=owners, products=["qr"],
            papers=("LICENCE", "IDENTITY_FRONT", "IDENTITY_BACK"), risk_grade=2,
        )  # fmt: skip

        before, after = approval.before, approval.after
        assert (before["name"], after["name"]) == (factory.PROFILE["name"], NEW_NAME)
        assert (before["products"], after["products"]) == ("card, qr", "qr")
        assert (before["risk_grade"], after["risk_grade"]) == (1, 2)
        assert "陈立" in before["owners"][0]
        assert "林晓" in after["owners"][0]
        assert after["falls_away"] in ("银行卡收单", "Bank card payments")
        assert len(after["portal_owner"]) == 1  # the owner in the portal stays who he is
        assert after["accounts_in_the_former_name"] == 1
        assert approval.effect_minor is None
        assert ANOTHER not in str(after)
        assert factory.IDENTITY not in str(before)

    def test_says_that_it_stays_settled_the_same_day(self, shop, maker, reviewer):
        schedule.change(merchant_id=shop.id, code="T0", effective_from=schedule.ALWAYS)

        _application, approval = make.proposed(shop, maker, reviewer)

        (said,) = approval.after["does_not_fit_any_more"]
        assert "T0" in said

    def test_of_a_re_review_with_nothing_changed_is_one_more_evidence(
        self, shop, maker, reviewer, checker
    ):
        application, approval = make.proposed(shop, maker, reviewer, "REVIEW")

        make.decide(approval, checker)

        assert make.in_force(shop) == application
        assert ApplicationEvidence.objects.filter(application=application).count() == 1
        current = Paper.objects.filter(merchant=shop, superseded_by=None)
        assert set(current.values_list("application_id", flat=True)) == {application.id}
        assert current.filter(kind="REVIEW").count() == 1  # the next one is due in three years
        again = make.begun(shop, maker)
        kinds = {paper.kind for paper in selectors.whole(again).documents}
        assert "LICENCE" in kinds  # carried twice, from the first application of all

    def test_never_moves_a_frozen_merchant(self, shop, maker, reviewer, checker):
        _application, approval = make.proposed(shop, maker, reviewer)
        stand(shop.id, "FROZEN")

        make.decide(approval, checker)

        shop.refresh_from_db()
        assert (shop.name, shop.status) == (NEW_NAME, "FROZEN")

    def test_is_refused_by_name_when_the_merchant_left_meanwhile(
        self, shop, maker, reviewer, checker
    ):
        application, approval = make.proposed(shop, maker, reviewer)
        stand(shop.id, "CLOSING")

        with pytest.raises(changes.TakesNoChange, match=shop.merchant_no):
            make.decide(approval, checker)

        approval.refresh_from_db()
        application.refresh_from_db()
        shop.refresh_from_db()
        assert (approval.state, application.state) == ("PROPOSED", "FIRST_REVIEW")
        assert shop.name == factory.PROFILE["name"]

    def test_is_not_by_maker_reviewer_or_who_acts_for_the_merchant(
        self, shop, maker, reviewer, checker
    ):
        inside = portal.member(shop)
        _application, approval = make.proposed(shop, maker, reviewer)
        twice = make.somebody(person=maker.person)
        insider = make.somebody(person=inside.person)

        for person, refusal in (
            (maker, HadAHand),
            (twice, HadAHand),
            (reviewer, approvals.SelfApprovalForbidden),
            (make.somebody(person=reviewer.person), approvals.SelfApprovalForbidden),
            (insider, approvals.CheckerGains),
        ):
            with pytest.raises(refusal):
                make.decide(approval, person)
        make.decide(approval, checker)

    def test_has_no_first_review_by_who_acts_for_the_merchant(self, shop, maker):
        inside = portal.member(shop)
        application = make.submitted(shop, maker)

        with pytest.raises(HadAHand, match=application.number):
            reviews.begin(
                application_id=application.id, reviewer=make.somebody(person=inside.person), at=AT
            )

    def test_refused_leaves_everything_as_it_was(self, shop, maker, reviewer, checker):
        application, approval = make.proposed(shop, maker, reviewer)
        base = make.in_force(shop)

        make.decide(approval, checker, approve=False)

        application.refresh_from_db()
        assert (application.state, application.approval) == ("FIRST_REVIEW", None)
        assert make.in_force(shop) == base
        reviews.refuse(application_id=application.id, reviewer=reviewer, reason="no", at=AT)
        assert make.begun(shop, maker).state == "DRAFT"  # the next one may begin

    def test_does_not_hold_for_another_version(self, shop, maker, reviewer, checker):
        application, approval = make.proposed(shop, maker, reviewer)
        approvals.withdraw(
            approval_id=approval.id, merchant_id=approval.merchant_id, maker=reviewer, at=AT
        )
        application.refresh_from_db()
        reviews.give_back(
            application_id=application.id, reviewer=reviewer, comments={"name": "?"}, reason="",
            at=AT,
        )  # fmt: skip

        with pytest.raises(approvals.ApprovalClosed):
            make.decide(approval, checker)
        shop.refresh_from_db()
        assert shop.name == factory.PROFILE["name"]

    def test_gives_a_merchant_from_a_file_its_first_application(self, maker, reviewer, checker):
        shop = MerchantFactory(name="老店", country="CN", registration_no="")
        application, approval = make.proposed(shop, maker, reviewer, papers=factory.PAPERS)

        make.decide(approval, checker)

        assert make.in_force(shop) == application
        assert (shop.name, shop.registration_no) == (factory.PROFILE["name"], factory.REGISTRATION)
        assert Account.objects.filter(merchant=shop).count() == 2  # its money is held from now on


class TestWhatIsInForce:
    def test_names_owners_and_telephones_of_the_last_approved_application_alone(
        self, shop, maker, reviewer, checker
    ):
        owners = [factory.OWNER | {"name": "林晓", "identity_no": ANOTHER}]
        contacts = [factory.CONTACT | {"name": "林晓", "phone": "13900000000"}]
        _application, approval = make.proposed(
            shop, maker, reviewer, owners=owners, contacts=contacts,
            papers=("IDENTITY_FRONT", "IDENTITY_BACK"),
        )  # fmt: skip
        assert bank_accounts.holders(merchant_ids=[shop.id])[(shop.id, "CARD")] == {"陈立"}

        make.decide(approval, checker)

        assert bank_accounts.holders(merchant_ids=[shop.id])[(shop.id, "CARD")] == {"林晓"}
        rows = ApplicationOwner.objects.filter(application_id__in=selectors.in_force([shop.id]))
        assert [row.name for row in rows] == ["林晓"]
        contacts_now = MerchantContact.objects.filter(merchant=shop)
        assert {(c.name, c.active) for c in contacts_now} == {("林晓", True), ("陈立", False)}

    def test_keeps_a_contact_that_a_sheet_brought_up_to_date(self, shop, maker, reviewer, checker):
        merchant_contacts.put(
            [merchant_contacts.NewContact(shop.id, "OWNER", "陈立", "new@x.cn", "13900000000")],
            at=AT,
        )
        _application, approval = make.proposed(shop, maker, reviewer)

        make.decide(approval, checker)

        contact = MerchantContact.objects.get(merchant=shop)
        assert (contact.email, contact.phone) == ("new@x.cn", "13900000000")
