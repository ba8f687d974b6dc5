"""What a merchant may do, act by act: two persons take it away and give it back."""

from __future__ import annotations

import pytest
from django.db import Error
from django.test import Client
from django.urls import reverse

from foundation import registries
from foundation.models import Approval, AuditEvent
from foundation.money import Money
from foundation.services import approval as approvals
from foundation.services.approval import SelfApprovalForbidden
from merchants.models import Capability, CapabilityStep, Merchant, VerificationToken
from merchants.models.capability import OF_OPERATION
from merchants.selectors import capability as selectors
from merchants.selectors.capability import CapabilityTaken
from merchants.services import api_key as api_keys
from merchants.services import bank_account_request, own_key, own_people, verification
from merchants.services import capability as capabilities
from merchants.services import verification_token as tokens
from tests.factories import capability as make
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.factories.payout import NOON, PIN, owner
from tests.raw_sql import checked, refused

pytestmark = pytest.mark.django_db
STEP = (
    "INSERT INTO merchants_capability_step (merchant_id, capability, sequence, allowed, reason,"
    " approval_id, at, actor, request_id) SELECT %s, %s, %s, %s, a.reason, a.id,"
    " coalesce(a.closed_at, now()), '', '' FROM foundation_approval a WHERE a.id = %s"
)


@pytest.fixture
def shop() -> Merchant:
    made: Merchant = MerchantFactory()
    return made


def taken(shop: Merchant) -> set[str]:
    return {one.capability.value for one in selectors.taken(merchant_id=shop.id)}


class TestTaking:
    def test_needs_two_persons_and_says_what_changes(self, shop):
        proposal = make.propose(shop.id, Capability.WITHDRAW, Capability.PROGRAMS)
        assert taken(shop) == set()
        assert proposal.after == {"withdraw": "TAKEN", "programs": "TAKEN"}

        with pytest.raises(SelfApprovalForbidden):
            approvals.decide(
                approval_id=proposal.id, merchant_id=shop.id, checker=proposal.maker, approve=True,
                reason="", seen_sha256=proposal.content_sha256, at=NOON,
            )  # fmt: skip
        approve(proposal, at=NOON)

        assert taken(shop) == {"withdraw", "programs"}
        said = AuditEvent.objects.get(action="merchant.capability")
        assert said.after == {"withdraw": "TAKEN", "programs": "TAKEN"}

    def test_and_giving_back_leaves_both_in_the_history(self, shop):
        make.leave(shop.id, Capability.WITHDRAW)
        make.leave(shop.id, Capability.PEOPLE)

        assert taken(shop) == {"people"}
        steps = CapabilityStep.objects.filter(capability="withdraw").order_by("sequence")
        assert [(step.sequence, step.allowed) for step in steps] == [(1, False), (2, True)]

    @pytest.mark.parametrize(
        ("left_out", "reason", "field"),
        [((), "x", "allowed"), ((Capability.PEOPLE,), " ", "reason"),
         ((Capability.PEOPLE,), "x" * 501, "reason")],
    )  # fmt: skip
    def test_is_refused_beside_its_field(self, shop, left_out, reason, field):
        with pytest.raises(capabilities.CapabilityMalformed) as refusal:
            make.propose(shop.id, *left_out, reason=reason)
        assert refusal.value.field == field
        assert not Approval.objects.exists()

    def test_decides_nothing_when_it_was_changed_meanwhile(self, shop, monkeypatch):
        proposal = make.propose(shop.id, Capability.WITHDRAW)
        standing = [
            selectors.Standing(one, allowed=one != Capability.WITHDRAW) for one in Capability
        ]
        monkeypatch.setattr(selectors, "standing", lambda **_book: standing)

        with pytest.raises(capabilities.CapabilityChanged):
            approve(proposal, at=NOON)
        proposal.refresh_from_db()
        assert proposal.state == "PROPOSED"

    def test_tells_the_listeners_what_was_taken(self, shop, monkeypatch):
        heard = []
        listeners = registries.Registry("lifecycle_listeners")
        listeners.register("here", lambda **said: heard.append(said))
        monkeypatch.setattr(registries, "lifecycle_listeners", listeners)

        make.leave(shop.id, Capability.SAME_DAY)

        assert [one["event"] for one in heard] == ["merchants.capability"]
        assert heard[0]["payload"]["taken"] == ["same_day"]


class TestTheDatabase:
    def test_wants_the_approved_proposal_of_exactly_this(self, shop):
        other = MerchantFactory()
        open_one = make.propose(shop.id, Capability.WITHDRAW)
        with refused("capability_not_approved"):
            checked(STEP, shop.id, "withdraw", 1, False, open_one.id)
        approved = approve(make.propose(other.id, Capability.WITHDRAW), at=NOON)
        with refused("capability_not_approved"):
            checked(STEP, shop.id, "withdraw", 1, False, approved.id)
        with refused("capability_illegal_step"):
            checked(STEP, other.id, "withdraw", 2, False, approved.id)
        with refused("capability_not_approved"):  # it gave nothing back
            checked(STEP, other.id, "withdraw", 2, True, approved.id)
        with refused("capability_not_approved"):
            checked(STEP, other.id, "people", 1, False, approved.id)

    def test_takes_a_proposal_once(self, shop):
        first = approve(make.propose(shop.id, Capability.WITHDRAW), at=NOON)
        make.leave(shop.id)
        with refused("capability_step_once|capability_not_approved"):
            checked(STEP, shop.id, "withdraw", 3, False, first.id)

    def test_keeps_what_is_written(self, shop):
        make.leave(shop.id, Capability.WITHDRAW)
        for change in ("DELETE FROM", "UPDATE"):
            rest = "" if change == "DELETE FROM" else " SET allowed = true"
            with refused("permission denied|append_only|refuse"):
                checked(f"{change} merchants_capability_step{rest}")

    def test_knows_the_same_operations(self):
        with_proofs = [one.name for one in registries.verified_operations]
        for name in with_proofs:
            found = selectors.sql.rows("SELECT merchants_capability_of(%s) AS one", [name])
            assert found[0]["one"] == OF_OPERATION.get(name)
        assert set(OF_OPERATION) <= set(with_proofs)


class TestWhatWasTaken:
    @pytest.mark.parametrize(
        ("operation", "capability"),
        [
            (bank_account_request.ADD, Capability.BANK_ACCOUNTS),
            (bank_account_request.CHANGE, Capability.BANK_ACCOUNTS),
            (own_people.CHANGE, Capability.PEOPLE),
            (own_key.CREATE, Capability.PROGRAMS),
            (own_key.SHOW, Capability.PROGRAMS),
            ("withdrawal", Capability.WITHDRAW),
        ],
    )
    def test_cannot_be_asked_for(self, shop, operation, capability):
        user = owner(shop)
        make.leave(shop.id, capability)

        with pytest.raises(CapabilityTaken, match="under review"):
            verification.open_request(
                merchant_id=shop.id, user=user, operation=operation, amount=Money(0, "CNY"),
                payee="", at=NOON,
            )  # fmt: skip

    def test_gives_no_token_for_a_proof_that_was_begun_before(self, shop, monkeypatch):
        user = owner(shop)
        request = verification.open_request(
            merchant_id=shop.id, user=user, operation="withdrawal", amount=Money(1, "CNY"),
            payee="", at=NOON,
        )  # fmt: skip
        make.leave(shop.id, Capability.WITHDRAW)

        given = {"payment_password": PIN}
        with pytest.raises(CapabilityTaken):
            verification.prove(request=request, given=given, at=NOON)
        monkeypatch.setattr(tokens, "OF_OPERATION", {})  # and if Python forgot it
        with pytest.raises(Error, match="capability_taken"):
            verification.prove(request=request, given=given, at=NOON)

    def test_is_refused_to_programs_with_its_reason_until_it_is_given_back(self, shop):
        made = api_keys.create(merchant=shop, name="till", scopes=["balances:read"], at=NOON)
        asks = {"HTTP_AUTHORIZATION": f"Bearer {made.token}"}
        make.leave(shop.id, Capability.PROGRAMS, Capability.PEOPLE)

        answer = Client().get("/api/v1/balances", **asks)
        assert (answer.status_code, answer.json()["code"]) == (403, "capability_taken")
        assert "under review" in answer.json()["detail"]

        make.leave(shop.id, Capability.PEOPLE)
        assert Client().get("/api/v1/balances", **asks).status_code == 200
        assert Client().get("/api/v1/me", **asks).json()["merchant"]["may_not"] == ["people"]

    def test_leaves_other_merchants_alone(self, shop):
        other = MerchantFactory()
        make.leave(shop.id, *Capability)

        assert selectors.taken(merchant_id=other.id) == []
        assert not VerificationToken.objects.exists()


class TestTheScreens:
    @pytest.fixture
    def clerk(self) -> Client:
        client = Client()
        client.force_login(UserFactory(is_staff=True, is_superuser=True, language="en"))
        return client

    def test_propose_and_show_what_was_taken(self, shop, clerk):
        page = reverse("admin:merchants_capability", args=[shop.id])
        sent = {"allowed": ["withdraw", "automatic", "same_day", "people", "programs"]}

        empty = clerk.post(page, sent | {"reason": ""})
        assert empty.status_code == 400
        done = clerk.post(page, sent | {"reason": "accounts changed too often"})
        assert done.status_code == 302
        approve(Approval.objects.get(action=capabilities.CHANGE), at=NOON)

        shown = clerk.get(reverse("admin:merchants_merchant_change", args=[shop.id]))
        assert b"add and change bank accounts: taken away" in shown.content
        assert b"accounts changed too often" in shown.content

    def test_list_who_may_not(self, shop, clerk):
        other = MerchantFactory()
        make.leave(shop.id, Capability.WITHDRAW)
        make.leave(other.id, Capability.WITHDRAW)
        make.leave(other.id)  # given back

        listed = clerk.get(reverse("admin:merchants_merchant_changelist") + "?may_not=withdraw")
        assert shop.merchant_no.encode() in listed.content
        assert other.merchant_no.encode() not in listed.content
