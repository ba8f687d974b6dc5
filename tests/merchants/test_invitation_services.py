"""Invitations: one address, one role, once; and who may do what to a merchant's people."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction

from config.errors import DomainError
from foundation.models import AuditEvent, OutboxMessage, User
from foundation.services import outbox
from merchants.models import Ability, CustomRole, Invitation, Membership, Merchant
from merchants.services import custom_role as custom_roles
from merchants.services import invitation as invitations
from merchants.services import membership as memberships
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MembershipFactory, MerchantFactory

NOON = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
PASSWORD = "a password of eve"


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as said:
        act()
    return said.value.code


def member(merchant: Merchant, role: str = "OWNER", **fields: Any) -> User:
    user: User = UserFactory.create(**fields)
    MembershipFactory.create(merchant=merchant, user=user, role=role)
    return user


def invite(merchant: Merchant, by: User | None, role: str = "VIEWER", **more: Any) -> Invitation:
    words = {"email": "Eve@Example.com ", "name": "Eve", "at": NOON} | more
    return invitations.invite(merchant_id=merchant.id, role=role, invited_by=by, **words)


@pytest.fixture
def merchant() -> Merchant:
    return MerchantFactory.create()


@pytest.fixture
def owner(merchant: Merchant) -> User:
    return member(merchant)


@pytest.mark.django_db
class TestInvite:
    def test_mails_a_link_that_is_stored_nowhere(self, merchant, owner) -> None:
        invitation = invite(merchant, owner)
        outbox.drain(inline=True)

        (sent,) = mail.outbox
        token = invitations.token_of(invitation)
        assert sent.to == ["eve@example.com"]
        assert f"/portal/invitations/{token}" in sent.body
        signature = token.rpartition(".")[2]
        for table in ("merchants_invitation", "foundation_outbox", "foundation_audit_event",
                      "foundation_history"):  # fmt: skip
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t")
                assert signature not in cursor.fetchone()[0], table
        payload = OutboxMessage.objects.get(kind=invitations.MAIL).payload
        assert set(payload) == {"merchant_id", "invitation_id"}

    @pytest.mark.parametrize(
        ("field", "value"),
        [("email", ""), ("email", "no address"), ("email", "a@b\n.c"),
         ("email", "a" * 150 + "@b.cn"), ("name", ""), ("name", "x" * 151), ("name", "a\nb")],
    )  # fmt: skip
    def test_names_the_field_that_is_wrong(self, merchant, owner, field, value) -> None:
        with pytest.raises(invitations.InvitationMalformed) as said:
            invite(merchant, owner, **{field: value})

        assert said.value.details["field"] == field
        assert not Invitation.objects.exists()

    def test_is_refused_twice_and_for_who_is_there(self, merchant, owner) -> None:
        invite(merchant, owner)
        there = member(merchant, email="dan@example.com")

        assert refused(lambda: invite(merchant, owner)) == "already_invited"
        assert refused(lambda: invite(merchant, owner, email=there.email)) == "already_invited"
        invite(merchant, owner, at=NOON + invitations.LIFETIME)  # the first has expired
        assert Invitation.objects.filter(withdrawn_at=None).count() == 1

    def test_is_for_who_manages_and_gives_only_what_one_has(self, merchant, owner) -> None:
        finance, stranger = member(merchant, "FINANCE"), member(MerchantFactory.create())
        role = custom_roles.create(
            merchant_id=merchant.id,
            name="People",
            abilities=["manage", "see_balances"],
            by=owner,
            at=NOON,
        )
        cai = UserFactory.create()
        memberships.grant(
            merchant_id=merchant.id, user=cai, role="CUSTOM", custom_role=role, at=NOON
        )

        assert refused(lambda: invite(merchant, finance)) == "forbidden"
        assert refused(lambda: invite(merchant, stranger)) == "forbidden"
        for wanted in ("OWNER", "FINANCE", "VIEWER", "CASHIER"):
            assert refused(lambda wanted=wanted: invite(merchant, cai, wanted)) == (
                "beyond_own_abilities"
            )
        invite(merchant, cai, "CUSTOM", custom_role=role)

    def test_comes_to_an_end(self, merchant, owner, monkeypatch) -> None:
        monkeypatch.setattr(invitations, "MOST_OPEN", 2)
        monkeypatch.setattr(invitations, "MOST_SENT", 2)
        first = invite(merchant, owner)
        invite(merchant, owner, email="dan@example.com")
        words = {"merchant_id": merchant.id, "invitation_id": first.id, "by": owner, "at": NOON}

        assert refused(lambda: invite(merchant, owner, email="cai@example.com")) == (
            "too_many_invitations"
        )
        invitations.resend(**words)
        assert refused(lambda: invitations.resend(**words)) == "too_many_invitations"
        invitations.withdraw(**words)
        invite(merchant, owner, email="cai@example.com")

    def test_of_the_house_needs_no_member(self, merchant) -> None:
        assert invite(merchant, None, "OWNER").role == "OWNER"


@pytest.mark.django_db
class TestAccept:
    def test_makes_an_account_with_its_own_password_once(self, merchant, owner) -> None:
        token = invitations.token_of(invite(merchant, owner, "FINANCE"))

        eve = invitations.accept_as_new(token=token, password=PASSWORD, at=NOON)

        assert (eve.username, eve.email, eve.is_staff) == (
            "eve@example.com",
            "eve@example.com",
            False,
        )
        assert eve.check_password(PASSWORD)
        assert memberships.may(merchant_id=merchant.id, user=eve, ability=Ability.WITHDRAW)
        again = lambda: invitations.accept_as_new(token=token, password=PASSWORD, at=NOON)  # noqa: E731
        assert refused(again) == "invitation_refused"
        acts = AuditEvent.objects.filter(object_kind="invitation").values_list("action", flat=True)
        assert sorted(acts) == ["invitation.accept", "invitation.send"]

    def test_joins_with_the_account_of_that_address_and_with_no_other(
        self, merchant, owner
    ) -> None:
        other_shop = MerchantFactory.create()
        eve = member(other_shop, email="EVE@example.com")
        mallory = member(other_shop, email="mallory@example.com")
        nameless = member(other_shop, email="")
        token = invitations.token_of(invite(merchant, owner))

        for wrong in (mallory, nameless):
            accept = lambda wrong=wrong: invitations.accept_as(token=token, user=wrong, at=NOON)  # noqa: E731
            assert refused(accept) == "invitation_for_other_account"
        new = lambda: invitations.accept_as_new(token=token, password=PASSWORD, at=NOON)  # noqa: E731
        assert refused(new) == "invitation_has_account"
        invitations.accept_as(token=token, user=eve, at=NOON)
        assert Membership.objects.filter(user=eve, active=True).count() == 2

    def test_gets_one_answer_for_every_bad_link(self, merchant, owner) -> None:
        first = invite(merchant, owner)
        good = invitations.token_of(first)
        late = lambda: invitations.opened(token=good, at=NOON + invitations.LIFETIME)  # noqa: E731
        assert refused(late) == "invitation_refused"
        elsewhere = invite(MerchantFactory.create(), None)
        swapped = f"{merchant.id}.{elsewhere.uuid.hex}.{good.rpartition('.')[2]}"
        bad = ["", ".", "..", "1.2.3", "9" * 30 + ".x.y", "-1.x.y", good[:-1], good + "0", swapped,
               good.replace(".", ".0", 1), "\0", "💰", good.upper()]  # fmt: skip

        for token in bad:
            assert refused(lambda token=token: invitations.opened(token=token, at=NOON)) == (
                "invitation_refused"
            ), token
        invitations.resend(merchant_id=merchant.id, invitation_id=first.id, by=owner, at=NOON)
        assert refused(lambda: invitations.opened(token=good, at=NOON)) == "invitation_refused"
        fresh = invitations.token_of(Invitation.objects.get(id=first.id))
        assert invitations.opened(token=fresh, at=NOON).id == first.id
        invitations.withdraw(merchant_id=merchant.id, invitation_id=first.id, by=owner, at=NOON)
        assert refused(lambda: invitations.opened(token=fresh, at=NOON)) == "invitation_refused"

    def test_ends_when_who_invited_may_no_more(self, merchant, owner) -> None:
        other = member(merchant)
        token = invitations.token_of(invite(merchant, owner))

        memberships.switch_off(merchant_id=merchant.id, user_id=str(owner.pk), by=other)

        assert refused(lambda: invitations.opened(token=token, at=NOON)) == "invitation_refused"

    @pytest.mark.parametrize("left", ["account off", "role lost", "gives more than he has now"])
    def test_ends_however_who_invited_lost_the_right(self, merchant, owner, left: str) -> None:
        other = member(merchant)
        role = "OWNER" if left == "gives more than he has now" else "VIEWER"
        token = invitations.token_of(invite(merchant, owner, role))
        if left == "account off":
            User.objects.filter(pk=owner.pk).update(is_active=False)
        else:
            to = "VIEWER" if left == "role lost" else "FINANCE"
            memberships.grant(merchant_id=merchant.id, user=owner, role=to, at=NOON)
        assert other.is_active

        assert refused(lambda: invitations.opened(token=token, at=NOON)) == "invitation_refused"
        assert (
            refused(lambda: invitations.accept_as_new(token=token, password="x" * 12, at=NOON))
            == "invitation_refused"
        )

    def test_is_one_person_with_the_staff_account_of_the_address(self, merchant, owner) -> None:
        staff = UserFactory.create(is_staff=True, email="eve@example.com")
        token = invitations.token_of(invite(merchant, owner))

        eve = invitations.accept_as_new(token=token, password=PASSWORD, at=NOON)

        assert eve.person_id == staff.person_id


class TestAtOnce:
    def test_a_link_makes_one_account(self, cloned_db: str) -> None:
        merchant = MerchantFactory.create()
        token = invitations.token_of(invite(merchant, None))

        def accept(_n: int) -> str:
            try:
                invitations.accept_as_new(token=token, password=PASSWORD, at=NOON)
            except DomainError as refusal:
                return refusal.code
            finally:
                connection.close()
            return "joined"

        with ThreadPoolExecutor(6) as pool:
            said = sorted(pool.map(accept, range(6)))

        assert said == ["invitation_refused"] * 5 + ["joined"]
        assert User.objects.filter(email="eve@example.com").count() == 1

    def test_links_of_two_merchants_make_one_account(self, cloned_db: str) -> None:
        links = [invitations.token_of(invite(MerchantFactory.create(), None)) for _n in range(2)]

        def accept(token: str) -> str:
            try:
                invitations.accept_as_new(token=token, password=PASSWORD, at=NOON)
            except DomainError as refusal:
                return refusal.code
            finally:
                connection.close()
            return "joined"

        with ThreadPoolExecutor(2) as pool:
            said = sorted(pool.map(accept, links))

        assert said == ["invitation_has_account", "joined"]

    def test_two_owners_who_remove_each_other_leave_one(self, cloned_db: str) -> None:
        merchant = MerchantFactory.create()
        ann, bo = member(merchant), member(merchant)

        def remove(who: tuple[User, User]) -> str:
            try:
                memberships.switch_off(merchant_id=merchant.id, user_id=str(who[1].pk), by=who[0])
            except DomainError as refusal:
                return refusal.code
            finally:
                connection.close()
            return "gone"

        with ThreadPoolExecutor(2) as pool:
            said = sorted(pool.map(remove, [(ann, bo), (bo, ann)]))

        assert said == ["forbidden", "gone"]
        assert Membership.objects.filter(active=True).count() == 1


@pytest.mark.django_db
class TestPeople:
    def test_never_change_themselves_even_by_a_second_account(self, merchant, owner) -> None:
        second = member(merchant, person=owner.person)
        words = {"merchant_id": merchant.id, "role": "VIEWER", "custom_role": None, "at": NOON}

        for by, who in ((owner, owner), (owner, second), (second, owner)):
            change = lambda by=by, who=who: memberships.change(user_id=str(who.pk), by=by, **words)  # noqa: E731
            off = lambda by=by, who=who: memberships.switch_off(  # noqa: E731
                merchant_id=merchant.id, user_id=str(who.pk), by=by
            )
            assert [refused(change), refused(off)] == ["own_membership"] * 2

    def test_keep_an_owner(self, merchant, owner) -> None:
        role = custom_roles.create(
            merchant_id=merchant.id, name="All", abilities=list(Ability.values), by=owner, at=NOON
        )
        cai = UserFactory.create()
        memberships.grant(
            merchant_id=merchant.id, user=cai, role="CUSTOM", custom_role=role, at=NOON
        )
        words = {"merchant_id": merchant.id, "user_id": str(owner.pk), "by": cai}

        assert refused(lambda: memberships.switch_off(**words)) == "last_owner"
        change = lambda: memberships.change(role="VIEWER", custom_role=None, at=NOON, **words)  # noqa: E731
        assert refused(change) == "last_owner"
        member(merchant)
        memberships.switch_off(**words)

    def test_touch_nobody_who_may_more_and_no_other_merchants(self, merchant, owner) -> None:
        role = custom_roles.create(
            merchant_id=merchant.id, name="People", abilities=["manage"], by=owner, at=NOON
        )
        cai, dan = UserFactory.create(), member(merchant, "FINANCE")
        memberships.grant(
            merchant_id=merchant.id, user=cai, role="CUSTOM", custom_role=role, at=NOON
        )
        stranger = member(MerchantFactory.create())

        def off(who: User) -> Callable[[], object]:
            return lambda: memberships.switch_off(
                merchant_id=merchant.id, user_id=str(who.pk), by=cai
            )

        assert refused(off(dan)) == "beyond_own_abilities"
        assert refused(off(stranger)) == "not_found"
        widen = lambda: custom_roles.change(  # noqa: E731
            merchant_id=merchant.id, role_id=role.id, abilities=["manage"], active=True, by=cai
        )
        assert refused(widen) == "own_membership"

    def test_lose_what_their_role_loses_at_once(self, merchant, owner) -> None:
        role = custom_roles.create(
            merchant_id=merchant.id, name="Till", abilities=["withdraw"], by=owner, at=NOON
        )
        cai = UserFactory.create()
        memberships.grant(
            merchant_id=merchant.id, user=cai, role="CUSTOM", custom_role=role, at=NOON
        )
        words = {"merchant_id": merchant.id, "role_id": role.id, "by": owner}
        may = lambda: memberships.abilities_now(merchant_id=merchant.id, user=cai)  # noqa: E731

        assert may() == {Ability.WITHDRAW}
        custom_roles.change(abilities=["see_payments"], active=True, **words)
        assert may() == {Ability.SEE_PAYMENTS}
        custom_roles.change(abilities=["see_payments"], active=False, **words)
        assert may() == set()

    @pytest.mark.parametrize(
        ("name", "abilities", "field"),
        [("", ["manage"], "name"), ("x" * 51, ["manage"], "name"), ("Till", [], "abilities"),
         ("Till", ["fly"], "abilities"), ("Taken", ["manage"], "name")],
    )  # fmt: skip
    def test_name_what_is_wrong_with_a_role(self, merchant, owner, name, abilities, field) -> None:
        custom_roles.create(
            merchant_id=merchant.id, name="Taken", abilities=["manage"], by=owner, at=NOON
        )

        with pytest.raises(custom_roles.RoleMalformed) as said:
            custom_roles.create(
                merchant_id=merchant.id, name=name, abilities=abilities, by=owner, at=NOON
            )

        assert said.value.details["field"] == field


@pytest.mark.django_db
class TestInTheDatabase:
    def test_an_invitation_stays_what_it_was(self, merchant, owner) -> None:
        invite(merchant, owner)
        there = Membership.objects.get(user=owner)
        foreign = CustomRole.objects.create(
            merchant=MerchantFactory.create(), name="Theirs", abilities=["manage"], created_at=NOON
        )

        for statement in (
            "UPDATE merchants_invitation SET role = 'OWNER'",
            "UPDATE merchants_invitation SET email = 'mallory@example.com'",
            "DELETE FROM merchants_invitation",
            f"UPDATE merchants_invitation SET accepted_at = '{NOON}'",
            f"UPDATE merchants_invitation SET accepted_at = '{NOON + timedelta(days=9)}',"
            f" accepted_by_id = '{owner.pk}'",
            f"UPDATE merchants_membership SET role = 'CUSTOM', custom_role_id = {foreign.id}"
            f" WHERE id = {there.id}",
            f"UPDATE merchants_membership SET role = 'CUSTOM' WHERE id = {there.id}",
            "UPDATE merchants_custom_role SET abilities = ARRAY['fly']",
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                run(statement)


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
