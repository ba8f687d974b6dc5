"""Changing a merchant as staff do it: from its page to the form, the review and the proposal."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation.models import User
from merchants.models import Application, Merchant
from merchants.selectors import application as selectors
from merchants.services import application_review as reviews
from merchants.services import document as documents
from tests.factories import application as factory
from tests.factories import application_change as make
from tests.factories import portal
from tests.factories.application import AT
from tests.factories.application_change import NEW_NAME
from tests.factories.foundation import UserFactory
from tests.factories.merchant_state import stand
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db


def somebody(role: str) -> User:
    user: User = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name=role))
    return user


def door(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def step(shop: Merchant, name: str) -> str:
    return reverse("admin:merchants_merchant_step", args=[shop.pk, name])


def page(shop: Merchant) -> str:
    return reverse("admin:merchants_merchant_change", args=[shop.pk])


def form_of(application: Application) -> str:
    return reverse("admin:application_form", args=[application.pk])


def review_of(application: Application) -> str:
    return reverse("admin:merchants_application_change", args=[application.pk])


class TestThePageOfAMerchant:
    @pytest.mark.parametrize(("name", "kind"), [("change_data", "CHANGE"), ("re_review", "REVIEW")])
    def test_leads_into_the_form(self, shop, name, kind):
        client = door(somebody("operator"))
        assert step(shop, name) in client.get(page(shop)).content.decode()

        answer = client.post(step(shop, name))

        draft = Application.objects.get(concerns=shop)
        assert (draft.kind, answer["Location"]) == (kind, form_of(draft))
        text = client.get(page(shop)).content.decode()
        assert step(shop, name) not in text  # one at a time
        assert form_of(draft) in text

    def test_says_why_it_does_not(self, shop):
        client = door(somebody("operator"))
        make.begun(shop, make.somebody())

        text = client.post(step(shop, "change_data"), follow=True).content.decode()
        assert "there is one at a time" in text

        leaving = make.merchant()
        stand(leaving.id, "CLOSING")
        assert step(leaving, "change_data") not in client.get(page(leaving)).content.decode()
        text = client.post(step(leaving, "change_data"), follow=True).content.decode()
        assert "takes no changes" in text

    def test_is_closed_to_others(self, shop):
        for role in ("reviewer", "checker", "support"):
            user = somebody(role)
            assert door(user).post(step(shop, "change_data")).status_code in (302, 403)
        assert not Application.objects.filter(concerns=shop).exists()
        house = Merchant.objects.get(kind="HOUSE")
        door(somebody("operator")).post(step(house, "change_data"))
        assert not Application.objects.filter(concerns=house).exists()


class TestTheForm:
    def test_is_filled_with_what_is_in_force_but_for_the_account(self, shop):
        draft = make.begun(shop, make.somebody())

        text = door(somebody("operator")).get(form_of(draft)).content.decode()

        assert f'value="{factory.PROFILE["name"]}"' in text
        assert "profile-account_number" not in text
        assert "profile-schedule" not in text
        assert "Bank accounts and the settlement schedule are not changed here" in text
        assert "kept from before" in text
        assert "Nothing differs from what is in force." in text

    def test_saves_names_what_changes_and_keeps_hidden_fields(self, shop):
        draft, client = make.begun(shop, make.somebody()), door(somebody("operator"))
        sent = {
            "revision": "0", "save": "1", "profile-name": NEW_NAME, "profile-country": "CN",
            "profile-account_number": factory.CARD, "profile-schedule": "D0",
            "profile-registration_no": factory.REGISTRATION,
        }  # fmt: skip

        text = client.post(form_of(draft), sent, follow=True).content.decode()

        draft.refresh_from_db()
        assert (draft.name, draft.account_hash, draft.schedule) == (NEW_NAME, None, "T1")
        assert draft.brought_by_id == draft.entered_by_id
        assert NEW_NAME in text
        assert "What changes needs a new paper" in text

    def test_gives_it_up_with_a_reason(self, shop):
        draft, client = make.begun(shop, make.somebody()), door(somebody("operator"))

        client.post(form_of(draft), {"give_up": "1", "reason": ""})
        draft.refresh_from_db()
        assert draft.state == "DRAFT"

        client.post(form_of(draft), {"give_up": "1", "reason": "a mistake"})
        draft.refresh_from_db()
        assert draft.state == "WITHDRAWN"

    def test_survives_nonsense(self, shop):
        draft, client = make.begun(shop, make.somebody()), door(somebody("operator"))
        for sent in (
            {"remove": "9" * 40},
            {"remove": "1"},
            {"give_up": "1", "reason": "\0"},
            {"revision": "x", "profile-products": ["nothing"]},
        ):
            assert client.post(form_of(draft), sent).status_code in (200, 302, 409)


class TestTheReview:
    def test_marks_what_differs_and_says_what_follows(self, shop):
        portal.member(shop)
        other = factory.OWNER | {"name": "林晓", "identity_no": "110101199003070337"}
        application = make.submitted(
            shop, make.somebody(), name=NEW_NAME, owners=[other], products=["qr"],
            papers=("LICENCE", "IDENTITY_FRONT", "IDENTITY_BACK"),
        )  # fmt: skip
        reviewer = somebody("reviewer")
        reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)

        text = door(reviewer).get(review_of(application)).content.decode()

        assert f'<del translate="no">{factory.PROFILE["name"]}</del>' in text
        assert "What changes" in text
        assert "Products that fall away: Bank card payments" in text
        assert "The owner in the portal stays" in text
        assert "1 bank account stays in the former name" in text
        assert "No money moves" in text
        assert "110101199003070337" not in text

    def test_names_the_paper_that_another_one_replaces(self, shop):
        maker = make.somebody()
        application = make.begun(shop, maker)
        (old,) = (p for p in selectors.whole(application).documents if p.kind == "LICENCE")
        documents.remove(application_id=application.id, document_id=old.id, maker=maker, at=AT)
        factory.paper(application, "LICENCE", maker, factory.picture(colour="navy"))

        text = door(somebody("reviewer")).get(review_of(application)).content.decode()

        assert "<del>LICENCE.png</del> → <ins>LICENCE.png (another file)</ins>" in text

    def test_is_said_on_the_proposal_and_afterwards(self, shop):
        application, approval = make.proposed(shop, make.somebody(), make.somebody())
        checker = somebody("checker")
        (waits,) = door(checker).get(page(shop)).context["waiting"]
        assert waits.url == reverse("admin:foundation_approval_change", args=[approval.pk])

        text = door(checker).get(
            reverse("admin:foundation_approval_change", args=[approval.pk])
        ).content.decode()  # fmt: skip
        assert NEW_NAME in text
        assert f"Change merchant {shop.merchant_no}" in text
        make.decide(approval, make.somebody())

        text = door(checker).get(review_of(application)).content.decode()
        assert factory.PROFILE["name"] in text  # what it was called before
        assert NEW_NAME in text

    def test_reads_in_a_bounded_number_of_statements(self, shop):
        application = make.submitted(shop, make.somebody())
        client = door(somebody("reviewer"))
        client.get(review_of(application))

        with CaptureQueriesContext(
            connection,
        ) as few:
            client.get(review_of(application))
        assert len(few) <= 60

        more = make.merchant()
        owners = [
            factory.OWNER | {"line_no": no, "share_percent": 10, "name": f"owner {no}",
                             "legal_representative": no == 1}
            for no in range(1, 10)
        ]  # fmt: skip
        larger = make.submitted(
            more, make.somebody(), owners=owners, name=NEW_NAME,
            papers=("LICENCE", "IDENTITY_FRONT", "IDENTITY_BACK", "OTHER"),
        )  # fmt: skip
        with CaptureQueriesContext(connection) as many:
            client.get(review_of(larger))
        assert len(many) <= len(few) + 3 * 8  # the twins of each owner more, nothing else


class TestTheList:
    def test_is_filtered_by_kind(self, shop):
        draft = make.begun(shop, make.somebody(), "REVIEW")
        client = door(somebody("operator"))
        listed = reverse("admin:merchants_application_changelist")

        text = client.get(listed, {"kind": "REVIEW"}).content.decode()

        assert draft.number in text
        assert make.in_force(shop).number not in text
        assert "re-review" in text
        assert draft.number not in client.get(listed, {"kind": "OPENING"}).content.decode()


def test_a_merchant_from_a_file_has_the_same_way_in() -> None:
    shop = MerchantFactory(name="老店")
    client = door(somebody("operator"))

    text = client.post(step(shop, "change_data"), follow=True).content.decode()

    assert "It came in without an application" in text
    assert 'value="老店"' in text
    assert "Upload: business licence" in text


class TestTheProposal:
    def test_says_in_words_what_changes_and_shows_no_code(self, shop):
        maker, reviewer = make.somebody(), make.somebody()
        _application, approval = make.proposed(shop, maker, reviewer, risk_grade=2)
        page = reverse("admin:foundation_approval_change", args=[approval.pk])

        english = door(somebody("checker")).get(page).content.decode()
        reader = make.somebody(language="zh-hans")
        chinese = door(reader).get(page).content.decode()

        for words in ("QR code payments", "business licence LICENCE.png", "medium", NEW_NAME):
            assert words in english
        for words in ("扫码支付", "营业执照 LICENCE.png"):
            assert words in chinese
        for code in ("card, qr", "LICENCE LICENCE.png", "FIRST_REVIEW", "application id"):
            assert code not in english + chinese
