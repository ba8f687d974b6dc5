"""The form and the review page as staff use them: saved in parts, refused beside the field."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation.models import User
from merchants.admin import work_items
from merchants.admin.application import COLOURS
from merchants.models import Application, ApplicationContact, ApplicationOwner, Document
from merchants.services import application as applications
from merchants.services import application_review as reviews
from tests.factories import application as factory
from tests.factories.application import AT, picture
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory

pytestmark = pytest.mark.django_db


def somebody(*roles: str) -> User:
    user: User = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def door(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def form_of(application: Application) -> str:
    return reverse("admin:application_form", args=[application.pk])


def page_of(application: Application) -> str:
    return reverse("admin:merchants_application_change", args=[application.pk])


def posted(application: Application, **more: Any) -> dict[str, Any]:
    application.refresh_from_db()
    return {"revision": str(application.revision), "save": "1"} | {
        name.replace("__", "-"): value for name, value in more.items()
    }


@pytest.fixture
def operator() -> User:
    return somebody("operator")


@pytest.fixture
def draft(operator: User) -> Application:
    door(operator).post(reverse("admin:application_begin"))
    return Application.objects.get()


class TestTheForm:
    def test_keeps_what_is_right_and_says_the_rest_beside_the_field(self, operator, draft):
        sent = posted(
            draft, profile__name="Tea", profile__registration_no="911100006000373410",
            profile__licence_until="2030-02-31", owners__1__name="Li", owners__1__kind="PERSON",
            owners__1__share_percent="50", owners__1__identity_kind="RESIDENT",
            owners__1__identity_no="1",
        )  # fmt: skip

        page = door(operator).post(form_of(draft), sent)

        text = page.content.decode()
        assert "The check digit of the unified social credit code is wrong." in text
        assert 'value="911100006000373410"' in text
        assert "An identity number has 18 characters" in text
        assert text.count('class="problem" role="alert"') == 3
        draft.refresh_from_db()
        assert (draft.name, draft.registration_no) == ("Tea", "")
        assert ApplicationOwner.objects.get().share_percent == 50

    def test_takes_good_files_in_and_names_the_bad_ones(self, operator, draft):
        good = SimpleUploadedFile("a.png", picture(), "image/png")
        bad = SimpleUploadedFile("b.svg", b"<svg/>", "image/png")
        sent = posted(draft) | {"document-LICENCE": good, "document-BANK_CARD": bad}

        text = door(operator).post(form_of(draft), sent).content.decode()

        assert "b.svg: Only JPEG, PNG and PDF files are taken." in text
        assert Document.objects.get().kind == "LICENCE"

    def test_names_the_field_of_a_file_that_is_too_large(self, operator, draft, settings):
        settings.UPLOAD_MAX_FILE_BYTES = 50_000
        sent = posted(draft, profile__name="Tea")
        sent |= {"document-LICENCE": SimpleUploadedFile("a.png", b"\x89PNG" + b"0" * 200_000)}

        page = door(operator).post(form_of(draft), sent)

        assert "A file has at most 10 MB." in page.content.decode()
        assert page["Connection"] == "close"
        draft.refresh_from_db()
        assert (draft.name, Document.objects.count()) == ("", 0)

    def test_refuses_what_is_older_than_what_is_stored(self, operator, draft):
        client = door(operator)
        client.post(form_of(draft), posted(draft, profile__name="Tea"))

        old = {"revision": "0", "profile-name": "Coffee", "contacts-1-name": "Ann"}
        answer = client.post(form_of(draft), old)

        text = answer.content.decode()
        assert (answer.status_code, "was saved meanwhile" in text) == (409, True)
        draft.refresh_from_db()
        assert draft.name == "Tea"
        # Nothing typed is lost: it stands there still, beside what is stored, and can be saved.
        assert 'value="Coffee"' in text
        assert 'value="Ann"' in text
        assert 'stored meanwhile: <span translate="no">Tea</span>' in text
        client.post(form_of(draft), old | {"revision": "1"})
        draft.refresh_from_db()
        assert draft.name == "Coffee"

    def test_drops_no_line_in_silence(self, operator, draft):
        client = door(operator)
        nameless = posted(draft, contacts__1__name="", contacts__1__phone="13800138000")

        text = client.post(form_of(draft), nameless).content.decode()

        assert "Without a name the line is not saved." in text
        assert 'value="13800138000"' in text
        # An empty line is none, and the name taken off takes the line away.
        draft.refresh_from_db()
        kept = posted(draft, contacts__1__name="Ann", contacts__1__phone="13800138000")
        assert client.post(form_of(draft), kept | {"contacts-2-role": "OWNER"}).status_code == 302
        draft.refresh_from_db()
        gone = posted(draft, contacts__1__name="", contacts__1__phone="13800138000")
        assert client.post(form_of(draft), gone).status_code == 302
        assert not ApplicationContact.objects.exists()

    @pytest.mark.parametrize("revision", ["", "x", "9" * 50, "-1"])
    def test_survives_nonsense(self, operator, draft, revision):
        sent = {
            "revision": revision, "remove": "9" * 40, "profile-industry": "zz",
            "profile-products": ["x"], "owners-1-name": "\0", "owners-1-through_no": "x",
        }  # fmt: skip

        assert door(operator).post(form_of(draft), sent).status_code == 409

    def test_submits_what_is_whole_and_else_says_what_is_due(self, operator):
        client, whole = door(operator), factory.draft(operator)
        empty = factory.draft(operator, papers=())
        form = client.get(form_of(whole)).context
        assert form["due"] == []

        for application, state in ((whole, "SUBMITTED"), (empty, "DRAFT")):
            sent = posted(application, submit="1") | _typed(application)
            page = client.post(form_of(application), sent, follow=True)
            application.refresh_from_db()
            assert application.state == state, page.content.decode()
        assert "Upload: business licence" in page.content.decode()

    def test_is_for_who_may_enter(self, draft):
        for role in ("reviewer", "checker", "auditor"):
            client = door(somebody(role))
            assert client.get(form_of(draft)).status_code == 403
            assert client.post(form_of(draft), posted(draft)).status_code == 403
            assert client.post(reverse("admin:application_begin")).status_code == 403
            assert client.get(page_of(draft)).status_code == 200
        assert door(somebody("operator")).get(reverse("admin:application_form", args=[10**9])) \
            .status_code == 404  # fmt: skip


def seen(application: Application, **more: str) -> dict[str, str]:
    """Return what the page of a review sends of the step that it shows."""
    application.refresh_from_db()
    return {"seen": str(application.sequence), **more}


def _typed(application: Application) -> dict[str, Any]:
    """Return what a browser would send of the form as it stands."""
    profile = factory.PROFILE | {"industry": "5499", "account_number": "", "brought_by": ""}
    del profile["industry_id"]
    found: dict[str, Any] = {f"profile-{name}": value for name, value in profile.items()}
    for part, row in (("owners", factory.OWNER), ("contacts", factory.CONTACT),
                      ("sites", factory.SITE)):  # fmt: skip
        found |= {f"{part}-1-{name}": value for name, value in row.items() if value is not None}
    return found


class TestTheReview:
    def test_shows_papers_beside_the_form_and_hides_secrets(self, operator):
        application = factory.submitted(operator)

        text = door(somebody("reviewer")).get(page_of(application)).content.decode()

        assert "622202******7894" in text
        for secret in (factory.CARD, factory.IDENTITY, factory.PHONE):
            assert secret not in text
        assert text.count("<figure") == 5
        assert "Begin the first review" in text
        assert "Pass and propose" not in text

    def test_is_walked_by_buttons(self, operator):
        application, reviewer = factory.submitted(operator), somebody("reviewer")
        address = reverse("admin:application_review", args=[application.pk])
        client = door(reviewer)

        assert "Begin" not in door(operator).get(page_of(application)).content.decode()
        assert door(operator).post(address, {"decision": "begin"}).status_code == 403
        assert client.post(address, {"decision": "dance"}).status_code == 404
        assert client.get(address).status_code == 405

    def test_loses_no_comment_when_it_is_not_to_be_passed(self, operator):
        application, client = factory.submitted(operator), door(somebody("reviewer"))
        address = reverse("admin:application_review", args=[application.pk])
        client.post(address, seen(application, decision="begin"))
        written = seen(application) | {
            "comment-address": "which floor?",
            "comment-documents.LICENCE": "too dark",
            "reason": "two things",
            "risk_grade": "3",
        }

        answer = client.post(address, written | {"decision": "propose"})

        text = answer.content.decode()
        assert answer.status_code == 422
        assert "You wrote comments" in text
        for typed in ("which floor?", "too dark", "two things"):
            assert f'value="{typed}"' in text
        assert '<option value="3" selected' in text
        application.refresh_from_db()
        assert (application.state, application.approval) == ("FIRST_REVIEW", None)

    def test_hears_what_is_written_beside_either_of_two_papers_of_a_kind(self, operator):
        application = factory.draft(operator)
        factory.paper(application, "LICENCE", operator, picture(colour="navy"))
        applications.submit(
            application_id=application.id, revision=application.revision, maker=operator, at=AT
        )
        client = door(somebody("reviewer"))
        address = reverse("admin:application_review", args=[application.pk])
        client.post(address, seen(application, decision="begin"))
        boxes = seen(application) | {
            "comment-documents.LICENCE": ["too dark", ""],
            "reason": "one thing",
        }

        assert client.post(address, boxes | {"decision": "propose"}).status_code == 422
        client.post(address, boxes | {"decision": "return"})

        application.refresh_from_db()
        assert application.state == "RETURNED"
        assert application.comments.get().text == "too dark"

    def test_decides_about_nothing_but_what_was_looked_at(self, operator):
        application, first = factory.submitted(operator), door(somebody("reviewer"))
        second = door(somebody("reviewer"))
        address = reverse("admin:application_review", args=[application.pk])
        first.post(address, seen(application, decision="begin"))
        both = seen(application)
        first.post(address, both | {"decision": "return", "comment-address": "which floor?"})

        late = {"decision": "refuse", "reason": "looks false", "comment-name": "a doubt"}
        answer = second.post(address, both | late)

        text = answer.content.decode()
        assert (answer.status_code, "moved on meanwhile" in text) == (422, True)
        assert "a doubt" in text
        assert 'value="looks false"' in text
        application.refresh_from_db()
        assert application.state == "RETURNED"
        assert second.post(address, late).status_code == 422  # without the step it saw, too

    def test_shows_what_was_asked_for_beside_the_answer(self, operator):
        application, client = factory.submitted(operator), door(somebody("reviewer"))
        address = reverse("admin:application_review", args=[application.pk])
        asked = {"comment-address": "which floor?", "comment-documents.LICENCE": "too dark"}
        client.post(address, seen(application, decision="begin"))
        client.post(address, seen(application, decision="return", reason="two things") | asked)
        assert "two things" in client.get(page_of(application)).content.decode()
        application.refresh_from_db()
        applications.submit(
            application_id=application.pk, revision=application.revision, maker=operator, at=AT
        )

        text = client.get(page_of(application)).content.decode()

        for said in asked.values():
            assert f'<p class="said former">{said} <small>' in text

    def test_names_what_is_shared_with_others(self, operator):
        first, second = factory.submitted(operator), factory.draft(operator)

        page = door(somebody("reviewer")).get(page_of(first))

        found = {(str(twin.shared), twin.other) for twin, _url in page.context["twins"]}
        shared = ("registration number", "bank account", "owner", "phone", "e-mail")
        assert found == {(what, second) for what in shared}

    def test_reads_as_much_whatever_there_is(self, operator):
        few = factory.draft(operator, papers=())
        owners = [factory.OWNER] + [
            factory.OWNER | {"line_no": n, "share_percent": None, "legal_representative": False}
            for n in range(2, 12)
        ]
        many = factory.draft(operator, owners=owners, registration_no="", account_number="")
        client = door(somebody("reviewer"))
        client.get(page_of(few))
        counts = []
        for application in (few, many):
            with CaptureQueriesContext(connection, ) as seen:  # fmt: skip
                client.get(page_of(application))
            counts.append(len(seen))

        assert counts[1] <= counts[0] + 10  # one look-up of twins for each owner, bounded

    def test_of_a_list_asks_no_more_for_more_rows(self, operator):
        client, address = door(operator), reverse("admin:merchants_application_changelist")
        factory.draft(operator)
        client.get(address)
        counts = []
        for more in (0, 3):
            for _row in range(more):
                factory.draft(operator)
            with CaptureQueriesContext(connection) as seen:
                assert client.get(address, {"state": "DRAFT"}).status_code == 200
            counts.append(len(seen))

        assert counts[0] == counts[1]

    def test_names_every_state_in_the_readers_language(self):
        assert set(COLOURS) == set(Application.State)


class TestComments:
    def test_stand_beside_the_fields_of_the_form(self, operator):
        application, reviewer = factory.submitted(operator), UserFactory(is_staff=True)
        reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)
        reviews.give_back(
            application_id=application.id, reviewer=reviewer, reason="", at=AT,
            comments={"address": "which street?", "owners.1.share_percent": "really all?"},
        )  # fmt: skip

        text = door(operator).get(form_of(application)).content.decode()

        assert 'data-comment="address"' in text
        assert "which street?" in text
        assert "really all?" in text


def test_the_overview_names_accounts_that_nobody_has_verified():
    boss = somebody("operator")
    BankAccountFactory(status="VERIFIED", verified_at=AT)
    assert list(work_items.to_verify(boss)) == []
    waiting = BankAccountFactory(status="UNVERIFIED", approved_payee=False, verified_at=None)

    (item,) = work_items.to_verify(boss)

    assert item.count == 1
    page = door(boss).get(item.url)
    assert [row.pk for row in page.context["cl"].result_list] == [waiting.pk]
