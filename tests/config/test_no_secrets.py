"""No password, PIN, key, card or identity number is left in logs, rows, tasks, errors, exports."""

from __future__ import annotations

import io
import logging
import re
import struct
import zlib
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from config import logs
from config.errors import DomainError
from foundation import clock
from foundation.models import (
    Approval,
    AuditEvent,
    FileExport,
    History,
    Job,
    OutboxMessage,
    User,
)
from foundation.services import file_export as file_exports
from merchants.models import ApplicationOwner
from merchants.services import application as drafts
from merchants.services import bank_account as bank_accounts
from merchants.services import document as documents
from settlement.models import Withdrawal
from tests.api.caller import Caller, wish
from tests.factories import application, payout, portal
from tests.factories.foundation import UserFactory
from tests.trawl import Trawl, forms

# Each is typed somewhere, right or wrong, and is long enough not to come up by chance.
SIGN_IN = "Sesame-opens-the-door-4711"
WRONG_SIGN_IN = "Sesame-opened-the-door-0815"
PIN = "907163528417"
WRONG_PIN = "615240938271"
CARD = "6222020200112233445"
NEW_CARD = "6222020200198765436"
BAD_CARD = "6222020200112233999"
SCAN = "what-stands-on-the-card-0815-4711"
SHEET = "merchant_no,kind,number,holder,bank_name,bank_code,currency"
TYPED = [SIGN_IN, WRONG_SIGN_IN, PIN, WRONG_PIN, CARD, BAD_CARD]

pytestmark = [pytest.mark.django_db, pytest.mark.transport]


@pytest.fixture
def shop(settings: Any) -> portal.Shop:
    settings.AXES_ENABLED = True
    made = portal.shop(clock.now())
    payout.fund(made.merchant, 1000_00)
    payout.fee(1_00)
    made.owner.set_password(SIGN_IN)
    made.owner.language = "en"
    made.owner.save()
    return made


def browser() -> Client:
    return Client(raise_request_exception=False)


def sign_in(trawl: Trawl, door: str, username: str) -> Client:
    client = browser()
    for password in (WRONG_SIGN_IN, SIGN_IN):
        sent = {"username": username, "password": password}
        answer = trawl.answer(client.post(door, sent))
    assert answer.status_code == 302
    return client


def set_pin(trawl: Trawl, client: Client, shop: portal.Shop) -> None:
    address = f"/portal/{shop.merchant.id}/payment-password"
    sent = {"new": PIN, "again": PIN, "sign_in_password": SIGN_IN}
    for wrong in ({"sign_in_password": WRONG_SIGN_IN}, {"again": WRONG_PIN}):
        trawl.answer(client.post(address, sent | wrong))
    for old in (WRONG_PIN, portal.PAYMENT_PASSWORD):
        asked = trawl.answer(client.post(address, sent)).context
        proof = {"verification": asked["step"].request.number, "payment_password": old}
        answer = trawl.answer(client.post(address, proof | {"sealed": asked["sealed"]}))
    assert answer.status_code == 302


def withdraw(trawl: Trawl, client: Client, shop: portal.Shop) -> None:
    address = f"/portal/{shop.merchant.id}/withdrawals/new"
    for pin in (WRONG_PIN, PIN):
        page = trawl.answer(client.get(address))
        token = re.search(rb'name="token" value="([^"]+)"', page.content)
        assert token
        sent = {
            "step": "confirm", "token": token[1].decode(), "account": str(shop.account.uuid),
            "amount": "50.00", "payment_password": pin,
        }  # fmt: skip
        trawl.answer(client.post(address, sent))
    assert Withdrawal.objects.count() == 1


def break_down(
    trawl: Trawl, client: Client, shop: portal.Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the page fail with everything typed still in its hands."""

    def fail(*_: Any) -> None:
        raise RuntimeError("broken on purpose")

    with monkeypatch.context() as patched:
        patched.setattr("merchants.services.payment_password.hashed", fail)
        sent = {"new": PIN, "again": PIN, "sign_in_password": SIGN_IN}
        answer = client.post(f"/portal/{shop.merchant.id}/payment-password", sent)
    assert trawl.answer(answer).status_code == 500


def add_card(trawl: Trawl, shop: portal.Shop) -> Client:
    """Add, add again with another holder, propose, decide in the admin, export."""
    asked: dict[str, Any] = {"number": CARD, "bank_name": "工商银行", "currency": "CNY"}
    at, maker = clock.now(), UserFactory()
    made = bank_accounts.add(merchant_id=shop.merchant.id, holder="张三", at=at, **asked)
    with pytest.raises(DomainError) as refusal:
        bank_accounts.add(merchant_id=shop.merchant.id, holder="李四", at=at, **asked)
    trawl.error(refusal.value)
    proposal = bank_accounts.propose(
        merchant_id=shop.merchant.id, bank_account_id=made.account.id, approved_payee=True,
        reason="a letter", maker=maker, at=at, expires_at=at + timedelta(days=1),
    )  # fmt: skip
    boss = UserFactory(is_staff=True, is_superuser=True, username="boss")
    boss.set_password(SIGN_IN)
    boss.save()
    client = sign_in(trawl, "/admin/login/", "boss")
    client.force_login(boss, "django.contrib.auth.backends.ModelBackend")
    for name, key in (
        ("foundation_approval_change", proposal.pk),
        ("merchants_bankaccount_change", made.account.pk),
        ("merchants_bankaccount_timeline", made.account.pk),
    ):
        assert trawl.answer(client.get(reverse(f"admin:{name}", args=[key]))).status_code == 200
    return client


def apply(trawl: Trawl, reader: Client) -> None:
    """Enter and submit an application with papers, owner and card, and look at it."""
    made = application.submitted(UserFactory(is_staff=True, is_superuser=True))
    assert ApplicationOwner.objects.get().identity_masked
    address = reverse("admin:merchants_application_change", args=[made.pk])
    assert trawl.answer(reader.get(address)).status_code == 200
    trawl.answer(reader.get(reverse("admin:application_review", args=[made.pk])))
    trawl.answer(reader.get(reverse("admin:merchants_application_timeline", args=[made.pk])))


def call(trawl: Trawl, shop: portal.Shop) -> str:
    """Call the API rightly and wrongly; return the key's secret."""
    caller = Caller(shop.merchant)
    trawl.answer(caller.get("me"))
    trawl.answer(caller.post("withdrawals", wish(shop.account)))
    trawl.answer(caller.post("withdrawals", wish(shop.account, payee=CARD), key="k-2"))
    secret = caller.token.partition(".")[2]
    caller.head = {"Authorization": f"Bearer {caller.token}x"}
    assert trawl.answer(caller.get("me")).status_code == 401
    return secret


def carry_sheets(trawl: Trawl, shop: portal.Shop) -> None:
    """Bring sheets in, with a bad row and without, and take lists out and fetch them."""
    clerk: User = UserFactory(is_staff=True, is_superuser=True, language="en")
    client = browser()
    client.force_login(clerk)
    number = shop.merchant.merchant_no
    bad = f"{SHEET}\n{number},CARD,{BAD_CARD},张三,工商银行,,XXX\n"
    good = f"{SHEET}\n{number},CORPORATE,{NEW_CARD},{shop.merchant.name},工商银行,,CNY\n"
    for text, status in ((bad, 400), (good, 302)):
        file = SimpleUploadedFile("a.csv", text.encode())
        address = reverse("admin:foundation_import", args=["bank-accounts"])
        sent = trawl.answer(client.post(address, {"file": file}))
        assert sent.status_code == status, sent.content.decode()
    assert trawl.answer(client.get(sent["Location"])).status_code == 200
    assert trawl.answer(client.post(sent["Location"], {"do": "confirm"})).status_code == 302
    assert Approval.objects.filter(state="PROPOSED").exists()
    for kind in ("bank-accounts", "contacts", "merchants"):
        for form in ("csv", "xlsx"):
            asked = {"format": form}
            trawl.answer(client.post(reverse("admin:foundation_export", args=[kind]), asked))
            export = FileExport.objects.latest("id")
            file_exports.write(export_id=export.id, at=clock.now())
            fetched = reverse("admin:foundation_export_file", args=[export.id])
            answer = client.get(fetched)
            assert answer.status_code == 200
            trawl.unpacked(answer, form)
            file_exports.delete(export_id=export.id, user=clerk, at=clock.now())


def hand_in(trawl: Trawl, reader: Client) -> None:
    """Send in a scan of an identity card, and see its picture; its bytes are the secret."""
    maker = UserFactory(is_staff=True)
    begun = drafts.begin(maker=maker, at=clock.now())
    scan = application.picture()
    text = b"tEXt" + b"id\0" + SCAN.encode()
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    paper = documents.add(
        application_id=begun.id, kind="IDENTITY_FRONT", file_name="a.png", maker=maker,
        file=io.BytesIO(scan[:-12] + chunk + scan[-12:]), at=clock.now(),
    )  # fmt: skip
    seen = reader.get(reverse("admin:document_preview", args=[paper.uuid, 1]))
    assert trawl.answer(seen).status_code == 200
    whole = reader.get(reverse("admin:document_file", args=[paper.uuid]))
    assert SCAN.encode() in whole.getvalue()  # to who may have it, and nowhere else


class TestADay:
    def test_leaves_nothing_secret_behind(
        self, shop: portal.Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Trawl() as trawl:
            client = sign_in(trawl, "/portal/sign-in", shop.owner.username)
            client.force_login(shop.owner, "django.contrib.auth.backends.ModelBackend")
            set_pin(trawl, client, shop)
            withdraw(trawl, client, shop)
            break_down(trawl, client, shop, monkeypatch)
            reader = add_card(trawl, shop)
            apply(trawl, reader)
            carry_sheets(trawl, shop)
            hand_in(trawl, reader)
            trawl.answer(client.get(f"/portal/{shop.merchant.id}/statement.csv"))
            key = call(trawl, shop)

        assert AuditEvent.objects.exists()
        assert History.objects.exists()
        assert OutboxMessage.objects.exists()
        assert Job.objects.exists()
        numbers = [shop.account.number, application.IDENTITY, application.CARD, NEW_CARD, SCAN]
        assert trawl.found([*TYPED, key, *numbers]) == []

    def test_has_no_other_ways_out(self) -> None:
        """Results of tasks are not kept, and no error is mailed with what a form held."""
        assert current_app.conf.task_ignore_result
        assert current_app.conf.result_backend is None
        for as_json in (True, False):
            handlers = logs.settings(as_json=as_json, level="INFO")["handlers"].values()
            assert not [one for one in handlers if "mail" in str(one).lower()]

    def test_would_be_seen(self) -> None:
        """The net has no hole: what is planted in each place is found in each."""
        with Trawl() as trawl:
            logging.getLogger("tests").warning("typed %s", PIN)
            trawl.error(ValueError(CARD))
            UserFactory(username=SIGN_IN)
        places = trawl.found([PIN, CARD, SIGN_IN])

        assert {place.partition(":")[0] for place in places} == {
            "log", "log as JSON", "error ValueError", "table foundation_user",
            "table foundation_history",
        }  # fmt: skip
        assert PIN.encode().hex() in forms(PIN)
