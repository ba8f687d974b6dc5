import ast
import re
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote

import polib
import pytest
from django.conf import settings
from django.urls import URLPattern

from config.urls import portal as patterns
from foundation import clock
from merchants.models import Confirmation, Membership, Merchant
from merchants.services import api_key as api_keys
from merchants.services import custom_role as custom_roles
from merchants.services import invitation as invitations
from merchants.services import membership as memberships
from settlement.models import Batch, Item, Run, Withdrawal
from tests.factories import payout, portal, webhook
from tests.factories.merchants import MembershipFactory, MerchantFactory
from tests.factories.verification import PIN, ask, give, member, rule

ROOT = Path(settings.BASE_DIR)
BACKEND = "django.contrib.auth.backends.ModelBackend"
OPEN = {
    "start", "sign_in", "sign_out", "language", "invitation", "invitation_link",
    "password_forgotten", "password_new", "password_link",
}  # fmt: skip
ONLY_POST = {
    "withdrawal_cancel", "person_off", "invitation_resend", "invitation_withdraw", "api_key_off",
    "confirmation_refuse", "webhook_test", "webhook_pause", "webhook_resume", "webhook_remove",
    "webhook_replay",
}  # fmt: skip


def of_a_merchant() -> list[URLPattern]:
    """Every address of the portal that shows one merchant's things."""
    return [pattern for pattern in patterns if pattern.name not in OPEN]


def address(pattern: URLPattern, **words: object) -> str:
    """Fill an address of the portal."""
    route = str(pattern.pattern)
    return "/portal/" + re.sub(r"<\w+:(\w+)>", lambda found: str(words[found[1]]), route)


@pytest.fixture
def words() -> dict[str, object]:
    """A merchant with a withdrawal, a settlement and movements: what an address can name."""
    account = payout.payee(500_00)
    withdrawal = payout.request(account)
    item = settled_item(account.merchant_id)
    delivery = webhook.told(webhook.endpoint(account.merchant))
    return {
        "merchant_id": account.merchant_id,
        "endpoint_id": delivery.endpoint_id,
        "delivery_id": delivery.id,
        "number": withdrawal.number,
        "item_id": item.id,
        **people(account.merchant),
    }


def people(merchant: Merchant) -> dict[str, object]:
    """Somebody, a role and an invitation of a merchant."""
    at = datetime(2026, 3, 3, tzinfo=UTC)
    colleague, owner = portal.member(merchant), portal.member(merchant)
    role = custom_roles.create(
        merchant_id=merchant.id, name="Till", abilities=["manage"], by=owner, at=at
    )
    invitation = invitations.invite(
        merchant_id=merchant.id,
        email="eve@example.com",
        name="Eve",
        role="VIEWER",
        invited_by=owner,
        at=at,
    )
    return {
        "user_id": colleague.pk,
        "role_id": role.id,
        "invitation_id": invitation.id,
        "token": invitations.token_of(invitation),
        "confirmation_id": waiting_confirmation(merchant).id,
        "key_id": api_keys.create(
            merchant=merchant, name="till", scopes=["balances:read"], at=at
        ).key.id,
    }


def waiting_confirmation(merchant: Merchant) -> Confirmation:
    """A withdrawal that waits for a second person."""
    rule("payment_password", "second_person")
    give(ask(member(merchant=merchant), clock.now()), clock.now(), payment_password=PIN)
    return Confirmation.objects.get()


def settled_item(merchant_id: int) -> Item:
    """A settlement in which nothing is yet."""
    day = date(2026, 3, 3)
    run = Run.objects.create(run_date=day, cycle=1, parts=1, actor="test", request_id="test")
    batch = Batch.objects.create(
        run=run,
        run_date=day,
        cycle=1,
        currency="CNY",
        part=1,
        merchant_from=merchant_id,
        merchant_to=merchant_id,
    )
    return Item.objects.create(
        merchant_id=merchant_id,
        batch=batch,
        run_date=day,
        cycle=1,
        currency="CNY",
        net_minor=0,
        line_count=0,
    )


@pytest.mark.django_db
class TestEveryPage:
    def test_is_unknown_to_a_person_of_another_merchant(self, client, words):
        stranger = portal.member(MerchantFactory())
        client.force_login(stranger, BACKEND)

        found = {
            (pattern.name, method): getattr(client, method)(address(pattern, **words)).status_code
            for pattern in of_a_merchant()
            for method in ("get", "post")
        }

        assert set(found.values()) == {404}
        assert len(found) >= 2 * 9

    def test_does_not_know_another_merchants_things_under_ones_own_merchant(self, client, words):
        merchant = MerchantFactory()
        client.force_login(portal.member(merchant), BACKEND)
        things = {"item_id", "number", "user_id", "role_id", "invitation_id", "key_id",
                  "confirmation_id", "endpoint_id", "delivery_id"}  # fmt: skip
        naming = [p for p in of_a_merchant() if things & set(p.pattern.converters)]

        found = {
            pattern.name: client.post(
                address(pattern, **words | {"merchant_id": merchant.id})
            ).status_code
            if pattern.name in ONLY_POST
            else client.get(address(pattern, **words | {"merchant_id": merchant.id})).status_code
            for pattern in naming
        }

        assert set(found.values()) == {404}, found
        assert len(found) >= 8

    def test_opens_for_the_owner(self, client, words):
        client.force_login(portal.member(_merchant(words)), BACKEND)

        found = {
            pattern.name: client.get(address(pattern, **words)).status_code
            for pattern in of_a_merchant()
            if pattern.name not in ONLY_POST
        }

        assert set(found.values()) == {200}, found

    def test_sends_a_stranger_to_the_sign_in(self, client, words):
        for pattern in of_a_merchant():
            answer = client.get(address(pattern, **words))
            assert (answer.status_code, answer["Location"].split("?")[0]) == (
                302,
                "/portal/sign-in",
            )

    @pytest.mark.parametrize("garbage", ["\0", "%00", "💰" * 300, "-1", "9" * 40, "'; --", "[]"])
    def test_survives_garbage(self, client, words, garbage):
        client.force_login(portal.member(_merchant(words)), BACKEND)
        names = ["next", "language", "username", "password", "account", "since", "until", "below",
                 "after", "step", "token", "amount", "payment_password", "new", "again", "current",
                 "sign_in_password", "email", "name", "role", "abilities", "active"]  # fmt: skip
        given = dict.fromkeys(names, garbage)

        found = {
            answer.status_code
            for pattern in patterns
            for shown in (words, {**words, "number": quote(garbage), "item_id": "9" * 40})
            for answer in (
                client.get(address(pattern, **shown), given),
                client.post(address(pattern, **shown), given | {"step": "confirm"}),
            )
            if pattern.name != "sign_out"
        }

        assert max(found) < 500
        assert not Withdrawal.objects.exclude(number=words["number"]).exists()

    def test_closes_when_the_membership_ends(self, client, words):
        person = portal.member(_merchant(words))
        client.force_login(person, BACKEND)
        memberships.revoke(merchant_id=int(str(words["merchant_id"])), user=person)

        assert {client.get(address(p, **words)).status_code for p in of_a_merchant()} == {404}

    def test_is_closed_to_staff_even_with_a_session(self, client, words):
        person = portal.member(_merchant(words))
        person.is_staff = True
        person.save()
        client.force_login(person, BACKEND)

        assert {client.get(address(p, **words)).status_code for p in of_a_merchant()} == {302}


@pytest.mark.django_db
class TestRole:
    def test_viewer_looks_and_may_not_withdraw(self, client, words):
        client.force_login(portal.member(_merchant(words), Membership.Role.VIEWER), BACKEND)
        home = f"/portal/{words['merchant_id']}/"

        assert b"withdrawals/new" not in client.get(home).content
        assert client.get(home + "withdrawals/new").status_code == 403
        assert client.post(home + "withdrawals/new", {"step": "confirm"}).status_code == 403
        cancelled = client.post(f"{home}withdrawals/{words['number']}/cancel")
        assert cancelled.status_code == 403

    def test_cashier_sees_no_balances(self, client, words):
        client.force_login(portal.member(_merchant(words), Membership.Role.CASHIER), BACKEND)

        answer = client.get(f"/portal/{words['merchant_id']}/")

        assert answer.status_code == 403
        assert client.get("/portal/").status_code == 200

    def test_several_merchants_are_chosen_from(self, client):
        first, second = MerchantFactory(), MerchantFactory()
        person = portal.member(first)
        MembershipFactory(merchant=second, user=person, role=Membership.Role.VIEWER)
        MembershipFactory(merchant=MerchantFactory(name="Hidden"), user=portal.member(first))
        client.force_login(person, BACKEND)

        shown = client.get("/portal/").content.decode()

        assert f"/portal/{first.id}/" in shown
        assert f"/portal/{second.id}/" in shown
        assert "Hidden" not in shown

    def test_one_merchant_is_opened_at_once(self, client):
        merchant = MerchantFactory()
        client.force_login(portal.member(merchant), BACKEND)

        assert client.get("/portal/")["Location"] == f"/portal/{merchant.id}/"


def _merchant(words: dict[str, object]) -> Merchant:
    return Merchant.objects.get(id=words["merchant_id"])


class TestCatalogue:
    def test_has_chinese_for_every_text_of_the_pages(self):
        known: set[str] = set()
        for path in ROOT.glob("locale/*/zh_Hans/LC_MESSAGES/django.po"):
            known |= {entry.msgid for entry in polib.pofile(str(path)).translated_entries()}
        said = {
            text
            for path in [*ROOT.glob("templates/portal/**/*.html"), *ROOT.glob("templates/*.html")]
            for text in re.findall(r"{% translate [\"']([^\"']+)[\"']", path.read_text("utf-8"))
        }
        for path in ROOT.glob("*/portal/*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in _GETTEXT:
                    said |= {n.value for n in node.args if isinstance(n, ast.Constant)}

        assert len(said) > 120
        assert sorted(said - known) == []


_GETTEXT = {"_", "gettext", "gettext_lazy"}
